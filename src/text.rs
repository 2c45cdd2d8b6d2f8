//! Text for messages and logs: short durations and percentages, and escaped or truncated user text.

use crate::panic::catch;
use std::fmt::{self, Write};
use std::time::Duration;

/// Displays a duration in at most two units: `29.9s`, `1m 30s`, `250ms`.
#[derive(Clone, Copy)]
pub(crate) struct HumanDuration(pub(crate) Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(time) = *self;
        let seconds = time.as_secs();
        match seconds {
            0 => {
                let nanos = time.subsec_nanos();
                match nanos {
                    1_000_000.. => tenths(f, nanos / 100_000, "ms"),
                    1_000.. => tenths(f, nanos / 100, "us"),
                    _ => write!(f, "{nanos}ns"),
                }
            }
            1..60 if time.subsec_millis() < 100 => write!(f, "{seconds}s"),
            1..60 => write!(f, "{seconds}.{}s", time.subsec_millis() / 100),
            60..3_600 => pair(f, (seconds / 60, "m"), (seconds % 60, "s")),
            3_600..86_400 => pair(f, (seconds / 3_600, "h"), (seconds / 60 % 60, "m")),
            _ => pair(f, (seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
        }
    }
}

fn tenths(f: &mut fmt::Formatter<'_>, tenths: u32, unit: &str) -> fmt::Result {
    match tenths % 10 {
        0 => write!(f, "{}{unit}", tenths / 10),
        rest => write!(f, "{}.{rest}{unit}", tenths / 10),
    }
}

fn pair(f: &mut fmt::Formatter<'_>, large: (u64, &str), small: (u64, &str)) -> fmt::Result {
    write!(f, "{}{}", large.0, large.1)?;
    if small.0 > 0 {
        write!(f, " {}{}", small.0, small.1)?;
    }
    Ok(())
}

/// Returns the seconds of `time`, rounded to microseconds: 4.51279 instead of 4.5127897919999995.
#[cfg(any(feature = "serde", feature = "tracing"))]
pub(crate) fn rounded_seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}

/// Displays a remaining time in tenths of a second, and never as zero.
pub(crate) struct RemainingTime(pub(crate) Duration);

impl fmt::Display for RemainingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = ((self.0.as_nanos() + 50_000_000) / 100_000_000).max(1);
        if tenths >= 600 {
            return HumanDuration(self.0).fmt(f);
        }
        write!(f, "{}.{}s", tenths / 10, tenths % 10)
    }
}

/// Displays a duration exactly, in the notation of documents: `1m 30s`, `250ms`, `0s`, `forever`.
#[derive(Clone, Copy)]
pub(crate) struct ExactDuration(pub(crate) Duration);

impl ExactDuration {
    /// The word for [`Duration::MAX`].
    pub(crate) const FOREVER: &str = "forever";

    /// The units in nanoseconds, from the largest to the smallest.
    pub(crate) const UNITS: [(&str, u128); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
}

impl fmt::Display for ExactDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Duration::MAX => return f.write_str(Self::FOREVER),
            Duration::ZERO => return f.write_str("0s"),
            _ => {}
        }
        let mut rest = self.0.as_nanos();
        let mut gap = "";
        for (unit, length) in Self::UNITS {
            if rest >= length {
                write!(f, "{gap}{}{unit}", rest / length)?;
                gap = " ";
            }
            rest %= length;
        }
        Ok(())
    }
}

/// Returns the ending of a regular noun after `count`.
pub(crate) const fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Displays a ratio as a percentage with at most one decimal: `50%`, `33.3%`.
pub(crate) struct Percent(pub(crate) f64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 1_000.0).round();
        if tenths % 10.0 == 0.0 {
            write!(f, "{:.0}%", tenths / 10.0)
        } else {
            write!(f, "{:.1}%", tenths / 10.0)
        }
    }
}

/// Displays untrusted text on one line, for a log or a terminal.
///
/// Escapes characters that would break the line, control a terminal, change the direction of the text, or
/// be invisible.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if needs_escape(character) {
                write!(f, "{}", character.escape_debug())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Returns `true` if `character` is a control character, separates lines or paragraphs, controls the
