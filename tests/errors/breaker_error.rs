//! `BreakerError`: accessors, conversions and formatting.

use crate::support::{
    AppError, BoxError, Opaque, breaker, open, refusal, refused_io, refusing, timeout,
};
use breakerbox::{BreakerError, CallTimeout, CircuitBreaker, CircuitOpen};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

type Breaker<E> = BreakerError<E>;
type Nested<E> = Breaker<Breaker<Breaker<Breaker<Breaker<E>>>>>;

fn nested<E>(error: Breaker<E>) -> Nested<E> {
    Breaker::Inner(Breaker::Inner(Breaker::Inner(Breaker::Inner(error))))
}

/// Returns a refusal whose `retry_after` is about an hour.
fn refusal_for_an_hour() -> CircuitOpen {
    let breaker = breaker();
    breaker.trip_for(Duration::from_secs(3600));
    breaker.try_acquire().expect_err("a refusal")
}

#[test]
fn variants_can_be_matched_exhaustively() {
    fn status(error: &BreakerError<Opaque>) -> u16 {
        match error {
            BreakerError::Open(_) => 503,
            BreakerError::TimedOut(_) => 504,
            BreakerError::Inner(_) => 502,
        }
    }
    assert_eq!(status(&refusal()), 503);
    assert_eq!(status(&timeout().into()), 504);
    assert_eq!(status(&BreakerError::Inner(Opaque)), 502);
}

#[test]
fn accessors_look_inside_nested_refusals() {
    let error = Breaker::Inner(Breaker::<Opaque>::from(refusal_for_an_hour()));
    assert!(error.is_open() && !error.is_timed_out());
    assert!(error.inner().is_none());
    assert!(error.retry_after() > Some(Duration::from_secs(3590)));
    assert!(error.into_inner().is_none());

    let error = nested(Breaker::<Opaque>::from(refusal_for_an_hour()));
    assert!(error.is_open() && !error.is_timed_out());
    assert!(error.inner().is_none());
    assert!(error.retry_after() > Some(Duration::from_secs(3590)));
    assert!(error.into_inner().is_none());

    assert!(Breaker::Inner(Box::new(refusal::<Opaque>())).is_open());
    assert!(Breaker::Inner(Rc::new(refusal::<Rc<u8>>())).is_open());
    assert!(Breaker::Inner(open()).is_open());
    assert_eq!(nested(refusal::<&str>()).retry_after(), None);
}

#[test]
fn accessors_look_inside_nested_timeouts() {
    let error = nested(Breaker::<Opaque>::from(timeout()));
    assert!(error.is_timed_out() && !error.is_open());
    assert!(error.inner().is_none());
    assert!(error.retry_after().is_none());
    assert!(error.into_inner().is_none());
}

#[test]
fn inner_returns_error_at_any_depth() {
    let error = nested(Breaker::Inner(7));
    assert!(!error.is_open() && !error.is_timed_out());
    assert!(error.retry_after().is_none());
    assert_eq!(
        error
            .inner()
            .unwrap()
            .inner()
            .unwrap()
            .inner()
            .unwrap()
            .inner()
            .unwrap()
            .inner(),
        Some(&7)
    );
    let error = error.into_inner().unwrap().into_inner().unwrap();
    assert!(error.into_inner().is_some());
    let text = String::from("borrowed");
    assert_eq!(Breaker::Inner(text.as_str()).inner(), Some(&"borrowed"));
}

#[test]
fn stacked_breakers_distinguish_refusals_from_errors() {
    let (inner, middle, outer) = (refusing(), breaker(), breaker());
    let call = |work: fn() -> io::Result<()>| outer.call(|| middle.call(|| inner.call(work)));
    assert!(call(|| Ok(())).is_err_and(|error| error.is_open()));
    inner.reset();
    let error = call(|| Err(refused_io())).unwrap_err();
    assert!(!error.is_open() && error.inner().is_some());
}

#[test]
fn source_returns_error_of_each_variant() {
    let error = Breaker::<io::Error>::from(open());
    assert!(error.source().unwrap().is::<CircuitOpen>());
    let error = Breaker::<io::Error>::from(timeout());
    assert!(error.source().unwrap().is::<CallTimeout>());
    let error = Breaker::Inner(refused_io());
    assert!(error.source().unwrap().is::<io::Error>());
    let error: BreakerError = open().into();
    assert!(error.source().unwrap().is::<CircuitOpen>());
    let error = Breaker::Inner(Breaker::<io::Error>::from(open()));
    let inner = error.source().and_then(Error::source).unwrap();
    assert!(inner.is::<CircuitOpen>());
}

