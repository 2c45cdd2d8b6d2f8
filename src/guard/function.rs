use super::{
    Classify, ClassifyOutput, Ending, FailIf, Flat, FlatInto, Limit, NoFallback, NoTimeout, OrElse,
    Rules, Timeout,
};
use crate::breaker::CircuitBreaker;
use crate::ext::kind::AsyncFn;
use crate::handle::{ByName, Handle};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A function behind a circuit breaker: `call`, `call_mut` or `call_once` it, as it could be called
/// before.
///
/// The calls are listed below for a function of one argument. They take the arguments of the function,
/// of which there may be up to eight.
///
/// A sync function is admitted at the call. An async one is admitted, and called, at the first poll
/// of what the call returned.
///
/// # Errors
///
/// Those of [`WithBreaker`](super::WithBreaker), whose cancel safety and panics calls of an async
/// function share.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// fn parse(text: &str) -> Result<u8, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// let registry = BreakerRegistry::new();
/// let parse = parse.with_breaker(&registry, "parser").fallback(|_: &str| Ok(0));
/// assert_eq!(parse.call("7")?, 7);
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
///
/// `K` is inferred. Where a type is written out, `K` is `parts::kind::SyncFn<N>` or
/// `parts::kind::AsyncFn<N>` for `N` arguments.
#[derive(Clone, Copy)]
#[must_use = "a guarded function does nothing unless called"]
pub struct GuardedFn<F, K, H = ByName, J = Rules, L = NoTimeout, X = NoFallback> {
    pub(crate) function: F,
    pub(crate) handle: H,
    pub(crate) judge: J,
    pub(crate) limit: L,
    pub(crate) ending: X,
    kind: PhantomData<K>,
}

impl<F, K, H: fmt::Debug, J, L, X> fmt::Debug for GuardedFn<F, K, H, J, L, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut guarded = f.debug_struct("GuardedFn");
        guarded
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

impl<F, K, H> GuardedFn<F, K, H> {
    #[inline]
    pub(crate) fn new(function: F, handle: H) -> Self {
        Self {
            function,
            handle,
            judge: Rules,
            limit: NoTimeout,
            ending: NoFallback,
            kind: PhantomData,
        }
    }
}

type ByRef<'a, F, K, J, L, X> =
    GuardedFn<&'a F, K, &'a CircuitBreaker, &'a J, L, <X as Ending>::Ref<'a>>;
type ByMut<'a, F, K, J, L, X> =
    GuardedFn<&'a mut F, K, &'a CircuitBreaker, &'a J, L, <X as Ending>::Mut<'a>>;

impl<F, K, H: Handle, J, L: Limit, X: Ending> GuardedFn<F, K, H, J, L, X> {
    #[inline]
    pub(crate) fn by_ref(&self) -> ByRef<'_, F, K, J, L, X> {
        GuardedFn {
            function: &self.function,
            handle: self.handle.breaker(),
            judge: &self.judge,
            limit: self.limit.clone(),
            ending: self.ending.by_ref(),
            kind: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn by_mut(&mut self) -> ByMut<'_, F, K, J, L, X> {
        GuardedFn {
            function: &mut self.function,
            handle: self.handle.breaker(),
            judge: &self.judge,
            limit: self.limit.clone(),
            ending: self.ending.by_mut(),
            kind: PhantomData,
        }
    }
}

impl<F, K, H, J, L, X> GuardedFn<F, K, H, J, L, X> {
    /// The same function under the same breaker, with these parts changed.
    fn map<I, M, Y>(self, parts: impl FnOnce(J, L, X) -> (I, M, Y)) -> GuardedFn<F, K, H, I, M, Y> {
        let (judge, limit, ending) = parts(self.judge, self.limit, self.ending);
        GuardedFn {
            function: self.function,
            handle: self.handle,
            judge,
            limit,
            ending,
            kind: PhantomData,
        }
    }

    pub(crate) fn ending<Y>(self, ending: impl FnOnce(X) -> Y) -> GuardedFn<F, K, H, J, L, Y> {
        self.map(|judge, limit, old| (judge, limit, ending(old)))
    }

    pub(crate) fn take_ending(self) -> (GuardedFn<F, K, H, J, L>, X) {
        let Self {
            function,
            handle,
            judge,
            limit,
            ending,
            kind,
        } = self;
        (
            GuardedFn {
                function,
                handle,
                judge,
                limit,
                ending: NoFallback,
                kind,
            },
            ending,
        )
    }

    fn judged_by<I>(self, judge: I) -> GuardedFn<F, K, H, I, L, X> {
        self.map(|_, limit, ending| (judge, limit, ending))
    }
}

/// What counts as a failure. The last word wins.
impl<F, K, H, J, L, X> GuardedFn<F, K, H, J, L, X> {
    /// Errors for which `failure` holds are failures, the others unexpected ones. Write the type of
    /// the error: `|error: &io::Error| …`.
    pub fn fail_if<P>(self, failure: P) -> GuardedFn<F, K, H, FailIf<P>, L, X> {
        self.judged_by(FailIf(failure))
    }

    /// Judges the whole result, alone. Write its type: `|result: &Result<User, Error>| …`.
    pub fn classify<C>(self, classify: C) -> GuardedFn<F, K, H, Classify<C>, L, X> {
        self.judged_by(Classify(classify))
    }
}

impl<F, const N: usize, H, J, L, X> GuardedFn<F, AsyncFn<N>, H, J, L, X> {
    /// Judges an output that is no `Result`. Write its type.
    pub fn classify_output<C>(
        self,
        classify: C,
    ) -> GuardedFn<F, AsyncFn<N>, H, ClassifyOutput<C>, L, X> {
        self.judged_by(ClassifyOutput(classify))
    }
}

impl<F, const N: usize, H, J, X> GuardedFn<F, AsyncFn<N>, H, J, NoTimeout, X> {
    /// Drops a call that runs longer than `limit` by tokio's clock.
    ///
    /// # Panics
    ///
    /// As [`WithBreaker::timeout`](super::WithBreaker::timeout).
    pub fn timeout(self, limit: Duration) -> GuardedFn<F, AsyncFn<N>, H, J, Timeout, X> {
        self.map(|judge, NoTimeout, ending| (judge, Timeout::new(limit), ending))
    }
}

impl<F, K, H, J, L> GuardedFn<F, K, H, J, L> {
    /// Answers in the function's stead when the circuit refuses, and only then, from the same
    /// arguments. The error type is the function's own again.
    pub fn fallback<FB>(self, fallback: FB) -> GuardedFn<F, K, H, J, L, OrElse<FB>> {
        self.ending(|NoFallback| OrElse(fallback))
    }

    /// Turns the circuit's errors into the function's own type, which must be `From<BreakerError>`.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, L, Flat<NoFallback>> {
        self.ending(Flat)
    }

    /// Converts all errors to the error type of an application, which must be `From` the function's
    /// error and `From<BreakerError>`.
    pub fn flatten_into<A>(self) -> GuardedFn<F, K, H, J, L, FlatInto<NoFallback, A>> {
        self.ending(FlatInto::new)
    }
}

/// Only with a time limit is there still an error of the breaker's to flatten.
impl<F, K, H, J, FB> GuardedFn<F, K, H, J, Timeout, OrElse<FB>> {
    /// Turns the circuit's errors into the function's.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, Timeout, Flat<OrElse<FB>>> {
        self.ending(Flat)
    }

    /// Converts all errors to the error type of an application.
    pub fn flatten_into<A>(self) -> GuardedFn<F, K, H, J, Timeout, FlatInto<OrElse<FB>, A>> {
        self.ending(FlatInto::new)
    }
}
