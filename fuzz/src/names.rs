//! A registry of few places, and names of every kind.

use crate::calls::{self, Ending, Guarded, Order, Said, Script};
use crate::input::{self, Input};
use crate::judged::Site;
use crate::names_model::{Became, Before, Birth, Panel, is_allowed};
use crate::trouble::{Kind, Text, Trouble, blow, survive};
use arbitrary::Result;
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use breakerbox::{BreakerBuilder, CircuitOpen, Event, Permit, RegistryError};
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

const MOST_HELD: usize = 6;
const PREFIXES: [&str; 5] = ["", "http:", "http:u", "n1", "\u{feff}"];

pub(crate) fn run(data: &[u8]) -> Result<()> {
    let mut input = Input::new(data);
    let u = &mut input;
    let mut house = House::new(u)?;
    while !u.is_empty() {
        house.step(u)?;
        house.check();
    }
    house.part();
    Ok(())
}

struct House {
    registry: BreakerRegistry,
    panel: Panel,
    clock: ManualClock,
    ear: Ear,
    held: Vec<(Held, Option<Birth>)>,
}

enum Held {
    Handle(CircuitBreaker),
    Permit(Permit),
    Refusal(CircuitOpen),
    Future(Guarded, Rc<Script>),
}

/// Hears of everything, and panics or looks at the registry when it is told to.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<(Vec<Event>, Manners)>>);

#[derive(Clone, Default)]
enum Manners {
    #[default]
    Quiet,
    Panics,
    Looks(BreakerRegistry),
}

impl Ear {
    fn hear(&self, event: &Event) {
        let manners = {
            let mut heard = self.0.lock().unwrap();
            heard.0.push(event.clone());
            heard.1.clone()
        };
        match manners {
            Manners::Quiet => {}
            Manners::Panics => blow(),
            Manners::Looks(registry) => assert!(registry.len() <= registry.capacity()),
        }
    }

    fn take(&self) -> Vec<Event> {
        mem::take(&mut self.0.lock().unwrap().0)
    }

    fn behave(&self, manners: Manners) {
        self.0.lock().unwrap().1 = manners;
    }
}

fn settings(threshold: u32) -> BreakerBuilder {
    CircuitBreaker::builder()
        .failure_threshold(threshold)
        .recovery_timeout(Duration::from_secs(10))
}

fn name(u: &mut Input) -> Result<String> {
    const ODD: [&str; 8] = [
        "",
        " ",
        "\0",
        "é",
        "\u{feff}x",
        "\u{202e}evil",
        "a\r\nb",
        "🦀",
    ];
    Ok(match u.int_in_range(0..=15)? {
        0..=6 => format!("n{}", u.int_in_range(0..=15)?),
        7..=9 => format!("http:{}", u.choose(&["users", "u", "orders"])?),
        10 => u.choose(&ODD)?.to_string(),
        11 => u.arbitrary::<&str>()?.to_owned(),
        // 256 bytes, one more, and one in the midst of a character.
        12 => "x".repeat(u.int_in_range(255..=258)?),
        13 => "é".repeat(u.int_in_range(127..=129)?),
        14 => format!("x{}", "é".repeat(u.int_in_range(127..=128)?)),
        _ => format!("n{}", u.arbitrary::<u16>()?),
    })
}

impl House {
    fn new(u: &mut Input) -> Result<Self> {
        let clock = ManualClock::new();
        let ear = Ear::default();
        let heard = ear.clone();
        let capacity = u.int_in_range(1..=8)?;
        let idle = u.ratio(1, 3)?.then(|| input::length(u)).transpose()?;
        let default = u.int_in_range(1..=4)?;
        let builder = BreakerRegistry::builder()
            .clock(clock.clone())
            .capacity(capacity)
            .default_preset(settings(default))
            .on_event(move |event| heard.hear(event));
        let builder = match idle {
            Some(idle) => builder.idle_timeout(idle),
            None => builder,
        };
        Ok(Self {
            registry: builder.build().expect("settings that work"),
            panel: Panel::new(capacity, idle, default),
            clock,
            ear,
            held: Vec::new(),
        })
    }

