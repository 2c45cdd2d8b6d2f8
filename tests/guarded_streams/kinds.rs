//! Shapes of streams that `with_breaker` and `guarded_by` accept.

use crate::support::{Fault, Item, breaker, items, recorded};
use breakerbox::parts::kind;
use breakerbox::prelude::*;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, Stream, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use std::pin::Pin;
use std::task::{Context, Poll};

fn rows() -> impl Stream<Item = Item> {
    stream::iter([Ok(1), Ok(2)])
}

fn generic<S: Stream<Item = Result<T, E>>, T, E: std::fmt::Debug + 'static>(
    stream: S,
    registry: &BreakerRegistry,
) -> impl Stream<Item = Result<T, BreakerError<E>>> {
    stream.with_breaker(registry, "db")
}

#[tokio::test]
async fn streams_of_every_shape_are_guarded() {
    let registry = BreakerRegistry::new();
    let db = registry.breaker("db");
    assert_eq!(rows().with_breaker(&registry, "db").count().await, 2);
    assert_eq!(rows().guarded_by(&db).count().await, 2);
    assert_eq!(rows().guarded_by(db.clone()).count().await, 2);
    assert_eq!(generic(rows(), &registry).count().await, 2);
    let boxed: BoxStream<'static, Item> = rows().boxed();
    assert_eq!(boxed.guarded_by(&db).count().await, 2);
    let dynamic: Pin<Box<dyn Stream<Item = Item> + Send>> = Box::pin(rows());
    assert_eq!(dynamic.guarded_by(&db).count().await, 2);
    let mut borrowed = items([Ok(1), Ok(2)]);
    assert_eq!((&mut borrowed).guarded_by(&db).count().await, 2);
    let mut pinned = std::pin::pin!(rows());
    assert_eq!(pinned.as_mut().guarded_by(&db).count().await, 2);
    let mapped = rows().map_ok(u32::from).map_err(|Fault| "fault");
    assert_eq!(
        mapped.guarded_by(&db).try_collect::<Vec<u32>>().await.ok(),
        Some(vec![1, 2])
    );
    let task = tokio::spawn(rows().with_breaker(&registry, "db").count());
    assert_eq!(task.await.ok(), Some(2));
    assert_eq!(recorded(&db).success, 10);
}

/// The request and the stream of its answer are one call.
#[tokio::test]
async fn opening_and_items_are_one_call() {
    let breaker = breaker();
    let open = || async { Ok::<_, Fault>(rows()) };
    assert_eq!(
        open()
            .try_flatten_stream()
            .guarded_by(&breaker)
            .count()
            .await,
        2
    );
    assert_eq!(recorded(&breaker).success, 1);
    let refused = async { Err::<stream::Empty<Item>, _>(Fault) };
    assert_eq!(
        refused
            .try_flatten_stream()
            .guarded_by(&breaker)
            .count()
            .await,
        1
    );
    assert_eq!(breaker.failure_count(), 1);
}

/// A type that is both a future and a stream.
struct Both(u8);

impl Future for Both {
    type Output = Item;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Item> {
        Poll::Ready(Ok(self.0))
    }
}

impl Stream for Both {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or_default();
        Poll::Ready(left.map(Ok))
    }
}

#[tokio::test]
async fn named_kind_decides_between_future_and_stream() {
    let breaker = breaker();
    let stream = BreakerExt::<kind::Stream>::guarded_by(Both(3), &breaker);
    assert_eq!(stream.count().await, 3);
    let future = BreakerExt::<kind::Future>::guarded_by(Both(3), &breaker);
    assert_eq!(future.now_or_never().and_then(Result::ok), Some(3));
}
