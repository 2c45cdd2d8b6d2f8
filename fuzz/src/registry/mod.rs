//! A registry with a small capacity, and names of all kinds.

mod holders;
mod listener;
mod model;
mod registration;

use crate::calls::Script;
use crate::errors::{TestError, catch_deliberate_panic};
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox::BreakerBuilder;
use breakerbox::clock::{Clock, ManualClock};
use breakerbox::prelude::*;
use holders::Holder;
use listener::{Behavior, TestListener};
use model::{BreakerId, Lookup, PriorState, RegistryModel, is_allowed};
use std::cell::Cell;
use std::time::Duration;

const PREFIXES: [&str; 5] = ["", "http:", "http:u", "n1", "\u{feff}"];

pub(crate) fn run(data: &[u8]) -> Result<()> {
    let mut input = Input::new(data);
    let u = &mut input;
    let mut world = RegistryWorld::new(u)?;
    while !u.is_empty() {
        world.step(u)?;
        world.check();
    }
    world.finish();
    Ok(())
}

struct RegistryWorld {
    registry: BreakerRegistry,
    model: RegistryModel,
    clock: ManualClock,
    listener: TestListener,
    holders: Vec<(Holder, Option<BreakerId>)>,
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
        // 255 to 258 bytes, around the limit of 256, also in the middle of a character.
        12 => "x".repeat(u.int_in_range(255..=258)?),
        13 => "é".repeat(u.int_in_range(127..=129)?),
        14 => format!("x{}", "é".repeat(u.int_in_range(127..=128)?)),
        _ => format!("n{}", u.arbitrary::<u16>()?),
    })
}

impl RegistryWorld {
    fn new(u: &mut Input) -> Result<Self> {
        let clock = ManualClock::new();
        let listener = TestListener::default();
        let shared = listener.clone();
        let capacity = u.int_in_range(1..=8)?;
        let idle = u.ratio(1, 3)?.then(|| input::length(u)).transpose()?;
        let default = u.int_in_range(1..=4)?;
        let builder = BreakerRegistry::builder()
            .clock(clock.clone())
            .capacity(capacity)
            .default_preset(settings(default))
            .on_event(move |event| shared.on_event(event));
        let builder = match idle {
            Some(idle) => builder.idle_timeout(idle),
            None => builder,
        };
        Ok(Self {
            registry: builder.build().expect("valid settings"),
            model: RegistryModel::new(capacity, idle, default),
            clock,
            listener,
            holders: Vec::new(),
        })
    }

    fn step(&mut self, u: &mut Input) -> Result<()> {
        match u.int_in_range(0..=19)? {
            0..=4 => self.call_by_name(u),
            5..=7 => self.hold_by_name(u),
            8 | 9 => self.hold_future(u),
            10 | 11 => self.release_any(u),
            12 => self.register(u),
            13 => self.configure(u),
            14 => self.remove(u),
            15 => self.get(u),
            16 => self.send_command(u),
            17 => {
                let prefix = *u.choose(&PREFIXES)?;
                let threshold = u.int_in_range(1..=9)?;
                let done = self.registry.preset_for(prefix, settings(threshold));
                assert!(done.is_ok() && is_allowed(prefix) || prefix.is_empty());
                self.model.presets.push((prefix.to_owned(), threshold));
                Ok(())
            }
            18 => {
                self.clock.advance(input::time(u)?);
                Ok(())
            }
            _ => {
                let reads = Behavior::Read(self.registry.clone());
                let behaviors = [Behavior::Record, Behavior::Panic, reads];
                self.listener.set_behavior(u.choose(&behaviors)?.clone());
                Ok(())
            }
        }
    }

    fn prior_state(&self) -> PriorState {
        self.listener.take();
        let states = self.registry.iter();
        PriorState {
            now: self.clock.now(),
            states: states
                .map(|breaker| (breaker.name().to_owned(), breaker.state()))
                .collect(),
            held: self.holders.iter().filter_map(|(_, id)| *id).collect(),
        }
    }

