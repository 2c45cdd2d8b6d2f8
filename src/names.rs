//! Names of breakers: 1 to 256 bytes of any UTF-8.
//!
//! The default names of `#[circuit]` are short enough to type into a configuration file, and the same in
//! every run.

/// The longest name, in bytes.
pub(crate) const LONGEST: usize = 256;

const ALLOWED: &str = "1 to 256 bytes long";

/// Checks the length of a name. An error has the name, shortened, and the allowed lengths.
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

/// Returns `users::fetch_user` for `crate_name::users::fetch_user`.
///
/// # Panics
///
/// If the name is too long; at compile time, because it is called in a `const`.
pub const fn default_name(path: &'static str) -> &'static str {
    let name = within_crate(path);
    assert!(
        name.len() <= LONGEST,
        "the default name of this circuit is longer than 256 bytes: give it one with `name = \"..\"`"
    );
    name
}

/// Returns what follows the first `::`; empty for the root of a crate.
pub(crate) const fn within_crate(path: &'static str) -> &'static str {
    let mut rest = path.as_bytes();
    while let [first, behind @ ..] = rest {
        if let [b':', b':', behind @ ..] = rest {
            return match std::str::from_utf8(behind) {
                Ok(path) => path,
                Err(_) => path,
            };
        }
        let _ = first;
        rest = behind;
    }
    ""
}

/// Returns the name of a type without paths and generics: `Client` for
/// `crate_name::users::Client<crate_name::Http>`.
pub(crate) fn short_type(full: &str) -> String {
    let mut short = String::new();
    let mut depth = 0_usize;
    let mut previous = ' ';
    for character in full.chars() {
        match character {
            '<' => depth += 1,
            // Not the arrow of `fn() -> T`.
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                let is_path = |c: char| c.is_alphanumeric() || c == '_';
                short.truncate(short.trim_end_matches(is_path).len());
            }
            _ if depth == 0 => short.push(character),
            _ => {}
        }
        previous = character;
    }
    let whole = short.split(" + ").next().unwrap_or_default();
    let whole = whole.trim_start_matches(['&', '(']);
    let whole = whole.strip_prefix("mut ").unwrap_or(whole);
    let whole = whole.strip_prefix("dyn ").unwrap_or(whole);
    whole.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::type_name;

    mod inner {
        pub(super) struct Client<T: ?Sized>(std::marker::PhantomData<T>);
        pub(super) trait Api {}
    }

    #[test]
    fn a_type_is_called_as_its_owner_calls_it() {
        let names = [
            (type_name::<String>(), "String"),
            (type_name::<inner::Client<Vec<String>>>(), "Client"),
            (type_name::<inner::Client<fn(u8) -> String>>(), "Client"),
            (type_name::<&mut inner::Client<str>>(), "Client"),
            (type_name::<Box<dyn inner::Api + Send>>(), "Box"),
            (type_name::<dyn inner::Api + Send>(), "Api"),
            (type_name::<&(dyn inner::Api + Send)>(), "Api"),
            (type_name::<[String]>(), "[String]"),
            (type_name::<u8>(), "u8"),
        ];
        for (full, short) in names {
            assert_eq!(short_type(full), short, "{full}");
        }
    }

    #[test]
    fn the_crate_is_not_part_of_a_name() {
        assert_eq!(within_crate("app::users::fetch_user"), "users::fetch_user");
        assert_eq!(within_crate("app::fetch_user"), "fetch_user");
        assert_eq!(within_crate("app"), "");
        assert_eq!(default_name("app::m\u{fc}ll::weg"), "m\u{fc}ll::weg");
    }
}
