//! Runs the rows in rounds, and keeps what each round said.

use crate::lane::sample;
use crate::rows::{Column, Row};
use std::collections::BTreeMap;

pub struct Plan {
    pub rounds: usize,
    /// How long a sample takes, about, in nanoseconds.
    pub sample: f64,
}

/// The rounds of every contestant.
pub struct Figures {
    pub cores: usize,
    rounds: BTreeMap<(&'static str, usize, Column), Vec<f64>>,
}

impl Figures {
    /// Every contestant of every row makes a sample in every round. Those of a row follow each other,
    /// in an order that changes from round to round, so that whatever else the machine does strikes
    /// all of them alike.
    pub fn measure(rows: &[Row], cores: usize, plan: &Plan) -> Self {
        check(rows, "before the run");
        let calls: Vec<Vec<u64>> = rows.iter().map(|row| calibrate(row, plan)).collect();
        let mut rounds = BTreeMap::<_, Vec<f64>>::new();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for round in 1..=plan.rounds {
            fastrand::shuffle(&mut order);
            for &at in &order {
                let row = &rows[at];
                let mut turn: Vec<usize> = (0..row.contestants.len()).collect();
                fastrand::shuffle(&mut turn);
                for who in turn {
                    let figure = figure(row, who, calls[at][who]);
                    let column = row.contestants[who].column;
                    let key = (row.case, row.threads, column);
                    rounds.entry(key).or_default().push(figure);
                }
            }
            eprint!("\rround {round} of {}", plan.rounds);
        }
        eprintln!();
        check(rows, "after the run");
        Self { cores, rounds }
    }

    fn rounds(&self, case: &'static str, threads: usize, column: Column) -> Option<&[f64]> {
        self.rounds.get(&(case, threads, column)).map(Vec::as_slice)
    }

    /// Nanoseconds of a call: the median of the rounds.
    pub fn ns(&self, case: &'static str, threads: usize, column: Column) -> Option<f64> {
        self.rounds(case, threads, column)
            .map(|rounds| median(rounds.to_vec()))
    }

    /// Nanoseconds over a bare call: the median of what it was in each round.
    pub fn over_bare(&self, case: &'static str, threads: usize, column: Column) -> Option<f64> {
        let bare = self.rounds(case, threads, Column::Bare)?;
        let own = self.rounds(case, threads, column)?;
        Some(median(own.iter().zip(bare).map(|(a, b)| a - b).collect()))
    }

    /// The fastest of the others.
    pub fn fastest_peer(&self, case: &'static str, threads: usize) -> Option<(Column, f64)> {
        let peers = Column::PEERS.iter().copied();
        peers
            .filter_map(|peer| Some((peer, self.ns(case, threads, peer)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// How far apart the middle half of the rounds is, relative to their median: the noise.
    pub fn spread(&self, case: &'static str, threads: usize, column: Column) -> Option<f64> {
        let mut rounds = self.rounds(case, threads, column)?.to_vec();
        rounds.sort_by(f64::total_cmp);
        let at = |quarter: usize| rounds[(rounds.len() - 1) * quarter / 4];
        Some((at(3) - at(1)) / at(2))
    }
}

fn check(rows: &[Row], when: &str) {
    for row in rows {
        for contestant in &row.contestants {
            let who = contestant.column.title();
            assert!((contestant.check)(), "{when}, {}: not so: {who}", row.case);
        }
    }
}

/// Few calls would leave the threads alone at the end of a sample, where one call takes a
/// millisecond: tower-resilience sleeps so long when it finds its lock taken.
const LEAST_CALLS: u64 = 400;

/// The calls of a sample, the same in every round.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
fn calibrate(row: &Row, plan: &Plan) -> Vec<u64> {
    let calls = |who: usize| {
        let mut calls = 200;
        loop {
            let took = sample(row.threads, calls, &*row.contestants[who].calls).wall;
            if took * calls as f64 >= plan.sample / 4.0 {
                return ((plan.sample / took) as u64).max(LEAST_CALLS);
            }
            calls *= 2;
        }
    };
    (0..row.contestants.len()).map(calls).collect()
}

/// A sample whose threads did not run side by side says nothing of their meeting.
const LEAST_OVERLAP: f64 = 0.9;

fn figure(row: &Row, who: usize, calls: u64) -> f64 {
    const ATTEMPTS: usize = 50;
    for _ in 0..ATTEMPTS {
        let sample = sample(row.threads, calls, &*row.contestants[who].calls);
        if row.cpu {
            return sample.cpu;
        }
        if sample.overlap > LEAST_OVERLAP {
            return sample.wall;
        }
    }
    let (case, threads) = (row.case, row.threads);
    panic!("{case}: the machine never ran {threads} threads side by side in {ATTEMPTS} samples");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    f64::midpoint(low, high)
}
