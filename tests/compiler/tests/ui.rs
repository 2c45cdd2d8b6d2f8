//! Compiler messages about misuse: each message must say what to do.
//!
//! The wording depends on the version of the compiler. Messages are therefore compared only with
//! rustc 1.95, which recorded them. To record them again:
//! `TRYBUILD=overwrite cargo test --package breakerbox-compiler-tests --test ui`.
#![allow(missing_docs)]

use std::env;
use std::process::Command;

/// The compiler that recorded the messages next to the cases.
const RECORDED: &str = "rustc 1.95.";

/// A case, the texts that its message must contain, and the recorded message.
type Case = (&'static str, &'static [&'static str], &'static str);

const CASES: [Case; 9] = [
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
        &["takes at most eight arguments", "in one struct or tuple"],
        include_str!("ui/function_with_nine_arguments.stderr"),
    ),
    (
        "tests/ui/fallback_of_a_future.rs",
        &[
            "does not match the guarded future",
            ".fallback(|open| async move { .. })",
        ],
        include_str!("ui/fallback_of_a_future.stderr"),
    ),
    (
        "tests/ui/fallback_of_a_sync_function.rs",
        &[
            "does not match the guarded function",
            ".fallback(|args..| ..)",
        ],
        include_str!("ui/fallback_of_a_sync_function.stderr"),
    ),
    (
        "tests/ui/fallback_of_an_async_function.rs",
        &[
            "this fallback does not match",
            "must return a future of `Result<String, std::io::Error>`",
        ],
        include_str!("ui/fallback_of_an_async_function.stderr"),
    ),
    (
        "tests/ui/stream_without_result.rs",
        &[
            "cannot tell whether `{float}` is a success or a failure",
            "`.classify_item(|item| ..)` for a stream",
        ],
        include_str!("ui/stream_without_result.stderr"),
    ),
    (
        "tests/ui/function_that_returns_stream.rs",
        &[
            "a function that returns a stream cannot be guarded",
            "guard the stream of a single call: `function(..).with_breaker(..)`",
        ],
        include_str!("ui/function_that_returns_stream.stderr"),
    ),
    (
        "tests/ui/future_and_stream.rs",
        &[
            "type annotations needed",
            "breakerbox::BreakerExt<breakerbox::parts::kind::Future>",
            "breakerbox::BreakerExt<breakerbox::parts::kind::Stream>",
        ],
        include_str!("ui/future_and_stream.stderr"),
    ),
    (
        "tests/ui/tower_layers.rs",
        &[
            "`ApiError` must implement `From<BreakerError>`",
            "the trait bound `Doubles: Clone` is not satisfied",
            "expected `Result<u32, ApiError>`, found `Result<&str, ApiError>`",
            "expected closure signature `fn(CircuitOpen, u32) -> _`",
        ],
        include_str!("ui/tower_layers.stderr"),
    ),
];

const CIRCUIT_CASES: [Case; 10] = [
    (
        "tests/ui/circuit_literals.rs",
        &[
            "`failure_threshold` must be 1 to 4294967295, not 0",
            "`half_open_calls` must be 1 to 1000, not 1001",
            "`recovery_timeout` must be a duration with a unit, such as \"30s\" or \"1m 30s\", not 30",
            "`recovery_timeout` must be longer than zero",
            "`name` must be 1 to 256 bytes long, not 0",
            "`name` must be 1 to 256 bytes long, not 257",
        ],
        include_str!("ui/circuit_literals.stderr"),
    ),
    (
        "tests/ui/circuit_settings.rs",
        &[
            "`threshhold` is not a setting (did you mean `failure_threshold`?); the settings are name,",
            "did you mean `expected`?",
            "`name` is given twice; remove one of the two values",
            "to name the circuit, write `name = \"users-api\"`",
            "`timeout` requires an async function",
        ],
        include_str!("ui/circuit_settings.stderr"),
    ),
    (
        "tests/ui/circuit_types.rs",
        &["expected `Duration`", "`String: Preset`"],
        include_str!("ui/circuit_types.stderr"),
    ),
    (
        "tests/ui/circuit_closures.rs",
        &[
            "`classify` must be a closure, or the path of a function: `classify = |result|",
            "`classify` decides alone, so `fail_if` would never be called; remove one of them",
            "`fallback` answers every refusal, so `refused` would never be called",
            "did you mean `classify`?",
            "did you mean `refused`?",
            "this closure must name the type of its argument: `|error: &MyError| ..`",
        ],
        include_str!("ui/circuit_closures.stderr"),
    ),
    (
        "tests/ui/circuit_closure_types.rs",
        &[
            "expected `Outcome`, found `bool`",
            "add both `classify = |returned| ..` and `fallback = function`",
        ],
        include_str!("ui/circuit_closure_types.stderr"),
    ),
    (
        "tests/ui/circuit_fallbacks.rs",
        &["this fallback does not match the function"],
        include_str!("ui/circuit_fallbacks.stderr"),
    ),
    (
        "tests/ui/circuit_on_unsupported_items.rs",
        &[
            "an `unsafe fn` cannot be guarded, because",
            "an `extern` function cannot be guarded, because",
            "a `const fn` cannot",
            "this function returns nothing",
            "this function never returns",
            "`#[track_caller]` would have no effect, because",
            "end it with `Box::pin(future)` or `future.boxed()`",
            "add it to the methods instead",
            "add it to the implementations of this method",
        ],
        include_str!("ui/circuit_on_unsupported_items.stderr"),
    ),
    (
        "tests/ui/circuit_without_from.rs",
        &[
            "`ApiError` must implement `From<BreakerError>`",
            "Circuit(#[from] breakerbox::BreakerError)",
        ],
        include_str!("ui/circuit_without_from.stderr"),
    ),
    (
        "tests/ui/circuit_without_result.rs",
        &["must return a `Result`, but this function returns `f32`"],
        include_str!("ui/circuit_without_result.stderr"),
    ),
    (
        "tests/ui/circuit_that_returns_stream.rs",
        &[
            "a function that returns a stream cannot be guarded, because it ends before its stream does",
            "guard the stream: `function(..).with_breaker(..)`",
        ],
        include_str!("ui/circuit_that_returns_stream.stderr"),
    ),
];

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.expect("the compiler that has built this test");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs with every compiler, because it only reads the recorded messages.
#[test]
fn recorded_messages_say_what_to_do() {
    for (case, texts, recorded) in CASES.into_iter().chain(CIRCUIT_CASES) {
        for text in texts {
            assert!(recorded.contains(text), "{case} must say: {text}");
        }
    }
}

#[test]
fn compiler_reports_recorded_messages() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/corrected.rs");
    cases.pass("tests/ui/circuit_corrected.rs");
    let compiler = compiler();
    if compiler.starts_with(RECORDED) {
        for (case, _, _) in CASES.into_iter().chain(CIRCUIT_CASES) {
            cases.compile_fail(case);
        }
    } else {
        println!("skipped: the messages were recorded by {RECORDED}x, and this is {compiler}");
    }
}
