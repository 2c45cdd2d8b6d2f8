//! When a closed circuit opens: rules as plain data, and the windows they look at.

mod rule;
mod window;

pub use rule::TripRule;
pub(crate) use rule::Kind;
pub use window::Window;
pub(crate) use window::Span;
