//! Commands and new settings while calls come and go.

use super::*;

type Command = fn(&CircuitBreaker);

const COMMANDS: [Command; 8] = [
    CircuitBreaker::trip,
    |breaker| breaker.trip_for(3 * SECOND),
    CircuitBreaker::half_open,
    CircuitBreaker::force_open,
    CircuitBreaker::metrics_only,
    CircuitBreaker::reset,
    |breaker| {
        let minute = Window::time(60 * SECOND);
        let rules = [TripRule::failures(any(&[1, 3])).over(minute)];
        configure(breaker, |settings| settings.trip_rules(rules));
    },
    |breaker| {
        let calls = any(&[1, 2, 5]);
        configure(breaker, |settings| {
            settings.failure_threshold(calls).half_open_calls(calls)
        });
    },
];

fn configure(breaker: &CircuitBreaker, change: impl FnOnce(BreakerBuilder) -> BreakerBuilder) {
    breaker.configure(change).expect("settings that work");
}

fn commander(breaker: &CircuitBreaker, commands: usize) -> shuttle::future::JoinHandle<()> {
    let breaker = breaker.clone();
    spawn(async move {
        for _ in 0..commands {
            any(&COMMANDS)(&breaker);
            yields(1).await;
        }
    })
}

/// Two who command and two who call: nothing is lost, and every change is told in its order.
#[test]
fn commands_lose_no_call_and_no_change() {
    explore("commands", move |time, happened| async move {
        let chain = Chain::default();
        let breaker = build(chain.heard_by(time.settings().failure_threshold(2)));
        let books = Books::default();
        let commanders = [(); 2].map(|()| commander(&breaker, 3));
        let callers = [(); 2].map(|()| {
            let (breaker, books) = (breaker.clone(), books.clone());
            spawn(async move {
                for _ in 0..2 {
                    let end = any(&[End::Ok, End::Err, End::Panic]);
                    call(end, any(&WAYS), &breaker, &books).await;
                }
            })
        });
        yields(4).await;
        time.pass(6 * SECOND);
        for task in commanders.into_iter().chain(callers) {
            task.await.expect("a task that ends");
        }
        let snapshot = breaker.snapshot();
        books.agree_with(&snapshot.totals);
        books.tell(&happened, &snapshot.totals);
        let changes = chain.unbroken(&breaker);
        happened.note("changes", changes.len() as u64);
        breaker.reset();
        let last = chain.unbroken(&breaker).last().map(|(_, to)| *to);
        assert!(last.is_none_or(|to| to == State::Closed), "{last:?}");
        time.assert_revives(&breaker);
    });
}

/// While somebody trips, resets and reconfigures, a refusal tells of a deadline that was set.
#[test]
fn what_a_refusal_says_was_so() {
    explore("what refusals say", move |time, happened| async move {
        let breaker = build(time.settings());
        let steered = breaker.clone();
        let steers = spawn(async move {
            steered.trip();
            steered.trip_for(90 * SECOND);
            steered.reset();
            steered.trip_for(60 * SECOND);
        });
        let askers = [(); 2].map(|()| {
            let (breaker, happened) = (breaker.clone(), happened.clone());
            spawn(async move {
                for _ in 0..3 {
                    if let Err(open) = breaker.try_acquire() {
                        let left = open.retry_after().expect("an end").as_secs();
                        assert!([10, 60, 90].contains(&left), "{left} s");
                        happened.note("refused", 1);
                    }
                    let left = breaker.open_remaining().map(|left| left.as_secs());
                    assert!(left.is_none_or(|left| [10, 60, 90].contains(&left)));
                }
            })
        });
        for task in askers.into_iter().chain([steers]) {
            task.await.expect("a task that ends");
        }
        assert_eq!(breaker.open_remaining(), Some(60 * SECOND));
    });
}

/// A refusal is counted where its thread keeps what its errors say. While such threads end, and take that
/// with them, whoever looks never sees the total go back, and at last all are in it.
#[test]
fn refusals_are_counted_once() {
    explore("refusals counted", move |time, happened| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let refused = |breaker: &CircuitBreaker| breaker.snapshot().totals.refused;
        let callers = [(); 2].map(|()| {
            let breaker = breaker.clone();
            shuttle::thread::spawn(move || {
                let held = breaker.try_acquire().expect_err("it is open");
                for _ in 0..2 {
                    drop(breaker.try_acquire().expect_err("it is open"));
                }
                held
            })
        });
        let mut seen = 0;
        for _ in 0..4 {
            let now = refused(&breaker);
            assert!(now >= seen, "{now} after {seen}");
            happened.note("seen meanwhile", u64::from(0 < now && now < 6));
            seen = now;
            yield_now().await;
        }
        let held = callers.map(|caller| caller.join().expect("no panic"));
        assert_eq!(refused(&breaker), 6);
        drop(held);
        drop(breaker.try_acquire().expect_err("it is open"));
        assert_eq!(refused(&breaker), 7);
    });
}
