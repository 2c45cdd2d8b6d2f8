//! [`RunPermit`]: a future that runs under a permit.

use super::{NoTimeout, WithBreaker};
use crate::breaker::CircuitBreaker;
use crate::classifier::DefaultClassifier;
use crate::permit::Permit;
use pin_project_lite::pin_project;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

impl Permit {
    /// Runs `future`, records its result by the breaker's rules, and returns the result.
    ///
    /// `future` is part of the permit's call. If the permit is a trial, guarded calls of the same circuit
    /// that the future makes while it is polled join the trial. Calls in spawned tasks and on other threads,
    /// such as those of `spawn_blocking`, do not join it.
    ///
    /// # Errors
    ///
    /// The returned future has the error of `future`.
    ///
    /// # Panics
    ///
    /// The returned future panics if it is polled after it completed. A panic of `future` is recorded as a
    /// failure, and propagates.
    ///
    /// # Cancel safety
    ///
    /// Dropping the returned future drops `future`. The call is recorded as cancelled, as
    /// [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) specify.
    ///
    /// # Examples
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// # let users = breakerbox::CircuitBreaker::builder().build()?;
    /// let permit = users.until_ready().await;
    /// let name = permit.run(async { Ok::<_, std::io::Error>("alice") }).await?;
    /// assert_eq!(name, "alice");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<F, T, E>(self, future: F) -> RunPermit<F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Debug + 'static,
    {
        RunPermit {
            guarded: WithBreaker::with_parts(future, self.call, DefaultClassifier, NoTimeout),
        }
    }
}

pin_project! {
    /// A future that runs under a [`Permit`], returned by [`Permit::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RunPermit<F> {
        #[pin]
        guarded: WithBreaker<F, CircuitBreaker>,
    }
}

impl<F, T, E> Future for RunPermit<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Debug + 'static,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let polled = self.project().guarded.poll_admitted(cx);
        polled.map(|result| result.unwrap_or_else(|never: Infallible| match never {}))
    }
}

impl<F> fmt::Debug for RunPermit<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunPermit")
            .field("breaker", &self.guarded.breaker().name())
            .field("completed", &self.guarded.is_over())
            .finish_non_exhaustive()
    }
}
