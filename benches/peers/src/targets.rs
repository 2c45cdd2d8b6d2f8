//! What is wanted, as formulas, and whether it holds.

use crate::figures::Figures;
use crate::rows::Column::{self, Lean, Ours, Recloser, TowerResilience};
use crate::rows::case;

pub struct Verdict {
    pub case: String,
    /// The target as a formula.
    pub target: String,
    /// In nanoseconds: what was measured, and the most it may be. `None` where a row was left out.
    pub figures: Option<(f64, f64)>,
}

impl Verdict {
    pub fn met(&self) -> Option<bool> {
        self.figures.map(|(measured, most)| measured <= most)
    }
}

struct Targets<'a> {
    figures: &'a Figures,
    verdicts: Vec<Verdict>,
}

/// All targets, met or not.
pub fn judge(figures: &Figures) -> Vec<Verdict> {
    let mut targets = Targets {
        figures,
        verdicts: Vec::new(),
    };
    for case in [case::HEALTHY_SYNC, case::HEALTHY_ASYNC] {
        targets.healthy(case);
    }
    for case in [case::REFUSED_SYNC, case::REFUSED_ASYNC] {
        targets.refused(case);
    }
    for case in [case::FAILING_SYNC, case::FAILING_ASYNC] {
        targets.failing(case);
    }
    targets.by_name();
    for (window, plain) in [
        (case::COUNT_SYNC, case::HEALTHY_SYNC),
        (case::COUNT_ASYNC, case::HEALTHY_ASYNC),
    ] {
        targets.count_window(window, plain);
    }
    for case in [case::COUNT_FAILING_SYNC, case::COUNT_FAILING_ASYNC] {
        targets.count_window_failing(case);
    }
    for case in [case::TIME_SYNC, case::TIME_ASYNC] {
        targets.time_window(case);
    }
    targets.tower();
    targets.circuit(case::CIRCUIT_SYNC, case::BY_HAND_SYNC);
    targets.circuit(case::CIRCUIT, case::BY_HAND);
    targets.verdicts
}

