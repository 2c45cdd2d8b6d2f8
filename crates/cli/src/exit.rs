//! [`Exit`]: the exit codes.

use std::process::ExitCode;

/// How the command ended. The codes are part of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command did what it should.
    Success = 0,
    /// The command failed. The reason is on standard error.
    Failure = 1,
    /// The command did what it should, and a breaker that it shows is open or forced open.
    Open = 2,
    /// The command line is wrong. Not 2, which clap would use.
    Usage = 64,
}

impl Exit {
    /// For the help.
    pub(crate) const HELP: &'static str = "\
Exit codes:
  0   success
  1   the command failed; standard error says why
  2   ls, show: success, and a breaker that is shown is open or forced open
  64  the command line is wrong";

    pub(crate) const fn open_if(open: bool) -> Self {
        if open { Self::Open } else { Self::Success }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
