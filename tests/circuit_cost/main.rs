//! What `#[circuit]` costs: nothing beside what `guarded_by` does, on a handle that was kept.
#![cfg(all(not(loom), feature = "macros"))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Waker};

#[circuit(name = "cost", failure_threshold = 3)]
async fn asynchronous(number: u64) -> anyhow::Result<u64> {
    Ok(number)
}

struct Client<T>(T);

impl<T: Clone> Client<T> {
    #[circuit(expected = std::io::Error)]
    fn method(&self) -> anyhow::Result<T> {
        Ok(self.0.clone())
    }
}

#[test]
fn a_call_allocates_nothing() {
    let calls = || {
        for number in 0..100_u8 {
            let call = pin!(asynchronous(number.into()));
            assert!(
                call.poll(&mut Context::from_waker(Waker::noop()))
                    .is_ready()
            );
            assert!(Client(number).method().is_ok());
            assert!(Client(u16::from(number)).method().is_ok());
        }
    };
    calls();
    let info = measure(calls);
    assert_eq!(info.count_total, 0, "allocations of 300 calls");
}

/// The compiler with which the claim was last checked. Another one may lay out either side a few
/// instructions worse.
const CHECKED: &str = "rustc 1.95.";

/// What a `#[circuit]` has to do beside: see whether it knows a breaker, whether that one is still the
/// registry's, and whether its handle is to be dropped. Who keeps a handle by hand never asks.
const ASKING: u64 = 30;

#[test]
fn a_call_takes_little_more_than_by_hand() {
    let program = build();
    let forms = [
        ("by hand", "by circuit", ASKING),
        ("async by hand", "async by circuit", ASKING),
    ];
    for (by_hand, by_circuit, more) in forms {
        let (Some(by_hand), Some(by_circuit)) = (
            instructions(&program, by_hand),
            instructions(&program, by_circuit),
        ) else {
            println!("without valgrind nothing counts the instructions; the program ran, though");
            return;
        };
        println!("{by_hand} instructions a call by hand, {by_circuit} by `#[circuit]`");
        assert!(by_hand > 10, "the calls were not optimized away");
        let allowed = by_hand + more;
        let allowed = if compiler().starts_with(CHECKED) {
            allowed
        } else {
            allowed + allowed / 10
        };
        assert!(
            by_circuit <= allowed,
            "{by_circuit} instructions, by hand {by_hand}"
        );
    }
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).arg("--version").output();
    let answer = answer.expect("a compiler, since this was compiled");
    String::from_utf8_lossy(&answer.stdout).into_owned()
}

/// Instructions a call: the difference that a thousand more make. `None` without valgrind.
fn instructions(program: &Path, form: &str) -> Option<u64> {
    let count = |calls: &str| {
        let run = Command::new(program).args([form, calls]).status();
        assert!(
            run.expect("it was built").success(),
            "{form}, {calls} calls"
        );
        let callgrind = ["--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let run = Command::new("valgrind")
            .args(callgrind)
            .arg(program)
            .args([form, calls])
            .output();
        let run = run.ok()?;
        let log = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{log}");
        let collected = log.lines().find_map(|line| line.split_once("Collected : "));
        collected?.1.trim().parse::<u64>().ok()
    };
    Some((count("2000")? - count("1000")?).div_ceil(1_000))
}

/// Builds the program with optimizations, whatever the tests are built with.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("circuit-cost");
    fs::create_dir_all(&project).expect("a place to build in");
    let manifest = format!(
        "[package]\nname = \"circuit-cost\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [[bin]]\nname = \"circuit-cost\"\npath = '{program}'\n\n\
         [dependencies]\nbreakerbox = {{ path = '{root}' }}\n\n[workspace]\n",
        program = root.join("tests/circuit_cost/program.rs").display(),
        root = root.display(),
    );
    fs::write(project.join("Cargo.toml"), manifest).expect("its manifest");
    // The versions that were fetched for the tests are there; others may not be.
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).expect("the lock file");
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--offline", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status();
    assert!(
        built.expect("cargo, since it runs this").success(),
        "the program builds"
    );
    project.join("target/release/circuit-cost")
}
