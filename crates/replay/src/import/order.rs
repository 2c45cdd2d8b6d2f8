//! [`Order`]: sorts calls by their start, within a bounded window.

use crate::Call;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// Calls that wait until no earlier call can come.
///
/// A log is written when calls end, so a slow call comes after calls that started later. A call leaves
/// the window once a line was read that is `window` later, or once the window is full.
///
/// Most calls start after nearly all calls of earlier lines. They are inserted near the end of `sorted`,
/// and only the others go through `heap`. With a heap alone, `breakerbox replay` of two million lines
/// takes 3.4 s of processor time instead of 2.4 s.
///
/// # Invariants
///
/// 1. `sorted` and `heap` together refer to each occupied place of `calls` once, and `free` to each
///    other place once.
/// 2. Calls leave in the order of their start, and calls of one start in the order of their lines.
#[derive(Debug)]
pub(super) struct Order {
    window: Duration,
    capacity: usize,
    /// The length of the texts of all waiting calls.
    text: usize,
    sorted: VecDeque<Key>,
    heap: BinaryHeap<Reverse<Key>>,
    calls: Vec<Option<Call>>,
    free: Vec<usize>,
    /// The latest time of a line.
    latest: Option<Duration>,
    /// The start of the call that left last.
    left: Option<Duration>,
    /// The first line, or a line whose time is far ahead of the lines before it.
    distant: Option<Distant>,
    tally: Tally,
}

/// The start of a call, the number of calls before it, and its place.
type Key = (Duration, u64, usize);

/// The maximum number of keys past which a key is inserted into `sorted`.
const NEAR: usize = 64;

/// The maximum length of the texts of all waiting calls: 32 MiB. Names that occur in many calls are stored
/// once, but count for each of them, so this bounds only calls with unusually long texts.
const MAX_TEXT: usize = 32 << 20;

/// What became of the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The calls that were put in order, including those that were moved.
    pub(super) placed: u64,
    /// The calls whose start was moved to that of the call that left last.
    pub(super) moved: u64,
    /// The calls that ended before the start of the call that left last, and were dropped.
    pub(super) late: u64,
}

#[derive(Debug)]
struct Distant {
    number: u64,
    written: Duration,
    calls: Vec<Call>,
}

/// The time between two lines that is plausible without a second line.
const MAX_GAP: Duration = Duration::from_secs(3_600);

impl Order {
    pub(super) fn new(window: Duration, capacity: usize) -> Self {
        Self {
            window,
            capacity,
            text: 0,
            sorted: VecDeque::new(),
            heap: BinaryHeap::new(),
            calls: Vec::new(),
            free: Vec::new(),
            latest: None,
            left: None,
            distant: None,
            tally: Tally::default(),
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Adds a call of line `number`, which was written at `written`.
    ///
    /// Returns the number of an earlier line if its calls were dropped, because the lines around it are
    /// much earlier.
    pub(super) fn push(&mut self, number: u64, written: Duration, call: Call) -> Option<u64> {
        let mut dropped = None;
        if let Some(distant) = &mut self.distant {
            if distant.number == number && distant.written == written {
                distant.calls.push(call);
                return None;
            }
            let confirmed = written.saturating_add(MAX_GAP) >= distant.written;
            let distant = self.distant.take();
            if confirmed {
                self.place_distant(distant);
            } else {
                dropped = distant.map(|distant| distant.number);
            }
        }
        let plausible = |latest: Duration| written <= latest.saturating_add(MAX_GAP);
        if self.latest.is_some_and(plausible) {
            self.place(written, call);
        } else {
            self.distant = Some(Distant {
                number,
                written,
                calls: vec![call],
            });
        }
        dropped
    }

    fn place_distant(&mut self, distant: Option<Distant>) {
        let Some(distant) = distant else { return };
        for call in distant.calls {
            self.place(distant.written, call);
        }
    }

    fn place(&mut self, written: Duration, mut call: Call) {
        if let Some(left) = self.left.filter(|left| call.start < *left) {
            let end = call.end();
            if end < left || call.duration.is_none() {
                self.tally.late += 1;
                return;
            }
            call.start = left;
            call.duration = Some(end.saturating_sub(left));
            self.tally.moved += 1;
        }
        self.latest = self.latest.max(Some(written));
        let start = call.start;
        self.text += text_of(&call);
        let place = self.free.pop().unwrap_or_else(|| {
            self.calls.push(None);
            self.calls.len() - 1
        });
        if let Some(free) = self.calls.get_mut(place) {
            *free = Some(call);
        }
        self.insert((start, self.tally.placed, place));
        self.tally.placed += 1;
    }

    fn insert(&mut self, key: Key) {
        let last = self.sorted.iter().rev().take(NEAR);
        let later = last.take_while(|other| **other > key).count();
        if later < NEAR {
            self.sorted.insert(self.sorted.len() - later, key);
        } else {
            self.heap.push(Reverse(key));
        }
    }

    fn first(&self) -> Option<Key> {
        let sorted = self.sorted.front().copied();
        let heap = self.heap.peek().map(|Reverse(key)| *key);
        match (sorted, heap) {
            (Some(sorted), Some(heap)) => Some(sorted.min(heap)),
            (sorted, heap) => sorted.or(heap),
        }
    }

    /// Returns the next call, if no earlier one can come or the window is full.
    pub(super) fn pop(&mut self) -> Option<Call> {
        let (start, ..) = self.first()?;
        let latest = self.latest.unwrap_or(Duration::ZERO);
        let ready = self.sorted.len() + self.heap.len() > self.capacity
            || self.text > MAX_TEXT
            || start.saturating_add(self.window) <= latest;
        if ready { self.pop_first() } else { None }
    }

    /// Returns the next call, after the end of the source.
    pub(super) fn pop_rest(&mut self) -> Option<Call> {
        let distant = mem::take(&mut self.distant);
        self.place_distant(distant);
        self.pop_first()
    }

    fn pop_first(&mut self) -> Option<Call> {
        let key = self.first()?;
        if self.sorted.front() == Some(&key) {
            self.sorted.pop_front();
        } else {
            self.heap.pop();
        }
        let (start, _, place) = key;
        self.left = Some(start);
        self.free.push(place);
        let call = self.calls.get_mut(place)?.take()?;
        self.text -= text_of(&call);
        Some(call)
    }
}

/// Returns the length of the texts of a call.
fn text_of(call: &Call) -> usize {
    let length = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
    call.name.len() + length(&call.instance) + length(&call.error) + length(&call.request)
}
