//! [`BreakerExt`], which puts futures and functions behind a breaker.
//!
//! Everything else in this file is hidden from the documentation. [`kind`] keeps the implementations
//! for futures and for functions of each number of arguments apart. The other traits exist only for
//! their compiler messages.

use crate::handle::{ByName, Handle};
use crate::registry::BreakerRegistry;

/// Marker types, always inferred: the `Kind` of a [`BreakerExt`], and the `K` of a
/// [`GuardedFn`](crate::GuardedFn).
#[doc(hidden)]
pub mod kind {
    use std::marker::PhantomData;

    /// The `K` of a guarded sync function with `N` arguments.
    #[derive(Clone, Copy, Debug)]
    pub struct SyncFn<const N: usize>;
    /// The `K` of a guarded async function with `N` arguments.
    #[derive(Clone, Copy, Debug)]
    pub struct AsyncFn<const N: usize>;

    /// A future.
    #[derive(Debug)]
    pub enum Future {}
    /// A sync function.
    #[derive(Debug)]
    pub struct Sync<Args, Out>(PhantomData<fn(Args) -> Out>);
    /// An async function.
    #[derive(Debug)]
    pub struct Async<Args, Fut>(PhantomData<fn(Args) -> Fut>);
    /// A function that returns no `Result`; rejected with an explanation.
    #[derive(Debug)]
    pub struct NoResult<Args, Out>(PhantomData<fn(Args) -> Out>);
    /// A function with more than eight arguments; rejected with an explanation.
    #[derive(Debug)]
    pub struct TooManyArguments<Args, Out>(PhantomData<fn(Args) -> Out>);
}

/// Implemented by every kind but [`kind::TooManyArguments`], for the compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a guarded function takes at most eight arguments",
    label = "this function takes more than eight",
    note = "guard a closure that captures some of them, pass them together as one struct or tuple,",
    note = "or guard the future of a single call: `function(..).with_breaker(..)`"
)]
pub trait AtMostEightArguments {}
impl AtMostEightArguments for kind::Future {}
impl<Args, Out> AtMostEightArguments for kind::Sync<Args, Out> {}
impl<Args, Fut> AtMostEightArguments for kind::Async<Args, Fut> {}
impl<Args, Out> AtMostEightArguments for kind::NoResult<Args, Out> {}

/// Implemented by every kind but [`kind::NoResult`], for the compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a circuit breaker cannot tell whether this function succeeds or fails",
    label = "this function gives no `Result`",
    note = "guard a closure that makes a `Result` of it: `(|args..| f(args..).ok_or(MyError)).with_breaker(..)`,",
    note = "or take a permit: `breaker.try_acquire()`"
)]
pub trait GivesResult {}
impl GivesResult for kind::Future {}
impl<Args, Out> GivesResult for kind::Sync<Args, Out> {}
impl<Args, Fut> GivesResult for kind::Async<Args, Fut> {}
impl<Args, Out> GivesResult for kind::TooManyArguments<Args, Out> {}

/// Implemented by common outputs that are neither a `Result` nor a future. Functions that return one of
/// them get the message of [`GivesResult`].
#[doc(hidden)]
pub trait NoResult {}
macro_rules! no_result {
    ($($Out:ty)*) => { $(impl NoResult for $Out {})* };
}
no_result!(() bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 String);
impl<T: ?Sized> NoResult for &T {}
impl<T> NoResult for Option<T> {}
impl<T> NoResult for Vec<T> {}

/// Puts any future, and any sync or async function of up to eight arguments, behind a circuit
/// breaker.
///
/// `Kind` is always inferred.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
///
/// async fn fetch_user(id: u64) -> Result<String, std::io::Error> {
///     Ok(format!("user {id}"))
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let registry = BreakerRegistry::new();
/// // a future
/// let alice = fetch_user(1).with_breaker(&registry, "users-api").await?;
/// // a function, called with the arguments that it takes
/// let fetch_user = fetch_user.with_breaker(&registry, "users-api");
/// let bob = fetch_user.call(2).await?;
/// // a handle, looked up once
/// let users = registry.breaker("users-api");
/// let carol = async { Ok::<_, std::io::Error>("carol") }.guarded_by(&users).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be put behind a circuit breaker",
    label = "this is neither a future, nor an async function, nor a function that gives a `Result`",
    note = "wrap an `impl AsyncFn(..)` in a closure: `|args..| f(args..)`"
)]
pub trait BreakerExt<Kind>: Sized {
    /// [`WithBreaker`](crate::WithBreaker) for a future, [`GuardedFn`](crate::GuardedFn) for a function.
    type Guarded<H: Handle>;

    /// Guards `self` with the breaker called `name`.
    ///
    /// The lookup happens now, not at the first poll; a missing breaker is created from the matching
    /// preset. The returned value is `'static` if `self` is.
    #[inline]
    #[track_caller]
    fn with_breaker(
        self,
        registry: &BreakerRegistry,
        name: impl AsRef<str>,
    ) -> Self::Guarded<ByName>
    where
        Kind: AtMostEightArguments + GivesResult,
    {
        self.guarded_by(ByName::new(registry, name.as_ref()))
    }

    /// Guards `self` with a breaker that was looked up before.
    ///
    /// `&breaker` touches no reference count. With an owned `breaker` the returned value is `'static` if
    /// `self` is.
    #[track_caller]
    fn guarded_by<H: Handle>(self, handle: H) -> Self::Guarded<H>
    where
        Kind: AtMostEightArguments + GivesResult;
}
