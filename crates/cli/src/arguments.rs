//! The command line.

use crate::exit::Exit;
use crate::replay::ReplayArguments;
use crate::scenario::ScenarioArguments;
use crate::tune::TuneArguments;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Tests the settings of circuit breakers, and operates those of a running service.
#[derive(Debug, Parser)]
#[command(name = "breakerbox", version, after_help = Exit::HELP)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows what settings would have done to the calls of a log
    Replay(Box<ReplayArguments>),
    /// Finds settings for the calls of a log, and writes them as a TOML document
    Tune(Box<TuneArguments>),
    /// Generates calls, and shows what settings would do to them, or writes them to a file
    Scenario(Box<ScenarioArguments>),
    #[command(flatten)]
    Remote(Remote),
    /// Writes the completions of a shell to standard output
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The commands that talk to a panel.
#[derive(Debug, Subcommand)]
pub(crate) enum Remote {
    /// Lists the breakers; exits with 2 if one of them is open
    Ls {
        #[command(flatten)]
        panel: Panel,
        /// Shows only breakers whose names contain this text, in any case
        name: Option<String>,
        /// Shows only breakers in these states, separated by commas, such as `open,half_open`
        #[arg(long)]
        state: Option<String>,
        /// Sorts by name, state, since, failing or refused; a leading - reverses
        #[arg(long, default_value = "state", allow_hyphen_values = true)]
        sort: String,
        /// Writes the answer of the panel as JSON
        #[arg(long)]
        json: bool,
    },
    /// Shows one breaker with its rules, settings and last events; exits with 2 if it is open
    Show {
        #[command(flatten)]
        panel: Panel,
        /// The name of the breaker
        name: String,
        /// Writes the answer of the panel as JSON
        #[arg(long)]
        json: bool,
    },
    /// Writes the log of the panel: state changes, commands and warnings
    Events {
        #[command(flatten)]
        panel: Panel,
        /// Shows only the events of this breaker
        name: Option<String>,
        /// Waits for further events
        #[arg(short, long)]
        follow: bool,
        /// Writes a JSON object on each line
        #[arg(long)]
        json: bool,
    },
    /// Opens a breaker, which recovers by itself
    Trip {
        #[command(flatten)]
        order: Order,
        /// How long the breaker stays open, in seconds. Default: its recovery timeout
        #[arg(long = "for", value_name = "SECONDS")]
        seconds: Option<u64>,
    },
    /// Lets an open breaker try a call
    HalfOpen {
        #[command(flatten)]
        order: Order,
    },
    /// Closes a breaker and forgets its failures
    Reset {
        #[command(flatten)]
        order: Order,
    },
    /// Opens a breaker until another command
    ForceOpen {
        #[command(flatten)]
        order: Order,
    },
}

/// Where the panel is.
#[derive(Args, Clone, Debug)]
pub(crate) struct Panel {
    /// The address of the panel, with the path of its mount
    #[arg(long, env = "BREAKERBOX_URL", default_value = "http://127.0.0.1:9000/")]
    pub(crate) url: String,
    /// The bearer token for the panel. Prefer the environment variable: other users of the machine can
    /// read command lines
    #[arg(long, env = "BREAKERBOX_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// A command for one breaker.
#[derive(Args, Clone, Debug)]
pub(crate) struct Order {
    #[command(flatten)]
    pub(crate) panel: Panel,
    /// The name of the breaker
    pub(crate) name: String,
    /// Why; the reason appears in the log, the panel and the errors of refused calls
    #[arg(long, value_name = "REASON")]
    pub(crate) because: String,
    /// Does nothing unless the breaker is in this state
    #[arg(long, value_name = "STATE")]
    pub(crate) if_state: Option<String>,
}
