use crate::names::LONGEST;
use std::fmt;

/// Where a value stands: `breakers."users-api".trip_when[0].over`.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        Self::Key(self, key)
    }

    pub(super) fn item(&'a self, at: usize) -> Self {
        Self::Item(self, at)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the value"),
            Self::Key(owner, key) => {
                if !matches!(owner, Self::Root) {
                    write!(f, "{owner}.")?;
                }
                // Longer than any name may be: somebody's mistake, and no text for a log.
                let shown = crate::text::prefix(key, LONGEST);
                let cut = if shown == *key { "" } else { "…" };
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if !key.is_empty() && key.chars().all(plain) {
                    write!(f, "{shown}{cut}")
                } else {
                    write!(f, "{shown:?}{cut}")
                }
            }
            Self::Item(Self::Root, at) => write!(f, "[{at}]"),
            Self::Item(owner, at) => write!(f, "{owner}[{at}]"),
        }
    }
}
