//! [`GuardedStream`]: a stream that a circuit breaker guards.

use super::{ClassifyItem, IdleLimit, IdleTimeout, StreamCall};
use crate::classifier::{Classifier, Classify, ClassifyOutput, DefaultClassifier, ResultLike};
use crate::classify::Outcome;
use crate::error::{BreakerError, CallTimeout};
use crate::ext::{BreakerExt, kind};
use crate::future::{NoTimeout, warn_if_items_nested};
use crate::handle::{ByName, Handle};
use futures_core::Stream;
use futures_core::stream::FusedStream;
use pin_project_lite::pin_project;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

pin_project! {
    /// A stream that a circuit breaker guards, returned by
    /// [`with_breaker`](crate::BreakerExt::with_breaker) and
    /// [`guarded_by`](crate::BreakerExt::guarded_by).
    ///
    /// The whole stream is one call, with one outcome. The call is admitted at the first poll, so a stream
    /// that is never polled takes no slot of a trial. The first of these events decides the outcome:
    ///
    /// * an item that is not a success. By default, this is the first `Err`, which the rules of the breaker
    ///   classify; [`classify_item`](Self::classify_item) replaces the rules
    /// * no item for the time of [`idle_timeout`](Self::idle_timeout): a failure
    /// * a panic of the guarded stream: a failure
    /// * the last item of [`success_after`](Self::success_after), or the end of the stream: a success
    ///
    /// Items that come after the outcome was recorded are passed on, and are not counted.
    ///
    /// The stream ends for good with its first `None`. The guarded stream is dropped then.
    ///
    /// # Errors
    ///
    /// * [`BreakerError::Open`] if the circuit refuses: the only item. The guarded stream is dropped without
    ///   being polled.
    /// * [`BreakerError::TimedOut`] if the guarded stream gives no item for its
    ///   [`idle_timeout`](Self::idle_timeout): the last item. The guarded stream is dropped first.
    /// * [`BreakerError::Inner`] with an error of the guarded stream. Such an error does not end the stream.
    ///
    /// # Panics
    ///
    /// A panic of the guarded stream propagates.
    ///
    /// # Cancel safety
    ///
    /// Waiting for an item is cancel safe: a dropped `next()` loses no item.
    ///
    /// Dropping a `GuardedStream` before its outcome was recorded drops the guarded stream and records a
    /// cancelled call, as [`cancelled_as`](crate::BreakerBuilder::cancelled_as) and
    /// [`cancelled_after`](crate::BreakerBuilder::cancelled_after) specify. The slot of a trial becomes free
    /// at once. Unlike a dropped future, a dropped stream is no call cancelled in a row
    /// ([`Event::CancelledInARow`](crate::Event::CancelledInARow)).
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use futures_util::{StreamExt, TryStreamExt, stream};
    /// use std::io;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let db = CircuitBreaker::builder().failure_threshold(1).build()?;
    ///
    /// // The first error decides the outcome of the stream, although four rows came before it.
    /// let broken = io::Error::from(io::ErrorKind::ConnectionReset);
    /// let rows = stream::iter([Ok(1), Ok(2), Ok(3), Ok(4), Err(broken)]);
    /// let mut rows = rows.guarded_by(&db);
    /// while let Ok(Some(row)) = rows.try_next().await {
    ///     println!("{row}");
    /// }
    /// assert_eq!(db.state(), State::Open);
    ///
    /// // A refused stream gives one error, and ends.
    /// let mut rows = stream::iter([io::Result::Ok(1)]).guarded_by(&db);
    /// assert!(matches!(rows.next().await, Some(Err(BreakerError::Open(_)))));
    /// assert!(rows.next().await.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Debug)]
    #[must_use = "streams do nothing unless polled"]
    pub struct GuardedStream<S, H = ByName, C = DefaultClassifier, L = NoTimeout>
    where
        H: Handle,
    {
        // Declared before `call`, because fields drop in this order: the guarded code has to end before
        // the slot of a trial becomes free. `None` after the stream has ended.
        #[pin]
        inner: Option<S>,
        call: StreamCall<H>,
        classifier: C,
        idle: L,
    }
}

