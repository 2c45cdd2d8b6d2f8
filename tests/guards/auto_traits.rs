//! Auto traits, `'static` and unwind safety of the public types, and the size of a guard.

use crate::support::Fault;
use breakerbox::clock::{ManualClock, SystemClock};
use breakerbox::parts::kind::{AsyncFn, SyncFn};
use breakerbox::parts::{
    AsyncFallback, ByName, Classify, ClassifyOutput, DefaultClassifier, DeferredCall, FailIf,
    Flattened, FlattenedInto, IdleTimeout, NoFallback, NoTimeout, OnArgs, OnOpen, Timeout,
    WithFallback,
};
use breakerbox::presets::{Balanced, FailFast, RareCalls};
use breakerbox::{
    AllOpen, Backoff, BreakerBuilder, BreakerConfig, BreakerError, BreakerRegistry, CallTimeout,
    Cause, CircuitBreaker, CircuitOpen, Command, ConfigError, Event, EventStream, Fallback,
    FlattenErr, FlattenInto, GuardedFn, GuardedStream, Mode, NotKept, Outcome, Permit, Refusal,
    RegistryBuilder, RegistryError, RuleSnapshot, Snapshot, State, Totals, TripRule, Window,
    WithBreaker,
};
use futures_util::stream::{Empty, Iter};
use std::cell::Cell;
use std::future::{Pending, Ready};
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;

fn assert_plain<T: Send + Sync + Unpin + 'static>() {}
fn assert_send<T: Send + 'static>() {}
fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

/// Compiles only if `$type` lacks `$trait`. Otherwise both impls apply, and the call is ambiguous.
macro_rules! assert_lacks {
    ($type:ty: $trait:ident) => {{
        trait Ambiguous<Marker> {
            fn which() {}
        }
        impl<T: ?Sized> Ambiguous<()> for T {}
        struct Implements;
        impl<T: ?Sized + $trait> Ambiguous<Implements> for T {}
        <$type as Ambiguous<_>>::which();
    }};
}

#[test]
fn values_are_send_sync_and_unpin() {
    assert_plain::<(CircuitBreaker, Permit, BreakerRegistry, RegistryBuilder)>();
    assert_plain::<(BreakerBuilder, BreakerConfig, ConfigError, RegistryError)>();
    assert_plain::<(
        BreakerError,
        BreakerError<Fault>,
        CircuitOpen,
        AllOpen,
        CallTimeout,
        Refusal,
    )>();
    assert_plain::<(Balanced, FailFast, RareCalls)>();
    assert_plain::<(Backoff, Mode, Outcome, State, TripRule, Window)>();
    assert_plain::<(Event, Cause, NotKept, Snapshot, RuleSnapshot, Totals)>();
    assert_plain::<(ManualClock, SystemClock)>();
    assert_plain::<(Command<'static>, Command<'static, Result<(), State>>)>();
    assert_plain::<(ByName, DefaultClassifier, NoTimeout, NoFallback)>();
}

#[test]
fn handles_and_errors_are_unwind_safe() {
    assert_unwind_safe::<CircuitBreaker>();
    assert_unwind_safe::<BreakerRegistry>();
    assert_unwind_safe::<Permit>();
    assert_unwind_safe::<EventStream>();
    assert_unwind_safe::<CircuitOpen>();
    assert_unwind_safe::<AllOpen>();
    assert_unwind_safe::<CallTimeout>();
    assert_unwind_safe::<BreakerError>();
    assert_unwind_safe::<BreakerError<Fault>>();
    assert_unwind_safe::<BreakerError<BreakerError<Fault>>>();
    assert_unwind_safe::<(Event, Snapshot, ConfigError, RegistryError)>();
    assert_lacks!(BreakerError<Box<dyn Send>>: UnwindSafe);
    assert_lacks!(BreakerError<Cell<u8>>: RefUnwindSafe);
}

#[test]
fn breaker_is_usable_after_caught_panic() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    let call = || breaker.call(|| -> Result<(), Fault> { panic!("guarded code panicked") });
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(breaker.failure_count(), 1);
    let permit = breaker.try_acquire().unwrap();
    assert!(std::panic::catch_unwind(|| permit.success()).is_ok());
    assert_eq!(breaker.failure_count(), 0);
}

type Call = Ready<Result<u8, Fault>>;
type Rows = Iter<std::vec::IntoIter<Result<u8, Fault>>>;
type Function = fn(u8) -> Call;
type Parse = fn(u8) -> Result<u8, Fault>;
type Answer = fn(CircuitOpen) -> Call;
type Predicate = fn(&Fault) -> bool;

