use super::views::chain_within;
use crate::contain::Contained;
use std::any::{Any, type_name};
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A rule about errors of one type.
#[derive(Clone)]
pub(crate) struct ErrorRule {
    type_name: &'static str,
    examine: Arc<Examine>,
}

type Examine = dyn Fn(&dyn Any) -> Knows + Send + Sync;

/// What a rule knows of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    /// It is of another type.
    Nothing,
    /// It is of the rule's type, but the rule's predicate says no.
    Type,
    /// The rule applies.
    Matches,
}

impl Knows {
    fn when(matches: bool) -> Self {
        if matches { Self::Matches } else { Self::Type }
    }
}

impl ErrorRule {
    /// Errors of type `E` for which `predicate` holds, also inside boxed errors.
    pub(crate) fn error<E: Error + 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            examine: Arc::new(move |error| {
                if let Some(error) = error.downcast_ref() {
                    return Knows::when(predicate(error));
                }
                chain_within(error)
                    .find_map(|link| link.downcast_ref())
                    .map_or(Knows::Nothing, |error| Knows::when(predicate(error)))
            }),
        }
    }

    /// Errors of any type `E`, also one that does not implement [`Error`] and so cannot be boxed as
    /// one.
    pub(crate) fn value<E: 'static>(
        predicate: impl Fn(&E) -> bool + Send + Sync + 'static,
    ) -> Self {
        let predicate = Contained::new(predicate);
        Self {
            type_name: type_name::<E>(),
            examine: Arc::new(move |error| {
                error
                    .downcast_ref()
                    .map_or(Knows::Nothing, |error| Knows::when(predicate(error)))
            }),
        }
    }

    /// Whether it is the very same rule.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.examine, &other.examine)
    }

    pub(crate) fn examine(&self, error: &dyn Any) -> Knows {
        (self.examine)(error)
    }
}

impl fmt::Debug for ErrorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErrorRule").field(&self.type_name).finish()
    }
}
