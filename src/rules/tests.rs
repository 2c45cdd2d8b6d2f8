//! Unit tests of the rule evaluator.

use super::{RuleEvaluator, Sample, TripRule, Window, WindowCounts, without_windows};
use crate::clock::Moment;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::from_nanos(seconds * 1_000_000_000)
}

fn success(now: Moment) -> Sample {
    Sample::success(now)
}

fn failure(now: Moment) -> Sample {
    Sample {
        failed: true,
        ..success(now)
    }
}

fn took(time: Duration) -> Sample {
    Sample {
        elapsed: Some(time),
        ..success(Moment::ORIGIN)
    }
}

fn calls(failures: u32) -> TripRule {
    TripRule::failures(failures).over(Window::calls(10))
}

fn seconds(failures: u32) -> TripRule {
    TripRule::failures(failures).over(Window::time(10 * SECOND))
}

fn slow() -> TripRule {
    let rule = TripRule::slow_calls(1.0).slower_than(SECOND);
    rule.over(Window::calls(10)).minimum_calls(1)
}

fn of(rules: &[TripRule]) -> RuleEvaluator {
    RuleEvaluator::new(rules, Moment::ORIGIN)
}

/// Records a call, and returns how many rules it newly met.
fn newly_met(evaluator: &mut RuleEvaluator, sample: &Sample) -> usize {
    evaluator.record(sample);
    evaluator.newly_met(sample, 0).len()
}

#[test]
fn met_rule_stays_reported_under_new_settings() {
    let mut evaluator = of(&[calls(1)]);
    let failure = failure(at(1));
    assert_eq!(newly_met(&mut evaluator, &failure), 1);
    assert_eq!(
        newly_met(&mut evaluator.with_rules(&[calls(1)]), &failure),
        0
    );
    let mut other = evaluator.with_rules(&[calls(2)]);
    assert_eq!(newly_met(&mut other, &failure), 1, "another rule");
}

#[test]
fn rule_that_expired_is_newly_met_again() {
    let mut evaluator = of(&[seconds(1)]);
    assert_eq!(newly_met(&mut evaluator, &failure(at(1))), 1);
    assert_eq!(newly_met(&mut evaluator, &failure(at(2))), 0);
    evaluator.refresh(at(3), 0);
    assert_eq!(
        newly_met(&mut evaluator, &failure(at(3))),
        0,
        "it was still met"
    );
    evaluator.refresh(at(60), 0);
    assert_eq!(newly_met(&mut evaluator, &failure(at(60))), 1);
}

#[test]
fn ignored_call_enters_slow_call_window_only_if_slow() {
    let mut evaluator = of(&[slow(), calls(1)]);
    let recorded = |evaluator: &RuleEvaluator| -> Vec<_> {
        let snapshots = evaluator.snapshots(Moment::ORIGIN, 0);
        snapshots.iter().map(|rule| rule.recorded).collect()
    };
    for (time, expected) in [(SECOND, [0, 0]), (2 * SECOND, [1, 0])] {
        evaluator.record(&Sample {
            ignored: true,
            ..took(time)
        });
        assert_eq!(recorded(&evaluator), expected);
    }
}

#[test]
fn fast_successes_enter_bucket_of_their_interval() {
    let mut evaluator = of(&[seconds(1)]);
    assert_eq!(evaluator.align_bucket(at(3)), at(4), "ten buckets");
    evaluator.add_fast_successes(7, None);
    let recorded = |now| evaluator.snapshots(now, 0)[0].recorded;
    assert_eq!(
        (recorded(at(3)), recorded(at(12)), recorded(at(13))),
        (7, 7, 0)
    );
    assert_eq!(of(&[calls(1)]).align_bucket(at(3)), Moment::NEVER);
}

#[test]
fn min_slow_threshold_comes_from_strictest_rule() {
    assert_eq!(of(&[calls(1)]).min_slow_threshold(), Duration::MAX);
    let two = of(&[slow().slower_than(2 * SECOND), slow(), calls(1)]);
    assert_eq!(two.min_slow_threshold(), SECOND);
}

#[test]
fn saturated_count_windows_want_no_successes() {
    let consecutive_failures = TripRule::consecutive_failures(3);
    assert_eq!(of(&[consecutive_failures]).saturation_count(), Some(0));
    let two = [calls(1), TripRule::failures(1).over(Window::calls(4))];
    assert_eq!(of(&two).saturation_count(), Some(10));
    assert_eq!(of(&[calls(1), slow()]).saturation_count(), None);
    assert_eq!(of(&[calls(1), seconds(1)]).saturation_count(), None);

    assert!(!of(&[consecutive_failures]).wants_successes());
    assert!(of(&[slow()]).wants_successes() && of(&[seconds(1)]).wants_successes());
    let mut evaluator = of(&two);
    for _ in 0..10 {
        assert!(evaluator.wants_successes());
        evaluator.record(&success(at(1)));
    }
    assert!(!evaluator.wants_successes());
    evaluator.record(&failure(at(1)));
    assert!(evaluator.wants_successes());
    evaluator.add_fast_successes(10, None);
    assert!(!evaluator.wants_successes());
}

#[test]
fn successes_before_last_failure_enter_its_windows() {
    let mut evaluator = of(&[
        calls(1),
        seconds(1),
        slow(),
        TripRule::consecutive_failures(1),
    ]);
    let last = failure(at(1));
    evaluator.record(&last);
    evaluator.add_fast_successes(3, Some(&last));
    let seen = evaluator.snapshots(at(1), 1);
    let seen: Vec<_> = seen
        .iter()
        .map(|rule| (rule.recorded, rule.failed))
        .collect();
    assert_eq!(seen, [(4, 1), (4, 1), (4, 1), (1, 1)]);
    // Nine more push the successes out of the window of calls, and the failure stays.
    evaluator.add_fast_successes(9, None);
    assert_eq!(evaluator.snapshots(at(1), 0)[0].failed, 1);
    evaluator.add_fast_successes(1, None);
    assert_eq!(evaluator.snapshots(at(1), 0)[0].failed, 0);
}

#[test]
fn rule_is_tripped_only_by_call_against_it() {
    let mut evaluator = of(&[calls(2)]);
    evaluator.record(&failure(at(1)));
    assert_eq!(evaluator.tripped(&failure(at(1)), 1), None);
    evaluator.record(&failure(at(1)));
    assert!(evaluator.tripped(&failure(at(1)), 2).is_some());
    assert_eq!(evaluator.tripped(&success(at(1)), 0), None);
}

#[test]
fn full_small_window_suffices_for_rate() {
    let rule = |calls| TripRule::failure_rate(0.5).over(Window::calls(calls));
    for (window, least) in [(4, 4), (10, 10), (11, 10)] {
        let failed = |recorded| WindowCounts {
            recorded,
            failed: recorded,
            slow: 0,
        };
        assert!(rule(window).is_met(failed(least)));
        assert!(!rule(window).is_met(failed(least - 1)));
    }
}

#[test]
fn rules_without_windows_count_consecutive_failures() {
    let rules = [TripRule::consecutive_failures(3)];
    let shown: Vec<_> = without_windows(&rules, 2).collect();
    assert_eq!(shown, of(&rules).snapshots(at(1), 2));
    assert_eq!((shown[0].failed, shown[0].recorded), (2, 2));
}
