//! [`Row`]: what the table knows of one breaker.

use super::history::{History, STEP, Series};
use crate::time::millis;
use breakerbox::watch::{Reading, Watched};
use breakerbox::{Snapshot, State};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A breaker, with what was read of it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) watched: Watched,
    pub(super) state: State,
    generation: u32,
    /// Successes, failures and refusals at the last sample. `None` before the first.
    totals: Option<[u64; 3]>,
    /// The time since the totals were sampled.
    unsampled: Duration,
    counts_successes: bool,
    /// Calls per second in the last step.
    pub(super) rates: [f64; 3],
    /// `None` if there were no calls in the time of the history.
    history: Option<Box<History>>,
    detail: Option<Box<Detail>>,
    /// Whether the detail may be out of date.
    detail_is_due: bool,
    text: Option<RowText>,
    text_is_due: bool,
    /// The number of the last text, which outlives the text.
    pub(super) version: u64,
    /// The sample at which the text was last used.
    used_at: u64,
}

/// Values that only a snapshot contains.
#[derive(Debug)]
struct Detail {
    /// In unix milliseconds.
    since: u64,
    /// In unix milliseconds; `None` if the circuit is not open, or open until a command.
    until: Option<u64>,
    /// How long the state lasted when the snapshot was taken.
    age: Duration,
    state: State,
    cause: Option<String>,
    last_failure: Option<Arc<str>>,
}

/// A row as JSON.
#[derive(Clone, Debug)]
pub(crate) struct RowText {
    /// The object without its end and without the last failure.
    open: Arc<str>,
    /// The last failure, which not every viewer may see.
    last_failure: Option<Arc<str>>,
    /// Changes with the text.
    pub(crate) version: u64,
}

#[derive(Serialize)]
struct Json<'a> {
    name: &'a str,
    state: &'static str,
    since: u64,
    open_until: Option<u64>,
    cause: Option<&'a str>,
    success_per_s: Option<f64>,
    failing_per_s: f64,
    refused_per_s: f64,
    history: Series,
}

