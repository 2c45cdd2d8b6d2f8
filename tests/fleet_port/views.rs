//! The values of a view.

use crate::support::*;

#[test]
fn new_breaker_has_plain_view() {
    let fixture = Fixture::new();
    fixture.clock.advance(SECOND);
    let view = fixture.view();
    assert_eq!(view.state, State::Closed);
    assert_eq!(view.since, SECOND);
    assert_eq!((view.cause, view.why), (None, None));
    assert_eq!(
        (view.left, view.opened_for, view.asked_for),
        (None, None, None)
    );
    assert_eq!(
        (view.attempt, view.failures, view.recorded_failures),
        (0, 0, 0)
    );
    assert_eq!((view.refused, view.waiting, view.in_flight), (0, 0, 0));
    assert_eq!(view.reset_backoff_after, RECOVERY);
    assert_eq!(view.longest_window, None);
}

#[test]
fn view_agrees_with_snapshot() {
    let fixture = Fixture::with(CircuitBreaker::builder().failure_threshold(2));
    let compare = || {
        let (view, snapshot) = (fixture.view(), fixture.breaker.snapshot());
        assert_eq!(view.state, snapshot.state);
        assert_eq!(view.since, snapshot.since);
        assert_eq!(view.cause, snapshot.cause);
        assert_eq!(view.left, snapshot.open_remaining);
        assert_eq!(view.attempt, snapshot.attempt);
        assert_eq!(view.failures, snapshot.failure_count);
        assert_eq!(view.refused, snapshot.totals.refused);
    };
    compare();
    fail(&fixture.breaker);
    compare();
    fail(&fixture.breaker);
    compare();
    fixture.clock.advance(RECOVERY + SECOND);
    compare();
    fixture.order(Order::Try).unwrap();
    compare();
    fail(&fixture.breaker);
    compare();
    fixture.order(Order::Close).unwrap();
    compare();
}

#[test]
fn since_gives_instant_of_trip() {
    let fixture = Fixture::new();
    fixture.clock.advance(7 * SECOND);
    fixture.breaker.trip();
    for _ in 0..3 {
        fixture.clock.advance(SECOND);
        fixture.order(Order::Extend(10 * SECOND)).unwrap();
        let tripped = fixture
            .port
            .now()
            .unwrap()
            .checked_sub(fixture.view().since);
        assert_eq!(tripped, Some(7 * SECOND));
    }
}

#[test]
fn why_names_rule_that_tripped() {
    let window = Window::calls(4);
    let slow = TripRule::slow_calls(0.5).slower_than(SECOND).over(window);
    let cases = [
        (TripRule::consecutive_failures(2), CauseKind::Consecutive),
        (TripRule::failures(2).over(window), CauseKind::Failures),
        (
            TripRule::failure_rate(0.5).over(window).minimum_calls(2),
            CauseKind::FailureRate,
        ),
        (slow.minimum_calls(2), CauseKind::SlowCalls),
    ];
    for (rule, kind) in cases {
        let fixture = Fixture::with(CircuitBreaker::builder().trip_rules([rule]));
        for call in 1..=2 {
            let _ = fixture.breaker.call(|| {
                fixture.clock.advance(2 * SECOND);
                Err::<(), _>("down")
            });
            let view = fixture.view();
            assert_eq!(view.why, (call == 2).then_some(kind), "{rule}");
            // The windows are empty after the transition. Consecutive failures go on.
            let recorded = if call == 1 || kind == CauseKind::Consecutive {
                call
            } else {
                0
            };
            assert_eq!(view.recorded_failures, recorded, "{rule}");
        }
        fixture.clock.advance(RECOVERY);
        fail(&fixture.breaker);
        assert_eq!(fixture.view().why, Some(CauseKind::TrialFailed));
        fixture.order(Order::Try).unwrap();
        succeed(&fixture.breaker);
        assert_eq!(fixture.view().why, Some(CauseKind::TrialsSucceeded));
    }
}

#[test]
fn recorded_failures_is_evidence_under_rate_rule() {
    let rule = TripRule::failure_rate(0.5).over(Window::calls(20));
    let fixture = Fixture::with(CircuitBreaker::builder().trip_when(rule));
    for _ in 0..4 {
        fail(&fixture.breaker);
        succeed(&fixture.breaker);
    }
    let view = fixture.view();
    assert_eq!((view.failures, view.recorded_failures), (0, 4));
}

#[test]
fn longest_window_is_of_time() {
    let rule = |window| TripRule::failures(99).over(window);
    let settings = CircuitBreaker::builder()
        .trip_when(rule(Window::time(7 * SECOND)))
        .trip_when(rule(Window::calls(1_000)))
        .trip_when(rule(Window::time(9 * SECOND)));
    assert_eq!(
        Fixture::with(settings).view().longest_window,
        Some(9 * SECOND)
    );
}

#[test]
fn reset_backoff_after_follows_attempt() {
    let backoff = Backoff::exponential(10 * SECOND);
    let fixture = Fixture::with(CircuitBreaker::builder().recovery_backoff(backoff));
    fixture.order(Order::OpenFor(SECOND, 2)).unwrap();
    fixture.order(Order::Close).unwrap();
    assert_eq!(fixture.view().reset_backoff_after, 40 * SECOND);
    let settings = CircuitBreaker::builder().reset_backoff_after(3 * SECOND);
    fixture.registry.configure(NAME, settings).unwrap();
    assert_eq!(fixture.view().reset_backoff_after, 3 * SECOND);
}

#[test]
fn refusals_by_ramp_up_are_no_demand() {
    let fixture = Fixture::with(CircuitBreaker::builder().ramp_up(100 * SECOND));
    fixture.breaker.trip();
    for _ in 0..3 {
        assert!(fixture.breaker.try_acquire().is_err());
    }
    assert_eq!(fixture.view().refused, 3);
    fixture.order(Order::Try).unwrap();
    let trial = fixture.breaker.try_acquire().unwrap();
    assert!(fixture.breaker.try_acquire().is_err(), "trials are taken");
    assert_eq!(fixture.view().refused, 4);
    trial.success();
    let refused = (0..100)
        .filter(|_| fixture.breaker.call(|| Ok::<_, ()>(())).is_err())
        .count();
    assert!(refused > 50, "{refused}");
    let totals = fixture.breaker.snapshot().totals;
    assert_eq!(totals.refused, 4 + refused as u64);
    assert_eq!(fixture.view().refused, 4);
    fixture.breaker.force_open();
    assert!(fixture.breaker.try_acquire().is_err());
    assert_eq!(fixture.view().refused, 5);
}

#[tokio::test(start_paused = true)]
async fn waiting_counts_waiting_tasks() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker(NAME);
    let port = Port::attach(&registry, |_| {});
    let waiting = || port.view(NAME).unwrap().waiting;
    users.until_ready().await.success();
    assert_eq!(waiting(), 0);
    users.trip();
    let spawn = |ready: bool| {
        let users = users.clone();
        tokio::spawn(async move {
            if ready {
                users.ready().await;
            } else {
                users.until_ready().await.success();
            }
        })
    };
    let tasks = [spawn(true), spawn(false), spawn(false)];
    tokio::task::yield_now().await;
    assert_eq!(waiting(), 3);
    tasks[1].abort();
    tokio::task::yield_now().await;
    assert_eq!(waiting(), 2, "an aborted task waits no longer");
    users.reset();
    for task in tasks {
        let _ = task.await;
    }
    assert_eq!(waiting(), 0);
}
