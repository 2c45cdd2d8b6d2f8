//! [`Redaction`]: how the text of an error is rewritten before it is kept.

use crate::panic::{Contained, catch};
use crate::text::TruncatedString;
use std::fmt;
use std::sync::Arc;

/// Rewrites the text of the last failure.
#[derive(Clone)]
pub(crate) struct Redaction(Arc<Redact>);

type Redact = dyn Fn(&str) -> String + Send + Sync;

impl Redaction {
    pub(crate) fn new(redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let redact = Contained::new(redact);
        Self(Arc::new(move |text: &str| redact(text)))
    }

    /// Replaces `text`. User code: never called under a lock.
    pub(super) fn rewrite(&self, text: &mut TruncatedString) {
        let redacted = catch(|| (self.0)(text.as_str()));
        *text = TruncatedString::empty();
        match redacted {
            Ok(redacted) => text.push(redacted),
            Err(_) => text.push("(its redaction panicked)"),
        }
    }
}

/// Whether both are clones of one redaction.
impl PartialEq for Redaction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction")
    }
}
