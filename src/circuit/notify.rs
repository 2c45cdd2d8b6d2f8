//! Who hears of it.

use super::running_trials::outside;
use super::shell::Circuit;
use crate::classify::ErrorType;
use crate::config::BreakerConfig;
#[cfg(feature = "tracing")]
use crate::event::Listener;
use crate::event::{Audience, Calls, Event, EventStream, Hub, Level};
use crate::state::{Flags, PackedState, State};
use crate::sync::Ordering;
use std::sync::Arc;

impl Circuit {
    /// Sets the busy flag: the next success has more to do than to be counted.
    pub(super) fn set_slow_path(&self) {
        self.set_flags_unlocked(Flags::SLOW_PATH);
    }

    fn set_flags_unlocked(&self, flags: Flags) {
        let flags = PackedState::new(State::Closed, flags);
        self.word.fetch_or(flags.bits(), Ordering::AcqRel);
    }

    /// Somebody has come who may want to hear of calls: they have `flags` to do from now on.
    ///
    /// Under the lock, so that a change of state either saw who came, or has its word seen here.
    pub(crate) fn set_flags(&self, flags: Flags) {
        let _control = self.locked.lock();
        self.set_flags_unlocked(flags);
    }

    /// All changes of state since the circuit was made.
    #[cfg(feature = "metrics")]
    pub(crate) fn changes(&self) -> super::TransitionCounts {
        self.locked.lock().changes()
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn totals(&self) -> crate::snapshot::Totals {
        let mut locked = self.locked.lock();
        self.flush_buffer(&mut locked);
        self.totals_with(&locked)
    }

    /// What calls have to do by these settings and who listens now.
    pub(super) fn flags(&self, config: &BreakerConfig) -> Flags {
        config.flags() | self.listeners(config).calls().flags()
    }

    /// An error of a type that no rule knows; says so once a type.
    pub(crate) fn report_unclassified_error(&self, error: ErrorType) {
        if self.word().state() == State::Disabled {
            return;
        }
        let first = self.locked.lock().is_first_report(error.id);
        if first {
            self.report(|breaker| Event::UnknownErrorType {
                breaker,
                error_type: error.name,
            });
        }
    }

    fn listeners<'a>(&'a self, config: &'a BreakerConfig) -> Audience<'a> {
        let own = self
            .cold_if_init()
            .and_then(|cold| cold.local_listeners.get());
        self.context.listeners(config, own)
    }

    pub(super) fn has_listeners(&self, config: &BreakerConfig) -> bool {
        self.listeners(config).is_there()
    }

    /// Whether anybody wants to hear of single calls.
    pub(super) fn wants_call_events(&self, config: &BreakerConfig) -> bool {
        self.listeners(config).calls() > Calls::None
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let stream = self
            .cold()
            .local_listeners
            .get_or_init(Hub::default)
            .subscribe();
        self.set_flags(Flags::SLOW_PATH);
        stream
    }

    /// A listener of this breaker alone.
    #[cfg(feature = "tracing")]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.cold()
            .local_listeners
            .get_or_init(Hub::default)
            .attach(listener);
        // Busy: the next success finds out whether there is more to do.
        self.set_flags(Flags::SLOW_PATH);
    }

    /// Tells an event that needs no order, if anybody listens.
    pub(super) fn emit(&self, event: impl FnOnce(Arc<str>) -> Event) {
        let config = self.config.load();
        let listeners = self.listeners(&config);
        if listeners.is_there() {
            outside(|| listeners.tell(&event(self.name.clone())));
            self.flush_overdue_events();
        }
    }

    /// Tells a mistake, or prints it where nothing listens.
    pub(super) fn report(&self, mistake: impl FnOnce(Arc<str>) -> Event) {
        if self.listeners(&self.config.load()).shows_mistakes() {
            self.emit(mistake);
        } else if cfg!(debug_assertions) {
            self.entry.warned.print(&mistake(self.name.clone()));
        }
    }

    fn flush_overdue_events(&self) {
        let overdue = self.cold_if_init().map(|cold| &cold.overdue);
        // Ordering: `AcqRel` pairs with the `Release` store in `flush_events`. The queue itself is read
        // under the lock.
        if overdue.is_some_and(|overdue| {
            overdue.load(Ordering::Relaxed) && overdue.swap(false, Ordering::AcqRel)
        }) {
            self.flush_events();
        }
    }

