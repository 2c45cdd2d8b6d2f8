//! Streams of server-sent events: a view, and then what changes.

use crate::log::number_of;
use crate::query::Filter;
use crate::settings::Viewer;
use crate::shared::Shared;
use crate::slots::Slot;
use crate::table::{RowText, SHORTEST_STEP, Window};
use crate::view::{changes, view};
use bytes::Bytes;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The shortest life of a stream. Then the client has to open another one, which is authorized
/// again.
const SHORTEST_LIFE: Duration = Duration::from_secs(270);
/// The longest time that is added at random, so that not all streams end at once.
const SPREAD_MILLIS: u64 = 60_000;
/// The time without another frame after which a comment is sent.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The most entries of the log in one frame.
const MOST_ENTRIES: usize = 100;

/// Returns when a stream that begins now has to end.
pub(crate) fn end() -> Instant {
    Instant::now() + SHORTEST_LIFE + Duration::from_millis(fastrand::u64(0..=SPREAD_MILLIS))
}

/// The frames of a stream. Each frame is made when it is asked for.
pub(crate) struct Frames(Option<Next>);

type Next = Pin<Box<dyn Future<Output = (Stream, Option<String>)> + Send>>;

/// One stream.
pub(crate) struct Stream {
    shared: Arc<Shared>,
    viewer: Viewer,
    filter: Filter,
    /// The version of each row that was sent.
    sent: HashMap<Arc<str>, u64>,
    order: Vec<Arc<str>>,
    /// Figures that were sent: `total`, `matched` and the counts by state.
    counts: (usize, usize, Vec<usize>),
    #[cfg(feature = "fleet")]
    fleet: Option<crate::fleet::News>,
    changes: watch::Receiver<u64>,
    /// The number of the next entry of the log.
    position: u64,
    is_begun: bool,
    has_ended: bool,
    sent_at: Instant,
    ends: Instant,
    _slot: Slot,
}

impl Stream {
    /// Begins a stream. `last_id` is the last entry of the log that the client has seen.
    pub(crate) fn new(
        shared: Arc<Shared>,
        viewer: Viewer,
        filter: Filter,
        last_id: Option<&str>,
        ends: Instant,
        slot: Slot,
    ) -> Self {
        let seen = last_id.and_then(|id| number_of(id, &shared.settings.instance));
        let position = match seen {
            Some(number) => number.saturating_add(1),
            None => shared.with_log(crate::log::Log::end),
        };
        Self {
            changes: shared.changes.subscribe(),
            shared,
            viewer,
            filter,
            sent: HashMap::new(),
            order: Vec::new(),
            counts: (0, 0, Vec::new()),
            #[cfg(feature = "fleet")]
            fleet: None,
            position,
            is_begun: false,
            has_ended: false,
            sent_at: Instant::now(),
            ends,
            _slot: slot,
        }
    }

    pub(crate) fn frames(self) -> Frames {
        Frames(Some(Box::pin(self.next())))
    }