/// direction of text, or has no width.
pub fn needs_escape(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The start of a text, stored inline: at most 128 bytes.
///
/// Writing fails once the string is full, so that even a very long `Debug` text ends early.
// Aligned, with the length first, so that a short text occupies a single cache line: failing calls
// write it under the lock of the circuit.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct TruncatedString {
    length: u8,
    bytes: [u8; Self::CAPACITY],
}

impl TruncatedString {
    pub(crate) const CAPACITY: usize = 128;

    pub(crate) const fn empty() -> Self {
        Self {
            length: 0,
            bytes: [0; Self::CAPACITY],
        }
    }

    /// Copies `other`, which is often much shorter than the capacity.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        const CHUNK: usize = 16;
        let chunks = usize::from(other.length).div_ceil(CHUNK);
        let pairs = self
            .bytes
            .chunks_exact_mut(CHUNK)
            .zip(other.bytes.chunks_exact(CHUNK));
        for (to, from) in pairs.take(chunks) {
            to.copy_from_slice(from);
        }
        self.length = other.length;
    }

    /// Appends the `Debug` text of `value`. The text of a `Debug` that panics ends with a note.
    pub(crate) fn push_debug(&mut self, value: &dyn fmt::Debug) {
        // Unwind safe: after a panic, the text consists of the pieces that were written before the
        // panic.
        if let Err(payload) = catch(|| write!(self, "{value:?}")) {
            drop(payload);
            let gap = if self.length == 0 { "" } else { " " };
            self.push(format_args!("{gap}(Debug panicked)"));
        }
    }

    /// Appends as much of `value` as fits.
    pub(crate) fn push(&mut self, value: impl fmt::Display) {
        let _ = write!(self, "{value}");
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self
            .bytes
            .get(..usize::from(self.length))
            .unwrap_or_default();
        // Always valid UTF-8: pieces are truncated at character boundaries.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Write for TruncatedString {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.push_short(text.as_bytes()) {
            Some(()) => Ok(()),
            None => self.push_truncated(text),
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // the capacity fits into a `u8`
impl TruncatedString {
    /// Appends a piece of at most 16 bytes, the length of most pieces of a `Debug` text. Returns
    /// `None` if the piece is longer, or does not fit.
    #[inline]
    fn push_short(&mut self, piece: &[u8]) -> Option<()> {
        // The two chunks overlap if the piece is shorter than `2 * N`.
        #[inline]
        fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) -> Option<()> {
            let (first, last) = (from.first_chunk::<N>()?, from.last_chunk::<N>()?);
            *to.first_chunk_mut()? = *first;
            *to.last_chunk_mut()? = *last;
            Some(())
        }
        let start = usize::from(self.length);
        let end = start.checked_add(piece.len())?;
        let target = self.bytes.get_mut(start..end)?;
        match piece.len() {
            0 => {}
            1 => copy_ends::<1>(piece, target)?,
            2..4 => copy_ends::<2>(piece, target)?,
            4..8 => copy_ends::<4>(piece, target)?,
            8..=16 => copy_ends::<8>(piece, target)?,
            _ => return None,
        }
        self.length = end as u8;
        Some(())
    }

    /// Appends as much of `text` as fits, and fails if that is not all of `text`.
    #[cold]
    #[inline(never)]
    fn push_truncated(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(usize::from(self.length)..);
        let room = room.unwrap_or_default();
        let fitting = prefix(text, room.len());
        room[..fitting.len()].copy_from_slice(fitting.as_bytes());
        self.length += fitting.len() as u8;
        if fitting.len() < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

impl fmt::Debug for TruncatedString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Returns the longest prefix of `text` that has at most `bytes` bytes and ends at a character
/// boundary.
pub(crate) fn prefix(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "serde", feature = "tracing"))]
    fn seconds_are_rounded_to_microseconds() {
        let cases = [
            (Duration::from_nanos(4_512_789_791), "4.51279"),
            (Duration::from_nanos(29_999_999_999), "30"),
            (Duration::from_nanos(1_499), "0.000001"),
            (Duration::from_nanos(100), "0"),
            (Duration::from_secs(86_400 * 365), "31536000"),
        ];
        for (time, expected) in cases {
            assert_eq!(rounded_seconds(time).to_string(), expected);
        }
        assert!(rounded_seconds(Duration::MAX) > 1e19);
    }

    #[test]
    fn durations_and_percentages_are_short() {
        let cases = [
            (Duration::from_millis(29_940), "29.9s"),
            (Duration::from_secs(60), "1m"),
            (Duration::from_secs(90), "1m 30s"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_nanos(333_333_333), "333.3ms"),
            (Duration::from_micros(15), "15us"),
            (Duration::from_nanos(7), "7ns"),
            (Duration::from_secs(7_260), "2h 1m"),
            (Duration::from_secs(90_000), "1d 1h"),
        ];
        for (duration, text) in cases {
            assert_eq!(HumanDuration(duration).to_string(), text);
        }
        assert_eq!(RemainingTime(Duration::from_nanos(1)).to_string(), "0.1s");
        assert_eq!(
            RemainingTime(Duration::from_millis(29_900)).to_string(),
            "29.9s"
        );
        assert_eq!(Percent(1.0 / 3.0).to_string(), "33.3%");
        assert_eq!(Percent(0.5).to_string(), "50%");
    }

    #[test]
    fn escaped_text_has_no_controls_and_keeps_letters() {
        let bad = "\0\t\n\r\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{61c}\u{180e}\u{200b}\u{200c}\u{200d}\
                   \u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2060}\
                   \u{2066}\u{2067}\u{2068}\u{2069}\u{206f}\u{feff}\u{fff9}\u{e0041}\u{e007f}";
        for character in bad.chars() {
            let text = Escaped(&format!("a{character}b")).to_string();
            let code = character.escape_debug().to_string();
            assert_eq!(text, format!("a{code}b"));
            assert!(text.is_ascii(), "{text}");
        }
        for good in ["a \"b\" 'c' \\", "é e\u{301} ß", "日本語 עברית हिन्दी 🦀"]
        {
            assert_eq!(Escaped(good).to_string(), good);
        }
    }

    #[test]
    fn truncated_string_ends_on_character_boundary() {
        for shift in 0..4 {
            let text = "x".repeat(shift) + &"\u{1F980}".repeat(100);
            let mut string = TruncatedString::empty();
            string.push(&text);
            assert!(text.starts_with(string.as_str()));
            assert!(string.as_str().len() > TruncatedString::CAPACITY - 4);
        }
    }

    #[test]
    fn truncated_string_joins_pieces_of_any_length() {
        let text: String = ('\u{20}'..'\u{7f}').cycle().take(200).collect();
        for piece in 1..=text.len() {
            let mut string = TruncatedString::empty();
            let mut pieces = text.as_bytes().chunks(piece).map(std::str::from_utf8);
            let full = pieces.any(|piece| string.write_str(piece.unwrap()).is_err());
            assert!(full, "in pieces of {piece}");
            assert_eq!(string.as_str(), &text[..TruncatedString::CAPACITY]);
            assert!(string.write_str("x").is_err() && string.write_str("").is_ok());
        }
    }

    #[test]
    fn truncated_string_copies_text_of_any_length() {
        let text: String = ('a'..='z')
            .cycle()
            .take(TruncatedString::CAPACITY)
            .collect();
        let mut room = TruncatedString::empty();
        for length in (0..=text.len()).chain([1, 100, 16, 17, 0]) {
            let mut other = TruncatedString::empty();
            other.push(&text[text.len() - length..]);
            room.copy_from(&other);
            assert_eq!(room.as_str(), &text[text.len() - length..]);
        }
    }

    #[test]
    fn debug_panic_ends_text() {
        struct Broken;
        impl fmt::Debug for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Bro")?;
                panic!("a Debug that has broken");
            }
        }
        let mut string = TruncatedString::empty();
        string.push_debug(&Broken);
        assert_eq!(string.as_str(), "Bro (Debug panicked)");
    }
}
