//! Commands and new settings, concurrent with calls.

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
        let rules = [TripRule::failures(choose(&[1, 3])).over(minute)];
        configure(breaker, |settings| settings.trip_rules(rules));
    },
    |breaker| {
        let calls = choose(&[1, 2, 5]);
        configure(breaker, |settings| {
            settings.failure_threshold(calls).half_open_calls(calls)
        });
    },
];

fn configure(breaker: &CircuitBreaker, change: impl FnOnce(BreakerBuilder) -> BreakerBuilder) {
    breaker.configure(change).expect("valid settings");
}

fn spawn_commands(breaker: &CircuitBreaker, commands: usize) -> shuttle::future::JoinHandle<()> {
    let breaker = breaker.clone();
    spawn(async move {
        for _ in 0..commands {
            choose(&COMMANDS)(&breaker);
            yield_up_to(1).await;
        }
    })
}

/// Two tasks send commands and two make calls. Each call is counted, and each change is reported in order.
#[test]
fn commands_lose_no_call_or_transition() {
    explore("commands", move |time, cases| async move {
        let transitions = TransitionLog::default();
        let breaker = build(transitions.observe(time.settings().failure_threshold(2)));
        let counts = CallCounts::default();
        let commanders = [(); 2].map(|()| spawn_commands(&breaker, 3));
        let callers = [(); 2].map(|()| {
            let (breaker, counts) = (breaker.clone(), counts.clone());
            spawn(async move {
                for _ in 0..2 {
                    let outcome = choose(&[End::Ok, End::Err, End::Panic]);
                    call(outcome, choose(&CALL_STYLES), &breaker, &counts).await;
                }
            })
        });
        yield_up_to(4).await;
        time.advance(6 * SECOND);
        for task in commanders.into_iter().chain(callers) {
            task.await.expect("the task should not panic");
        }
        let snapshot = breaker.snapshot();
        counts.assert_agree_with(&snapshot.totals);
        counts.count_cases(&cases, &snapshot.totals);
        let changes = transitions.assert_contiguous(&breaker);
        cases.count("changes", changes.len() as u64);
        breaker.reset();
        let last = transitions
            .assert_contiguous(&breaker)
            .last()
            .map(|(_, to)| *to);
        assert!(last.is_none_or(|to| to == State::Closed), "{last:?}");
        time.assert_recovers(&breaker);
    });
}

/// While another task trips and resets the circuit, a refusal shows a deadline that was set.
#[test]
fn refusal_shows_deadline_that_was_set() {
    explore("deadlines of refusals", move |time, cases| async move {
        let breaker = build(time.settings());
        let commanded = breaker.clone();
        let command_task = spawn(async move {
            commanded.trip();
            commanded.trip_for(90 * SECOND);
            commanded.reset();
            commanded.trip_for(60 * SECOND);
        });
        let callers = [(); 2].map(|()| {
            let (breaker, cases) = (breaker.clone(), cases.clone());
            spawn(async move {
                for _ in 0..3 {
                    if let Err(open) = breaker.try_acquire() {
                        let remaining = open
                            .retry_after()
                            .expect("the circuit has a deadline")
                            .as_secs();
                        assert!([10, 60, 90].contains(&remaining), "{remaining} s");
                        cases.count("refused", 1);
                    }
                    let remaining = breaker
                        .open_remaining()
                        .map(|remaining| remaining.as_secs());
                    assert!(remaining.is_none_or(|remaining| [10, 60, 90].contains(&remaining)));
                }
            })
        });
        for task in callers.into_iter().chain([command_task]) {
            task.await.expect("the task should not panic");
        }
        assert_eq!(breaker.open_remaining(), Some(60 * SECOND));
    });
}

/// The total of refusals never decreases while threads make refused calls and end, and is complete
/// at the end.
#[test]
fn refusals_are_counted_once() {
    explore("refusals counted", move |time, cases| async move {
        let breaker = build(time.settings());
        breaker.trip();
        let refused = |breaker: &CircuitBreaker| breaker.snapshot().totals.refused;
        let callers = [(); 2].map(|()| {
            let breaker = breaker.clone();
            shuttle::thread::spawn(move || {
                let held = breaker.try_acquire().expect_err("the circuit is open");
                for _ in 0..2 {
                    drop(breaker.try_acquire().expect_err("the circuit is open"));
                }
                held
            })
        });
        let mut seen = 0;
        for _ in 0..4 {
            let now = refused(&breaker);
            assert!(now >= seen, "{now} after {seen}");
            cases.count("read during the calls", u64::from(0 < now && now < 6));
            seen = now;
            yield_now().await;
        }
        let held = callers.map(|caller| caller.join().expect("the thread should not panic"));
        assert_eq!(refused(&breaker), 6);
        drop(held);
        drop(breaker.try_acquire().expect_err("the circuit is open"));
        assert_eq!(refused(&breaker), 7);
    });
}
