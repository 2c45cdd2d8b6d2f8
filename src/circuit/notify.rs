//! Event dispatch for one circuit.
//!
//! State changes are queued under the lock, and delivered in their order without it (see
//! [`ChangeQueue`](super::change_queue::ChangeQueue)). A call delivers the events that are queued
//! when its delivery begins, unless another thread is delivering. If events are left over, the
//! state word sends the next call on the slow path, which delivers them. All other events are
//! delivered at once, in no order.

use super::change_queue::ChangeQueue;
use super::locked::Locked;
use super::running_trials::outside;
use super::shell::Circuit;
use crate::classify::ErrorType;
use crate::config::BreakerConfig;
#[cfg(feature = "tracing")]
use crate::event::Listener;
use crate::event::{CallInterest, Event, EventBus, EventStream, ListenerDepth, Listeners};
use crate::state::{Flags, PackedState, State};
use crate::sync::Ordering;
use std::sync::Arc;

impl Circuit {
    /// Sends the next success on the slow path, which clears the flag if nothing needs it.
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

    /// Returns the flags that `config` and the present listeners need.
    pub(super) fn flags(&self, config: &BreakerConfig) -> Flags {
        config.flags() | self.listeners(config).call_interest().flags()
    }

    /// Reports an error that no rule classifies, once for each type.
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

    pub(super) fn listeners<'a>(&'a self, config: &'a BreakerConfig) -> Listeners<'a> {
        let cold = self.cold_if_init();
        let local = cold.and_then(|cold| cold.local_listeners.get());
        self.context.listeners(config, local)
    }

    /// Returns `true` if a listener, stream or recorder needs single calls.
    pub(super) fn reports_calls(&self, config: &BreakerConfig) -> bool {
        self.listeners(config).call_interest() > CallInterest::None
    }

    pub(crate) fn subscribe(&self, interest: CallInterest) -> EventStream {
        let stream = self.local_bus().subscribe(interest);
        self.set_flags(interest.flags());
        stream
    }

    /// Attaches a listener to this circuit only.
    #[cfg(feature = "tracing")]
    pub(crate) fn attach(&self, listener: &Listener) {
        self.local_bus().attach(listener);
        self.set_flags(listener.call_interest().flags());
    }

    fn local_bus(&self) -> &EventBus {
        self.cold().local_listeners.get_or_init(EventBus::default)
    }

    /// Sends an event outside the queue, if there is a listener or stream.
    pub(super) fn emit(&self, event: impl FnOnce(Arc<str>) -> Event) {
        let config = self.config.load();
        let listeners = self.listeners(&config);
        if listeners.has_any() {
            outside(|| listeners.emit(&event(self.name.clone())));
            self.flush_overdue_events();
        }
    }

    /// Sends an event about a mistake in the program. If no listener shows mistakes, a debug build
    /// prints the event.
    pub(crate) fn report(&self, mistake: impl FnOnce(Arc<str>) -> Event) {
        if self.listeners(&self.config.load()).shows_mistakes() {
            self.emit(mistake);
        } else if cfg!(debug_assertions) {
            self.entry.warned.print(&mistake(self.name.clone()));
        }
    }

    pub(super) fn has_overdue_events(&self) -> bool {
        let cold = self.cold_if_init();
        // Ordering: `Relaxed`, because the queue itself is accessed under the lock.
        cold.is_some_and(|cold| cold.overdue.load(Ordering::Relaxed))
    }

    /// Delivers the state changes that an earlier call left in the queue.
    pub(super) fn flush_overdue_events(&self) {
        if self.has_overdue_events() {
            self.flush_events();
        }
    }

    /// Sends the event of a call, if a listener or stream wants events of single calls.
    pub(super) fn emit_call_event(&self, event: impl FnOnce(Arc<str>) -> Event) {
        if self.listeners(&self.config.load()).wants_call_events() {
            self.emit(event);
        }
    }

    /// Delivers the state changes that are queued now, in their order and without the lock. The
    /// observers of changes come first.
    ///
    /// One thread delivers at a time. Any other thread returns at once, and so does a thread whose
    /// listeners are nested too deep.
    pub(super) fn flush_events(&self) {
        #[cfg(feature = "fleet")]
        self.tell_observers();
        let thread = ListenerDepth::thread();
        let begins = |changes: &mut ChangeQueue| changes.try_begin(thread);
        if !self.locked.lock().changes().is_some_and(begins) {
            return;
        }
        let mut delivery = Delivery(Some(self));
        if !ListenerDepth::is_allowed() {
            // Dropping `delivery` leaves the events to the next call.
            return;
        }
        while let Some(event) = delivery.next() {
            let config = self.config.load();
            outside(|| self.listeners(&config).emit(&event));
        }
    }
}

/// The right of one thread to deliver, which ends after the last event or when it is dropped.
struct Delivery<'a>(Option<&'a Circuit>);

