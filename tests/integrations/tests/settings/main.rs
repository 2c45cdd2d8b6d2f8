//! Settings as data: documents that are read or refused, and their effect on live breakers.

mod applied;
mod applying;
mod arbitrary;
mod concurrency;
mod layers;
mod model;
mod refusals;
mod round_trips;
mod serialization;
mod support;
