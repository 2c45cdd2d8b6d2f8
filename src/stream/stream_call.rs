//! [`StreamCall`]: one call whose guarded code gives items until it ends.

use crate::breaker::CircuitBreaker;
use crate::call::{Call, admit};
use crate::classifier::{Classification, Classifier};
use crate::classify::Outcome;
use crate::error::CircuitOpen;
use crate::handle::Handle;
use std::time::Duration;

/// One call whose guarded code gives items until it ends: a stream of items, or a body of frames.
///
/// The first of these events decides the outcome, and the call records nothing afterwards:
///
/// | event | outcome | method |
/// |---|---|---|
/// | an item that is not classified as a success | that of the item | [`item`](Self::item), [`classify`](Self::classify) |
/// | the last item of [`succeed_after`](Self::succeed_after) | success | the same |
/// | the end | success, or the outcome of the last item | [`end`](Self::end), `end_with` |
/// | no item for too long | failure | [`time_out`](Self::time_out) |
/// | a panic | failure | [`run`](Self::run) |
/// | dropped | cancelled, but not as a call cancelled in a row | `Drop` |
///
/// # Use
///
/// A guard owns the source and a `StreamCall`, in this order, because the guarded code has to end before the
/// slot of a trial becomes free. A poll of the guard takes these steps:
///
/// 1. Unless [`is_admitted`](Self::is_admitted): start the [idle timeout](super::IdleLimit::start), which may
///    panic, then [`admit`](Self::admit). If the circuit refuses, drop the source without polling it.
/// 2. Poll the source in [`run`](Self::run), which marks the thread if the call is a trial.
/// 3. For an item: [`IdleLimit::pause`](super::IdleLimit::pause), then [`item`](Self::item), or
///    [`classify`](Self::classify) if no [`Classifier`] decides.
/// 4. For the end: [`end`](Self::end), then drop the source.
/// 5. For `Pending`: [`IdleLimit::poll_elapsed`](super::IdleLimit::poll_elapsed). If the limit has elapsed,
///    [`time_out`](Self::time_out) drops the source and records the failure.
///
/// After an outcome was recorded, the steps are still correct, and record nothing.
#[derive(Debug)]
pub(crate) struct StreamCall<H: Handle> {
    call: Call<H>,
    admitted: bool,
    /// The successful items that are left until the call is a success. Zero if only the end is.
    success_after: u32,
}

impl<H: Handle> StreamCall<H> {
    /// Creates a call that [`admit`](Self::admit) will admit.
    #[inline]
    pub(crate) fn new(handle: H) -> Self {
        Self {
            call: Call::new(handle),
            admitted: false,
            success_after: 0,
        }
    }

    /// Continues a call that has been admitted, such as that of a response whose body follows.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(crate) fn admitted(call: Call<H>) -> Self {
        Self {
            call,
            admitted: true,
            success_after: 0,
        }
    }

    /// Returns `true` if the outcome of an admitted call was recorded.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(crate) fn is_recorded(&self) -> bool {
        self.call.is_recorded()
    }

    /// Makes the call a success after `items` more successful items. Zero counts as one.
    pub(crate) fn succeed_after(&mut self, items: u32) {
        self.success_after = items.max(1);
    }

    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        self.call.breaker()
    }

    /// Returns `true` if the call has been admitted, even if its outcome has been recorded since.
    #[inline]
    pub(crate) fn is_admitted(&self) -> bool {
        self.admitted
    }

    /// Admits the call.
    ///
    /// # Errors
    ///
    /// Returns the refusal, which has been counted.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), CircuitOpen> {
        let token = admit(self.call.breaker())?;
        self.call.suspend(token);
        self.admitted = true;
        Ok(())
    }

    /// Runs a part of the guarded code, such as one poll. A panic is recorded as a failure.
    #[inline]
    pub(crate) fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        self.call.run_part(code)
    }

    /// Classifies an item, and returns it. Any outcome but a success is that of the call.
    #[inline]
    pub(crate) fn item<Out, C: Classifier<Out>>(
        &mut self,
        classifier: &C,
        item: Out,
    ) -> Result<C::Ok, C::Err> {
        // Matched before classification, so that a success on the common path is not borrowed.
        match C::into_result(item) {
            Ok(value) if C::OK_IS_SUCCESS => {
                self.successful_item();
                Ok(value)
            }
            Ok(value) => {
                let item = Ok(value);
                self.classify(|breaker| classifier.classify(&item, breaker));
                item
            }
            Err(error) => {
                let item = Err(error);
                self.classify_error(|breaker| classifier.classify(&item, breaker));
                item
            }
        }
    }

    /// Classifies an item with `classify`. Any outcome but a success is that of the call.
    #[inline]
    pub(crate) fn classify<'a>(
        &mut self,
        classify: impl FnOnce(&CircuitBreaker) -> Classification<'a>,
    ) {
        if self.call.classify_part(classify) {
            self.successful_item();
        }
    }

    #[cold]
    #[inline(never)]
    fn classify_error<'a>(&mut self, classify: impl FnOnce(&CircuitBreaker) -> Classification<'a>) {
        self.classify(classify);
    }

    #[inline]
    fn successful_item(&mut self) {
        if self.success_after > 0 {
            self.success_after -= 1;
            if self.success_after == 0 {
                self.end();
            }
        }
    }

    /// Records a success. Call it before the source is dropped, so that a panic of its `Drop` cannot change
    /// the outcome.
    #[inline]
    pub(crate) fn end(&mut self) {
        self.call.record(Outcome::Success);
    }

    /// Records the outcome of a source whose last item decides it, such as the trailers of a body.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(crate) fn end_with(&mut self, outcome: Outcome) {
        self.call.record(outcome);
    }

    /// Drops the source, as guarded code, and records that no item came for `limit`.
    ///
    /// The guarded code has to end before the slot of a trial becomes free.
    #[inline(never)]
    pub(crate) fn time_out(&mut self, limit: Duration, drop_source: impl FnOnce()) {
        self.call.run_part(drop_source);
        self.call.record_timeout(limit);
    }
}

impl<H: Handle> Drop for StreamCall<H> {
    #[inline]
    fn drop(&mut self) {
        self.call.record_dropped_stream();
    }
}
