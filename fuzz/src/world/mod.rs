//! One breaker, and everything that may happen to it.

mod ending;
mod functions;
mod futures;
mod permits;

use crate::calls::{Ending as Means, Guarded, LIMIT, Script};
use crate::clock::WildClock;
use crate::ear::{Ear, Manners, Story};
use crate::input::{self, Input};
use crate::judged::{self, Answer, Rules, Site};
use breakerbox_model::naive::Refused;
use breakerbox_model::pair::Pair;
use breakerbox_model::record::Event;
use breakerbox_model::settings::Settings;
use breakerbox_model::steps::Ending;
use crate::trouble::{Text, survive};
use arbitrary::Result;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, EventStream, Permit};
use std::rc::Rc;
use tokio::runtime::Runtime;

const NAME: &str = "users-api";
const MOST_HELD: usize = 8;
const DEEPEST: usize = 3;

pub(crate) fn run(data: &[u8]) -> Result<()> {
    let mut input = Input::new(data);
    let u = &mut input;
    let mut world = World::new(u)?;
    world.check(true);
    // Whatever the bytes were enough for has happened.
    let _ = world.go_on(u);
    world.end_well();
    Ok(())
}

struct World {
    pair: Pair,
    clock: WildClock,
    /// Where the breaker stands under its name, if anywhere.
    registry: Option<BreakerRegistry>,
    rules: Rules,
    ear: Option<(Ear, Story)>,
    stream: Option<(EventStream, Story)>,
    /// The text of the last failure that was recorded.
    kept: Kept,
    held: Vec<Held>,
    /// The calls whose guarded code runs now, the innermost last.
    inside: Vec<usize>,
    depth: usize,
    steps: usize,
    looks_each: usize,
    /// How often tokio's clock passed the limit of every call.
    ticks: u32,
}

/// The number of a call in the model; `None` if it joined a trial and so is in no record.
type Number = Option<usize>;

enum Held {
    Permit(Permit, Number),
    Future(Box<Call>),
}

struct Call {
    future: Guarded,
    script: Rc<Script>,
    site: Site,
    ending: Means,
    /// Its number and the tick, once it was admitted.
    begun: Option<(Number, u32)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Nothing,
    Number(u8),
    Something,
}

impl World {
    fn new(u: &mut Input) -> Result<Self> {
        let clock = WildClock::default();
        clock.advance(input::length(u)?);
        clock.set_broken(u.ratio(1, 16)?);
        let settings = input::settings(u)?;
        let rules = input::rules(u)?;
        let ear = u.arbitrary::<bool>()?.then(Ear::default);
        let builder = given(&settings, rules, ear.as_ref());
        let (breaker, registry) = if u.arbitrary()? {
            let registry = BreakerRegistry::builder().clock(clock.clone());
            let registry = registry.build().expect("a clock is no setting");
            let breaker = registry
                .register(NAME, builder)
                .expect("settings that work");
            (breaker, Some(registry))
        } else {
            let builder = builder.clock(clock.clone());
            (builder.build().expect("settings that work"), None)
        };
        let pair = Pair::new(breaker, &settings, clock.time());
        Ok(Self {
            ear: ear.map(|ear| (ear, Story::from(pair.model.state))),
            pair,
            clock,
            registry,
            rules,
            stream: None,
            kept: Kept::Nothing,
            held: Vec::new(),
            inside: Vec::new(),
            depth: 0,
            steps: 0,
            looks_each: u.int_in_range(1..=16)?,
            ticks: 0,
        })
    }

    fn go_on(&mut self, u: &mut Input) -> Result<()> {
        while !u.is_empty() {
            self.step(u)?;
        }
        Ok(())
    }

    fn step(&mut self, u: &mut Input) -> Result<()> {
        match u.int_in_range(0..=37)? {
            0..=3 => self.try_acquire(),
            4..=6 => self.hold_future(u)?,
            7..=11 => self.poll_one(u)?,
            12..=15 => self.end_permit(u)?,
            16 | 17 => self.drop_one(u)?,
            18..=20 => self.call(u)?,
            21 => self.clock.advance(input::time(u)?),
            22 | 23 => {
                let which = usize::from(u.arbitrary::<u8>()?);
                let way = self.pair.way_to(which, input::side(u)?);
                self.clock.advance(way);
            }
            24 => self.clock.go_back(input::time(u)?),
            25 => self.clock.set_broken(u.arbitrary()?),
            26 | 27 => self.pair.command(input::command(u)?),
            28 => self.configure(u)?,
            29 => self.listen(u)?,
            30 => self.wait(),
            31 => self.tick(),
            32 => self.wait_for_others(),
            33..=35 => self.run_permit(u)?,
            _ => self.call_future(u)?,
        }
        self.heed(|_| true);
        self.steps += 1;
        self.check(self.steps.is_multiple_of(self.looks_each));
        Ok(())
    }

    fn check(&mut self, thoroughly: bool) {
        self.pair.model.now = self.clock.time();
        self.pair.glance();
        if thoroughly {
            self.pair.look();
        }
        let model = &self.pair.model;
        if let Some((ear, story)) = &mut self.ear {
            story.check_all(ear, model);
        }
        if let Some((stream, story)) = &mut self.stream {
            story.check_changes(stream, model);
        }
        let text = self.pair.breaker.last_failure();
        let kept = match self.kept {
            _ if self.pair.breaker.failure_count() == 0 => Kept::Nothing,
            kept => kept,
        };
        match (kept, text) {
            (Kept::Nothing, None) => {}
            (Kept::Number(number), Some(text)) => assert_eq!(*text, *format!("trouble {number}")),
            (Kept::Something, Some(text)) => assert!((1..=128).contains(&text.len())),
            (_, text) => panic!("kept of the last failure: {text:?}"),
        }
    }

