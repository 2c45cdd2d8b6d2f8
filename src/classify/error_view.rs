//! [`ErrorView`]: the type of an error and the chain of its sources, as classification sees them.

use super::wrapped::downcast_wrapped;
use crate::error::{
    AllOpen, BreakerError, CallTimeout, CircuitOpen, chain, circuit_error, inner_type_name,
    is_refusal, link_as,
};
use std::any::{Any, type_name};
use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

/// An error whose only known bounds are `E: Debug + 'static`.
///
/// A chain of sources is walked only from a known type: a carrier such as `Box<dyn Error>` or
/// `io::Error`, or a type that a rule names. Refusals and timeouts of an inner breaker are also
/// found in a `BreakerError<X>` whose `X` is unknown.
pub(crate) struct ErrorView<'a> {
    value: &'a dyn Any,
    /// The [`inner_type_name`] of the error.
    inner_type_name: Option<&'static str>,
    /// The first error of the chain.
    chain_start: Option<&'a (dyn Error + 'static)>,
    /// The error, if it is a refusal or a timeout.
    circuit_error: Option<BreakerError>,
}

impl<'a> ErrorView<'a> {
    #[inline]
    pub(crate) fn of<E: Debug + 'static>(error: &'a E) -> Self {
        let inner_type_name = inner_type_name::<E>();
        let mut view = Self {
            value: error,
            inner_type_name,
            chain_start: None,
            circuit_error: inner_type_name.and_then(|_| circuit_error(error)),
        };
        view.chain_start = view.carried_error();
        view
    }

    /// Starts the chain at the error that `find` returns, unless the chain has a start.
    #[inline]
    pub(super) fn begin_chain(
        &mut self,
        find: impl FnOnce(&Self) -> Option<&'a (dyn Error + 'static)>,
    ) {
        if self.chain_start.is_none() {
            self.chain_start = find(self);
        }
    }

    /// Returns `true` if the error is a refusal of an inner breaker, which ran no guarded code.
    #[inline]
    pub(crate) fn is_refusal(&self) -> bool {
        let circuit_error = self.circuit_error.as_ref();
        circuit_error.is_some_and(BreakerError::is_open) || self.chain_start.is_some_and(is_refusal)
    }

    /// Returns the outermost error of type `T`.
    pub(super) fn find<T: Error + 'static>(&self) -> Option<&T> {
        self.downcast().or_else(|| self.find_in_chain())
    }

    #[inline(never)]
    fn find_in_chain<T: Error + 'static>(&self) -> Option<&T> {
        let find = |error| chain(error).find_map(link_as);
        let find_circuit_error = || find(self.circuit_error.as_ref()?);
        self.chain_start.and_then(find).or_else(find_circuit_error)
    }

    /// Returns the error as a `T`, if it is a `T` or a [wrapped](downcast_wrapped) `T`.
    #[inline]
    pub(super) fn downcast<T: 'static>(&self) -> Option<&'a T> {
        let wrapped = || self.downcast_inner(self.inner_type_name?);
        self.value.downcast_ref().or_else(wrapped)
    }

    #[cold]
    fn downcast_inner<T: 'static>(&self, inner: &str) -> Option<&'a T> {
        let name = inner_type_name::<T>().unwrap_or(type_name::<T>());
        // Skips downcasts that cannot succeed. A name is no proof, but `downcast_wrapped` compares
        // type IDs. `inner` ends with one `>` for each wrapper, so only its start is compared.
        inner
            .starts_with(name)
            .then(|| downcast_wrapped(self.value))?
    }

    /// Returns the error itself if its type belongs to this crate, or the error inside a carrier.
    #[inline]
    fn carried_error(&self) -> Option<&'a (dyn Error + 'static)> {
        macro_rules! first_of {
            ($($Carrier:ty => $error:expr),* $(,)?) => {$(
                if let Some(carrier) = self.downcast::<$Carrier>() {
                    let error: fn(&'a $Carrier) -> &'a (dyn Error + 'static) = $error;
                    return Some(error(carrier));
                }
            )*};
        }
        first_of! {
            CircuitOpen => |error| error,
            AllOpen => |error| error,
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
