//! The replay agrees call by call with guarded futures under paused time.

use crate::call::{Call, Outcome};
use crate::candidate::{Candidate, builder_of};
use crate::fate::Assumption;
use crate::instances::Instances;
use crate::judge::Judge;
use crate::lane::{Lane, LaneSettings};
use crate::timeline::{Kind, Timeline};
use breakerbox::clock::TokioClock;
use breakerbox::prelude::*;
use breakerbox::{Backoff, TripRule, Window};
use proptest::prelude::*;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Returns whether each call is admitted, in the order of the calls, according to the replay.
fn replayed(settings: &BreakerBuilder, calls: &[Call]) -> Vec<bool> {
    let judge = Judge::new(None, Duration::ZERO, false, 0);
    let mut timeline = Timeline::new(&[], Instances::OfTraffic, judge);
    let mut steps = Vec::new();
    for call in calls {
        timeline.read(call, &mut |step| steps.push(step));
    }
    timeline.finish(&mut |step| steps.push(step));
    let mut lane = Lane::new(LaneSettings {
        candidate: Candidate::new("test", settings.clone()).unwrap(),
        number: 0,
        scale: 1.0,
        assumption: Assumption::Imputed,
        seed: 0,
        spares_retries: false,
    });
    lane.add_keys(timeline.keys());
    let mut admitted = Vec::new();
    for step in &steps {
        let runs = lane.apply(step);
        if step.kind != Kind::End {
            admitted.push(runs);
        }
    }
    admitted
}

type Guarded = Pin<Box<dyn Future<Output = bool>>>;

/// Returns the same, according to futures that `with_breaker` guards.
async fn guarded(settings: &BreakerBuilder, calls: &[Call]) -> Vec<bool> {
    let config = settings.clone().build().unwrap().config();
    let begin = tokio::time::Instant::now();
    let mut breaker = None;
    let mut admitted = vec![true; calls.len()];
    // The calls in flight, in the order of their ends.
    let mut running: Vec<(Duration, usize, Guarded)> = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let mut next = 0;
    while next < calls.len() || !running.is_empty() {
        let start = calls.get(next).map(|call| call.start);
        let end = running.iter().map(|(end, ..)| *end).min();
        let now = start.into_iter().chain(end).min().unwrap();
        tokio::time::sleep_until(begin + now).await;
        running.sort_by_key(|(end, at, _)| (*end, *at));
        running.retain_mut(|(end, at, call)| match call.as_mut().poll(&mut context) {
            Poll::Ready(runs) => {
                assert_eq!((*end, runs), (now, true), "call {at} ended at another time");
                false
            }
            Poll::Pending => true,
        });
        while let Some(call) = calls.get(next).filter(|call| call.start == now) {
            let breaker: &CircuitBreaker = breaker.get_or_insert_with(|| {
                let builder = builder_of(&config, 1.0, 0).clock(TokioClock::new());
                builder.build().unwrap()
            });
            let mut future: Guarded = Box::pin(call_through(breaker.clone(), call.clone()));
            match future.as_mut().poll(&mut context) {
                Poll::Ready(runs) => admitted[next] = runs,
                Poll::Pending => running.push((call.end(), next, future)),
            }
            next += 1;
        }
    }
    admitted
}

/// Makes one call, and returns whether it was admitted.
async fn call_through(breaker: CircuitBreaker, call: Call) -> bool {
    let duration = call.duration.unwrap_or_default();
    let work = async move {
        if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
        match call.outcome {
            Outcome::Success => Ok(()),
            _ => Err("failed"),
        }
    };
    let result = work.guarded_by(&breaker).await;
    !result.is_err_and(|error| error.is_open())
}

fn settings() -> impl Strategy<Value = BreakerBuilder> {
    let rules = prop_oneof![
        (1..6_u32).prop_map(TripRule::consecutive_failures),
        (1..6_u32, 5..20_u32)
            .prop_map(|(n, calls)| TripRule::failures(n).over(Window::calls(calls))),
        (0.2..0.9, 1..4_u64, 2..10_u32).prop_map(|(rate, seconds, minimum)| {
            let window = Window::time(Duration::from_secs(seconds));
            TripRule::failure_rate(rate)
                .over(window)
                .minimum_calls(minimum)
        }),
        (0.2..0.9, 20..300_u64).prop_map(|(rate, limit)| {
            let rule = TripRule::slow_calls(rate).slower_than(Duration::from_millis(limit));
            rule.over(Window::calls(10)).minimum_calls(5)
        }),
    ];
    let rules = proptest::collection::vec(rules, 1..3);
    (
        rules,
        1..3_000_u64,
        1..4_u32,
        proptest::bool::ANY,
        100..2_000_u64,
    )
        .prop_map(|(rules, recovery, trials, ramps_up, lease)| {
            let backoff = Backoff::exponential(Duration::from_millis(recovery));
            let builder = CircuitBreaker::builder()
                .trip_rules(rules)
                .recovery_backoff(backoff.max(Duration::from_secs(4)))
                .half_open_calls(trials)
                .success_threshold(1)
                .trial_timeout(Duration::from_millis(lease));
            if ramps_up {
                builder.ramp_up(Duration::from_secs(2))
            } else {
                builder
            }
        })
}

fn traffic() -> impl Strategy<Value = Vec<Call>> {
    let gap = prop_oneof![Just(0), 0..40_u64, 0..600_u64];
    let duration = prop_oneof![Just(0), 1..50_u64, 1..800_u64];
    let call = (gap, duration, 0..100_u32);
    let phase = (
        proptest::collection::vec(call, 1..80),
        prop_oneof![Just(0), 30..100_u32],
    );
    proptest::collection::vec(phase, 1..5).prop_map(|phases| {
        let mut now = 0;
        let mut calls = Vec::new();
        for (phase, failing) in phases {
            for (gap, duration, chance) in phase {
                now += gap;
                let outcome = if chance < failing {
                    Outcome::Failure
                } else {
                    Outcome::Success
                };
                let mut call = Call::new("test", Duration::from_millis(now), outcome);
                call.duration = Some(Duration::from_millis(duration));
                calls.push(call);
            }
        }
        calls
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn replay_agrees_with_guarded_futures(settings in settings(), calls in traffic()) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        let expected = runtime.block_on(guarded(&settings, &calls));
        prop_assert_eq!(replayed(&settings, &calls), expected);
    }
}

#[test]
fn outage_refuses_calls_in_both() {
    // The property would hold trivially if no circuit ever opened.
    let settings = CircuitBreaker::builder().recovery_timeout(Duration::from_secs(1));
    let call = |at: u64| Call::new("test", Duration::from_millis(at * 100), Outcome::Failure);
    let calls: Vec<Call> = (0..30).map(call).collect();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let expected = runtime.block_on(guarded(&settings, &calls));
    assert_eq!(replayed(&settings, &calls), expected);
    assert_eq!(expected.iter().filter(|admitted| **admitted).count(), 7);
}
