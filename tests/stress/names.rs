//! Calls by name from several threads, while the settings of the breakers change.

use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const NAMES: [&str; 3] = ["users", "payments", "search"];

/// Threads use different handle tables and refusal links, and must still count every call.
#[test]
fn calls_by_name_during_configure_are_counted() {
    const CALLS: usize = 20_000;
    let clock = ManualClock::new();
    let transition_logs = NAMES.map(|_| TransitionLog::default());
    let registry = BreakerRegistry::new();
    let breakers: Vec<_> = NAMES
        .iter()
        .zip(&transition_logs)
        .map(|(name, transitions)| {
            let settings = transitions.observe(settings(&clock).failure_threshold(3));
            registry.register(*name, settings).expect("a free name")
        })
        .collect();
    let concurrency = Concurrency::default();
    let counters = NAMES.map(|_| (AtomicU64::new(0), AtomicU64::new(0)));
    // Keeps the replaced settings until all threads are joined, for the thread sanitizer.
    let replaced = Mutex::new(Vec::new());
    on_threads(|thread| {
        for call in 0..CALLS {
            let index = (call + thread) % NAMES.len();
            let (admitted, refused) = &counters[index];
            concurrency.enter();
            let work = std::future::ready(if call % 5 < 2 { Err(()) } else { Ok(()) });
            let guarded = pin!(work.with_breaker(&registry, NAMES[index]));
            match guarded.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Err(BreakerError::Open(open))) => {
                    count(refused);
                    assert_eq!(open.name(), NAMES[index]);
                    assert!(open.retry_after() > Some(Duration::ZERO));
                    clock.advance(RECOVERY / 4);
                }
                Poll::Ready(_) => {
                    count(admitted);
                }
                Poll::Pending => unreachable!("the future is ready"),
            }
            if thread == 0 && call % 500 == 0 {
                let kept = breakers[index].config();
                replaced.lock().expect("not poisoned").push(kept);
                let window = Window::calls(10 + u32::try_from(index).expect("fits in u32"));
                let rule = TripRule::failures(3).over(window);
                let failures = 2 + u32::from(call % 1_000 == 0);
                breakers[index]
                    .configure(|settings| settings.trip_rules([rule]).failure_threshold(failures))
                    .expect("valid settings");
            }
            concurrency.leave();
        }
    });
    assert!(concurrency.peak() > 1, "the threads never ran concurrently");
    for ((breaker, transitions), (admitted, refused)) in
        breakers.iter().zip(&transition_logs).zip(&counters)
    {
        let totals = breaker.snapshot().totals;
        assert_eq!(ended(&totals), read(admitted));
        assert_eq!(totals.refused, read(refused));
        let changes = transitions.assert_contiguous(breaker);
        assert!(changes.opened > 0 && changes.closed > 0);
    }
}
