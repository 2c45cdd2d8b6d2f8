//! [`first_ready`]: the first of several breakers that admits a call.

use crate::call::{self, Call};
use crate::error::AllOpen;
use crate::handle::{ByName, Handle};
use crate::permit::Permit;
use crate::registry::BreakerRegistry;

/// Acquires a permit from the first of several breakers that admits a call.
///
/// The breakers are asked in order, until one of them admits the call. The result is its position, which
/// starts at zero, and its permit. Pass the breaker of the preferred dependency first.
///
/// Nothing is counted at the other breakers: no refusal is recorded, no event is sent, and no trial slot is
/// taken. A half-open circuit is passed over if its trials are taken, and a circuit that
/// [ramps up](crate::BreakerBuilder::ramp_up) admits its share of the calls. Breakers after the one that
/// admits the call are not asked.
///
/// The iterator yields `&CircuitBreaker` or `CircuitBreaker`. To choose again after the call has failed, pass
/// the breakers that were not asked: `first_ready(&breakers[index + 1..])`.
///
/// The choice itself makes no call and waits for nothing. The guide's page
/// [several providers](https://docs.rs/breakerbox/latest/breakerbox/guide/several_providers/index.html)
/// shows loops around it.
///
/// # Errors
///
/// Returns [`AllOpen`] if every breaker refuses the call, or if there is none. Nothing is counted then.
///
/// # Panics
///
/// Panics only if the iterator does.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, first_ready};
///
/// let eu = CircuitBreaker::builder().name("eu").build()?;
/// let us = CircuitBreaker::builder().name("us").build()?;
/// eu.trip();
///
/// let (index, permit) = first_ready([&eu, &us])?;
/// assert_eq!(index, 1);
/// assert_eq!(permit.call(|| "7".parse::<u8>())?, 7);
/// assert_eq!(eu.snapshot().totals.refused, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn first_ready<H: Handle>(
    breakers: impl IntoIterator<Item = H>,
) -> Result<(usize, Permit), AllOpen> {
    let mut breakers = breakers.into_iter();
    let mut refusals = Vec::new();
    while let Some(handle) = breakers.next() {
        let breaker = handle.breaker();
        match call::admit_uncounted(breaker) {
            Ok(token) => {
                let call = Call::admitted(breaker.clone(), token);
                let chosen = (refusals.len(), Permit { call });
                // Before the permit becomes the return value: if the drop of the iterator panics, a local
                // permit is dropped and frees its slot, but a return value would be leaked.
                drop(breakers);
                return Ok(chosen);
            }
            Err(open) => refusals.push(open),
        }
    }
    Err(AllOpen::new(refusals))
}

impl BreakerRegistry {
    /// Acquires a permit from the first of several breakers, by name, that admits a call.
    ///
    /// Each breaker is looked up when its turn comes, and a missing breaker is created from the matching
    /// preset, as [`with_breaker`](crate::BreakerExt::with_breaker) does. Names after the one whose breaker
    /// admits the call are not looked up. See [`first_ready`] for everything else.
    ///
    /// # Errors
    ///
    /// Returns [`AllOpen`] if every breaker refuses the call, or if there is no name. Nothing is counted
    /// then.
    ///
    /// # Panics
    ///
    /// Panics only if the iterator does.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    ///
    /// let registry = BreakerRegistry::new();
    /// registry.breaker("llm:eu").force_open();
    /// let (index, permit) = registry.first_ready(["llm:eu", "llm:us", "llm:asia"])?;
    /// assert_eq!(index, 1);
    /// permit.success();
    /// assert!(registry.get("llm:asia").is_none());
    /// # Ok::<(), breakerbox::AllOpen>(())
    /// ```
    pub fn first_ready<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<(usize, Permit), AllOpen> {
        let handles = names.into_iter();
        first_ready(handles.map(|name| ByName::new(self, name.as_ref())))
    }
}