    fn step(&mut self, u: &mut Input) -> Result<()> {
        match u.int_in_range(0..=19)? {
            0..=4 => self.call_by_name(u),
            5..=7 => self.hold_by_name(u),
            8 | 9 => self.hold_future(u),
            10 | 11 => self.let_go(u),
            12 => self.register(u),
            13 => self.configure(u),
            14 => self.remove(u),
            15 => self.get(u),
            16 => self.steer(u),
            17 => {
                let prefix = *u.choose(&PREFIXES)?;
                let threshold = u.int_in_range(1..=9)?;
                let done = self.registry.preset_for(prefix, settings(threshold));
                assert!(done.is_ok() && is_allowed(prefix) || prefix.is_empty());
                self.panel.presets.push((prefix.to_owned(), threshold));
                Ok(())
            }
            18 => {
                self.clock.advance(input::time(u)?);
                Ok(())
            }
            _ => {
                let looks = Manners::Looks(self.registry.clone());
                let manners = [Manners::Quiet, Manners::Panics, looks];
                self.ear.behave(u.choose(&manners)?.clone());
                Ok(())
            }
        }
    }

    fn before(&self) -> Before {
        self.ear.take();
        let states = self.registry.iter();
        Before {
            now: self.clock.now(),
            states: states
                .map(|breaker| (breaker.name().to_owned(), breaker.state()))
                .collect(),
            held: self.held.iter().filter_map(|(_, birth)| *birth).collect(),
        }
    }

    /// Asks for a name by use; what was asked, and which breaker it is.
    fn ask<T>(&mut self, name: &str, ask: impl FnOnce(&Self) -> T) -> (T, Option<Birth>) {
        let before = self.before();
        let threshold = self.panel.due_to(name);
        let got = ask(self);
        let events = self.ear.take();
        match self.panel.asked(name, (threshold, false), &events, &before) {
            Became::Found(birth) | Became::Added(birth) => (got, Some(birth)),
            Became::NotKept(_) => (got, None),
        }
    }

    fn call_by_name(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let answer = input::answer(u)?;
        let script = Script::default();
        let work = || {
            script.runs.set(1);
            answer
        };
        let call = |house: &Self| {
            let guarded = work.with_breaker(&house.registry, &name);
            survive(|| guarded.call())
        };
        let (found, birth) = self.ask(&name, call);
        let refused = matches!(&found, Some(Err(error)) if error.is_open());
        assert_ne!(refused, script.runs.get() == 1, "refused, and yet called");
        self.count(birth, refused);
        Ok(())
    }

    fn count(&mut self, birth: Option<Birth>, refused: bool) {
        if let Some(entry) = birth.and_then(|birth| self.panel.of(birth)) {
            entry.ended += u64::from(!refused);
            entry.refused += u64::from(refused);
        }
    }

    fn hold_by_name(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let permit = u.arbitrary()?;
        let (breaker, birth) = if u.arbitrary()? {
            self.ask(&name, |house| house.registry.breaker(&name))
        } else {
            self.ask_with(&name, u.int_in_range(1..=9)?)
        };
        assert!(name.starts_with(breaker.name()) && breaker.name().len() <= 256);
        let held = if permit {
            match breaker.acquire() {
                Ok(permit) => Held::Permit(permit),
                Err(open) => {
                    self.count(birth, true);
                    Held::Refusal(open)
                }
            }
        } else {
            Held::Handle(breaker)
        };
        self.hold(held, birth);
        Ok(())
    }

