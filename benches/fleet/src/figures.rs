//! Figures of several runs, and tables in Markdown.

use std::time::Duration;

/// The number of runs of each measurement.
pub(crate) const RUNS: usize = 3;

/// The figures of several runs: the best one is shown, with the worst one behind it.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<f64>);

impl Runs {
    pub(crate) fn add(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Shows the lowest figure, and the highest one in brackets.
    pub(crate) fn lowest(&self) -> String {
        let (low, high) = self.range();
        format!("{} ({})", digits(low), digits(high))
    }

    /// Shows the highest figure, and the lowest one in brackets.
    pub(crate) fn highest(&self) -> String {
        let (low, high) = self.range();
        format!("{} ({})", digits(high), digits(low))
    }

    fn range(&self) -> (f64, f64) {
        let low = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (low, high)
    }
}

/// Returns the figure with three digits.
pub(crate) fn digits(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

/// Shows a number of seconds as a share of one processor.
pub(crate) fn share(processor: f64, seconds: f64) -> String {
    format!("{} %", digits(100.0 * processor / seconds))
}

/// Returns the value below which `percent` of the times are, in milliseconds.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len() - 1);
    times[at].as_secs_f64() * 1_000.0
}

/// Prints the head of a table.
pub(crate) fn print_head(cells: &[&str]) {
    println!("| {} |", cells.join(" | "));
    println!("|{}", "---|".repeat(cells.len()));
}

/// Prints one row of a table.
pub(crate) fn print_row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}
