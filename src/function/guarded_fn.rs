//! [`GuardedFn`]: a function behind a circuit breaker.

use super::{FallbackPolicy, Flattened, FlattenedInto, NoFallback, WithFallback};
use crate::breaker::CircuitBreaker;
use crate::classifier::{Classify, ClassifyOutput, DefaultClassifier, FailIf};
use crate::ext::kind::AsyncFn;
use crate::future::{Limit, NoTimeout, Timeout};
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
/// Those of [`WithBreaker`](crate::WithBreaker), whose cancel safety and panics calls of an async
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
pub struct GuardedFn<F, K, H = ByName, J = DefaultClassifier, L = NoTimeout, X = NoFallback> {
    pub(crate) function: F,
    pub(crate) handle: H,
    pub(crate) classifier: J,
    pub(crate) limit: L,
    pub(crate) policy: X,
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
            classifier: DefaultClassifier,
            limit: NoTimeout,
            policy: NoFallback,
            kind: PhantomData,
        }
    }
}

type ByRef<'a, F, K, J, L, X> =
    GuardedFn<&'a F, K, &'a CircuitBreaker, &'a J, L, <X as FallbackPolicy>::Ref<'a>>;
type ByMut<'a, F, K, J, L, X> =
    GuardedFn<&'a mut F, K, &'a CircuitBreaker, &'a J, L, <X as FallbackPolicy>::Mut<'a>>;

impl<F, K, H: Handle, J, L: Limit, X: FallbackPolicy> GuardedFn<F, K, H, J, L, X> {
    #[inline]
    pub(crate) fn by_ref(&self) -> ByRef<'_, F, K, J, L, X> {
        GuardedFn {
            function: &self.function,
            handle: self.handle.breaker(),
            classifier: &self.classifier,
            limit: self.limit.clone(),
            policy: self.policy.by_ref(),
            kind: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn by_mut(&mut self) -> ByMut<'_, F, K, J, L, X> {
        GuardedFn {
            function: &mut self.function,
            handle: self.handle.breaker(),
            classifier: &self.classifier,
            limit: self.limit.clone(),
            policy: self.policy.by_mut(),
            kind: PhantomData,
        }
    }
}

impl<F, K, H, J, L, X> GuardedFn<F, K, H, J, L, X> {
    /// The same function under the same breaker, with these parts changed.
    fn map<I, M, Y>(self, parts: impl FnOnce(J, L, X) -> (I, M, Y)) -> GuardedFn<F, K, H, I, M, Y> {
        let (classifier, limit, policy) = parts(self.classifier, self.limit, self.policy);
        GuardedFn {
            function: self.function,
            handle: self.handle,
            classifier,
            limit,
            policy,
            kind: PhantomData,
        }
    }

    pub(crate) fn policy<Y>(self, policy: impl FnOnce(X) -> Y) -> GuardedFn<F, K, H, J, L, Y> {
        self.map(|classifier, limit, old| (classifier, limit, policy(old)))
    }

    pub(crate) fn take_policy(self) -> (GuardedFn<F, K, H, J, L>, X) {
        let Self {
            function,
            handle,
            classifier,
            limit,
            policy,
            kind,
        } = self;
        (
            GuardedFn {
                function,
                handle,
                classifier,
                limit,
                policy: NoFallback,
                kind,
            },
            policy,
        )
    }

    fn classified_by<I>(self, classifier: I) -> GuardedFn<F, K, H, I, L, X> {
        self.map(|_, limit, policy| (classifier, limit, policy))
    }
}

/// What counts as a failure. The last word wins.
impl<F, K, H, J, L, X> GuardedFn<F, K, H, J, L, X> {
    /// Errors for which `failure` holds are failures, the others unexpected ones. Write the type of
    /// the error: `|error: &io::Error| …`.
    pub fn fail_if<P>(self, failure: P) -> GuardedFn<F, K, H, FailIf<P>, L, X> {
        self.classified_by(FailIf(failure))
    }

    /// Judges the whole result, alone. Write its type: `|result: &Result<User, Error>| …`.
    pub fn classify<C>(self, classify: C) -> GuardedFn<F, K, H, Classify<C>, L, X> {
        self.classified_by(Classify(classify))
    }
}

impl<F, const N: usize, H, J, L, X> GuardedFn<F, AsyncFn<N>, H, J, L, X> {
    /// Judges an output that is no `Result`. Write its type.
    pub fn classify_output<C>(
        self,
        classify: C,
    ) -> GuardedFn<F, AsyncFn<N>, H, ClassifyOutput<C>, L, X> {
        self.classified_by(ClassifyOutput(classify))
    }
}

impl<F, const N: usize, H, J, X> GuardedFn<F, AsyncFn<N>, H, J, NoTimeout, X> {
    /// Drops a call that runs longer than `limit` by tokio's clock.
    ///
    /// # Panics
    ///
    /// As [`WithBreaker::timeout`](crate::WithBreaker::timeout).
    pub fn timeout(self, limit: Duration) -> GuardedFn<F, AsyncFn<N>, H, J, Timeout, X> {
        self.map(|classifier, NoTimeout, policy| (classifier, Timeout::new(limit), policy))
    }
}

impl<F, K, H, J, L> GuardedFn<F, K, H, J, L> {
    /// Answers in the function's stead when the circuit refuses, and only then, from the same
    /// arguments. The error type is the function's own again.
    pub fn fallback<FB>(self, fallback: FB) -> GuardedFn<F, K, H, J, L, WithFallback<FB>> {
        self.policy(|NoFallback| WithFallback(fallback))
    }

    /// Turns the circuit's errors into the function's own type, which must be `From<BreakerError>`.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, L, Flattened<NoFallback>> {
        self.policy(Flattened)
    }

    /// Converts all errors to the error type of an application, which must be `From` the function's
    /// error and `From<BreakerError>`.
    pub fn flatten_into<A>(self) -> GuardedFn<F, K, H, J, L, FlattenedInto<NoFallback, A>> {
        self.policy(FlattenedInto::new)
    }
}

/// Only with a time limit is there still an error of the breaker's to flatten.
impl<F, K, H, J, FB> GuardedFn<F, K, H, J, Timeout, WithFallback<FB>> {
    /// Turns the circuit's errors into the function's.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, Timeout, Flattened<WithFallback<FB>>> {
        self.policy(Flattened)
    }

    /// Converts all errors to the error type of an application.
    pub fn flatten_into<A>(
        self,
    ) -> GuardedFn<F, K, H, J, Timeout, FlattenedInto<WithFallback<FB>, A>> {
        self.policy(FlattenedInto::new)
    }
}
