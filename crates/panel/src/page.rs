//! The page, and what a browser may do with it.

/// The page: markup, style and script in one file.
pub(crate) const PAGE: &str = include_str!("../page/panel.html");

/// The hash of the script in the page.
const SCRIPT: &str = "sha256-6mN6sIb1bzUQ48esiJ+xrEGS+WLTTTST0caH094Ccs0=";
/// The hash of the style in the page.
const STYLE: &str = "sha256-2T2pU4+/tYeaqVLXmbBfjYp3au2I2j5fEw2Qmn8I5P8=";

/// Returns the policy for the page. `ancestors` are the origins that may show it in a frame.
pub(crate) fn policy(ancestors: &[String]) -> String {
    let ancestors = match ancestors {
        [] => "'none'".to_owned(),
        origins => origins.join(" "),
    };
    format!(
        "default-src 'none'; script-src '{SCRIPT}'; style-src '{STYLE}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
    )
}

/// The policy for everything else.
pub(crate) const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Returns the entity tag of the page. The policy belongs to it: a browser that has the page must
/// not combine it with another policy.
pub(crate) fn entity_tag(policy: &str) -> String {
    // FNV-1a: the tag tells versions apart, and protects against nothing.
    let bytes = PAGE.bytes().chain(policy.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use sha2::{Digest, Sha256};

    /// Returns the contents of the only element `tag`.
    fn only(tag: &str) -> &'static str {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let (_, rest) = PAGE.split_once(&open).expect("an element");
        let (contents, rest) = rest.split_once(&close).expect("its end");
        assert!(!rest.contains(&open), "two elements {tag}");
        contents
    }

    fn hash(text: &str) -> String {
        let engine = base64::engine::general_purpose::STANDARD;
        format!("sha256-{}", engine.encode(Sha256::digest(text)))
    }

    #[test]
    fn policy_contains_hashes_of_page() {
        assert_eq!(SCRIPT, hash(only("script")));
        assert_eq!(STYLE, hash(only("style")));
    }

    #[test]
    fn page_has_no_carriage_returns_and_loads_nothing() {
        assert!(
            !PAGE.contains('\r'),
            "a checkout with CRLF changes the hashes"
        );
        for word in [
            "src=", "http://", "https://", "style=\"", "onclick", "@import", "url(",
        ] {
            let found = PAGE.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(word), "{word}");
        }
        assert!(PAGE.len() < 60 * 1024);
    }

    #[test]
    fn entity_tag_depends_on_policy() {
        let origins = ["https://ops.example.com".to_owned()];
        assert_ne!(entity_tag(&policy(&[])), entity_tag(&policy(&origins)));
    }
}
