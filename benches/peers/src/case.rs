//! The rows and columns of the table, and the bounds on breakerbox.

use crate::loops::{CallLoop, FAILS};
use crate::{breakerbox, peers};
use Bound::{Column, Fastest, OneThread, OverReference};
use Call::{Async, AsyncCircuit, ByName, Circuit, ClonedService, Permit, Service, Sync};
use Load::{Failing, Healthy, Refused};
use Rule::{Calls, Consecutive, Time};

/// The columns, each with a function that builds one loop per thread over a shared breaker.
///
/// The function returns no loops if the crate does not support the case. Peers are named after
/// their packages.
pub const COLUMNS: [(&str, Build); 8] = [
    ("reference", breakerbox::reference),
    ("breakerbox", breakerbox::guarded),
    ("recloser", peers::recloser),
    ("failsafe", peers::failsafe),
    ("breaker", peers::breaker),
    ("nobreak", peers::nobreak),
    ("circuitbreaker-rs", peers::circuitbreaker_rs),
    ("tower-resilience-circuitbreaker", peers::tower_resilience),
];
pub const REFERENCE: usize = 0;
/// All columns after this one are peers.
pub const BREAKERBOX: usize = 1;
const TOWER_RESILIENCE: usize = 7;

type Build = fn(&Case) -> Vec<CallLoop>;

pub struct Case {
    pub name: &'static str,
    pub call: Call,
    pub rule: Rule,
    pub load: Load,
    /// The bounds on one thread and on two threads.
    pub bounds: [Bound; 2],
}

/// How a call is made.
#[derive(Clone, Copy, PartialEq)]
pub enum Call {
    Sync,
    Async,
    Permit,
    Service,
    /// A clone of the service for each call.
    ClonedService,
    /// By name, cycling through this number of names.
    ByName(usize),
    Circuit,
    AsyncCircuit,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Rule {
    /// Five consecutive failures.
    Consecutive,
    /// Half of the last 100 calls fail.
    Calls,
    /// Half of the calls of the last minute fail.
    Time,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Load {
    Healthy,
    /// One call in ten fails.
    Failing,
    /// The circuit is open.
    Refused,
}

impl Load {
    pub fn input(self, number: u64) -> u64 {
        let fails = self == Failing && number % 10 == 9;
        if fails { FAILS } else { number }
    }
}

/// The upper bound on the time per call of breakerbox.
#[derive(Clone, Copy)]
pub enum Bound {
    /// A fraction of the time of the fastest peer.
    Fastest(f64),
    /// A fraction of the time of the peer in this column.
    Column(usize, f64),
    /// A multiple of its own time on one thread.
    OneThread(f64),
    /// Nanoseconds in addition to the reference.
    OverReference(f64),
}

#[rustfmt::skip]
pub static CASES: [Case; 22] = {
    const HEALTHY: [Bound; 2] = [Fastest(1.0 / 3.0), OneThread(1.5)];
    const REFUSED: [Bound; 2] = [Fastest(2.0 / 3.0), Fastest(0.5)];
    const OTHER: [Bound; 2] = [Fastest(1.1), Fastest(0.5)];
    const PERMIT: [Bound; 2] = [Fastest(1.4), Fastest(0.5)];
    const ONE_NAME: [Bound; 2] = [OverReference(25.0), OverReference(50.0)];
    const MANY_NAMES: [Bound; 2] = [OverReference(40.0), OverReference(80.0)];
    const CIRCUIT: [Bound; 2] = [OverReference(3.0); 2];
    const SERVICE: [Bound; 2] = [Column(TOWER_RESILIENCE, 0.1); 2];
    const CLONED_SERVICE: [Bound; 2] = [Column(TOWER_RESILIENCE, 0.125), Column(TOWER_RESILIENCE, 0.1)];
    const fn case(name: &'static str, call: Call, rule: Rule, load: Load, bounds: [Bound; 2]) -> Case {
        Case { name, call, rule, load, bounds }
    }
    [
        case("healthy, sync", Sync, Consecutive, Healthy, HEALTHY),
        case("healthy, async", Async, Consecutive, Healthy, HEALTHY),
        case("refused, sync", Sync, Consecutive, Refused, REFUSED),
        case("refused, async", Async, Consecutive, Refused, REFUSED),
        case("one in ten fails, sync", Sync, Consecutive, Failing, OTHER),
        case("one in ten fails, async", Async, Consecutive, Failing, OTHER),
        case("window of calls, sync", Sync, Calls, Healthy, OTHER),
        case("window of calls, async", Async, Calls, Healthy, OTHER),
        case("window of calls, one in ten fails, sync", Sync, Calls, Failing, OTHER),
        case("window of calls, one in ten fails, async", Async, Calls, Failing, OTHER),
        case("window of time, sync", Sync, Time, Healthy, OTHER),
        case("window of time, async", Async, Time, Healthy, OTHER),
        case("window of time, one in ten fails, sync", Sync, Time, Failing, OTHER),
        case("window of time, one in ten fails, async", Async, Time, Failing, OTHER),
        case("permit, matched by `if let`", Permit, Consecutive, Healthy, PERMIT),
        case("refused permit", Permit, Consecutive, Refused, REFUSED),
        case("by name, one name", ByName(1), Consecutive, Healthy, ONE_NAME),
        case("by name, a thousand names", ByName(1000), Consecutive, Healthy, MANY_NAMES),
        case("`#[circuit]`, sync", Circuit, Consecutive, Healthy, CIRCUIT),
        case("`#[circuit]`, async", AsyncCircuit, Consecutive, Healthy, CIRCUIT),
        case("tower service", Service, Consecutive, Healthy, SERVICE),
        case("tower service, cloned", ClonedService, Consecutive, Healthy, CLONED_SERVICE),
    ]
};
