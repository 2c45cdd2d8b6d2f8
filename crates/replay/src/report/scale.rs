//! [`TimeScale`]: from times to positions of a chart.

use crate::replayed::Replayed;

/// The positions of the drawing area.
pub(super) const LEFT: f64 = 60.0;
pub(super) const RIGHT: f64 = 990.0;
/// The number of columns into which times are grouped.
pub(super) const COLUMNS: usize = 310;

/// Times after this one are dates, and earlier ones are times since the beginning.
const FIRST_DATE: u64 = 1_000_000_000;

const NANOS: u64 = 1_000_000_000;

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

    /// Returns the positions and the texts of about six labels.
    pub(super) fn labels(&self) -> Vec<(f64, String)> {
        const STEPS: [u64; 14] = [
            1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400,
        ];
        let seconds = self.length / NANOS;
        let fits = |step: &&u64| seconds / **step <= 8;
        let step = STEPS.iter().find(fits).copied().unwrap_or(seconds / 6) * NANOS;
        let begin = if self.first / NANOS > FIRST_DATE {
            0
        } else {
            self.first
        };
        let until = self.last();
        let after = (self.first - begin).div_ceil(step);
        let times = (after..).map(|count| begin + count * step);
        let times = times.take_while(|time| *time <= until);
        times.map(|time| (self.x(time), self.text(time))).collect()
    }

    /// Returns a time in words: the time of the day in UTC, or the time since the beginning.
    pub(super) fn text(&self, nanos: u64) -> String {
        let is_date = self.first / NANOS > FIRST_DATE;
        let seconds = if is_date {
            nanos / NANOS % 86_400
        } else {
            nanos.saturating_sub(self.first) / NANOS
        };
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if is_date || hours > 0 {
            format!("{hours:02}:{minutes:02}:{rest:02}")
        } else {
            format!("{minutes}:{rest:02}")
        }
    }
}
