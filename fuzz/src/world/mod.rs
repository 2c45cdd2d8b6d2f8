//! One breaker and all operations on it.

mod finish;
mod functions;
mod futures;
mod permits;

use crate::calls::{CallKind, GuardedFuture, Script, TIMEOUT};
use crate::classification::{self, Answer, ErrorRules, Site};
use crate::clock::FaultyClock;
use crate::errors::{Text, catch_deliberate_panic};
use crate::input::{self, Input};
use crate::listener::{Behavior, EventTally, TestListener};
use arbitrary::Result;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, EventStream, Permit};
use breakerbox_model::log::Event;
use breakerbox_model::model::Refused;
use breakerbox_model::pair::Pair;
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::Ending;
use std::rc::Rc;
use tokio::runtime::Runtime;

const NAME: &str = "users-api";
const MAX_PENDING: usize = 8;
const MAX_DEPTH: usize = 3;

pub(crate) fn run(data: &[u8]) -> Result<()> {
    let mut input = Input::new(data);
    let u = &mut input;
    let mut world = World::new(u)?;
    world.check(true);
    // An error means that the input is used up. All steps before it have run.
    let _ = world.run_steps(u);
    world.finish();
    Ok(())
}

struct World {
    pair: Pair,
    clock: FaultyClock,
    /// The registry of the breaker, if it belongs to one.
    registry: Option<BreakerRegistry>,
    rules: ErrorRules,
    listener: Option<(TestListener, EventTally)>,
    stream: Option<(EventStream, EventTally)>,
    /// The expected text of the last recorded failure.
    last_failure: FailureText,
    pending: Vec<PendingCall>,
    /// The calls whose guarded code is running, innermost last.
    inside: Vec<usize>,
    depth: usize,
    steps: usize,
    full_check_interval: usize,
    /// How often tokio's clock was advanced beyond the timeout of all calls.
    ticks: u32,
}

/// The number of a call in the model, or `None` for a call that joined a trial and is not recorded.
type Number = Option<usize>;

enum PendingCall {
    Permit(Permit, Number),
    Future(Box<Call>),
}

struct Call {
    future: GuardedFuture,
    script: Rc<Script>,
    site: Site,
    kind: CallKind,
    /// The number of the call and the tick of its admission, once admitted.
    begun: Option<(Number, u32)>,
}

#[derive(Clone, Copy, PartialEq)]
enum FailureText {
    Nothing,
    Number(u8),
    /// Any text that is not empty.
    Other,
}

impl World {
    fn new(u: &mut Input) -> Result<Self> {
        let clock = FaultyClock::default();
        clock.advance(input::length(u)?);
        clock.set_panicking(u.ratio(1, 16)?);
        let settings = input::settings(u)?;
        let rules = input::rules(u)?;
        let listener = u.arbitrary::<bool>()?.then(TestListener::default);
        let builder = builder_for(&settings, rules, listener.as_ref());
        let (breaker, registry) = if u.arbitrary()? {
            let registry = BreakerRegistry::builder().clock(clock.clone());
            let registry = registry.build().expect("a valid registry");
            let breaker = registry.register(NAME, builder).expect("valid settings");
            (breaker, Some(registry))
        } else {
            let builder = builder.clock(clock.clone());
            (builder.build().expect("valid settings"), None)
        };
        let pair = Pair::new(breaker, &settings, clock.time());
        Ok(Self {
            listener: listener.map(|listener| (listener, EventTally::from(pair.model.state))),
            pair,
            clock,
            registry,
            rules,
            stream: None,
            last_failure: FailureText::Nothing,
            pending: Vec::new(),
            inside: Vec::new(),
            depth: 0,
            steps: 0,
            full_check_interval: u.int_in_range(1..=16)?,
            ticks: 0,
        })
    }

    fn run_steps(&mut self, u: &mut Input) -> Result<()> {
        while !u.is_empty() {
            self.step(u)?;
        }
        Ok(())
    }

