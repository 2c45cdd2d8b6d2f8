//! The options of `scenario`.

use super::phase::{Bursts, Phase, bursts, gradual, one_of_many, outage, period, slow};
use super::shape::Shape;
use super::written_as::WrittenAs;
use crate::replay::CandidateArguments;
use crate::values::{counted, up_to_a_day};
use breakerbox_replay::Scenario;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// The options of `scenario`.
#[derive(Args, Debug)]
pub(crate) struct ScenarioArguments {
    /// A kind of outage. Options add further ones
    #[arg(value_enum)]
    shape: Option<Shape>,
    /// Calls per second
    #[arg(long, value_name = "RATE", default_value = "50", value_parser = rate, help_heading = "Scenario")]
    rate: f64,
    /// The mean duration of calls
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = up_to_a_day, help_heading = "Scenario")]
    latency: Duration,
    /// The duration of calls that fail. Default: that of other calls
    #[arg(long, value_name = "DURATION", value_parser = up_to_a_day, help_heading = "Scenario")]
    failing_after: Option<Duration>,
    /// Seconds in which a share of the calls fails, as in 60..180=0.34; repeatable
    #[arg(long, value_name = "FROM..UNTIL=SHARE", value_parser = outage, help_heading = "Scenario")]
    outage: Vec<Phase>,
    /// Seconds in which the share of calls that fail grows up to this one; repeatable
    #[arg(long, value_name = "FROM..UNTIL=SHARE", value_parser = gradual, help_heading = "Scenario")]
    gradual: Vec<Phase>,
    /// Seconds in which a share of the calls is slow, as in 60..180=0.9:2s; repeatable
    #[arg(long, value_name = "FROM..UNTIL=SHARE:LATENCY", value_parser = slow, help_heading = "Scenario")]
    slow: Vec<Phase>,
    /// Seconds that alternate between outage and health, as in 60..180=10s; repeatable
    #[arg(long, value_name = "FROM..UNTIL=HALF", value_parser = period, help_heading = "Scenario")]
    flapping: Vec<Phase>,
    /// Seconds in which one of several replicas is down, as in 60..180=3; repeatable
    #[arg(long, value_name = "FROM..UNTIL=REPLICAS", value_parser = one_of_many, help_heading = "Scenario")]
    one_of_many: Vec<Phase>,
    /// Bursts: every so often, for so long, by this factor, as in 10s:1s:20
    #[arg(long, value_name = "EVERY:LENGTH:FACTOR", value_parser = bursts, help_heading = "Scenario")]
    bursts: Option<Bursts>,
    /// The length in seconds. Default: two minutes after the last outage, or five minutes
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_622_400), help_heading = "Scenario")]
    lasting: Option<u64>,
    /// The name of the breaker
    #[arg(
        long,
        value_name = "NAME",
        default_value = "scenario",
        help_heading = "Scenario"
    )]
    pub(super) name: String,
    /// Writes the calls to a file instead of replaying them; - is standard output
    #[arg(long, value_name = "FILE", help_heading = "Scenario")]
    pub(super) write: Option<PathBuf>,
    /// The format that is written
    #[arg(
        long,
        value_enum,
        default_value = "recorder",
        requires = "write",
        help_heading = "Scenario"
    )]
    pub(super) written_as: WrittenAs,
    #[command(flatten)]
    pub(super) candidates: CandidateArguments,
}

impl ScenarioArguments {
    pub(super) fn scenario(&self) -> Scenario {
        let mut scenario = Scenario::steady(self.rate).latency(self.latency);
        scenario = scenario.named(&*self.name).seeded(self.candidates.seed);
        if let Some(latency) = self.failing_after {
            scenario = scenario.failing_after(latency);
        }
        let phases = [
            &self.outage,
            &self.gradual,
            &self.slow,
            &self.flapping,
            &self.one_of_many,
        ];
        let phases = phases.into_iter().flatten().cloned();
        for phase in self.shape.into_iter().flat_map(Shape::phases).chain(phases) {
            scenario = phase.add_to(scenario);
        }
        let bursts = self.bursts.or(self.shape.and_then(Shape::bursts));
        if let Some(Bursts {
            every,
            length,
            factor,
        }) = bursts
        {
            scenario = scenario.bursts(every, length, factor);
        }
        match self.lasting {
            Some(seconds) => scenario.lasting(seconds),
            None => scenario,
        }
    }

    /// Returns the title of a report.
    pub(super) fn title(&self) -> String {
        let outages = self.scenario().outages().len() as u64;
        let kind = self.shape.map_or("scenario".to_owned(), |shape| {
            format!("scenario {}", shape.name())
        });
        format!(
            "{kind}: {} calls per second, {}",
            self.rate,
            counted(outages, "outage")
        )
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text
        .parse()
        .ok()
        .filter(|rate| (0.001..=1_000_000.0).contains(rate));
    rate.ok_or_else(|| "no number from 0.001 to 1000000".to_owned())
}
