//! Serialization of texts and times. Times are seconds; [`Duration::MAX`], which stands for never, is null.

use serde::Serializer;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn seconds<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    if *time == Duration::MAX {
        to.serialize_none()
    } else {
        to.serialize_f64(time.as_secs_f64())
    }
}

pub(crate) fn text<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

#[allow(clippy::ref_option)] // serde passes a reference to the field
pub(crate) fn optional_text<S: Serializer>(
    text: &Option<Arc<str>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => to.serialize_str(text),
        None => to.serialize_none(),
    }
}