    fn step(&mut self, u: &mut Input) -> Result<()> {
        match u.int_in_range(0..=37)? {
            0..=2 => self.try_acquire(),
            3 => self.choose(),
            4..=6 => self.hold_future(u)?,
            7..=11 => self.poll_one(u)?,
            12..=15 => self.end_permit(u)?,
            16 | 17 => self.drop_one(u)?,
            18..=20 => self.call(u)?,
            21 => self.clock.advance(input::time(u)?),
            22 | 23 => {
                let which = usize::from(u.arbitrary::<u8>()?);
                let time = self.pair.time_until_boundary(which, input::side(u)?);
                self.clock.advance(time);
            }
            24 => self.clock.set_back(input::time(u)?),
            25 => self.clock.set_panicking(u.arbitrary()?),
            26 | 27 => self.pair.send_command(input::command(u)?),
            28 => self.configure(u)?,
            29 => self.change_listener(u)?,
            30 => self.poll_until_ready(),
            31 => self.tick(),
            32 => self.poll_ready(),
            33..=35 => self.run_permit(u)?,
            _ => self.call_future(u)?,
        }
        self.apply_command(|_| true);
        self.steps += 1;
        self.check(self.steps.is_multiple_of(self.full_check_interval));
        Ok(())
    }

    fn check(&mut self, full: bool) {
        self.pair.model.now = self.clock.time();
        self.pair.check_state();
        if full {
            self.pair.check_snapshot();
        }
        let model = &self.pair.model;
        if let Some((listener, tally)) = &mut self.listener {
            tally.check_all(listener, model);
        }
        if let Some((stream, tally)) = &mut self.stream {
            tally.check_changes(stream, model);
        }
        let text = self.pair.breaker.last_failure();
        let expected = match self.last_failure {
            _ if self.pair.breaker.failure_count() == 0 => FailureText::Nothing,
            text => text,
        };
        match (expected, text) {
            (FailureText::Nothing, None) => {}
            (FailureText::Number(number), Some(text)) => {
                assert_eq!(*text, *format!("error {number}"));
            }
            (FailureText::Other, Some(text)) => assert!((1..=128).contains(&text.len())),
            (_, text) => panic!("text of the last failure: {text:?}"),
        }
    }

    /// Applies the command of the listener to the model, if it sent one after a state matching
    /// `on`.
    fn apply_command(&mut self, on: impl Fn(State) -> bool) {
        let command = self
            .listener
            .as_ref()
            .and_then(|(listener, _)| listener.take_command(on));
        if let Some(command) = command {
            self.pair.listener_interfered = true;
            self.pair.record_command(command);
        }
    }

    /// Applies a command that was sent during admission. Commands sent at the end of the call
    /// follow later.
    fn apply_admission_command(&mut self) {
        self.apply_command(|state| state == State::HalfOpen);
    }

    fn pick(&self, u: &mut Input, wanted: impl Fn(&PendingCall) -> bool) -> Result<Option<usize>> {
        let which = usize::from(u.arbitrary::<u8>()?);
        let places: Vec<_> = (0..self.pending.len())
            .filter(|place| wanted(&self.pending[*place]))
            .collect();
        Ok((!places.is_empty()).then(|| places[which % places.len()]))
    }

    /// Returns `true` if a call would join a trial whose guarded code is running.
    fn joins_trial(&self) -> bool {
        let model = &self.pair.model;
        self.inside.iter().any(|call| model.is_current_trial(*call))
    }

    /// Begins a call in the model.
    fn begin(&mut self) -> std::result::Result<Number, Refused> {
        if self.joins_trial() {
            self.pair.joined += 1;
            return Ok(None);
        }
        self.pair.begin().map(Some)
    }

    /// Runs up to `steps` other steps inside guarded code.
    fn nested_steps(&mut self, number: Number, steps: u8, u: &mut Input) {
        self.inside.extend(number);
        for _ in 0..steps {
            if self.depth < MAX_DEPTH && !u.is_empty() {
                let _ = self.step(u);
            }
        }
    }

