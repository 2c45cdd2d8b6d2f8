//! Names of breakers: 1 to 256 bytes of any UTF-8.

/// The longest name, in bytes.
pub(crate) const LONGEST: usize = 256;

const ALLOWED: &str = "1 to 256 bytes long";

/// Refuses names that nobody could have meant; says what the name was, shortened, and what it may
/// be.
pub(crate) fn check(name: &str) -> Result<(), (String, &'static str)> {
    match name.len() {
        1..=LONGEST => Ok(()),
        0 => Err((String::new(), ALLOWED)),
        length => {
            let beginning = crate::text::prefix(name, 32);
            Err((format!("{beginning}… ({length} bytes)"), ALLOWED))
        }
    }
}
