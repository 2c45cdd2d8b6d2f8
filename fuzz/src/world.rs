//! One breaker, and everything that may happen to it.

use crate::calls::{self, Ending as Means, Guarded, LIMIT, Order, Said, Script};
use crate::clock::WildClock;
use crate::ear::{Ear, Manners, Story};
use crate::input::{self, Input};
use crate::judged::{self, Answer, Rules, Site};
use crate::naive::Refused;
use crate::pair::Pair;
use crate::record::{self, Event};
use crate::settings::{Kind, Rule, Settings};
use crate::steps::{Command, Ending};
use crate::trouble::{self, Text, survive};
use arbitrary::Result;
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, EventStream, Outcome, Permit};
use std::rc::Rc;
use std::task::Poll;
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
    depth: usize,
    steps: usize,
    looks_each: usize,
    /// How often tokio's clock passed the limit of every call.
    ticks: u32,
}

enum Held {
    Permit(Permit, usize),
    Future(Box<Call>),
}

struct Call {
    future: Guarded,
    script: Rc<Script>,
    site: Site,
    ending: Means,
    /// Its number in the model and the tick, once it was admitted.
    begun: Option<(usize, u32)>,
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
        match u.int_in_range(0..=31)? {
            0..=3 => self.acquire(),
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
            _ => self.tick(),
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

    fn acquire(&mut self) {
        if self.held.len() < MOST_HELD {
            let found = self.pair.breaker.acquire();
            let began = self.pair.began(found);
            self.held
                .extend(began.map(|(permit, call)| Held::Permit(permit, call)));
        }
    }

    /// Asks to wait for the circuit, and gives up at once.
    fn wait(&mut self) {
        if self.held.len() >= MOST_HELD {
            return;
        }
        let breaker = self.pair.breaker.clone();
        let mut waiting = Box::pin(async move { breaker.until_ready().await });
        let found = in_runtime(|_| {
            let waker = std::task::Waker::noop();
            waiting
                .as_mut()
                .poll(&mut std::task::Context::from_waker(waker))
        });
        drop(waiting);
        match (found, self.pair.begin()) {
            (Poll::Ready(permit), Ok(call)) => self.held.push(Held::Permit(permit, call)),
            (Poll::Pending, Err(_)) => {
                // Waiting is no refusal.
                assert!(matches!(self.pair.model.log.pop(), Some(Event::Refused)));
            }
            (found, expected) => panic!(
                "ready: {}, and should have been {}",
                found.is_ready(),
                expected.is_ok()
            ),
        }
    }

    fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        if self.held.len() >= MOST_HELD {
            return Ok(());
        }
        let script = Rc::new(Script {
            drop_panics: u.ratio(1, 8)?,
            ..Script::default()
        });
        let site = input::site(u)?;
        let ending = match u.int_in_range(0..=5)? {
            0 => Means::Limited,
            1 => Means::Rescued {
                panics: u.arbitrary()?,
            },
            _ => Means::Plain,
        };
        let function = u.ratio(1, 4)?;
        let breaker = self.pair.breaker.clone();
        let (future, site, ending) = match &self.registry {
            _ if function => {
                let future = calls::guard_function(&script, breaker);
                (future, Site::Rules, Means::Plain)
            }
            Some(registry) => (
                calls::guard_by_name(&script, (registry, NAME), site, ending),
                site,
                ending,
            ),
            None => (calls::guard(&script, breaker, site, ending), site, ending),
        };
        self.held.push(Held::Future(Box::new(Call {
            future,
            script,
            site,
            ending,
            begun: None,
        })));
        Ok(())
    }

    fn pick(&self, u: &mut Input, wanted: impl Fn(&Held) -> bool) -> Result<Option<usize>> {
        let which = usize::from(u.arbitrary::<u8>()?);
        let places: Vec<_> = (0..self.held.len())
            .filter(|place| wanted(&self.held[*place]))
            .collect();
        Ok((!places.is_empty()).then(|| places[which % places.len()]))
    }

