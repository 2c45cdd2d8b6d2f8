//! Recorders: which calls they receive, and what these calls contain.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use breakerbox::{CallOutcome, CallRecord, CallRecording};
use futures_util::stream;
use std::future::pending;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

/// A call without its borrows.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    name: String,
    started: Duration,
    elapsed: Duration,
    outcome: CallOutcome,
    error: Option<String>,
}

#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Seen>>>);

impl Calls {
    fn push(&self, call: &CallRecord<'_>) {
        self.0.lock().unwrap().push(Seen {
            name: call.name.to_string(),
            started: call.started,
            elapsed: call.elapsed,
            outcome: call.outcome,
            error: call.error.map(str::to_owned),
        });
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Takes the calls, and compares their outcomes and labels.
    fn assert_outcomes(&self, expected: &[(CallOutcome, Option<&str>)]) {
        let calls = self.take();
        let calls = calls
            .iter()
            .map(|call| (call.outcome, call.error.as_deref()));
        assert_eq!(calls.collect::<Vec<_>>(), expected);
    }
}

fn record(registry: &BreakerRegistry) -> (Calls, CallRecording) {
    let calls = Calls::default();
    let recorder = calls.clone();
    let recording = registry.record_calls(move |call| recorder.push(call));
    (calls, recording)
}

fn timed_registry(preset: BreakerBuilder) -> (BreakerRegistry, ManualClock) {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .default_preset(preset)
        .build()
        .unwrap();
    (registry, clock)
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeed(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

const SUCCESS: CallOutcome = CallOutcome::Completed(Outcome::Success);
const FAILURE: CallOutcome = CallOutcome::Completed(Outcome::Failure);

#[test]
fn recorder_receives_times_of_call() {
    let (registry, clock) = timed_registry(CircuitBreaker::builder());
    // One breaker exists before the recording, the other does not.
    let old = registry.breaker("old");
    succeed(&old);
    let (calls, _recording) = record(&registry);
    for name in ["old", "new"] {
        clock.advance(Duration::from_secs(1));
        let started = clock.now();
        let permit = registry.breaker(name).try_acquire().unwrap();
        clock.advance(Duration::from_millis(250));
        permit.success();
        let expected = Seen {
            name: name.to_owned(),
            started,
            elapsed: Duration::from_millis(250),
            outcome: SUCCESS,
            error: None,
        };
        assert_eq!(calls.take(), [expected]);
    }
}

#[test]
fn recorder_receives_every_outcome() {
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().failure_threshold(100))
        .build()
        .unwrap();
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");

    succeed(&users);
    fail(&users);
    users.try_acquire().unwrap().record(Outcome::Ignored);
    drop(users.try_acquire().unwrap());
    let panics = AssertUnwindSafe(|| users.call(|| -> Result<(), ()> { panic!("oops") }));
    assert!(catch_unwind(panics).is_err());
    let hint = Outcome::TripFor(Duration::from_secs(60));
    users.try_acquire().unwrap().record(hint);
    assert!(users.try_acquire().is_err());
    users.force_open();
    assert!(users.try_acquire().is_err());

    calls.assert_outcomes(&[
        (SUCCESS, None),
        (FAILURE, Some("\"down\"")),
        (CallOutcome::Completed(Outcome::Ignored), None),
        (CallOutcome::Cancelled, None),
        (FAILURE, Some("panicked")),
        (CallOutcome::Completed(hint), None),
        (CallOutcome::Refused(Refusal::Open), None),
        (CallOutcome::Refused(Refusal::Forced), None),
    ]);
}

#[test]
fn refused_call_takes_no_time() {
    let (registry, clock) = timed_registry(CircuitBreaker::builder());
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");
    users.trip();
    clock.advance(Duration::from_secs(7));
    assert!(users.try_acquire().is_err());
    let refused = calls.take();
    assert_eq!(refused[0].started, Duration::from_secs(7));
    assert_eq!(refused[0].elapsed, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn timed_out_future_is_failure_with_label() {
    let registry = BreakerRegistry::new();
    let (calls, _recording) = record(&registry);
    let stuck = pending::<Result<(), ()>>()
        .with_breaker(&registry, "users")
        .timeout(Duration::from_secs(1));
    assert!(stuck.await.is_err());
    calls.assert_outcomes(&[(FAILURE, Some("timed out"))]);
}

#[test]
fn dropped_future_and_stream_are_cancelled() {
    let registry = BreakerRegistry::new();
    let (calls, _recording) = record(&registry);
    let mut context = Context::from_waker(Waker::noop());
    {
        let call = pending::<Result<(), ()>>().with_breaker(&registry, "users");
        assert!(pin!(call).as_mut().poll(&mut context).is_pending());
        let items = stream::pending::<Result<(), ()>>().with_breaker(&registry, "users");
        let mut items = pin!(items);
        assert!(poll_next(items.as_mut(), &mut context).is_pending());
    }
    calls.assert_outcomes(&[
        (CallOutcome::Cancelled, None),
        (CallOutcome::Cancelled, None),
    ]);
}

fn poll_next<S: futures_util::Stream>(
    stream: std::pin::Pin<&mut S>,
    context: &mut Context<'_>,
) -> std::task::Poll<Option<S::Item>> {
    stream.poll_next(context)
}

#[test]
fn late_call_is_recorded() {
    let (registry, clock) = timed_registry(CircuitBreaker::builder().failure_threshold(1));
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");
    let late = users.try_acquire().unwrap();
    fail(&users);
    clock.advance(Duration::from_secs(3));
    late.record_error(&"too late");
    assert_eq!(users.snapshot().totals.late, 1);
    let seen = calls.take();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].elapsed, Duration::from_secs(3));
    assert_eq!(seen[1].error.as_deref(), Some("\"too late\""));
}

#[test]
fn call_from_before_recording_is_skipped() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let early = users.try_acquire().unwrap();
    let (calls, _recording) = record(&registry);
    early.success();
    assert_eq!(calls.take(), []);
    succeed(&users);
    assert_eq!(calls.take().len(), 1);
}

#[test]
fn timed_call_from_before_recording_is_recorded() {
    let slow = TripRule::slow_calls(0.5).slower_than(Duration::from_secs(1));
    let rule = slow.over(Window::calls(10));
    let (registry, clock) = timed_registry(CircuitBreaker::builder().trip_when(rule));
    let early = registry.breaker("users").try_acquire().unwrap();
    let (calls, _recording) = record(&registry);
    clock.advance(Duration::from_millis(5));
    early.success();
    assert_eq!(calls.take()[0].elapsed, Duration::from_millis(5));
}

#[test]
fn breaker_outside_registry_is_skipped() {
    let registry = BreakerRegistry::builder().capacity(1).build().unwrap();
    let (calls, _recording) = record(&registry);
    let kept = registry.breaker("kept");
    let untracked = registry.breaker("untracked");
    succeed(&kept);
    assert_eq!(calls.take().len(), 1);
    succeed(&untracked);
    registry.remove("kept");
    succeed(&kept);
    kept.force_open();
    succeed(&kept);
    assert_eq!(calls.take(), []);
}

#[test]
fn disabled_breaker_and_joined_call_are_skipped() {
    let registry = BreakerRegistry::new();
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");
    users.half_open();
    let nested = users.call(|| users.call(|| Ok::<_, ()>(())).map_err(drop));
    assert!(nested.is_ok());
    assert_eq!(calls.take().len(), 1, "the trial");
    users.disable();
    fail(&users);
    assert_eq!(calls.take(), []);
}

#[test]
fn metrics_only_breaker_is_recorded() {
    let preset = CircuitBreaker::builder()
        .mode(Mode::MetricsOnly)
        .failure_threshold(1);
    let (registry, _) = timed_registry(preset);
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");
    fail(&users);
    fail(&users);
    assert_eq!(calls.take().len(), 2);
}

#[test]
fn windows_and_slow_calls_do_not_change_record() {
    let rule = TripRule::failure_rate(0.5).over(Window::calls(10));
    let preset = CircuitBreaker::builder().trip_when(rule);
    let (registry, clock) = timed_registry(preset);
    let users = registry.breaker("users");
    for _ in 0..50 {
        succeed(&users);
    }
    let (calls, recording) = record(&registry);
    for _ in 0..50 {
        let permit = users.try_acquire().unwrap();
        clock.advance(Duration::from_millis(1));
        permit.success();
    }
    let seen = calls.take();
    assert_eq!(seen.len(), 50);
    assert!(
        seen.iter()
            .all(|call| call.elapsed == Duration::from_millis(1))
    );
    drop(recording);
    for _ in 0..50 {
        succeed(&users);
    }
    assert_eq!(calls.take(), []);
    assert_eq!(users.snapshot().totals.success, Some(150));
}

#[test]
fn label_is_redacted_like_last_failure() {
    let redact = |text: &str| text.replace("secret", "***");
    let registry = BreakerRegistry::builder()
        .preset_for(
            "redacted",
            CircuitBreaker::builder().redact_last_failure(redact),
        )
        .preset_for(
            "hidden",
            CircuitBreaker::builder().capture_last_failure(false),
        )
        .build()
        .unwrap();
    let (calls, _recording) = record(&registry);
    let redacted = registry.breaker("redacted");
    let _ = redacted.call(|| Err::<(), _>("a secret"));
    calls.assert_outcomes(&[(FAILURE, Some("\"a ***\""))]);
    assert_eq!(redacted.last_failure().as_deref(), Some("\"a ***\""));
    fail(&registry.breaker("hidden"));
    calls.assert_outcomes(&[(FAILURE, None)]);
}

#[test]
fn error_is_formatted_once_for_failure_and_label() {
    struct Counted(Arc<Mutex<u32>>);
    impl std::fmt::Debug for Counted {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            *self.0.lock().unwrap() += 1;
            f.write_str("down")
        }
    }
    let registry = BreakerRegistry::new();
    let (calls, _recording) = record(&registry);
    let formatted = Arc::default();
    let users = registry.breaker("users");
    let failed = users.call(|| Err::<(), _>(Counted(Arc::clone(&formatted))));
    assert!(failed.is_err());
    assert_eq!(users.last_failure().as_deref(), Some("down"));
    calls.assert_outcomes(&[(FAILURE, Some("down"))]);
    assert_eq!(*formatted.lock().unwrap(), 1);
}

