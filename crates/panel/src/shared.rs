//! [`Shared`]: what the clones of a panel, its task and its streams share.

use crate::lock::lock;
use crate::log::{Draft, Log};
use crate::query::Filter;
use crate::settings::Settings;
use crate::slots::Slots;
use crate::table::{Plan, RowText, Table, Window};
use crate::time::unix_millis;
use crate::timers::Timers;
use breakerbox::watch::{Watch, Watched};
use breakerbox::{BreakerRegistry, Event, EventStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::time::Instant;

/// The most events that are taken over in one go.
const MOST_EVENTS: usize = 2_048;
/// How often a window is tried, if breakers change while it is made.
const TRIES: usize = 3;

/// What the clones of a panel, its task and its streams share.
///
/// No lock is held while user code runs, and none while another one is taken.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) watch: Watch,
    pub(crate) slots: Slots,
    /// The task reads the events without a reference to the rest.
    pub(crate) events: Arc<Mutex<EventStream>>,
    table: Mutex<Table>,
    log: Mutex<Log>,
    /// Changes with the table and with the log.
    pub(crate) changes: watch::Sender<u64>,
    /// Wakes the task. Its end ends the task.
    pub(crate) wake: watch::Sender<()>,
    /// Whether the streams have to end.
    pub(crate) closing: AtomicBool,
    /// Whether there is a task.
    pub(crate) has_task: AtomicBool,
    pub(crate) timers: Timers,
}

impl Shared {
    pub(crate) fn new(settings: Settings, registry: &BreakerRegistry) -> Self {
        Self {
            settings,
            watch: Watch::new(registry),
            slots: Slots::default(),
            events: Arc::new(Mutex::new(registry.subscribe_changes())),
            table: Mutex::new(Table::new(Instant::now())),
            log: Mutex::new(Log::new(unix_millis())),
            changes: watch::Sender::new(0),
            wake: watch::Sender::new(()),
            closing: AtomicBool::new(false),
            has_task: AtomicBool::new(false),
            timers: Timers::default(),
        }
    }

    /// Takes over the events that have arrived.
    pub(crate) fn absorb(&self) {
        for _ in 0..MOST_EVENTS {
            let event = lock(&self.events).try_next();
            match event {
                Some(event) => self.note(&event),
                None => return,
            }
        }
    }

    /// Takes over one event.
    pub(crate) fn note(&self, event: &Event) {
        match event {
            Event::BreakerAdded { .. }
            | Event::BreakerRemoved { .. }
            | Event::BreakerEvicted { .. }
            | Event::Missed { .. } => lock(&self.table).touch_names(),
            _ => lock(&self.table).touch(&event.breaker().into()),
        }
        if let Some(draft) = Draft::of(event) {
            self.write(draft);
        }
    }

    /// Adds an entry to the log.
    pub(crate) fn write(&self, draft: Draft) {
        lock(&self.log).push(draft);
        self.changed();
    }

    /// Marks a breaker whose cause may have changed without an event.
    pub(crate) fn touch(&self, name: &Arc<str>) {
        lock(&self.table).touch(name);
    }

    fn changed(&self) {
        self.changes
            .send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Reads what has to be read by now. An `eager` reader does not wait for the next step.
    pub(crate) fn refresh(&self, eager: bool) {
        let plan = lock(&self.table).plan(Instant::now(), eager);
        #[cfg(feature = "fleet")]
        let looks_at_fleet =
            matches!(plan, Plan::All { sample: true }) && self.settings.fleet.is_some();
        #[cfg(not(feature = "fleet"))]
        let looks_at_fleet = false;
        let changed = match plan {
            Plan::Nothing => return,
            Plan::All { sample } => {
                let read = readings(self.watch.all());
                lock(&self.table).read_all(read, sample, Instant::now())
            }
            Plan::These(watched) => {
                let read = readings(watched);
                lock(&self.table).read_these(&read, Instant::now())
            }
        };
        if changed || looks_at_fleet {
            self.changed();
        }
    }

    pub(crate) fn next_wake(&self) -> Instant {
        lock(&self.table).next_wake(self.slots.has_any())
    }

    pub(crate) fn window(&self, filter: &Filter) -> Arc<Window> {
        self.with_details(|table, is_final| table.window(filter, is_final))
    }

    pub(crate) fn row(&self, name: &str) -> Option<RowText> {
        self.with_details(|table, is_final| table.row(name, is_final))
    }

    /// Calls `ask`, and takes the snapshots that it needs, without the lock. The last call `is_final`:
    /// then it returns what there is.
    fn with_details<T>(&self, ask: impl Fn(&mut Table, bool) -> Result<T, Vec<Watched>>) -> T {
        let mut tries = 0;
        loop {
            tries += 1;
            let asked = ask(&mut lock(&self.table), tries >= TRIES);
            match asked {
                Ok(answer) => return answer,
                Err(needed) => {
                    let details = needed.into_iter().map(|watched| {
                        let snapshot = watched.snapshot();
                        (watched, snapshot)
                    });
                    let details: Vec<_> = details.collect();
                    lock(&self.table).set_details(&details, unix_millis());
                }
            }
        }
    }

    /// Calls `read` with the log.
    pub(crate) fn with_log<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&lock(&self.log))
    }
}

/// Reads breakers. Clocks may run, so no lock may be held.
fn readings(watched: Vec<Watched>) -> Vec<(Watched, breakerbox::watch::Reading)> {
    let read = watched.into_iter().filter_map(|watched| {
        let reading = watched.reading()?;
        Some((watched, reading))
    });
    read.collect()
}
