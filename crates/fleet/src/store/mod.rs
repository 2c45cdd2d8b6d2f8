//! Where a fleet keeps its records: the traits of a store, and the store in memory.
//!
//! A [`FleetStore`] opens connections. A connection is a [`Link`]: a [`Line`] for operations, and
//! [`News`] of changes by other nodes. [`Memory`] is the store of one process, for tests and for several
//! registries of one program.

mod error;
mod hello;
mod memory;
mod news;
mod table;
mod traits;

pub use error::StoreError;
pub use hello::Hello;
pub use memory::Memory;
pub use news::{Item, News, NewsSender, news};
pub use table::Table;
pub use traits::{Commanded, FleetStore, Line, Link, Pulled, Submitted};