    /// Runs code that calls guarded code, and restores the nesting depth even after a deliberate
    /// panic.
    fn run_nested<T>(&mut self, code: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let outside = self.inside.len();
        self.depth += 1;
        let found = catch_deliberate_panic(|| code(self));
        self.depth -= 1;
        self.inside.truncate(outside);
        self.pair.model.now = self.clock.time();
        found
    }

    /// Returns the ending that the model must record under the current rules, or `None` if
    /// classification panics.
    ///
    /// The result of a call that joined a trial is not classified.
    fn classify(&self, number: Number, answer: Answer, site: Site) -> Option<Ending> {
        match number {
            Some(_) => classification::ending(answer, site, self.rules),
            None => Some(Ending::Ignored),
        }
    }

    /// Ends a call in the model, and returns whether it was recorded. A call that joined a trial is
    /// not.
    fn ended(&mut self, call: Number, ending: Ending, text: FailureText) -> bool {
        let Some(call) = call else {
            return false;
        };
        let before = self.pair.model.log.len();
        let sent = self
            .listener
            .as_ref()
            .is_some_and(|(listener, _)| listener.has_sent_command());
        self.pair.listener_interfered |= sent;
        let recorded = self.pair.record_ending(call, ending);
        let failed = self.pair.model.log[before..]
            .iter()
            .any(|event| matches!(event, Event::Recorded(call) if call.failed()));
        if failed {
            self.last_failure = if self.rules.captures_text {
                text
            } else {
                FailureText::Nothing
            };
        }
        recorded
    }

    fn configure(&mut self, u: &mut Input) -> Result<()> {
        let change = input::change(u)?;
        let rules = input::rules(u)?;
        let settings = self.pair.record_change(&change);
        self.apply_settings(&settings, rules);
        Ok(())
    }

    fn apply_settings(&mut self, settings: &Settings, rules: ErrorRules) {
        self.rules = rules;
        if !rules.captures_text {
            self.last_failure = FailureText::Nothing;
        }
        let builder = builder_for(
            settings,
            rules,
            self.listener.as_ref().map(|(listener, _)| listener),
        );
        // Replaces the settings from code. `BreakerRegistry::configure` would add a second
        // listener.
        let done = self.pair.breaker.configure(|_| builder);
        done.expect("valid settings");
    }

    fn change_listener(&mut self, u: &mut Input) -> Result<()> {
        let behavior = match u.int_in_range(0..=5)? {
            0 => Behavior::Record,
            1 => Behavior::Panic,
            2 => Behavior::Read,
            3 | 4 => Behavior::SendCommand(
                *u.choose(&[State::Open, State::HalfOpen, State::Closed])?,
                input::command(u)?,
            ),
            _ => {
                let tally = EventTally::from(self.pair.model.state);
                let stream = self.pair.breaker.subscribe();
                self.stream = self.stream.is_none().then_some((stream, tally));
                return Ok(());
            }
        };
        if let Some((listener, _)) = &self.listener {
            listener.set_behavior(behavior, Some(self.pair.breaker.clone()));
        }
        Ok(())
    }

    fn tick(&mut self) {
        self.ticks += 1;
        in_runtime(|runtime| runtime.block_on(tokio::time::advance(2 * TIMEOUT)));
    }
}

fn builder_for(
    settings: &Settings,
    rules: ErrorRules,
    listener: Option<&TestListener>,
) -> BreakerBuilder {
    let builder = rules.apply_to(settings.builder());
    match listener.cloned() {
        Some(listener) => builder.on_event(move |event| listener.on_event(event)),
        None => builder,
    }
}

fn text_of(answer: Answer) -> FailureText {
    match answer {
        Ok(_) => FailureText::Nothing,
        Err(error) => match error.text {
            Text::Number(number) => FailureText::Number(number),
            _ => FailureText::Other,
        },
    }
}

/// Runs `code` in a runtime whose time is paused.
fn in_runtime<T>(code: impl FnOnce(&Runtime) -> T) -> T {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| {
        let _entered = runtime.enter();
        code(runtime)
    })
}
