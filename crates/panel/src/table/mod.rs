//! [`Table`]: all breakers of the registry, as they were last read.
//!
//! The table itself reads no breaker. It says what to read ([`Table::plan`]), and takes over what
//! was read, so that no clock of a breaker, which may be user code, runs under its lock.

mod history;
mod row;
mod window;

use crate::query::{Filter, STATES, rank};
use breakerbox::Snapshot;
use breakerbox::watch::{Reading, Watched};
pub(crate) use history::STEP;
use row::Row;
pub(crate) use row::RowText;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use window::Selection;
pub(crate) use window::Window;

/// The shortest time between two versions of the table.
pub(crate) const SHORTEST_STEP: Duration = Duration::from_millis(250);
/// The most breakers that are read by name. If more have changed, all are read.
const MOST_DIRTY: usize = 1_000;
/// The most filters whose windows are kept.
const MOST_SELECTIONS: usize = 64;

/// All breakers, sorted by name.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Changes when a breaker is added or removed.
    names: u64,
    /// Changes with each change.
    epoch: u64,
    by_state: [usize; STATES.len()],
    /// The breakers that events have named since they were last read.
    dirty: BTreeSet<Arc<str>>,
    /// Whether breakers were added or removed since all were last read.
    has_other_names: bool,
    is_filled: bool,
    samples: u64,
    /// The highest version of a row that was removed. A later row of the same name begins above it:
    /// a stream may have sent the former row, and compares versions only.
    removed_version: u64,
    sampled_at: Option<Instant>,
    next_sample: Instant,
    read_at: Option<Instant>,
    /// When the next open circuit half-opens by time, which causes no event.
    next_deadline: Option<Instant>,
    selections: Vec<Selection>,
}

/// What to read next.
#[derive(Debug)]
pub(crate) enum Plan {
    Nothing,
    /// All breakers, for a point in their history or not.
    All {
        sample: bool,
    },
    These(Vec<Watched>),
}

