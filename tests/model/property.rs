//! Random settings, steps and times: library and model say the same.

use crate::pair::{Pair, nanos};
use crate::record;
use crate::settings::Settings;
use crate::steps::Ending;
use crate::strategies::{Step, settings, step};
use breakerbox::clock::ManualClock;
use breakerbox::{Event, EventStream, Outcome, Permit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::time::Duration;

const MOST_IN_FLIGHT: usize = 8;
const REGRESSIONS: &str = "tests/model/regressions";

struct World {
    clock: ManualClock,
    pair: Pair,
    permits: Vec<(Permit, usize)>,
    /// What is told of the breaker, to some.
    stream: Option<EventStream>,
    /// How many trials had outlived their lease, each time it was told of.
    outlived: Vec<u32>,
}

impl World {
    fn new(settings: &Settings, start: Duration, heard: bool) -> Self {
        let clock = ManualClock::new();
        clock.advance(start);
        let breaker = settings.builder().clock(clock.clone()).build().unwrap();
        Self {
            clock,
            stream: heard.then(|| breaker.subscribe()),
            outlived: Vec::new(),
            pair: Pair::new(breaker, settings, nanos(start)),
            permits: Vec::new(),
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Begin if self.permits.len() < MOST_IN_FLIGHT => {
                let refuses = self.pair.model.refuses();
                let found = self.pair.breaker.try_acquire();
                assert_eq!(found.is_err(), refuses, "refused");
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

    fn listen(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while let Some(event) = stream.try_next() {
            if let Event::TrialsOutlived { trials, .. } = event {
                self.outlived.push(trials);
            }
        }
        assert_eq!(self.outlived, record::outlived(&self.pair.model.log));
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
        *now = now.saturating_add(nanos(time));
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
        heard in any::<bool>(),
        looks_each in prop_oneof![Just(1_usize), 2..=20_usize],
        steps in vec(step(), 1..=60),
    ) {
        let mut world = World::new(&settings, Duration::from_nanos(start), heard);
        world.pair.look();
        for (number, step) in steps.iter().enumerate() {
            world.take(step);
            world.listen();
            world.pair.glance();
            if number % looks_each == 0 {
                world.pair.look();
            }
        }
        world.pair.look();
    }
}
