//! [`span`]: how long a state has lasted, for people.

/// Writes a number of milliseconds in at most two units: `3m 20s`.
pub(super) fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_at_most_two_units() {
        let second = 1_000;
        for (millis, expected) in [
            (999, "0s"),
            (59 * second, "59s"),
            (200 * second, "3m 20s"),
            (7_260 * second, "2h 1m"),
            (90_000 * second, "1d 1h"),
        ] {
            assert_eq!(span(millis), expected);
        }
    }
}
