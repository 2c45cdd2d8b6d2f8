//! Tests of the panel as a service, over requests and answers.

mod commands;
#[cfg(feature = "fleet")]
mod fleet;
mod golden;
mod hostile;
mod lifetime;
mod memory;
mod mounted;
mod rows;
mod safety;
#[cfg(feature = "serve")]
mod served;
mod streams;
mod support;
