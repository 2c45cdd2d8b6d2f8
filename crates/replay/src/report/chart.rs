//! Charts of a report, as inline SVG.

use super::escape::escaped;
use super::scale::{COLUMNS, LEFT, RIGHT, TimeScale};
use crate::lane::Change;
use crate::nanos::nanos;
use crate::outage::{BIN, Outage};
use crate::replayed::{CandidateResults, Replayed};
use breakerbox::State;
use std::fmt::Write;

/// Writes to a string, which cannot fail.
macro_rules! put {
    ($to:expr, $($arguments:tt)*) => {{
        let _ = write!($to, $($arguments)*);
    }};
}

const TRAFFIC_HEIGHT: f64 = 110.0;
const BAND_HEIGHT: f64 = 22.0;
const BARS_HEIGHT: f64 = 46.0;

fn open(svg: &mut String, height: f64, description: &str) {
    let description = escaped(description);
    put!(
        svg,
        "<svg viewBox=\"0 0 1000 {height:.0}\" role=\"img\" aria-label=\"{description}\">\n"
    );
}

fn rect(svg: &mut String, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
    put!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>\n"
    );
}

fn text(svg: &mut String, anchor: &str, (x, y): (f64, f64), text: &str) {
    let text = escaped(text);
    put!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
    );
}

fn shade(svg: &mut String, scale: TimeScale, outages: &[Outage], height: f64) {
    for outage in outages {
        let (from, until) = (scale.x(nanos(outage.start)), scale.x(nanos(outage.end)));
        rect(
            svg,
            "outage",
            (from, 0.0),
            ((until - from).max(1.0), height),
        );
    }
}

fn width() -> f64 {
    #[allow(clippy::cast_precision_loss)] // a few hundred
    let columns = COLUMNS as f64;
    (RIGHT - LEFT) / columns
}

#[allow(clippy::cast_precision_loss)] // a position on a page
fn column_x(column: usize) -> f64 {
    LEFT + width() * column as f64
}

/// Draws the calls per second, and the bad ones among them.
pub(super) fn traffic(replayed: &Replayed, scale: TimeScale) -> String {
    let mut columns = vec![(0.0, 0.0, 0.0); COLUMNS];
    for bin in &replayed.series.bins {
        let column = &mut columns[scale.column(bin.index * BIN)];
        column.0 += f64::from(bin.calls);
        column.1 += f64::from(bin.bad);
        column.2 += 10.0;
    }
    // A column that is shorter than a bin repeats the bin.
    for at in 1..COLUMNS {
        if columns[at].2 == 0.0 && scale.column_seconds() < 10.0 {
            columns[at] = columns[at - 1];
        }
    }
    let rate = |(calls, bad, seconds): &(f64, f64, f64)| {
        let seconds = seconds.max(1.0);
        (calls / seconds, bad / seconds)
    };
    let rates: Vec<(f64, f64)> = columns.iter().map(rate).collect();
    let most = rates.iter().map(|(calls, _)| *calls).fold(0.1, f64::max);
    let height = |rate: f64| TRAFFIC_HEIGHT * rate / most;
    let mut svg = String::new();
    open(
        &mut svg,
        TRAFFIC_HEIGHT + 22.0,
        "calls per second over time",
    );
    shade(&mut svg, scale, &replayed.outages, TRAFFIC_HEIGHT);
    for (column, (calls, bad)) in rates.iter().enumerate() {
        for (class, rate) in [("calls", *calls), ("bad", *bad)] {
            if rate > 0.0 {
                let at = (column_x(column), TRAFFIC_HEIGHT - height(rate));
                rect(&mut svg, class, at, (width() + 0.2, height(rate)));
            }
        }
    }
    text(&mut svg, "end", (LEFT - 6.0, 11.0), &format!("{most:.1}/s"));
    text(&mut svg, "end", (LEFT - 6.0, TRAFFIC_HEIGHT), "0");
    for (x, label) in scale.labels() {
        put!(
            svg,
            "<path class=\"tick\" d=\"M{x:.1} {TRAFFIC_HEIGHT:.0}v5\"/>\n"
        );
        // A label in the middle of the last tick would be cut off.
        let (anchor, x) = if x > RIGHT - 30.0 {
            ("end", 1_000.0)
        } else {
            ("middle", x)
        };
        text(&mut svg, anchor, (x, TRAFFIC_HEIGHT + 18.0), &label);
    }
    svg + "</svg>\n"
}

