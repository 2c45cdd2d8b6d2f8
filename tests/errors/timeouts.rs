//! The timeout of an inner breaker is classified like any other error.

use crate::support::{BoxError, Classified, FAILURE, Opaque, classify_with, timeout, unknown};
use breakerbox::{BreakerBuilder, BreakerError, CallTimeout};
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;
use std::time::Duration;

type Breaker<E> = BreakerError<E>;

#[track_caller]
fn assert_failure<E: Debug + 'static>(error: impl Fn() -> E) {
    let type_name = std::any::type_name::<E>();
    assert_eq!(classify_with(|b| b, error()), FAILURE, "{type_name}");
    let naming = |b: BreakerBuilder| {
        b.expected_error_if(|e: &CallTimeout| e.limit() == Duration::from_secs(1))
    };
    assert_eq!(classify_with(naming, error()), FAILURE, "{type_name}");
}

#[test]
fn inner_timeout_is_found_inside_wrappers() {
    assert_failure(timeout);
    assert_failure(|| Breaker::<Opaque>::from(timeout()));
    assert_failure(|| Breaker::<std::convert::Infallible>::from(timeout()));
    assert_failure(|| Breaker::Inner(Breaker::<Opaque>::from(timeout())));
    assert_failure(|| Arc::new(Breaker::<Opaque>::from(timeout())));
    assert_failure(|| BoxError::from(Breaker::<io::Error>::from(timeout())));
    assert_failure(|| io::Error::from(BreakerError::from(timeout())));
    assert_failure(|| Breaker::Inner(BoxError::from(timeout())));
}

#[test]
fn unnamed_inner_timeout_is_unknown() {
    fn expecting<E: Debug + 'static>(error: E) -> Classified {
        classify_with(BreakerBuilder::expected_error::<fmt::Error>, error)
    }
    let typed = Breaker::<Opaque>::from(timeout());
    assert_eq!(expecting(typed), unknown::<Breaker<Opaque>>());
    assert_eq!(expecting(timeout()), unknown::<CallTimeout>());
}
