//! Guarded streams: when they are admitted, and what they record.

mod support;

mod admission;
mod classification;
mod dropped;
mod endless;
mod idle_timeouts;
mod kinds;
mod outcomes;
mod panics;
mod trials;
