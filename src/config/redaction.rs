//! [`Redaction`]: rewrites the text of an error before it is stored.

use crate::panic::{Contained, catch};
use crate::text::TruncatedString;
use std::fmt;
use std::sync::Arc;

/// A closure that rewrites the text of the last failure.
#[derive(Clone)]
pub(crate) struct Redaction(Arc<Redact>);

type Redact = dyn Fn(&str) -> String + Send + Sync;

impl Redaction {
    pub(crate) fn new(redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let redact = Contained::new(redact);
        Self(Arc::new(move |text: &str| redact(text)))
    }

    /// Replaces `text` by its redacted form.
    ///
    /// Runs user code, so no lock may be held during the call.
    pub(super) fn rewrite(&self, text: &mut TruncatedString) {
        let redacted = catch(|| (self.0)(text.as_str()));
        *text = TruncatedString::empty();
        match redacted {
            Ok(redacted) => text.push(redacted),
            Err(_) => text.push("(redaction panicked)"),
        }
    }
}

/// Clones of one redaction are equal. Closures cannot be compared otherwise.
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
