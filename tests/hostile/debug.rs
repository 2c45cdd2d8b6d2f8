//! Errors whose `Debug` is verbose, re-entrant or panics, and errors of unusual size.

use super::breaker;
use breakerbox::prelude::*;
use std::cell::Cell;
use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Bytes of a failure text that a breaker keeps.
const KEPT: usize = 128;
const MEGABYTE: usize = 1 << 20;

thread_local! {
    static WRITTEN: Cell<usize> = const { Cell::new(0) };
}

/// Writes ten megabytes, a kilobyte at a time, and stops at the first error.
struct Verbose;

impl fmt::Debug for Verbose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..10 * 1_024 {
            WRITTEN.set(WRITTEN.get() + 1_024);
            f.write_str(&"é".repeat(512))?;
        }
        Ok(())
    }
}

/// Writes ten megabytes, and ignores the errors of the formatter.
struct IgnoresErrors;

impl fmt::Debug for IgnoresErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for _ in 0..10 * 1_024 {
            let _ = f.write_str(&"x".repeat(1_024));
        }
        Ok(())
    }
}

fn expect_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

/// Fails once in each form: a closure, a function, a future, an async function, a permit.
fn fail_in_every_form<E: fmt::Debug + 'static>(breaker: &CircuitBreaker, error: impl Fn() -> E) {
    let failed = |result: Result<(), BreakerError<E>>| {
        assert!(result.is_err_and(|error| error.into_inner().is_some()));
    };
    let fails = || Err::<(), E>(error());
    failed(breaker.call(fails));
    failed(fails.guarded_by(breaker).call());
    failed(expect_ready(async { fails() }.guarded_by(breaker)));
    failed(expect_ready((async || fails()).guarded_by(breaker).call()));
    breaker
        .try_acquire()
        .expect("closed")
        .record_result(&fails());
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.failure, totals.ignored, totals.cancelled),
        (5, 0, 0)
    );
    assert_eq!(breaker.failure_count(), 5);
}

/// Creates a breaker that stays closed for five failures.
fn tolerant_breaker() -> CircuitBreaker {
    let builder = CircuitBreaker::builder().failure_threshold(6);
    builder.build().expect("valid")
}

#[test]
fn verbose_debug_is_stopped_early() {
    let breaker = tolerant_breaker();
    WRITTEN.set(0);
    fail_in_every_form(&breaker, || Verbose);
    assert_eq!(WRITTEN.get(), 5 * 1_024, "stopped after the first kilobyte");
    let text = breaker.last_failure().expect("kept");
    assert_eq!((text.len(), &text[..4]), (KEPT, "éé"));
}

#[test]
fn debug_ignoring_errors_is_truncated() {
    let breaker = tolerant_breaker();
    fail_in_every_form(&breaker, || IgnoresErrors);
    assert_eq!(breaker.last_failure().expect("kept").len(), KEPT);
    breaker.trip();
    let refused = breaker.try_acquire().expect_err("open");
    assert!(format!("{refused:#}").len() < 2 * KEPT + 100);
    assert!(!format!("{refused}").contains("xxx"));
    assert!(breaker.snapshot().to_string().len() < 1_000);
}

#[test]
fn debug_is_not_called_without_capture() {
    let builder = CircuitBreaker::builder().capture_last_failure(false);
    let breaker = builder.failure_threshold(6).build().expect("valid");
    WRITTEN.set(0);
    fail_in_every_form(&breaker, || Verbose);
    assert_eq!((WRITTEN.get(), breaker.last_failure()), (0, None));
}

struct PanickingDebug;

impl fmt::Debug for PanickingDebug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a text")?;
        panic!("the Debug panicked");
    }
}

#[test]
fn panicking_debug_keeps_outcome_in_every_form() {
    let breaker = tolerant_breaker();
    fail_in_every_form(&breaker, || PanickingDebug);
    let text = breaker.last_failure().expect("kept");
    assert_eq!(&*text, "half a text (Debug panicked)");
}

/// Uses its own breaker while the breaker formats it.
struct Reentrant(CircuitBreaker);

impl fmt::Debug for Reentrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = self.0.call(|| Ok::<(), fmt::Error>(()));
        let _ = self.0.try_acquire();
        self.0.trip();
        self.0.reset();
        write!(f, "{} {:?}", self.0.snapshot(), self.0.last_failure())
    }
}

