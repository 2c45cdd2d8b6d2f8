//! [`BreakerExt`]: guards futures, streams and functions with a circuit breaker.
//!
//! Everything else in this file is hidden from the documentation. The marker types in [`kind`] keep
//! the blanket implementations apart: one for futures, one for streams, and one for each number of
//! arguments. The other traits exist only for their compiler messages.

use crate::handle::{ByName, Handle};
use crate::registry::BreakerRegistry;

/// Marker types that the compiler infers: the `Kind` of a [`BreakerExt`], and the `K` of a
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
    /// A stream.
    #[derive(Debug)]
    pub enum Stream {}
    /// A sync function.
    #[derive(Debug)]
    pub struct Sync<Args, Out>(PhantomData<fn(Args) -> Out>);
    /// An async function.
    #[derive(Debug)]
    pub struct Async<Args, Fut>(PhantomData<fn(Args) -> Fut>);
    /// A function that returns no `Result`; rejected with an explanation.
    #[derive(Debug)]
    pub struct NoResult<Args, Out>(PhantomData<fn(Args) -> Out>);
    /// A function that returns a stream; rejected with an explanation.
    #[derive(Debug)]
    pub struct StreamFn<Args, Out>(PhantomData<fn(Args) -> Out>);
    /// A function with more than eight arguments; rejected with an explanation.
    #[derive(Debug)]
    pub struct TooManyArguments<Args, Out>(PhantomData<fn(Args) -> Out>);
}

/// Implemented by every kind except [`kind::TooManyArguments`], for the compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a guarded function takes at most eight arguments",
    label = "this function takes more than eight",
    note = "guard a closure that captures some of them, pass them together as one struct or tuple,",
    note = "or guard the future of a single call: `function(..).with_breaker(..)`"
)]
pub trait AtMostEightArguments {}
impl AtMostEightArguments for kind::Future {}
impl AtMostEightArguments for kind::Stream {}
impl<Args, Out> AtMostEightArguments for kind::Sync<Args, Out> {}
impl<Args, Fut> AtMostEightArguments for kind::Async<Args, Fut> {}
impl<Args, Out> AtMostEightArguments for kind::NoResult<Args, Out> {}
impl<Args, Out> AtMostEightArguments for kind::StreamFn<Args, Out> {}

/// Implemented by every kind except [`kind::NoResult`], for the compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a circuit breaker cannot tell whether this function succeeds or fails",
    label = "this function gives no `Result`",
    note = "guard a closure that makes a `Result` of it: `(|args..| f(args..).ok_or(MyError)).with_breaker(..)`,",
    note = "or take a permit: `breaker.try_acquire()`"
)]
pub trait GivesResult {}
impl GivesResult for kind::Future {}
impl GivesResult for kind::Stream {}
impl<Args, Out> GivesResult for kind::Sync<Args, Out> {}
impl<Args, Fut> GivesResult for kind::Async<Args, Fut> {}
impl<Args, Out> GivesResult for kind::StreamFn<Args, Out> {}
impl<Args, Out> GivesResult for kind::TooManyArguments<Args, Out> {}

/// Implemented by every kind except [`kind::StreamFn`], for the compiler message.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a function that returns a stream cannot be guarded, because its call ends before the stream does",
    label = "this function returns a stream",
    note = "guard the stream of a single call: `function(..).with_breaker(..)`"
)]
pub trait GivesNoStream {}
impl GivesNoStream for kind::Future {}
impl GivesNoStream for kind::Stream {}
impl<Args, Out> GivesNoStream for kind::Sync<Args, Out> {}
impl<Args, Fut> GivesNoStream for kind::Async<Args, Fut> {}
impl<Args, Out> GivesNoStream for kind::NoResult<Args, Out> {}
impl<Args, Out> GivesNoStream for kind::TooManyArguments<Args, Out> {}

/// Implemented by common types that are neither a `Result` nor a future. A function that returns such
/// a type is rejected with the message of [`GivesResult`].
#[doc(hidden)]
pub trait NoResult {}
macro_rules! no_result {
    ($($Out:ty)*) => { $(impl NoResult for $Out {})* };
}
no_result!(() bool char u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 String);
impl<T: ?Sized> NoResult for &T {}
impl<T> NoResult for Option<T> {}
impl<T> NoResult for Vec<T> {}

