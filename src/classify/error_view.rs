//! What classification sees of an error: its type, and the chain of its sources.

use super::wrapped::unwrap;
use crate::error::{
    BreakerError, CallTimeout, CircuitOpen, chain, is_refusal, link_as, name_inside, own_error,
};
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
    /// The name of the type inside the pointers and `BreakerError`s that the error consists of, if it
    /// does.
    inside: Option<&'static str>,
    /// The first link of the chain.
    root: Option<&'a (dyn Error + 'static)>,
    /// The refusal or the timeout that the error is.
    own: Option<BreakerError>,
}

impl<'a> View<'a> {
    // Inlined, so that for most types nothing is left of it.
    #[inline]
    pub(crate) fn of<E: Debug + 'static>(error: &'a E) -> Self {
        let inside = name_inside::<E>();
        let mut view = Self {
            value: error,
            inside,
            root: None,
            own: inside.and_then(|_| own_error(error)),
        };
        view.root = view.carried();
        view
    }

    /// Lets the chain begin at an error that is found in the view, unless it begins already.
    #[inline]
    pub(super) fn begin_chain(
        &mut self,
        find: impl FnOnce(&Self) -> Option<&'a (dyn Error + 'static)>,
    ) {
        if self.root.is_none() {
            self.root = find(self);
        }
    }

    /// Whether it is the refusal of an inner breaker, which called nothing.
    #[inline]
    pub(crate) fn is_refusal(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(BreakerError::is_open) || self.root.is_some_and(is_refusal)
    }

    /// The outermost error of type `T`.
    pub(super) fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.typed().or_else(|| self.find_link())
    }

    #[inline(never)]
    fn find_link<T: Error + 'static>(&self) -> Option<&T> {
        let find = |error| chain(error).find_map(link_as);
        let own = || find(self.own.as_ref()?);
        self.root.and_then(find).or_else(own)
    }

    /// The error as a `T`, if its type is that of a `T` or of a [wrapped](unwrap) one.
    #[inline]
    pub(super) fn typed<T: 'static>(&self) -> Option<&'a T> {
        let wrapped = || self.wrapped(self.inside?);
        self.value.downcast_ref().or_else(wrapped)
    }

    #[cold]
    fn wrapped<T: 'static>(&self, inside: &str) -> Option<&'a T> {
        let name = name_inside::<T>().unwrap_or(type_name::<T>());
        inside.starts_with(name).then(|| unwrap(self.value))?
    }

    /// The error itself, if its type is one that this crate knows, or the error that a carrier holds.
    #[inline]
    fn carried(&self) -> Option<&'a (dyn Error + 'static)> {
        macro_rules! first_of {
            ($($Carrier:ty => $error:expr),* $(,)?) => {$(
                if let Some(carrier) = self.typed::<$Carrier>() {
                    let error: fn(&'a $Carrier) -> &'a (dyn Error + 'static) = $error;
                    return Some(error(carrier));
                }
            )*};
        }
        first_of! {
            CircuitOpen => |error| error,
            CallTimeout => |error| error,
            BreakerError => |error| error,
            io::Error => |error| error,
            Box<dyn Error + Send + Sync> => |error| &**error,
            Box<dyn Error + Send> => |error| &**error,
            Box<dyn Error> => |error| &**error,
            Arc<dyn Error + Send + Sync> => |error| &**error,
            Arc<dyn Error + Send> => |error| &**error,
            Arc<dyn Error> => |error| &**error,
            Rc<dyn Error> => |error| &**error,
        }
        #[cfg(feature = "anyhow")]
        first_of! { anyhow::Error => |error| &**error }
        None
    }
}
