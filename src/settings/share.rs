//! The key `fleet`: a [`Share`] as text. Without the feature `fleet`, an error.

#[cfg(feature = "fleet")]
use super::closest;
use super::words::Word;
use crate::config::PartialSettings;
use std::fmt;

#[cfg(feature = "fleet")]
pub(super) use crate::share::Share;

/// No value: a document cannot share circuits without the feature.
#[cfg(not(feature = "fleet"))]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Share {}

#[cfg(feature = "fleet")]
pub(super) fn set(settings: &mut PartialSettings, share: Share) {
    settings.fleet = Some(share);
}

#[cfg(feature = "fleet")]
pub(super) fn get(settings: &PartialSettings) -> Option<Share> {
    settings.fleet
}

#[cfg(not(feature = "fleet"))]
pub(super) fn set(_: &mut PartialSettings, share: Share) {
    match share {}
}

#[cfg(not(feature = "fleet"))]
pub(super) fn get(_: &PartialSettings) -> Option<Share> {
    None
}

/// Written as `quorum:2`.
#[cfg(feature = "fleet")]
impl Word for Share {
    const EXPECTED: &'static str = Self::ALLOWED;

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }

    fn hint(text: &str) -> Option<&'static str> {
        let words = ["quorum", "always", "evidence", "observe", "local"];
        let word = text.split_once(':').map_or(text, |(word, _)| word);
        closest(word, words)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(not(feature = "fleet"))]
impl Word for Share {
    const EXPECTED: &'static str =
        "omitted, because breakerbox was compiled without its feature `fleet`";

    fn parse(_: &str) -> Option<Self> {
        None
    }

    fn write(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::strict::Strict;
    use crate::settings::words::Text;
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    fn read(text: &str) -> Result<Share, String> {
        let from: StrDeserializer<'_, Error> = text.into_deserializer();
        let read = Text::deserialize(Strict::new(from));
        read.map(|Text(share)| share)
            .map_err(|error| error.to_string())
    }

    #[test]
    #[cfg(feature = "fleet")]
    fn share_is_read_with_feature() {
        assert_eq!(read("quorum:3"), Ok(Share::quorum(3)));
        for (text, hint) in [
            ("allways", " (did you mean always?)"),
            ("evidense:3", " (did you mean evidence?)"),
            ("everything", ""),
        ] {
            let allowed = Share::ALLOWED;
            let expected = format!("the value is {text:?}, but must be {allowed}{hint}");
            assert_eq!(read(text), Err(expected));
        }
    }

    #[test]
    #[cfg(not(feature = "fleet"))]
    fn error_names_missing_feature() {
        let expected = "the value is \"always\", but must be omitted, because breakerbox was \
                        compiled without its feature `fleet`";
        assert_eq!(read("always"), Err(expected.to_owned()));
    }
}
