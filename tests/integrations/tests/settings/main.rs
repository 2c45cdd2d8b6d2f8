//! Settings as data: what is read, what is refused and where, and what applying does to live
//! breakers.

mod applying;
mod arbitrary;
mod concurrent;
mod layers;
mod model;
mod observed;
mod refusals;
mod reports;
mod round_trips;
mod support;
