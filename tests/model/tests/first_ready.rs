//! Chooses among several breakers in random states, and compares each choice with the models.
#![allow(missing_docs)]

#[allow(dead_code, reason = "no order is given here")]
mod strategies;

use breakerbox::clock::ManualClock;
use breakerbox::{EventStream, Outcome, Permit};
use breakerbox_model::first_ready::compare_first_ready;
use breakerbox_model::pair::{Pair, nanos};
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::Ending;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::time::Duration;
use strategies::{Step, settings, step};

const MAX_IN_FLIGHT: usize = 12;
/// The largest valid reading of a clock.
const MAX_TIME: u64 = i64::MAX.unsigned_abs();
const REGRESSIONS: &str = "tests/regressions";

/// Several breakers with one clock.
struct World {
    clock: ManualClock,
    pairs: Vec<Pair>,
    /// Permits, each with the position of its pair and the number of its call.
    permits: Vec<(usize, Permit, usize)>,
    /// A stream of each breaker, which makes its calls slower paths.
    events: Option<Vec<EventStream>>,
}

impl World {
    fn new(settings: &[Settings], observed: bool) -> Self {
        let clock = ManualClock::new();
        let pairs: Vec<Pair> = settings
            .iter()
            .map(|settings| {
                let breaker = settings.builder().clock(clock.clone()).build().unwrap();
                Pair::new(breaker, settings, 0)
            })
            .collect();
        let events = observed.then(|| pairs.iter().map(|pair| pair.breaker.subscribe()).collect());
        Self {
            clock,
            pairs,
            permits: Vec::new(),
            events,
        }
    }

    fn run(&mut self, which: usize, step: &Step) {
        let position = which % self.pairs.len();
        let pair = &mut self.pairs[position];
        match step {
            Step::Begin if self.permits.len() < MAX_IN_FLIGHT => self.choose(),
            Step::End(which, ending) => self.end(*which, *ending),
            Step::EndWithNestedCall(which, first, second) => {
                self.end(*which, *first);
                self.end(*which, *second);
            }
            Step::Advance(time) => self.advance(*time),
            Step::AdvanceTo(which, side) => {
                let time = pair.time_until_boundary(*which, *side);
                self.advance(time);
            }
            Step::Command(command) => pair.send_command(*command),
            // These breakers are in no registry, so no fleet gives them orders.
            Step::Begin | Step::Order(_) | Step::LateOrder(_) => {}
            Step::Configure(change) => {
                let settings = pair.record_change(change);
                pair.breaker.configure(|_| settings.builder()).unwrap();
            }
        }
    }

    /// Ends one of the calls in flight, if any.
    fn end(&mut self, which: usize, ending: Ending) {
        if !self.permits.is_empty() {
            let (position, permit, call) = self.permits.remove(which % self.permits.len());
            end(permit, ending);
            self.pairs[position].record_ending(call, ending);
            self.pairs[position].check_state();
        }
    }

    /// Chooses a breaker. The breakers that are passed over send no event.
    fn choose(&mut self) {
        self.drain_events(|_, _| {});
        let chosen = compare_first_ready(&mut self.pairs);
        let position = chosen.as_ref().map(|(position, ..)| *position);
        self.drain_events(|sender, event| {
            assert_eq!(
                Some(sender),
                position,
                "an event of a passed-over breaker: {event}"
            );
        });
        self.permits.extend(chosen);
    }

    fn drain_events(&mut self, check: impl Fn(usize, String)) {
        for (sender, events) in self.events.iter_mut().flatten().enumerate() {
            while let Some(event) = events.try_next() {
                check(sender, format!("{event:?}"));
            }
        }
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        for pair in &mut self.pairs {
            let now = &mut pair.model.now;
            *now = now.saturating_add(nanos(time)).min(MAX_TIME);
        }
    }
}

fn end(permit: Permit, ending: Ending) {
    match ending {
        Ending::Success => permit.success(),
        Ending::Failure => permit.failure(),
        Ending::Ignored => permit.record(Outcome::Ignored),
        Ending::TripFor(time) => permit.record(Outcome::TripFor(time)),
        Ending::Dropped => drop(permit),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn choice_matches_models(
        settings in vec(settings(), 1..=4),
        observed in any::<bool>(),
        steps in vec((any::<usize>(), step()), 1..=80),
    ) {
        let mut world = World::new(&settings, observed);
        for (number, (which, step)) in steps.iter().enumerate() {
            world.run(*which, step);
            for pair in &mut world.pairs {
                pair.check_state();
                if number % 5 == 0 {
                    pair.check_snapshot();
                }
            }
        }
        for pair in &mut world.pairs {
            pair.check_snapshot();
        }
    }
}
