//! Fallback policies: what a guarded function does when the circuit refuses, and which errors it returns.

use std::fmt;
use std::marker::PhantomData;

/// The policy without a fallback: the caller gets the refusal.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFallback;

/// The policy with a fallback, which is called with the arguments of the refused call.
#[derive(Clone, Copy)]
pub struct WithFallback<FB>(pub(crate) FB);

impl<FB> fmt::Debug for WithFallback<FB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithFallback")
    }
}

/// The policy `X`, with the errors of the breaker converted to the error type of the function.
#[derive(Clone, Copy, Debug)]
pub struct Flattened<X>(pub(crate) X);

/// The policy `X`, with all errors converted to type `A`.
pub struct FlattenedInto<X, A>(pub(crate) X, PhantomData<fn() -> A>);

impl<X, A> FlattenedInto<X, A> {
    pub(crate) fn new(policy: X) -> Self {
        Self(policy, PhantomData)
    }
}

impl<X: Clone, A> Clone for FlattenedInto<X, A> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<X: Copy, A> Copy for FlattenedInto<X, A> {}

impl<X: fmt::Debug, A> fmt::Debug for FlattenedInto<X, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FlattenedInto").field(&self.0).finish()
    }
}

/// A policy that can be borrowed together with the guarded function.
pub trait FallbackPolicy {
    /// The policy behind a shared reference.
    type Ref<'a>
    where
        Self: 'a;
    /// The policy behind a mutable reference.
    type Mut<'a>
    where
        Self: 'a;

    #[doc(hidden)]
    fn by_ref(&self) -> Self::Ref<'_>;
    #[doc(hidden)]
    fn by_mut(&mut self) -> Self::Mut<'_>;
}

impl FallbackPolicy for NoFallback {
    type Ref<'a> = Self;
    type Mut<'a> = Self;

    #[inline]
    fn by_ref(&self) -> Self {
        *self
    }
    #[inline]
    fn by_mut(&mut self) -> Self {
        *self
    }
}

impl<FB> FallbackPolicy for WithFallback<FB> {
    type Ref<'a>
        = WithFallback<&'a FB>
    where
        FB: 'a;
    type Mut<'a>
        = WithFallback<&'a mut FB>
    where
        FB: 'a;

    #[inline]
    fn by_ref(&self) -> WithFallback<&FB> {
        WithFallback(&self.0)
    }
    #[inline]
    fn by_mut(&mut self) -> WithFallback<&mut FB> {
        WithFallback(&mut self.0)
    }
}

impl<X: FallbackPolicy> FallbackPolicy for Flattened<X> {
    type Ref<'a>
        = Flattened<X::Ref<'a>>
    where
        X: 'a;
    type Mut<'a>
        = Flattened<X::Mut<'a>>
    where
        X: 'a;

    #[inline]
    fn by_ref(&self) -> Flattened<X::Ref<'_>> {
        Flattened(self.0.by_ref())
    }
    #[inline]
    fn by_mut(&mut self) -> Flattened<X::Mut<'_>> {
        Flattened(self.0.by_mut())
    }
}

impl<X: FallbackPolicy, A> FallbackPolicy for FlattenedInto<X, A> {
    type Ref<'a>
        = FlattenedInto<X::Ref<'a>, A>
    where
        Self: 'a;
    type Mut<'a>
        = FlattenedInto<X::Mut<'a>, A>
    where
        Self: 'a;

    #[inline]
    fn by_ref(&self) -> Self::Ref<'_> {
        FlattenedInto::new(self.0.by_ref())
    }
    #[inline]
    fn by_mut(&mut self) -> Self::Mut<'_> {
        FlattenedInto::new(self.0.by_mut())
    }
}

/// A fallback with the arguments and the output of a guarded sync function.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the guarded function",
    label = "the fallback must take the arguments `{Args}` by value and return `{Out}`, like the guarded function",
    note = "the fallback is `{Self}`",
    note = "write it as `.fallback(|args..| ..)`, with the arguments and the output of the guarded function"
)]
pub trait SyncFallback<Args, Out> {
    #[doc(hidden)]
    fn answer(self, args: Args) -> Out;
}

/// A fallback with the arguments of a guarded async function. It returns the future of the answer.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the guarded async function",
    label = "the fallback must take the arguments `{Args}` by value and return a future, like the guarded function",
    note = "the fallback is `{Self}`",
    note = "write it as `.fallback(async |args..| ..)`, with the arguments and the output of the guarded function"
)]
pub trait AsyncFallback<Args, Answer> {
    #[doc(hidden)]
    fn begin(self, args: Args) -> Answer;
}

/// The future of a fallback, with the output of the guarded async function.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the guarded async function",
    label = "the fallback must return a future of `{Out}`, like the guarded function",
    note = "found `{Self}`",
    note = "write it as `.fallback(async |args..| ..)`, with the arguments and the output of the guarded function"
)]
pub trait Answer<Out>: Future<Output = Out> {}

#[diagnostic::do_not_recommend]
impl<Out, Fut: Future<Output = Out>> Answer<Out> for Fut {}
