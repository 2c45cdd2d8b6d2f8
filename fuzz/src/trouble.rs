//! Panics on purpose, and errors that make them.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What those panic with who do so on purpose.
struct OnPurpose;

/// Panics without the hook, which would end the run.
pub(crate) fn blow() -> ! {
    resume_unwind(Box::new(OnPurpose))
}

/// What `code` gives; `None` if it panicked on purpose.
pub(crate) fn survive<T>(code: impl FnOnce() -> T) -> Option<T> {
    let unexpected = |payload: Box<dyn Any + Send>| {
        if !payload.is::<OnPurpose>() {
            resume_unwind(payload);
        }
    };
    catch_unwind(AssertUnwindSafe(code))
        .map_err(unexpected)
        .ok()
}

#[derive(Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    pub(crate) text: Text,
}

/// What the rules of the breaker say to an error.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Fatal,
    Ignored,
    Unexpected,
    /// The predicate of the ignored errors panics.
    BreaksIgnored,
    /// The predicate of the expected errors panics.
    BreaksExpected,
}

#[derive(Clone, Copy)]
pub(crate) enum Text {
    Number(u8),
    Long,
    Breaks,
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text {
            Text::Number(number) => write!(f, "trouble {number}"),
            // Two bytes each, so that a cut may come between them.
            Text::Long => (0..100).try_for_each(|_| f.write_str("aé")),
            Text::Breaks => {
                f.write_str("half a text")?;
                blow()
            }
        }
    }
}

impl Trouble {
    pub(crate) fn is_ignored(self) -> bool {
        if self.kind == Kind::BreaksIgnored {
            blow();
        }
        self.kind == Kind::Ignored
    }

    pub(crate) fn is_expected(self) -> bool {
        if self.kind == Kind::BreaksExpected {
            blow();
        }
        self.kind == Kind::Fatal
    }
}
