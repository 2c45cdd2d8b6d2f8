//! Guarded streams against the model of a breaker, and a naive model of each stream.
//!
//! The test scripts each poll of the guarded streams. Streams, permits and guarded calls inside polls are
//! mixed on one breaker, whose settings, clock and commands are random.

mod script;
mod stream_model;

use crate::strategies::{command, settings, time};
use breakerbox::clock::ManualClock;
use breakerbox::parts::{Classify, IdleTimeout};
use breakerbox::{BreakerError, BreakerExt, CircuitBreaker, GuardedStream, Outcome};
use breakerbox_model::pair::{Pair, nanos};
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::{Command, Ending};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use script::{Action, Item, Polled, Script, Source};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;
use stream_model::{Expected, StreamModel};
use tokio::runtime::Runtime;

const MAX_STREAMS: usize = 6;
/// The largest valid reading of a clock.
const MAX_TIME: u64 = i64::MAX.unsigned_abs();
const REGRESSIONS: &str = "tests/regressions";

type Guarded = GuardedStream<Source, CircuitBreaker, Classify<fn(&Item) -> Outcome>, IdleTimeout>;

#[derive(Clone, Debug)]
enum Step {
    /// Guards a stream, which may be a success after some items.
    Guard(Option<u32>),
    /// Polls one of the streams, if any. With the flag, the poll makes a guarded call of the same breaker.
    Poll(usize, Action, bool),
    Drop(usize),
    /// Lets time pass on tokio's clock, which idle timeouts use.
    Wait(u64),
    /// Lets time pass on the breaker's clock.
    Advance(Duration),
    Command(Command),
}

/// A guarded stream with its script and its model.
struct Pairing {
    guarded: Option<Pin<Box<Guarded>>>,
    script: Script,
    model: StreamModel,
}

struct World {
    clock: ManualClock,
    timers: Runtime,
    pair: Pair,
    streams: Vec<Pairing>,
}

impl World {
    fn new(settings: &Settings) -> Self {
        let clock = ManualClock::new();
        let breaker = settings.builder().clock(clock.clone()).build().unwrap();
        let mut timers = tokio::runtime::Builder::new_current_thread();
        Self {
            clock,
            timers: timers.enable_time().start_paused(true).build().unwrap(),
            pair: Pair::new(breaker, settings, 0),
            streams: Vec::new(),
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Guard(success_after) if self.streams.len() < MAX_STREAMS => {
                self.guard(*success_after);
            }
            Step::Guard(_) => {}
            Step::Poll(which, action, with_call) => {
                if !self.streams.is_empty() {
                    self.poll(which % self.streams.len(), *action, *with_call);
                }
            }
            Step::Drop(which) => {
                if !self.streams.is_empty() {
                    let mut stream = self.streams.swap_remove(which % self.streams.len());
                    stream.guarded = None;
                    if let Some(call) = stream.model.drop() {
                        self.pair.record_ending(call, Ending::Dropped);
                    }
                }
            }
            Step::Wait(millis) => {
                let time = Duration::from_millis(*millis);
                self.timers.block_on(tokio::time::advance(time));
                for stream in &mut self.streams {
                    stream.model.wait(time);
                }
            }
            Step::Advance(time) => {
                self.clock.advance(*time);
                let now = &mut self.pair.model.now;
                *now = now.saturating_add(nanos(*time)).min(MAX_TIME);
            }
            Step::Command(command) => self.pair.send_command(*command),
        }
    }

    fn guard(&mut self, success_after: Option<u32>) {
        let (source, script) = script::source(&self.pair.breaker);
        let guarded = source.guarded_by(self.pair.breaker.clone());
        let mut guarded = guarded.classify_item(script::judge as fn(&Item) -> Outcome);
        if let Some(items) = success_after {
            guarded = guarded.success_after(items);
        }
        self.streams.push(Pairing {
            guarded: Some(Box::pin(guarded.idle_timeout(stream_model::IDLE_LIMIT))),
            script,
            model: StreamModel::new(success_after),
        });
    }

    fn poll(&mut self, which: usize, action: Action, with_call: bool) {
        let Self {
            timers,
            pair,
            streams,
            ..
        } = self;
        let Pairing {
            guarded,
            script,
            model,
        } = &mut streams[which];
        script.set(action, with_call);
        let guarded = guarded.as_mut().expect("dropped streams are removed");
        let _entered = timers.enter();
        let mut context = Context::from_waker(Waker::noop());
        let polled =
            AssertUnwindSafe(|| futures_core::Stream::poll_next(guarded.as_mut(), &mut context));
        let found = Polled::of(catch_unwind(polled));

        // The admission of the stream, unless it was polled before.
        if model.needs_admission() {
            let admission = match &found {
                Polled::Item(Err(BreakerError::Open(open))) => Err(open.clone()),
                _ => Ok(()),
            };
            let Some(((), call)) = pair.compare_admission(admission) else {
                assert!(!script.was_polled(), "a refused stream is not polled");
                model.refuse();
                return;
            };
            model.admit(call);
        }
        assert_eq!(script.was_polled(), model.is_live(), "polls of the source");
        // The call inside the poll, which is over before the outcome of the item.
        let inner = script
            .take_call()
            .and_then(|call| match model.running_call() {
                Some(stream) if pair.model.is_current_trial(stream) => {
                    pair.joined += 1;
                    Some((call.expect("a call that joins the trial"), None))
                }
                _ => pair
                    .compare_admission(call)
                    .map(|(permit, call)| (permit, Some(call))),
            });
        let expected = model.poll(action);
        expected.assert_matches(&found);
        if let Expected {
            recorded: Some((call, ending)),
            timed_out,
            ..
        } = expected
        {
            let recorded = pair.record_ending(call, ending);
            pair.timed_out += u64::from(timed_out && recorded);
        }
        if let Some((permit, call)) = inner {
            pair.check_state();
            permit.success();
            if let Some(call) = call {
                pair.record_ending(call, Ending::Success);
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let wait = (1..=8_u64).prop_map(|half| Step::Wait(2 * half));
    prop_oneof![
        6 => option::weighted(0.3, 0..=4_u32).prop_map(Step::Guard),
        40 => (any::<usize>(), script::action(), prop::bool::weighted(0.2))
            .prop_map(|(which, action, with_call)| Step::Poll(which, action, with_call)),
        4 => any::<usize>().prop_map(Step::Drop),
        6 => wait,
        6 => time().prop_map(Step::Advance),
        3 => command().prop_map(Step::Command),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn streams_match_naive_model(
        settings in settings(),
        steps in vec(step(), 1..=80),
    ) {
        let mut world = World::new(&settings);
        for step in &steps {
            world.run(step);
            world.pair.check_state();
            world.pair.check_snapshot();
        }
    }
}
