//! Conversions of `AllOpen`, its text, and its recognition as a refusal.

use crate::refusals::assert_ignored;
use crate::support::{AppError, BoxError, Opaque, Wrapper, breaker, refusing};
use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// The refusal by a breaker that is forced open and by one that is open.
fn all_open() -> AllOpen {
    let clock = ManualClock::new();
    let [forced, open] = ["forced", "open"].map(|name| {
        let settings = CircuitBreaker::builder().name(name).clock(clock.clone());
        settings.build().unwrap()
    });
    forced.force_open();
    open.trip_for(9 * SECOND);
    first_ready([forced, open]).unwrap_err()
}

fn none() -> AllOpen {
    first_ready::<CircuitBreaker>([]).unwrap_err()
}

#[test]
fn typed_all_open_is_ignored() {
    assert_ignored(all_open);
    assert_ignored(none);
    assert_ignored(|| BreakerError::Inner(all_open()));
    assert_ignored(|| BreakerError::Inner(BreakerError::Inner(none())));
    assert_ignored(|| Box::new(all_open()));
    assert_ignored(|| Rc::new(BreakerError::Inner(Arc::new(all_open()))));
    assert_ignored(|| BreakerError::<Opaque>::from(all_open()));
    assert_ignored(|| BreakerError::<Opaque>::from(none()));
    assert_ignored(|| CircuitOpen::from(all_open()));
}

#[test]
fn boxed_all_open_is_ignored() {
    assert_ignored(|| -> BoxError { all_open().into() });
    assert_ignored(|| -> BoxError { none().into() });
    assert_ignored(|| -> Box<dyn Error> { Box::new(Arc::new(all_open())) });
    assert_ignored(|| -> Arc<dyn Error + Send + Sync> { Arc::new(all_open()) });
    assert_ignored(|| BreakerError::Inner(BoxError::from(none())));
    assert_ignored(|| io::Error::from(all_open()));
    assert_ignored(|| io::Error::other(io::Error::from(none())));
    assert_ignored(|| {
        let source = all_open().into();
        BoxError::from(Wrapper { source })
    });
    assert_ignored(|| BoxError::from(AppError::Circuit(all_open().into())));
}

#[cfg(feature = "anyhow")]
#[test]
fn all_open_in_anyhow_error_is_ignored() {
    assert_ignored(|| anyhow::Error::from(all_open()));
    assert_ignored(|| anyhow::Error::from(none()).context("while fetching"));
    assert_ignored(|| BreakerError::Inner(anyhow::Error::from(all_open())));
}

#[cfg(feature = "http")]
#[test]
fn http_classification_ignores_all_open() {
    use breakerbox::http::{grpc, judge_response, judge_result, unavailable};
    use http::Response;

    let result = Err::<Response<()>, _>(all_open());
    assert_eq!(judge_result(&result), Outcome::Ignored);
    assert_eq!(grpc::judge_result(&result), Outcome::Ignored);
    let response: Response<String> = unavailable(all_open().into());
    assert_eq!(response.headers()["retry-after"], "9");
    assert_eq!(judge_response(&response), Outcome::Ignored);
    let response: Response<String> = unavailable(none().into());
    assert!(response.headers().get("retry-after").is_none());
}

