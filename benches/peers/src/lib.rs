//! Compiles the examples of the guide that use other crates.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/migrating.md")]
pub struct Migrating;
