//! Random settings, steps and times: library and model say the same.
#![allow(missing_docs)]

mod strategies;

use breakerbox::clock::ManualClock;
use breakerbox::{CircuitBreaker, Event, EventStream, Outcome, Permit};
use breakerbox_model::pair::{Pair, nanos};
use breakerbox_model::record;
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::Ending;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use strategies::{Step, settings, step};
use tokio::runtime::Runtime;

const MOST_IN_FLIGHT: usize = 8;
/// The last time that a clock may show.
const LAST: u64 = i64::MAX.unsigned_abs();
const REGRESSIONS: &str = "tests/regressions";

struct World {
    clock: ManualClock,
    pair: Pair,
    permits: Vec<(Permit, usize)>,
    watcher: Option<Watcher>,
}

/// Looks at what costs calls their fast paths, and so at some breakers only.
struct Watcher {
    events: EventStream,
    outlived: Vec<u32>,
    timers: Runtime,
}

impl Watcher {
    fn new(breaker: &CircuitBreaker) -> Self {
        let mut timers = tokio::runtime::Builder::new_current_thread();
        Self {
            events: breaker.subscribe(),
            outlived: Vec::new(),
            timers: timers.enable_time().start_paused(true).build().unwrap(),
        }
    }

    fn look(&mut self, pair: &Pair) {
        while let Some(event) = self.events.try_next() {
            if let Event::TrialsOutlived { trials, .. } = event {
                self.outlived.push(trials);
            }
        }
        assert_eq!(self.outlived, record::outlived(&pair.model.log), "outlived");
        let _entered = self.timers.enter();
        let ready = pin!(pair.breaker.ready()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(ready.is_pending(), pair.model.refuses(), "waits");
    }
}

impl World {
    fn new(settings: &Settings, start: Duration) -> Self {
        let clock = ManualClock::new();
        clock.advance(start);
        let breaker = settings.builder().clock(clock.clone()).build().unwrap();
        Self {
            clock,
            pair: Pair::new(breaker, settings, nanos(start)),
            permits: Vec::new(),
            watcher: None,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin if self.permits.len() < MOST_IN_FLIGHT => {
                let found = self.pair.breaker.try_acquire();
                self.permits.extend(self.pair.began(found));
            }
            Step::Begin => {}
            Step::End(which, how) => {
                if !self.permits.is_empty() {
                    let (permit, call) = self.permits.remove(which % self.permits.len());
                    end(permit, *how);
                    self.pair.ended(call, *how);
                }
            }
            Step::EndAround(which, inner, outer) => {
                if !self.permits.is_empty() {
                    let (permit, call) = self.permits.remove(which % self.permits.len());
                    self.end_around(permit, call, *inner, *outer);
                }
            }
            Step::Advance(time) => self.advance(*time),
            Step::AdvanceTo(which, side) => self.advance(self.pair.way_to(*which, *side)),
            Step::Command(command) => self.pair.command(*command),
            Step::Configure(change) => {
                let settings = self.pair.configure(change);
                let breaker = &self.pair.breaker;
                breaker.configure(|_| settings.builder()).unwrap();
            }
        }
    }

    fn end_around(&mut self, permit: Permit, call: usize, inner: Ending, outer: Ending) {
        let pair = &mut self.pair;
        let breaker = pair.breaker.clone();
        let result = permit.call(|| {
            let found = breaker.try_acquire();
            if pair.model.is_trial(call) {
                end(found.expect("it joins the trial"), inner);
            } else if let Some((permit, call)) = pair.began(found) {
                end(permit, inner);
                pair.ended(call, inner);
            }
            pair.glance();
            returned(outer)
        });
        assert_eq!(result, returned(outer));
        pair.ended(call, outer);
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        let now = &mut self.pair.model.now;
        *now = now.saturating_add(nanos(time)).min(LAST);
    }
}

fn end(permit: Permit, how: Ending) {
    match how {
        Ending::Success => permit.success(),
        Ending::Failure => permit.failure(),
        Ending::Ignored => permit.record(Outcome::Ignored),
        Ending::TripFor(time) => permit.record(Outcome::TripFor(time)),
        Ending::Dropped => drop(permit),
    }
}

fn returned(how: Ending) -> Result<(), String> {
    match how {
        Ending::Success => Ok(()),
        _ => Err("failed".to_owned()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_breaker_does_what_its_whole_history_says(
        settings in settings(),
        start in 0..30_000_000_u64,
        watched in any::<bool>(),
        looks_each in prop_oneof![Just(1_usize), 2..=20_usize],
        steps in vec(step(), 1..=60),
    ) {
        let mut world = World::new(&settings, Duration::from_nanos(start));
        if watched {
            world.watcher = Some(Watcher::new(&world.pair.breaker));
        }
        world.pair.look();
        for (number, step) in steps.iter().enumerate() {
            world.take(step);
            world.pair.glance();
            if let Some(watcher) = &mut world.watcher {
                watcher.look(&world.pair);
            }
            if number % looks_each == 0 {
                world.pair.look();
            }
        }
        world.pair.look();
    }
}
