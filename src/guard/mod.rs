//! What `with_breaker` and `guarded_by` return.
//!
//! One file a combinator: [`WithBreaker`] guards a future, [`GuardedFn`] a function (a call of an
//! async one is a [`WithBreaker`] around a [`Lazy`] call), [`Fallback`] answers for a circuit that
//! is open, [`Timeout`] limits the time, [`FlattenErr`] turns the circuit's errors into the
//! caller's, [`FlattenInto`] all errors into those of an application. A call's passage through its
//! breaker, whatever the way in, is one `Attempt`.

mod arity;
mod attempt;
mod ending;
mod fallback;
mod flatten_err;
mod flatten_into;
mod function;
mod future;
mod judge;
mod lazy;
mod nested;
mod timeout;

pub(crate) use attempt::{Attempt, Passed, admit, admit_inside, call, try_admit};
pub use ending::{Answer, AsyncFallback, Ending, Flat, FlatInto, NoFallback, OrElse, SyncFallback};
pub use fallback::{Fallback, FallbackFuture, OnArgs, OnOpen, Rescue};
pub use flatten_err::FlattenErr;
pub use flatten_into::FlattenInto;
pub use function::GuardedFn;
pub use future::WithBreaker;
pub(crate) use judge::ErrorsByRules;
pub use judge::{Classify, ClassifyOutput, FailIf, Judge, Judgement, ResultLike, Rules};
pub use lazy::Lazy;
pub(crate) use nested::warn_if_nested;
pub use timeout::{Limit, NoTimeout, Timeout};