    /// The settings written where it is looked up act only when they create it.
    fn ask_with(&mut self, name: &str, threshold: u32) -> (CircuitBreaker, Option<Birth>) {
        let before = self.before();
        let asked = std::cell::Cell::new(false);
        let breaker = self.registry.breaker_with(name, || {
            asked.set(true);
            settings(threshold)
        });
        let events = self.ear.take();
        let became = self.panel.asked(name, (threshold, false), &events, &before);
        assert_eq!(asked.get(), !matches!(became, Became::Found(_)));
        match became {
            Became::Found(birth) | Became::Added(birth) => (breaker, Some(birth)),
            Became::NotKept(_) => (breaker, None),
        }
    }

    fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let script = Rc::new(Script::default());
        let shared = script.clone();
        let (mut future, birth) = self.ask(&name, |house| {
            calls::guard_by_name(
                &shared,
                (&house.registry, &name),
                Site::Rules,
                Ending::Plain,
            )
        });
        match calls::poll(&mut future) {
            Some(Poll::Pending) => self.hold(Held::Future(future, script), birth),
            Some(Poll::Ready(Said::Refused(_))) => {
                assert_eq!(script.runs.get(), 0);
                self.count(birth, true);
            }
            _ => panic!("a future that waits gave something"),
        }
        Ok(())
    }

    fn hold(&mut self, held: Held, birth: Option<Birth>) {
        if self.held.len() >= MOST_HELD {
            self.let_go_of(0, None);
        }
        self.held.push((held, birth));
    }

    fn let_go(&mut self, u: &mut Input) -> Result<()> {
        if !self.held.is_empty() {
            let place = u.choose_index(self.held.len())?;
            let answer = u
                .arbitrary::<bool>()?
                .then(|| input::answer(u))
                .transpose()?;
            self.let_go_of(place, answer.map(|answer| answer.is_ok()));
        }
        Ok(())
    }

    /// With an answer, or without.
    fn let_go_of(&mut self, place: usize, ok: Option<bool>) {
        let (held, birth) = self.held.remove(place);
        match held {
            Held::Handle(breaker) => drop(breaker),
            Held::Refusal(open) => assert!(!open.to_string().is_empty()),
            Held::Permit(permit) => {
                match ok {
                    Some(true) => permit.success(),
                    Some(false) => permit.failure(),
                    None => drop(permit),
                }
                self.count(birth, false);
            }
            Held::Future(mut future, script) => {
                if let Some(ok) = ok {
                    let answer = ok.then_some(false).ok_or(FATAL);
                    script.order.set(Order::Give(answer));
                    assert!(matches!(calls::poll(&mut future), Some(Poll::Ready(_))));
                }
                drop(future);
                self.count(birth, false);
            }
        }
    }

    fn register(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.before();
        let done = self.registry.register(&name, settings(threshold));
        let known = self.panel.kept.get(&name).cloned();
        let events = self.ear.take();
        match done {
            Err(RegistryError::InvalidName { value, .. }) => {
                assert!(!is_allowed(&name) && value.len() < 80);
                assert!(events.is_empty());
            }
            Err(RegistryError::AlreadyRegistered { .. }) => {
                let known = known.expect("registered already");
                assert!(known.lasting);
                self.panel.asked(&name, (threshold, true), &events, &before);
            }
            Err(RegistryError::Full { capacity, .. }) => {
                assert_eq!(capacity, self.panel.capacity);
                let became = self.panel.asked(&name, (threshold, true), &events, &before);
                assert!(matches!(became, Became::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => {
                assert!(known.as_ref().is_none_or(|known| !known.lasting));
                let adopts = |event: &Event| matches!(event, Event::BreakerAdopted { .. });
                assert_eq!(events.iter().any(adopts), known.is_some());
                self.lasts(&breaker, threshold, &events, &before);
            }
        }
        Ok(())
    }

    fn configure(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let threshold = u.int_in_range(1..=9)?;
        let before = self.before();
        let done = self.registry.configure(&name, settings(threshold));
        let events = self.ear.take();
        match done {
            Err(RegistryError::InvalidName { .. }) => assert!(!is_allowed(&name)),
            Err(RegistryError::Full { .. }) => {
                let became = self.panel.asked(&name, (threshold, true), &events, &before);
                assert!(matches!(became, Became::NotKept(_)));
            }
            Err(error) => panic!("{error}"),
            Ok(breaker) => self.lasts(&breaker, threshold, &events, &before),
        }
        Ok(())
    }

    fn lasts(&mut self, found: &CircuitBreaker, threshold: u32, events: &[Event], before: &Before) {
        let name = found.name();
        self.panel.asked(name, (threshold, true), events, before);
        let entry = self.panel.kept.get_mut(name).expect("it is kept");
        (entry.lasting, entry.threshold) = (true, threshold);
    }

    fn remove(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        self.ear.take();
        let removed = self.registry.remove(&name);
        let told = self.ear.take();
        let tells = |event: &Event| matches!(event, Event::BreakerRemoved { .. });
        assert_eq!(told.iter().any(tells), removed.is_some());
        assert_eq!(removed.is_some(), self.panel.kept.remove(&name).is_some());
        assert!(self.registry.get(&name).is_none());
        Ok(())
    }

    fn get(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let found = self.registry.get(&name);
        let now = self.clock.now();
        let entry = self.panel.kept.get_mut(&name);
        assert_eq!(found.is_some(), entry.is_some());
        if let Some(entry) = entry {
            entry.used = now;
        }
        Ok(())
    }

    /// Commands, and settings given to a handle, which make it last.
    fn steer(&mut self, u: &mut Input) -> Result<()> {
        let which = u.arbitrary::<u8>()?;
        let all: Vec<_> = self.registry.iter().collect();
        if all.is_empty() {
            return Ok(());
        }
        let breaker = &all[usize::from(which) % all.len()];
        match u.int_in_range(0..=6)? {
            0 => breaker.trip(),
            1 => breaker.trip_for(input::time(u)?),
            2 => breaker.half_open(),
            3 => breaker.force_open(),
            4 => breaker.metrics_only(),
            5 => breaker.reset(),
            _ => {
                assert!(breaker.configure(|same| same).is_ok());
                let entry = self.panel.kept.get_mut(breaker.name());
                entry.expect("it is kept").lasting = true;
            }
        }
        Ok(())
    }

    fn check(&self) {
        let all: Vec<_> = self.registry.iter().collect();
        assert_eq!(self.registry.len(), self.panel.kept.len());
        assert_eq!(all.len(), self.panel.kept.len());
        assert!(all.len() <= self.panel.capacity);
        for (breaker, (name, entry)) in all.iter().zip(&self.panel.kept) {
            assert_eq!(breaker.name(), name);
            let rules = [TripRule::consecutive_failures(entry.threshold)];
            assert_eq!(breaker.config().trip_rules(), rules, "settings of {name:?}");
            // Another breaker of that name would have other books.
            let totals = breaker.snapshot().totals;
            let success = totals.success.unwrap_or_default();
            let ended = success + totals.failure + totals.ignored + totals.cancelled + totals.late;
            assert_eq!(ended, entry.ended, "calls of {name:?}");
            assert_eq!(totals.refused, entry.refused, "refusals of {name:?}");
        }
        let is_open =
            |breaker: &&CircuitBreaker| matches!(breaker.state(), State::Open | State::ForcedOpen);
        let open = all.iter().filter(is_open).count();
        assert_eq!(self.registry.open_breakers().len(), open);
        let closed = self.registry.closed_breakers().len();
        assert!(open + closed <= all.len());
        assert!(!self.registry.all_closed() || open == 0);
    }

    /// What is held may outlive the registry.
    fn part(mut self) {
        // It holds the registry.
        self.ear.behave(Manners::Quiet);
        while !self.held.is_empty() {
            self.let_go_of(0, None);
            self.check();
        }
        let late = self.registry.get("n1");
        drop(self.registry);
        if let Some(late) = late {
            late.reset();
            assert!(late.call(|| Ok::<_, Trouble>(())).is_ok());
        }
    }
}

const FATAL: Trouble = Trouble {
    kind: Kind::Fatal,
    text: Text::Number(1),
};