impl<S, H: Handle> GuardedStream<S, H> {
    #[inline]
    pub(crate) fn new(inner: S, handle: H) -> Self {
        Self {
            inner: Some(inner),
            call: StreamCall::new(handle),
            classifier: DefaultClassifier,
            idle: NoTimeout,
        }
    }
}

impl<S, H: Handle, C, L> GuardedStream<S, H, C, L> {
    fn classified_by<D>(self, classifier: D) -> GuardedStream<S, H, D, L> {
        GuardedStream {
            inner: self.inner,
            call: self.call,
            classifier,
            idle: self.idle,
        }
    }

    /// Records a success after `items` successful items, instead of at the end. Default: off.
    ///
    /// Use this method for streams that do not end, such as subscriptions. Without it, a trial that is such a
    /// stream decides nothing until it fails, and the circuit stays half-open. What happens after the success
    /// is not counted. Zero is the same as one.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use futures_util::{StreamExt, stream};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let feed = CircuitBreaker::builder().build()?;
    /// feed.half_open();
    /// let ticks = stream::repeat_with(|| std::io::Result::Ok("tick"));
    /// let mut ticks = ticks.guarded_by(&feed).success_after(2);
    ///
    /// assert_eq!(ticks.next().await.expect("a tick")?, "tick");
    /// assert_eq!(feed.state(), State::HalfOpen);
    /// assert_eq!(ticks.next().await.expect("a tick")?, "tick");
    /// assert_eq!(feed.state(), State::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn success_after(mut self, items: u32) -> Self {
        self.call.succeed_after(items);
        self
    }
}

impl<S, H: Handle, C> GuardedStream<S, H, C> {
    /// Ends the stream if it gives no item for `limit` on tokio's clock, and records a failure. Default: no
    /// timeout.
    ///
    /// The time runs from a poll that finds no item ready until the next item, so a slow consumer does not
    /// use it up. When it elapses, the guarded stream is dropped. The consumer gets
    /// [`BreakerError::TimedOut`], and then the end. If the outcome was recorded before, the stream ends in
    /// the same way, and nothing is recorded.
    ///
    /// The first item has the same limit. For a limit of the whole stream, use
    /// [`take_until`](https://docs.rs/futures/0.3/futures/stream/trait.StreamExt.html#method.take_until)
    /// inside the breaker.
    ///
    /// # Panics
    ///
    /// The stream panics at its first poll, before admission, outside a tokio runtime with time enabled.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use futures_util::{StreamExt, stream};
    /// use std::io;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let llm = CircuitBreaker::builder().name("llm").build()?;
    /// let tokens = stream::iter([io::Result::Ok("Once"), Ok("upon")]).chain(stream::pending());
    /// let mut tokens = tokens.guarded_by(&llm).idle_timeout(Duration::from_secs(10));
    ///
    /// assert_eq!(tokens.next().await.expect("a token")?, "Once");
    /// assert_eq!(tokens.next().await.expect("a token")?, "upon");
    /// let error = tokens.next().await.expect("the timeout").unwrap_err();
    /// assert_eq!(error.to_string(), "the stream of \"llm\" gave no item for 10s");
    /// assert!(tokens.next().await.is_none());
    /// assert_eq!(llm.failure_count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle_timeout(self, limit: Duration) -> GuardedStream<S, H, C, IdleTimeout> {
        GuardedStream {
            inner: self.inner,
            call: self.call,
            classifier: self.classifier,
            idle: IdleTimeout::new(limit),
        }
    }
}

