//! The report of a replay: one HTML file without scripts, which loads nothing.

mod chart;
mod escape;
mod page;
mod scale;

use crate::replayed::Replayed;

impl Replayed {
    /// Returns a report as one HTML file: traffic, states and refusals of each candidate over time, and
    /// the figures.
    ///
    /// The file contains no script, loads nothing, can be printed, and follows the colour scheme of the
    /// reader. The same results give the same bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::CircuitBreaker;
    /// # use breakerbox_replay::{Candidate, Replay, Scenario, Survey};
    /// let calls: Vec<_> = Scenario::steady(50.0).outage(60..180, 1.0).calls().collect();
    /// let replayed = Replay::new(&Survey::of(&calls))
    ///     .candidate(Candidate::new("default", CircuitBreaker::builder())?)
    ///     .run(&calls);
    /// let html = replayed.to_html("Two minutes down");
    /// assert!(html.starts_with("<!doctype html>"));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    pub fn to_html(&self, title: &str) -> String {
        page::page(self, title)
    }
}