    /// Waits for the next frame. Returns `None` after the last one.
    async fn next(mut self) -> (Self, Option<String>) {
        if self.has_ended {
            return (self, None);
        }
        if !self.is_begun {
            let frame = self.begin();
            self.sent_at = Instant::now();
            return (self, Some(frame));
        }
        loop {
            let now = Instant::now();
            if self.is_over(now) {
                self.has_ended = true;
                return (self, Some("event: bye\ndata: {}\n\n".to_owned()));
            }
            let step = self.sent_at + SHORTEST_STEP;
            let has_changed = self.changes.has_changed().unwrap_or(false);
            let mut wake = self.ends.min(self.sent_at + KEEP_ALIVE);
            if has_changed && now >= step {
                self.changes.mark_unchanged();
                let frame = self.frame();
                if !frame.is_empty() {
                    self.sent_at = now;
                    return (self, Some(frame));
                }
            } else if has_changed {
                wake = wake.min(step);
            }
            if now >= self.sent_at + KEEP_ALIVE {
                self.sent_at = now;
                return (self, Some(": keep-alive\n\n".to_owned()));
            }
            if self.changes.has_changed().unwrap_or(false) {
                tokio::time::sleep_until(wake).await;
            } else if tokio::time::timeout_at(wake, self.changes.changed())
                .await
                .is_ok()
            {
                // `changed` marks the change as seen.
                self.changes.mark_changed();
            }
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        // Ordering: `Relaxed` suffices, because the flag publishes nothing.
        now >= self.ends
            || self.shared.closing.load(Ordering::Relaxed)
            || self.shared.watch.registry().is_none()
    }

    /// Returns the whole view, and the entries of the log that the client has missed.
    fn begin(&mut self) -> String {
        self.is_begun = true;
        self.shared.absorb();
        self.shared.refresh(false);
        self.changes.mark_unchanged();
        let window = self.shared.window(&self.filter);
        let mut frame = String::new();
        write_event(
            &mut frame,
            "view",
            &view(&self.shared, &self.viewer, &window),
        );
        self.note(&window);
        self.write_log(&mut frame);
        frame
    }

    fn note(&mut self, window: &Window) {
        let rows = window.rows.iter();
        self.sent = rows
            .map(|(name, row)| (name.clone(), row.version))
            .collect();
        self.order = window.rows.iter().map(|(name, _)| name.clone()).collect();
        self.counts = counts(window);
        #[cfg(feature = "fleet")]
        {
            self.fleet = self.fleet_now();
        }
    }

    #[cfg(feature = "fleet")]
    fn fleet_now(&self) -> Option<crate::fleet::News> {
        crate::fleet::news(self.shared.settings.fleet.as_ref())
    }

    /// Returns what has changed, or nothing.
    fn frame(&mut self) -> String {
        // The task does the same, but an entry of the log may have come before its step.
        self.shared.refresh(false);
        let window = self.shared.window(&self.filter);
        let is_new = |(name, row): &&(Arc<str>, RowText)| self.sent.get(name) != Some(&row.version);
        let changed: Vec<_> = window
            .rows
            .iter()
            .filter(is_new)
            .map(|(_, row)| row)
            .collect();
        let names = window.rows.iter().map(|(name, _)| name);
        let is_moved = !names.eq(self.order.iter());
        #[cfg(feature = "fleet")]
        let has_news = self.fleet != self.fleet_now();
        #[cfg(not(feature = "fleet"))]
        let has_news = false;
        let mut frame = String::new();
        if has_news || is_moved || !changed.is_empty() || self.counts != counts(&window) {
            let order: Vec<_> = window.rows.iter().map(|(name, _)| name.clone()).collect();
            let order = is_moved.then_some(&order[..]);
            let json = changes(&self.shared, &self.viewer, &window, &changed, order);
            write_event(&mut frame, "rows", &json);
            self.note(&window);
        }
        self.write_log(&mut frame);
        frame
    }

    fn write_log(&mut self, frame: &mut String) {
        let position = self.position;
        let read = self.shared.with_log(|log| log.read(position, MOST_ENTRIES));
        if read.missed > 0 {
            #[derive(Serialize)]
            struct Missed {
                count: u64,
            }
            let missed = Missed { count: read.missed };
            write_event(
                frame,
                "missed",
                &serde_json::to_string(&missed).unwrap_or_default(),
            );
        }
        let instance = &self.shared.settings.instance;
        for entry in &read.entries {
            let _ = writeln!(frame, "id: {}", entry.id(instance));
            let json = serde_json::to_string(&entry.json(instance)).unwrap_or_default();
            write_event(frame, "log", &json);
        }
        if let Some(last) = read.entries.last() {
            self.position = last.number + 1;
        }
        if read.entries.len() == MOST_ENTRIES {
            // More may follow.
            self.changes.mark_changed();
        }
    }
}

fn counts(window: &Window) -> (usize, usize, Vec<usize>) {
    (window.total, window.matched, window.by_state.to_vec())
}

/// Writes an event. JSON has no line breaks.
fn write_event(frame: &mut String, kind: &str, json: &str) {
    let _ = write!(frame, "event: {kind}\ndata: {json}\n\n");
}

impl Frames {
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(next) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (stream, frame) = ready!(next.as_mut().poll(cx));
        self.0 = match &frame {
            Some(_) => Some(Box::pin(stream.next())),
            None => None,
        };
        Poll::Ready(frame.map(Bytes::from))
    }
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frames")
    }
}