#[test]
fn is_refusal_recognises_all_open() {
    #[derive(Debug, thiserror::Error)]
    #[error(transparent)]
    struct Transparent(#[from] AllOpen);

    for all in [all_open(), none()] {
        assert!(is_refusal(&all));
        assert!(is_refusal(&io::Error::from(all.clone())));
        assert!(is_refusal(&Transparent::from(all)));
    }
}

#[test]
fn source_is_refusal_that_ends_soonest() {
    let all = all_open();
    let source = all.source().unwrap().downcast_ref::<CircuitOpen>().unwrap();
    assert_eq!(source.name(), "open");
    assert!(
        none()
            .source()
            .is_some_and(|source| !source.is::<CircuitOpen>())
    );
}

#[test]
fn question_mark_converts_all_open() {
    fn boxed() -> Result<(), Box<dyn Error>> {
        Err(all_open())?
    }
    fn any() -> anyhow::Result<()> {
        Err(all_open())?
    }
    fn input_output() -> io::Result<()> {
        Err(all_open())?
    }
    fn circuit() -> Result<(), BreakerError> {
        Err(all_open())?
    }
    fn guarded() -> Result<(), BreakerError<io::Error>> {
        Err(all_open())?
    }
    fn open() -> Result<(), CircuitOpen> {
        Err(all_open())?
    }
    assert!(boxed().unwrap_err().is::<AllOpen>());
    assert!(any().unwrap_err().is::<AllOpen>());
    let error = input_output().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert!(error.get_ref().unwrap().is::<AllOpen>());
    assert_eq!(circuit().unwrap_err().retry_after(), Some(9 * SECOND));
    assert!(guarded().unwrap_err().is_open());
    assert_eq!(open().unwrap_err().name(), "open");
}

#[test]
fn nested_all_open_is_open_with_its_time() {
    let outer = breaker();
    let error = outer.call(|| Err::<(), _>(all_open())).unwrap_err();
    assert!(error.is_open() && !error.is_timed_out());
    assert_eq!(error.retry_after(), Some(9 * SECOND));
    assert!(error.inner().is_none());
    let error = outer.call(|| Err::<(), _>(none())).unwrap_err();
    assert!(error.is_open());
    assert_eq!(error.retry_after(), None);
}

#[test]
fn refusal_without_circuit_names_none() {
    let open = CircuitOpen::from(none());
    assert_eq!((open.name(), open.reason()), ("", Refusal::Forced));
    assert_eq!((open.retry_after(), open.last_failure()), (None, None));
    assert_eq!(open.failure_count(), 0);
    let text = "there is no circuit breaker to choose from";
    assert_eq!(
        (open.to_string(), none().to_string()),
        (text.into(), text.into())
    );
    // A breaker may have an empty name, if the registry does not keep it.
    let unnamed = BreakerRegistry::new().breaker("");
    unnamed.force_open();
    let open = unnamed.try_acquire().unwrap_err();
    assert_eq!(open.to_string(), "circuit \"\" is forced open");
    drop(unnamed);
    assert_eq!(open.to_string(), "circuit \"\" is forced open");
}

#[test]
fn text_names_at_most_five_circuits() {
    let text = all_open().to_string();
    assert_eq!(
        text,
        "all 2 circuits refuse calls: \"forced\", \"open\"; try again in 9.0s"
    );

    let many: Vec<_> = (0..7)
        .map(|number| {
            let named = CircuitBreaker::builder().name(format!("n{number}"));
            let breaker = named.build().unwrap();
            breaker.force_open();
            breaker
        })
        .collect();
    let text = |count: usize| first_ready(&many[..count]).unwrap_err().to_string();
    assert_eq!(text(1), "circuit \"n0\" is forced open");
    let five = r#"circuits refuse calls: "n0", "n1", "n2", "n3", "n4""#;
    assert_eq!(text(5), format!("all 5 {five}"));
    assert_eq!(text(6), format!("all 6 {five} and 1 more"));
    assert_eq!(text(7), format!("all 7 {five} and 2 more"));
}

#[test]
fn alternate_text_describes_each_circuit() {
    let failing = CircuitBreaker::builder().name("users").failure_threshold(1);
    let failing = failing.clock(ManualClock::new()).build().unwrap();
    let _ = failing.call(|| Err::<(), _>("refused"));
    let text = format!("{:#}", first_ready([&failing, &refusing()]).unwrap_err());
    assert_eq!(
        text,
        "all 2 circuits refuse calls: circuit \"users\" is open for another 30.0s (1 failure, last: \
         \"refused\"), circuit \"unnamed\" is forced open; try again in 30.0s"
    );
}

#[test]
fn debug_shows_each_refusal() {
    let text = format!("{:?}", all_open());
    assert!(
        text.starts_with("AllOpen([CircuitOpen { name: \"forced\""),
        "{text}"
    );
    assert_eq!(format!("{:?}", none()), "AllOpen([])");
}