    /// Tells what became of a call, if anybody wants to hear of calls.
    pub(super) fn emit_call_event(&self, event: impl FnOnce(Arc<str>) -> Event) {
        if self.wants_call_events(&self.config.load()) {
            self.emit(event);
        }
    }

    /// Tells the state changes that wait, in their order: one thread at a time, outside the lock.
    /// Whoever comes while another does leaves it to that one.
    ///
    /// Where listeners are nested too deep, the state changes stay in the queue for the next event.
    pub(super) fn flush_events(&self) {
        if !Level::is_allowed() {
            if self.locked.lock().awaits_delivery() {
                self.cold().overdue.store(true, Ordering::Release);
            }
            return;
        }
        if !self.locked.lock().begins_delivery() {
            return;
        }
        let mut delivery = FlushGuard {
            circuit: self,
            over: false,
        };
        while let Some(event) = delivery.next() {
            let config = self.config.load();
            outside(|| self.listeners(&config).tell(&event));
        }
    }
}

/// One thread's turn to tell. It ends with the last event, or when that thread unwinds out of it.
struct FlushGuard<'a> {
    circuit: &'a Circuit,
    over: bool,
}

impl FlushGuard<'_> {
    fn next(&mut self) -> Option<Event> {
        let next = self.circuit.locked.lock().next_event();
        self.over = next.is_none();
        next
    }
}

impl Drop for FlushGuard<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.circuit.locked.lock().end_delivery();
        }
    }
}

#[cfg(all(test, feature = "tracing", not(loom)))]
mod tests {
    use super::*;
    use crate::breaker::CircuitBreaker;
    use crate::config::BreakerBuilder;
    use crate::event::Listen;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    /// Hears of calls while it wants to, and says what it was told.
    #[derive(Default)]
    struct Probe {
        curious: AtomicBool,
        told: Mutex<Vec<Event>>,
    }

    impl Listen for Arc<Probe> {
        fn tell(&self, event: &Event) {
            self.told.lock().expect("no panic").push(event.clone());
        }

        fn calls(&self) -> Calls {
            if self.curious.load(Ordering::Relaxed) {
                Calls::Told
            } else {
                Calls::None
            }
        }
    }

    fn probed(settings: BreakerBuilder) -> (CircuitBreaker, Arc<Probe>) {
        let breaker = settings.build().expect("settings that work");
        let probe = Arc::<Probe>::default();
        breaker.circuit.attach(&Listener::of(probe.clone()));
        (breaker, probe)
    }

    fn ends(breaker: &CircuitBreaker, result: Result<(), ()>) {
        let _ = breaker.call(|| result);
    }

    #[test]
    fn whoever_wants_no_calls_leaves_the_word_quiet() {
        let (breaker, probe) = probed(CircuitBreaker::builder().failure_threshold(1));
        let circuit = &breaker.circuit;
        let quiet = || circuit.word().success_is_noop(circuit.word().generation());
        // The first success finds out.
        ends(&breaker, Ok(()));
        assert!(quiet());
        ends(&breaker, Err(()));
        assert!(
            !circuit.word().has(Flags::SLOW_PATH),
            "a refusal has nobody to tell"
        );
        ends(&breaker, Ok(()));
        assert_eq!(probe.told.lock().expect("no panic").len(), 1, "it opened");
        breaker.reset();
        ends(&breaker, Ok(()));
        assert!(quiet());

        probe.curious.store(true, Ordering::Relaxed);
        circuit.set_flags(Flags::SLOW_PATH);
        ends(&breaker, Ok(()));
        assert!(!quiet());
        let last = probe.told.lock().expect("no panic").last().cloned();
        assert!(matches!(last, Some(Event::Recorded { .. })));

        probe.curious.store(false, Ordering::Relaxed);
        ends(&breaker, Ok(()));
        assert!(quiet());
    }

    /// Busy for a streak, and for nobody else.
    #[test]
    fn no_event_of_a_call_is_made_that_nobody_wants() {
        let (breaker, probe) = probed(CircuitBreaker::builder());
        let circuit = &breaker.circuit;
        drop(breaker.try_acquire().expect("a closed circuit"));
        assert!(circuit.word().has(Flags::SLOW_PATH));
        let recorded = |breaker| Event::CancelledInARow { breaker, calls: 7 };
        circuit.emit_call_event(|_| unreachable!("nobody wants to hear of calls"));
        assert_eq!(probe.told.lock().expect("no panic").len(), 0);
        circuit.emit(recorded);
        assert_eq!(probe.told.lock().expect("no panic").len(), 1);
    }
}
