use super::View;
use crate::panic::Contained;
use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A rule about errors of one type.
#[derive(Clone)]
pub(crate) struct ErrorRule {
    type_name: &'static str,
    examine: Arc<Examine>,
    error_in: ErrorIn,
}

type Examine = dyn Fn(&View<'_>) -> RuleMatch + Send + Sync;
type ErrorIn = for<'a> fn(&View<'a>) -> Option<&'a (dyn Error + 'static)>;

/// What a rule knows of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleMatch {
    /// It is of another type.
    OtherType,
    /// It is of the rule's type, but the rule's predicate says no.
    NoMatch,
    /// The rule applies.
    Match,
}

impl RuleMatch {
    fn by<E>(error: Option<&E>, predicate: impl Fn(&E) -> bool) -> Self {
        match error.map(predicate) {
            None => Self::OtherType,
            Some(false) => Self::NoMatch,
            Some(true) => Self::Match,
        }
    }
}

impl ErrorRule {
    /// Errors of type `E` for which `predicate` holds, wherever in an error they can be found.
    pub(crate) fn error<E: Error + 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            examine: Arc::new(move |error| RuleMatch::by(error.find(), &*predicate)),
            error_in: |error| error.typed::<E>().map(|error| error as _),
        }
    }

    /// Errors of any type `E`, also one that does not implement [`Error`] and so is no link in a
    /// chain of sources.
    pub(crate) fn value<E: 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            examine: Arc::new(move |error| RuleMatch::by(error.typed(), &*predicate)),
            error_in: |_| None,
        }
    }

    /// Whether it is the very same rule.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.examine, &other.examine)
    }

    pub(crate) fn examine(&self, error: &View<'_>) -> RuleMatch {
        (self.examine)(error)
    }

    /// The error whose type this rule names, as the first link of a chain.
    pub(super) fn error_in<'a>(&self, error: &View<'a>) -> Option<&'a (dyn Error + 'static)> {
        (self.error_in)(error)
    }
}

impl fmt::Debug for ErrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErrorRule").field(&self.type_name).finish()
    }
}
