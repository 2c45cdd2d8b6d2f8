//! [`check_sampled`]: refuses rules that count calls, for sampled traffic.

use breakerbox::TripRule;

/// A rule that counts calls, which sampled traffic cannot test.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "the rule \"{rule}\" counts calls, but the traffic is sampled: numbers of calls and calls in a row mean \
     nothing there. Replay complete traffic, or use a rate over a window of time"
)]
pub struct CountRule {
    /// The rule.
    pub rule: TripRule,
}

/// Checks that no rule counts calls: neither calls in a row, nor a number of failures, nor a window of
/// calls.
///
/// Of 100 calls that are sampled at 1 %, a single one is left. `minimum_calls` remains a number, too:
/// [`Caveat::Sampled`](super::Caveat::Sampled) says so.
///
/// # Errors
///
/// The first rule that counts calls.
///
/// # Examples
///
/// ```
/// use breakerbox::{TripRule, Window};
/// use breakerbox_replay::import::check_sampled;
/// use std::time::Duration;
///
/// let in_a_row = TripRule::consecutive_failures(5);
/// assert_eq!(check_sampled(&[in_a_row]).unwrap_err().rule, in_a_row);
/// let rate = TripRule::failure_rate(0.5).over(Window::time(Duration::from_secs(30)));
/// assert!(check_sampled(&[rate]).is_ok());
/// ```
pub fn check_sampled(rules: &[TripRule]) -> Result<(), CountRule> {
    match rules.iter().find(|rule| counts_calls(rule)) {
        Some(&rule) => Err(CountRule { rule }),
        None => Ok(()),
    }
}

/// A rule is plain data without accessors. Its text begins with a number if it counts failures, and ends
/// with the size of a window of calls.
fn counts_calls(rule: &TripRule) -> bool {
    let text = rule.to_string();
    let counts_failures = text.starts_with(|character: char| character.is_ascii_digit());
    counts_failures || text.ends_with(" call") || text.ends_with(" calls")
}
