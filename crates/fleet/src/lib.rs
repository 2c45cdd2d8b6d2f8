//! Circuits of [breakerbox] that are shared between the instances of a service.
//!
//! * [`protocol`]: records, operations and messages; pure
//! * [`store`]: where a fleet keeps its records, and the store in memory

pub mod protocol;
pub mod store;
