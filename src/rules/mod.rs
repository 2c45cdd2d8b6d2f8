//! The rules that open a closed circuit, and the windows of calls that they evaluate.
//!
//! Everything in this module is pure: the caller serializes access and passes the time.

mod count_window;
mod evaluator;
mod rule;
mod rule_snapshot;
#[cfg(test)]
mod tests;
mod time_window;
mod window;

pub(crate) use evaluator::{RuleEvaluator, Sample, without_windows};
pub(crate) use rule::RuleKind;
pub use rule::TripRule;
pub use rule_snapshot::RuleSnapshot;
pub use window::Window;
pub(crate) use window::WindowKind;

/// The number of calls in a window, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WindowCounts {
    pub(crate) recorded: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
}

impl WindowCounts {
    fn of_consecutive_failures(failures: u32) -> Self {
        Self {
            recorded: failures,
            failed: failures,
            slow: 0,
        }
    }

    fn of_call(failed: bool, slow: bool) -> Self {
        Self {
            recorded: 1,
            failed: failed.into(),
            slow: slow.into(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            recorded: self.recorded.saturating_add(other.recorded),
            failed: self.failed.saturating_add(other.failed),
            slow: self.slow.saturating_add(other.slow),
        }
    }
}