#[test]
fn ignored_error_keeps_its_label() {
    let preset = CircuitBreaker::builder()
        .ignored_error_if(|error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound);
    let (registry, _) = timed_registry(preset);
    let (calls, _recording) = record(&registry);
    let missing = || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::NotFound));
    let _ = registry.breaker("files").call(missing);
    let ignored = CallOutcome::Completed(Outcome::Ignored);
    calls.assert_outcomes(&[(ignored, Some("Kind(NotFound)"))]);
}

#[test]
fn panicking_recorder_is_reported_and_others_receive() {
    let registry = BreakerRegistry::new();
    let mut events = registry.subscribe_changes();
    let _broken = registry.record_calls(|_| panic!("oops"));
    let (calls, _recording) = record(&registry);
    let users = registry.breaker("users");
    succeed(&users);
    assert_eq!(calls.take().len(), 1);
    let mut panics = std::iter::from_fn(|| events.try_next())
        .filter(|event| matches!(event, Event::ListenerPanicked { .. }));
    let panicked = panics.next().unwrap();
    assert_eq!(panicked.breaker(), "users");
    assert!(panics.next().is_none());
    assert_eq!(users.snapshot().totals.success, Some(1));
}

#[test]
fn panicking_recorder_does_not_replace_panic_of_call() {
    let registry = BreakerRegistry::new();
    let _broken = registry.record_calls(|_| panic!("of the recorder"));
    let users = registry.breaker("users");
    let call = || users.call(|| -> Result<(), ()> { panic!("of the call") });
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"of the call"));
    assert_eq!(users.snapshot().totals.failure, 1);
}