#[test]
fn debug_can_call_its_breaker() {
    let breaker = breaker();
    let result = breaker.call(|| Err::<(), _>(Reentrant(breaker.clone())));
    assert!(result.is_err_and(|error| error.into_inner().is_some()));
    let totals = breaker.snapshot().totals;
    // The reset began a new closed period during the call, so its outcome is late.
    assert_eq!((totals.failure, totals.late), (0, 1), "{totals:?}");
    assert_eq!(breaker.state(), State::Closed);
    assert!(breaker.call(|| Err::<(), _>("down")).is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn zero_sized_errors_count_like_others() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Nothing;
    assert_eq!(size_of::<Nothing>(), 0);
    let breaker = tolerant_breaker();
    fail_in_every_form(&breaker, || Nothing);
    assert_eq!(breaker.last_failure().as_deref(), Some("Nothing"));
    let unit = tolerant_breaker();
    fail_in_every_form(&unit, || ());
    assert_eq!(unit.last_failure().as_deref(), Some("()"));
}

#[test]
#[allow(clippy::large_stack_arrays, clippy::result_large_err)] // this test is about large errors
fn huge_errors_are_returned_but_not_kept() {
    // By value, on a stack that can hold several values.
    #[derive(Debug)]
    struct Huge([u8; MEGABYTE]);
    let thread = std::thread::Builder::new().stack_size(128 * MEGABYTE);
    let by_value = thread.spawn(|| {
        let breaker = tolerant_breaker();
        fail_in_every_form(&breaker, || Huge([7; MEGABYTE]));
        let result = breaker.call(|| Err::<(), _>(Huge([8; MEGABYTE])));
        let error = result
            .expect_err("failed")
            .into_inner()
            .expect("the error of the call");
        assert!(error.0.iter().all(|byte| *byte == 8));
        assert_eq!(breaker.state(), State::Open);
        breaker.last_failure().map_or(0, |text| text.len())
    });
    assert!(by_value.expect("spawned").join().expect("no overflow") <= KEPT);

    // On the heap: the caller gets the same allocation back.
    let breaker = tolerant_breaker();
    let text = "y".repeat(10 * MEGABYTE);
    let address = text.as_ptr();
    let result = breaker.call(move || Err::<(), _>(text));
    let text = result
        .expect_err("failed")
        .into_inner()
        .expect("the error of the call");
    assert_eq!((text.as_ptr(), text.len()), (address, 10 * MEGABYTE));
    assert!(breaker.last_failure().expect("kept").len() <= KEPT);
}

/// An error whose `Debug` disables the capture of failure texts.
struct DisablesCapture(CircuitBreaker);

impl fmt::Debug for DisablesCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let configured = self.0.configure(|b| b.capture_last_failure(false));
        configured.expect("valid settings");
        f.write_str("secret")
    }
}

#[test]
fn capture_disabled_during_failure_discards_its_text() {
    let breaker = tolerant_breaker();
    let _ = breaker.call(|| Err::<(), _>(DisablesCapture(breaker.clone())));
    assert_eq!(breaker.failure_count(), 1);
    assert_eq!(breaker.last_failure(), None);
}

type Change = fn(BreakerBuilder) -> BreakerBuilder;

/// An error whose `Debug` changes the settings of its breaker.
struct Reconfiguring(CircuitBreaker, Change);

impl fmt::Debug for Reconfiguring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.configure(self.1).expect("valid settings");
        f.write_str("secret")
    }
}

/// Creates breakers that record the next failure on different code paths.
fn breakers_of_every_code_path(settings: &BreakerBuilder) -> [CircuitBreaker; 5] {
    let window = TripRule::failures(2).over(Window::calls(10));
    let closed = settings.clone().failure_threshold(2);
    let [counting, tripping, windowed] = [
        closed.clone(),
        closed.failure_threshold(1),
        settings.clone().trip_rules([window]),
    ]
    .map(|settings| settings.build().expect("valid"));
    let [reopening, undecided] = [1, 2].map(|trials| {
        let settings = settings.clone().half_open_calls(trials);
        let breaker = settings.success_threshold(1).build().expect("valid");
        breaker.half_open();
        breaker
    });
    [counting, tripping, windowed, reopening, undecided]
}

/// Settings before and after the redaction changes.
const REDACTIONS: [[Change; 2]; 2] = [
    [|b| b, |b| b.redact_last_failure(|_| "hidden".into())],
    [
        |b| b.redact_last_failure(str::to_owned),
        |b| b.redact_last_failure(|_| "hidden".into()),
    ],
];

#[test]
fn configure_with_other_redaction_discards_old_text() {
    for [before, after] in REDACTIONS {
        for breaker in breakers_of_every_code_path(&before(CircuitBreaker::builder())) {
            let _ = breaker.call(|| Err::<(), _>("secret"));
            assert_eq!(breaker.last_failure().as_deref(), Some("\"secret\""));
            breaker.configure(after).expect("valid settings");
            let snapshot = breaker.snapshot();
            assert_eq!((snapshot.failure_count, snapshot.last_failure), (1, None));
            assert_eq!(breaker.last_failure(), None);
            if let Err(refused) = breaker.try_acquire() {
                assert_eq!(refused.last_failure(), None);
            }
            breaker.reset();
            let _ = breaker.call(|| Err::<(), _>("secret"));
            assert_eq!(breaker.last_failure().as_deref(), Some("hidden"));
        }
    }
}

#[test]
fn configure_with_same_redaction_keeps_text() {
    let redacted = CircuitBreaker::builder().redact_last_failure(|_| "hidden".into());
    for (settings, text) in [
        (CircuitBreaker::builder(), "\"secret\""),
        (redacted, "hidden"),
    ] {
        for breaker in breakers_of_every_code_path(&settings) {
            let _ = breaker.call(|| Err::<(), _>("secret"));
            let longer = |b: BreakerBuilder| b.recovery_timeout(Duration::from_secs(60));
            breaker.configure(longer).expect("valid settings");
            assert_eq!(breaker.last_failure().as_deref(), Some(text));
        }
    }
}

#[test]
fn redaction_changed_during_failure_discards_its_text() {
    for [before, after] in REDACTIONS {
        for breaker in breakers_of_every_code_path(&before(CircuitBreaker::builder())) {
            let _ = breaker.call(|| Err::<(), _>(Reconfiguring(breaker.clone(), after)));
            assert_eq!(breaker.snapshot().totals.failure, 1);
            assert_eq!((breaker.failure_count(), breaker.last_failure()), (1, None));
        }
    }
}

#[test]
fn other_setting_changed_during_failure_keeps_text() {
    for breaker in breakers_of_every_code_path(&CircuitBreaker::builder()) {
        let error = Reconfiguring(breaker.clone(), |b| {
            b.recovery_timeout(Duration::from_secs(60))
        });
        let _ = breaker.call(|| Err::<(), _>(error));
        assert_eq!(breaker.last_failure().as_deref(), Some("secret"));
    }
}
