//! [`Circuit`]: the fields of one circuit, their invariants, and plain access to them.
//!
//! Each operation on a circuit has a file of its own next to this one.

use super::counters::Counters;
use super::locked::Locked;
use super::refusal_links::RefusalLinks;
use super::registry_entry::RegistryEntry;
use super::shared_ramp_up::SharedRampUp;
use super::success_buffer::SuccessBuffer;
use super::wait_queue::WaitQueue;
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
use crate::error::{CircuitOpen, RefusalCause, RefusingCircuit};
use crate::event::{EventBus, Listeners};
use crate::refusal_details::RefusalDetails;
use crate::state::{Admission, Flags, Generation, PackedState, State, admission};
use crate::sync::unmodelled::AtomicBool;
use crate::sync::{ArcSwap, AtomicU32, AtomicU64, Loaded, Mutex, OnceBox, Ordering};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The circuit of one breaker.
///
/// `word` is the [packed state](PackedState). A healthy call is admitted and recorded with loads of
/// the word alone; everything that a transition needs is in `locked`.
///
/// # Invariants
///
/// 1. Only the holder of the lock changes the state. Other threads change `word` in two ways: they
///    count or reset the consecutive failures of a closed circuit that is not
///    [buffering](Flags::BUFFER_SUCCESSES), and they set [`Flags::SLOW_PATH`].
/// 2. `deadline`, `lease` and `trial_failures` are stored before the word that refers to them, and
///    only while the present word does not refer to them. A reader that finds the same word before
///    and after its loads has therefore read values that belong to the word. There are two
///    exceptions, in which both the old and the new value are correct: `trip_for`, the hints of late
///    calls and the orders of a fleet move the deadline of an open circuit, and the lease and the
///    failures change while trials start and end.
/// 3. The windows, and the consecutive failures of a word that is
///    [buffering](Flags::BUFFER_SUCCESSES), are as of the last
///    [`flush_buffer`](Circuit::flush_buffer) (see [`success_buffer`](super::success_buffer)). The
///    buffer is flushed before either of them is read, and [closed](Circuit::close_buffer) before
///    the generation changes.
/// 4. No user code runs under the lock. Clocks, `Debug`, predicates and listeners are called before
///    the lock is taken or after it is released, and replaced settings are dropped after it is
///    released.
#[repr(C)]
pub(crate) struct Circuit {
    pub(super) word: AtomicU64,
    pub(crate) config: ArcSwap<BreakerConfig>,
    cold: OnceBox<ColdState>,
    pub(crate) context: Arc<CircuitContext>,
    pub(crate) name: Arc<str>,
    pub(crate) entry: RegistryEntry,
    pub(super) counters: Counters,
    pub(super) refusal_links: RefusalLinks,
    /// Open: when the circuit half-opens.
    pub(super) deadline: AtomicU64,
    /// Half-open: when the lease of the trials expires. Another call may take a slot from then on.
    pub(super) lease: AtomicU64,
    /// Half-open: the consecutive failures, because the payload of the word contains the trials.
    pub(super) trial_failures: AtomicU32,
    /// Cancelled calls since the last call with another outcome.
    pub(super) consecutive_cancellations: AtomicU32,
    pub(super) locked: Mutex<Locked>,
}

/// The parts of a circuit that are seldom needed, each created on first use.
#[derive(Default)]
pub(super) struct ColdState {
    pub(super) buffer: OnceBox<SuccessBuffer>,
    pub(super) wait_queue: OnceBox<WaitQueue>,
    pub(super) ramp_up: OnceBox<SharedRampUp>,
    /// The streams and listeners of this circuit only.
    pub(super) local_listeners: OnceBox<EventBus>,
    /// Whether state changes are left in the queue, which the next call delivers.
    pub(super) overdue: AtomicBool,
}

