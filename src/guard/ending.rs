//! What a guarded function does about an open circuit.

use std::fmt;
use std::marker::PhantomData;

/// Gives the error up to the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFallback;

/// Calls a fallback with the same arguments.
#[derive(Clone, Copy)]
pub struct OrElse<FB>(pub(crate) FB);

impl<FB> fmt::Debug for OrElse<FB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrElse")
    }
}

/// As `X`, then with the breaker's own errors turned into the function's.
#[derive(Clone, Copy, Debug)]
pub struct Flat<X>(pub(crate) X);

/// As `X`, then with all errors turned into those of type `A`.
pub struct FlatInto<X, A>(pub(crate) X, PhantomData<fn() -> A>);

impl<X, A> FlatInto<X, A> {
    pub(crate) fn new(ending: X) -> Self {
        Self(ending, PhantomData)
    }
}

impl<X: Clone, A> Clone for FlatInto<X, A> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<X: Copy, A> Copy for FlatInto<X, A> {}

impl<X: fmt::Debug, A> fmt::Debug for FlatInto<X, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FlatInto").field(&self.0).finish()
    }
}

/// An ending, and how it is reached through a reference to the guarded function.
pub trait Ending {
    /// This ending, reached through a shared reference.
    type Ref<'a>
    where
        Self: 'a;
    /// This ending, reached through a mutable reference.
    type Mut<'a>
    where
        Self: 'a;

    #[doc(hidden)]
    fn by_ref(&self) -> Self::Ref<'_>;
    #[doc(hidden)]
    fn by_mut(&mut self) -> Self::Mut<'_>;
}

impl Ending for NoFallback {
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

impl<FB> Ending for OrElse<FB> {
    type Ref<'a>
        = OrElse<&'a FB>
    where
        FB: 'a;
    type Mut<'a>
        = OrElse<&'a mut FB>
    where
        FB: 'a;

    #[inline]
    fn by_ref(&self) -> OrElse<&FB> {
        OrElse(&self.0)
    }
    #[inline]
    fn by_mut(&mut self) -> OrElse<&mut FB> {
        OrElse(&mut self.0)
    }
}

impl<X: Ending> Ending for Flat<X> {
    type Ref<'a>
        = Flat<X::Ref<'a>>
    where
        X: 'a;
    type Mut<'a>
        = Flat<X::Mut<'a>>
    where
        X: 'a;

    #[inline]
    fn by_ref(&self) -> Flat<X::Ref<'_>> {
        Flat(self.0.by_ref())
    }
    #[inline]
    fn by_mut(&mut self) -> Flat<X::Mut<'_>> {
        Flat(self.0.by_mut())
    }
}

impl<X: Ending, A> Ending for FlatInto<X, A> {
    type Ref<'a>
        = FlatInto<X::Ref<'a>, A>
    where
        Self: 'a;
    type Mut<'a>
        = FlatInto<X::Mut<'a>, A>
    where
        Self: 'a;

    #[inline]
    fn by_ref(&self) -> Self::Ref<'_> {
        FlatInto::new(self.0.by_ref())
    }
    #[inline]
    fn by_mut(&mut self) -> Self::Mut<'_> {
        FlatInto::new(self.0.by_mut())
    }
}

/// A function that may stand in for another, of these arguments and this output.
#[diagnostic::on_unimplemented(
    message = "this fallback cannot stand in for the guarded function",
    label = "the fallback must take the arguments `{Args}` by value and give `{Out}`, as the guarded function does",
    note = "the fallback is `{Self}`",
    note = "write it as `.fallback(|args..| ..)`, with the guarded function's own arguments and output"
)]
pub trait SyncFallback<Args, Out> {
    #[doc(hidden)]
    fn answer(self, args: Args) -> Out;
}

/// An async function of these arguments, whose future is the answer.
#[diagnostic::on_unimplemented(
    message = "this fallback cannot stand in for the guarded async function",
    label = "the fallback must take the arguments `{Args}` by value and give a future, as the guarded function does",
    note = "the fallback is `{Self}`",
    note = "write it as `.fallback(async |args..| ..)`, with the guarded function's own arguments and output"
)]
pub trait AsyncFallback<Args, Answer> {
    #[doc(hidden)]
    fn begin(self, args: Args) -> Answer;
}

/// A future that may answer for a guarded async function that gives `Out`.
#[diagnostic::on_unimplemented(
    message = "this fallback cannot stand in for the guarded async function",
    label = "the fallback must give a future of `{Out}`, as the guarded function does",
    note = "found `{Self}`",
    note = "write it as `.fallback(async |args..| ..)`, with the guarded function's own arguments and output"
)]
pub trait Answer<Out>: Future<Output = Out> {}

#[diagnostic::do_not_recommend]
impl<Out, Fut: Future<Output = Out>> Answer<Out> for Fut {}
