//! Breakers by name and by instance.

use breakerbox::{BreakerRegistry, CircuitBreaker};
use breakerbox_replay::{Call, Candidate, Instances, Outage, Outcome, Replay, Scenario, Survey};
use std::time::Duration;

fn candidate() -> Candidate {
    Candidate::new("default", CircuitBreaker::builder()).unwrap()
}

/// Two instances in turn, of which one gets failures only.
fn two_instances() -> Vec<Call> {
    let call = |at: u64| {
        let is_bad = at % 2 == 1;
        let outcome = if is_bad {
            Outcome::Failure
        } else {
            Outcome::Success
        };
        let mut call = Call::new("a", Duration::from_millis(10 * at), outcome);
        call.instance = Some(if is_bad { "bad" } else { "good" }.into());
        call
    };
    (0..2_000).map(call).collect()
}

#[test]
fn instance_field_separates_breakers() {
    let calls = two_instances();
    let replay = || {
        Replay::new(&Survey::of(&calls))
            .candidate(candidate())
            .shifts(1)
    };
    let apart = replay().run(&calls);
    assert_eq!(apart.breakers, 2);
    assert_eq!(apart.candidates[0].figures().openings, 1);
    assert_eq!(apart.candidates[0].figures().good_refused(), 0);

    // Through one breaker, no five calls fail in a row.
    let one = Instances::Dealt { count: 1, seed: 0 };
    let together = replay().instances(one).run(&calls);
    assert_eq!(
        (together.breakers, together.candidates[0].figures().openings),
        (1, 0)
    );
    assert!(
        together.caveats[0].contains("1 instance at random"),
        "{:?}",
        together.caveats
    );
}

#[test]
fn dealt_calls_reach_all_instances() {
    let calls: Vec<_> = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .calls()
        .collect();
    let of = |count| {
        let replay = Replay::new(&Survey::of(&calls))
            .candidate(candidate())
            .shifts(1);
        let replayed = replay
            .instances(Instances::Dealt { count, seed: 3 })
            .run(&calls);
        assert_eq!(replayed.breakers, count as usize);
        replayed.candidates[0].figures()
    };
    let (one, twelve) = (of(1), of(12));
    // Each of twelve breakers lets five failures through, and sees a twelfth of the calls.
    assert!(
        twelve.bad_admitted > 6 * one.bad_admitted,
        "{one:?} {twelve:?}"
    );
    assert!(twelve.detected > 4 * one.detected, "{one:?} {twelve:?}");
    assert_eq!(twelve.openings, 12);
}

#[test]
fn figures_are_kept_by_name() {
    let sick = Scenario::steady(20.0).outage(60..180, 1.0).named("sick");
    let well = Scenario::steady(20.0).lasting(300).named("well").seeded(5);
    let mut calls: Vec<Call> = sick.calls().chain(well.calls()).collect();
    calls.sort_by_key(|call| call.start);
    let survey = Survey::of(&calls);
    let outages = survey.outages();
    assert_eq!(outages.len(), 1);
    assert_eq!(outages[0].name.as_deref(), Some("sick"));
    let replayed = Replay::new(&survey).candidate(candidate()).run(&calls);
    let names = &replayed.candidates[0].names;
    assert_eq!(names.keys().collect::<Vec<_>>(), ["sick", "well"]);
    assert_eq!((names["well"].openings, names["well"].outage_calls), (0, 0));
    assert_eq!(names["sick"].openings, 1);

    // An outage of all names that was given is missed by the healthy one.
    let given = Outage::new(Duration::from_secs(60), Duration::from_secs(180));
    let replayed = Replay::new(&survey)
        .candidate(candidate())
        .outages([given])
        .run(&calls);
    let names = &replayed.candidates[0].names;
    assert_eq!(names["well"].detected, Duration::MAX);
    assert!(names["well"].outage_calls > 2_000);
}

#[test]
fn registry_gives_each_name_its_settings() {
    let registry = BreakerRegistry::new();
    let patient = CircuitBreaker::builder().failure_threshold(1_000);
    registry.preset_for("patient", patient).unwrap();
    let calls = |name: &str| {
        let calls = (0..100).map(|at| Call::new(name, Duration::from_millis(at), Outcome::Failure));
        calls.collect::<Vec<_>>()
    };
    let openings = |name| {
        let calls = calls(name);
        let replay = Replay::new(&Survey::of(&calls));
        let replay = replay.candidate(Candidate::of_registry("registry", &registry));
        replay.run(&calls).candidates[0].figures().openings
    };
    assert_eq!((openings("patient"), openings("other")), (0, 1));
}
