//! What the fuzz targets do with their input.
//!
//! * `world`: one breaker, and everything that may happen to it, beside the model of `tests/model`
//! * `calls`: the ways through a breaker; `judged`: what becomes of what they give
//! * `clock`, `trouble`, `ear`: clocks, errors and listeners that misbehave
//! * `names`: a registry of few places and many names, and what it must say
//! * `documents`: settings from text
//! * `input`: settings and steps from bytes
#![forbid(unsafe_code)]

mod calls;
mod clock;
mod documents;
mod ear;
mod input;
mod judged;
mod names;
mod trouble;
mod world;

/// One breaker: any settings, any interleaving of calls, time, commands, settings and panics.
pub fn breaker(data: &[u8]) {
    let _ = world::run(data);
}

/// A registry: any names, in any order, with little room.
pub fn registry(data: &[u8]) {
    let _ = names::run(data);
}

/// Any text, and any settings given by code.
pub fn settings(data: &[u8]) {
    let _ = documents::run(data);
}
