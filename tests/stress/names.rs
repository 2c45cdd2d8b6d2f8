//! Calls by name from every thread, while the settings of what they call change.

use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

const NAMES: [&str; 3] = ["users", "payments", "search"];

/// Each thread finds the breakers in its own table, and those that refuse by a place of its own.
#[test]
fn threads_that_call_by_name_and_reconfigure_lose_no_call() {
    const CALLS: usize = 20_000;
    let clock = ManualClock::new();
    let chains = NAMES.map(|_| Chain::default());
    let registry = BreakerRegistry::new();
    let breakers: Vec<_> = NAMES
        .iter()
        .zip(&chains)
        .map(|(name, chain)| {
            let settings = chain.heard_by(settings(&clock).failure_threshold(3));
            registry.register(*name, settings).expect("a free name")
        })
        .collect();
    let crowd = Crowd::default();
    let counters = NAMES.map(|_| (AtomicU64::new(0), AtomicU64::new(0)));
    // Settings that were replaced are kept, so that no thread ends what another has read.
    let replaced = Mutex::new(Vec::new());
    on_threads(|thread| {
        for call in 0..CALLS {
            let at = (call + thread) % NAMES.len();
            let (passed, refused) = &counters[at];
            crowd.enter();
            let work = std::future::ready(if call % 5 < 2 { Err(()) } else { Ok(()) });
            let guarded = pin!(work.with_breaker(&registry, NAMES[at]));
            match guarded.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Err(BreakerError::Open(open))) => {
                    count(refused);
                    assert_eq!(open.name(), NAMES[at]);
                    assert!(open.retry_after() > Some(Duration::ZERO));
                    clock.advance(RECOVERY / 4);
                }
                Poll::Ready(_) => {
                    count(passed);
                }
                Poll::Pending => unreachable!("it is ready"),
            }
            if thread == 0 && call % 500 == 0 {
                let kept = breakers[at].config();
                replaced.lock().expect("no poison").push(kept);
                let window = Window::calls(10 + u32::try_from(at).expect("a small number"));
                let rule = TripRule::failures(3).over(window);
                let failures = 2 + u32::from(call % 1_000 == 0);
                breakers[at]
                    .configure(|settings| settings.trip_rules([rule]).failure_threshold(failures))
                    .expect("settings that work");
            }
            crowd.leave();
        }
    });
    assert!(crowd.most() > 1, "the threads never met");
    for ((breaker, chain), (passed, refused)) in breakers.iter().zip(&chains).zip(&counters) {
        let totals = breaker.snapshot().totals;
        assert_eq!(ended(&totals), read(passed));
        assert_eq!(totals.refused, read(refused));
        let changes = chain.finish(breaker);
        assert!(changes.opened > 0 && changes.closed > 0);
    }
}
