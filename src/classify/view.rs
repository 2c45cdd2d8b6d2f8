//! What classification sees of an error: its type, and the chain of its sources.

use super::ErrorRule;
use super::wrapped::unwrap;
use crate::error::{BreakerError, CircuitOpen, chain, leaf_name, link_as, own_error};
use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// An error as classification sees it.
///
/// A guard knows no more of an error than `E: Debug + 'static`. A chain of sources is therefore
/// walked only from a type that is known: a carrier such as `Box<dyn Error>` or `io::Error`, or a type
/// that a rule names. Refusals and timeouts of an inner breaker are seen in a `BreakerError<X>` of
/// unknown `X` as well.
pub(crate) struct View<'a> {
    value: &'a dyn Any,
    /// The name of the type inside the pointers and `BreakerError`s around it, if there are any.
    wrapped: Option<&'static str>,
    /// The first link of the chain.
    root: Option<&'a (dyn Error + 'static)>,
    own: Option<BreakerError>,
}

impl<'a> View<'a> {
    #[inline]
    pub(crate) fn of<E: Debug + 'static>(error: &'a E) -> Self {
        let leaf = leaf_name::<E>();
        let mut view = Self {
            value: error,
            wrapped: (leaf.len() < type_name::<E>().len()).then_some(leaf),
            root: None,
            own: own_error(error),
        };
        view.root = view.carried();
        view
    }

    /// Lets the chain begin at a type that one of `rules` names.
    #[inline]
    pub(super) fn known_by(mut self, rules: &[ErrorRule]) -> Self {
        if self.root.is_none() {
            self.root = rules.iter().find_map(|rule| rule.error_in(&self));
        }
        self
    }

    /// Whether it is the refusal of an inner breaker, which called nothing.
    pub(crate) fn is_refusal(&self) -> bool {
        self.find_link::<CircuitOpen>().is_some()
    }

    /// The outermost error of type `T`.
    pub(super) fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.typed().or_else(|| self.find_link())
    }

    fn find_link<T: Error + 'static>(&self) -> Option<&T> {
        let own = self.own.as_ref().map(|own| own as &(dyn Error + 'static));
        let mut links = self.root.into_iter().chain(own).flat_map(chain);
        links.find_map(link_as)
    }

    /// The error as a `T`, if its type is that of a `T` or of a [wrapped](unwrap) one.
    pub(super) fn typed<T: 'static>(&self) -> Option<&'a T> {
        self.value.downcast_ref().or_else(|| {
            let may_be = self.wrapped?.starts_with(leaf_name::<T>());
            may_be.then(|| unwrap(self.value))?
        })
    }

    /// The error that a carrier holds.
    fn carried(&self) -> Option<&'a (dyn Error + 'static)> {
        fn erase<'a, E: Error + 'static>(error: &'a E) -> &'a (dyn Error + 'static) {
            error
        }
        macro_rules! first_of {
            ($($Carrier:ty => $erase:expr),* $(,)?) => {$(
                if let Some(carrier) = self.typed::<$Carrier>() {
                    let erase: fn(&'a $Carrier) -> &'a (dyn Error + 'static) = $erase;
                    return Some(erase(carrier));
                }
            )*};
        }
        first_of! {
            Box<dyn Error + Send + Sync> => |error| &**error,
            Box<dyn Error + Send> => |error| &**error,
            Box<dyn Error> => |error| &**error,
            Arc<dyn Error + Send + Sync> => |error| &**error,
            Arc<dyn Error + Send> => |error| &**error,
            Arc<dyn Error> => |error| &**error,
            Rc<dyn Error> => |error| &**error,
            io::Error => erase,
        }
        #[cfg(feature = "anyhow")]
        first_of! { anyhow::Error => |error| &**error }
        None
    }
}
