//! Names of breakers: their allowed length.
//!
//! A name is 1 to 256 bytes of any UTF-8.

/// The maximum length of a name, in bytes.
pub(crate) const LONGEST: usize = 256;

const ALLOWED: &str = "1 to 256 bytes long";

/// Checks the length of a name. An error contains the shortened name and the allowed lengths.
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
