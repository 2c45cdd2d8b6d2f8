//! What the compiler says to those who guard something that cannot be guarded: it must say what to
//! do.
//!
//! Messages are worded a little differently by every compiler, so they are compared where they were
//! recorded, by rustc 1.95, and elsewhere only known to be there. To record them anew:
//! `TRYBUILD=overwrite cargo test --test ui`.
#![cfg(not(loom))]
#![allow(missing_docs)]

use std::env;
use std::process::Command;

/// The compiler whose messages are beside the cases.
const RECORDED: &str = "rustc 1.95.";

/// A case, with what its message must say whatever the compiler; and what was recorded of it.
const CASES: [(&str, &[&str], &str); 5] = [
    (
        "tests/ui/future_without_result.rs",
        &[
            "cannot tell whether `f32` is a success or a failure",
            ".classify_output(|output| ..)",
        ],
        include_str!("ui/future_without_result.stderr"),
    ),
    (
        "tests/ui/function_with_nine_arguments.rs",
        &["takes at most eight arguments", "as one struct or tuple"],
        include_str!("ui/function_with_nine_arguments.stderr"),
    ),
    (
        "tests/ui/fallback_of_a_future.rs",
        &[
            "cannot stand in for the guarded future",
            ".fallback(|open| async move { .. })",
        ],
        include_str!("ui/fallback_of_a_future.stderr"),
    ),
    (
        "tests/ui/fallback_of_a_sync_function.rs",
        &[
            "cannot stand in for the guarded function",
            ".fallback(|args..| ..)",
        ],
        include_str!("ui/fallback_of_a_sync_function.stderr"),
    ),
    (
        "tests/ui/fallback_of_an_async_function.rs",
        &[
            "this fallback cannot stand in",
            "must give a future of `Result<String, std::io::Error>`",
        ],
        include_str!("ui/fallback_of_an_async_function.stderr"),
    ),
];

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).arg("--version").output();
    let answer = answer.expect("a compiler, since this was compiled");
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

/// Whatever the compiler: what was recorded tells people what to do.
#[test]
fn the_messages_say_what_to_do() {
    for (case, says, recorded) in CASES {
        for text in says {
            assert!(recorded.contains(text), "{case} must say: {text}");
        }
    }
}

#[test]
fn the_compiler_says_them() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/corrected.rs");
    let compiler = compiler();
    if compiler.starts_with(RECORDED) {
        for (case, _, _) in CASES {
            cases.compile_fail(case);
        }
    } else {
        println!("messages were recorded by {RECORDED}x, not compared with those of {compiler}");
    }
}
