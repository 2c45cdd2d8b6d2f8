//! `Send`, `Sync`, `Unpin` and `'static`, for each public type; and how large a guard is.

use crate::support::Fault;
use breakerbox::clock::{ManualClock, SystemClock};
use breakerbox::parts::kind::{AsyncFn, SyncFn};
use breakerbox::parts::{
    AsyncFallback, ByName, Classify, ClassifyOutput, FailIf, Flat, Lazy, NoFallback, NoTimeout,
    OnArgs, OnOpen, OrElse, Rules, Timeout,
};
use breakerbox::{
    Backoff, BreakerBuilder, BreakerConfig, BreakerError, BreakerRegistry, CallTimeout, Cause,
    CircuitBreaker, CircuitOpen, Command, ConfigError, Event, Fallback, FlattenErr, GuardedFn,
    Mode, NotKept, Outcome, Permit, Refusal, RegistryBuilder, RegistryError, RuleSnapshot,
    Snapshot, State, Totals, TripRule, Window, WithBreaker,
};
use std::future::{Pending, Ready};
use std::marker::PhantomPinned;
use std::rc::Rc;

fn plain<T: Send + Sync + Unpin + 'static>() {}
fn send<T: Send + 'static>() {}

#[test]
fn values() {
    plain::<(CircuitBreaker, Permit, BreakerRegistry, RegistryBuilder)>();
    plain::<(BreakerBuilder, BreakerConfig, ConfigError, RegistryError)>();
    plain::<(
        BreakerError,
        BreakerError<Fault>,
        CircuitOpen,
        CallTimeout,
        Refusal,
    )>();
    plain::<(Backoff, Mode, Outcome, State, TripRule, Window)>();
    plain::<(Event, Cause, NotKept, Snapshot, RuleSnapshot, Totals)>();
    plain::<(ManualClock, SystemClock)>();
    plain::<(Command<'static>, Command<'static, Result<(), State>>)>();
    plain::<(ByName, Rules, NoTimeout, NoFallback)>();
}

type Call = Ready<Result<u8, Fault>>;
type Function = fn(u8) -> Call;
type Parse = fn(u8) -> Result<u8, Fault>;
type Answer = fn(CircuitOpen) -> Call;
type Predicate = fn(&Fault) -> bool;

fn stands_in<F: AsyncFallback<(u8,), Call>>() {}

#[test]
fn guards_of_plain_content() {
    plain::<WithBreaker<Call>>();
    plain::<WithBreaker<Call, CircuitBreaker>>();
    plain::<WithBreaker<Call, &'static CircuitBreaker, FailIf<Predicate>>>();
    plain::<(Classify<Predicate>, ClassifyOutput<Predicate>)>();
    plain::<FlattenErr<WithBreaker<Call>>>();
    plain::<Fallback<Call, ByName, Rules, NoTimeout, OnOpen<Answer>, Call>>();
    plain::<GuardedFn<Function, AsyncFn<1>>>();
    plain::<GuardedFn<Parse, SyncFn<1>, CircuitBreaker>>();
    plain::<GuardedFn<Function, AsyncFn<1>, ByName, Rules, NoTimeout, OrElse<Function>>>();
    plain::<GuardedFn<Parse, SyncFn<1>, ByName, Rules, NoTimeout, Flat<NoFallback>>>();
    plain::<WithBreaker<Lazy<Function, (u8,), Call>>>();
    plain::<
        Fallback<
            Lazy<Function, (u8,), Call>,
            ByName,
            Rules,
            NoTimeout,
            OnArgs<Function, (u8,), Call>,
            Call,
        >,
    >();
    stands_in::<Function>();
}

#[test]
fn guards_with_a_time_limit_can_be_sent() {
    send::<WithBreaker<Call, ByName, Rules, Timeout>>();
    send::<GuardedFn<Function, AsyncFn<1>, ByName, Rules, Timeout>>();
    send::<Fallback<Call, ByName, Rules, Timeout, OnOpen<Answer>, Call>>();
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
fn guards_are_no_better_than_their_content() {
    lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Send);
    lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Sync);
    lacks!(WithBreaker<PhantomPinned>: Unpin);
    lacks!(GuardedFn<Rc<Function>, AsyncFn<1>>: Send);
    lacks!(FlattenErr<PhantomPinned>: Unpin);
}

#[test]
fn a_guard_is_four_words_larger_than_its_future_at_most() {
    fn added<F>() -> usize {
        size_of::<WithBreaker<F>>() - size_of::<F>()
    }
    let sizes = [
        added::<Call>(),
        added::<Pending<Result<(), Fault>>>(),
        added::<Ready<Result<u64, Fault>>>(),
        added::<[u8; 8]>(),
        added::<[u8; 256]>(),
        added::<std::pin::Pin<Box<dyn Future<Output = Result<(), Fault>>>>>(),
    ];
    assert!(sizes.iter().all(|size| *size <= 32), "{sizes:?}");
}
