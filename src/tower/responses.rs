use crate::breaker::CircuitBreaker;
use crate::classify::Outcome;
use crate::guard::{Judge, Judgement, Rules};
use std::fmt::{self, Debug};

/// Judges responses by a closure, and leaves errors to the breaker's rules; made by
/// [`BreakerLayer::classify_response`](super::BreakerLayer::classify_response).
#[derive(Clone, Copy)]
pub struct ClassifyResponse<C>(pub(super) C);

impl<T, E: Debug + 'static, C: Fn(&T) -> Outcome> Judge<Result<T, E>> for ClassifyResponse<C> {
    type Ok = T;
    type Err = E;

    fn judge<'a>(&self, out: &'a Result<T, E>, breaker: &CircuitBreaker) -> Judgement<'a> {
        match out {
            Ok(response) => Judgement::that((self.0)(response)),
            Err(_) => Rules.judge(out, breaker),
        }
    }

    fn split(out: Result<T, E>) -> Result<T, E> {
        out
    }
}

impl<C> Debug for ClassifyResponse<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClassifyResponse")
    }
}
