//! `Send`, `Sync`, `Unpin`, `'static` and unwind safety, for each public type; and how large a guard
//! is.

use crate::support::Fault;
use breakerbox::clock::{ManualClock, SystemClock};
use breakerbox::parts::kind::{AsyncFn, SyncFn};
use breakerbox::parts::{
    AsyncFallback, ByName, Classify, ClassifyOutput, DefaultClassifier, DeferredCall, FailIf,
    Flattened, FlattenedInto, NoFallback, NoTimeout, OnArgs, OnOpen, Timeout, WithFallback,
};
use breakerbox::{
    Backoff, BreakerBuilder, BreakerConfig, BreakerError, BreakerRegistry, CallTimeout, Cause,
    CircuitBreaker, CircuitOpen, Command, ConfigError, Event, EventStream, Fallback, FlattenErr,
    FlattenInto, GuardedFn, Mode, NotKept, Outcome, Permit, Refusal, RegistryBuilder,
    RegistryError, RuleSnapshot, Snapshot, State, Totals, TripRule, Window, WithBreaker,
};
use std::cell::Cell;
use std::future::{Pending, Ready};
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

fn plain<T: Send + Sync + Unpin + 'static>() {}
fn send<T: Send + 'static>() {}
fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

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
    plain::<(ByName, DefaultClassifier, NoTimeout, NoFallback)>();
}

#[test]
fn handles_and_errors_are_unwind_safe() {
    unwind_safe::<CircuitBreaker>();
    unwind_safe::<BreakerRegistry>();
    unwind_safe::<Permit>();
    unwind_safe::<EventStream>();
    unwind_safe::<CircuitOpen>();
    unwind_safe::<CallTimeout>();
    unwind_safe::<BreakerError>();
    unwind_safe::<BreakerError<Fault>>();
    unwind_safe::<BreakerError<BreakerError<Fault>>>();
    unwind_safe::<(Event, Snapshot, ConfigError, RegistryError)>();
    lacks!(BreakerError<Box<dyn Send>>: UnwindSafe);
    lacks!(BreakerError<Cell<u8>>: RefUnwindSafe);
}

#[test]
fn breaker_can_be_used_after_a_caught_panic() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let call = || breaker.call(|| -> Result<(), Fault> { panic!("the work broke") });
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(breaker.failure_count(), 1);
    let permit = breaker.try_acquire().unwrap();
    assert!(std::panic::catch_unwind(|| permit.success()).is_ok());
    assert_eq!(breaker.failure_count(), 0);
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
    plain::<FlattenInto<WithBreaker<Call>, Rc<u8>>>();
    plain::<Fallback<Call, ByName, DefaultClassifier, NoTimeout, OnOpen<Answer>, Call>>();
    plain::<GuardedFn<Function, AsyncFn<1>>>();
    plain::<GuardedFn<Parse, SyncFn<1>, CircuitBreaker>>();
    plain::<
        GuardedFn<
            Function,
            AsyncFn<1>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            WithFallback<Function>,
        >,
    >();
    plain::<GuardedFn<Parse, SyncFn<1>, ByName, DefaultClassifier, NoTimeout, Flattened<NoFallback>>>(
    );
    plain::<
        GuardedFn<
            Parse,
            SyncFn<1>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            FlattenedInto<NoFallback, Rc<u8>>,
        >,
    >();
    plain::<WithBreaker<DeferredCall<Function, (u8,), Call>>>();
    plain::<
        Fallback<
            DeferredCall<Function, (u8,), Call>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            OnArgs<Function, (u8,), Call>,
            Call,
        >,
    >();
    stands_in::<Function>();
}

#[test]
fn guards_with_a_time_limit_can_be_sent() {
    send::<WithBreaker<Call, ByName, DefaultClassifier, Timeout>>();
    send::<GuardedFn<Function, AsyncFn<1>, ByName, DefaultClassifier, Timeout>>();
    send::<Fallback<Call, ByName, DefaultClassifier, Timeout, OnOpen<Answer>, Call>>();
}

#[test]
fn guards_are_no_better_than_their_content() {
    lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Send);
    lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Sync);
    lacks!(WithBreaker<PhantomPinned>: Unpin);
    lacks!(GuardedFn<Rc<Function>, AsyncFn<1>>: Send);
    lacks!(FlattenErr<PhantomPinned>: Unpin);
    lacks!(FlattenInto<PhantomPinned, Fault>: Unpin);
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
