//! [`is_installed`]: looks for the programs of Prometheus.

use std::io::Write;
use std::process::{Command, Stdio};

/// Returns whether `tool` is on the `PATH`.
///
/// If the tool is missing, the calling test is skipped, and says so even if the output of tests is
/// captured. With the environment variable `BREAKERBOX_REQUIRE_SERVERS`, a missing tool is a
/// failure.
pub(crate) fn is_installed(tool: &str, test: &str) -> bool {
    let mut version = Command::new(tool);
    version.arg("--version").stdin(Stdio::null());
    if version.output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    let is_required = std::env::var_os("BREAKERBOX_REQUIRE_SERVERS").is_some();
    assert!(!is_required, "{test} needs {tool}: install `prometheus`");
    // The test harness captures `eprintln!`, but not this.
    let line = format!("!! SKIPPED: {test}: {tool} is not installed\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    false
}
