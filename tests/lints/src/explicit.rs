//! Functions whose bodies end in `return`.
#![forbid(
    clippy::implicit_return,
    reason = "the expansion must satisfy this lint"
)]
#![expect(
    clippy::needless_return,
    reason = "contradicts `clippy::implicit_return`"
)]

pub mod asynchronous;
pub mod closures;
pub mod futures;
pub mod methods;
pub mod parameters;
pub mod settings;
pub mod sync;