fn assert_async_fallback<F: AsyncFallback<(u8,), Call>>() {}

#[test]
fn guards_of_plain_content_are_plain() {
    assert_plain::<WithBreaker<Call>>();
    assert_plain::<WithBreaker<Call, CircuitBreaker>>();
    assert_plain::<WithBreaker<Call, &'static CircuitBreaker, FailIf<Predicate>>>();
    assert_plain::<(Classify<Predicate>, ClassifyOutput<Predicate>)>();
    assert_plain::<FlattenErr<WithBreaker<Call>>>();
    assert_plain::<FlattenInto<WithBreaker<Call>, Rc<u8>>>();
    assert_plain::<Fallback<Call, ByName, DefaultClassifier, NoTimeout, OnOpen<Answer>, Call>>();
    assert_plain::<GuardedFn<Function, AsyncFn<1>>>();
    assert_plain::<GuardedFn<Parse, SyncFn<1>, CircuitBreaker>>();
    assert_plain::<
        GuardedFn<
            Function,
            AsyncFn<1>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            WithFallback<Function>,
        >,
    >();
    assert_plain::<
        GuardedFn<Parse, SyncFn<1>, ByName, DefaultClassifier, NoTimeout, Flattened<NoFallback>>,
    >();
    assert_plain::<
        GuardedFn<
            Parse,
            SyncFn<1>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            FlattenedInto<NoFallback, Rc<u8>>,
        >,
    >();
    assert_plain::<WithBreaker<DeferredCall<Function, (u8,), Call>>>();
    assert_plain::<
        Fallback<
            DeferredCall<Function, (u8,), Call>,
            ByName,
            DefaultClassifier,
            NoTimeout,
            OnArgs<Function, (u8,), Call>,
            Call,
        >,
    >();
    assert_async_fallback::<Function>();
}

#[test]
fn guards_with_time_limit_are_send() {
    assert_send::<WithBreaker<Call, ByName, DefaultClassifier, Timeout>>();
    assert_send::<GuardedFn<Function, AsyncFn<1>, ByName, DefaultClassifier, Timeout>>();
    assert_send::<Fallback<Call, ByName, DefaultClassifier, Timeout, OnOpen<Answer>, Call>>();
}

#[test]
fn guarded_streams_of_plain_content_are_plain() {
    assert_plain::<GuardedStream<Rows>>();
    assert_plain::<GuardedStream<Rows, CircuitBreaker>>();
    assert_plain::<GuardedStream<Rows, &'static CircuitBreaker, Classify<Predicate>>>();
    assert_plain::<GuardedStream<Rows, ByName, ClassifyOutput<Predicate>, IdleTimeout>>();
}

#[test]
fn guarded_streams_lack_auto_traits_of_their_content() {
    assert_lacks!(GuardedStream<Empty<Rc<u8>>, ByName, Rc<u8>>: Send);
    assert_lacks!(GuardedStream<Iter<std::vec::IntoIter<Rc<u8>>>>: Send);
    assert_lacks!(GuardedStream<Iter<std::vec::IntoIter<Cell<u8>>>, ByName, Cell<u8>>: Sync);
    assert_lacks!(GuardedStream<PhantomPinned>: Unpin);
    assert_lacks!(GuardedStream<PhantomPinned, ByName, DefaultClassifier, IdleTimeout>: Unpin);
}

#[test]
fn guards_lack_auto_traits_of_their_content() {
    assert_lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Send);
    assert_lacks!(WithBreaker<Ready<Result<Rc<u8>, Fault>>>: Sync);
    assert_lacks!(WithBreaker<PhantomPinned>: Unpin);
    assert_lacks!(GuardedFn<Rc<Function>, AsyncFn<1>>: Send);
    assert_lacks!(FlattenErr<PhantomPinned>: Unpin);
    assert_lacks!(FlattenInto<PhantomPinned, Fault>: Unpin);
}

#[test]
fn guard_adds_at_most_four_words() {
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

#[test]
fn guarded_stream_adds_at_most_five_words() {
    fn added<S>() -> usize {
        size_of::<GuardedStream<S>>() - size_of::<S>()
    }
    let sizes = [
        added::<Rows>(),
        added::<[u8; 8]>(),
        added::<[u8; 256]>(),
        added::<Box<u8>>(),
    ];
    assert!(sizes.iter().all(|size| *size <= 40), "{sizes:?}");
}

#[test]
fn idle_timeout_adds_at_most_five_words() {
    type Limited = GuardedStream<Rows, ByName, DefaultClassifier, IdleTimeout>;
    let added = size_of::<Limited>() - size_of::<GuardedStream<Rows>>();
    assert!(added <= 40, "{added}");
}
