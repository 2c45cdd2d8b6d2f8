//! Measures the presets in simulated outages, and compares the results with the pages of the guide.
//!
//! A share of the calls fails for about two minutes, independently of each other. Every run of the
//! program has the same results. With `--refresh`, it writes them to the pages. A debug build takes a
//! minute.
//!
//! ```sh
//! cargo run --release --package breakerbox-examples --bin preset_table
//! ```

use breakerbox::presets::{Balanced, FailFast, RareCalls};
use breakerbox::{CircuitBreaker, ConfigError, Preset};
use breakerbox_replay::{Candidate, Figures, Replay, Scenario, Survey};
use std::time::Duration;
use std::{env, fs, io, thread};

/// The number of outages for each figure.
const SEEDS: u64 = 40;

/// The shares of calls that fail, in per cent.
const SHARES: [u32; 6] = [10, 20, 34, 50, 70, 100];

const CALLS_PER_SECOND: [u32; 3] = [1, 50, 500];

/// The costs of refusing a call that would have succeeded, relative to a failure: the same without a
/// fallback, and a quarter with a good one.
const WITHOUT_FALLBACK: f64 = 1.0;
const WITH_FALLBACK: f64 = 0.25;

const HEADER: &str =
    "| calls per second | settings | 10 % fail | 20 % | 34 % | 50 % | 70 % | all fail |
|---|---|---|---|---|---|---|---|
";

/// The tables of the pages: the file, the name of the table, the cost, and the rows that it leaves out.
const TABLES: [(&str, &str, f64, &[&str]); 3] = [
    (
        "docs/presets.md",
        "without a fallback",
        WITHOUT_FALLBACK,
        &[],
    ),
    ("docs/presets.md", "with a fallback", WITH_FALLBACK, &[]),
    (
        "docs/choosing-settings.md",
        "some presets",
        WITHOUT_FALLBACK,
        &[
            "| 1 | `FailFast`",
            "| 50 | `RareCalls`",
            "| 500 | `RareCalls`",
            "| 500 | `FailFast`",
        ],
    ),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let results = thread::scope(|scope| {
        let runs = CALLS_PER_SECOND.map(|rate| scope.spawn(move || measure(rate)));
        let rows = runs
            .into_iter()
            .map(|run| run.join().expect("the simulation should not panic"));
        rows.collect::<Result<Vec<_>, _>>()
    })?;
    let refresh = env::args().any(|argument| argument == "--refresh");
    for (file, name, cost, left_out) in TABLES {
        let rows = results.iter().flatten().map(|row| row.text(cost));
        let rows = rows.filter(|row| !left_out.iter().any(|begin| row.starts_with(begin)));
        let table = HEADER.to_owned() + &rows.collect::<String>();
        println!("{name}:\n\n{table}");
        show(file, name, &table, refresh)?;
    }
    println!("both pages show these figures");
    Ok(())
}

/// The outages of one row: those of each share.
struct Row {
    calls_per_second: u32,
    settings: String,
    outages: [Vec<Figures>; SHARES.len()],
}

/// Simulates [`SEEDS`] outages for each share of calls that fail, with all settings at once.
fn measure(calls_per_second: u32) -> Result<Vec<Row>, ConfigError> {
    let candidates = [
        Candidate::new("default", CircuitBreaker::builder())?,
        Candidate::new("`Balanced`", Balanced::preset())?,
        Candidate::new("`RareCalls`", RareCalls::preset())?,
        Candidate::new("`FailFast`", FailFast::preset())?,
    ];
    let mut rows = candidates.clone().map(|candidate| Row {
        calls_per_second,
        settings: candidate.label().to_owned(),
        outages: Default::default(),
    });
    for (at, share) in SHARES.into_iter().enumerate() {
        for seed in 0..SEEDS {
            // The length varies, so that outages end at different moments of the recovery timeout.
            let end = 10 + 90 + seed * 60 / SEEDS;
            let scenario = Scenario::steady(calls_per_second.into())
                .latency(Duration::ZERO)
                .outage(10..end, f64::from(share) / 100.0)
                .seeded(seed);
            let replay = Replay::new(&Survey::new()).outages(scenario.outages());
            let replay = replay.candidates(candidates.clone()).shifts(1).threads(1);
            let replayed = replay.run(scenario.calls());
            for (row, results) in rows.iter_mut().zip(&replayed.candidates) {
                row.outages[at].push(results.figures());
            }
        }
    }
    Ok(rows.into())
}

impl Row {
    /// Returns the row of a Markdown table: for each share of calls that fail, the mean and the worst
    /// of all outages.
    fn text(&self, cost: f64) -> String {
        let cells = self.outages.iter().map(|outages| {
            let nets = outages.iter().map(|figures| figures.net_percent(cost));
            let worst = nets.clone().fold(f64::INFINITY, f64::min);
            let mean = nets.zip(1..).fold(0.0, |mean, (net, count)| {
                mean + (net - mean) / f64::from(count)
            });
            format!("{} ({})", rounded(mean), rounded(worst))
        });
        let cells: Vec<String> = cells.collect();
        let (rate, settings) = (self.calls_per_second, &self.settings);
        format!("| {rate} | {settings} | {} |\n", cells.join(" | "))
    }
}

/// Rounds to a whole number. The result is never negative zero, which would be printed as `-0`.
fn rounded(number: f64) -> f64 {
    number.round() + 0.0
}

/// Writes a table to a page, or fails if the page shows another one.
fn show(file: &str, name: &str, table: &str, refresh: bool) -> io::Result<()> {
    let path = format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(&path)?;
    let (begin, end) = (
        format!("<!-- figures: {name} -->\n\n"),
        "\n<!-- end of figures -->",
    );
    let found = page.split_once(&begin).and_then(|(before, rest)| {
        let (shown, after) = rest.split_once(end)?;
        Some((before, shown, after))
    });
    let Some((before, shown, after)) = found else {
        return Err(io::Error::other(format!("{file} has no figures: {name}")));
    };
    if shown == table {
        return Ok(());
    }
    if !refresh {
        return Err(io::Error::other(format!(
            "{file} shows other figures {name}: run the program with --refresh"
        )));
    }
    fs::write(path, format!("{before}{begin}{table}{end}{after}"))
}
