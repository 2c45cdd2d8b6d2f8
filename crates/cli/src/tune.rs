//! `breakerbox tune`: finds settings, and writes them as a document.

use crate::exit::Exit;
use crate::progress;
use crate::table::{cell, escaped, heading, print, right, table, table_of};
use crate::traffic::{self, Surveyed, TrafficArguments};
use crate::values::{count, counted, date, duration, positive, rounded, time, wrapped};
use anstream::stream::RawStream;
use breakerbox_replay::{Instances, NameSurvey, Tuned, Tuner};
use clap::Args;
use serde_json::json;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

/// The options of `tune`.
#[derive(Args, Debug)]
pub(crate) struct TuneArguments {
    #[command(flatten)]
    traffic: TrafficArguments,
    /// What a good call that is refused costs, relative to a bad call that is let through
    #[arg(long, value_name = "COST", default_value = "1", value_parser = positive)]
    wrong_refusal_costs: f64,
    /// Every outage in which most calls are bad must be detected within this time
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    detect_within: Option<Duration>,
    /// The seed of everything that is drawn at random
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// The number of threads. The results do not depend on it. Default: all processors
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    threads: Option<u32>,
    /// Writes the document to a file. Default: to standard output, and everything else to standard error
    #[arg(short, long, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// Writes JSON to standard output, with the document in it
    #[arg(long)]
    json: bool,
}

/// Names with fewer calls are left out.
const ENOUGH_CALLS: u64 = 100;
/// The most candidates of the front that are shown.
const SHOWN: usize = 8;

pub(crate) fn run(arguments: &TuneArguments) -> Result<Exit, Box<dyn Error>> {
    if arguments.traffic.sampled {
        let text = "sampled traffic cannot be tuned on: most candidates count calls, and numbers of calls and calls \
                    in a row mean nothing there. Record complete traffic, or compare rates over a window of time \
                    with `replay --sampled --candidate FILE.toml`";
        return Err(text.into());
    }
    let traffic = traffic::survey(&arguments.traffic, arguments.seed)?;
    let names: Vec<String> = names(&traffic)?;
    let mut all = Vec::new();
    for name in &names {
        let Some(mut tuner) = Tuner::new(&traffic.survey, name) else {
            continue;
        };
        tuner = tuner
            .wrong_refusal_costs(arguments.wrong_refusal_costs)
            .outages(traffic.outages.clone())
            .instances(traffic.instances);
        if let Some(threads) = arguments.threads {
            tuner = tuner.threads(threads as usize);
        }
        if let Some(limit) = arguments.detect_within {
            tuner = tuner.detect_within(limit);
        }
        let bar = progress::parts("tuning");
        let shown = bar.clone();
        tuner = tuner.on_progress(move |share| progress::show(&shown, share));
        all.push(tuner.tune(traffic.calls("reading")?));
        bar.finish_and_clear();
    }
    let document = document(&traffic, &all);
    if let Some(path) = &arguments.output {
        let failed = |error: io::Error| format!("{}: {error}", escaped(&path.to_string_lossy()));
        fs::write(path, &document).map_err(failed)?;
    }
    if arguments.json {
        let json = json!({
            "traffic": traffic.to_json(),
            "caveats": traffic.caveats,
            "tuned": all,
            "document": document,
        });
        writeln!(io::stdout(), "{json:#}")?;
    } else if arguments.output.is_some() {
        report(&mut io::stdout().lock(), &traffic, &all)?;
    } else {
        // A reader of the report that has ended must not keep the document back.
        let _ = report(&mut io::stderr().lock(), &traffic, &all);
        io::stdout().write_all(document.as_bytes())?;
    }
    Ok(Exit::Success)
}

/// Returns the names that have enough calls, and says which ones have not.
fn names(traffic: &Surveyed) -> Result<Vec<String>, Box<dyn Error>> {
    let found = traffic.survey.names();
    let (enough, few): (Vec<&NameSurvey>, Vec<&NameSurvey>) = found
        .into_iter()
        .partition(|name| name.calls >= ENOUGH_CALLS);
    if enough.is_empty() {
        let text =
            format!("no breaker has {ENOUGH_CALLS} calls, which are too few to choose settings by");
        return Err(text.into());
    }
    if !few.is_empty() {
        let _ = writeln!(
            io::stderr(),
            "breakerbox: {} with fewer than {ENOUGH_CALLS} calls left out",
            counted(few.len() as u64, "name")
        );
    }
    Ok(enough.iter().map(|name| name.name.to_string()).collect())
}

