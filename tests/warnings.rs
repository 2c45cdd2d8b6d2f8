//! Warnings on standard error. Each test runs its work in a child process, because the test harness
//! captures output, and environment variables apply to the whole process.
#![cfg(all(debug_assertions, feature = "macros", not(any(loom, shuttle, tsan))))]
#![allow(missing_docs)]

use breakerbox::prelude::*;
use futures_util::stream;
use std::fmt;
use std::io::{Read, stdin};
use std::pin::pin;
use std::process::{Command, Stdio, exit};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::{env, panic};

const CHILD: &str = "BREAKERBOX_WARNINGS_CHILD";
const SILENT: (&str, &str) = ("BREAKERBOX_WARN", "0");

/// Returns a command that runs `test` again in a child process. In the child, runs `work` and exits.
fn child(test: &str, vars: &[(&str, &str)], work: fn()) -> Command {
    if env::var_os(CHILD).is_some() {
        work();
        exit(0);
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env_remove("BREAKERBOX_WARN")
        .envs(vars.iter().copied());
    command
}

/// Returns the warnings that `work` prints, in a child process that runs `test` again.
fn printed(test: &str, vars: &[(&str, &str)], work: fn()) -> Vec<String> {
    let output = child(test, vars, work).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{printed}");
    let warnings = printed
        .lines()
        .filter_map(|l| l.strip_prefix("breakerbox: "));
    warnings.map(str::to_owned).collect()
}

#[track_caller]
fn assert_one(warnings: &[String], parts: &[&str]) {
    let [warning] = warnings else {
        panic!("expected one warning: {warnings:?}")
    };
    for part in parts {
        assert!(warning.contains(part), "{part} is missing: {warning}");
    }
}

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder()
        .name("users-api")
        .expected_error::<fmt::Error>()
}

/// Makes calls that are cancelled.
fn cancel(breaker: &CircuitBreaker, calls: usize) {
    for _ in 0..calls {
        drop(breaker.try_acquire().unwrap());
    }
}

