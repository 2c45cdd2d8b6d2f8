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
#[derive(Clone, Debug, PartialEq)]
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
