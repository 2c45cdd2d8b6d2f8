//! What some calls cannot do without, by itself: the floor under their figures.
#![allow(missing_docs)]

use breakerbox::clock::{Clock, SystemClock};
use divan::Bencher;
use std::cell::RefCell;
use std::fmt::Write;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

/// Enough that reading the time around them does not count.
const CALLS: u32 = 10_000;

fn main() {
    divan::main();
}

fn count(total: &AtomicU64) {
    // By the one thread that writes there.
    total.store(total.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// A refusal says how much time is left.
#[divan::bench(sample_size = CALLS)]
fn coarse_clock() {
    black_box(SystemClock.recent());
}

/// It is counted, and its error refers to something that outlives the call.
#[divan::bench(sample_size = CALLS)]
fn counted_and_referred_to(bencher: Bencher<'_, '_>) {
    let (total, place) = (AtomicU64::new(0), Arc::new(0));
    bencher.bench_local(|| {
        count(&total);
        drop(black_box(place.clone()));
    });
}

/// All that a refusal does.
#[divan::bench(sample_size = CALLS)]
fn refused(bencher: Bencher<'_, '_>) {
    let (total, place) = (AtomicU64::new(0), Arc::new(0));
    bencher.bench_local(|| {
        black_box(SystemClock.recent());
        count(&total);
        drop(black_box(place.clone()));
    });
}

/// A future that is ready at once.
struct Ready(u64);

impl Future for Ready {
    type Output = Result<u64, u16>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(black_box(self.0)))
    }
}

/// The least that a future can be which guards another: it looks at a word before and after, drops the
/// other when that is done, and knows of a call that goes on.
struct Guarding<'a, F> {
    inner: Option<F>,
    state: &'a Arc<AtomicU64>,
    goes_on: Option<NonZeroU64>,
}

impl<F: Future<Output = Result<u64, u16>> + Unpin> Future for Guarding<'_, F> {
    type Output = Result<u64, Refusal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let before = self.state.load(Ordering::Acquire);
        let Some(inner) = self.inner.as_mut().filter(|_| before.trailing_zeros() >= 3) else {
            return Poll::Ready(Err(Refusal(Box::default())));
        };
        let Poll::Ready(out) = Pin::new(inner).poll(cx) else {
            self.goes_on = NonZeroU64::new(before | 1);
            return Poll::Pending;
        };
        if out.is_err() || self.state.load(Ordering::Acquire) != before {
            judge(self.state);
        }
        self.inner = None;
        Poll::Ready(out.map_err(|_| Refusal(Box::default())))
    }
}

/// What a breaker does of an error runs somebody's code, which may panic: then the future is dropped.
#[cold]
#[inline(never)]
fn judge(state: &AtomicU64) {
    let before = state.fetch_add(1, Ordering::AcqRel);
    assert_ne!(before, u64::MAX, "somebody's code has panicked");
}

impl<F> Drop for Guarding<'_, F> {
    fn drop(&mut self) {
        if self.goes_on.is_some() {
            self.state.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[derive(Debug)]
struct Refusal(#[allow(dead_code)] Box<u64>);

/// Runs an async block whose futures are all ready.
fn run(block: impl Future<Output = ()>) {
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(block).poll(&mut context).is_ready());
}

/// Calls of the async rows, unguarded; a thousand of them.
#[divan::bench(sample_size = 100)]
fn awaited_a_thousand_times() {
    run(async {
        for n in 0..1_000 {
            let _ = black_box(Ready(n).await);
        }
    });
}

/// The same with the least that guards them.
#[divan::bench(sample_size = 100)]
fn awaited_a_thousand_times_with_two_looks(bencher: Bencher<'_, '_>) {
    let state = black_box(Arc::new(AtomicU64::new(0)));
    bencher.bench_local(|| {
        run(async {
            for n in 0..1_000 {
                let guarding = Guarding {
                    inner: Some(Ready(n)),
                    state: &state,
                    goes_on: None,
                };
                let _ = black_box(guarding.await);
            }
        });
    });
}

/// An error of the usual kind.
#[derive(Debug)]
struct Failure(#[allow(dead_code)] u16);

/// Who keeps the text of the last failure has to write it.
#[divan::bench(sample_size = CALLS)]
fn text_of_a_failure(bencher: Bencher<'_, '_>) {
    let mut text = String::with_capacity(128);
    bencher.bench_local(|| {
        text.clear();
        write!(text, "{:?}", black_box(Failure(503))).expect("it has room");
        black_box(&text);
    });
}

thread_local! {
    static HANDLE: RefCell<Option<(String, Arc<u64>)>> = const { RefCell::new(None) };
}

/// All that a look-up by name does, when the thread has met the name.
#[divan::bench(sample_size = CALLS)]
fn by_name(bencher: Bencher<'_, '_>) {
    let hasher = foldhash::fast::RandomState::default();
    HANDLE.set(Some(("tenant:0000".into(), Arc::new(0))));
    bencher.bench_local(|| {
        let name = black_box("tenant:0000");
        black_box(hasher.hash_one(name));
        let found = HANDLE.with_borrow(|slot| {
            let (known, handle) = slot.as_ref()?;
            (known == name).then(|| handle.clone())
        });
        drop(black_box(found));
    });
}
