//! [`Segments`]: the calls on which candidates are tried, in compact form.

use crate::call::{Call, Outcome};
use crate::hash::fnv;
use crate::names::Names;
use crate::nanos::{from_nanos, nanos};
use crate::outage::{Outage, spans_of};
use crate::survey::is_bad;
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

/// The time before and after an outage that belongs to its traffic.
const BEFORE: Duration = Duration::from_secs(120);
const AFTER: Duration = Duration::from_secs(180);
/// The length of the periods that the quiet sample consists of.
const PERIOD: Duration = Duration::from_secs(300);

/// The calls around each outage, and last a sample of the others.
#[derive(Debug)]
pub(super) struct Segments {
    name: Arc<str>,
    instances: Names,
    list: Vec<Segment>,
}

/// Calls on which candidates are tried: those around an outage, or a sample of the others.
#[derive(Debug, Default)]
pub(super) struct Segment {
    from: Duration,
    until: Duration,
    pub(super) outage: Option<Outage>,
    calls: Vec<StoredCall>,
    /// The hash of the request of each call, or 0. Empty if no call of the traffic has a request.
    requests: Vec<u64>,
    /// The calls in the outage, and the bad ones among them.
    calls_inside: u32,
    pub(super) bad_inside: u32,
    pub(super) is_cut: bool,
}

/// A call without its name, its request and its error. Up to two million of them are in memory.
#[derive(Clone, Copy, Debug)]
struct StoredCall {
    start: u64,
    /// [`UNKNOWN`] if the source does not say.
    duration: u64,
    /// The number of the instance, plus 1, or 0.
    instance: u32,
    outcome: Outcome,
}

const UNKNOWN: u64 = u64::MAX;

/// What decides which calls are collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bad_from: Option<Duration>,
    pub(super) has_requests: bool,
    /// The most calls of all segments.
    pub(super) most: usize,
    /// The number of calls of the name in the traffic.
    pub(super) of: u64,
}

impl Segments {
    /// Collects the calls of `name` around each of the outages, and a sample of the others.
    pub(super) fn collect(
        name: &Arc<str>,
        outages: &[Outage],
        limits: Limits,
        calls: impl IntoIterator<Item = impl Borrow<Call>>,
    ) -> Self {
        let mut list = around(name, outages);
        let mut quiet = Segment::default();
        let most = (limits.most / (list.len() + 1)).max(1);
        // The sample is spread over the traffic, because nights differ from days.
        let every = u128::from(limits.of.div_ceil(most as u64).max(1));
        let is_sampled = |start: Duration| (start.as_nanos() / PERIOD.as_nanos()) % every == 0;
        let mut instances = Names::default();
        for call in calls {
            let call = call.borrow();
            if call.name != *name {
                continue;
            }
            let is_bad = is_bad(call.outcome, call.duration, limits.bad_from);
            let mut is_quiet = true;
            for segment in &mut list {
                if !(segment.from..segment.until).contains(&call.start) {
                    continue;
                }
                is_quiet = false;
                if segment.calls.len() == most {
                    segment.is_cut = true;
                } else {
                    segment.add(call, is_bad, limits.has_requests, &mut instances);
                }
            }
            if is_quiet && quiet.calls.len() < most && is_sampled(call.start) {
                quiet.add(call, is_bad, limits.has_requests, &mut instances);
            }
        }
        list.push(quiet);
        Self {
            name: name.clone(),
            instances,
            list,
        }
    }

    pub(super) fn list(&self) -> &[Segment] {
        &self.list
    }

    /// Returns the number of instances that the calls name.
    pub(super) fn instances(&self) -> usize {
        self.instances.list().len()
    }

    /// Returns the number of all calls.
    pub(super) fn calls(&self) -> usize {
        self.list.iter().map(|segment| segment.calls.len()).sum()
    }

    /// Returns the calls of a segment. Their requests have other names, but the same ones are equal.
    pub(super) fn calls_of<'a>(&'a self, segment: &'a Segment) -> impl Iterator<Item = Call> + 'a {
        segment.calls.iter().enumerate().map(|(at, stored)| {
            let mut call = Call::new(self.name.clone(), from_nanos(stored.start), stored.outcome);
            call.duration = (stored.duration != UNKNOWN).then(|| from_nanos(stored.duration));
            let instance = (stored.instance as usize).checked_sub(1);
            call.instance = instance.and_then(|at| self.instances.list().get(at).cloned());
            let request = segment.requests.get(at).filter(|request| **request != 0);
            call.request = request.map(|request| request.to_string().into());
            call
        })
    }
}

