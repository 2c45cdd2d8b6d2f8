//! Methods.

extern crate alloc;

use crate::error::{LintError, reject_zero};
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
    /// Borrows the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit(registry = self.registry)]
    #[inline]
    pub async fn by_ref(&self) -> Result<&T, LintError> {
        return ready(Ok(&self.value)).await;
    }

    /// Changes the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit(name = format!("lints::{more}"), fallback = Self::calls)]
    #[inline]
    pub fn by_mut(&mut self, more: u64) -> Result<u64, LintError> {
        self.calls = self.calls.saturating_add(more);
        return Ok(self.calls);
    }

    /// The fallback of `by_mut`.
    const fn calls(&mut self, _more: u64) -> Result<u64, LintError> {
        return Ok(self.calls);
    }

    /// Consumes the client.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    pub async fn by_value(self) -> Result<T, LintError> {
        return ready(Ok(self.value)).await;
    }

    /// Consumes a reference.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    pub fn by_arc(self: Arc<Self>) -> Result<T, LintError> {
        return Ok(self.value.clone());
    }

    /// Has no receiver.
    ///
    /// # Errors
    ///
    /// If `calls` is zero.
    #[circuit(name = "lints::new")]
    #[inline]
    pub fn new(calls: u64, value: T) -> Result<Self, LintError> {
        return Ok(Self { calls: reject_zero(calls)?, registry: BreakerRegistry::new(), value });
    }
}

/// A trait with guarded methods.
pub trait Api {
    /// Has no body.
    fn required(&self) -> impl Future<Output = Result<u64, LintError>> + Send;

    /// Has a body.
    ///
    /// # Errors
    ///
    /// If the circuit refuses the call.
    #[circuit]
    #[inline]
    fn provided(&self) -> Result<u64, LintError> {
        return Ok(1);
    }
}

impl<T: Sync> Api for Client<T> {
    #[circuit]
    #[inline]
    async fn required(&self) -> Result<u64, LintError> {
        return ready(reject_zero(self.calls)).await;
    }

    #[circuit(name = "lints::provided")]
    #[inline]
    fn provided(&self) -> Result<u64, LintError> {
        return reject_zero(self.calls);
    }
}