/// Draws the states of the breakers of a candidate, when they detected outages, and their refusals.
pub(super) fn candidate(
    results: &CandidateResults,
    replayed: &Replayed,
    scale: TimeScale,
) -> String {
    let mut svg = String::new();
    let height = BAND_HEIGHT + BARS_HEIGHT + 8.0;
    open(
        &mut svg,
        height,
        &format!("states and refusals of {}", results.label),
    );
    shade(&mut svg, scale, &replayed.outages, height);
    rect(&mut svg, "closed", (LEFT, 2.0), (RIGHT - LEFT, BAND_HEIGHT));
    text(&mut svg, "end", (LEFT - 6.0, 17.0), "state");
    #[allow(clippy::cast_precision_loss)] // a share
    let opacity = (1.0 / results.changes.len().max(1) as f64).max(0.1);
    put!(svg, "<g fill-opacity=\"{opacity:.2}\">\n");
    for changes in &results.changes {
        states(&mut svg, changes, scale);
    }
    svg.push_str("</g>\n");
    for (key, changes) in results.keys.iter().zip(&results.changes) {
        for outage in &replayed.outages {
            let applies = outage.name.as_ref().is_none_or(|name| *name == key.name);
            let inside = nanos(outage.start)..nanos(outage.end);
            let opens = |change: &&Change| change.to == State::Open && inside.contains(&change.at);
            if let (true, Some(change)) = (applies, changes.iter().find(opens)) {
                let x = scale.x(change.at);
                let title = escaped(&detection(
                    change.at - inside.start,
                    key.instance.as_deref(),
                ));
                put!(
                    svg,
                    "<path class=\"detected\" d=\"M{x:.1} 0v26\"><title>{title}</title></path>\n"
                );
            }
        }
    }
    refusals(&mut svg, results, scale);
    svg + "</svg>\n"
}

#[allow(clippy::cast_precision_loss)] // a time to read
fn detection(after: u64, instance: Option<&str>) -> String {
    let seconds = after as f64 / 1e9;
    match instance {
        Some(instance) => format!("{instance} detected the outage after {seconds:.1} s"),
        None => format!("detected after {seconds:.1} s"),
    }
}

/// Draws the periods in which a breaker was not closed.
fn states(svg: &mut String, changes: &[Change], scale: TimeScale) {
    let ends = changes.iter().skip(1).map(|change| change.at);
    let ends = ends.chain([scale.last()]);
    let mut drawn = LEFT;
    for (change, end) in changes.iter().zip(ends) {
        let class = match change.to {
            State::Open | State::ForcedOpen => "open",
            State::HalfOpen => "half-open",
            _ => continue,
        };
        // Trials are too short to see, but must not cover the time in which the circuit is open.
        let from = scale.x(change.at).max(drawn);
        let until = scale.x(end).max(from + 0.4);
        rect(svg, class, (from, 2.0), (until - from, BAND_HEIGHT));
        drawn = until;
    }
}

/// Draws refused calls: bad ones upwards, good ones downwards.
fn refusals(svg: &mut String, results: &CandidateResults, scale: TimeScale) {
    let mut columns = vec![(0.0, 0.0); COLUMNS];
    for bin in &results.refusals {
        let column = &mut columns[scale.column(bin.index * BIN)];
        column.0 += f64::from(bin.bad);
        column.1 += f64::from(bin.good);
    }
    let most = columns
        .iter()
        .map(|(bad, good)| bad.max(*good))
        .fold(1.0, f64::max);
    let half = BARS_HEIGHT / 2.0;
    let middle = BAND_HEIGHT + 6.0 + half;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at least one column
    let bin_columns = (10.0 / scale.column_seconds()).ceil().max(1.0) as u32;
    let bar = width() * f64::from(bin_columns) - 0.3;
    for (column, (bad, good)) in columns.iter().enumerate() {
        let x = column_x(column);
        let bar = bar.min(RIGHT - x);
        let (saved, wrong) = (half * bad / most, half * good / most);
        if *bad > 0.0 {
            rect(svg, "saved", (x, middle - saved), (bar, saved));
        }
        if *good > 0.0 {
            rect(svg, "wrong", (x, middle), (bar, wrong));
        }
    }
    put!(
        svg,
        "<path class=\"tick\" d=\"M{LEFT:.0} {middle:.1}H{RIGHT:.0}\"/>\n"
    );
    text(svg, "end", (LEFT - 6.0, middle - 4.0), "saved");
    text(svg, "end", (LEFT - 6.0, middle + 14.0), "wrong");
}
