//! The text of the protocol: fields, numbers and encoded names.

use super::limits::{MAX_LINE, MAX_NAME, MAX_NUMBER, MAX_WORD};
use std::fmt::Write;

/// The text of an absent field.
pub(super) const NONE: &str = "-";

/// Returns the fields of a line, or `None` if the line is too long or contains a byte that is not
/// printable ASCII.
pub(super) fn fields(line: &str) -> Option<impl Iterator<Item = &str>> {
    let is_text = line.len() <= MAX_LINE && line.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_text.then(|| line.split(' ').filter(|field| !field.is_empty()))
}

/// Parses a number of the protocol: at most 16 digits, and exact in Lua, whose numbers are `f64`.
pub fn parse_number(field: &str) -> Option<u64> {
    let is_number =
        matches!(field.len(), 1..=16) && field.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| field.parse().ok()).flatten();
    number.filter(|number| *number <= MAX_NUMBER)
}

/// Returns the field unless it is too long.
pub(super) fn word(field: &str) -> Option<&str> {
    (field.len() <= MAX_WORD).then_some(field)
}

/// Returns `true` if the text is one field of at most `longest` bytes, and does not stand for an absent
/// one.
pub(super) fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text != NONE
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns the text of a field, or [`NONE`] for an empty text.
pub(crate) fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// Returns the text of a field, empty if the field is [`NONE`].
pub(super) fn unless_none(field: &str) -> &str {
    if field == NONE { "" } else { field }
}

/// Encodes the name of a circuit as one field.
pub fn encode_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Decodes the name of a circuit. Returns `None` unless the field is exactly what [`encode_name`]
/// returns for a valid name, so that two fields never stand for one name.
pub fn decode_name(field: &str) -> Option<String> {
    if field.len() > 3 * MAX_NAME {
        return None;
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? * 16 + hex(rest.next()?)?,
            byte if is_plain(byte) => byte,
            _ => return None,
        });
    }
    let name = String::from_utf8(bytes).ok()?;
    let is_canonical = (1..=MAX_NAME).contains(&name.len()) && encode_name(&name) == field;
    is_canonical.then_some(name)
}

/// Returns `true` if a field has the form of an encoded text. Unlike [`decode_name`], stores in other
/// languages can check this.
pub(super) fn is_encoded(field: &str) -> bool {
    let mut rest = field.bytes();
    let mut length = 0;
    while let Some(byte) = rest.next() {
        let is_valid = match byte {
            b'%' => rest.next().and_then(hex).is_some() && rest.next().and_then(hex).is_some(),
            byte => is_plain(byte),
        };
        if !is_valid {
            return false;
        }
        length += 1;
    }
    (1..=MAX_NAME).contains(&length)
}

/// Braces are encoded, because they select the hash slot of a key in a cluster.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'%' | b'{' | b'}')
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_with_special_characters_survives_encoding() {
        for name in [
            "users-api",
            "a b",
            "{x}",
            "100%",
            "ключ",
            "\n\0\u{7f}",
            "-",
            &"é".repeat(128),
        ] {
            let field = encode_name(name);
            assert!(
                field.bytes().all(|byte| is_plain(byte) || byte == b'%'),
                "{field}"
            );
            assert_eq!(decode_name(&field).as_deref(), Some(name));
        }
    }

    #[test]
    fn name_in_another_encoding_is_rejected() {
        for field in [
            "",
            "a b",
            "%",
            "%4",
            "%41",
            "%zz",
            "%0a",
            "%FF",
            "{x}",
            &"a".repeat(257),
        ] {
            assert_eq!(decode_name(field), None, "{field:?}");
        }
    }

    #[test]
    fn number_that_lua_cannot_represent_is_rejected() {
        assert_eq!(parse_number("9007199254740991"), Some(MAX_NUMBER));
        for field in [
            "",
            "-1",
            "+1",
            "1.5",
            "1e3",
            "0x10",
            "nan",
            "9007199254740992",
            "00000000000000001",
        ] {
            assert_eq!(parse_number(field), None, "{field:?}");
        }
    }
}