#[test]
fn panicking_recorder_frees_slot_of_trial() {
    let registry = BreakerRegistry::new();
    let _broken = registry.record_calls(|_| panic!("oops"));
    let users = registry.breaker("users");
    users.half_open();
    drop(users.try_acquire().unwrap());
    succeed(&users);
    assert_eq!(users.state(), State::Closed);
}

#[test]
fn recorder_sees_state_after_its_call() {
    let (registry, _) = timed_registry(CircuitBreaker::builder().failure_threshold(1));
    let states = Arc::new(Mutex::new(Vec::new()));
    let recorder = {
        let (registry, states) = (registry.clone(), states.clone());
        move |call: &CallRecord<'_>| {
            let breaker = registry.breaker(&**call.name);
            states.lock().unwrap().push(breaker.state());
        }
    };
    let _recording = registry.record_calls(recorder);
    fail(&registry.breaker("users"));
    assert_eq!(*states.lock().unwrap(), [State::Open]);
}

#[test]
fn recorder_inside_trial_does_not_join_it() {
    let registry = BreakerRegistry::new();
    let refused = Arc::new(Mutex::new(Vec::new()));
    let recorder = {
        let (registry, refused) = (registry.clone(), refused.clone());
        move |call: &CallRecord<'_>| {
            if &**call.name == "inner" {
                let users = registry.breaker("users");
                refused.lock().unwrap().push(users.try_acquire().is_err());
            }
        }
    };
    let _recording = registry.record_calls(recorder);
    let users = registry.breaker("users");
    users.half_open();
    let trial = users.call(|| {
        succeed(&registry.breaker("inner"));
        Ok::<_, ()>(())
    });
    assert!(trial.is_ok());
    assert_eq!(*refused.lock().unwrap(), [true]);
}

