//! [`ClassifyItem`]: classifies the items of a stream that are not `Result`s.

use crate::classify::Outcome;

/// Classifies the items of a guarded stream that are not `Result`s.
///
/// This is a trait because a stream of `Result`s has an
/// [own method](crate::GuardedStream::classify_item) of this name, which keeps the type of the error.
///
/// # Examples
///
/// ```
/// use breakerbox::prelude::*;
/// use futures_util::{TryStreamExt, stream};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let sensor = CircuitBreaker::builder().build()?;
/// let degrees = stream::iter([21.5, 22.0, f32::NAN]).guarded_by(&sensor);
/// let degrees = degrees.classify_item(|degrees: &f32| {
///     if degrees.is_nan() { Outcome::Failure } else { Outcome::Success }
/// });
/// let degrees: Vec<f32> = degrees.try_collect().await?;
/// assert_eq!(degrees.len(), 3);
/// assert_eq!(sensor.failure_count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ClassifyItem {
    /// The items of the guarded stream.
    type Item;
    /// The stream with the classifier.
    type Classified<G>;

    /// Classifies each item with `classify`.
    ///
    /// The items become `Result<Item, BreakerError>`. [`Outcome::Success`] means that the stream continues.
    /// Any other outcome is that of the stream, and is recorded at that item. `classify` is not called again
    /// after the outcome was recorded.
    fn classify_item<G>(self, classify: G) -> Self::Classified<G>
    where
        G: Fn(&Self::Item) -> Outcome;
}
