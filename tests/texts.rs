//! Texts of `Display` and the last failure, and what errors return.
#![cfg(not(loom))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock, SystemClock};
use breakerbox::prelude::*;
use breakerbox::{BreakerError, Event};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn fail(breaker: &CircuitBreaker) -> BreakerError<&'static str> {
    breaker.call(|| Err::<(), _>("down")).unwrap_err()
}

fn users(settings: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder()
        .name("users")
        .failure_threshold(2)
        .recovery_timeout(30 * SECOND)
        .clock(clock.clone());
    (settings(builder).build().unwrap(), clock)
}

#[test]
fn snapshot_display_shows_state_and_totals() {
    let (users, clock) = users(|b| b);
    clock.advance(2 * SECOND);
    users.call(|| Ok::<_, String>(7)).unwrap();
    (0..2).for_each(|_| drop(fail(&users)));
    clock.advance(10 * SECOND);
    fail(&users);
    let open = "\"users\" has been open for 10s, 20.0s remaining
  because   2 consecutive failures
  failures  2 consecutive, last: \"down\"
  rule      2 consecutive failures
  calls     1 succeeded, 2 failed, 1 refused";
    assert_eq!(users.snapshot().to_string(), open);
    clock.advance(20 * SECOND);
    fail(&users);
    let reopened = users.snapshot().to_string();
    assert!(reopened.contains("because   a trial failed"), "{reopened}");
    assert!(reopened.contains("attempt   1"), "{reopened}");
}

#[test]
fn display_of_circuit_without_deadline_says_so() {
    let (users, clock) = users(|b| b.recovery_timeout(Duration::MAX));
    users.trip();
    clock.advance(SECOND);
    let shown = users.snapshot().to_string();
    assert!(
        shown.starts_with("\"users\" has been open for 1s, until a command closes it"),
        "{shown}"
    );
    assert_eq!(
        fail(&users).to_string(),
        "circuit \"users\" is open until a command closes it"
    );
}

#[test]
fn display_of_cause_names_reason() {
    let causes: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = causes.clone();
    let (users, clock) = users(|b| {
        b.on_event(move |event| {
            if let Event::StateChanged { cause, .. } = event {
                log.lock().unwrap().push(cause.to_string());
            }
        })
    });
    users.trip();
    clock.advance(30 * SECOND);
    users.call(|| Ok::<_, String>(7)).unwrap();
    users
        .try_acquire()
        .unwrap()
        .record(Outcome::TripFor(5 * SECOND));
    users.configure(|b| b.mode(Mode::Disabled)).unwrap();
    let expected = [
        "a command",
        "the recovery timeout elapsed",
        "enough trials succeeded",
        "a call tripped the circuit for 5s",
        "new settings changed the mode",
    ];
    assert_eq!(*causes.lock().unwrap(), expected);
}

#[test]
fn into_inner_returns_only_error_of_guarded_code() {
    let (users, _) = users(|b| b);
    let failed = fail(&users);
    assert_eq!(
        (failed.retry_after(), failed.into_inner()),
        (None, Some("down"))
    );
    users.trip();
    let refused = fail(&users);
    assert_eq!(
        (refused.retry_after(), refused.into_inner()),
        (Some(30 * SECOND), None)
    );
}

#[test]
fn last_failure_is_redacted() {
    let (redacted, _) = users(|b| b.redact_last_failure(|text| text.replace("down", "***")));
    fail(&redacted);
    assert_eq!(redacted.last_failure().as_deref(), Some("\"***\""));
    let (panicking, _) = users(|b| b.redact_last_failure(|_| panic!("the redaction panics")));
    fail(&panicking);
    let last = panicking.last_failure();
    assert_eq!(last.as_deref(), Some("(redaction panicked)"));
}

#[test]
fn shared_clock_returns_same_time() {
    let clock = ManualClock::new();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    clock.advance(SECOND);
    assert_eq!(
        (shared.now(), shared.recent()),
        (clock.now(), clock.recent())
    );
    let system = SystemClock;
    let before = system.now();
    assert!(system.recent() <= system.now() && before <= system.now());
}

#[test]
fn display_of_rule_describes_rule() {
    let calls = Window::calls(100);
    let minute = Window::time(60 * SECOND).buckets(12);
    for (rule, expected) in [
        (TripRule::consecutive_failures(3), "3 consecutive failures"),
        (
            TripRule::failures(3).over(calls),
            "3 failures over 100 calls",
        ),
        (
            TripRule::failure_rate(0.5).over(minute),
            "failure rate of 50% over 1m in 12 buckets",
        ),
        (
            TripRule::slow_calls(0.8)
                .slower_than(2 * SECOND)
                .over(calls),
            "slow-call rate of 80% (slower than 2s) over 100 calls",
        ),
    ] {
        assert_eq!(rule.to_string(), expected);
    }
}
