//! The remote commands.
#![allow(missing_docs)]

mod commands;
mod failures;
mod support;