    /// A listener may have given a command: it comes after whatever it heard of.
    fn heed(&mut self, on: impl Fn(State) -> bool) {
        let command = self.ear.as_ref().and_then(|(ear, _)| ear.steered(on));
        if let Some(command) = command {
            self.pair.meddled = true;
            self.pair.commanded(command);
        }
    }

    /// What a call did by being let in; what it did by its end comes later.
    fn heed_admission(&mut self) {
        self.heed(|state| state == State::HalfOpen);
    }

    fn pick(&self, u: &mut Input, wanted: impl Fn(&Held) -> bool) -> Result<Option<usize>> {
        let which = usize::from(u.arbitrary::<u8>()?);
        let places: Vec<_> = (0..self.held.len())
            .filter(|place| wanted(&self.held[*place]))
            .collect();
        Ok((!places.is_empty()).then(|| places[which % places.len()]))
    }

    /// Whether a call that is admitted now joins a trial whose guarded code runs.
    fn joins(&self) -> bool {
        let model = &self.pair.model;
        self.inside.iter().any(|call| model.is_trial(*call))
    }

    /// What the model says to a call that asks to pass now.
    fn begin(&mut self) -> std::result::Result<Number, Refused> {
        if self.joins() {
            return Ok(None);
        }
        self.pair.begin().map(Some)
    }

    /// Does up to four other things, as those that guarded code does.
    fn go_deeper(&mut self, number: Number, steps: u8, u: &mut Input) {
        self.inside.extend(number);
        for _ in 0..steps {
            if self.depth < DEEPEST && !u.is_empty() {
                let _ = self.step(u);
            }
        }
    }

    /// Runs what runs guarded code, and comes back from it however it ends.
    fn deeper<T>(&mut self, code: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let outside = self.inside.len();
        self.depth += 1;
        let found = survive(|| code(self));
        self.depth -= 1;
        self.inside.truncate(outside);
        self.pair.model.now = self.clock.time();
        found
    }

    /// What the model is told of an answer, by the rules of now; `None` if a judge panics. No judge is
    /// asked about a call that joined a trial.
    fn judged(&self, number: Number, answer: Answer, site: Site) -> Option<Ending> {
        match number {
            Some(_) => judged::ending(answer, site, self.rules),
            None => Some(Ending::Ignored),
        }
    }

    /// Whether the end of a call is recorded; that of one that joined a trial is not.
    fn ended(&mut self, call: Number, ending: Ending, text: Kept) -> bool {
        let Some(call) = call else {
            return false;
        };
        let before = self.pair.model.log.len();
        let steered = self.ear.as_ref().is_some_and(|(ear, _)| ear.has_steered());
        self.pair.meddled |= steered;
        let recorded = self.pair.ended(call, ending);
        let failed = self.pair.model.log[before..]
            .iter()
            .any(|event| matches!(event, Event::Ended(ended) if ended.failed()));
        if failed {
            self.kept = if self.rules.captures {
                text
            } else {
                Kept::Nothing
            };
        }
        recorded
    }

    fn configure(&mut self, u: &mut Input) -> Result<()> {
        let change = input::change(u)?;
        let rules = input::rules(u)?;
        let settings = self.pair.configure(&change);
        self.adopt(&settings, rules);
        Ok(())
    }

    fn adopt(&mut self, settings: &Settings, rules: Rules) {
        self.rules = rules;
        if !rules.captures {
            self.kept = Kept::Nothing;
        }
        let builder = given(settings, rules, self.ear.as_ref().map(|(ear, _)| ear));
        // Replaces what code said before; `BreakerRegistry::configure` would add a second listener.
        let done = self.pair.breaker.configure(|_| builder);
        done.expect("settings that work");
    }

    fn listen(&mut self, u: &mut Input) -> Result<()> {
        let manners = match u.int_in_range(0..=5)? {
            0 => Manners::Quiet,
            1 => Manners::Panics,
            2 => Manners::Looks,
            3 | 4 => Manners::Steers(
                *u.choose(&[State::Open, State::HalfOpen, State::Closed])?,
                input::command(u)?,
            ),
            _ => {
                let story = Story::from(self.pair.model.state);
                let stream = self.pair.breaker.subscribe();
                self.stream = self.stream.is_none().then_some((stream, story));
                return Ok(());
            }
        };
        if let Some((ear, _)) = &self.ear {
            ear.behave(manners, Some(self.pair.breaker.clone()));
        }
        Ok(())
    }

    fn tick(&mut self) {
        self.ticks += 1;
        in_runtime(|runtime| runtime.block_on(tokio::time::advance(2 * LIMIT)));
    }
}

fn given(settings: &Settings, rules: Rules, ear: Option<&Ear>) -> BreakerBuilder {
    let builder = rules.given_to(settings.builder());
    match ear.cloned() {
        Some(ear) => builder.on_event(move |event| ear.hear(event)),
        None => builder,
    }
}

fn text_of(answer: Answer) -> Kept {
    match answer {
        Ok(_) => Kept::Nothing,
        Err(error) => match error.text {
            Text::Number(number) => Kept::Number(number),
            _ => Kept::Something,
        },
    }
}

/// Where tokio's time stands still until it is told to go on.
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