#[test]
fn display_forwards_formatter_flags() {
    let breaker = CircuitBreaker::builder()
        .failure_threshold(1)
        .build()
        .unwrap();
    drop(breaker.call(|| Err::<(), _>("down")));
    let error = breaker.call(|| Ok::<(), &str>(())).unwrap_err();
    assert!(!error.to_string().contains("down"));
    assert!(format!("{error:#}").ends_with("(1 failure, last: \"down\")"));
    let nested = Breaker::Inner(error);
    assert!(format!("{nested:#}").ends_with("(1 failure, last: \"down\")"));
    assert_eq!(format!("{:>6}", Breaker::Inner("down")), "  down");
    assert_eq!(format!("{:.2}", Breaker::Inner(1.0)), "1.00");
    let timeout = Breaker::<u8>::from(timeout());
    assert_eq!(
        timeout.to_string(),
        "the call to \"unnamed\" took longer than 1s"
    );
}

#[test]
fn debug_shows_variant() {
    let inner = Breaker::Inner("down");
    assert_eq!(format!("{inner:?}"), "Inner(\"down\")");
    assert!(format!("{:?}", refusal::<u8>()).starts_with("Open(CircuitOpen { name: \"unnamed\""));
    let timeout = Breaker::<u8>::from(timeout());
    assert_eq!(
        format!("{timeout:?}"),
        "TimedOut(CallTimeout(Overrun { name: \"unnamed\", limit: 1s, idle: false }))"
    );
    assert!(timeout.is_timed_out());
    assert!(format!("{timeout:#?}").contains("limit: 1s"));
}

#[test]
fn flatten_converts_circuit_errors() {
    let flat: BoxError = Breaker::Inner(BoxError::from("down")).flatten();
    assert_eq!(flat.to_string(), "down");
    let flat: BoxError = Breaker::<BoxError>::from(open()).flatten();
    assert!(flat.is::<BreakerError>());
    let flat: io::Error = Breaker::<io::Error>::from(timeout()).flatten();
    assert_eq!(flat.kind(), ErrorKind::TimedOut);
    let flat: BreakerError = Breaker::Inner(BreakerError::from(open())).flatten();
    assert!(flat.is_open());
}

#[test]
fn flatten_into_converts_every_error() {
    let app: AppError = Breaker::Inner(refused_io()).flatten_into();
    assert!(matches!(app, AppError::Io(_)));
    let app = Breaker::<io::Error>::from(open()).flatten_into::<AppError>();
    assert!(matches!(app, AppError::Circuit(BreakerError::Open(_))));
    let app = Breaker::<io::Error>::from(timeout()).flatten_into::<AppError>();
    assert!(matches!(app, AppError::Circuit(BreakerError::TimedOut(_))));
    let app = nested(refusal::<io::Error>()).flatten_into::<AppError>();
    assert!(matches!(app, AppError::Circuit(BreakerError::Open(_))));
    let app = nested(Breaker::Inner(refused_io())).flatten_into::<AppError>();
    assert!(matches!(app, AppError::Io(_)));
}

#[test]
fn map_inner_converts_only_guarded_error() {
    let error = Breaker::Inner(7).map_inner(|n| n + 1);
    assert!(matches!(error, Breaker::Inner(8)));
    let mapped = refusal::<u8>().map_inner(|_| -> String { unreachable!("no inner error") });
    assert!(matches!(mapped, BreakerError::Open(_)));
    let mapped = Breaker::<u8>::from(timeout()).map_inner(|_| Opaque);
    assert!(matches!(mapped, BreakerError::TimedOut(_)));
}

#[test]
fn io_error_keeps_original_error() {
    let error = io::Error::from(refusal());
    assert_eq!(error.kind(), ErrorKind::Other);
    let original = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<BreakerError>());
    assert!(original.is_some_and(BreakerError::is_open));
    let error = io::Error::from(BreakerError::from(timeout()));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let original = error
        .get_ref()
        .and_then(|e| e.downcast_ref::<BreakerError>());
    assert!(original.is_some_and(BreakerError::is_timed_out));
    let kind = |kind: &ErrorKind| io::Error::from(refusal()).kind() == *kind;
    assert!(
        ![ErrorKind::Interrupted, ErrorKind::WouldBlock]
            .iter()
            .any(kind)
    );
}
