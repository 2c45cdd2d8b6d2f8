//! Calls whose outcome is unknown, because a breaker had refused them when the traffic was recorded.

use breakerbox::CircuitBreaker;
use breakerbox_replay::{Call, Candidate, Figures, Outcome, Replay, Replayed, Scenario, Survey};
use std::time::Duration;

/// An outage in which all but one of `of` calls were refused when the traffic was recorded.
fn recorded(of: usize) -> Vec<Call> {
    let mut calls: Vec<Call> = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .calls()
        .collect();
    for (at, call) in calls.iter_mut().enumerate() {
        if call.outcome == Outcome::Failure && at % of != 0 {
            call.outcome = Outcome::Refused;
            call.duration = None;
            call.error = None;
        }
    }
    calls
}

fn replay(calls: &[Call]) -> Replayed {
    Replay::new(&Survey::of(calls))
        .candidate(Candidate::new("default", CircuitBreaker::builder()).unwrap())
        .shifts(3)
        .run(calls)
}

fn truth() -> Figures {
    let calls: Vec<Call> = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .calls()
        .collect();
    replay(&calls).candidates[0].figures()
}

#[test]
fn known_outcomes_have_no_bounds() {
    let calls: Vec<Call> = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .calls()
        .collect();
    let replayed = replay(&calls);
    assert_eq!(replayed.imputed, 0);
    assert_eq!(replayed.candidates[0].bounds, None);
    assert!(
        replayed.caveats[0].starts_with("one instance"),
        "{:?}",
        replayed.caveats
    );
}

#[test]
fn imputed_outcomes_follow_calls_around_them() {
    let replayed = replay(&recorded(10));
    let imputed = replayed.candidates[0].figures();
    let (calls, truth) = (imputed.outage_calls, truth());
    assert!(
        calls.abs_diff(truth.outage_calls) <= 20,
        "{imputed:?} {truth:?}"
    );
    // At the edges of the outage, calls from before and after it are among the neighbours.
    assert!(
        imputed.bad_refused.abs_diff(truth.bad_refused) * 10 < calls,
        "{imputed:?} {truth:?}"
    );
    assert!(imputed.detected < Duration::from_secs(15), "{imputed:?}");
}

#[test]
fn bounds_are_extremes_of_unknown_outcomes() {
    let replayed = replay(&recorded(10));
    let (succeed, fail) = replayed.candidates[0].bounds.unwrap();
    assert!(fail.bad_refused > succeed.bad_refused);
    assert!(
        fail.bad_refused.abs_diff(truth().bad_refused) < 20,
        "{fail:?}"
    );
    // One failure in ten opens no circuit that waits for five in a row.
    assert_eq!(succeed.openings, 0, "{succeed:?}");
}

#[test]
fn first_line_says_if_much_is_imputed() {
    let replayed = replay(&recorded(10));
    assert!(replayed.imputed > replayed.calls / 20);
    assert!(
        replayed.caveats[0].contains("of the calls never ran"),
        "{:?}",
        replayed.caveats
    );

    let mut calls = recorded(1);
    calls[100].outcome = Outcome::Refused;
    let replayed = replay(&calls);
    assert_eq!(replayed.imputed, 1);
    assert!(!replayed.caveats[0].contains("never ran"));
    assert!(
        replayed
            .caveats
            .iter()
            .any(|caveat| caveat.contains("never ran"))
    );
}

#[test]
fn retries_of_refused_request_vanish() {
    let mut calls = Vec::new();
    for request in 0..2_000_u64 {
        for retry in 0..3 {
            let start = Duration::from_millis(request * 100 + retry * 20);
            let is_down = (500..1_500).contains(&request);
            let outcome = if is_down {
                Outcome::Failure
            } else {
                Outcome::Success
            };
            if is_down || retry == 0 {
                let mut call = Call::new("a", start, outcome);
                call.request = Some(format!("request {request}").into());
                calls.push(call);
            }
        }
    }
    let candidate = || Candidate::new("default", CircuitBreaker::builder()).unwrap();
    let replay = Replay::new(&Survey::of(&calls))
        .candidate(candidate())
        .shifts(1);
    let without = replay.clone().run(&calls);
    let with = replay.keep_retries().run(&calls);
    // The caveats say which was done.
    let says = |replayed: &Replayed, text| replayed.caveats.iter().any(|it| it.contains(text));
    assert!(says(&without, "retries vanish") && !says(&without, "retries are kept"));
    assert!(says(&with, "retries are kept") && !says(&with, "retries vanish"));
    let collapsed = without.candidates[0].figures();
    let kept = with.candidates[0].figures();
    assert_eq!(kept.retries_spared, 0);
    // Each refused request has two more calls.
    assert!(
        collapsed.retries_spared > 2 * (collapsed.bad_refused - 10),
        "{collapsed:?}"
    );
    assert!(
        kept.bad_refused > 2 * collapsed.bad_refused,
        "{kept:?} {collapsed:?}"
    );
    assert_eq!(kept.calls, collapsed.calls + collapsed.retries_spared);
}

#[test]
fn calls_out_of_order_are_counted() {
    let mut calls: Vec<Call> = Scenario::steady(50.0).calls().collect();
    calls.swap(10, 11);
    let replayed = replay(&calls);
    assert_eq!(replayed.reordered, 1);
    assert!(
        replayed
            .caveats
            .iter()
            .any(|caveat| caveat.contains("out of order"))
    );
}
