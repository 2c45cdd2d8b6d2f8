use super::ErrorView;
use crate::panic::Contained;
use std::any::{TypeId, type_name};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A rule about errors of one type.
#[derive(Clone)]
pub(crate) struct ErrorRule {
    type_name: &'static str,
    matches: Arc<Matches>,
    error_in: ErrorIn,
    /// The type of a predicate without captures. Two predicates of one such type are the same
    /// function.
    function: Option<TypeId>,
}

type Matches = dyn Fn(&ErrorView<'_>) -> RuleMatch + Send + Sync;
type ErrorIn = for<'a> fn(&ErrorView<'a>) -> Option<&'a (dyn Error + 'static)>;

/// The result of applying a rule to an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleMatch {
    /// The error is of another type.
    OtherType,
    /// The error is of the rule's type, but the rule's predicate returned `false`.
    NoMatch,
    /// The error is of the rule's type, and the rule's predicate returned `true`.
    Match,
}

impl RuleMatch {
    fn of<E>(error: Option<&E>, predicate: impl Fn(&E) -> bool) -> Self {
        match error.map(predicate) {
            None => Self::OtherType,
            Some(false) => Self::NoMatch,
            Some(true) => Self::Match,
        }
    }
}

impl ErrorRule {
    /// Creates a rule for errors of type `E`, and for errors with such a source. The rule matches
    /// if `predicate` returns `true`.
    pub(crate) fn error<E: Error + 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let function = Self::function(&predicate);
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            function,
            matches: Arc::new(move |error| RuleMatch::of(error.find(), &*predicate)),
            error_in: |error| error.downcast::<E>().map(|error| error as _),
        }
    }

    /// Creates a rule for values of type `E`, which need not implement [`Error`]. Sources are not
    /// searched.
    pub(crate) fn value<E: 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            function: None,
            matches: Arc::new(move |error| RuleMatch::of(error.downcast(), &*predicate)),
            error_in: |_| None,
        }
    }

    fn function<P: 'static>(_predicate: &P) -> Option<TypeId> {
        (size_of::<P>() == 0).then(TypeId::of::<P>)
    }

    /// Returns the name of the rule's error type.
    pub(crate) fn type_name(&self) -> &'static str {
        self.type_name
    }

    pub(crate) fn matches(&self, error: &ErrorView<'_>) -> RuleMatch {
        (self.matches)(error)
    }

    /// Returns `error` as the rule's error type, to start a chain of sources.
    pub(super) fn error_in<'a>(&self, error: &ErrorView<'a>) -> Option<&'a (dyn Error + 'static)> {
        (self.error_in)(error)
    }
}

/// Compares clones of one rule, and rules with the same predicate without captures, as equal.
impl PartialEq for ErrorRule {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.matches, &other.matches)
            || self.function.is_some() && self.function == other.function
    }
}

impl fmt::Debug for ErrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErrorRule").field(&self.type_name).finish()
    }
}