impl Delivery<'_> {
    fn next(&mut self) -> Option<Event> {
        let circuit = self.0?;
        let mut locked = circuit.locked.lock();
        let mut next = locked.changes().and_then(ChangeQueue::next);
        match &mut next {
            Some(Event::Missed { breaker, .. }) => *breaker = Some(circuit.name.clone()),
            Some(_) => {}
            // Ended under the lock that found no event, so that a thread that queues an event later
            // delivers it.
            None => self.end(&mut locked),
        }
        next
    }

    fn end(&mut self, locked: &mut Locked) {
        let Some(circuit) = self.0.take() else { return };
        let left = locked.changes().is_some_and(ChangeQueue::end_delivery);
        if left {
            circuit.cold().overdue.store(true, Ordering::Relaxed);
            circuit.set_slow_path();
        } else if circuit.has_overdue_events() {
            circuit.cold().overdue.store(false, Ordering::Relaxed);
            if !circuit.needs_slow_path(locked.config()) {
                circuit.update_word(|word| word.without(Flags::SLOW_PATH));
            }
        }
    }
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        if let Some(circuit) = self.0 {
            self.end(&mut circuit.locked.lock());
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

    /// A listener that stores all events, and wants events of calls while `curious` is set.
    #[derive(Default)]
    struct Probe {
        curious: AtomicBool,
        gone: AtomicBool,
        received: Mutex<Vec<Event>>,
    }

    impl Listen for Arc<Probe> {
        fn on_event(&self, event: &Event) {
            self.received.lock().expect("no panic").push(event.clone());
        }

        fn call_interest(&self) -> CallInterest {
            if self.curious.load(Ordering::Relaxed) {
                CallInterest::Events
            } else {
                CallInterest::None
            }
        }

        fn is_alive(&self) -> bool {
            !self.gone.load(Ordering::Relaxed)
        }
    }

    fn probed(settings: BreakerBuilder) -> (CircuitBreaker, Arc<Probe>) {
        let breaker = settings.build().expect("settings that work");
        let probe = Arc::<Probe>::default();
        breaker.circuit.attach(&Listener::of(probe.clone()));
        (breaker, probe)
    }

    fn finish_call(breaker: &CircuitBreaker, result: Result<(), ()>) {
        let _ = breaker.call(|| result);
    }

    #[test]
    fn word_is_quiet_while_no_listener_wants_calls() {
        let (breaker, probe) = probed(CircuitBreaker::builder().failure_threshold(1));
        let circuit = &breaker.circuit;
        let quiet = || circuit.word().success_is_noop(circuit.word().generation());
        // The first success clears the flag.
        finish_call(&breaker, Ok(()));
        assert!(quiet());
        finish_call(&breaker, Err(()));
        assert!(
            !circuit.word().has(Flags::SLOW_PATH),
            "a refusal sends no event"
        );
        finish_call(&breaker, Ok(()));
        assert_eq!(
            probe.received.lock().expect("no panic").len(),
            1,
            "it opened"
        );
        breaker.reset();
        finish_call(&breaker, Ok(()));
        assert!(quiet());

        probe.curious.store(true, Ordering::Relaxed);
        circuit.set_flags(Flags::SLOW_PATH);
        finish_call(&breaker, Ok(()));
        assert!(!quiet());
        let last = probe.received.lock().expect("no panic").last().cloned();
        assert!(matches!(last, Some(Event::Recorded { .. })));

        probe.curious.store(false, Ordering::Relaxed);
        finish_call(&breaker, Ok(()));
        assert!(quiet());
    }

    #[test]
    fn dead_listener_is_removed() {
        let (breaker, probe) = probed(CircuitBreaker::builder());
        let circuit = &breaker.circuit;
        probe.curious.store(true, Ordering::Relaxed);
        // The flags of a listener that also wants durations.
        circuit.set_flags(Flags::SLOW_PATH | Flags::TIMED);
        finish_call(&breaker, Ok(()));
        assert_eq!(probe.received.lock().expect("no panic").len(), 1);

        probe.gone.store(true, Ordering::Relaxed);
        finish_call(&breaker, Ok(()));
        assert!(circuit.word().success_is_noop(circuit.word().generation()));
        breaker
            .circuit
            .attach(&Listener::of(Arc::<Probe>::default()));
        assert_eq!(Arc::strong_count(&probe), 1, "removed by the next listener");

        let (breaker, probe) = probed(CircuitBreaker::builder());
        probe.gone.store(true, Ordering::Relaxed);
        breaker
            .circuit
            .attach(&Listener::of(Arc::<Probe>::default()));
        breaker.trip();
        assert_eq!(Arc::strong_count(&probe), 1);
        assert_eq!(probe.received.lock().expect("no panic").len(), 0);
    }

    #[test]
    fn undelivered_event_makes_one_call_slow() {
        let (breaker, probe) = probed(CircuitBreaker::builder());
        let circuit = &breaker.circuit;
        finish_call(&breaker, Ok(()));
        let quiet = || circuit.word().success_is_noop(circuit.word().generation());
        assert!(quiet());
        let event = Event::Configured {
            breaker: "users".into(),
        };
        circuit.locked.lock().queue_event(event);
        // The delivery ends before the event is delivered.
        assert!(circuit.locked.lock().changes().expect("one").try_begin(1));
        Delivery(Some(circuit)).end(&mut circuit.locked.lock());
        assert!(!quiet());
        finish_call(&breaker, Ok(()));
        assert_eq!(probe.received.lock().expect("no panic").len(), 1);
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
