//! What some calls cannot do without, by itself: the floor under their figures.
#![allow(missing_docs)]

use breakerbox::clock::{Clock, SystemClock};
use divan::Bencher;
use std::cell::RefCell;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Enough that reading the time around them does not count.
const CALLS: u32 = 10_000;

fn main() {
    divan::main();
}

fn count(total: &AtomicU64) {
    let seen = total.load(Ordering::Relaxed);
    let _ = total.compare_exchange(seen, seen + 1, Ordering::Relaxed, Ordering::Relaxed);
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