    fn end_permit(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |held| matches!(held, Held::Permit(..)))? else {
            return Ok(());
        };
        let outcome = input::outcome(u)?;
        let answer = u.ratio(1, 3)?.then(|| input::answer(u)).transpose()?;
        let Held::Permit(permit, call) = self.held.remove(place) else {
            return Ok(());
        };
        match (answer, outcome) {
            (Some(answer), _) => {
                let survived = survive(|| permit.record_result(&answer)).is_some();
                let ending = judged::ending(answer, Site::Rules, self.rules);
                assert_eq!(
                    survived,
                    ending.is_some(),
                    "a judge that panics is heard of"
                );
                self.ended(call, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
            (None, Outcome::Success) => {
                permit.success();
                self.ended(call, Ending::Success, Kept::Nothing);
            }
            (None, Outcome::Failure) => {
                permit.failure();
                self.ended(call, Ending::Failure, Kept::Nothing);
            }
            (None, outcome) => {
                permit.record(outcome);
                let ending = match outcome {
                    Outcome::TripFor(time) => Ending::TripFor(time),
                    _ => Ending::Ignored,
                };
                self.ended(call, ending, Kept::Nothing);
            }
        }
        Ok(())
    }

    fn drop_one(&mut self, u: &mut Input) -> Result<()> {
        if let Some(place) = self.pick(u, |_| true)? {
            self.drop_at(place);
        }
        Ok(())
    }

    fn drop_at(&mut self, place: usize) {
        match self.held.remove(place) {
            Held::Permit(permit, call) => {
                drop(permit);
                self.ended(call, Ending::Dropped, Kept::Something);
            }
            Held::Future(call) => {
                let Call {
                    future,
                    script,
                    begun,
                    ..
                } = *call;
                let survived = survive(|| drop(future)).is_some();
                // An async function that was never called has made no future.
                assert!(survived || script.drop_panics);
                match begun {
                    Some((call, _)) => {
                        assert!(script.dropped.get());
                        self.ended(call, Ending::Dropped, Kept::Something);
                    }
                    None => assert_eq!(script.runs.get(), 0),
                }
            }
        }
    }

    fn poll_one(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |held| matches!(held, Held::Future(_)))? else {
            return Ok(());
        };
        let order = match u.int_in_range(0..=5)? {
            0 => Order::Panic,
            1 | 2 => Order::Wait,
            _ => Order::Give(input::answer(u)?),
        };
        let Held::Future(mut call) = self.held.remove(place) else {
            return Ok(());
        };
        if call.begun.is_none() {
            match self.pair.begin() {
                Ok(number) => call.begun = Some((number, self.ticks)),
                Err(refused) => {
                    self.poll_refused(*call, &refused);
                    return Ok(());
                }
            }
        }
        self.poll_admitted(call, order);
        Ok(())
    }

    /// The guarded code is neither polled nor kept.
    fn poll_refused(&mut self, mut call: Call, refused: &Refused) {
        call.script.order.set(Order::Panic);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        let Call { script, ending, .. } = &call;
        assert_eq!(script.runs.get(), 0, "a refused call touched guarded code");
        match (found, ending) {
            (Some(Poll::Ready(Said::Refused(open))), Means::Plain | Means::Limited) => {
                self.pair.assert_refusal(&open, refused);
                assert_eq!(script.rescues.get(), 0);
            }
            (Some(Poll::Ready(Said::Rescued)), Means::Rescued { panics: false })
            | (None, Means::Rescued { panics: true }) => assert_eq!(script.rescues.get(), 1),
            (None, _) if script.drop_panics => {}
            _ => panic!("a refused call gave something else"),
        }
        let dropped = survive(|| drop(call.future));
        assert!(dropped.is_some() || call.script.drop_panics);
        assert_eq!(call.script.runs.get(), 0);
    }

