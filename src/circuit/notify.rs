//! Event dispatch for one circuit.
//!
//! State changes are queued under the lock, and delivered in their order without it. All other events
//! are delivered at once, without an order.

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
    /// Sends the next success on the slow path, which finds out whether there is more to do.
    pub(super) fn set_slow_path(&self) {
        self.set_flags_unlocked(Flags::SLOW_PATH);
    }

    fn set_flags_unlocked(&self, flags: Flags) {
        let flags = PackedState::new(State::Closed, flags);
        self.word.fetch_or(flags.bits(), Ordering::AcqRel);
    }

    /// Sets `flags` for a listener or stream that was attached.
    ///
    /// Takes the lock, so that a concurrent transition either sees the listener or keeps the flags.
    pub(crate) fn set_flags(&self, flags: Flags) {
        let _locked = self.locked.lock();
        self.set_flags_unlocked(flags);
    }

    /// Returns the flags that these settings and the present listeners need.
    pub(super) fn flags(&self, config: &BreakerConfig) -> Flags {
        config.flags() | self.listeners(config).calls().flags()
    }

    /// Reports an error that no rule classifies, once per type.
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
        let cold = self.cold_if_init();
        let local = cold.and_then(|cold| cold.local_listeners.get());
        self.context.listeners(config, local)
    }

    pub(super) fn has_listeners(&self, config: &BreakerConfig) -> bool {
        self.listeners(config).is_there()
    }

    /// Whether any listener or stream wants events of single calls.
    pub(super) fn wants_call_events(&self, config: &BreakerConfig) -> bool {
        self.listeners(config).calls() > Calls::None
    }

    pub(crate) fn subscribe(&self) -> EventStream {
        let local = self.cold().local_listeners.get_or_init(Hub::default);
        let stream = local.subscribe();
        self.set_flags(Flags::SLOW_PATH);
        stream
    }

    /// Attaches a listener to this circuit alone.
    #[cfg(feature = "tracing")]
    pub(crate) fn attach(&self, listener: &Listener) {
        let local = self.cold().local_listeners.get_or_init(Hub::default);
        local.attach(listener);
        self.set_flags(Flags::SLOW_PATH);
    }

    /// Sends an event that needs no order, if there is a listener or stream.
    pub(super) fn emit(&self, event: impl FnOnce(Arc<str>) -> Event) {
        let config = self.config.load();
        let listeners = self.listeners(&config);
        if listeners.is_there() {
            outside(|| listeners.tell(&event(self.name.clone())));
            self.flush_overdue_events();
        }
    }

    /// Sends the event of a mistake, or prints it if nothing shows mistakes.
    pub(crate) fn report(&self, mistake: impl FnOnce(Arc<str>) -> Event) {
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

    /// Sends the event of a call, if any listener or stream wants events of single calls.
    pub(super) fn emit_call_event(&self, event: impl FnOnce(Arc<str>) -> Event) {
        if self.wants_call_events(&self.config.load()) {
            self.emit(event);
        }
    }

    /// Delivers the queued state changes in their order, without the lock.
    ///
    /// One thread at a time delivers; a thread that finds another one flushing returns. If listeners
    /// are nested too deep, the state changes stay in the queue until the next event.
    pub(super) fn flush_events(&self) {
        if !Level::is_allowed() {
            if self.locked.lock().has_undelivered_events() {
                self.cold().overdue.store(true, Ordering::Release);
            }
            return;
        }
        if !self.locked.lock().try_begin_flush() {
            return;
        }
        let mut flush = FlushGuard {
            circuit: self,
            finished: false,
        };
        while let Some(event) = flush.next() {
            let config = self.config.load();
            outside(|| self.listeners(&config).tell(&event));
        }
    }
}

/// The right of one thread to deliver. Ends with the last event, or when a listener panics.
struct FlushGuard<'a> {
    circuit: &'a Circuit,
    finished: bool,
}

impl FlushGuard<'_> {
    fn next(&mut self) -> Option<Event> {
        let next = self.circuit.locked.lock().next_event();
        self.finished = next.is_none();
        next
    }
}

impl Drop for FlushGuard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.circuit.locked.lock().end_flush();
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

    /// Wants events of calls while `curious` is set, and keeps all events.
    #[derive(Default)]
    struct Probe {
        curious: AtomicBool,
        received: Mutex<Vec<Event>>,
    }

    impl Listen for Arc<Probe> {
        fn tell(&self, event: &Event) {
            self.received.lock().expect("no panic").push(event.clone());
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
    fn word_is_quiet_while_no_listener_wants_calls() {
        let (breaker, probe) = probed(CircuitBreaker::builder().failure_threshold(1));
        let circuit = &breaker.circuit;
        let quiet = || circuit.word().success_is_noop(circuit.word().generation());
        // The first success clears the flag.
        ends(&breaker, Ok(()));
        assert!(quiet());
        ends(&breaker, Err(()));
        assert!(
            !circuit.word().has(Flags::SLOW_PATH),
            "a refusal sends no event"
        );
        ends(&breaker, Ok(()));
        assert_eq!(
            probe.received.lock().expect("no panic").len(),
            1,
            "it opened"
        );
        breaker.reset();
        ends(&breaker, Ok(()));
        assert!(quiet());

        probe.curious.store(true, Ordering::Relaxed);
        circuit.set_flags(Flags::SLOW_PATH);
        ends(&breaker, Ok(()));
        assert!(!quiet());
        let last = probe.received.lock().expect("no panic").last().cloned();
        assert!(matches!(last, Some(Event::Recorded { .. })));

        probe.curious.store(false, Ordering::Relaxed);
        ends(&breaker, Ok(()));
        assert!(quiet());
    }

    #[test]
    fn call_event_is_built_only_for_listeners() {
        let (breaker, probe) = probed(CircuitBreaker::builder());
        let circuit = &breaker.circuit;
        drop(breaker.try_acquire().expect("a closed circuit"));
        assert!(circuit.word().has(Flags::SLOW_PATH));
        let recorded = |breaker| Event::CancelledInARow { breaker, calls: 7 };
        circuit.emit_call_event(|_| unreachable!("no listener wants calls"));
        assert_eq!(probe.received.lock().expect("no panic").len(), 0);
        circuit.emit(recorded);
        assert_eq!(probe.received.lock().expect("no panic").len(), 1);
    }
}