#[test]
fn recorder_that_calls_terminates() {
    let registry = BreakerRegistry::new();
    let calls = Arc::new(Mutex::new(0));
    let recorder = {
        let (registry, calls) = (registry.clone(), calls.clone());
        move |_: &CallRecord<'_>| {
            *calls.lock().unwrap() += 1;
            succeed(&registry.breaker("nested"));
        }
    };
    let _recording = registry.record_calls(recorder);
    succeed(&registry.breaker("users"));
    assert_eq!(*calls.lock().unwrap(), 4);
}

#[test]
fn recorder_may_end_its_own_recording() {
    let registry = BreakerRegistry::new();
    let slot = Arc::new(Mutex::new(None));
    let recording = {
        let slot = slot.clone();
        registry.record_calls(move |_| drop(slot.lock().unwrap().take()))
    };
    *slot.lock().unwrap() = Some(recording);
    let users = registry.breaker("users");
    succeed(&users);
    assert!(slot.lock().unwrap().is_none());
    succeed(&users);
}

#[test]
fn recording_may_end_while_its_recorder_runs() {
    let registry = BreakerRegistry::new();
    let (entered, enters) = mpsc::channel();
    let (leave, leaves) = mpsc::channel::<()>();
    let leaves = Mutex::new(leaves);
    let token = Arc::new(());
    let held = token.clone();
    let recording = registry.record_calls(move |_| {
        entered.send(Arc::strong_count(&held)).unwrap();
        leaves.lock().unwrap().recv().unwrap();
    });
    let users = registry.breaker("users");
    std::thread::scope(|scope| {
        scope.spawn(|| succeed(&users));
        assert_eq!(enters.recv().unwrap(), 2);
        drop(recording);
        assert_eq!(Arc::strong_count(&token), 2, "the recorder still runs");
        leave.send(()).unwrap();
    });
    assert_eq!(Arc::strong_count(&token), 1);
    succeed(&users);
    assert_eq!(users.snapshot().totals.success, Some(2));
}

#[test]
fn drop_of_closure_may_call_breakers_and_record() {
    struct CallsOnDrop(CircuitBreaker, BreakerRegistry);
    impl Drop for CallsOnDrop {
        fn drop(&mut self) {
            succeed(&self.0);
            drop(self.1.record_calls(|_| {}));
        }
    }
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let last = CallsOnDrop(users.clone(), registry.clone());
    let recording = registry.record_calls(move |_| {
        let _ = &last;
    });
    succeed(&users);
    drop(recording);
    assert_eq!(users.snapshot().totals.success, Some(2));
}

#[test]
fn ended_recording_drops_its_closure() {
    let registry = BreakerRegistry::new();
    let token = Arc::new(());
    let attach = || {
        let held = token.clone();
        registry.record_calls(move |_| drop(held.clone()))
    };
    let (first, second) = (attach(), attach());
    succeed(&registry.breaker("users"));
    drop(first);
    assert_eq!(Arc::strong_count(&token), 2);
    drop(second);
    assert_eq!(Arc::strong_count(&token), 1);
}

#[test]
fn closure_whose_drop_panics_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let registry = BreakerRegistry::new();
    let bomb = Bomb;
    let recording = registry.record_calls(move |_| {
        let _ = &bomb;
    });
    succeed(&registry.breaker("users"));
    drop(recording);
    succeed(&registry.breaker("users"));
}

#[test]
fn registry_drop_ends_recording() {
    let registry = BreakerRegistry::new();
    let (calls, recording) = record(&registry);
    let users = registry.breaker("users");
    drop(registry);
    succeed(&users);
    assert_eq!(calls.take(), []);
    assert!(format!("{recording:?}").contains("active: false"));
    drop(recording);
}

#[test]
fn concurrent_calls_are_recorded_once() {
    const EACH: usize = 2_000;
    let registry = BreakerRegistry::new();
    let (calls, recording) = record(&registry);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let users = registry.breaker(format!("users-{}", thread % 2));
            scope.spawn(move || (0..EACH).for_each(|_| succeed(&users)));
        }
        // Recordings come and go meanwhile.
        scope.spawn(|| {
            for _ in 0..200 {
                drop(registry.record_calls(|_| {}));
            }
        });
    });
    drop(recording);
    assert_eq!(calls.take().len(), 4 * EACH);
}

#[test]
fn auto_traits_of_recordings() {
    fn assert_shared<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    assert_shared::<CallRecording>();
    assert_unwind_safe::<CallRecording>();
    assert_shared::<CallRecord<'_>>();
    assert_unwind_safe::<CallRecord<'_>>();
    assert_shared::<CallOutcome>();
    assert_unwind_safe::<CallOutcome>();
}
