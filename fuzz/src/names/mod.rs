//! A registry of few places, and names of every kind.

mod ear;
mod given;
mod held;
mod panel;

use crate::calls::Script;
use crate::input::{self, Input};
use crate::trouble::{Trouble, survive};
use arbitrary::Result;
use breakerbox::BreakerBuilder;
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use ear::{Ear, Manners};
use held::Held;
use panel::{Became, Before, Birth, Panel, is_allowed};
use std::cell::Cell;
use std::time::Duration;

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
        let state = self.state_of(&name);
        // Of a breaker that is there, and so is the same for both calls.
        let nests = state.is_some() && u.ratio(1, 4)?;
        let nested = nests.then(|| input::answer(u)).transpose()?;
        let script = Script::default();
        let call = |house: &Self| {
            let work = || {
                script.runs.set(1);
                if let Some(answer) = nested {
                    let inner = (|| answer).with_breaker(&house.registry, &name);
                    let found = survive(|| inner.call());
                    assert!(!matches!(found, Some(Err(error)) if error.is_open()));
                }
                answer
            };
            let guarded = work.with_breaker(&house.registry, &name);
            survive(|| guarded.call())
        };
        let (found, birth) = self.ask(&name, call);
        let refused = matches!(&found, Some(Err(error)) if error.is_open());
        assert_ne!(refused, script.runs.get() == 1, "refused, and yet called");
        self.count(birth, refused);
        if nests && !refused && state != Some(State::HalfOpen) {
            // One inside a trial joins it and is not counted.
            self.count(birth, false);
        }
        Ok(())
    }

    fn state_of(&self, name: &str) -> Option<State> {
        let mut all = self.registry.iter();
        all.find(|breaker| breaker.name() == name)
            .map(|breaker| breaker.state())
    }

    fn count(&mut self, birth: Option<Birth>, refused: bool) {
        if let Some(entry) = birth.and_then(|birth| self.panel.of(birth)) {
            entry.ended += u64::from(!refused);
            entry.refused += u64::from(refused);
        }
    }

    /// The settings written where it is looked up act only when they create it.
    fn ask_with(&mut self, name: &str, threshold: u32) -> (CircuitBreaker, Option<Birth>) {
        let before = self.before();
        let asked = Cell::new(false);
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
