//! Names of breakers: their allowed length, and the default names of `#[circuit]`.
//!
//! A name is 1 to 256 bytes of any UTF-8. A default name omits the crate and generic parameters. It is
//! therefore short enough for a configuration file, and the same in every run.

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

/// Returns `users::fetch_user` for `crate_name::users::fetch_user`.
///
/// # Panics
///
/// Panics if the name is too long. The expansion calls this function in a `const`, so the panic is a
/// compiler error.
pub const fn default_name(path: &'static str) -> &'static str {
    let name = within_crate(path);
    assert!(
        name.len() <= LONGEST,
        "the default name of this circuit is longer than 256 bytes; give it a shorter name with `name = \"..\"`"
    );
    name
}

/// Returns the part of `path` after the first `::`, or an empty string for the root of a crate.
pub(crate) const fn within_crate(path: &'static str) -> &'static str {
    let mut rest = path.as_bytes();
    // A loop over bytes, because `str::find` is not `const`.
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

/// Returns the name of a type without paths and generic arguments: `Client` for
/// `crate_name::users::Client<crate_name::Http>`.
///
/// The format of `type_name` is not guaranteed. Another format would change default names, and nothing
/// else.
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
    fn short_type_omits_paths_and_generics() {
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
    fn default_name_omits_crate() {
        assert_eq!(within_crate("app::users::fetch_user"), "users::fetch_user");
        assert_eq!(within_crate("app::fetch_user"), "fetch_user");
        assert_eq!(within_crate("app"), "");
        assert_eq!(default_name("app::m\u{fc}ll::weg"), "m\u{fc}ll::weg");
    }
}
