//! Numbers of things in sentences.

/// Returns the number with the noun, as in `1 call` and `2 calls`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
