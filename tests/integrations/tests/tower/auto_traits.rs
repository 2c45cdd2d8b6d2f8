//! `Send`, `Sync`, `Unpin` and `'static` of the public types.

use crate::support::{Fault, StrictService};
use breakerbox::parts::{Classify, DefaultClassifier, FailIf};
use breakerbox::tower::{
    Breaker, BreakerLayer, ClassifyResponse, Flattened, Keyed, NoFallback, OnRefused,
    PendingWhileOpen, ResponseFuture, Single,
};
use breakerbox::{BreakerError, CircuitOpen, Outcome};
use std::error::Error;
use std::future::Ready;
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

fn assert_traits<T: Send + Sync + Unpin + 'static>() {}
fn assert_traits_and_clone<T: Clone + Send + Sync + Unpin + 'static>() {}

type Call = Ready<Result<u32, Fault>>;
type Key = fn(&u32) -> String;
type ByResult = fn(&Result<u32, Fault>) -> Outcome;
type ByResponse = fn(&u32) -> Outcome;
type Predicate = fn(&Fault) -> bool;
type Answer = fn(CircuitOpen, u32) -> Result<u32, Fault>;
type Flatten = Flattened<NoFallback>;

#[test]
fn layer_types_have_auto_traits() {
    assert_traits_and_clone::<BreakerLayer>();
    assert_traits_and_clone::<BreakerLayer<Keyed<Key>, Classify<ByResult>, OnRefused<Answer>>>();
    assert_traits_and_clone::<BreakerLayer<Single, ClassifyResponse<ByResponse>, NoFallback>>();
    assert_traits_and_clone::<BreakerLayer<PendingWhileOpen, FailIf<Predicate>, Flatten>>();
    assert_traits_and_clone::<Breaker<StrictService>>();
    assert_traits_and_clone::<
        Breaker<StrictService, Keyed<Key>, FailIf<Predicate>, OnRefused<Answer>>,
    >();
    assert_traits_and_clone::<Breaker<StrictService, PendingWhileOpen, FailIf<Predicate>, Flatten>>(
    );
    assert_traits::<ResponseFuture<Call>>();
    assert_traits::<ResponseFuture<Call, FailIf<Predicate>, Flatten>>();
    assert_traits::<ResponseFuture<Call, Classify<ByResult>, OnRefused<Answer, u32>>>();
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
fn services_are_unwind_safe() {
    fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    assert_unwind_safe::<BreakerLayer<Single, FailIf<Predicate>, Flatten>>();
    assert_unwind_safe::<Breaker<u32>>();
    assert_unwind_safe::<Breaker<u32, PendingWhileOpen, FailIf<Predicate>, Flatten>>();
}

#[test]
fn auto_traits_depend_on_inner_types() {
    assert_not_impl!(Breaker<Rc<()>>: Send);
    assert_not_impl!(Breaker<Rc<()>, PendingWhileOpen>: Send);
    assert_not_impl!(ResponseFuture<Rc<()>>: Send);
    assert_not_impl!(ResponseFuture<Call, DefaultClassifier, OnRefused<Answer, Rc<()>>>: Send);
    assert_not_impl!(ResponseFuture<PhantomPinned>: Unpin);
}

/// Buffers, balancers and boxed services of tower require this conversion.
#[test]
fn breaker_error_converts_to_box_error() {
    fn assert_boxable<E: Into<Box<dyn Error + Send + Sync>>>() {}
    assert_boxable::<BreakerError<std::io::Error>>();
}

#[test]
fn response_future_adds_at_most_twelve_words() {
    let added = size_of::<ResponseFuture<Call>>() - size_of::<Call>();
    assert!(added <= 12 * size_of::<usize>(), "{added}");
}
