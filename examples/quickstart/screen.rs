//! The terminal: first a mark for each call and a line for each state change, then the timeline.

use crate::tally::{Ended, Report};
use breakerbox::State;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Screen {
    start: Instant,
    colours: bool,
    /// Whether the current line has marks. Calls end on many threads, so the lock also keeps their
    /// output apart.
    has_marks: Mutex<bool>,
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const BOLD: &str = "1";

const ENDS: [Ended; 3] = [Ended::Answered, Ended::Failed, Ended::Refused];
const STATES: [State; 3] = [State::Closed, State::Open, State::HalfOpen];

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            colours: stdout().is_terminal(),
            has_marks: Mutex::new(false),
        }
    }

    pub(crate) fn heading(&self, title: &str, text: &str) {
        self.line(&format!("\n{}: {text}", self.paint(BOLD, title)));
    }

    pub(crate) fn line(&self, text: &str) {
        let mut has_marks = self.lock();
        if std::mem::take(&mut *has_marks) {
            println!();
        }
        println!("{text}");
    }

    /// Adds the mark of a call to the current line.
    pub(crate) fn call(&self, ended: Ended) {
        let mut has_marks = self.lock();
        if !std::mem::replace(&mut has_marks, true) {
            print!("{}          ", self.time());
        }
        print!(" {}", self.mark(ended));
        // A closed terminal must not stop the run.
        let _ = stdout().flush();
    }

    pub(crate) fn change(&self, from: State, to: State, cause: impl Display) {
        let [from, to] = [from, to].map(|state| self.paint(colour(state), state.as_str()));
        let time = self.time();
        self.line(&format!("{time} circuit  {from} -> {to} ({cause})"));
    }

    /// Draws all calls as one strip: phases of the server, ends of calls, states of the circuit.
    pub(crate) fn timeline(&self, reports: &[Report]) {
        let phases = || reports.chunk_by(|one, next| one.phase == next.phase);
        let strip = |draw: &dyn Fn(&Report) -> String| {
            let strips = phases().map(|calls| calls.iter().map(draw).collect::<String>());
            strips.collect::<Vec<_>>().join("  ")
        };
        let names = phases().map(|calls| format!("{:width$}", calls[0].phase, width = calls.len()));
        let names = names.collect::<Vec<_>>().join("  ");
        self.line(format!("  server   {names}").trim_end());
        let marks = strip(&|report| self.mark(report.ended));
        self.line(&format!("  calls    {marks}"));
        let states = strip(&|report| self.level(report.state));
        self.line(&format!("  circuit  {states}"));
        let ends = ENDS.map(|ended| format!("{} {}", self.mark(ended), name(ended)));
        let states = STATES.map(|state| format!("{} {state}", self.level(state)));
        let (ends, states) = (ends.join("  "), states.join("  "));
        self.line(&format!("           {ends}   {states}"));
    }

    pub(crate) fn check(&self, holds: bool, what: &str) {
        let sign = if holds {
            self.paint(GREEN, "ok")
        } else {
            self.paint(RED, "NO")
        };
        self.line(&format!("  {sign}  {what}"));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, bool> {
        self.has_marks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self) -> String {
        format!("{:>6.2}s", self.start.elapsed().as_secs_f64())
    }

    fn mark(&self, ended: Ended) -> String {
        match ended {
            Ended::Answered => self.paint(GREEN, "+"),
            Ended::Failed => self.paint(RED, "x"),
            Ended::Refused => self.paint(YELLOW, "-"),
        }
    }

    fn level(&self, state: State) -> String {
        let level = match state {
            State::Closed => "▁",
            State::HalfOpen => "▄",
            _ => "█",
        };
        self.paint(colour(state), level)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn name(ended: Ended) -> &'static str {
    match ended {
        Ended::Answered => "answered",
        Ended::Failed => "failed",
        Ended::Refused => "refused",
    }
}

fn colour(state: State) -> &'static str {
    match state {
        State::Closed => GREEN,
        State::HalfOpen => YELLOW,
        _ => RED,
    }
}

/// Formats a duration in a suitable unit.
pub(crate) fn short(time: Duration) -> String {
    match time.as_nanos() {
        ..10_000 => format!("{} ns", time.as_nanos()),
        10_000..10_000_000 => format!("{} us", time.as_micros()),
        10_000_000..10_000_000_000 => format!("{} ms", time.as_millis()),
        _ => format!("{} s", time.as_secs()),
    }
}
