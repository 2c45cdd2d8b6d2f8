//! The timeout of an inner breaker is judged as any other error.

use crate::support::{BoxError, FAILURE, Judged, Opaque, judged_by, timeout, unknown};
use breakerbox::{BreakerBuilder, BreakerError, CallTimeout};
use std::fmt::{self, Debug};
use std::io;
use std::sync::Arc;
use std::time::Duration;

type Breaker<E> = BreakerError<E>;

#[track_caller]
fn assert_failure<E: Debug + 'static>(error: impl Fn() -> E) {
    let carrier = std::any::type_name::<E>();
    assert_eq!(judged_by(|b| b, error()), FAILURE, "{carrier}");
    let naming = |b: BreakerBuilder| {
        b.expected_error_if(|e: &CallTimeout| e.limit() == Duration::from_secs(1))
    };
    assert_eq!(judged_by(naming, error()), FAILURE, "{carrier}");
}

#[test]
fn inner_timeout_is_found_in_every_carrier() {
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
fn inner_timeout_that_no_rule_names_is_unknown() {
    fn expecting<E: Debug + 'static>(error: E) -> Judged {
        judged_by(BreakerBuilder::expected_error::<fmt::Error>, error)
    }
    let typed = Breaker::<Opaque>::from(timeout());
    assert_eq!(expecting(typed), unknown::<Breaker<Opaque>>());
    assert_eq!(expecting(timeout()), unknown::<CallTimeout>());
}
