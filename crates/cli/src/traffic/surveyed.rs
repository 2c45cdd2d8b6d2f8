//! [`Surveyed`]: what the first pass over the traffic found.

use super::arguments::TrafficArguments;
use super::format_name::FormatName;
use super::opening::Files;
use super::outage;
use crate::table::{cell, escaped, print, right, table};
use crate::values::{count, counted, date, percent, time};
use anstream::stream::RawStream;
use breakerbox_replay::import::{Caveat, ImportCounts};
use breakerbox_replay::{Call, Instances, Outage, Survey};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The traffic, and what the first pass over it found.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) survey: Survey,
    /// The outages that are stated, or those that were found.
    pub(crate) outages: Vec<Outage>,
    pub(crate) instances: Instances,
    /// The limits of the sources. Complete sentences.
    pub(crate) caveats: Vec<String>,
    pub(crate) is_sampled: bool,
    files: Files,
    counts: Vec<ImportCounts>,
    only: Vec<String>,
    outages_are_stated: bool,
}

/// The most names, outages and bad lines that are shown.
const SHOWN: usize = 10;
const BAD_LINES: usize = 3;

/// Reads the traffic for the first time.
pub(crate) fn survey(arguments: &TrafficArguments, seed: u64) -> Result<Surveyed, Box<dyn Error>> {
    let files = Files::open(arguments, seed)?;
    let only = arguments.breaker.clone();
    let mut survey = match arguments.slow_from {
        Some(limit) => Survey::new().bad_from(limit),
        None => Survey::new(),
    };
    let mut breakers = Breakers::new(arguments.most_breakers);
    let mut calls = files.read("reading")?;
    for call in calls.by_ref().filter(|call| is_wanted(&only, call)) {
        breakers.add(&call)?;
        survey.add(&call);
    }
    let (counts, limits) = calls.counts();
    drop(calls);
    check_calls(&survey, &counts, &only)?;
    let mut surveyed = Surveyed {
        outages: survey.outages(),
        instances: Instances::OfTraffic,
        caveats: Vec::new(),
        is_sampled: arguments.sampled,
        files,
        counts,
        only,
        outages_are_stated: !arguments.outage.is_empty(),
        survey,
    };
    surveyed.add_caveats(&limits, seed);
    if surveyed.outages_are_stated {
        let parsed = arguments
            .outage
            .iter()
            .map(|text| outage::parse(text, &surveyed.survey));
        surveyed.outages = parsed.collect::<Result<_, _>>()?;
    }
    Ok(surveyed)
}

fn is_wanted(only: &[String], call: &Call) -> bool {
    only.is_empty() || only.iter().any(|name| **name == *call.name)
}

fn check_calls(survey: &Survey, counts: &[ImportCounts], only: &[String]) -> Result<(), String> {
    let sum = |figure: fn(&ImportCounts) -> u64| counts.iter().map(figure).sum::<u64>();
    let (late, read) = (sum(|it| it.late), sum(|it| it.calls));
    if late > read {
        return Err(format!(
            "{} came too late to be put in order, and only {} could be: sort the lines by time, the oldest first. \
             Many exports have the newest first, and `tac` reverses them",
            counted(late, "call"),
            count(read)
        ));
    }
    if survey.calls() > 0 {
        return Ok(());
    }
    let mut text = format!("no calls in {}", counted(sum(|it| it.lines), "line"));
    for (number, what) in [
        (sum(|it| it.filtered), "left out by --where"),
        (sum(|it| it.never_ran), "reached no server"),
        (
            sum(|it| it.not_calls),
            "other than calls, such as spans of servers",
        ),
    ] {
        if number > 0 {
            let _ = write!(text, "; {} {what}", count(number));
        }
    }
    if counts.iter().any(|counts| counts.calls > 0) {
        let _ = write!(
            text,
            "; --breaker left out all of them, which names {}",
            only.join(", ")
        );
    }
    let bad = sum(|it| it.bad);
    if bad > 0 {
        let _ = write!(text, "; {} cannot be read:", count(bad));
        let lines = counts.iter().flat_map(|counts| &counts.bad_lines);
        for line in lines.take(BAD_LINES) {
            let _ = write!(text, "\n  {line}");
        }
    }
    Err(text)
}