    fn poll_admitted(&mut self, mut call: Box<Call>, order: Order) {
        let Some((number, begun)) = call.begun else {
            return;
        };
        call.script.order.set(order);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        assert_eq!(
            call.script.rescues.get(),
            0,
            "a fallback for a call that was let in"
        );
        let passed_limit = matches!(call.ending, Means::Limited) && self.ticks > begun;
        match order {
            Order::Wait if !passed_limit => {
                assert!(matches!(found, Some(Poll::Pending)));
                return self.held.push(Held::Future(call));
            }
            Order::Wait => {
                let recorded = self.ended(number, Ending::Failure, Kept::Something);
                if call.script.drop_panics {
                    assert!(found.is_none());
                } else {
                    assert!(matches!(found, Some(Poll::Ready(Said::TimedOut))));
                    self.pair.timed_out += u64::from(recorded);
                }
            }
            Order::Panic => {
                assert!(found.is_none());
                self.ended(number, Ending::Failure, Kept::Something);
            }
            Order::Give(answer) => {
                let ending = judged::ending(answer, call.site, self.rules);
                match found {
                    None => assert!(ending.is_none() || call.script.drop_panics),
                    Some(Poll::Ready(Said::Answered(given))) => {
                        assert!(ending.is_some());
                        assert_eq!(given.is_ok(), answer.is_ok());
                    }
                    _ => panic!("a call that was let in gave something else"),
                }
                self.ended(number, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
        }
        assert!(
            call.script.dropped.get(),
            "the guarded future outlives its call"
        );
    }

    /// A sync call, in which other things happen.
    fn call(&mut self, u: &mut Input) -> Result<()> {
        let order = if u.ratio(1, 5)? {
            Order::Panic
        } else {
            Order::Give(input::answer(u)?)
        };
        let within = u.int_in_range(0..=3)?;
        let site = input::site(u)?;
        let ending = match u.int_in_range(0..=3)? {
            0 => Means::Rescued {
                panics: u.arbitrary()?,
            },
            _ => Means::Plain,
        };
        self.call_with(order, site, ending, |world| {
            for _ in 0..within {
                if world.depth < DEEPEST && !u.is_empty() {
                    let _ = world.step(u);
                }
            }
        });
        Ok(())
    }

    fn call_with(
        &mut self,
        order: Order,
        site: Site,
        ending: Means,
        meanwhile: impl FnOnce(&mut Self),
    ) {
        let expected = self.pair.begin();
        let breaker = self.pair.breaker.clone();
        let script = Script::default();
        self.depth += 1;
        let found = survive(|| {
            let work = || {
                script.runs.set(1);
                self.heed_admission();
                meanwhile(self);
                match order {
                    Order::Give(answer) => answer,
                    _ => trouble::blow(),
                }
            };
            calls::call(work, &script, &breaker, site, ending)
        });
        self.depth -= 1;
        self.pair.model.now = self.clock.time();
        let number = match expected {
            Ok(number) => number,
            Err(refused) => {
                assert_eq!(script.runs.get(), 0, "a refused call touched guarded code");
                match (found, ending) {
                    (Some(Said::Refused(open)), Means::Plain) => {
                        self.pair.assert_refusal(&open, &refused);
                    }
                    (Some(Said::Rescued), Means::Rescued { panics: false })
                    | (None, Means::Rescued { panics: true }) => {
                        assert_eq!(script.rescues.get(), 1);
                    }
                    _ => panic!("a refused call gave something else"),
                }
                return;
            }
        };
        assert_eq!(script.runs.get(), 1);
        assert_eq!(script.rescues.get(), 0);
        let Order::Give(answer) = order else {
            assert!(found.is_none());
            self.ended(number, Ending::Failure, Kept::Something);
            return;
        };
        let judged = judged::ending(answer, site, self.rules);
        match found {
            Some(Said::Answered(given)) => assert_eq!(given.is_ok(), answer.is_ok()),
            found => assert!(found.is_none() && judged.is_none()),
        }
        self.ended(number, judged.unwrap_or(Ending::Ignored), text_of(answer));
    }

    fn ended(&mut self, call: usize, ending: Ending, text: Kept) -> bool {
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
        let done = match &self.registry {
            Some(registry) => registry.configure(NAME, builder).is_ok(),
            None => self.pair.breaker.configure(|_| builder).is_ok(),
        };
        assert!(done, "settings that work");
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

    /// Whatever happened: with everything in order again, the breaker does what it is for.
    fn end_well(&mut self) {
        self.clock.set_broken(false);
        if let Some((ear, _)) = &self.ear {
            ear.behave(Manners::Quiet, None);
        }
        self.check(true);
        while !self.held.is_empty() {
            self.drop_at(0);
            self.check(false);
        }
        self.check(true);
        let settings = Settings {
            rules: vec![Rule {
                kind: Kind::Consecutive(1),
                span: None,
                minimum_calls: None,
                slower_than: None,
            }],
            half_open_calls: 1,
            success_threshold: None,
            mode: Mode::Enforcing,
            ..self.pair.model.settings.clone()
        };
        self.pair.configured(&settings);
        self.adopt(&settings, self.rules);
        self.pair.command(Command::Reset);
        for (answer, leads_to) in [(Ok(false), State::Closed), (FATAL, State::Open)] {
            self.call_with(Order::Give(answer), Site::Rules, Means::Plain, |_| ());
            self.check(true);
            assert_eq!(self.pair.breaker.state(), leads_to);
        }
        self.pair.command(Command::HalfOpen);
        self.call_with(Order::Give(Ok(false)), Site::Rules, Means::Plain, |_| ());
        self.check(true);
        assert_eq!(self.pair.breaker.state(), State::Closed);
        assert_eq!(record::consecutive(&self.pair.model.log), 0);
    }
}

const FATAL: Answer = Err(trouble::Trouble {
    kind: trouble::Kind::Fatal,
    text: Text::Number(0),
});

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
