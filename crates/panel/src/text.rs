//! Texts that end up in causes, logs and terminals.

/// The longest reason, in bytes.
pub(crate) const LONGEST: usize = 256;

/// Returns `text` without the space around it, if it has 1 to `longest` bytes and no control or
/// bidirectional characters. Otherwise, returns what is wrong with it.
///
/// The core cuts longer texts silently. Here, a cut text would falsify the audit.
pub(crate) fn checked(text: &str, longest: usize) -> Result<&str, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > longest {
        return Err("is too long");
    }
    if text.chars().any(breakerbox::needs_escape) {
        return Err("contains control, bidirectional or invisible characters");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_trims_and_accepts_up_to_limit() {
        assert_eq!(checked("  INC-123 \u{e9} ", LONGEST), Ok("INC-123 \u{e9}"));
        let long = "x".repeat(LONGEST);
        assert_eq!(checked(&long, LONGEST), Ok(&*long));
        assert_eq!(checked(&format!("{long}x"), LONGEST), Err("is too long"));
        assert_eq!(checked(" \t ", LONGEST), Err("is empty"));
    }

    #[test]
    fn checked_rejects_control_and_invisible_characters() {
        for character in [
            '\n',
            '\r',
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{61c}',
            '\u{200e}',
            '\u{202e}',
            '\u{2028}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{ad}',
            '\u{180e}',
            '\u{e0041}',
        ] {
            let text = format!("a{character}b");
            assert!(checked(&text, LONGEST).is_err(), "{character:?}");
        }
    }
}