/// Counts breakers, because each of them is in memory for each candidate and shift.
struct Breakers {
    most: usize,
    seen: HashSet<(Arc<str>, Option<Arc<str>>)>,
    latest: Option<(Arc<str>, Option<Arc<str>>)>,
}

impl Breakers {
    fn new(most: usize) -> Self {
        Self {
            most,
            seen: HashSet::new(),
            latest: None,
        }
    }

    fn add(&mut self, call: &Call) -> Result<(), String> {
        let is_latest = |(name, instance): &(Arc<str>, Option<Arc<str>>)| {
            Arc::ptr_eq(name, &call.name)
                && match (instance, &call.instance) {
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                    (None, None) => true,
                    _ => false,
                }
        };
        if self.latest.as_ref().is_some_and(is_latest) {
            return Ok(());
        }
        let key = (call.name.clone(), call.instance.clone());
        self.latest = Some(key.clone());
        self.seen.insert(key);
        if self.seen.len() <= self.most {
            return Ok(());
        }
        let names: HashSet<&Arc<str>> = self.seen.iter().map(|(name, _)| name).collect();
        Err(format!(
            "more than {} breakers ({}), such as {:?}. Is that the field of the name, and of the process? Select \
             calls with --where or --breaker, or raise --most-breakers",
            count(self.most as u64),
            counted(names.len() as u64, "name"),
            call.name
        ))
    }
}

