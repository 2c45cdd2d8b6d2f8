//! [`Spread`]: the least, the middle and the greatest of several values.

/// The least, the middle and the greatest of several values.
///
/// Which call becomes a trial is a matter of chance, so a replay is repeated with slightly longer and
/// shorter recovery times. The spread shows how much of a figure is chance. It is not a confidence
/// interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Spread<T> {
    /// The least value.
    pub min: T,
    /// The value in the middle; of an even number of values, the upper one.
    pub median: T,
    /// The greatest value.
    pub max: T,
}

impl<T: Copy + PartialOrd> Spread<T> {
    /// Returns the spread of `values`, or `None` without values.
    pub(crate) fn of(values: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        Some(Self {
            min: *values.first()?,
            median: *values.get(values.len() / 2)?,
            max: *values.last()?,
        })
    }
}