impl Table {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rows: Vec::new(),
            names: 0,
            epoch: 0,
            by_state: [0; STATES.len()],
            dirty: BTreeSet::new(),
            has_other_names: false,
            is_filled: false,
            samples: 0,
            removed_version: 0,
            sampled_at: None,
            next_sample: now,
            read_at: None,
            next_deadline: None,
            selections: Vec::new(),
        }
    }

    /// Notes that an event has named a breaker.
    pub(crate) fn touch(&mut self, name: &Arc<str>) {
        if self.dirty.len() <= MOST_DIRTY {
            self.dirty.insert(name.clone());
        }
    }

    /// Notes that breakers were added or removed.
    pub(crate) fn touch_names(&mut self) {
        self.has_other_names = true;
    }

    /// Returns what has to be read at `now`. An `eager` reader does not wait for the next step.
    pub(crate) fn plan(&mut self, now: Instant, eager: bool) -> Plan {
        if now >= self.next_sample || !self.is_filled {
            self.next_sample = now + STEP;
            self.has_other_names = false;
            self.touch_dirty();
            return Plan::All { sample: true };
        }
        // Deadlines wait as changes do: thousands of open circuits have thousands of deadlines.
        if !eager && self.read_at.is_some_and(|at| now < at + SHORTEST_STEP) {
            return Plan::Nothing;
        }
        if self.has_changes() {
            let is_large = self.has_other_names || self.dirty.len() > MOST_DIRTY;
            self.has_other_names = false;
            let touched = self.touch_dirty();
            if is_large {
                return Plan::All { sample: false };
            }
            return Plan::These(touched);
        }
        if self.next_deadline.is_some_and(|deadline| now >= deadline) {
            self.next_deadline = None;
            return Plan::All { sample: false };
        }
        Plan::Nothing
    }

    /// Returns when there is something to read: at the latest for the next sample, and earlier if
    /// a viewer waits.
    pub(crate) fn next_wake(&self, has_viewers: bool) -> Instant {
        if !has_viewers {
            return self.next_sample;
        }
        let step = self.read_at.map(|at| at + SHORTEST_STEP);
        let deadline = self
            .next_deadline
            .max(step.filter(|_| self.next_deadline.is_some()));
        let waits = [step.filter(|_| self.has_changes()), deadline];
        waits
            .into_iter()
            .flatten()
            .fold(self.next_sample, Instant::min)
    }

    fn has_changes(&self) -> bool {
        self.has_other_names || !self.dirty.is_empty()
    }

    /// Returns the breakers that events have named, whose details are out of date.
    fn touch_dirty(&mut self) -> Vec<Watched> {
        let dirty = std::mem::take(&mut self.dirty);
        let mut touched = Vec::with_capacity(dirty.len());
        for name in &dirty {
            if let Some(at) = self.find(name) {
                self.rows[at].touch();
                touched.push(self.rows[at].watched.clone());
            }
        }
        touched
    }

    fn find(&self, name: &str) -> Option<usize> {
        let found = self
            .rows
            .binary_search_by(|row| (**row.watched.name()).cmp(name));
        found.ok()
    }

    /// Takes over a reading of all breakers. Returns `true` if anything has changed.
    pub(crate) fn read_all(
        &mut self,
        mut read: Vec<(Watched, Reading)>,
        sample: bool,
        now: Instant,
    ) -> bool {
        read.sort_unstable_by(|(one, _), (other, _)| one.name().cmp(other.name()));
        let sample = sample.then(|| {
            let before = self.sampled_at.replace(now);
            before.map_or(STEP, |before| now.saturating_duration_since(before))
        });
        let is_same =
            |(row, (watched, _)): (&Row, &(Watched, Reading))| row.watched.is_same(watched);
        let mut changed = !self.is_filled;
        if self.rows.len() != read.len() || !self.rows.iter().zip(&read).all(is_same) {
            changed = true;
            self.names += 1;
            self.replace_rows(&read);
        }
        self.next_deadline = None;
        for (row, (_, reading)) in self.rows.iter_mut().zip(&read) {
            changed |= row.read(reading);
            if let Some(elapsed) = sample {
                changed |= row.sample(reading, elapsed);
                row.expire_text(self.samples);
            }
        }
        for (_, reading) in &read {
            self.note_deadline(reading, now);
        }
        if sample.is_some() {
            self.samples += 1;
            let samples = self.samples;
            self.selections
                .retain(|selection| selection.used_at + 2 > samples);
        }
        self.is_filled = true;
        self.end_read(changed, now)
    }

    /// Adds and removes rows, so that there is one for each breaker that was read.
    fn replace_rows(&mut self, read: &[(Watched, Reading)]) {
        let mut old = std::mem::take(&mut self.rows).into_iter().peekable();
        let before = self.removed_version;
        self.rows.reserve(read.len());
        for (watched, reading) in read {
            while let Some(row) = old.next_if(|row| row.watched.name() < watched.name()) {
                self.removed_version = self.removed_version.max(row.version);
            }
            let row = match old.next_if(|row| row.watched.name() == watched.name()) {
                Some(mut row) => {
                    if !row.watched.is_same(watched) {
                        row.restart(watched.clone());
                    }
                    row
                }
                None => Row::new(watched.clone(), reading, before),
            };
            self.rows.push(row);
        }
        let removed = old.map(|row| row.version);
        self.removed_version = removed.fold(self.removed_version, u64::max);
    }

    /// Takes over a reading of some breakers. Returns `true`: events have named them.
    pub(crate) fn read_these(&mut self, read: &[(Watched, Reading)], now: Instant) -> bool {
        for (watched, reading) in read {
            let found = self.find(watched.name());
            if let Some(row) = found.map(|at| &mut self.rows[at]) {
                if row.watched.is_same(watched) {
                    row.read(reading);
                    self.note_deadline(reading, now);
                }
            }
        }
        self.end_read(true, now)
    }

    fn note_deadline(&mut self, reading: &Reading, now: Instant) {
        let deadline = reading
            .open_remaining
            .and_then(|left| now.checked_add(left));
        if let Some(deadline) = deadline {
            let next = self.next_deadline.unwrap_or(deadline);
            self.next_deadline = Some(next.min(deadline));
        }
    }

    fn end_read(&mut self, changed: bool, now: Instant) -> bool {
        self.read_at = Some(now);
        if changed {
            self.epoch += 1;
            self.by_state = [0; STATES.len()];
            for row in &self.rows {
                self.by_state[rank(row.state)] += 1;
            }
        }
        changed
    }

    /// Returns the window of a filter.
    ///
    /// # Errors
    ///
    /// Returns the breakers of which a snapshot is needed first, unless the call `is_final`.
    pub(crate) fn window(
        &mut self,
        filter: &Filter,
        is_final: bool,
    ) -> Result<Arc<Window>, Vec<Watched>> {
        let at = self.select(filter);
        let (samples, epoch) = (self.samples, self.epoch);
        let selection = &mut self.selections[at];
        selection.used_at = samples;
        if let Some(window) = selection.window(epoch) {
            return Ok(window);
        }
        let page = selection.page(&self.rows, self.names, is_final)?;
        let shown = page.rows.iter().map(|at| &self.rows[*at]);
        let needed = shown.filter(|row| row.needs_detail());
        let needed: Vec<_> = needed.map(|row| row.watched.clone()).collect();
        if !needed.is_empty() && !is_final {
            return Err(needed);
        }
        let rows = page.rows.iter().map(|at| {
            let row = &mut self.rows[*at];
            (row.watched.name().clone(), row.text(samples))
        });
        let rows: Vec<_> = rows.collect();
        let window = Arc::new(Window {
            total: self.rows.len(),
            matched: page.matched,
            by_state: self.by_state,
            after: rows
                .last()
                .filter(|_| page.has_more)
                .map(|(name, _)| name.clone()),
            is_lost: page.is_lost,
            rows,
        });
        self.selections[at].set_window(epoch, window.clone());
        Ok(window)
    }

    /// Returns the selection of a filter, in place of the one that was used longest ago if there are
    /// many.
    fn select(&mut self, filter: &Filter) -> usize {
        let known = |selection: &Selection| selection.filter == *filter;
        if let Some(at) = self.selections.iter().position(known) {
            return at;
        }
        if self.selections.len() >= MOST_SELECTIONS {
            let oldest = self.selections.iter().enumerate();
            let oldest = oldest.min_by_key(|(_, selection)| selection.used_at);
            let at = oldest.map_or(0, |(at, _)| at);
            self.selections.swap_remove(at);
        }
        self.selections.push(Selection::new(filter.clone()));
        self.selections.len() - 1
    }

    /// Returns the row of one breaker, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns the breaker if its snapshot is needed first, unless the call `is_final`.
    pub(crate) fn row(
        &mut self,
        name: &str,
        is_final: bool,
    ) -> Result<Option<RowText>, Vec<Watched>> {
        let samples = self.samples;
        let Some(at) = self.find(name) else {
            return Ok(None);
        };
        let row = &mut self.rows[at];
        if row.needs_detail() && !is_final {
            return Err(vec![row.watched.clone()]);
        }
        Ok(Some(row.text(samples)))
    }

    /// Takes over snapshots that were taken at the time `wall`.
    pub(crate) fn set_details(&mut self, details: &[(Watched, Option<Snapshot>)], wall: u64) {
        for (watched, snapshot) in details {
            let found = self.find(watched.name());
            if let Some(row) = found.map(|at| &mut self.rows[at]) {
                if row.watched.is_same(watched) {
                    row.set_detail(snapshot.as_ref(), wall);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox::BreakerRegistry;
    use breakerbox::clock::ManualClock;
    use breakerbox::watch::Watch;

    #[test]
    fn passed_deadlines_are_read_four_times_a_second() {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder().clock(clock.clone()).build();
        let registry = registry.expect("valid settings");
        let tick = Duration::from_millis(1);
        for number in 1..=100 {
            registry
                .breaker(format!("b{number}"))
                .trip_for(10 * number * tick);
        }
        let watch = Watch::new(&registry);
        let begin = Instant::now();
        let mut table = Table::new(begin);
        let mut reads = 0;
        for millis in 0..1_000 {
            let now = begin + millis * tick;
            if let Plan::All { sample } = table.plan(now, false) {
                reads += 1;
                let read = watch.all().into_iter();
                let read = read.map(|watched| (watched.reading().expect("kept"), watched));
                let read = read.map(|(reading, watched)| (watched, reading)).collect();
                table.read_all(read, sample, now);
            }
            assert!(table.next_wake(true) > now, "a busy loop at {millis} ms");
            clock.advance(tick);
        }
        assert_eq!(reads, 4);
    }
}