/// Returns the document with the settings of all names. Its first lines say what it is worth.
fn document(traffic: &Surveyed, all: &[Tuned]) -> String {
    let span = traffic.survey.span();
    let mut text = format!(
        "# Settings for {}, from {} of {} to {}: {}.\n",
        counted(all.len() as u64, "breaker"),
        counted(traffic.survey.calls(), "call"),
        date(span.start),
        date(span.end),
        escaped(&traffic.title()),
    );
    for caveat in caveats(traffic, all) {
        let _ = writeln!(text, "# Note: {}", escaped(&caveat));
    }
    for tuned in all {
        text.push('\n');
        text.push_str(&tuned.toml);
    }
    let wrap = |line: &str| match line.strip_prefix("# ") {
        Some(comment) => wrapped("# ", "#   ", comment) + "\n",
        None => format!("{line}\n"),
    };
    text.lines().map(wrap).collect()
}

/// Returns the caveats of the traffic, and those that all breakers have in common.
fn caveats(traffic: &Surveyed, all: &[Tuned]) -> Vec<String> {
    let mut caveats = traffic.caveats.clone();
    if let Instances::Dealt { count, .. } = traffic.instances {
        caveats.push(format!(
            "calls were dealt to {} at random, which is an assumption",
            processes(count)
        ));
    }
    if let [first, rest @ ..] = all {
        let is_common = |caveat: &&String| rest.iter().all(|tuned| tuned.caveats.contains(caveat));
        caveats.extend(first.caveats.iter().filter(is_common).cloned());
    }
    caveats
}

fn processes(count: u32) -> String {
    let plural = if count == 1 { "" } else { "es" };
    format!("{count} process{plural}")
}

fn report(out: &mut dyn RawStream, traffic: &Surveyed, all: &[Tuned]) -> io::Result<()> {
    let common = caveats(traffic, all);
    for tuned in all {
        let name = format!("{}: ", escaped(&tuned.name));
        writeln!(out, "{}", wrapped(&name, "  ", &tuned.fitted))?;
    }
    for caveat in &common {
        writeln!(out, "{}", wrapped("note: ", "  ", &escaped(caveat)))?;
    }
    writeln!(out)?;
    traffic.print(out)?;
    for tuned in all {
        print_tuned(out, tuned, &common)?;
    }
    Ok(())
}

fn print_tuned(out: &mut dyn RawStream, tuned: &Tuned, common: &[String]) -> io::Result<()> {
    for caveat in tuned
        .caveats
        .iter()
        .filter(|caveat| !common.contains(caveat))
    {
        writeln!(out, "note: {}: {}", escaped(&tuned.name), escaped(caveat))?;
    }
    let name = escaped(&tuned.name);
    let mut rows = table_of(
        [
            &*name,
            "net %",
            "range",
            "bad\nthrough",
            "good\nrefused",
            "opened\nafter",
        ]
        .map(heading),
    );
    let chosen = std::iter::once(("chosen: ", &tuned.chosen));
    let others = tuned.front.iter().filter(|other| **other != tuned.chosen);
    let others = others.take(SHOWN).map(|other| ("", other));
    for (mark, tried) in chosen.chain(others) {
        let net = tried.net_percent;
        rows.add_row([
            cell(format!("{mark}{}", tried.label)),
            right(rounded(net.median)),
            right(format!("{}..{}", rounded(net.min), rounded(net.max))),
            right(count(tried.bad_admitted)),
            right(count(tried.good_refused)),
            right(time(tried.detected)),
        ]);
    }
    print(out, rows)?;
    writeln!(
        out,
        "Chosen of {} candidates: the cheapest in its worst run, together with its neighbours. No candidate\n\
         beats one of the others in both costs.\nrange: of 20 runs with slightly other recovery times; net is \
         their median\n",
        count(tuned.tried as u64)
    )?;
    if tuned.left_out.is_empty() {
        return Ok(());
    }
    let mut rows = table(["outage left out", "fitted to the others", "net % in it"]);
    for left in &tuned.left_out {
        rows.add_row([
            cell(date(left.outage.start)),
            cell(&left.label),
            right(rounded(left.net_percent)),
        ]);
    }
    print(out, rows)?;
    writeln!(out)
}
