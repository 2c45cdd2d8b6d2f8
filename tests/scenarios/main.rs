//! Behaviour worth having, one test a scenario, named after it: R from resilience4j, P from Polly,
//! G from gobreaker, X from failsafe-go, C and N from elsewhere, E our own. Nothing sleeps.

mod support;

mod cancellation;
mod classified;
mod closed;
mod commands;
mod futures;
mod half_open;
mod hints;
mod lapsed;
mod listeners;
mod recovery;
mod registry;
mod settings;
mod trials;
mod windows;
