//! `cargo fix` and `cargo clippy --fix` do not change code that uses `#[circuit]`.
//!
//! A lint that looks at the expansion could suggest a change of the user's code, which may then no longer
//! compile. The test runs both commands on a copy of `tests/lints`.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A copy of `tests/lints`, as a workspace of its own.
struct Copy {
    directory: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (tests, workspace) = (package.join(".."), package.join("../.."));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo_fix");
        let copy = Self { directory };
        let _ = fs::remove_dir_all(copy.directory.join("src"));
        for (path, text) in read_sources(&tests.join("lints/src")) {
            // A forbidden lint is an error, and only warnings are fixed.
            copy.write(
                &Path::new("src").join(path),
                &text.replace("#![forbid(", "#![warn("),
            );
        }
        let breakerbox = workspace.canonicalize().expect("the workspace");
        let manifest = format!(
            "[package]\nname = \"fixed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [dependencies]\nbreakerbox.path = '{}'\n\
             futures-util = {{ version = \"0.3\", default-features = false, features = [\"alloc\"] }}\n\n\
             [workspace]\n",
            breakerbox.display()
        );
        copy.write(Path::new("Cargo.toml"), &manifest);
        let lock = fs::read_to_string(workspace.join("Cargo.lock")).expect("the lock file");
        copy.write(Path::new("Cargo.lock"), &lock);
        copy
    }

    fn write(&self, path: &Path, text: &str) {
        let path = self.directory.join(path);
        let parent = path.parent().expect("a path of a file");
        fs::create_dir_all(parent).expect("a directory for the copy");
        fs::write(path, text).expect("a file of the copy");
    }

    fn sources(&self) -> BTreeMap<PathBuf, String> {
        read_sources(&self.directory.join("src"))
    }

    /// Runs `cargo <command>` in the copy, and returns its messages.
    fn cargo(&self, command: &[&str]) -> String {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(command)
            .args(["--lib", "--allow-no-vcs", "--offline"]);
        cargo.current_dir(&self.directory);
        cargo.env("CARGO_TARGET_DIR", self.directory.join("target"));
        // With `-D warnings` in these variables, nothing would be fixed.
        for variable in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_BUILD_RUSTFLAGS",
        ] {
            cargo.env_remove(variable);
        }
        let output = cargo.output().expect("the cargo that has built this test");
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "cargo {command:?}:\n{messages}");
        messages
    }

    /// Runs a command that fixes code, and checks that the command neither warns nor changes anything.
    #[track_caller]
    fn assert_unchanged_by(&self, command: &[&str]) {
        let before = self.sources();
        let messages = self.cargo(command);
        assert!(
            !messages.contains("warning:"),
            "cargo {command:?}:\n{messages}"
        );
        for (path, text) in self.sources() {
            assert_eq!(
                text,
                before[&path],
                "{command:?} changed {}",
                path.display()
            );
        }
    }
}

/// Returns the texts of all files under `directory`, by their paths in the directory.
fn read_sources(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut sources = BTreeMap::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).expect("a directory of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path
                    .strip_prefix(directory)
                    .expect("a path in the directory");
                sources.insert(path.to_owned(), text);
            }
        }
    }
    sources
}

fn has_clippy() -> bool {
    let version = Command::new(env!("CARGO"))
        .args(["clippy", "--version"])
        .output();
    version.is_ok_and(|output| output.status.success())
}

#[test]
fn guarded_functions_need_no_fix() {
    let copy = Copy::new();
    assert!(copy.sources().len() > 8, "the copy is not complete");
    copy.assert_unchanged_by(&["fix"]);
    if has_clippy() {
        copy.assert_unchanged_by(&["clippy", "--fix"]);
    } else {
        println!("!! SKIPPED: `cargo clippy --fix`, because clippy is not installed");
    }

    // The commands do fix other code.
    let planted =
        "//! Planted.\n\n/// Returns one.\npub(crate) fn one() -> u8 { return ({ 1 }); }\n";
    copy.write(Path::new("src/implicit.rs"), planted);
    copy.cargo(&["fix"]);
    assert_ne!(copy.sources()[Path::new("implicit.rs")], planted);
}