/// Guards futures, streams and functions with a circuit breaker.
///
/// Implemented for every future, for every stream, and for every sync or async function with up to eight
/// arguments. The output, or each item, is a `Result`. A future or async function with another output needs
/// [`classify_output`](crate::WithBreaker::classify_output), and a stream of other items needs
/// [`classify_item`](crate::ClassifyItem::classify_item). `Kind` is inferred.
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
/// // a function, called with its own arguments
/// let fetch_user = fetch_user.with_breaker(&registry, "users-api");
/// let bob = fetch_user.call(2).await?;
/// // a handle, looked up once
/// let users = registry.breaker("users-api");
/// let carol = async { Ok::<_, std::io::Error>("carol") }.guarded_by(&users).await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Blocking code
///
/// A guarded sync function runs on the thread that calls it. In async code, move the guarded function
/// into tokio's `spawn_blocking`; with an owned handle it is `'static`. Do not guard the `JoinHandle`
/// instead: its output is a `Result` inside a `Result`, and the breaker does not see the inner error.
///
/// ```
/// use breakerbox::prelude::*;
/// use std::{fs, io};
///
/// fn read(path: &str) -> io::Result<String> {
///     fs::read_to_string(path)
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let disk = CircuitBreaker::builder().build()?;
/// let read = read.guarded_by(disk.clone());
/// let text = tokio::task::spawn_blocking(move || read.call("Cargo.toml")).await??;
/// # assert!(!text.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A blocking task that has started cannot be cancelled. Its outcome is recorded even if the
/// `JoinHandle` is dropped.
///
/// # `impl AsyncFn` parameters
///
/// An `impl AsyncFn` parameter does not implement this trait, because `AsyncFn` does not imply `Fn`.
/// Guard the future of one call, `fetch(1).with_breaker(..)`, or wrap the parameter in a closure:
///
/// ```
/// use breakerbox::prelude::*;
/// use std::io;
///
/// async fn first(
///     registry: &BreakerRegistry,
///     fetch: impl AsyncFn(u64) -> io::Result<String>,
/// ) -> Result<String, BreakerError<io::Error>> {
///     (|id| fetch(id)).with_breaker(registry, "users-api").call(1).await
/// }
/// ```
///
/// # Streams
///
/// A guarded stream is one call, from its first poll to its end. See
/// [`GuardedStream`](crate::GuardedStream).
///
/// ```
/// use breakerbox::prelude::*;
/// use futures_util::{TryStreamExt, stream};
/// use std::io;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let registry = BreakerRegistry::new();
/// let rows = stream::iter([io::Result::Ok("alice"), Ok("bob")]);
/// let rows: Vec<_> = rows.with_breaker(&registry, "db").try_collect().await?;
/// assert_eq!(rows, ["alice", "bob"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A function that returns a stream cannot be guarded, because its call ends before its stream does. Guard
/// the stream that one call returns: `rows(table).with_breaker(..)`.
///
/// The compiler cannot infer `Kind` for a type that is both a future and a stream. Name it:
/// `BreakerExt::<kind::Stream>::with_breaker(download, &registry, "files")`, with
/// `breakerbox::parts::kind`.
///
/// # Work that is neither a future, nor a stream, nor a function
///
/// Work that begins in one place and ends in another needs a [`Permit`](crate::Permit), which may be
/// moved to another thread or task. See [`try_acquire`](crate::CircuitBreaker::try_acquire).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be put behind a circuit breaker",
    label = "this is neither a future, nor a stream, nor an async function, nor a function that gives a `Result`",
    note = "wrap an `impl AsyncFn(..)` in a closure: `|args..| f(args..)`"
)]
pub trait BreakerExt<Kind>: Sized {
    /// [`WithBreaker`](crate::WithBreaker) for a future, [`GuardedStream`](crate::GuardedStream) for a
    /// stream, [`GuardedFn`](crate::GuardedFn) for a function.
    type Guarded<H: Handle>;

    /// Guards `self` with the breaker called `name`.
    ///
    /// The lookup happens now, not at the first poll. A missing breaker is created from the matching
    /// preset. The returned value is `'static` if `self` is.
    ///
    /// An invalid name, or a new name in a full registry, gets a
    /// [breaker that the registry does not keep](crate::BreakerRegistry#many-names).
    #[inline]
    #[track_caller]
    fn with_breaker(
        self,
        registry: &BreakerRegistry,
        name: impl AsRef<str>,
    ) -> Self::Guarded<ByName>
    where
        Kind: AtMostEightArguments + GivesResult + GivesNoStream,
    {
        self.guarded_by(ByName::new(registry, name.as_ref()))
    }

    /// Guards `self` with a handle of a breaker.
    ///
    /// The handle is a `CircuitBreaker` or a `&CircuitBreaker`. A borrowed handle changes no reference
    /// count. With an owned handle, the returned value is `'static` if `self` is.
    #[track_caller]
    fn guarded_by<H: Handle>(self, handle: H) -> Self::Guarded<H>
    where
        Kind: AtMostEightArguments + GivesResult + GivesNoStream;
}
