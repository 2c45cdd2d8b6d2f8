//! Shares the circuits of breakerbox through Redis or Valkey: the scripts of the store.
//!
//! * `keys`: names of the keys and of the channel
//! * `script`: texts, arguments and replies of the Lua scripts
//! * `line`: operations over one connection

mod keys;
#[doc(hidden)]
pub mod line;
#[doc(hidden)]
pub mod script;

#[doc(hidden)]
pub use keys::Keys;