impl Surveyed {
    /// Reads the calls again.
    pub(crate) fn calls(
        &self,
        label: &'static str,
    ) -> Result<impl Iterator<Item = Call> + '_, Box<dyn Error>> {
        let calls = self.files.read(label)?;
        Ok(calls.filter(|call| is_wanted(&self.only, call)))
    }

    /// Returns the names of the files, for people.
    pub(crate) fn title(&self) -> String {
        let names: Vec<&str> = self
            .files
            .files
            .iter()
            .map(|file| &*file.source.name)
            .collect();
        match names[..] {
            [first, second, _, ..] => format!("{first}, {second} and {} more", names.len() - 2),
            _ => names.join(", "),
        }
    }

    fn add_caveats(&mut self, limits: &[Caveat], seed: u64) {
        for limit in limits {
            match limit {
                // The results of a replay say both.
                Caveat::OneInstance => {}
                Caveat::DealtInstances(count) => {
                    self.instances = Instances::Dealt {
                        count: *count,
                        seed,
                    };
                }
                other => self.caveats.push(other.to_string()),
            }
        }
        let sum = |figure: fn(&ImportCounts) -> u64| self.counts.iter().map(figure).sum::<u64>();
        let (bad, late, moved) = (sum(|it| it.bad), sum(|it| it.late), sum(|it| it.moved));
        let mut caveats = Vec::new();
        if bad > 0 {
            let mut formats = self.files.files.iter().map(|file| file.format);
            let what = if formats.any(|format| format == FormatName::Otlp) {
                // A line has many spans, so lines are no total.
                counted(bad, "record")
            } else {
                let lines = sum(|it| it.lines);
                format!("{} of {}", count(bad), counted(lines, "line"))
            };
            caveats.push(format!(
                "{what} left out: no calls could be read from them."
            ));
        }
        if late + moved > 0 {
            caveats.push(format!(
                "{} came too late to be put in order: {} were moved, {} are left out. Set --reorder-within to more \
                 than the longest call, or sort the lines by time.",
                counted(late + moved, "call"),
                count(moved),
                count(late)
            ));
        }
        let names = self.survey.names();
        // Latencies are those of good calls.
        let has_good = names.iter().any(|name| name.bad < name.calls);
        if has_good && names.iter().all(|name| name.latency(0.5).is_none()) {
            caveats.push(
                "The source has no durations: calls take no time, and slow calls are not noticed."
                    .to_owned(),
            );
        }
        self.caveats.extend(caveats);
    }

    /// Writes the sources, the names and the outages.
    pub(crate) fn print(&self, out: &mut dyn RawStream) -> io::Result<()> {
        for (file, counts) in self.files.files.iter().zip(&self.counts).take(SHOWN) {
            let how = if file.is_guessed { "guessed" } else { "stated" };
            let mut line = format!(
                "{}: {} ({how}), {}, {}",
                file.source.name,
                file.format.as_str(),
                counted(counts.lines, "line"),
                counted(counts.calls, "call"),
            );
            for (number, what) in [
                (counts.bad, "bad"),
                (counts.filtered, "left out by --where"),
                (counts.never_ran, "that reached no server"),
                (counts.not_calls, "other than calls"),
                (counts.lost, "lost by the recorder"),
            ] {
                if number > 0 {
                    let _ = write!(line, ", {} {what}", count(number));
                }
            }
            writeln!(out, "{line}")?;
            if let Some(error) = &counts.broken {
                writeln!(out, "  broken off: {}", escaped(error))?;
            }
            for bad in counts.bad_lines.iter().take(BAD_LINES) {
                writeln!(out, "  {bad}")?;
            }
        }
        let more = self.counts.len().saturating_sub(SHOWN);
        if more > 0 {
            writeln!(out, "and {}", counted(more as u64, "more file"))?;
        }
        let span = self.survey.span();
        writeln!(
            out,
            "{} in {}, from {} to {}\n",
            counted(self.survey.calls(), "call"),
            time(span.end.saturating_sub(span.start)),
            date(span.start),
            date(span.end)
        )?;
        self.print_names(out)?;
        self.print_outages(out)
    }

    fn print_names(&self, out: &mut dyn RawStream) -> io::Result<()> {
        let mut names = self.survey.names();
        names.sort_by_key(|name| std::cmp::Reverse(name.calls));
        let mut rows = table(["name", "calls", "per second", "bad", "p50", "p99.9"]);
        for name in names.iter().take(SHOWN) {
            let quantile = |at| name.latency(at).map_or("-".to_owned(), time);
            #[allow(clippy::cast_precision_loss)] // a share
            let bad = name.bad as f64 / name.calls.max(1) as f64;
            rows.add_row([
                cell(&name.name),
                right(count(name.calls)),
                right(format!("{:.1}", name.calls_per_second())),
                right(percent(bad)),
                right(quantile(0.5)),
                right(quantile(0.999)),
            ]);
        }
        print(out, rows)?;
        if names.len() > SHOWN {
            writeln!(out, "and {} more names", names.len() - SHOWN)?;
        }
        writeln!(out)
    }

    fn print_outages(&self, out: &mut dyn RawStream) -> io::Result<()> {
        if self.outages.is_empty() {
            return writeln!(out, "no outages found\n");
        }
        let title = if self.outages_are_stated {
            "outages (stated)"
        } else {
            "outages (found)"
        };
        let mut rows = table([title, "from", "until", "length"]);
        for outage in self.outages.iter().take(SHOWN) {
            rows.add_row([
                cell(outage.name.as_deref().unwrap_or("all names")),
                cell(date(outage.start)),
                cell(date(outage.end)),
                right(time(outage.end.saturating_sub(outage.start))),
            ]);
        }
        print(out, rows)?;
        if self.outages.len() > SHOWN {
            writeln!(out, "and {} more", self.outages.len() - SHOWN)?;
        }
        writeln!(out)
    }

    pub(crate) fn to_json(&self) -> Value {
        let files = self.files.files.iter().zip(&self.counts);
        let files: Vec<Value> = files
            .map(|(file, counts)| {
                json!({
                    "name": file.source.name,
                    "format": file.format.as_str(),
                    "guessed": file.is_guessed,
                    "lines": counts.lines,
                    "calls": counts.calls,
                    "bad": counts.bad,
                    "bad_lines": counts.bad_lines.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "filtered": counts.filtered,
                    "never_ran": counts.never_ran,
                    "not_calls": counts.not_calls,
                    "moved": counts.moved,
                    "late": counts.late,
                    "lost": counts.lost,
                    "broken": counts.broken,
                })
            })
            .collect();
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let names = self.survey.names().into_iter().map(|name| {
            json!({
                "name": &*name.name,
                "calls": name.calls,
                "bad": name.bad,
                "calls_per_second": name.calls_per_second(),
                "p50": seconds(name.latency(0.5)),
                "p999": seconds(name.latency(0.999)),
            })
        });
        json!({ "files": files, "names": names.collect::<Vec<_>>() })
    }
}
