//! `breakerbox scenario`: generates traffic, and replays it or writes it to a file.
//!
//! * `arguments`: the options
//! * `shape`: outages by name
//! * `phase`: the values of the options for outages
//! * `write`: writes the calls, in one of the formats of `written_as`

mod arguments;
mod phase;
mod shape;
mod write;
mod written_as;

pub(crate) use arguments::ScenarioArguments;

use crate::candidates::Candidates;
use crate::exit::Exit;
use crate::replay::{Results, model};
use crate::table::escaped;
use breakerbox_replay::Replay;
use serde_json::json;
use std::error::Error;
use std::io::{self, Write};

pub(crate) fn run(arguments: &ScenarioArguments) -> Result<Exit, Box<dyn Error>> {
    let scenario = arguments.scenario();
    if let Some(path) = &arguments.write {
        write::write(arguments, &scenario, path)?;
        return Ok(Exit::Success);
    }
    let how = &arguments.candidates;
    let candidates = Candidates::new(&how.candidate)?;
    let model = how.closed_loop.as_deref().map(model::parse).transpose()?;
    let survey = scenario.survey();
    if survey.calls() == 0 {
        return Err("the scenario has no calls: raise --rate or --lasting".into());
    }
    let replay = how.apply(Replay::new(&survey));
    let replay = replay
        .candidates(candidates.iter())
        .outages(scenario.outages());
    let results = Results {
        replayed: replay.run(scenario.calls()),
        model: model.map(|model| model::run(model, &candidates, &survey)),
        title: arguments.title(),
        how,
    };
    // First, because a reader of the output may end early.
    results.write_report()?;
    if how.json {
        let traffic = json!({ "scenario": arguments.title(), "calls": survey.calls() });
        writeln!(io::stdout(), "{:#}", results.to_json(&traffic))?;
    } else {
        let mut out = io::stdout().lock();
        results.print_caveats(&mut out)?;
        writeln!(out, "{}\n", escaped(&arguments.title()))?;
        results.print(&mut out)?;
    }
    Ok(Exit::Success)
}
