//! The options of `replay`, and those that `scenario` shares.

use crate::traffic::TrafficArguments;
use crate::values::positive;
use breakerbox_replay::Replay;
use clap::Args;
use std::path::PathBuf;

/// The options of `replay`.
#[derive(Args, Debug)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    pub(crate) traffic: TrafficArguments,
    #[command(flatten)]
    pub(crate) candidates: CandidateArguments,
    /// Replays retries even after a refusal of their request, for callers that retry refusals
    #[arg(long)]
    pub(crate) keep_retries: bool,
}

/// Which settings are compared, and how the results are shown.
#[derive(Args, Debug)]
#[command(next_help_heading = "Candidates and results")]
pub(crate) struct CandidateArguments {
    /// Settings: a preset (default, balanced, rare-calls, fail-fast), or a TOML document; repeatable.
    /// Default: all presets
    #[arg(short, long, value_name = "PRESET|FILE")]
    pub(crate) candidate: Vec<String>,
    /// What a good call that is refused costs, relative to a bad call that is let through
    #[arg(long, value_name = "COST", default_value = "1", value_parser = positive)]
    pub(crate) wrong_refusal_costs: f64,
    /// How often each candidate is replayed, with recovery times that differ by up to 5 %
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) shifts: u32,
    /// The number of threads. The results do not depend on it. Default: all processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) threads: Option<u32>,
    /// The seed of everything that is drawn at random
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Also shows the figures of each breaker
    #[arg(long)]
    pub(crate) by_name: bool,
    /// Also runs a model of a server that returns cold and of clients that give up. Its figures are
    /// shown apart. Default values: offered=80,capacity=100,cold=0.4:3000,patience=1s,down=60..120,
    /// lasting=600
    #[arg(long, value_name = "KEY=VALUE,…", num_args = 0..=1, default_missing_value = "")]
    pub(crate) closed_loop: Option<String>,
    /// Writes JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Writes a report: one HTML file with charts
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

impl CandidateArguments {
    pub(crate) fn apply(&self, replay: Replay) -> Replay {
        let replay = replay
            .shifts(self.shifts)
            .seed(self.seed)
            .wrong_refusal_costs(self.wrong_refusal_costs);
        match self.threads {
            Some(threads) => replay.threads(threads as usize),
            None => replay,
        }
    }
}
