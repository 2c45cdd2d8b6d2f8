//! Methods.

extern crate alloc;

use crate::failure::{CallError, reject_zero};
use alloc::sync::Arc;
use breakerbox::{BreakerRegistry, circuit};
use core::future::ready;

/// A client with guarded methods.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Client<T> {
    /// The number of calls.
    pub calls: u64,
    /// The registry of the breakers.
    pub registry: BreakerRegistry,
    /// Any value.
    pub value: T,
}

impl<T: Clone> Client<T> {
    /// Consumes a reference.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    pub fn by_arc(self: Arc<Self>) -> Result<T, CallError> {
        return Ok(self.value.clone());
    }

    /// Changes the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit(name = format!("lints::{more}"), fallback = Self::without_change)]
    #[inline]
    pub fn by_mut(&mut self, more: u64) -> Result<u64, CallError> {
        self.calls = self.calls.saturating_add(more);
        return Ok(self.calls);
    }

    /// Borrows the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit(registry = self.registry)]
    #[inline]
    pub async fn by_ref(&self) -> Result<&T, CallError>
    where
        T: Sync,
    {
        return ready(Ok(&self.value)).await;
    }

    /// Consumes the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    pub async fn by_value(self) -> Result<T, CallError>
    where
        T: Send,
    {
        return ready(Ok(self.value)).await;
    }

    /// Has no receiver.
    ///
    /// # Errors
    ///
    /// If `calls` is zero.
    #[circuit(name = "lints::new")]
    #[inline]
    pub fn new(calls: u64, value: T) -> Result<Self, CallError> {
        return reject_zero(calls).map(|checked| {
            return Self {
                calls: checked,
                registry: BreakerRegistry::new(),
                value,
            };
        });
    }

    /// The fallback of `by_mut`.
    fn without_change(&mut self, more: u64) -> Result<u64, CallError> {
        self.calls = self.calls.max(more);
        return reject_zero(self.calls);
    }
}

/// A trait with guarded methods.
pub trait Api {
    /// Has a body.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    fn provided(&self) -> Result<u64, CallError> {
        return Ok(1);
    }

    /// Has no body.
    fn required(&self) -> impl Future<Output = Result<u64, CallError>> + Send;
}

impl<T: Sync> Api for Client<T> {
    #[circuit(name = "lints::provided")]
    #[inline]
    fn provided(&self) -> Result<u64, CallError> {
        return reject_zero(self.calls);
    }

    #[circuit]
    #[inline]
    async fn required(&self) -> Result<u64, CallError> {
        return ready(reject_zero(self.calls)).await;
    }
}
