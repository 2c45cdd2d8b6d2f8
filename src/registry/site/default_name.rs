//! The default names of `#[circuit]`.
//!
//! A default name omits the crate and generic parameters. It is therefore short enough for a settings
//! file, and the same in every run.

use crate::names::LONGEST;
use crate::text;

/// Returns the default name for the path of a function.
pub(super) fn of_function(path: &str) -> String {
    shorten(within_crate(path).to_owned())
}

/// Returns the default name for a method of the type with the full name `self_type`.
pub(super) fn of_method(module: &str, self_type: &str, method: &str) -> String {
    let type_name = short_type(self_type);
    let name = match within_crate(module) {
        "" => format!("{type_name}::{method}"),
        module => format!("{module}::{type_name}::{method}"),
    };
    shorten(name)
}

/// Returns `users::fetch_user` for `crate_name::users::fetch_user`, and an empty string for the root of a
/// crate.
fn within_crate(path: &str) -> &str {
    path.split_once("::").map_or("", |(_, path)| path)
}

/// Shortens a name that is longer than a breaker's name may be. Omits its first modules, and adds a hash
/// of the whole name, so that shortened names stay distinct.
fn shorten(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let hash = format!("#{:016x}", fnv_1a(&name));
    let allowed = LONGEST - hash.len();
    let mut rest = &*name;
    while rest.len() > allowed {
        match rest.split_once("::") {
            Some((_, path)) => rest = path,
            None => rest = text::prefix(rest, allowed),
        }
    }
    format!("{rest}{hash}")
}

/// Returns the 64-bit FNV-1a hash of a text, which is the same in every build.
fn fnv_1a(text: &str) -> u64 {
    let offset_basis = 0xcbf2_9ce4_8422_2325;
    text.bytes().fold(offset_basis, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns the name of a type without paths and generic arguments: `Client` for
/// `crate_name::users::Client<crate_name::Http>`. A closure keeps the name of the function around it.
///
/// The format of `type_name` is not guaranteed. Another format would change default names, and nothing
/// else.
fn short_type(full: &str) -> String {
    let full = without_pointers(full);
    let mut short = String::new();
    let mut depth = 0_usize;
    let mut previous = ' ';
    let mut rest = full.chars();
    while let Some(character) = rest.next() {
        match character {
            '<' => depth += 1,
            // Not the arrow of `fn() -> T`.
            '>' if previous != '-' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                rest.next();
                if rest.as_str().starts_with('{') {
                    short.push_str("::");
                } else {
                    let is_path = |c: char| c.is_alphanumeric() || "_{}:".contains(c);
                    short.truncate(short.trim_end_matches(is_path).len());
                }
            }
            _ if depth == 0 => short.push(character),
            _ => {}
        }
        previous = character;
    }
    short
}

/// Returns the type behind references, and the first trait of a trait object.
fn without_pointers(full: &str) -> &str {
    let target = full.trim_start_matches('&');
    let target = target.strip_prefix("mut ").map_or(target, without_pointers);
    // Some versions of `type_name` write `&(dyn One + Two)`.
    let in_parentheses = target
        .strip_prefix("(dyn ")
        .and_then(|object| object.strip_suffix(')'));
    match in_parentheses.or_else(|| target.strip_prefix("dyn ")) {
        Some(object) => object.split(" + ").next().unwrap_or_default(),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::{type_name, type_name_of_val};

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
            (type_name::<&&mut &dyn inner::Api>(), "Api"),
            ("&(dyn app::Api + core::marker::Send)", "Api"),
            (type_name::<[String]>(), "[String]"),
            (type_name::<[inner::Client<u8>; 2]>(), "[Client; 2]"),
            (type_name::<u8>(), "u8"),
        ];
        for (full, short) in names {
            assert_eq!(short_type(full), short, "{full}");
        }
    }

    #[test]
    fn short_type_keeps_tuples_whole() {
        let names = [
            (type_name::<()>(), "()"),
            (type_name::<(u8, String)>(), "(u8, String)"),
            (type_name::<&(inner::Client<u8>,)>(), "(Client,)"),
            (type_name::<((), (u8, String))>(), "((), (u8, String))"),
            (type_name::<fn(String) -> Vec<u8>>(), "fn(String) -> Vec"),
            (type_name::<*const inner::Client<u8>>(), "*const Client"),
            (type_name::<(&str, Box<dyn inner::Api>)>(), "(&str, Box)"),
        ];
        for (full, short) in names {
            assert_eq!(short_type(full), short, "{full}");
        }
    }

    #[test]
    fn short_type_of_closure_names_its_function() {
        let closure = || || ();
        let short = "short_type_of_closure_names_its_function::{{closure}}";
        assert_eq!(short_type(type_name_of_val(&closure)), short);
        let nested = short_type(type_name_of_val(&closure()));
        assert_eq!(nested, format!("{short}::{{{{closure}}}}"));
        assert_eq!(
            short_type("<app::A as app::B>::go::{{closure}}"),
            "go::{{closure}}"
        );
    }

    #[test]
    fn default_name_omits_crate() {
        assert_eq!(of_function("app::users::fetch_user"), "users::fetch_user");
        assert_eq!(of_function("app::fetch_user"), "fetch_user");
        assert_eq!(of_function("app::m\u{fc}ll::weg"), "m\u{fc}ll::weg");
        assert_eq!(of_method("app", "app::Client", "get"), "Client::get");
        assert_eq!(
            of_method("app::m", "app::m::Client", "get"),
            "m::Client::get"
        );
    }

    #[test]
    fn long_default_names_stay_distinct() {
        let long = |module: &str| format!("app::{module}::{}::fetch", "m\u{fc}ll".repeat(60));
        let (one, two) = (of_function(&long("one")), of_function(&long("two")));
        assert!(
            one.starts_with("fetch#") && two.starts_with("fetch#"),
            "{one} {two}"
        );
        assert_ne!(one, two);
        assert_eq!(one, of_function(&long("one")));

        let single = of_function(&format!("app::{}", "\u{fc}".repeat(300)));
        assert!((255..=256).contains(&single.len()), "{single}");
        let longest = format!("app::{}", "f".repeat(256));
        assert_eq!(of_function(&longest).len(), 256);
        assert!(!of_function(&longest).contains('#'));

        let segments = of_function(&format!("app::{}::fetch", ["module"; 60].join("::")));
        assert!((200..=256).contains(&segments.len()), "{segments}");
        assert!(segments.contains("module::fetch#"), "{segments}");
    }
}