impl<S, H: Handle, C, L> GuardedStream<S, H, C, L>
where
    S: Stream<Item: ResultLike>,
{
    /// Classifies each item with `classify`, in place of the breaker's rules.
    ///
    /// [`Outcome::Success`] means that the stream continues. Any other outcome is that of the stream, and is
    /// recorded at that item. This includes [`Outcome::Ignored`]: an item that has no effect, such as a
    /// keep-alive, is a success. `classify` is not called again after the outcome was recorded.
    ///
    /// On a stream whose items are not `Result`s, this method is that of [`ClassifyItem`], a trait of the
    /// [prelude](crate::prelude). The items become `Result<Item, BreakerError>`.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use futures_util::{StreamExt, stream};
    /// use std::io;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let llm = CircuitBreaker::builder().build()?;
    /// let answer = [io::Result::Ok("Once"), Ok("[error: overloaded]")];
    /// let tokens = stream::iter(answer).guarded_by(&llm).classify_item(|token| match token {
    ///     Ok(text) if !text.starts_with("[error") => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// });
    /// assert_eq!(tokens.count().await, 2);
    /// assert_eq!(llm.failure_count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn classify_item<G>(self, classify: G) -> GuardedStream<S, H, Classify<G>, L>
    where
        G: Fn(&S::Item) -> Outcome,
    {
        self.classified_by(Classify(classify))
    }
}

impl<S: Stream, H: Handle, C, L> ClassifyItem for GuardedStream<S, H, C, L> {
    type Item = S::Item;
    type Classified<G> = GuardedStream<S, H, ClassifyOutput<G>, L>;

    fn classify_item<G>(self, classify: G) -> GuardedStream<S, H, ClassifyOutput<G>, L>
    where
        G: Fn(&S::Item) -> Outcome,
    {
        self.classified_by(ClassifyOutput(classify))
    }
}

impl<S, H, C, L> Stream for GuardedStream<S, H, C, L>
where
    S: Stream,
    H: Handle,
    C: Classifier<S::Item>,
    L: IdleLimit,
{
    type Item = Result<C::Ok, BreakerError<C::Err>>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        if !this.call.is_admitted() {
            // Before admission, because a timer panics without a runtime, and an admitted call would hold a
            // slot then.
            this.idle.start();
            if let Err(open) = this.call.admit() {
                this.inner.set(None);
                return Poll::Ready(Some(Err(BreakerError::Open(open))));
            }
        }
        match this.call.run(|| inner.poll_next(cx)) {
            Poll::Ready(Some(item)) => {
                this.idle.pause();
                let item = this.call.item(this.classifier, item);
                Poll::Ready(Some(item.map_err(BreakerError::Inner)))
            }
            Poll::Ready(None) => {
                // Recorded before the stream is dropped, so that a panic of its `Drop` cannot change the
                // outcome.
                this.call.end();
                this.inner.set(None);
                Poll::Ready(None)
            }
            Poll::Pending => this.idle.poll_elapsed(cx).map(|limit| {
                this.call.time_out(limit, || this.inner.set(None));
                let name = this.call.breaker().circuit.name.clone();
                Some(Err(BreakerError::TimedOut(CallTimeout::idle(name, limit))))
            }),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let Some(inner) = &self.inner else {
            return (0, Some(0));
        };
        let (lower, upper) = inner.size_hint();
        if self.call.is_admitted() && !L::MAY_ELAPSE {
            return (lower, upper);
        }
        // A refusal or a timeout may be the only item.
        (lower.min(1), upper.map(|upper| upper.max(1)))
    }
}

impl<S, H, C, L> FusedStream for GuardedStream<S, H, C, L>
where
    S: Stream,
    H: Handle,
    C: Classifier<S::Item>,
    L: IdleLimit,
{
    fn is_terminated(&self) -> bool {
        self.inner.is_none()
    }
}

impl<S: Stream> BreakerExt<kind::Stream> for S {
    type Guarded<H: Handle> = GuardedStream<S, H>;

    #[inline]
    #[track_caller]
    fn guarded_by<H: Handle>(self, handle: H) -> GuardedStream<S, H> {
        warn_if_items_nested::<S::Item>();
        GuardedStream::new(self, handle)
    }
}
