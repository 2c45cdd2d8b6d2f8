//! The contents of the screen, as lines of text. Writing them to the terminal is up to the caller.

use breakerbox::{EventStream, Totals, prelude::*};
use console::{Color, style};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const WIDTH: usize = 30;
const MAX_CHANGES: usize = 5;

pub(crate) struct Screen {
    registry: BreakerRegistry,
    events: EventStream,
    rows: BTreeMap<Arc<str>, Row>,
    /// The latest state changes.
    changes: VecDeque<String>,
    changed: u64,
}

/// A breaker, and its calls in each frame.
struct Row {
    snapshot: Snapshot,
    frames: VecDeque<Frame>,
}

/// The calls of one frame.
#[derive(Clone, Copy, Default)]
struct Frame {
    succeeded: u64,
    failed: u64,
    refused: u64,
}

impl Frame {
    fn between(before: &Totals, after: &Totals) -> Self {
        let successes = |totals: &Totals| totals.success.unwrap_or(0);
        Self {
            succeeded: successes(after) - successes(before),
            failed: after.failure - before.failure,
            refused: after.refused - before.refused,
        }
    }

    fn calls(self) -> u64 {
        self.succeeded + self.failed + self.refused
    }

    /// Returns the color of the most frequent outcome.
    fn color(self) -> Color {
        if self.refused > self.succeeded.max(self.failed) {
            Color::Yellow
        } else if self.failed >= self.succeeded {
            Color::Red
        } else {
            Color::Green
        }
    }

    fn bar(self, max: u64) -> String {
        let Some(highest) = self.calls().checked_sub(1) else {
            return " ".into();
        };
        let steps = BARS.len() as u64;
        let step = usize::try_from(highest * steps / max.max(1)).unwrap_or(0);
        let bar = BARS[step.min(BARS.len() - 1)];
        style(bar).fg(self.color()).to_string()
    }
}

impl Screen {
    pub(crate) fn new(registry: &BreakerRegistry, events: EventStream) -> Self {
        Self {
            registry: registry.clone(),
            events,
            rows: BTreeMap::new(),
            changes: VecDeque::new(),
            changed: 0,
        }
    }

    /// Reads the events and snapshots since the previous call.
    pub(crate) fn refresh(&mut self) {
        while let Some(event) = self.events.try_next() {
            if let Event::StateChanged {
                breaker,
                from,
                to,
                cause,
                ..
            } = event
            {
                self.changed += 1;
                if self.changes.len() == MAX_CHANGES {
                    self.changes.pop_front();
                }
                self.changes
                    .push_back(format!("{breaker}: {from} -> {to}, {cause}"));
            }
        }
        for breaker in &self.registry {
            let snapshot = breaker.snapshot();
            let row = self
                .rows
                .entry(snapshot.name.clone())
                .or_insert_with(|| Row {
                    snapshot: snapshot.clone(),
                    frames: VecDeque::new(),
                });
            if row.frames.len() == WIDTH {
                row.frames.pop_front();
            }
            row.frames
                .push_back(Frame::between(&row.snapshot.totals, &snapshot.totals));
            row.snapshot = snapshot;
        }
    }

    pub(crate) fn lines(&self, columns: usize) -> Vec<String> {
        let closed = self.registry.closed_breakers().len();
        let open = self.registry.open_breakers().len();
        let title = format!("{} breakers: {closed} closed, {open} open", self.rows.len());
        let mut lines = vec![style(cut(&title, columns)).bold().to_string()];
        lines.extend(self.rows.values().map(|row| row.line(columns)));
        let changes = self.changes.iter().map(|change| {
            let text = cut(&format!("  {change}"), columns);
            style(text).dim().to_string()
        });
        lines.extend(changes);
        lines
    }

    /// Returns the numbers of completed calls, refused calls and state changes.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&Totals) -> u64| {
            let each = self.rows.values().map(|row| of(&row.snapshot.totals));
            each.sum()
        };
        let calls = sum(|totals| totals.success.unwrap_or(0) + totals.failure);
        (calls, sum(|totals| totals.refused), self.changed)
    }
}

impl Row {
    fn line(&self, columns: usize) -> String {
        let Snapshot { name, state, .. } = &self.snapshot;
        let most = self.frames.iter().map(|frame| frame.calls()).max();
        let bars: String = self
            .frames
            .iter()
            .map(|frame| frame.bar(most.unwrap_or(0)))
            .collect();
        // Pad before styling, because escape codes would count as width.
        let gap = " ".repeat(WIDTH - self.frames.len());
        let state = style(format!("{:<12}", state.to_string())).fg(color(*state));
        let why = cut(&self.why(), columns.saturating_sub(12 + 13 + WIDTH + 2));
        format!("{name:<12}{state} {gap}{bars}  {why}")
    }

    /// Returns the cause of the state, or the values of the first rule.
    fn why(&self) -> String {
        let Snapshot {
            open_remaining,
            cause,
            rules,
            totals,
            ..
        } = &self.snapshot;
        let rule = || rules.first().map_or(String::new(), ToString::to_string);
        match (self.snapshot.state, cause) {
            (State::Open, Some(cause)) => {
                let left = open_remaining.unwrap_or_default().as_millis();
                format!("{left} ms left, {cause}")
            }
            (State::ForcedOpen | State::HalfOpen, Some(cause)) => cause.to_string(),
            (State::MetricsOnly, _) => {
                format!("would have opened: {}, {}", totals.would_trip, rule())
            }
            _ => rule(),
        }
    }
}

fn color(state: State) -> Color {
    match state {
        State::Closed => Color::Green,
        State::Open | State::ForcedOpen => Color::Red,
        State::HalfOpen => Color::Yellow,
        _ => Color::Cyan,
    }
}

/// Cuts `text` to `columns` characters, so that the line does not wrap.
fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept = text.chars().take(columns.saturating_sub(1));
    kept.chain(['…']).collect()
}
