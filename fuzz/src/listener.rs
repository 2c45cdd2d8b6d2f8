//! A listener that records events, panics, reads its breaker, or sends it commands.

use crate::errors::panic_on_purpose;
use breakerbox::{CircuitBreaker, Event, EventStream, State};
use breakerbox_model::log;
use breakerbox_model::model::Model;
use breakerbox_model::steps::Command;
use std::mem;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Default)]
pub(crate) enum Behavior {
    #[default]
    Record,
    Panic,
    Read,
    /// Sends the command the next time the breaker enters the state.
    SendCommand(State, Command),
}

#[derive(Clone, Default)]
pub(crate) struct TestListener(Arc<Mutex<ListenerState>>);

#[derive(Default)]
struct ListenerState {
    events: Vec<Event>,
    behavior: Behavior,
    /// The command that was sent, and the state that triggered it.
    sent: Option<(State, Command)>,
    /// Removed at the end of the run. The breaker holds this listener, so both would leak.
    breaker: Option<CircuitBreaker>,
}

impl TestListener {
    pub(crate) fn on_event(&self, event: &Event) {
        let (behavior, breaker) = {
            let mut state = self.0.lock().unwrap();
            state.events.push(event.clone());
            (state.behavior, state.breaker.clone())
        };
        let Some(breaker) = breaker else {
            return;
        };
        match behavior {
            Behavior::Record => {}
            Behavior::Panic => panic_on_purpose(),
            Behavior::Read => assert_eq!(breaker.snapshot().state, breaker.state()),
            Behavior::SendCommand(on, command) => {
                if matches!(event, Event::StateChanged { to, .. } if *to == on) {
                    let mut state = self.0.lock().unwrap();
                    state.behavior = Behavior::Record;
                    state.sent = Some((on, command));
                    drop(state);
                    command.send_to(&breaker);
                }
            }
        }
    }

    pub(crate) fn has_sent_command(&self) -> bool {
        self.0.lock().unwrap().sent.is_some()
    }

    /// Returns the command sent since the last call, if `on` holds for the state that triggered it.
    pub(crate) fn take_command(&self, on: impl Fn(State) -> bool) -> Option<Command> {
        let mut state = self.0.lock().unwrap();
        let (_, command) = state.sent.take_if(|(entered, _)| on(*entered))?;
        Some(command)
    }

    pub(crate) fn set_behavior(&self, behavior: Behavior, breaker: Option<CircuitBreaker>) {
        let mut state = self.0.lock().unwrap();
        (state.behavior, state.breaker) = (behavior, breaker);
    }

    fn take(&self) -> Vec<Event> {
        mem::take(&mut self.0.lock().unwrap().events)
    }
}

/// The events received so far, as counts, and the last state among them.
pub(crate) struct EventTally {
    state: State,
    recorded: u64,
    refused: u64,
    would_trip: u64,
    /// The number of trials in each event about outlived leases.
    outlived: Vec<u32>,
    /// The share in each event about a ramp-up.
    shares: Vec<f64>,
}

impl EventTally {
    pub(crate) fn from(state: State) -> Self {
        Self {
            state,
            recorded: 0,
            refused: 0,
            would_trip: 0,
            outlived: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Checks a listener that was attached from the beginning and therefore received all events.
    pub(crate) fn check_all(&mut self, listener: &TestListener, model: &Model) {
        for event in listener.take() {
            self.add(&event);
        }
        assert_eq!(self.state, model.state, "the state in the last event");
        let count =
            |of: fn(&log::Event) -> bool| model.log.iter().filter(|event| of(event)).count() as u64;
        let ended = count(|event| matches!(event, log::Event::Recorded(_)));
        assert_eq!(self.recorded, ended, "events about completions");
        let refused = count(|event| matches!(event, log::Event::Refused));
        assert_eq!(self.refused, refused, "events about refusals");
        let would_trip = log::would_trip(&model.log);
        assert_eq!(self.would_trip, would_trip, "events about rules");
        let outlived = log::outlived(&model.log);
        assert_eq!(self.outlived, outlived, "trials that outlived their lease");
        let shares = log::ramp_up_shares(&model.log);
        assert_eq!(self.shares, shares, "shares of the ramp-up");
    }

    /// Checks a stream that is always read, and therefore received every change since it was
    /// created.
    pub(crate) fn check_changes(&mut self, stream: &mut EventStream, model: &Model) {
        while let Some(event) = stream.try_next() {
            self.add(&event);
        }
        assert_eq!(
            self.state, model.state,
            "the state in the last event of the stream"
        );
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::StateChanged { from, to, .. } => {
                assert_eq!(*from, self.state, "starts in the previous state");
                self.state = *to;
            }
            Event::Recorded { .. } => self.recorded += 1,
            Event::Refused { .. } => self.refused += 1,
            Event::WouldTrip { .. } => self.would_trip += 1,
            Event::TrialsOutlived { trials, .. } => self.outlived.push(*trials),
            Event::RampingUp { share, .. } => self.shares.push(*share),
            _ => {}
        }
    }
}