fn fail_with_unknown_type(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

#[test]
fn unknown_error_type_is_printed_once() {
    let warnings = printed("unknown_error_type_is_printed_once", &[], || {
        let breaker = builder().build().unwrap();
        fail_with_unknown_type(&breaker);
        fail_with_unknown_type(&breaker);
        let _ = breaker.call(|| Err::<(), _>(7_u64));
    });
    assert_one(&warnings, &["\"users-api\"", "`&str`", "expected_error"]);
}

#[test]
fn cancelled_calls_are_printed_once() {
    let warnings = printed("cancelled_calls_are_printed_once", &[], || {
        let breaker = builder().build().unwrap();
        cancel(&breaker, 4);
        breaker.call(|| Ok::<_, fmt::Error>(())).unwrap();
        cancel(&breaker, 4);
        breaker.call(|| Ok::<_, fmt::Error>(())).unwrap();
        cancel(&breaker, 100);
        breaker.call(|| Ok::<_, fmt::Error>(())).unwrap();
        cancel(&breaker, 100);
    });
    let parts = [
        "\"users-api\"",
        "timeout outside the breaker",
        "`.timeout(…)`",
    ];
    assert_one(&warnings, &parts);
    let permit = "let permit = breaker.try_acquire()?; call()?; permit.success()";
    assert_one(&warnings, &["5 calls of breaker", permit, "record_result"]);
}

#[test]
fn dropped_futures_are_printed_once() {
    let warnings = printed("dropped_futures_are_printed_once", &[], || {
        let breaker = builder().build().unwrap();
        for _ in 0..5 {
            let call = std::future::pending::<Result<(), fmt::Error>>().guarded_by(&breaker);
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(pin!(call).poll(cx).is_pending());
        }
    });
    assert_one(&warnings, &["\"users-api\"", "5 calls of breaker"]);
}

#[test]
fn each_breaker_and_kind_is_printed() {
    let warnings = printed("each_breaker_and_kind_is_printed", &[], || {
        // Two breakers with the same name, and two breakers of a registry.
        let registry = BreakerRegistry::builder().default_preset(builder());
        let registry = registry.build().unwrap();
        let two = [builder().build().unwrap(), builder().build().unwrap()];
        let others = [registry.breaker("a"), registry.breaker("b")];
        for breaker in two.iter().chain(&others) {
            fail_with_unknown_type(breaker);
            cancel(breaker, 5);
        }
    });
    let count_containing = |part: &str| warnings.iter().filter(|text| text.contains(part)).count();
    assert_eq!(count_containing("no rule"), 4, "{warnings:?}");
    assert_eq!(count_containing("in a row"), 4, "{warnings:?}");
    assert_eq!(count_containing("\"users-api\""), 4, "{warnings:?}");
    assert_eq!(count_containing("\"a\""), 2, "{warnings:?}");
}

type CallResult = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[circuit(name = "users", registry = registry, failure_threshold = 3)]
fn fetch(registry: &BreakerRegistry) -> CallResult {
    Ok(())
}

struct FirstType;
struct SecondType;

impl FirstType {
    #[circuit(registry = registry)]
    fn connect(registry: &BreakerRegistry) -> CallResult {
        Ok(())
    }
}

impl SecondType {
    #[circuit(registry = registry)]
    fn connect(registry: &BreakerRegistry) -> CallResult {
        Ok(())
    }
}

#[test]
fn ignored_settings_are_printed_once() {
    let warnings = printed("ignored_settings_are_printed_once", &[], || {
        let registry = BreakerRegistry::new();
        registry.breaker_with("users", || builder().failure_threshold(9));
        (0..3).for_each(|_| fetch(&registry).unwrap());
    });
    assert_one(
        &warnings,
        &["\"users\"", "tests/warnings.rs:", "in one place"],
    );
}

#[test]
fn shared_default_name_is_printed_once() {
    let warnings = printed("shared_default_name_is_printed_once", &[], || {
        let registry = BreakerRegistry::new();
        for _ in 0..3 {
            FirstType::connect(&registry).unwrap();
            SecondType::connect(&registry).unwrap();
        }
    });
    let parts = ["\"connect\"", "tests/warnings.rs:", "name = "];
    assert_one(&warnings, &parts);
}

#[test]
fn refused_settings_are_printed() {
    let warnings = printed("refused_settings_are_printed", &[], || {
        let registry = BreakerRegistry::new();
        for _ in 0..3 {
            registry.breaker_with("users", || builder().half_open_calls(0));
        }
    });
    assert_one(
        &warnings,
        &["\"users\"", "half_open_calls is 0", "1 to 1000"],
    );
}

#[test]
fn untracked_breakers_are_printed_once_per_registry() {
    let warnings = printed(
        "untracked_breakers_are_printed_once_per_registry",
        &[],
        || {
            let registry = BreakerRegistry::builder().capacity(1).build().unwrap();
            let _held = registry.breaker("first");
            for name in 0..100 {
                registry.breaker(format!("tenant:{name}"));
                registry.breaker_with("", || builder().half_open_calls(0));
            }
        },
    );
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let has = |part: &str| warnings.iter().any(|warning| warning.contains(part));
    assert!(has("registry is full") && has("capacity"), "{warnings:?}");
    assert!(has("1 to 256 bytes") && has("cannot work"), "{warnings:?}");
}

#[test]
fn result_inside_ok_is_printed_once() {
    let warnings = printed("result_inside_ok_is_printed_once", &[], || {
        let breaker = builder().build().unwrap();
        for _ in 0..3 {
            let nested = async { Ok::<Result<(), &str>, fmt::Error>(Err("down")) };
            drop(nested.guarded_by(&breaker));
        }
    });
    assert_one(
        &warnings,
        &["tests/warnings.rs:", "`Result` inside an `Ok`"],
    );
}

#[test]
fn result_inside_item_is_printed_once() {
    let warnings = printed("result_inside_item_is_printed_once", &[], || {
        let breaker = builder().build().unwrap();
        for _ in 0..3 {
            let nested = stream::iter([Ok::<Result<(), &str>, fmt::Error>(Err("down"))]);
            drop(nested.guarded_by(&breaker));
        }
    });
    let parts = [
        "tests/warnings.rs:",
        "`Result` inside an `Ok`",
        ".idle_timeout(…)",
    ];
    assert_one(&warnings, &parts);
}

/// Makes each mistake that an event reports.
fn make_mistakes(registry: &BreakerRegistry) {
    let users = registry.breaker("users");
    fail_with_unknown_type(&users);
    cancel(&users, 5);
    registry.breaker_with("refused", || builder().half_open_calls(0));
    registry.breaker("");
}

/// Makes each mistake that causes a warning.
fn make_all_mistakes() {
    let registry = BreakerRegistry::builder()
        .default_preset(builder())
        .build()
        .unwrap();
    make_mistakes(&registry);
    let users = registry.breaker("users");
    let nested = async { Ok::<Result<(), &str>, fmt::Error>(Err("down")) };
    drop(nested.guarded_by(&users));
}

#[test]
fn environment_turns_warnings_off() {
    let test = "environment_turns_warnings_off";
    assert_eq!(printed(test, &[SILENT], make_all_mistakes), [""; 0]);
    for other in ["1", "", "00", "false"] {
        let vars = [("BREAKERBOX_WARN", other)];
        assert_eq!(
            printed(test, &vars, make_all_mistakes).len(),
            5,
            "{other:?}"
        );
    }
}

#[test]
fn listener_of_the_breaker_silences_warnings() {
    let warnings = printed("listener_of_the_breaker_silences_warnings", &[], || {
        let breaker = builder().on_event(|_| {}).build().unwrap();
        fail_with_unknown_type(&breaker);
        cancel(&breaker, 5);
    });
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn change_listener_silences_warnings() {
    let warnings = printed("change_listener_silences_warnings", &[], || {
        let breaker = builder().on_change(|_| {}).build().unwrap();
        fail_with_unknown_type(&breaker);
        let breaker = builder().build().unwrap();
        let _changes = breaker.subscribe_changes();
        cancel(&breaker, 5);
    });
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn listener_of_the_registry_silences_warnings() {
    let warnings = printed("listener_of_the_registry_silences_warnings", &[], || {
        let registry = BreakerRegistry::builder()
            .default_preset(builder())
            .on_event(|_| {})
            .build()
            .unwrap();
        make_mistakes(&registry);
    });
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn subscriber_silences_warnings_while_it_reads() {
    let warnings = printed("subscriber_silences_warnings_while_it_reads", &[], || {
        let breaker = builder().build().unwrap();
        let events = breaker.subscribe();
        cancel(&breaker, 5);
        drop(events);
        breaker.call(|| Ok::<_, fmt::Error>(())).unwrap();
        cancel(&breaker, 5);
    });
    assert_one(&warnings, &["5 calls of breaker"]);
}

#[test]
#[cfg(feature = "metrics")]
fn duration_metrics_silence_no_warnings() {
    let warnings = printed("duration_metrics_silence_no_warnings", &[], || {
        let registry = BreakerRegistry::new();
        let reporter = breakerbox::metrics::builder().durations(true);
        let _reporter = reporter.install(&registry).unwrap();
        cancel(&registry.breaker("users"), 5);
    });
    assert_one(&warnings, &["5 calls of breaker"]);
}

#[test]
fn hostile_names_are_escaped() {
    let warnings = printed("hostile_names_are_escaped", &[], || {
        let registry = BreakerRegistry::builder().default_preset(builder());
        let registry = registry.build().unwrap();
        fail_with_unknown_type(&registry.breaker("a\nbreakerbox: \u{1b}[31m\u{202e}b"));
    });
    assert_one(&warnings, &["a\\nbreakerbox: \\u{1b}[31m\\u{202e}b"]);
}

#[test]
fn process_prints_at_most_hundred_warnings() {
    let warnings = printed("process_prints_at_most_hundred_warnings", &[], || {
        for _ in 0..1_000 {
            fail_with_unknown_type(&builder().build().unwrap());
        }
    });
    assert_eq!(warnings.len(), 101);
    assert_eq!(warnings[100], "further warnings are not printed");
}

#[test]
fn closed_standard_error_does_not_panic() {
    let mut command = child("closed_standard_error_does_not_panic", &[], || {
        panic::set_hook(Box::new(|_| exit(101)));
        let mut closed = String::new();
        stdin().read_to_string(&mut closed).unwrap();
        make_all_mistakes();
        exit(42);
    });
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn concurrent_warnings_are_whole_lines() {
    let warnings = printed("concurrent_warnings_are_whole_lines", &[], || {
        let breakers: Arc<[_]> = (0..40).map(|_| builder().build().unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| breakers.iter().for_each(fail_with_unknown_type));
            }
        });
    });
    assert_eq!(warnings.len(), 40, "{warnings:?}");
    assert!(warnings.iter().all(|warning| *warning == warnings[0]));
}
