//! Takes samples in rounds and compares them with the bounds.

use crate::case::{BREAKERBOX, Bound, COLUMNS, Case, Load, REFERENCE};
use crate::loops::{CallLoop, FAILS, RUNTIME};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// The result of a case on one thread or two threads.
pub struct Row {
    pub case: &'static Case,
    pub threads: usize,
    /// Nanoseconds per call, for each column and round, in ascending order.
    figures: [Vec<f64>; COLUMNS.len()],
}

/// Measures a case with new breakers, on one thread and then on two.
pub fn rows(case: &'static Case, rounds: usize, sample_time: Duration) -> [Row; 2] {
    let mut columns = COLUMNS.map(|(_, loops)| loops(case));
    if case.load == Load::Refused {
        for loops in &mut columns[BREAKERBOX..] {
            loops
                .iter_mut()
                .take(1)
                .for_each(|calls| _ = calls(&[FAILS; 20]));
        }
    }
    let inputs: Vec<u64> = (0..1000).map(|number| case.load.input(number)).collect();
    [1, 2].map(|threads| {
        check(case, &mut columns);
        let mut figures = COLUMNS.map(|_| Vec::new());
        let mut order: Vec<usize> = (0..COLUMNS.len()).collect();
        for _ in 0..rounds {
            fastrand::shuffle(&mut order);
            for &column in &order {
                if let Some(loops) = columns[column].get_mut(..threads) {
                    figures[column].push(sample(loops, &inputs, sample_time));
                }
            }
        }
        check(case, &mut columns);
        for column in &mut figures {
            column.sort_by(f64::total_cmp);
        }
        Row {
            case,
            threads,
            figures,
        }
    })
}

/// Asserts that the breakers admit or refuse calls as the case requires.
fn check(case: &Case, columns: &mut [Vec<CallLoop>]) {
    let _inside = RUNTIME.enter();
    for (column, loops) in columns.iter_mut().enumerate() {
        let admits = case.load != Load::Refused || column == REFERENCE;
        for calls in loops {
            assert_eq!(calls(&[7]), admits, "{}: {}", case.name, COLUMNS[column].0);
        }
    }
}

/// Takes a sample, and returns nanoseconds per call.
#[expect(clippy::cast_precision_loss)]
fn sample(loops: &mut [CallLoop], inputs: &[u64], time: Duration) -> f64 {
    let allowed = sched_getaffinity(None).expect("the processors of this process");
    let mut processors = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    let barrier = &Barrier::new(loops.len());
    let figures = std::thread::scope(|scope| {
        let threads = loops.iter_mut().map(|calls| {
            // Each thread is pinned to its own processor. On one processor, they would never
            // contend.
            let mut own = CpuSet::new();
            own.set(processors.next().expect("a processor per thread"));
            scope.spawn(move || {
                let _inside = RUNTIME.enter();
                sched_setaffinity(None, &own).expect("a processor of this process");
                calls(inputs);
                barrier.wait();
                let (begin, mut made) = (Instant::now(), 0.0);
                while begin.elapsed() < time {
                    calls(inputs);
                    made += inputs.len() as f64;
                }
                begin.elapsed().as_secs_f64() * 1e9 / made
            })
        });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect::<Vec<_>>()
    });
    figures.iter().sum::<f64>() / figures.len() as f64
}

impl Row {
    /// Returns the median over all rounds, in nanoseconds per call.
    pub fn median(&self, column: usize) -> Option<f64> {
        let figures = &self.figures[column];
        figures.get(figures.len() / 2).copied()
    }

    /// Returns a line that states whether the bound of this row holds.
    ///
    /// Returns `None` if no peer supports the case.
    pub fn verdict(&self, rows: &[Self]) -> Option<String> {
        let (case, threads) = (self.case, self.threads);
        let figure = |column: usize| Some((self.median(column)?, COLUMNS[column].0));
        let (base, of) = match case.bounds[threads - 1] {
            Bound::Fastest(_) => {
                let peers = (BREAKERBOX + 1..COLUMNS.len()).filter_map(figure);
                peers.min_by(|a, b| a.0.total_cmp(&b.0))?
            }
            Bound::Column(column, _) => figure(column)?,
            Bound::OneThread(_) => {
                let one_thread = rows.iter().find(|row| std::ptr::eq(row.case, case))?;
                (one_thread.median(BREAKERBOX)?, "the time on one thread")
            }
            Bound::OverReference(_) => (self.median(REFERENCE)?, "ns over the reference"),
        };
        let own = self.median(BREAKERBOX)?;
        let (measured, most, unit) = match case.bounds[threads - 1] {
            Bound::OverReference(most) => (own - base, most, ""),
            Bound::Fastest(most) | Bound::Column(_, most) | Bound::OneThread(most) => {
                (own / base, most, "× ")
            }
        };
        let verdict = if measured <= most { "holds " } else { "MISSED" };
        Some(format!(
            "{verdict} {}, threads {threads}: {measured:.2} {unit}{of}, at most {most:.2}",
            case.name
        ))
    }
}
