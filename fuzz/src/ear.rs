//! A listener that writes down, panics, or looks at the breaker that it hears of, or steers it.

use breakerbox_model::naive::Model;
use breakerbox_model::record;
use breakerbox_model::steps::Command;
use crate::trouble::blow;
use breakerbox::{CircuitBreaker, Event, EventStream, State};
use std::mem;
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Default)]
pub(crate) enum Manners {
    #[default]
    Quiet,
    Panics,
    Looks,
    /// Gives the command when the state is entered, once.
    Steers(State, Command),
}

#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    events: Vec<Event>,
    manners: Manners,
    /// What it did, and when.
    steered: Option<(State, Command)>,
    /// Let go of at the end: it holds the listener as well.
    breaker: Option<CircuitBreaker>,
}

impl Ear {
    pub(crate) fn hear(&self, event: &Event) {
        let (manners, breaker) = {
            let mut heard = self.0.lock().unwrap();
            heard.events.push(event.clone());
            (heard.manners, heard.breaker.clone())
        };
        let Some(breaker) = breaker else {
            return;
        };
        match manners {
            Manners::Quiet => {}
            Manners::Panics => blow(),
            Manners::Looks => assert_eq!(breaker.snapshot().state, breaker.state()),
            Manners::Steers(on, command) => {
                if matches!(event, Event::StateChanged { to, .. } if *to == on) {
                    let mut heard = self.0.lock().unwrap();
                    heard.manners = Manners::Quiet;
                    heard.steered = Some((on, command));
                    drop(heard);
                    command.steer(&breaker);
                }
            }
        }
    }

    pub(crate) fn has_steered(&self) -> bool {
        self.0.lock().unwrap().steered.is_some()
    }

    /// The command that it gave since it was last asked, if it did so on entering a state of these.
    pub(crate) fn steered(&self, on: impl Fn(State) -> bool) -> Option<Command> {
        let mut heard = self.0.lock().unwrap();
        let (_, command) = heard.steered.take_if(|(state, _)| on(*state))?;
        Some(command)
    }

    pub(crate) fn behave(&self, manners: Manners, breaker: Option<CircuitBreaker>) {
        let mut heard = self.0.lock().unwrap();
        (heard.manners, heard.breaker) = (manners, breaker);
    }

    fn take(&self) -> Vec<Event> {
        mem::take(&mut self.0.lock().unwrap().events)
    }
}

/// What was heard so far, in numbers, and the state that the last change led to.
pub(crate) struct Story {
    state: State,
    recorded: u64,
    refused: u64,
    would_trip: u64,
    /// How many trials had outlived their lease, each time it was told of.
    outlived: Vec<u32>,
}

impl Story {
    pub(crate) fn from(state: State) -> Self {
        Self {
            state,
            recorded: 0,
            refused: 0,
            would_trip: 0,
            outlived: Vec::new(),
        }
    }

    /// A listener that was there from the beginning has heard of everything.
    pub(crate) fn check_all(&mut self, ear: &Ear, model: &Model) {
        for event in ear.take() {
            self.add(&event);
        }
        assert_eq!(self.state, model.state, "the last change told of");
        let count = |of: fn(&record::Event) -> bool| {
            model.log.iter().filter(|event| of(event)).count() as u64
        };
        let ended = count(|event| matches!(event, record::Event::Ended(_)));
        assert_eq!(self.recorded, ended, "ends told of");
        let refused = count(|event| matches!(event, record::Event::Refused));
        assert_eq!(self.refused, refused, "refusals told of");
        let would_trip = record::would_trip(&model.log);
        assert_eq!(self.would_trip, would_trip, "rules told of");
        let outlived = record::outlived(&model.log);
        assert_eq!(self.outlived, outlived, "trials that outlived their lease");
    }

    /// A stream that somebody reads all the time has every change since it began.
    pub(crate) fn check_changes(&mut self, stream: &mut EventStream, model: &Model) {
        while let Some(event) = stream.try_next() {
            self.add(&event);
        }
        assert_eq!(self.state, model.state, "the last change in the stream");
    }

    fn add(&mut self, event: &Event) {
        match event {
            Event::StateChanged { from, to, .. } => {
                assert_eq!(*from, self.state, "begins where the one before ended");
                self.state = *to;
            }
            Event::Recorded { .. } => self.recorded += 1,
            Event::Refused { .. } => self.refused += 1,
            Event::WouldTrip { .. } => self.would_trip += 1,
            Event::TrialsOutlived { trials, .. } => self.outlived.push(*trials),
            _ => {}
        }
    }
}
