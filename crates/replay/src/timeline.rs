//! [`Timeline`]: turns traffic into the starts and ends of calls, in the order in which they happen.
//!
//! The order is the same for all settings, so it is computed once. At equal instants, ends come before
//! starts; after that, the order is that of the traffic. Only calls in flight are in memory, and, if
//! calls of unknown outcome occur, the calls within the time by which these are judged.

use crate::call::Call;
use crate::fact::{Fact, NO_OUTAGE};
use crate::hash::fnv;
use crate::instances::{Instances, instance_of};
use crate::judge::Judge;
use crate::names::Names;
use crate::nanos::nanos;
use crate::outage::{Outage, Span, spans_of};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

/// What happens at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) at: u64,
    pub(crate) kind: Kind,
    /// The place of the call among the calls in flight.
    pub(crate) slot: u32,
    pub(crate) fact: Fact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    End,
    /// A call that takes no time.
    Whole,
}

/// A breaker: one for each name and instance.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: Arc<str>,
    pub(crate) instance: Option<Arc<str>>,
}

/// The starts and ends of the calls that were read so far.
#[derive(Debug)]
pub(crate) struct Timeline<'a> {
    outages: &'a [Outage],
    instances: Instances,
    judge: Judge,
    names: Names,
    instance_names: Names,
    spans: Vec<Spans>,
    keys: Vec<Key>,
    key_numbers: HashMap<(u32, u32), u32>,
    last_key: Option<((u32, u32), u32)>,
    /// Calls that wait until all calls are read by which their outcomes are judged.
    pending: VecDeque<Fact>,
    /// The ends of calls in flight: time, position in the traffic, and slot.
    ends: BinaryHeap<Reverse<(u64, u64, u32)>>,
    in_flight: Vec<Fact>,
    free: Vec<u32>,
    lines: u64,
    started: u64,
    latest: u64,
    reordered: u64,
}

/// The outages of one name, and the first of them that is not over.
#[derive(Debug)]
struct Spans {
    spans: Vec<Span>,
    next: usize,
}

impl Spans {
    /// Returns the number of the outage at the time `at`, which never goes back.
    fn outage_at(&mut self, at: u64) -> u32 {
        while let Some(span) = self.spans.get(self.next) {
            if at < span.start {
                return NO_OUTAGE;
            }
            if at < span.end {
                return span.number;
            }
            self.next += 1;
        }
        NO_OUTAGE
    }
}

impl<'a> Timeline<'a> {
    pub(crate) fn new(outages: &'a [Outage], instances: Instances, judge: Judge) -> Self {
        Self {
            outages,
            instances,
            judge,
            names: Names::default(),
            instance_names: Names::default(),
            spans: Vec::new(),
            keys: Vec::new(),
            key_numbers: HashMap::new(),
            last_key: None,
            pending: VecDeque::new(),
            ends: BinaryHeap::new(),
            in_flight: Vec::new(),
            free: Vec::new(),
            lines: 0,
            started: 0,
            latest: 0,
            reordered: 0,
        }
    }

    /// Reads a call, and emits the steps that no later call can precede.
    #[inline]
    pub(crate) fn read(&mut self, call: &Call, emit: &mut impl FnMut(Step)) {
        let fact = self.fact(call);
        if !self.judge.is_needed() {
            return self.start(fact, emit);
        }
        self.judge.add(&fact);
        self.pending.push_back(fact);
        while let Some(first) = self.pending.front() {
            if first.start.saturating_add(self.judge.within()) > fact.start {
                break;
            }
            self.start_pending(emit);
        }
    }

    /// Emits the remaining steps.
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(Step)) {
        while !self.pending.is_empty() {
            self.start_pending(emit);
        }
        self.end_until(u64::MAX, emit);
    }

    /// Returns all breakers so far.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns all names so far.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        self.names.list()
    }

    /// Returns the number of calls so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the number of calls that started before the call before them. They were replayed as
    /// if they had started at the same time.
    pub(crate) fn reordered(&self) -> u64 {
        self.reordered
    }

    fn fact(&mut self, call: &Call) -> Fact {
        let read = nanos(call.start);
        let end = nanos(call.end());
        self.reordered += u64::from(read < self.latest);
        let start = read.max(self.latest);
        self.latest = start;
        let line = self.lines;
        self.lines += 1;

        let name = self.names.number(&call.name);
        let instance = instance_of(&self.instances, call, line, &mut self.instance_names);
        let key = self.key(name, instance, call);
        let duration = end.saturating_sub(start);
        Fact {
            start,
            duration,
            request: call.request.as_ref().map_or(0, |id| fnv(id) | 1),
            key,
            name,
            outage: NO_OUTAGE,
            fates: self.judge.fates(call.outcome, duration),
        }
    }

    fn key(&mut self, name: u32, instance: u32, call: &Call) -> u32 {
        let pair = (name, instance);
        if let Some((last, number)) = self.last_key {
            if last == pair {
                return number;
            }
        }
        let next = u32::try_from(self.keys.len()).expect("at most 2^32 breakers");
        let number = *self.key_numbers.entry(pair).or_insert(next);
        if number == next {
            let instance = self.instance_names.list().get(instance as usize).cloned();
            let name = call.name.clone();
            self.keys.push(Key { name, instance });
        }
        self.last_key = Some((pair, number));
        number
    }

    fn start_pending(&mut self, emit: &mut impl FnMut(Step)) {
        if let Some(mut fact) = self.pending.pop_front() {
            self.judge.judge(&mut fact, self.started);
            self.start(fact, emit);
        }
    }

    #[inline]
    fn start(&mut self, mut fact: Fact, emit: &mut impl FnMut(Step)) {
        let at = fact.start;
        self.end_until(at, emit);
        fact.outage = self.outage_at(fact.name, at);
        let line = self.started;
        self.started += 1;
        if fact.duration == 0 {
            return emit(Step {
                at,
                kind: Kind::Whole,
                slot: 0,
                fact,
            });
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.in_flight.push(fact);
            u32::try_from(self.in_flight.len() - 1).expect("at most 2^32 calls in flight")
        });
        self.in_flight[slot as usize] = fact;
        let end = at.saturating_add(fact.duration);
        self.ends.push(Reverse((end, line, slot)));
        emit(Step {
            at,
            kind: Kind::Start,
            slot,
            fact,
        });
    }

    fn end_until(&mut self, until: u64, emit: &mut impl FnMut(Step)) {
        while let Some(Reverse((at, _, slot))) = self.ends.peek().copied() {
            if at > until {
                break;
            }
            self.ends.pop();
            self.free.push(slot);
            emit(Step {
                at,
                kind: Kind::End,
                slot,
                fact: self.in_flight[slot as usize],
            });
        }
    }

    fn outage_at(&mut self, name: u32, at: u64) -> u32 {
        if self.outages.is_empty() {
            return NO_OUTAGE;
        }
        for name in &self.names.list()[self.spans.len()..] {
            let spans = spans_of(name, self.outages);
            self.spans.push(Spans { spans, next: 0 });
        }
        self.spans[name as usize].outage_at(at)
    }
}
