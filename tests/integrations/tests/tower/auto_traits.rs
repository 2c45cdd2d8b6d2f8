//! `Send`, `Sync`, `Unpin` and `'static`, for each public type.

use crate::support::{Fault, Strict};
use breakerbox::parts::{Classify, FailIf};
use breakerbox::tower::{
    Breaker, BreakerLayer, ClassifyResponse, Keyed, NoFallback, OnRefused, ResponseFuture,
};
use breakerbox::{BreakerError, CircuitBreaker, CircuitOpen, Outcome};
use std::error::Error;
use std::future::Ready;
use std::marker::PhantomPinned;
use std::rc::Rc;

fn plain<T: Send + Sync + Unpin + 'static>() {}
fn cloned<T: Clone + Send + Sync + Unpin + 'static>() {}

type Call = Ready<Result<u32, Fault>>;
type Key = fn(&u32) -> String;
type Whole = fn(&Result<u32, Fault>) -> Outcome;
type Responses = fn(&u32) -> Outcome;
type Predicate = fn(&Fault) -> bool;
type Answer = fn(CircuitOpen) -> Result<u32, Fault>;

#[test]
fn layers_services_and_futures() {
    cloned::<BreakerLayer>();
    cloned::<BreakerLayer<Keyed<Key>, Classify<Whole>, OnRefused<Answer>>>();
    cloned::<BreakerLayer<CircuitBreaker, ClassifyResponse<Responses>, NoFallback>>();
    cloned::<Breaker<Strict>>();
    cloned::<Breaker<Strict, Keyed<Key>, FailIf<Predicate>, OnRefused<Answer>>>();
    plain::<ResponseFuture<Call>>();
    plain::<ResponseFuture<Call, Classify<Whole>, OnRefused<Answer>>>();
}

/// Compiles only if `$type` lacks `$trait`: otherwise the compiler cannot tell which impl is meant.
macro_rules! lacks {
    ($type:ty: $trait:ident) => {{
        trait Ambiguous<Marker> {
            fn which() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct HasIt;
        impl<T: ?Sized + $trait> Ambiguous<HasIt> for T {}
        <$type as Ambiguous<_>>::which();
    }};
}

#[test]
fn they_are_no_better_than_their_content() {
    lacks!(Breaker<Rc<()>>: Send);
    lacks!(ResponseFuture<Rc<()>>: Send);
    lacks!(ResponseFuture<PhantomPinned>: Unpin);
}

/// What tower's buffers, balancers and boxes ask of an error.
#[test]
fn errors_can_be_boxed() {
    fn boxes<E: Into<Box<dyn Error + Send + Sync>>>() {}
    boxes::<BreakerError<std::io::Error>>();
}

#[test]
fn a_response_future_adds_a_dozen_words_at_most() {
    let added = size_of::<ResponseFuture<Call>>() - size_of::<Call>();
    assert!(added <= 12 * size_of::<usize>(), "{added}");
}
