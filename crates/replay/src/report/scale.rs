//! [`TimeScale`]: from times to positions of a chart.

use crate::nanos::from_nanos;
use crate::replayed::Replayed;
use std::time::UNIX_EPOCH;

/// The positions of the drawing area.
pub(super) const LEFT: f64 = 60.0;
pub(super) const RIGHT: f64 = 990.0;
/// The number of columns into which times are grouped.
pub(super) const COLUMNS: usize = 310;

/// Times after this one are dates, and earlier ones are times since the beginning.
const FIRST_DATE: u64 = 1_000_000_000;

const NANOS: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

/// From nanoseconds to horizontal positions.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeScale {
    first: u64,
    length: u64,
}

impl TimeScale {
    pub(super) fn of(replayed: &Replayed) -> Self {
        let series = &replayed.series;
        let first = series.first.unwrap_or(0);
        Self {
            first,
            length: series.last.saturating_sub(first).max(NANOS),
        }
    }

    #[allow(clippy::cast_precision_loss)] // a position on a page
    pub(super) fn x(&self, nanos: u64) -> f64 {
        let share = nanos.saturating_sub(self.first) as f64 / self.length as f64;
        LEFT + (RIGHT - LEFT) * share.min(1.0)
    }

    /// Returns the column of a time.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    pub(super) fn column(&self, nanos: u64) -> usize {
        let share = (self.x(nanos) - LEFT) / (RIGHT - LEFT);
        ((share * COLUMNS as f64) as usize).min(COLUMNS - 1)
    }

    /// Returns the time at which the chart ends.
    pub(super) fn last(&self) -> u64 {
        self.first + self.length
    }

    /// Returns the seconds of a column, at least those of a bin.
    #[allow(clippy::cast_precision_loss)] // a length on a page
    pub(super) fn column_seconds(&self) -> f64 {
        self.length as f64 / NANOS as f64 / COLUMNS as f64
    }

    /// Returns the positions and the texts of at most nine labels.
    pub(super) fn labels(&self) -> Vec<(f64, String)> {
        const STEPS: [u64; 14] = [
            1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, DAY,
        ];
        let seconds = self.length / NANOS;
        let fits = |step: &&u64| seconds / **step <= 8;
        let days = seconds.div_ceil(8 * DAY).max(1);
        let step = STEPS.iter().find(fits).copied().unwrap_or(days * DAY) * NANOS;
        let begin = if self.has_dates() { 0 } else { self.first };
        let until = self.last();
        let after = (self.first - begin).div_ceil(step);
        // The next label may be later than the last time that can be counted.
        let times = (after..).map_while(|count| begin.checked_add(count.checked_mul(step)?));
        let times = times.take_while(|time| *time <= until);
        times
            .map(|time| (self.x(time), self.label(time, step)))
            .collect()
    }

    /// Returns a time in words: a date in UTC, or the time since the beginning.
    pub(super) fn text(&self, nanos: u64) -> String {
        if self.has_dates() {
            let date = UNIX_EPOCH + from_nanos(nanos);
            return humantime::format_rfc3339_seconds(date).to_string();
        }
        let seconds = nanos.saturating_sub(self.first) / NANOS;
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            format!("{hours}:{minutes:02}:{rest:02}")
        } else {
            format!("{minutes}:{rest:02}")
        }
    }

    /// Returns the part of a text that says something, if labels are `step` apart.
    fn label(&self, nanos: u64, step: u64) -> String {
        let text = self.text(nanos);
        let is_one_day = self.first / NANOS / DAY == self.last() / NANOS / DAY;
        let part = match (is_one_day, step < 60 * NANOS) {
            _ if !self.has_dates() => None,
            (true, true) => text.get(11..19),
            (true, false) => text.get(11..16),
            (false, true) => text.get(5..19),
            (false, false) => text.get(5..16),
        };
        part.map_or(text.clone(), |part| part.replace('T', " "))
    }

    fn has_dates(&self) -> bool {
        self.first / NANOS > FIRST_DATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(first: u64, seconds: u64) -> Vec<String> {
        let scale = TimeScale {
            first: first * NANOS,
            length: seconds * NANOS,
        };
        let labels = scale.labels();
        assert!((2..=9).contains(&labels.len()), "{labels:?}");
        labels.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn labels_say_what_differs() {
        let ten = 1_772_359_200;
        assert_eq!(labels(ten, 2_400)[1], "10:05");
        assert_eq!(labels(ten, 20)[1], "10:00:05");
        assert_eq!(labels(ten, 3 * DAY)[1], "03-02 00:00");
        assert_eq!(labels(ten, 40 * DAY)[1], "03-08 00:00");
        assert_eq!(labels(0, 300)[1], "1:00");
        assert_eq!(labels(0, 20_000)[1], "1:00:00");
    }

    #[test]
    fn labels_end_with_the_last_time() {
        let last = u64::MAX / NANOS - 3;
        assert_eq!(labels(last - 20, 20).last().unwrap(), "23:34:30");
    }
}
