//! `breakerbox replay`: what settings would have done to traffic.
//!
//! * `arguments`: the options
//! * `results`: the results, as a table, as JSON and as a report; `scenario` uses them, too
//! * `model`: the closed-loop model

mod arguments;
pub(crate) mod model;
mod results;

pub(crate) use arguments::{CandidateArguments, ReplayArguments};
pub(crate) use results::Results;

use crate::candidates::Candidates;
use crate::exit::Exit;
use crate::traffic;
use breakerbox_replay::Replay;
use std::error::Error;
use std::io::{self, Write};

pub(crate) fn run(arguments: &ReplayArguments) -> Result<Exit, Box<dyn Error>> {
    let how = &arguments.candidates;
    let candidates = Candidates::new(&how.candidate)?;
    let model = how.closed_loop.as_deref().map(model::parse).transpose()?;
    let traffic = traffic::survey(&arguments.traffic, how.seed)?;
    let names: Vec<&str> = traffic
        .survey
        .names()
        .iter()
        .map(|found| &*found.name)
        .collect();
    if traffic.is_sampled {
        candidates.check_sampled(&names)?;
    }
    let replay = how.apply(Replay::new(&traffic.survey));
    let replay = replay.candidates(candidates.iter());
    let replay = replay
        .outages(traffic.outages.clone())
        .instances(traffic.instances);
    let replay = if arguments.keep_retries {
        replay.keep_retries()
    } else {
        replay
    };
    let mut replayed = replay.run(traffic.calls("replaying")?);
    // The limits of the source come first, because they are true of all figures.
    let mut caveats = traffic.caveats.clone();
    let is_noticed = || names.iter().any(|name| candidates.notice_slow_calls(name));
    if traffic.survey.limit().is_some() && !is_noticed() {
        let text = "Slow calls count as bad, but no candidate has a rule for slow calls. `breakerbox tune` finds one.";
        caveats.push(text.to_owned());
    }
    replayed.caveats.splice(0..0, caveats);
    let results = Results {
        replayed,
        model: model.map(|model| model::run(model, &candidates, &traffic.survey)),
        title: traffic.title(),
        how,
    };
    // First, because a reader of the output may end early.
    results.write_report()?;
    if how.json {
        let json = results.to_json(&traffic.to_json());
        writeln!(io::stdout(), "{json:#}")?;
    } else {
        let mut out = io::stdout().lock();
        results.print_caveats(&mut out)?;
        traffic.print(&mut out)?;
        results.print(&mut out)?;
    }
    Ok(Exit::Success)
}
