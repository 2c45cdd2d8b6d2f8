//! [`GuardedFn`]: a function that a circuit breaker guards.

use super::{FallbackPolicy, Flattened, FlattenedInto, NoFallback, WithFallback};
use crate::breaker::CircuitBreaker;
use crate::classifier::{Classify, ClassifyOutput, DefaultClassifier, FailIf};
use crate::ext::kind::AsyncFn;
use crate::future::{Limit, NoTimeout, Timeout};
use crate::handle::{ByName, Handle};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// A function that a circuit breaker guards, returned by
/// [`with_breaker`](crate::BreakerExt::with_breaker) and
/// [`guarded_by`](crate::BreakerExt::guarded_by).
///
/// Modifiers such as [`timeout`](Self::timeout) and [`fallback`](Self::fallback) change the guarded
/// function. Then `call`, `call_mut` and `call_once` call it like an `Fn`, an `FnMut` or an `FnOnce`.
/// They take the arguments of the function, up to eight. The list below shows them for functions with
/// one argument.
///
/// A sync function is admitted when it is called, and runs on the calling thread. For blocking work in
/// async code, see [`BreakerExt`](crate::BreakerExt#blocking-code). An async function is admitted and
/// called at the first poll of the returned future.
///
/// # Errors
///
/// Calls return the errors of [`WithBreaker`](crate::WithBreaker#errors).
///
/// # Panics
///
/// A panic of the function is recorded as a failure, and propagates. The future of an async call panics
/// if it is polled after it completed.
///
/// # Cancel safety
///
/// Calls of an async function have the cancel safety of
/// [`WithBreaker`](crate::WithBreaker#cancel-safety).
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
/// `K` is inferred. In a type that is written out, `K` is `parts::kind::SyncFn<N>` or
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
    /// Returns the same function and handle with other parts.
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

/// Classification. The last of these methods replaces the earlier ones.
impl<F, K, H, J, L, X> GuardedFn<F, K, H, J, L, X> {
    /// Classifies errors for which `failure` returns true as failures, and all others as unexpected.
    ///
    /// Errors that the breaker ignores stay ignored. The closure needs the type of its parameter:
    /// `|error: &io::Error| …`.
    pub fn fail_if<P>(self, failure: P) -> GuardedFn<F, K, H, FailIf<P>, L, X> {
        self.classified_by(FailIf(failure))
    }

    /// Classifies the whole result with `classify`, in place of the breaker's rules.
    ///
    /// The closure needs the type of its parameter: `|result: &Result<User, Error>| …`.
    pub fn classify<C>(self, classify: C) -> GuardedFn<F, K, H, Classify<C>, L, X> {
        self.classified_by(Classify(classify))
    }
}

impl<F, const N: usize, H, J, L, X> GuardedFn<F, AsyncFn<N>, H, J, L, X> {
    /// Classifies an output that is not a `Result`.
    ///
    /// The closure needs the type of its parameter: `|user: &Option<User>| …`. The output of a call
    /// becomes `Result<Output, BreakerError>`.
    pub fn classify_output<C>(
        self,
        classify: C,
    ) -> GuardedFn<F, AsyncFn<N>, H, ClassifyOutput<C>, L, X> {
        self.classified_by(ClassifyOutput(classify))
    }
}

impl<F, const N: usize, H, J, X> GuardedFn<F, AsyncFn<N>, H, J, NoTimeout, X> {
    /// Drops a call that runs longer than `limit` on tokio's clock, and records a failure. Default: no
    /// timeout.
    ///
    /// The time starts at the first poll of the call. The caller gets
    /// [`BreakerError::TimedOut`](crate::BreakerError::TimedOut).
    ///
    /// # Panics
    ///
    /// A call panics at its first poll, before admission, outside a tokio runtime with time enabled.
    pub fn timeout(self, limit: Duration) -> GuardedFn<F, AsyncFn<N>, H, J, Timeout, X> {
        self.map(|classifier, NoTimeout, policy| (classifier, Timeout::new(limit), policy))
    }
}

impl<F, K, H, J, L> GuardedFn<F, K, H, J, L> {
    /// Calls `fallback` with the same arguments when the circuit refuses, and only then. Default: no
    /// fallback.
    ///
    /// The result of the fallback is not recorded. Without a [`timeout`](Self::timeout), the return type
    /// is that of the function itself.
    pub fn fallback<FB>(self, fallback: FB) -> GuardedFn<F, K, H, J, L, WithFallback<FB>> {
        self.policy(|NoFallback| WithFallback(fallback))
    }

    /// Converts the circuit's errors to the error type of the function, which must implement
    /// `From<BreakerError>`.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, L, Flattened<NoFallback>> {
        self.policy(Flattened)
    }

    /// Converts all errors to the error type `A` of an application, which must implement
    /// `From<BreakerError>` and `From` the function's error type.
    pub fn flatten_into<A>(self) -> GuardedFn<F, K, H, J, L, FlattenedInto<NoFallback, A>> {
        self.policy(FlattenedInto::new)
    }
}

/// Conversion of errors with a fallback. Only a call with a timeout can still return an error of the
/// breaker.
impl<F, K, H, J, FB> GuardedFn<F, K, H, J, Timeout, WithFallback<FB>> {
    /// Converts a timeout to the error type of the function, which must implement `From<BreakerError>`.
    pub fn flatten_err(self) -> GuardedFn<F, K, H, J, Timeout, Flattened<WithFallback<FB>>> {
        self.policy(Flattened)
    }

    /// Converts all errors to the error type `A` of an application, which must implement
    /// `From<BreakerError>` and `From` the function's error type.
    pub fn flatten_into<A>(
        self,
    ) -> GuardedFn<F, K, H, J, Timeout, FlattenedInto<WithFallback<FB>, A>> {
        self.policy(FlattenedInto::new)
    }
}
