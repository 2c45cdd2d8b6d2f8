//! [`Context`]: what all circuits of a planner share.

use super::commands::Commands;
use super::server_clock::ServerClock;
use super::settings::Settings;
use super::timing::{ALONE_AFTER, RESTORE_WAIT, Time};
use crate::event::FleetEvent;
use crate::protocol::{Command, Why};
use crate::status::FleetCounters;
use std::time::Duration;

/// What all circuits of a planner share: the settings, the connection, and the clock of the store.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) rng: fastrand::Rng,
    pub(crate) clock: ServerClock,
    pub(crate) commands: Commands,
    pub(crate) counters: FleetCounters,
    pub(crate) events: Vec<FleetEvent>,
    /// The codes of the changes that the store has accepted, for metrics.
    pub(crate) published: Vec<&'static str>,
    /// How long messages were on their way, by the clock of the store, for metrics.
    pub(crate) delays: Vec<Duration>,
    /// Whether a full pull has succeeded on the present connection.
    pub(crate) synced: bool,
    /// How many submits in a row had no answer.
    pub(crate) unanswered_submits: u32,
    /// When the latest submit was given up that had no answer.
    pub(crate) unanswered_at: Time,
    /// Whether the store accepts no writes.
    pub(crate) read_only: bool,
    /// When the latest successful pull was answered.
    pub(crate) last_pull: Option<Time>,
    /// Whether the fleet is shutting down.
    pub(crate) leaving: bool,
    /// Since when the store has seen no other instance.
    pub(crate) alone_since: Option<Time>,
}

impl Context {
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        // Two instances with one seed must not make the same tokens.
        let instance = settings.node.instance().bytes();
        let seed = instance.fold(seed, |seed, byte| {
            (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            settings,
            rng: fastrand::Rng::with_seed(seed),
            clock: ServerClock::default(),
            commands: Commands::default(),
            counters: FleetCounters::default(),
            events: Vec::new(),
            published: Vec::new(),
            delays: Vec::new(),
            synced: false,
            unanswered_submits: 0,
            unanswered_at: Time::ZERO,
            read_only: false,
            last_pull: None,
            leaving: false,
            alone_since: None,
        }
    }

    /// Whether the fleet may move deadlines: the store answers and accepts writes.
    ///
    /// Otherwise, time alone half-opens circuits, as without a fleet.
    pub(crate) fn may_extend(&self) -> bool {
        self.synced && self.unanswered_submits == 0 && !self.read_only && !self.leaving
    }

    /// Applies all commands of the store, except those that cannot be genuine.
    pub(crate) fn learn_commands(&mut self, commands: &[Command], now: Time) {
        let server = self.clock.now(now);
        let is_poison = |command: &&Command| server.is_some_and(|t| command.version.is_ahead_of(t));
        self.counters.refused_records += commands.iter().filter(is_poison).count() as u64;
        let genuine = commands.iter().filter(|command| !is_poison(command));
        let genuine: Vec<_> = genuine.cloned().collect();
        if self.settings.mutants.forget_releases {
            self.commands.forget_releases();
        }
        let rng = &mut self.rng;
        self.commands
            .learn(&genuine, now, || random_in(rng, RESTORE_WAIT));
    }

    /// Notes a change that the store has accepted.
    pub(crate) fn note_published(&mut self, why: &str) {
        self.counters.published += 1;
        if cfg!(feature = "metrics") {
            self.published.push(Why::from_code(why).code());
        }
    }

    /// Returns a random time in `range`.
    pub(crate) fn random(&mut self, range: (Duration, Duration)) -> Duration {
        random_in(&mut self.rng, range)
    }

    pub(crate) fn is_alone(&self, now: Time) -> bool {
        let since = self.alone_since;
        since.is_some_and(|since| now.saturating_sub(since) >= ALONE_AFTER)
    }

    pub(crate) fn note_nodes(&mut self, nodes: u64, now: Time) {
        if nodes > 1 {
            self.alone_since = None;
        } else {
            self.alone_since.get_or_insert(now);
        }
    }
}

fn random_in(rng: &mut fastrand::Rng, (from, to): (Duration, Duration)) -> Duration {
    from + to.saturating_sub(from).mul_f64(rng.f64())
}
