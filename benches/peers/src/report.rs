//! The figures as tables of Markdown, which a terminal shows as well.

use crate::figures::Figures;
use crate::machine;
use crate::rows::{Column, Row};
use crate::targets::Verdict;
use std::fmt::Write;

/// One line a row: nanoseconds of a call, and over a bare one.
pub fn table(rows: &[Row], figures: &Figures) -> String {
    let mut head = vec!["ns a call (over bare)".to_owned(), "threads".into()];
    head.extend(Column::ALL.map(|column| column.title().to_owned()));
    head.push("fastest peer ÷ breakerbox".into());
    let mut lines = vec![head];
    for row in rows {
        let threads = if row.cpu {
            format!("{}, processor time", row.threads)
        } else {
            row.threads.to_string()
        };
        let mut line = vec![row.case.to_owned(), threads];
        line.extend(Column::ALL.map(|column| cell(figures, row, column)));
        line.push(ratio(figures, row));
        lines.push(line);
    }
    aligned(&lines)
}

fn cell(figures: &Figures, row: &Row, column: Column) -> String {
    let ns = figures.ns(row.case, row.threads, column);
    let over = figures.over_bare(row.case, row.threads, column);
    match (ns, over) {
        (None, _) => "—".into(),
        (Some(ns), Some(over)) if column != Column::Bare => {
            format!("{} ({})", number(ns), number(over))
        }
        (Some(ns), _) => number(ns),
    }
}

fn ratio(figures: &Figures, row: &Row) -> String {
    let ours = figures.ns(row.case, row.threads, Column::Ours);
    let peer = figures.fastest_peer(row.case, row.threads);
    match ours.zip(peer) {
        None => "—".into(),
        Some((ours, (who, peer))) => format!("{:.1} ({})", peer / ours, who.title()),
    }
}

/// Tenths where they mean something.
fn number(ns: f64) -> String {
    if ns.abs() < 99.95 {
        format!("{ns:.1}")
    } else {
        format!("{ns:.0}")
    }
}

pub fn verdicts(verdicts: &[Verdict]) -> String {
    let head = ["case", "target", "measured", "at most", "verdict"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for verdict in verdicts {
        let (measured, most) = match verdict.figures {
            Some((measured, most)) => (number(measured), number(most)),
            None => ("—".into(), "—".into()),
        };
        let word = match verdict.met() {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "not measured",
        };
        let line = [&verdict.case, &verdict.target, &measured, &most, word];
        lines.push(line.map(str::to_owned).to_vec());
    }
    aligned(&lines)
}

/// How steady the machine was: a row that never waits, and changes nothing.
pub fn noise(rows: &[Row], figures: &Figures) -> Option<String> {
    let spreads = rows.iter().filter(|row| row.threads == 1);
    let spreads = spreads.filter_map(|row| figures.spread(row.case, row.threads, Column::Lean));
    let worst = spreads.max_by(f64::total_cmp)?;
    let mut text = format!(
        "The middle half of the rounds lies within {:.0} %",
        worst * 100.0
    );
    text += " of the median, on one thread, in the worst row.";
    if worst > 0.1 {
        text += " **The machine was busy: measure again.**";
    }
    Some(text)
}

/// Who took part.
pub fn contestants() -> String {
    let packages = [
        (
            "recloser",
            "a ring of outcomes behind a spin lock; all of the last five calls, or half of the last hundred",
        ),
        (
            "failsafe",
            "a policy behind a mutex; five in a row, or a moving average of a minute",
        ),
        (
            "breaker",
            "a state machine behind a read-write lock, async only; five in a row, or half of the last hundred",
        ),
        ("nobreak", "a count behind a mutex; five in a row"),
        (
            "circuitbreaker-rs",
            "atomic counters, locks around the times of the last calls; five in a row",
        ),
        (
            "tower-resilience-circuitbreaker",
            "a tower service with its circuit behind an async mutex; five in a row, half of the last hundred calls or of a minute's, or slow calls",
        ),
    ];
    let mut text = String::new();
    for (package, what) in packages {
        let version = machine::version(package);
        writeln!(text, "* {package} {version}: {what}").expect("a String takes all");
    }
    text
}

fn aligned(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        for (cell, &width) in line.iter().zip(&widths) {
            write!(text, "| {cell:width$} ").expect("a String takes all");
        }
        text += "|\n";
        if at == 0 {
            text.extend(
                widths
                    .iter()
                    .map(|&width| format!("|{}", "-".repeat(width + 2))),
            );
            text += "|\n";
        }
    }
    text
}