/// Returns segments without calls, one for each outage.
fn around(name: &Arc<str>, outages: &[Outage]) -> Vec<Segment> {
    let spans = spans_of(name, outages);
    // Two outages share the time between them: no call belongs to both.
    let middle = |end: u64, start: u64| from_nanos(end + (start - end) / 2);
    let segment = |at: usize| {
        let span = spans[at];
        let (start, end) = (from_nanos(span.start), from_nanos(span.end));
        let earlier = at
            .checked_sub(1)
            .map(|at| middle(spans[at].end, span.start));
        let later = spans.get(at + 1).map(|next| middle(span.end, next.start));
        Segment {
            from: start
                .saturating_sub(BEFORE)
                .max(earlier.unwrap_or_default()),
            until: end
                .saturating_add(AFTER)
                .min(later.unwrap_or(Duration::MAX)),
            outage: Some(Outage::new(start, end).of(name.clone())),
            ..Segment::default()
        }
    };
    (0..spans.len()).map(segment).collect()
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    fn add(&mut self, call: &Call, is_bad: bool, has_requests: bool, instances: &mut Names) {
        let is_inside = |outage: &Outage| (outage.start..outage.end).contains(&call.start);
        if self.outage.as_ref().is_some_and(is_inside) {
            self.calls_inside += 1;
            self.bad_inside += u32::from(is_bad);
        }
        let instance = call.instance.as_ref();
        self.calls.push(StoredCall {
            start: nanos(call.start),
            duration: call.duration.map_or(UNKNOWN, nanos),
            instance: instance.map_or(0, |instance| instances.number(instance) + 1),
            outcome: call.outcome,
        });
        if has_requests {
            let request = call.request.as_ref();
            self.requests
                .push(request.map_or(0, |request| fnv(request) | 1));
        }
    }

    /// Returns `true` if most calls of the outage failed.
    pub(super) fn is_severe(&self) -> bool {
        self.calls_inside > 0 && 2 * self.bad_inside >= self.calls_inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(second: u64) -> Call {
        let mut call = Call::new("a", Duration::from_secs(second), Outcome::Success);
        call.instance = (second % 3 > 0).then(|| format!("web-{}", second % 3).into());
        call.duration = (second % 2 > 0).then_some(Duration::from_millis(second));
        call.request = (second % 5 > 0).then(|| format!("request {}", second / 5).into());
        call
    }

    fn collect(most: usize, outages: &[Outage], seconds: u64) -> Segments {
        let limits = Limits {
            bad_from: None,
            has_requests: true,
            most,
            of: seconds,
        };
        Segments::collect(&"a".into(), outages, limits, (0..seconds).map(call))
    }

    #[test]
    fn stored_call_is_small_and_keeps_what_a_replay_needs() {
        assert!(size_of::<StoredCall>() <= 24);
        let segments = collect(1_000, &[], 100);
        let read: Vec<Call> = segments.calls_of(&segments.list()[0]).collect();
        for (read, expected) in read.iter().zip((0..100).map(call)) {
            let request = read.request.clone();
            assert_eq!(request.is_some(), expected.request.is_some());
            assert_eq!(
                Call {
                    request,
                    ..expected
                },
                *read
            );
        }
        assert_eq!(read[1].request, read[2].request);
        assert_ne!(read[4].request, read[6].request);
    }

    #[test]
    fn quiet_sample_is_spread_over_traffic() {
        let segments = collect(1_000, &[], 9_000);
        let quiet = &segments.list()[0];
        let starts: Vec<u64> = segments
            .calls_of(quiet)
            .map(|call| call.start.as_secs())
            .collect();
        assert_eq!(starts.len(), 1_000);
        assert!(!quiet.is_cut);
        let in_period = |from: u64| {
            starts
                .iter()
                .filter(move |at| (from..from + 300).contains(at))
        };
        assert_eq!((in_period(0).count(), in_period(300).count()), (300, 0));
        assert_eq!(in_period(8_100).count(), 100, "the last sampled period");
    }

    #[test]
    fn calls_between_outages_belong_to_one_of_them() {
        let outage = |start, end| Outage::new(Duration::from_secs(start), Duration::from_secs(end));
        let segments = collect(10_000, &[outage(300, 400), outage(460, 500)], 2_000);
        let span = |at: usize| {
            let mut calls = segments.calls_of(&segments.list()[at]);
            let first = calls.next().unwrap().start.as_secs();
            (first, calls.last().unwrap().start.as_secs())
        };
        assert_eq!((span(0), span(1)), ((180, 429), (430, 679)));
        assert_eq!(segments.calls(), 2_000);
        assert!(collect(30, &[outage(300, 400)], 2_000).list()[0].is_cut);
        // More outages than calls.
        assert_eq!(collect(1, &[outage(300, 400)], 2_000).calls(), 2);
    }
}