/// What a circuit takes from its registry: an identity, an event bus and a clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct CircuitContext {
    /// The unique number of the registry, or zero without a registry.
    pub(crate) registry: u64,
    /// The event bus of the registry.
    pub(crate) bus: Option<Arc<EventBus>>,
    pub(crate) clock: ClockSource,
}

impl CircuitContext {
    pub(super) fn listeners<'a>(
        &'a self,
        config: &'a BreakerConfig,
        local: Option<&'a EventBus>,
    ) -> Listeners<'a> {
        Listeners {
            configured: config.listeners(),
            local,
            registry: self.bus.as_deref(),
        }
    }
}

/// A state word, with the values that belong to it.
#[derive(Clone, Copy)]
pub(super) struct StateView {
    pub(super) word: PackedState,
    pub(super) deadline: Moment,
    pub(super) lease: Moment,
    /// The consecutive failures.
    pub(super) failures: u32,
}

impl StateView {
    pub(super) fn admission(&self, now: Moment) -> Admission {
        admission(self.word, now, self.deadline, self.lease)
    }

    /// Returns the state at `now`. An open circuit is half-open once its deadline has passed, even
    /// if no call was made since.
    pub(super) fn state(&self, now: Moment) -> State {
        match self.word.state() {
            State::Open if now.has_reached(self.deadline) => State::HalfOpen,
            state => state,
        }
    }

    #[inline]
    pub(super) fn refused(&self, now: Moment) -> RefusalDetails {
        let end = match self.word.state() {
            State::HalfOpen => self.lease,
            _ => self.deadline,
        };
        RefusalDetails::new(self.word, self.failures, now, end)
    }
}

