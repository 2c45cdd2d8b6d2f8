//! The answers of fallbacks.

use std::future::{Ready, ready};

/// The output of a fallback: the return value of the function, or a future of it.
#[diagnostic::on_unimplemented(
    message = "this fallback does not match the function",
    label = "the fallback must return `{R}`, or a future of it, like the function",
    note = "found `{Self}`"
)]
pub trait Answer<R, Kind> {
    #[doc(hidden)]
    type Future: Future<Output = R>;
    #[doc(hidden)]
    fn begin(self) -> Self::Future;
}

/// Marks a fallback that returns the value.
#[derive(Debug)]
pub enum Now {}
/// Marks a fallback that returns a future of the value.
#[derive(Debug)]
pub enum Later {}

#[diagnostic::do_not_recommend]
impl<R> Answer<R, Now> for R {
    type Future = Ready<R>;

    fn begin(self) -> Ready<R> {
        ready(self)
    }
}

#[diagnostic::do_not_recommend]
impl<R, F: Future<Output = R>> Answer<R, Later> for F {
    type Future = F;

    fn begin(self) -> F {
        self
    }
}

/// Returns the future of a fallback's answer. The fallback of an async function may be sync.
pub fn fallback_output<R, A, Kind>(answer: A) -> A::Future
where
    A: Answer<R, Kind>,
{
    answer.begin()
}