/// The time by which two readings of one moment may differ.
const JITTER: u64 = 1_000;
/// Later deadlines are not shown: a circuit may be open for years, until a command.
const LONGEST_OPEN: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Row {
    /// Creates a row whose texts have versions above `version`.
    pub(super) fn new(watched: Watched, reading: &Reading, version: u64) -> Self {
        let mut row = Self {
            watched,
            state: reading.state,
            generation: reading.generation,
            totals: None,
            unsampled: Duration::ZERO,
            counts_successes: true,
            rates: [0.0; 3],
            history: None,
            detail: None,
            detail_is_due: true,
            text: None,
            text_is_due: true,
            version,
            used_at: 0,
        };
        row.sample(reading, STEP);
        row
    }

    /// Begins again with another breaker of the same name.
    pub(super) fn restart(&mut self, watched: Watched) {
        self.watched = watched;
        self.totals = None;
        self.unsampled = Duration::ZERO;
        self.detail = None;
        self.detail_is_due = true;
        self.text_is_due = true;
    }

    /// Applies a reading of the state. Returns `true` if the state has changed.
    pub(super) fn read(&mut self, reading: &Reading) -> bool {
        if (self.state, self.generation) == (reading.state, reading.generation) {
            return false;
        }
        (self.state, self.generation) = (reading.state, reading.generation);
        self.touch();
        true
    }

    /// Notes that an event has named the breaker.
    pub(super) fn touch(&mut self) {
        self.detail_is_due = true;
        self.text_is_due = true;
    }

    /// Adds a point to the history, for the calls in `elapsed`. Returns `true` if anything shown has
    /// changed.
    pub(super) fn sample(&mut self, reading: &Reading, elapsed: Duration) -> bool {
        self.unsampled += elapsed;
        let Some(totals) = reading.totals else {
            // A call held the lock. The next sample contains both steps.
            return false;
        };
        let elapsed = std::mem::take(&mut self.unsampled);
        self.counts_successes = totals.success.is_some();
        let now = [totals.success.unwrap_or(0), totals.failure, totals.refused];
        let Some(before) = self.totals.replace(now) else {
            return false;
        };
        let calls = std::array::from_fn(|at: usize| now[at].saturating_sub(before[at]));
        let idle = calls == [0; 3];
        let seconds = elapsed.as_secs_f64().max(0.001);
        let was_idle = self.history.is_none() && self.rates.iter().all(|rate| *rate <= 0.0);
        // Precision: a step has far fewer than 2^53 calls.
        #[allow(clippy::cast_precision_loss)]
        let rate = |calls: u64| (calls as f64 / seconds * 10.0).round() / 10.0;
        self.rates = calls.map(rate);
        // If samples were late, the calls are spread over the steps that are missing.
        let steps = (elapsed.as_millis() + STEP.as_millis() / 2) / STEP.as_millis();
        let steps = u64::try_from(steps).unwrap_or(1).clamp(1, 60);
        if !idle || self.history.is_some() {
            let history = self.history.get_or_insert_with(|| Box::new(History::new()));
            for step in 0..steps {
                history.push(calls.map(|calls| calls / steps + u64::from(step < calls % steps)));
            }
            if history.is_idle() {
                self.history = None;
            }
        }
        let failing = calls[1] > 0 || self.shows_failure();
        if self.state != State::Closed || failing && !idle {
            self.detail_is_due = true;
        }
        let changed = !idle || !was_idle || self.detail_is_due;
        self.text_is_due |= changed;
        changed
    }

    fn shows_failure(&self) -> bool {
        let detail = self.detail.as_ref();
        detail.is_some_and(|detail| detail.last_failure.is_some())
    }

    /// Returns `true` if a snapshot is needed before the row can be shown.
    pub(super) fn needs_detail(&self) -> bool {
        self.detail_is_due
    }

    /// When the present state began, in unix milliseconds.
    pub(super) fn since(&self) -> u64 {
        self.detail.as_ref().map_or(0, |detail| detail.since)
    }

    /// Takes over a snapshot that was taken at the time `wall`; `None` if the breaker is gone.
    pub(super) fn set_detail(&mut self, snapshot: Option<&Snapshot>, wall: u64) {
        self.detail_is_due = false;
        self.text_is_due = true;
        let Some(snapshot) = snapshot else {
            return;
        };
        let old = self.detail.take();
        // The same state has the same beginning, although each reading of two clocks differs.
        let is_same = |old: &&Detail| old.state == snapshot.state && snapshot.since >= old.age;
        let same = old.as_deref().filter(is_same);
        let since = wall.saturating_sub(millis(snapshot.since));
        let until = snapshot.open_remaining;
        let until = until.filter(|left| *left < LONGEST_OPEN);
        let until = until.map(|left| wall + millis(left));
        let steady = |old: Option<u64>, new: Option<u64>| match (old, new) {
            (Some(old), Some(new)) if old.abs_diff(new) <= JITTER => Some(old),
            _ => new,
        };
        self.detail = Some(Box::new(Detail {
            since: same.map_or(since, |old| old.since),
            until: steady(same.and_then(|old| old.until), until),
            age: snapshot.since,
            state: snapshot.state,
            cause: snapshot.cause.as_ref().map(ToString::to_string),
            last_failure: snapshot.last_failure.clone(),
        }));
    }

    /// Returns the row as JSON, and notes that it was used at this sample.
    pub(super) fn text(&mut self, sample: u64) -> RowText {
        self.used_at = sample;
        match &self.text {
            Some(text) if !self.text_is_due => text.clone(),
            _ => self.render(),
        }
    }

    fn render(&mut self) -> RowText {
        self.text_is_due = false;
        let detail = self.detail.as_deref();
        let [success, failing, refused] = self.rates;
        let json = Json {
            name: self.watched.name(),
            state: self.state.as_str(),
            since: detail.map_or(0, |detail| detail.since),
            open_until: detail.and_then(|detail| detail.until),
            cause: detail.and_then(|detail| detail.cause.as_deref()),
            success_per_s: self.counts_successes.then_some(success),
            failing_per_s: failing,
            refused_per_s: refused,
            history: Series::of(self.history.as_deref()),
        };
        let mut open = serde_json::to_string(&json).unwrap_or_default();
        open.pop();
        let last_failure = detail.and_then(|detail| detail.last_failure.clone());
        if let Some(text) = &self.text {
            if *text.open == *open && text.last_failure == last_failure {
                return text.clone();
            }
        }
        self.version += 1;
        let text = RowText {
            open: open.into(),
            last_failure,
            version: self.version,
        };
        self.text = Some(text.clone());
        text
    }

    /// Frees the text if no viewer has used it since the sample before the last one.
    pub(super) fn expire_text(&mut self, sample: u64) {
        if self.text.is_some() && sample > self.used_at + 1 {
            self.text = None;
        }
    }
}

impl RowText {
    /// Writes the row for a viewer.
    pub(crate) fn write(&self, out: &mut String, shows_failures: bool) {
        out.push_str(&self.open);
        out.push_str(",\"last_failure\":");
        let shown = self.last_failure.as_deref().filter(|_| shows_failures);
        out.push_str(&serde_json::to_string(&shown).unwrap_or_default());
        out.push_str(",\"version\":");
        out.push_str(&self.version.to_string());
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox::BreakerRegistry;
    use breakerbox::watch::Watch;
    use serde_json::json;

    #[test]
    fn sample_after_locked_circuit_covers_both_steps() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        let watched = Watch::new(&registry).find("users").expect("a breaker");
        let reading = || watched.reading().expect("a breaker");
        let mut row = Row::new(watched.clone(), &reading(), 0);
        for _ in 0..4 {
            let _ = users.call(|| Err::<(), _>("failed"));
        }
        let mut locked = reading();
        locked.totals = None;
        assert!(!row.sample(&locked, STEP));
        assert!(row.sample(&reading(), STEP));
        assert_eq!(json!(row.rates), json!([0.0, 1.0, 0.0]), "4 calls in 4 s");
        let series = Series::of(row.history.as_deref());
        assert_eq!(json!(series)["failure"], json!([2, 2]));
    }
}