    /// Looks up a name. Returns the result of `lookup`, and the breaker if the registry keeps it.
    fn lookup<T>(&mut self, name: &str, lookup: impl FnOnce(&Self) -> T) -> (T, Option<BreakerId>) {
        let before = self.prior_state();
        let threshold = self.model.preset_threshold(name);
        let output = lookup(self);
        let events = self.listener.take();
        match self
            .model
            .record_lookup(name, (threshold, false), &events, &before)
        {
            Lookup::Found(id) | Lookup::Added(id) => (output, Some(id)),
            Lookup::NotKept(_) => (output, None),
        }
    }

    fn call_by_name(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let answer = input::answer(u)?;
        let state = self.state_of(&name);
        // Only for a breaker that exists, because both calls then use the same breaker.
        let nests = state.is_some() && u.ratio(1, 4)?;
        let nested = nests.then(|| input::answer(u)).transpose()?;
        let script = Script::default();
        let call = |world: &Self| {
            let work = || {
                script.runs.set(1);
                if let Some(answer) = nested {
                    let inner = (|| answer).with_breaker(&world.registry, &name);
                    let found = catch_deliberate_panic(|| inner.call());
                    assert!(!matches!(found, Some(Err(error)) if error.is_open()));
                }
                answer
            };
            let guarded = work.with_breaker(&world.registry, &name);
            catch_deliberate_panic(|| guarded.call())
        };
        let (found, id) = self.lookup(&name, call);
        let refused = matches!(&found, Some(Err(error)) if error.is_open());
        assert_ne!(
            refused,
            script.runs.get() == 1,
            "a refused call ran guarded code"
        );
        self.count(id, refused);
        if nests && !refused && state != Some(State::HalfOpen) {
            // A call inside a trial joins the trial and is not counted.
            self.count(id, false);
        }
        Ok(())
    }

    fn state_of(&self, name: &str) -> Option<State> {
        let mut all = self.registry.iter();
        all.find(|breaker| breaker.name() == name)
            .map(|breaker| breaker.state())
    }

    fn count(&mut self, id: Option<BreakerId>, refused: bool) {
        if let Some(entry) = id.and_then(|id| self.model.entry_mut(id)) {
            entry.ended += u64::from(!refused);
            entry.refused += u64::from(refused);
        }
    }

    /// Looks up a name with settings, which must be used only if the breaker is created.
    fn lookup_with_settings(
        &mut self,
        name: &str,
        threshold: u32,
    ) -> (CircuitBreaker, Option<BreakerId>) {
        let before = self.prior_state();
        let created = Cell::new(false);
        let breaker = self.registry.breaker_with(name, || {
            created.set(true);
            settings(threshold)
        });
        let events = self.listener.take();
        let result = self
            .model
            .record_lookup(name, (threshold, false), &events, &before);
        assert_eq!(created.get(), !matches!(result, Lookup::Found(_)));
        match result {
            Lookup::Found(id) | Lookup::Added(id) => (breaker, Some(id)),
            Lookup::NotKept(_) => (breaker, None),
        }
    }

    fn get(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let found = self.registry.get(&name);
        let now = self.clock.now();
        let entry = self.model.entries.get_mut(&name);
        assert_eq!(found.is_some(), entry.is_some());
        if let Some(entry) = entry {
            entry.used = now;
        }
        Ok(())
    }

    fn check(&self) {
        let all: Vec<_> = self.registry.iter().collect();
        assert_eq!(self.registry.len(), self.model.entries.len());
        assert_eq!(all.len(), self.model.entries.len());
        assert!(all.len() <= self.model.capacity);
        for (breaker, (name, entry)) in all.iter().zip(&self.model.entries) {
            assert_eq!(breaker.name(), name);
            let rules = [TripRule::consecutive_failures(entry.threshold)];
            assert_eq!(breaker.config().trip_rules(), rules, "settings of {name:?}");
            // A different breaker with this name would have different totals.
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

    /// Releases all values, and checks that a handle outlives the registry.
    fn finish(mut self) {
        // The listener holds the registry.
        self.listener.set_behavior(Behavior::Record);
        while !self.holders.is_empty() {
            self.release(0, None);
            self.check();
        }
        let late = self.registry.get("n1");
        drop(self.registry);
        if let Some(late) = late {
            late.reset();
            assert!(late.call(|| Ok::<_, TestError>(())).is_ok());
        }
    }
}
