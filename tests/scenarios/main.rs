//! Scenarios that a circuit breaker must handle, with a manual clock.
//!
//! The prefix of a test name tells the origin of its scenario: R for resilience4j, P for Polly, G for
//! gobreaker, X for failsafe-go, C and N for other sources, and E for breakerbox itself.

mod support;

mod cancellation;
mod classification;
mod closed;
mod commands;
mod futures;
mod half_open;
mod lease_expiry;
mod listeners;
mod ramp_up;
mod recovery;
mod registry;
mod settings;
mod trials;
mod trip_for;
mod windows;