impl Targets<'_> {
    fn ns(&self, case: &'static str, threads: usize, column: Column) -> Option<f64> {
        self.figures.ns(case, threads, column)
    }

    fn over(&self, case: &'static str, threads: usize, column: Column) -> Option<f64> {
        self.figures.over_bare(case, threads, column)
    }

    fn fastest(&self, case: &'static str, threads: usize) -> Option<f64> {
        self.figures.fastest_peer(case, threads).map(|(_, ns)| ns)
    }

    fn add(&mut self, case: &str, target: &str, measured: Option<f64>, most: Option<f64>) {
        self.verdicts.push(Verdict {
            case: case.to_owned(),
            target: target.to_owned(),
            figures: measured.zip(most),
        });
    }

    fn healthy(&mut self, case: &'static str) {
        let lean = self.over(case, 1, Lean);
        let peer = self
            .fastest(case, 1)
            .zip(self.ns(case, 1, Column::Bare))
            .map(|(peer, bare)| (peer - bare) / 3.0);
        let target = "lean − bare ≤ ⅓ (fastest peer − bare), 1 thread";
        self.add(case, target, lean, peer);
        self.add(case, "lean − bare ≤ 2.5 ns, 1 thread", lean, Some(2.5));
        let most = self.ns(case, 1, Lean).map(|own| 1.3 * own);
        let cores = self.figures.cores;
        for threads in [cores, 2 * cores] {
            let of = if threads > cores {
                ", processor time"
            } else {
                ""
            };
            let target = format!("lean, {threads} threads{of} ≤ 1.3 × lean, 1 thread");
            let measured = self.ns(case, threads, Lean);
            self.add(case, &target, measured, most);
        }
        let ours = self.over(case, 1, Ours);
        self.add(case, "breakerbox − bare ≤ 6 ns, 1 thread", ours, Some(6.0));
        let target = "breakerbox ≤ fastest peer, 1 thread";
        let (own, peer) = (self.ns(case, 1, Ours), self.fastest(case, 1));
        self.add(case, target, own, peer);
        let target = "breakerbox, 2 threads ≤ 1.5 × breakerbox, 1 thread";
        let (two, one) = (self.ns(case, 2, Ours), self.ns(case, 1, Ours));
        self.add(case, target, two, one.map(|own| 1.5 * own));
    }

    fn refused(&mut self, case: &'static str) {
        let (one, two) = (self.ns(case, 1, Ours), self.ns(case, 2, Ours));
        let target = "breakerbox ≤ ⅓ fastest peer, 1 thread";
        let peer = self.fastest(case, 1).map(|peer| peer / 3.0);
        self.add(case, target, one, peer);
        let target = "breakerbox ≤ ½ fastest peer, 2 threads";
        let peer = self.fastest(case, 2).map(|peer| peer / 2.0);
        self.add(case, target, two, peer);
        let target = "breakerbox, 2 threads ≤ 2 × breakerbox, 1 thread";
        self.add(case, target, two, one.map(|own| 2.0 * own));
    }

    fn failing(&mut self, case: &'static str) {
        let target = "lean ≤ fastest peer, 1 thread";
        let (own, peer) = (self.ns(case, 1, Lean), self.fastest(case, 1));
        self.add(case, target, own, peer);
        let target = "lean ≤ ½ fastest peer, 2 threads";
        let (own, peer) = (self.ns(case, 2, Lean), self.fastest(case, 2));
        self.add(case, target, own, peer.map(|peer| peer / 2.0));
        for (threads, more) in [(1, 10.0), (2, 25.0)] {
            let target = format!("breakerbox − lean ≤ {more} ns, {}", count(threads));
            let with = self.ns(case, threads, Ours);
            let without = self.ns(case, threads, Lean);
            let cost = with.zip(without).map(|(with, without)| with - without);
            self.add(case, &target, cost, Some(more));
        }
    }

    fn by_name(&mut self) {
        for (threads, most) in [(1, 12.0), (2, 30.0)] {
            let target = format!("breakerbox − bare ≤ {most} ns, {}", count(threads));
            let own = self.over(case::BY_NAME, threads, Ours);
            self.add(case::BY_NAME, &target, own, Some(most));
        }
    }

    /// "As without a window": a tenth is within what two copies of one loop differ by.
    fn count_window(&mut self, window: &'static str, plain: &'static str) {
        for threads in [1, 2] {
            for column in [Ours, Lean] {
                let who = column.title();
                let target = format!(
                    "{who} ≤ 1.1 × the same without a window, {}",
                    count(threads)
                );
                let own = self.ns(window, threads, column);
                let most = self.ns(plain, threads, column).map(|plain| 1.1 * plain);
                self.add(window, &target, own, most);
            }
        }
    }

    fn count_window_failing(&mut self, case: &'static str) {
        for (threads, share, text) in [(1, 1.0, ""), (2, 0.5, "½ ")] {
            let target = format!("breakerbox ≤ {text}recloser, {}", count(threads));
            let peer = self.ns(case, threads, Recloser).map(|peer| share * peer);
            let own = self.ns(case, threads, Ours);
            self.add(case, &target, own, peer);
        }
    }

    fn time_window(&mut self, case: &'static str) {
        let own = self.over(case, 1, Ours);
        self.add(case, "breakerbox − bare ≤ 20 ns, 1 thread", own, Some(20.0));
        let target = "breakerbox, 2 threads ≤ 1.5 × breakerbox, 1 thread";
        let (two, one) = (self.ns(case, 2, Ours), self.ns(case, 1, Ours));
        self.add(case, target, two, one.map(|own| 1.5 * own));
    }

    fn tower(&mut self) {
        for threads in [1, 2] {
            let target = format!("breakerbox ≤ ⅒ tower-resilience, {}", count(threads));
            let peer = self.ns(case::TOWER, threads, TowerResilience);
            let own = self.ns(case::TOWER, threads, Ours);
            self.add(case::TOWER, &target, own, peer.map(|peer| peer / 10.0));
        }
    }

    fn circuit(&mut self, case: &'static str, by_hand: &'static str) {
        let target = "#[circuit] − a function with `guarded_by` ≤ 1 ns, 1 thread";
        let (own, other) = (self.ns(case, 1, Ours), self.ns(by_hand, 1, Ours));
        let more = own.zip(other).map(|(own, other)| own - other);
        self.add(case, target, more, Some(1.0));
    }
}

fn count(threads: usize) -> String {
    match threads {
        1 => "1 thread".into(),
        n => format!("{n} threads"),
    }
}
