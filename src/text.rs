//! Text for people: durations and shares in a few characters, strangers' text within bounds.

use crate::panic::catch;
use std::fmt::{self, Write};
use std::time::Duration;

/// A duration in a few characters: `29.9s`, `1m 30s`, `250ms`.
#[derive(Clone, Copy)]
pub(crate) struct Short(pub(crate) Duration);

impl fmt::Display for Short {
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

/// Time left, in tenths of a second, and never none.
pub(crate) struct Left(pub(crate) Duration);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = ((self.0.as_nanos() + 50_000_000) / 100_000_000).max(1);
        if tenths >= 600 {
            return Short(self.0).fmt(f);
        }
        write!(f, "{}.{}s", tenths / 10, tenths % 10)
    }
}

/// A share as a percentage with at most one decimal: `50%`, `33.3%`.
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

/// A foreign text for a log or a terminal: on one line, with the characters escaped that would
/// break the line, act on a terminal, or change the direction in which the text reads.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() || is_invisible(character) {
                write!(f, "{}", character.escape_debug())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Whether it separates lines or paragraphs, or controls the direction of a text.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// The beginning of somebody's text, in place and of bounded length.
///
/// Writing fails once it is full, which ends a well-behaved `Debug` of ten megabytes early.
// In steps of whole vectors: it is cleared for each failure. The length comes first, and nothing shares the
// first cache line: two threads that fail pass one line to and fro for a short text, not two.
#[derive(Clone)]
#[repr(C, align(64))]
pub(crate) struct Excerpt {
    length: u8,
    bytes: [u8; Self::CAPACITY],
}

impl Excerpt {
    pub(crate) const CAPACITY: usize = 128;

    pub(crate) const fn empty() -> Self {
        Self {
            length: 0,
            bytes: [0; Self::CAPACITY],
        }
    }

    /// Becomes `other`, which is often much shorter than its room.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        // In steps of whole vectors.
        const STEP: usize = 16;
        let steps = usize::from(other.length).div_ceil(STEP);
        let pairs = self
            .bytes
            .chunks_exact_mut(STEP)
            .zip(other.bytes.chunks_exact(STEP));
        for (to, from) in pairs.take(steps) {
            to.copy_from_slice(from);
        }
        self.length = other.length;
    }

    /// Goes on with the `Debug` text of `value`. A `Debug` that panics is cut off where it did.
    pub(crate) fn push_debug(&mut self, value: &dyn fmt::Debug) {
        // What a panic leaves behind is the text so far, which is whole.
        if let Err(payload) = catch(|| write!(self, "{value:?}")) {
            drop(payload);
            let gap = if self.length == 0 { "" } else { " " };
            self.push(format_args!("{gap}(its Debug panicked)"));
        }
    }

    /// Goes on with as much of `value` as there is room for.
    pub(crate) fn push(&mut self, value: impl fmt::Display) {
        let _ = write!(self, "{value}");
    }

    pub(crate) fn as_str(&self) -> &str {
        let bytes = self
            .bytes
            .get(..usize::from(self.length))
            .unwrap_or_default();
        // Only whole characters are ever written.
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Write for Excerpt {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.push_few(text.as_bytes()) {
            Some(()) => Ok(()),
            None => self.push_many(text),
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // the capacity fits
impl Excerpt {
    /// Goes on with the few bytes that most pieces of a `Debug` text have, without a call for so few.
    #[inline]
    fn push_few(&mut self, piece: &[u8]) -> Option<()> {
        #[inline]
        fn ends<const N: usize>(from: &[u8], to: &mut [u8]) -> Option<()> {
            let (first, last) = (from.first_chunk::<N>()?, from.last_chunk::<N>()?);
            *to.first_chunk_mut()? = *first;
            *to.last_chunk_mut()? = *last;
            Some(())
        }
        let start = usize::from(self.length);
        let end = start.checked_add(piece.len())?;
        let place = self.bytes.get_mut(start..end)?;
        match piece.len() {
            0 => {}
            1 => ends::<1>(piece, place)?,
            2..4 => ends::<2>(piece, place)?,
            4..8 => ends::<4>(piece, place)?,
            8..=16 => ends::<8>(piece, place)?,
            _ => return None,
        }
        self.length = end as u8;
        Some(())
    }

    /// Goes on with as much as there is room for.
    #[cold]
    #[inline(never)]
    fn push_many(&mut self, text: &str) -> fmt::Result {
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

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// The longest beginning of `text` that has at most `bytes` bytes and ends on a character boundary.
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
    fn durations_read_well() {
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
            assert_eq!(Short(duration).to_string(), text);
        }
        assert_eq!(Left(Duration::from_nanos(1)).to_string(), "0.1s");
        assert_eq!(Left(Duration::from_millis(29_900)).to_string(), "29.9s");
        assert_eq!(Percent(1.0 / 3.0).to_string(), "33.3%");
        assert_eq!(Percent(0.5).to_string(), "50%");
    }

    #[test]
    fn an_excerpt_ends_on_a_character_boundary() {
        for shift in 0..4 {
            let text = "x".repeat(shift) + &"\u{1F980}".repeat(100);
            let mut excerpt = Excerpt::empty();
            excerpt.push(&text);
            assert!(text.starts_with(excerpt.as_str()));
            assert!(excerpt.as_str().len() > Excerpt::CAPACITY - 4);
        }
    }

    #[test]
    fn an_excerpt_is_its_pieces_of_any_length() {
        let text: String = ('\u{20}'..'\u{7f}').cycle().take(200).collect();
        for piece in 1..=text.len() {
            let mut excerpt = Excerpt::empty();
            let mut pieces = text.as_bytes().chunks(piece).map(std::str::from_utf8);
            let full = pieces.any(|piece| excerpt.write_str(piece.unwrap()).is_err());
            assert!(full, "in pieces of {piece}");
            assert_eq!(excerpt.as_str(), &text[..Excerpt::CAPACITY]);
            assert!(excerpt.write_str("x").is_err() && excerpt.write_str("").is_ok());
        }
    }

    #[test]
    fn an_excerpt_becomes_another_of_any_length() {
        let text: String = ('a'..='z').cycle().take(Excerpt::CAPACITY).collect();
        let mut room = Excerpt::empty();
        for length in (0..=text.len()).chain([1, 100, 16, 17, 0]) {
            let mut other = Excerpt::empty();
            other.push(&text[text.len() - length..]);
            room.copy_from(&other);
            assert_eq!(room.as_str(), &text[text.len() - length..]);
        }
    }

    #[test]
    fn a_debug_that_panics_is_contained() {
        struct Broken;
        impl fmt::Debug for Broken {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Bro")?;
                panic!("a Debug that has broken");
            }
        }
        let mut excerpt = Excerpt::empty();
        excerpt.push_debug(&Broken);
        assert_eq!(excerpt.as_str(), "Bro (its Debug panicked)");
    }
}
