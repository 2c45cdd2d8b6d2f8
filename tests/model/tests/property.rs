//! Runs random steps on a breaker and on its model, and compares them after each step.
//!
//! [`streams`] does the same with guarded streams.
#![allow(missing_docs)]

mod fleet;
mod strategies;
mod streams;

use breakerbox::clock::ManualClock;
use breakerbox::{BreakerRegistry, CircuitBreaker, Event, EventStream, Outcome, Permit};
use breakerbox_model::log;
use breakerbox_model::pair::{Pair, nanos};
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::Ending;
use fleet::Fleet;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;
use strategies::{Step, settings, step};
use tokio::runtime::Runtime;

const MAX_IN_FLIGHT: usize = 8;
/// The largest valid reading of a clock.
const MAX_TIME: u64 = i64::MAX.unsigned_abs();
const REGRESSIONS: &str = "tests/regressions";

struct World {
    clock: ManualClock,
    pair: Pair,
    permits: Vec<(Permit, usize)>,
    observer: Option<Observer>,
    fleet: Fleet,
}

/// Checks events and `ready`. Both disable fast paths of calls, so only some breakers are observed.
struct Observer {
    events: EventStream,
    /// The number of trials in each `TrialsOutlived` event.
    outlived: Vec<u32>,
    /// The share in each `RampingUp` event.
    shares: Vec<f64>,
    joined: u64,
    timers: Runtime,
}

impl Observer {
    fn new(breaker: &CircuitBreaker) -> Self {
        let mut timers = tokio::runtime::Builder::new_current_thread();
        Self {
            events: breaker.subscribe(),
            outlived: Vec::new(),
            shares: Vec::new(),
            joined: 0,
            timers: timers.enable_time().start_paused(true).build().unwrap(),
        }
    }

    fn check(&mut self, pair: &Pair) {
        while let Some(event) = self.events.try_next() {
            match event {
                Event::TrialsOutlived { trials, .. } => self.outlived.push(trials),
                Event::RampingUp { share, .. } => self.shares.push(share),
                Event::Joined { .. } => self.joined += 1,
                _ => {}
            }
        }
        assert_eq!(self.shares, log::ramp_up_shares(&pair.model.log), "shares");
        assert_eq!(self.joined, pair.joined, "joined");
        assert_eq!(self.outlived, log::outlived(&pair.model.log), "outlived");
        let _entered = self.timers.enter();
        let ready = pin!(pair.breaker.ready()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(ready.is_pending(), pair.model.would_refuse(), "ready waits");
    }
}

impl World {
    fn new(settings: &Settings, start: Duration) -> Self {
        let clock = ManualClock::new();
        clock.advance(start);
        let registry = BreakerRegistry::builder().clock(clock.clone());
        let registry = registry.build().unwrap();
        let breaker = registry.register(fleet::NAME, settings.builder()).unwrap();
        Self {
            fleet: Fleet::new(registry),
            clock,
            pair: Pair::new(breaker, settings, nanos(start)),
            permits: Vec::new(),
            observer: None,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Begin if self.permits.len() < MAX_IN_FLIGHT => {
                let found = self.pair.breaker.try_acquire();
                self.permits.extend(self.pair.compare_admission(found));
            }
            Step::Begin => {}
            Step::End(which, ending) => {
                if !self.permits.is_empty() {
                    let (permit, call) = self.permits.remove(which % self.permits.len());
                    end(permit, *ending);
                    self.pair.record_ending(call, *ending);
                }
            }
            Step::EndWithNestedCall(which, inner, outer) => {
                if !self.permits.is_empty() {
                    let (permit, call) = self.permits.remove(which % self.permits.len());
                    self.end_with_nested_call(permit, call, *inner, *outer);
                }
            }
            Step::Advance(time) => self.advance(*time),
            Step::AdvanceTo(which, side) => {
                self.advance(self.pair.time_until_boundary(*which, *side));
            }
            Step::Command(command) => self.pair.send_command(*command),
            Step::Order(order) => self.fleet.give(*order, &mut self.pair),
            Step::LateOrder(order) => self.fleet.give_late(*order, &mut self.pair),
            Step::Configure(change) => {
                let settings = self.pair.record_change(change);
                let breaker = &self.pair.breaker;
                breaker.configure(|_| settings.builder()).unwrap();
            }
        }
    }

    fn end_with_nested_call(&mut self, permit: Permit, call: usize, inner: Ending, outer: Ending) {
        let pair = &mut self.pair;
        let breaker = pair.breaker.clone();
        let result = permit.call(|| {
            let found = breaker.try_acquire();
            if pair.model.is_current_trial(call) {
                end(found.expect("a call that joins the trial"), inner);
                pair.joined += 1;
            } else if let Some((permit, call)) = pair.compare_admission(found) {
                end(permit, inner);
                pair.record_ending(call, inner);
            }
            pair.check_state();
            result_of(outer)
        });
        assert_eq!(result, result_of(outer));
        pair.record_ending(call, outer);
    }

    fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        let now = &mut self.pair.model.now;
        *now = now.saturating_add(nanos(time)).min(MAX_TIME);
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

fn result_of(ending: Ending) -> Result<(), String> {
    match ending {
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
    fn breaker_matches_model_of_its_history(
        settings in settings(),
        start in 0..30_000_000_u64,
        observed in any::<bool>(),
        full_check_interval in prop_oneof![Just(1_usize), 2..=20_usize],
        steps in vec(step(), 1..=60),
    ) {
        let mut world = World::new(&settings, Duration::from_nanos(start));
        if observed {
            world.observer = Some(Observer::new(&world.pair.breaker));
        }
        world.pair.check_snapshot();
        for (number, step) in steps.iter().enumerate() {
            world.run(step);
            world.pair.check_state();
            if let Some(observer) = &mut world.observer {
                observer.check(&world.pair);
            }
            if number % full_check_interval == 0 {
                world.pair.check_snapshot();
                world.fleet.check(&world.pair);
            }
        }
        world.pair.check_snapshot();
    }
}
