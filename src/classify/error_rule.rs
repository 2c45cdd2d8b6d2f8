use super::ErrorView;
use crate::panic::Contained;
use std::any::{TypeId, type_name};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A rule about errors of one type, whose predicate answers with an `A`.
#[derive(Clone)]
pub(crate) struct ErrorRule<A = bool> {
    type_name: &'static str,
    apply: Arc<Apply<A>>,
    error_in: ErrorIn,
    /// The type of a predicate without captures. Two predicates of one such type are the same
    /// function.
    function: Option<TypeId>,
}

type Apply<A> = dyn Fn(&ErrorView<'_>) -> Option<A> + Send + Sync;
type ErrorIn = for<'a> fn(&ErrorView<'a>) -> Option<&'a (dyn Error + 'static)>;

impl<A> ErrorRule<A> {
    /// Creates a rule for errors of type `E`, and for errors with such a source.
    pub(crate) fn error<E: Error + 'static>(
        predicate: impl Fn(&E) -> A + Send + Sync + 'static,
    ) -> Self {
        let function = Self::function(&predicate);
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            function,
            apply: Arc::new(move |error| error.find().map(&*predicate)),
            error_in: |error| error.downcast::<E>().map(|error| error as _),
        }
    }

    /// Creates a rule for values of type `E`, which need not implement [`Error`]. Sources are not
    /// searched.
    pub(crate) fn value<E: 'static>(predicate: impl Fn(&E) -> A + Send + Sync + 'static) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            function: None,
            apply: Arc::new(move |error| error.downcast().map(&*predicate)),
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

    /// Returns the answer of the predicate, or `None` if the error is of another type.
    pub(super) fn apply(&self, error: &ErrorView<'_>) -> Option<A> {
        (self.apply)(error)
    }

    /// Returns `error` as the rule's error type, to start a chain of sources.
    pub(super) fn error_in<'a>(&self, error: &ErrorView<'a>) -> Option<&'a (dyn Error + 'static)> {
        (self.error_in)(error)
    }
}

/// Compares clones of one rule, and rules with the same predicate without captures, as equal.
impl<A> PartialEq for ErrorRule<A> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.apply, &other.apply)
            || self.function.is_some() && self.function == other.function
    }
}

impl<A> fmt::Debug for ErrorRule<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErrorRule").field(&self.type_name).finish()
    }
}
