//! [`Ledger`]: what the server and the nodes did, in the order of the times at which they did it.

use breakerbox_fleet::protocol::Micros;
use breakerbox_fleet_simulation::Violation;
use breakerbox_fleet_simulation::parts::{Audit, Primary};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long the account waits for what happened earlier and is heard of later.
const DELAY: Duration = Duration::from_millis(300);

type Entry = Box<dyn FnOnce(&mut Audit, Duration) + Send>;

/// What happened, and the account of the checker, which is behind by a part of a second.
///
/// Nodes report as they act, and the server through `MONITOR`, so that reports of the server are late. The
/// account therefore takes them in the order of their times.
pub(crate) struct Ledger {
    start: Instant,
    /// The time of this host at the start, which is also that of the server.
    origin: Micros,
    state: Mutex<State>,
}

/// The part of a [`Ledger`] that changes.
pub(crate) struct State {
    pub(crate) audit: Audit,
    /// The reference, which does what the server was seen to do.
    pub(crate) reference: Primary,
    pub(crate) epoch: u32,
    pub(crate) counts: Counts,
    entries: BTreeMap<(Duration, u64), Entry>,
    next: u64,
    /// Up to when the server has reported everything. `None` while there is no server.
    heard: Option<Duration>,
}

/// What was seen of the server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) pulls: u64,
    /// Script calls that could not write.
    pub(crate) refused: u64,
    /// How often the server lost its data.
    pub(crate) losses: u64,
}

impl Ledger {
    pub(crate) fn new(audit: Audit) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            start: Instant::now(),
            origin: Micros(0).after(since_epoch.unwrap_or_default()),
            state: Mutex::new(State {
                audit,
                reference: Primary::without_a_clock(),
                epoch: 0,
                counts: Counts::default(),
                entries: BTreeMap::new(),
                next: 0,
                heard: None,
            }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time since the start.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Returns the time since the start of an instant of the server.
    pub(crate) fn time_of(&self, instant: Micros) -> Duration {
        instant.since(self.origin)
    }

    /// Returns the present instant of the server.
    pub(crate) fn server_now(&self) -> Micros {
        self.origin.after(self.now())
    }

    /// Something happens now.
    pub(crate) fn note(&self, entry: impl FnOnce(&mut Audit, Duration) + Send + 'static) {
        let now = self.now();
        self.lock().enter(now, entry);
    }

    /// Takes into account what happened, as far as everything before it is known.
    pub(crate) fn settle(&self) {
        let now = self.now();
        let mut state = self.lock();
        let heard = state.heard.unwrap_or(now);
        state.settle_until(heard.min(now.saturating_sub(DELAY)));
    }

    /// Takes everything into account, and returns the broken invariants.
    pub(crate) fn close(&self) -> Vec<Violation> {
        let mut state = self.lock();
        state.settle_until(Duration::MAX);
        state.audit.violations.clone()
    }

    /// Reports a broken invariant that shows at once.
    pub(crate) fn report(&self, invariant: &'static str, what: String) {
        let now = self.now();
        self.lock().audit.report(now, invariant, what);
    }
}

impl State {
    /// Something happened at a time that may be in the past.
    pub(crate) fn enter(
        &mut self,
        at: Duration,
        entry: impl FnOnce(&mut Audit, Duration) + Send + 'static,
    ) {
        self.entries.insert((at, self.next), Box::new(entry));
        self.next += 1;
    }

    /// The server has reported everything up to a time, or is gone.
    pub(crate) fn heard(&mut self, until: Option<Duration>) {
        self.heard = until;
    }

    fn settle_until(&mut self, end: Duration) {
        while let Some(entry) = self.entries.first_entry() {
            let at = entry.key().0;
            if at > end {
                return;
            }
            entry.remove()(&mut self.audit, at);
        }
    }
}
