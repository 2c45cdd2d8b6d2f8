//! [`Overruled`]: a setting from code that a document overrides.

use std::fmt;
use std::sync::Arc;

/// A setting from code that a document entry overrides for the same default, prefix or name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overruled {
    pub(super) path: Arc<str>,
    pub(super) setting: &'static str,
    pub(super) code: String,
    pub(super) document: String,
}

impl Overruled {
    /// Returns the path of the document entry, such as `breakers.users`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the key of the setting.
    pub fn setting(&self) -> &str {
        self.setting
    }

    /// Returns the value from code. For trip rules, returns those that the document removes.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Returns the value from the document. For trip rules, returns those that the document adds.
    pub fn document(&self) -> &str {
        &self.document
    }
}

impl fmt::Display for Overruled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            setting,
            code,
            document,
        } = self;
        write!(
            f,
            "{path} overrides {setting} from code: {code} -> {document}"
        )
    }
}
