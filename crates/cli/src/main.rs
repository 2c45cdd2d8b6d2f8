//! The command `breakerbox`.
//!
//! * `arguments`: the command line
//! * `remote`: operates the breakers of a running service over the JSON of its panel
//! * `table`: tables that fit the terminal
//! * `exit`: exit codes

mod arguments;
mod exit;
mod remote;
mod table;

use arguments::{Arguments, Command};
use clap::{CommandFactory, Parser};
use exit::Exit;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and the version are no errors. Neither can fail usefully if the output is closed.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Success
            };
            return exit.into();
        }
    };
    match run(arguments) {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&*error) => Exit::Success.into(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "breakerbox: {error}");
            Exit::Failure.into()
        }
    }
}

fn run(arguments: Arguments) -> Result<Exit, Box<dyn std::error::Error>> {
    match arguments.command {
        Command::Remote(command) => remote::run(command),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "breakerbox", &mut text);
            io::stdout().write_all(&text)?;
            Ok(Exit::Success)
        }
    }
}

/// Returns `true` if the reader of the output has ended, as `head` does.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
