//! [`ClassifyResponse`]: a classifier for responses.

use crate::breaker::CircuitBreaker;
use crate::classifier::{Classification, Classifier};
use crate::classify::Outcome;
use std::fmt::{self, Debug};

/// Classifies responses with a closure, and errors with the rules of the breaker.
///
/// Set by [`BreakerLayer::classify_response`](super::BreakerLayer::classify_response).
#[derive(Clone, Copy)]
pub struct ClassifyResponse<C>(pub(super) C);

impl<T, E: Debug + 'static, C: Fn(&T) -> Outcome> Classifier<Result<T, E>> for ClassifyResponse<C> {
    type Ok = T;
    type Err = E;

    const OK_IS_SUCCESS: bool = false;

    fn into_result(out: Result<T, E>) -> Result<T, E> {
        out
    }

    fn classify<'a>(
        &self,
        result: &'a Result<T, E>,
        breaker: &CircuitBreaker,
    ) -> Classification<'a> {
        match result {
            Ok(response) => Classification::new((self.0)(response)),
            Err(error) => Classification::of_error(error, None, breaker),
        }
    }
}

impl<C> Debug for ClassifyResponse<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClassifyResponse")
    }
}
