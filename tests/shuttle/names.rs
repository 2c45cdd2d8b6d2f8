//! Calls by name, while breakers are removed and evicted.

use super::*;
use breakerbox::Totals;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

fn registry(time: &Time, capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .default_preset(time.settings().failure_threshold(2))
        .capacity(capacity)
        .clock(time.clock.clone())
        .build()
        .expect("settings that work")
}

async fn failing(registry: &BreakerRegistry, name: &str) -> Result<(), BreakerError<()>> {
    let call = async {
        yields(1).await;
        Err::<(), ()>(())
    };
    call.with_breaker(registry, name).await
}

async fn succeeding(registry: &BreakerRegistry, name: &str) -> Result<(), BreakerError<()>> {
    let call = async {
        yields(1).await;
        Ok::<(), ()>(())
    };
    call.with_breaker(registry, name).await
}

/// Who calls a new name at the same time calls one breaker.
#[test]
fn a_name_has_one_breaker() {
    explore("one name", move |time, happened| async move {
        let registry = registry(&time, 10);
        let tasks = [(); 3].map(|()| {
            let registry = registry.clone();
            spawn(async move { failing(&registry, "users").await })
        });
        let mut refused = 0;
        for task in tasks {
            let ended = task.await.expect("a task that ends");
            refused += u64::from(matches!(ended, Err(BreakerError::Open(_))));
        }
        let breaker = registry.get("users").expect("it was made");
        let totals = breaker.snapshot().totals;
        assert_eq!((registry.len(), totals.failure), (1, 2));
        assert_eq!(totals.late + refused, 1);
        assert_eq!(breaker.state(), State::Open);
        happened.note("refused", refused);
        happened.note("late", totals.late);
    });
}

/// One removes and then calls, others call all the while, by handles that they keep: no call is lost, and
/// none that began after the removal ends on what was removed.
#[test]
fn a_removed_breaker_is_not_called_again_by_name() {
    explore("removal", |time, happened| async move {
        let registry = registry(&time, 10);
        let (gone, begun_after) = (
            Arc::new(AtomicBool::new(false)),
            Arc::<AtomicU64>::default(),
        );
        let callers = [(); 2].map(|()| {
            let registry = registry.clone();
            let (gone, begun_after) = (gone.clone(), begun_after.clone());
            spawn(async move {
                for _ in 0..3 {
                    begun_after.fetch_add(gone.load(SeqCst).into(), SeqCst);
                    let ended = succeeding(&registry, "users").await;
                    ended.expect("a circuit that stays closed");
                }
            })
        });
        yields(3).await;
        let removed = registry.remove("users");
        gone.store(true, SeqCst);
        let ended = failing(&registry, "users").await;
        ended.expect_err("it failed");
        for task in callers {
            task.await.expect("a task that ends");
        }
        let totals = |breaker: CircuitBreaker| breaker.snapshot().totals;
        let present = totals(registry.get("users").expect("made again"));
        let removed = removed.map(totals);
        let count = |totals: &Totals| totals.success.expect("they are counted");
        let before = removed.as_ref().map_or(0, count);
        assert!(removed.is_none_or(|totals| totals.failure == 0));
        assert_eq!(present.failure, 1);
        assert_eq!(before + count(&present), 6);
        let begun_after = begun_after.load(SeqCst);
        assert!(count(&present) >= begun_after, "{begun_after} for the next");
        happened.note("on the removed one", before);
        happened.note("on the next one", count(&present));
        happened.note("begun after", begun_after);
    });
}

/// A registry for two names, of which one is open: many other names come, and none pushes it out, nor
/// one that somebody holds; and no call of a name that stays is lost.
#[test]
fn what_protects_or_is_held_is_never_evicted() {
    explore("eviction", move |time, happened| async move {
        let registry = registry(&time, 2);
        for _ in 0..2 {
            failing(&registry, "down").await.expect_err("it failed");
        }
        let tasks = ["one", "two", "three"].map(|name| {
            let (registry, happened) = (registry.clone(), happened.clone());
            spawn(async move {
                succeeding(&registry, name).await.expect("closed");
                let held = registry.breaker(name);
                // Held, it stays, if it is kept.
                let kept = registry.get(name).is_some();
                let ended = failing(&registry, name).await;
                assert!(matches!(ended, Err(BreakerError::Inner(()))));
                let failures = held.snapshot().totals.failure;
                assert_eq!(failures, u64::from(kept), "{name}");
                happened.note("kept", kept.into());
                happened.note("not kept", (!kept).into());
                assert!(registry.len() <= 2);
                let ended = succeeding(&registry, "down").await;
                assert!(matches!(ended, Err(BreakerError::Open(_))), "{ended:?}");
            })
        });
        for task in tasks {
            task.await.expect("a task that ends");
        }
        let down = registry.get("down").expect("it protects");
        assert_eq!(down.snapshot().totals.refused, 3);
        let others = ["one", "two", "three"].map(|name| registry.get(name).is_some());
        happened.note("evicted", u64::from(!others[0]));
    });
}
