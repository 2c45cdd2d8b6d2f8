use super::control::Control;
use super::counters::Counters;
use super::refusal_links::RefusalLinks;
use super::registry_entry::RegistryEntry;
use super::success_buffer::SuccessBuffer;
use super::wait_queue::Waiting;
use crate::clock::{ClockSource, Moment};
use crate::config::BreakerConfig;
use crate::event::{Audience, Hub};
use crate::refusal_details::RefusalDetails;
use crate::state::{Admission, Flags, Generation, PackedState, State, admission};
use crate::sync::unmodelled::AtomicBool;
use crate::sync::{ArcSwap, AtomicU32, AtomicU64, Loaded, Mutex, OnceBox, Ordering};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A breaker: the thin shell of atomics and a clock around the pure state machine.
///
/// # Invariants
///
/// 1. The state changes under `control` only. Without it, `word` may be changed in two ways: the
///    consecutive count of a closed circuit that is not [buffering](Flags::BUFFER_SUCCESSES), and
///    [`Flags::SLOW_PATH`] being set.
/// 2. `deadline` and `trial_failures` are stored before the word that gives them a meaning, and
///    only while the word does not give them one (`trip_for` and late hints on an open circuit aside,
///    where either deadline is right, and the failures of trials that end, of which a refusal may show the next
///    count). So a reader that finds the same word before and after it read them has
///    read what belongs to that word.
/// 3. The windows in `control`, and the consecutive count of a word that is
///    [buffering](Flags::BUFFER_SUCCESSES), are as of the last [`flush_buffer`](Circuit::flush_buffer) (see
///    [`SuccessBuffer`]). It is called before either is read, and
///    [`close_buffer`](Circuit::close_buffer) before the generation moves on.
/// 4. No user code runs under `control`: clocks, `Debug`, predicates and listeners are called
///    before it is taken or after it was released, and settings that were replaced are dropped
///    then.
#[repr(C)]
pub(crate) struct Circuit {
    pub(super) word: AtomicU64,
    pub(crate) config: ArcSwap<BreakerConfig>,
    extras: OnceBox<Extras>,
    pub(crate) home: Arc<Home>,
    pub(crate) name: Arc<str>,
    pub(crate) entry: RegistryEntry,
    pub(super) counters: Counters,
    pub(crate) refusal_links: RefusalLinks,
    /// Open: when the circuit half-opens.
    pub(super) deadline: AtomicU64,
    /// Half-open: when the trials in flight are given up.
    pub(super) lease: AtomicU64,
    /// Half-open: the failures in a row, for which the word has no room then.
    pub(super) trial_failures: AtomicU32,
    /// Calls cancelled with no other outcome between.
    pub(super) streak: AtomicU32,
    pub(super) control: Mutex<Control>,
}

/// What few breakers have, each made when it is first needed.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) buffer: OnceBox<SuccessBuffer>,
    pub(super) waiting: OnceBox<Waiting>,
    /// Who came to listen to this breaker alone.
    pub(super) own: OnceBox<Hub>,
    /// State changes wait that no thread delivers, since listeners were nested too deep.
    pub(super) overdue: AtomicBool,
}

/// The registry that a breaker belongs to, and what it got from there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Home {
    /// The registry's unique number; zero for none.
    pub(crate) registry: u64,
    pub(crate) hub: Option<Arc<Hub>>,
    pub(crate) clock: ClockSource,
}

impl Home {
    pub(super) fn audience<'a>(
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
    pub(super) fn refused(&self, now: Moment) -> RefusalDetails {
        let end = match self.word.state() {
            State::HalfOpen => self.lease,
            _ => self.deadline,
        };
        RefusalDetails::new(self.word, self.failures, now, end)
    }
}

impl Circuit {
    pub(crate) fn new(name: Arc<str>, config: Arc<BreakerConfig>, home: &Arc<Home>) -> Self {
        let home = match &config.settings.clock {
            None => home.clone(),
            Some(clock) => Arc::new(Home {
                clock: clock.clone(),
                ..Home::clone(home)
            }),
        };
        let control = Control::new(config.clone(), home.clock.now());
        let heard = home.audience(&config, None).calls().flags();
        let buffering = Flags::BUFFER_SUCCESSES.when(control.wants_successes());
        let flags = config.flags() | heard | buffering;
        let word = PackedState::new(config.mode().initial_state(), flags);
        Self {
            word: AtomicU64::new(word.bits()),
            deadline: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            trial_failures: AtomicU32::new(0),
            streak: AtomicU32::new(0),
            config: ArcSwap::new(config),
            counters: Counters::default(),
            refusal_links: RefusalLinks::default(),
            control: Mutex::new(control),
            extras: OnceBox::new(),
            name,
            home,
            entry: RegistryEntry::default(),
        }
    }

    #[inline]
    pub(crate) fn word(&self) -> PackedState {
        // Acquire: what was stored before this word was published is seen after it.
        PackedState::from_bits(self.word.load(Ordering::Acquire))
    }

    /// Reads state, deadline, lease and failures, as of one word (invariant 2).
    pub(super) fn read(&self) -> StateView {
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
    pub(super) fn known_extras(&self) -> Option<&Extras> {
        self.extras.get()
    }

    pub(super) fn extras(&self) -> &Extras {
        self.extras.get_or_init(Extras::default)
    }

    pub(crate) fn state(&self) -> State {
        let reading = self.read();
        match reading.word.state() {
            State::Open => reading.state(self.home.clock.now()),
            state => state,
        }
    }

    pub(crate) fn failure_count(&self) -> u32 {
        let reading = self.read();
        if reading.failures == 0 || !reading.word.has(Flags::BUFFER_SUCCESSES) {
            return reading.failures;
        }
        // A success that was buffered since may have reset them.
        let mut control = self.control.lock();
        self.flush_buffer(&mut control);
        self.read().failures
    }

    pub(crate) fn open_remaining(&self) -> Option<Duration> {
        let reading = self.read();
        if reading.word.state() != State::Open {
            return None;
        }
        let now = self.home.clock.now();
        (!now.has_reached(reading.deadline)).then(|| now.until(reading.deadline))
    }

    pub(crate) fn last_failure(&self) -> Option<Arc<str>> {
        let mut control = self.control.lock();
        self.flush_buffer(&mut control);
        let visible = self.read().failures > 0;
        control.last_failure().filter(|_| visible).map(Arc::from)
    }

    pub(crate) fn last_failure_of(&self, generation: Generation) -> Option<Arc<str>> {
        let mut control = self.control.lock();
        self.flush_buffer(&mut control);
        let reading = self.read();
        let visible = reading.failures > 0 && reading.word.generation() == generation;
        control.last_failure().filter(|_| visible).map(Arc::from)
    }

    pub(crate) fn config(&self) -> Loaded<BreakerConfig> {
        self.config.load()
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