impl Circuit {
    pub(crate) fn new(
        name: Arc<str>,
        config: Arc<BreakerConfig>,
        context: &Arc<CircuitContext>,
    ) -> Self {
        let context = match config.clock() {
            None => context.clone(),
            Some(clock) => Arc::new(CircuitContext {
                clock: clock.clone(),
                ..CircuitContext::clone(context)
            }),
        };
        let locked = Locked::new(config.clone(), context.clock.now());
        let wanted = context.listeners(&config, None).call_interest().flags();
        let buffering = Flags::BUFFER_SUCCESSES.when(locked.wants_successes());
        let flags = config.flags() | wanted | buffering;
        let word = PackedState::new(config.mode().initial_state(), flags);
        Self {
            word: AtomicU64::new(word.bits()),
            deadline: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            trial_failures: AtomicU32::new(0),
            consecutive_cancellations: AtomicU32::new(0),
            config: ArcSwap::new(config),
            counters: Counters::default(),
            refusal_links: RefusalLinks::default(),
            locked: Mutex::new(locked),
            cold: OnceBox::new(),
            name,
            context,
            entry: RegistryEntry::default(),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> PackedState {
        // Ordering: `Acquire` here pairs with the `AcqRel` swap in `cas_word`; without it a reader
        // could see a state without the deadline that was stored before it.
        PackedState::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Replaces `word` with `next`, or returns the word that is stored instead.
    pub(super) fn cas_word(&self, word: PackedState, next: PackedState) -> Result<(), PackedState> {
        // Ordering: `Release` here pairs with the `Acquire` load in `word`; without it a reader of
        // the new word could miss the values that were stored before it. `Acquire`, also on
        // failure, because the caller uses the old word like one that it loaded.
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        self.word
            .compare_exchange(word.bits(), next.bits(), success, failure)
            .map(|_| ())
            .map_err(PackedState::from_bits)
    }

    /// Applies `change` to the word, and returns the previous word.
    pub(super) fn update_word(&self, change: impl Fn(PackedState) -> PackedState) -> PackedState {
        let mut before = self.word();
        loop {
            match self.cas_word(before, change(before)) {
                Ok(()) => return before,
                Err(found) => before = found,
            }
        }
    }

    /// Reads the word and the values that belong to it (invariant 2).
    pub(super) fn consistent_read(&self) -> StateView {
        loop {
            let word = self.word();
            // Ordering: `Acquire` here pairs with the `Release` stores of these values. A value is
            // replaced only after the word that refers to it is gone (invariant 2), so a reader of
            // the new value finds another word below; without it a reader could combine the old
            // word with a new deadline.
            let deadline = self.deadline.load(Ordering::Acquire);
            let lease = self.lease.load(Ordering::Acquire);
            let trial_failures = self.trial_failures.load(Ordering::Acquire);
            if self.word() != word {
                continue;
            }
            let half_open = word.state() == State::HalfOpen;
            return StateView {
                word,
                deadline: Moment::from_nanos(deadline),
                lease: Moment::from_nanos(lease),
                failures: if half_open {
                    trial_failures
                } else {
                    word.failures()
                },
            };
        }
    }

    /// Returns the cold state, if any part of it was created.
    #[inline]
    pub(super) fn cold_if_init(&self) -> Option<&ColdState> {
        self.cold.get()
    }

    pub(super) fn cold(&self) -> &ColdState {
        self.cold.get_or_init(ColdState::default)
    }

    pub(crate) fn state(&self) -> State {
        let view = self.consistent_read();
        match view.word.state() {
            State::Open => view.state(self.context.clock.now()),
            state => state,
        }
    }

    pub(crate) fn failure_count(&self) -> u32 {
        let view = self.consistent_read();
        if view.failures == 0 || !view.word.has(Flags::BUFFER_SUCCESSES) {
            return view.failures;
        }
        // A buffered success may have reset the failures.
        let mut locked = self.locked.lock();
        self.flush_buffer(&mut locked);
        self.consistent_read().failures
    }

    pub(crate) fn open_remaining(&self) -> Option<Duration> {
        let view = self.consistent_read();
        if view.word.state() != State::Open {
            return None;
        }
        let now = self.context.clock.now();
        (!now.has_reached(view.deadline)).then(|| now.until(view.deadline))
    }

    pub(crate) fn last_failure(&self) -> Option<Arc<str>> {
        self.last_failure_if(|_| true)
    }

    fn last_failure_if(&self, is_current: impl FnOnce(&StateView) -> bool) -> Option<Arc<str>> {
        let mut locked = self.locked.lock();
        self.flush_buffer(&mut locked);
        let view = self.consistent_read();
        let visible = view.failures > 0 && is_current(&view);
        locked.last_failure().filter(|_| visible).map(Arc::from)
    }

    /// Creates the error of a refused call.
    #[inline]
    pub(crate) fn refusal_error(self: &Arc<Self>, refused: RefusalDetails) -> CircuitOpen {
        CircuitOpen::new(self.refusal_links.link_to(&self.name, self), refused)
    }

    /// Returns `true` if a handle, or the error of a refused call, refers to the circuit.
    ///
    /// The handles of call sites do not count, and neither do `known` other references.
    pub(crate) fn is_held(self: &Arc<Self>, known: usize) -> bool {
        // The sites are read before the reference count: a handle that a site adds in between makes
        // the circuit appear held, which is safe.
        let in_sites = self.entry.call_sites.handles();
        // The handles are read before the links: a refused call takes a link before it drops its
        // handle, so the reads cannot miss both.
        Arc::strong_count(self) > known + in_sites || self.refusal_links.are_referenced()
    }

    pub(crate) fn config(&self) -> Loaded<BreakerConfig> {
        self.config.load()
    }
}

impl RefusingCircuit for Circuit {
    fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>> {
        self.last_failure_if(|view| view.word.generation() == generation)
    }

    fn cause_of(&self, generation: Generation) -> Option<RefusalCause> {
        let locked = self.locked.lock();
        let is_current = self.word().generation() == generation;
        let cause = locked.cause().filter(|_| is_current).cloned();
        drop(locked);
        cause?.refusal_cause()
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("word", &self.word())
            .finish_non_exhaustive()
    }
}
