//! `Send`, `Sync`, `Unpin` and `'static` of the public types.

use breakerbox::CircuitBreaker;
use breakerbox::parts::{DefaultClassifier, NoFallback};
use breakerbox::tower::{Breaker, BreakerLayer, GuardedBody, ResponseFuture, UntilBodyEnd};
use http_body::{Body, Frame};
use hyper::body::{Bytes, Incoming};
use std::convert::Infallible;
use std::future::Ready;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

type Layer = BreakerLayer<CircuitBreaker, DefaultClassifier, NoFallback, UntilBodyEnd>;
type Service = Breaker<(), CircuitBreaker, DefaultClassifier, NoFallback, UntilBodyEnd>;

#[test]
fn body_types_have_auto_traits() {
    fn assert_traits<T: Send + Sync + Unpin + 'static>() {}
    fn assert_clone<T: Clone>() {}
    assert_traits::<GuardedBody<Incoming>>();
    assert_traits::<Layer>();
    assert_traits::<Service>();
    assert_traits::<UntilBodyEnd>();
    assert_clone::<Layer>();
    assert_clone::<Service>();
    assert_traits::<ResponseFuture<Ready<()>, DefaultClassifier, NoFallback, UntilBodyEnd>>();
}

/// A body that is neither `Send` nor `Unpin`.
struct Local(Rc<()>, PhantomPinned);

impl Body for Local {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Asserts that `$type` does not implement `$trait`: otherwise, the call in the macro is ambiguous.
macro_rules! assert_not_impl {
    ($type:ty: $trait:ident) => {{
        trait Ambiguous<Marker> {
            fn check() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Implemented;
        impl<T: ?Sized + $trait> Ambiguous<Implemented> for T {}
        <$type as Ambiguous<_>>::check();
    }};
}

#[test]
fn auto_traits_depend_on_inner_body() {
    let _ = Local(Rc::new(()), PhantomPinned).0;
    assert_not_impl!(GuardedBody<Local>: Send);
    assert_not_impl!(GuardedBody<Local>: Unpin);
}

#[test]
fn guarded_body_adds_at_most_six_words() {
    let added = size_of::<GuardedBody<Incoming>>() - size_of::<Incoming>();
    assert!(added <= 6 * size_of::<usize>(), "{added}");
}
