//! Where and with what it was measured.

use std::fs;
use std::process::Command;

/// A sentence for the reader of the figures.
pub fn description(cores: usize) -> String {
    let rustc = said_by("rustc", &["--version"]);
    let date = said_by("date", &["-u", "+%F"]);
    let kernel = said_by("uname", &["-sr"]);
    let processor = processor();
    format!(
        "Measured on {date}: {processor}, {cores} processors, {kernel}, {rustc}, release profile, \
         by `cargo run --release` in `benches/peers`."
    )
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    said.map_or_else(|| format!("(no {program})"), |said| said.trim().to_owned())
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, name)| name.to_owned(),
    )
}

/// The version of a crate, by the lock file.
pub fn version(package: &str) -> &'static str {
    const LOCK: &str = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"\nversion = \"");
    let after = LOCK.split_once(&name).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}
