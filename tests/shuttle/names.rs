//! Calls by name, concurrent with removals and evictions.

use super::*;
use breakerbox::Totals;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

fn registry(time: &TestTime, capacity: usize) -> BreakerRegistry {
    BreakerRegistry::builder()
        .default_preset(time.settings().failure_threshold(2))
        .capacity(capacity)
        .clock(time.clock.clone())
        .build()
        .expect("valid settings")
}

async fn call_and_fail(registry: &BreakerRegistry, name: &str) -> Result<(), BreakerError<()>> {
    let call = async {
        yield_up_to(1).await;
        Err::<(), ()>(())
    };
    call.with_breaker(registry, name).await
}

async fn call_and_succeed(registry: &BreakerRegistry, name: &str) -> Result<(), BreakerError<()>> {
    let call = async {
        yield_up_to(1).await;
        Ok::<(), ()>(())
    };
    call.with_breaker(registry, name).await
}

/// Tasks that call a new name at the same time use one breaker.
#[test]
fn concurrent_calls_of_name_share_one_breaker() {
    explore("one name", move |time, cases| async move {
        let registry = registry(&time, 10);
        let tasks = [(); 3].map(|()| {
            let registry = registry.clone();
            spawn(async move { call_and_fail(&registry, "users").await })
        });
        let mut refused = 0;
        for task in tasks {
            let result = task.await.expect("the task should not panic");
            refused += u64::from(matches!(result, Err(BreakerError::Open(_))));
        }
        let breaker = registry.get("users").expect("created by the calls");
        let totals = breaker.snapshot().totals;
        assert_eq!((registry.len(), totals.failure), (1, 2));
        assert_eq!(totals.late + refused, 1);
        assert_eq!(breaker.state(), State::Open);
        cases.count("refused", refused);
        cases.count("late", totals.late);
    });
}

/// One task removes the breaker and then calls its name, while other tasks call it by cached handles.
/// Every call is recorded, and no call that begins after the removal uses the removed breaker.
#[test]
fn removed_breaker_is_not_called_by_name() {
    explore("removal", |time, cases| async move {
        let registry = registry(&time, 10);
        let (is_removed, begun_after) = (
            Arc::new(AtomicBool::new(false)),
            Arc::<AtomicU64>::default(),
        );
        let callers = [(); 2].map(|()| {
            let registry = registry.clone();
            let (is_removed, begun_after) = (is_removed.clone(), begun_after.clone());
            spawn(async move {
                for _ in 0..3 {
                    begun_after.fetch_add(is_removed.load(SeqCst).into(), SeqCst);
                    let result = call_and_succeed(&registry, "users").await;
                    result.expect("the circuit stays closed");
                }
            })
        });
        yield_up_to(3).await;
        let removed = registry.remove("users");
        is_removed.store(true, SeqCst);
        let result = call_and_fail(&registry, "users").await;
        result.expect_err("the call fails");
        for task in callers {
            task.await.expect("the task should not panic");
        }
        let totals = |breaker: CircuitBreaker| breaker.snapshot().totals;
        let present = totals(registry.get("users").expect("created again"));
        let removed = removed.map(totals);
        let count = |totals: &Totals| totals.success.expect("successes are counted");
        let before = removed.as_ref().map_or(0, count);
        assert!(removed.is_none_or(|totals| totals.failure == 0));
        assert_eq!(present.failure, 1);
        assert_eq!(before + count(&present), 6);
        let begun_after = begun_after.load(SeqCst);
        assert!(
            count(&present) >= begun_after,
            "{begun_after} calls began after the removal"
        );
        cases.count("recorded by the removed breaker", before);
        cases.count("recorded by the next breaker", count(&present));
        cases.count("begun after the removal", begun_after);
    });
}

/// A registry for two names holds an open breaker. Calls of other names evict neither the open breaker
/// nor a held one, and the calls of a kept name are all recorded.
#[test]
fn open_and_held_breakers_are_never_evicted() {
    explore("eviction", move |time, cases| async move {
        let registry = registry(&time, 2);
        for _ in 0..2 {
            call_and_fail(&registry, "down")
                .await
                .expect_err("the call fails");
        }
        let tasks = ["one", "two", "three"].map(|name| {
            let (registry, cases) = (registry.clone(), cases.clone());
            spawn(async move {
                call_and_succeed(&registry, name)
                    .await
                    .expect("the circuit is closed");
                let held = registry.breaker(name);
                // A breaker that the registry kept stays while the handle lives.
                let kept = registry.get(name).is_some();
                let result = call_and_fail(&registry, name).await;
                assert!(matches!(result, Err(BreakerError::Inner(()))));
                let failures = held.snapshot().totals.failure;
                assert_eq!(failures, u64::from(kept), "{name}");
                cases.count("kept", kept.into());
                cases.count("not kept", (!kept).into());
                assert!(registry.len() <= 2);
                let result = call_and_succeed(&registry, "down").await;
                assert!(matches!(result, Err(BreakerError::Open(_))), "{result:?}");
            })
        });
        for task in tasks {
            task.await.expect("the task should not panic");
        }
        let down = registry.get("down").expect("an open breaker stays");
        assert_eq!(down.snapshot().totals.refused, 3);
        let others = ["one", "two", "three"].map(|name| registry.get(name).is_some());
        cases.count("evicted", u64::from(!others[0]));
    });
}
