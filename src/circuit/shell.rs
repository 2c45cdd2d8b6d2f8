use super::counters::Counters;
use super::locked::Locked;
use super::refusal_links::RefusalLinks;
use super::registry_entry::RegistryEntry;
use super::success_buffer::SuccessBuffer;
use super::wait_queue::WaitQueue;
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
use crate::error::{CircuitOpen, FailedCircuit};
use crate::event::{Audience, Hub};
use crate::refused::Refused;
use crate::state::{Admission, Flags, Generation, PackedState, State, admission};
use crate::sync::plain::AtomicBool;
use crate::sync::{AtomicU32, AtomicU64, Loaded, Lock, Once, Ordering, Swap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A breaker: the thin shell of atomics and a clock around the pure state machine.
///
/// # Invariants
///
/// 1. The state changes under `locked` only. Without it, `word` may be changed in two ways: the
///    consecutive count of a closed circuit that is not [buffering](Flags::BUFFER_SUCCESSES), and
///    [`Flags::SLOW_PATH`] being set.
/// 2. `deadline` and `trial_failures` are stored before the word that gives them a meaning, and
///    only while the word does not give them one (`trip_for` and late hints on an open circuit aside,
///    where either deadline is right, and the failures of trials that end, of which a refusal may show the next
///    count). So a reader that finds the same word before and after it read them has
///    read what belongs to that word.
/// 3. The windows in `locked`, and the consecutive count of a word that is
///    [buffering](Flags::BUFFER_SUCCESSES), are as of the last [`flush_buffer`](Circuit::flush_buffer) (see
///    [`SuccessBuffer`]). It is called before either is read, and
///    [`close_buffer`](Circuit::close_buffer) before the generation moves on.
/// 4. No user code runs under `locked`: clocks, `Debug`, predicates and listeners are called
///    before it is taken or after it was released, and settings that were replaced are dropped
///    then.
#[repr(C)]
pub(crate) struct Circuit {
    pub(super) word: AtomicU64,
    pub(crate) config: Swap<BreakerConfig>,
    cold: Once<ColdState>,
    pub(crate) context: Arc<CircuitContext>,
    pub(crate) name: Arc<str>,
    pub(crate) entry: RegistryEntry,
    pub(super) counters: Counters,
    pub(super) refusal_links: RefusalLinks,
    /// Open: when the circuit half-opens.
    pub(super) deadline: AtomicU64,
    /// Half-open: when the trials in flight are given up.
    pub(super) lease: AtomicU64,
    /// Half-open: the failures in a row, for which the word has no room then.
    pub(super) trial_failures: AtomicU32,
    /// Calls cancelled with no other outcome between.
    pub(super) consecutive_cancellations: AtomicU32,
    pub(super) locked: Lock<Locked>,
}

/// What few breakers have, each made when it is first needed.
#[derive(Default)]
pub(super) struct ColdState {
    pub(super) buffer: Once<SuccessBuffer>,
    pub(super) wait_queue: Once<WaitQueue>,
    /// Who came to listen to this breaker alone.
    pub(super) local_listeners: Once<Hub>,
    /// State changes wait that no thread delivers, since listeners were nested too deep.
    pub(super) overdue: AtomicBool,
}

/// The registry that a breaker belongs to, and what it got from there.
#[derive(Clone, Debug, Default)]
pub(crate) struct CircuitContext {
    /// The registry's unique number; zero for none.
    pub(crate) registry: u64,
    pub(crate) hub: Option<Arc<Hub>>,
    pub(crate) clock: ClockSource,
}

impl CircuitContext {
    pub(super) fn listeners<'a>(
        &'a self,
        config: &'a BreakerConfig,
        own: Option<&'a Hub>,
    ) -> Audience<'a> {
        Audience {
            listeners: &config.settings.listeners,
            own,
            registry: self.hub.as_deref(),
        }
    }
}

/// What the atomics say, all of one generation.
#[derive(Clone, Copy)]
pub(super) struct StateView {
    pub(super) word: PackedState,
    pub(super) deadline: Moment,
    pub(super) lease: Moment,
    pub(super) failures: u32,
}

impl StateView {
    pub(super) fn admission(&self, now: Moment) -> Admission {
        admission(self.word, now, self.deadline, self.lease)
    }

    /// The state at `now`: an open circuit is half-open once its time has come, by time alone.
    pub(super) fn state(&self, now: Moment) -> State {
        match self.word.state() {
            State::Open if now.has_reached(self.deadline) => State::HalfOpen,
            state => state,
        }
    }

    #[inline]
    pub(super) fn refused(&self, now: Moment) -> Refused {
        let end = match self.word.state() {
            State::HalfOpen => self.lease,
            _ => self.deadline,
        };
        Refused::new(self.word, self.failures, now, end)
    }
}

impl Circuit {
    pub(crate) fn new(
        name: Arc<str>,
        config: Arc<BreakerConfig>,
        context: &Arc<CircuitContext>,
    ) -> Self {
        let context = match &config.settings.clock {
            None => context.clone(),
            Some(clock) => Arc::new(CircuitContext {
                clock: clock.clone(),
                ..CircuitContext::clone(context)
            }),
        };
        let locked = Locked::new(config.clone(), context.clock.now());
        let heard = context.listeners(&config, None).calls().flags();
        let buffering = Flags::BUFFER_SUCCESSES.when(locked.wants_successes());
        let flags = config.flags() | heard | buffering;
        let word = PackedState::new(config.mode().initial_state(), flags);
        Self {
            word: AtomicU64::new(word.bits()),
            deadline: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            trial_failures: AtomicU32::new(0),
            consecutive_cancellations: AtomicU32::new(0),
            config: Swap::new(config),
            counters: Counters::default(),
            refusal_links: RefusalLinks::default(),
            locked: Lock::new(locked),
            cold: Once::new(),
            name,
            context,
            entry: RegistryEntry::default(),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> PackedState {
        // Acquire: what was stored before this word was published is seen after it.
        PackedState::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Reads state, deadline, lease and failures, as of one word (invariant 2).
    pub(super) fn consistent_read(&self) -> StateView {
        loop {
            let word = self.word();
            // Acquire: a value that belongs to a later word brings at least the word before it
            // along, and the comparison below sees that the word has moved.
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

    /// What there is of them.
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
        // A success that was buffered since may have reset them.
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

    /// Returns the error of a refused call.
    #[inline]
    pub(crate) fn refusal_error(self: &Arc<Self>, refused: Refused) -> CircuitOpen {
        CircuitOpen::new(self.refusal_links.link_to(&self.name, self), refused)
    }

    /// Whether a handle or the error of a refused call refers to the circuit.
    ///
    /// The handles of call sites are not counted, nor are `known` other references.
    pub(crate) fn is_held(self: &Arc<Self>, known: usize) -> bool {
        let in_sites = self.entry.call_sites.handles();
        // The handles first: a refused call may drop its handle once it has an error.
        Arc::strong_count(self) > known + in_sites || self.refusal_links.are_referenced()
    }

    pub(crate) fn config(&self) -> Loaded<BreakerConfig> {
        self.config.load()
    }
}

impl FailedCircuit for Circuit {
    fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>> {
        self.last_failure_if(|view| view.word.generation() == generation)
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
