//! What is seen on the terminal: a mark for each call, a line for each change of the circuit.

use crate::tally::Ended;
use breakerbox::State;
use std::fmt::Display;
use std::io::{IsTerminal, Write, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) struct Panel {
    start: Instant,
    colours: bool,
    /// Whether marks stand on the line that is being written. Calls end on many threads: the lock
    /// keeps their output apart.
    within_line: Mutex<bool>,
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const BOLD: &str = "1";

impl Panel {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            colours: stdout().is_terminal(),
            within_line: Mutex::new(false),
        }
    }

    /// What will be seen, and what the marks mean.
    pub(crate) fn introduce(&self, text: &str) {
        let marks = [Ended::Answered, Ended::Failed, Ended::Refused];
        let [answered, failed, refused] = marks.map(|ended| self.mark(ended));
        self.line(&format!("{text}\n{answered} answered   {failed} failed   {refused} refused"));
    }

    pub(crate) fn heading(&self, title: &str, text: &str) {
        self.line(&format!("\n{}: {text}", self.paint(BOLD, title)));
    }

    pub(crate) fn figure(&self, what: &str, figure: impl Display) {
        self.line(&format!("  {what:<36}{figure:>8}"));
    }

    pub(crate) fn line(&self, text: &str) {
        let mut within_line = self.within_line.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *within_line) {
            println!();
        }
        println!("{text}");
    }

    pub(crate) fn call(&self, ended: Ended) {
        let mut within_line = self.within_line.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut within_line, true) {
            print!("{}          ", self.time());
        }
        print!(" {}", self.mark(ended));
        // A terminal that went away is no reason to stop.
        let _ = stdout().flush();
    }

    pub(crate) fn change(&self, from: State, to: State, cause: impl Display) {
        let (from, to) = (self.state(from), self.state(to));
        self.line(&format!("{} circuit  {from} -> {to} ({cause})", self.time()));
    }

    pub(crate) fn check(&self, holds: bool, what: &str) {
        let sign = if holds { self.paint(GREEN, "ok") } else { self.paint(RED, "NO") };
        self.line(&format!("  {sign}  {what}"));
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

    fn state(&self, state: State) -> String {
        let colour = match state {
            State::Closed => GREEN,
            State::HalfOpen => YELLOW,
            _ => RED,
        };
        self.paint(colour, state.as_str())
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A duration in a unit that suits it.
pub(crate) fn short(time: Duration) -> String {
    match time.as_nanos() {
        ..10_000 => format!("{} ns", time.as_nanos()),
        10_000..10_000_000 => format!("{} us", time.as_micros()),
        10_000_000..10_000_000_000 => format!("{} ms", time.as_millis()),
        _ => format!("{} s", time.as_secs()),
    }
}
