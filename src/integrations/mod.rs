//! What ties breakers to other crates: one feature each. Nothing else imports these.

#[cfg(feature = "serde")]
pub(crate) mod serde;
