//! The integration with `tracing`, against real subscribers.
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Subscribers of other tests of this process would be asked as well: one at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What a subscriber wrote, one JSON object a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn subscriber(&self, filter: &str) -> impl tracing::Subscriber + Send + Sync + use<> {
        let json = fmt::layer().json().without_time().with_writer(self.clone());
        Registry::default().with(EnvFilter::new(filter)).with(json)
    }

    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn messages(&self) -> Vec<(String, String)> {
        let both = |line: &Value| {
            let level = line["level"].as_str().unwrap().to_owned();
            (level, text(line, "message").to_owned())
        };
        self.take().iter().map(both).collect()
    }
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line["fields"][field].as_str().unwrap()
}

/// Runs `work` with a subscriber that takes what `filter` says, on this thread.
fn logged(filter: &str, work: impl FnOnce(&Lines)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber(filter), || work(&lines));
}

fn fails(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeeds(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Ok::<_, ()>(()));
}

fn strings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(level, message)| ((*level).to_owned(), (*message).to_owned()))
        .collect()
}

#[test]
fn builder_has_auto_traits() {
    fn plain<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    plain::<breakerbox::tracing::LogBuilder>();
}

#[test]
fn a_change_of_state_carries_its_figures() {
    logged("info", |lines| {
        let clock = ManualClock::new();
        let rule = TripRule::failure_rate(0.5)
            .over(Window::calls(10))
            .minimum_calls(4);
        let registry = BreakerRegistry::builder()
            .default_preset(CircuitBreaker::builder().trip_when(rule))
            .clock(clock.clone())
            .build()
            .unwrap();
        breakerbox::tracing::install(&registry);
        let users = registry.breaker("users-api");
        succeeds(&users);
        (0..3).for_each(|_| fails(&users));
        clock.advance(Duration::from_secs(30));
        succeeds(&users);
        users.because("INC-123").by("alice").force_open();

        let seen = lines.take();
        let changes: Vec<_> = seen
            .iter()
            .map(|line| {
                assert_eq!(line["target"], "breakerbox");
                assert_eq!(text(line, "breaker"), "users-api");
                (
                    line["level"].as_str().unwrap(),
                    text(line, "from"),
                    text(line, "to"),
                )
            })
            .collect();
        assert_eq!(
            changes,
            [
                ("WARN", "closed", "open"),
                ("INFO", "open", "half_open"),
                ("INFO", "half_open", "closed"),
                ("WARN", "closed", "forced_open"),
            ]
        );
        let opened = &seen[0]["fields"];
        assert_eq!(opened["message"], "circuit opened");
        assert_eq!(
            opened["cause"],
            "failure rate 50% over 10 calls: 3 of 4, 75%"
        );
        assert_eq!(opened["rule"], "failure rate 50% over 10 calls");
        assert_eq!(
            (&opened["recorded"], &opened["failed"]),
            (&4.into(), &3.into())
        );
        assert_eq!(
            (&opened["rate"], &opened["retry_after_secs"]),
            (&0.75.into(), &30.0.into())
        );
        assert_eq!(text(&seen[3], "cause"), "a command by alice: INC-123");
        assert_eq!(text(&seen[3], "reason"), "INC-123");
        assert_eq!(text(&seen[3], "actor"), "alice");
        for field in ["rule", "rate", "retry_after_secs"] {
            assert_eq!(seen[3]["fields"].get(field), None, "{field}");
        }
        for field in ["reason", "actor"] {
            assert_eq!(opened.get(field), None, "{field}");
        }
    });
}

#[test]
fn requested_calls_are_logged_in_callers_span() {
    logged("breakerbox=trace,info", |lines| {
        let clock = ManualClock::new();
        let breaker = CircuitBreaker::builder()
            .name("ledger")
            .failure_threshold(1)
            .clock(clock.clone())
            .build()
            .unwrap();
        breakerbox::tracing::install_for(&breaker);
        // Requested later, and twice.
        for _ in 0..2 {
            breakerbox::tracing::builder()
                .calls(true)
                .install_for(&breaker);
        }
        let span = tracing::info_span!("checkout", order = 7);
        span.in_scope(|| {
            succeeds(&breaker);
            fails(&breaker);
            clock.advance(Duration::from_nanos(487_210_209));
            fails(&breaker);
        });
        let seen = lines.take();
        let told: Vec<_> = seen
            .iter()
            .map(|line| (line["level"].as_str().unwrap(), text(line, "message")))
            .collect();
        assert_eq!(
            told,
            [
                ("TRACE", "call recorded"),
                ("WARN", "circuit opened"),
                ("TRACE", "call recorded"),
                ("TRACE", "call refused"),
            ]
        );
        assert!(seen.iter().all(|line| line["span"]["name"] == "checkout"
            && line["spans"].as_array().unwrap().len() == 1));
        assert_eq!(text(&seen[2], "outcome"), "Failure");
        assert_eq!(text(&seen[3], "reason"), "Open");
        assert_eq!(seen[3]["fields"]["retry_after_secs"], 29.51279);
    });
}

#[test]
fn calls_are_not_logged_unless_requested() {
    logged("trace", |lines| {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        breakerbox::tracing::builder()
            .calls(false)
            .install(&registry);
        let users = registry.breaker("users");
        succeeds(&users);
        users.trip();
        fails(&users);
        let expected = [("DEBUG", "breaker added"), ("WARN", "circuit opened")];
        assert_eq!(lines.messages(), strings(&expected));

        breakerbox::tracing::builder()
            .calls(true)
            .install(&registry);
        fails(&users);
        registry.breaker("new");
        succeeds(&registry.breaker("new"));
        let expected = [
            ("TRACE", "call refused"),
            ("DEBUG", "breaker added"),
            ("TRACE", "call recorded"),
        ];
        assert_eq!(lines.messages(), strings(&expected));
    });
}

#[test]
fn texts_with_spaces_are_quoted() {
    let text = plain(|registry| {
        registry
            .breaker_with("users", || CircuitBreaker::builder().failure_threshold(0))
            .because("INC 123")
            .force_open();
        let rule = TripRule::failure_rate(0.5).over(Window::calls(2));
        let settings = CircuitBreaker::builder().trip_when(rule);
        let orders = registry.breaker_with("orders", || settings.clone());
        fails(&orders);
        fails(&orders);
    });
    for field in [
        r#"cause="a command: INC 123""#,
        r#"reason="INC 123""#,
        r#"error="failure_threshold is 0, but must be"#,
        r#"rule="failure rate 50% over 2 calls""#,
        r#"cause="failure rate 50% over 2 calls: 2 of 2, 100%""#,
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    // Outside quotes, each word after the message is a field.
    for line in text.lines() {
        let unquoted: String = line.split('"').step_by(2).collect();
        let (_, fields) = unquoted.split_once("breaker=").unwrap();
        assert!(
            fields.split_whitespace().all(|word| word.contains('=')),
            "{line}"
        );
    }
}

/// What is not about one call or one change of state.
#[test]
fn the_rest_is_told_at_its_level() {
    #[derive(Debug)]
    struct Other;
    logged("breakerbox=debug", |lines| {
        let registry = BreakerRegistry::builder()
            .default_preset(CircuitBreaker::builder().expected_error::<std::fmt::Error>())
            .capacity(1)
            .on_event(|event| assert!(!matches!(event, Event::BreakerRemoved { .. }), "boom"))
            .build()
            .unwrap();
        breakerbox::tracing::install(&registry);
        let users = registry.breaker("users");
        let _ = users.call(|| Err::<(), _>(Other));
        (0..6).for_each(|_| drop(users.try_acquire()));
        (0..3).for_each(|_| drop(registry.breaker("no room")));
        registry.breaker_with("", || CircuitBreaker::builder().failure_threshold(0));
        registry
            .configure(
                "users",
                CircuitBreaker::builder()
                    .own_error_rules()
                    .failure_threshold(1),
            )
            .unwrap();
        users.metrics_only();
        fails(&users);
        users.disable();
        registry.remove("users");
        let expected = [
            ("DEBUG", "breaker added"),
            ("WARN", "error of a type that no rule knows"),
            (
                "WARN",
                "calls are cancelled again and again: is there a timeout outside the breaker?",
            ),
            ("WARN", "breaker not kept"),
            ("WARN", "breaker not kept"),
            ("DEBUG", "breaker not kept"),
            ("WARN", "breaker not kept"),
            ("ERROR", "settings refused"),
            ("INFO", "breaker configured"),
            ("INFO", "circuit only watches"),
            ("INFO", "circuit would have opened"),
            ("INFO", "circuit disabled"),
            ("ERROR", "listener panicked"),
            ("DEBUG", "breaker removed"),
        ];
        let mut told = lines.messages();
        // The panic happens while the removal is told, before or after it came here.
        told[12..].sort();
        told[12..].reverse();
        assert_eq!(told, strings(&expected));
    });
}

#[test]
fn installed_twice_it_logs_once() {
    logged("trace", |lines| {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        breakerbox::tracing::install(&registry.clone());
        registry.breaker("users").trip();
        let expected = [("DEBUG", "breaker added"), ("WARN", "circuit opened")];
        assert_eq!(lines.messages(), strings(&expected));
    });
}

/// Returns what a subscriber for people writes while `work` uses a registry.
fn plain(work: impl FnOnce(&BreakerRegistry)) -> String {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    let layer = fmt::layer()
        .with_ansi(false)
        .without_time()
        .with_writer(lines.clone());
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        work(&registry);
    });
    let bytes = lines.0.lock().unwrap();
    String::from_utf8(bytes.clone()).unwrap()
}

/// Names come from user input: they neither begin a line of the log nor colour it.
#[test]
fn a_hostile_name_stays_within_its_line() {
    let text = plain(|registry| {
        let name = "a\nWARN breakerbox: circuit opened \u{1b}[31m";
        registry
            .breaker(name)
            .because("x\ny")
            .by("\u{202e}z\n")
            .force_open();
    });
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
}

#[test]
fn reloaded_filter_takes_effect_on_closed_circuits() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = BreakerRegistry::new();
    breakerbox::tracing::builder()
        .calls(true)
        .install(&registry);
    let (held, alone) = (
        registry.breaker("users"),
        CircuitBreaker::builder().build().unwrap(),
    );
    breakerbox::tracing::builder()
        .calls(true)
        .install_for(&alone);
    let both = || {
        succeeds(&held);
        succeeds(&alone);
    };
    // No subscriber at all.
    both();

    let lines = Lines::default();
    let (filter, handle) = reload::Layer::new(EnvFilter::new("info"));
    let json = fmt::layer()
        .json()
        .without_time()
        .with_writer(lines.clone());
    let subscriber = Registry::default().with(filter).with(json);
    tracing::subscriber::with_default(subscriber, || {
        both();
        assert_eq!(lines.messages(), []);
        handle.reload(EnvFilter::new("breakerbox=trace")).unwrap();
        both();
        let told = [("TRACE", "call recorded"); 2];
        assert_eq!(lines.messages(), strings(&told));
        handle.reload(EnvFilter::new("info")).unwrap();
        both();
        assert_eq!(lines.messages(), []);
    });
}

/// Listeners of a registry log when they are dropped, while subscribers are set and reset.
#[test]
fn subscribers_may_come_while_registries_go() {
    struct Logs;
    impl Drop for Logs {
        fn drop(&mut self) {
            tracing::info!("a closure is dropped");
        }
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    std::thread::scope(|scope| {
        let lines = &lines;
        scope.spawn(move || {
            for _ in 0..200 {
                let level = tracing::subscriber::set_default(lines.subscriber("trace"));
                drop(level);
                let _ = tracing::subscriber::set_default(lines.subscriber("off"));
            }
        });
        for _ in 0..300 {
            let logs = Logs;
            let settings = CircuitBreaker::builder().on_event(move |_| {
                let _ = &logs;
            });
            let registry = BreakerRegistry::builder()
                .default_preset(settings)
                .build()
                .unwrap();
            breakerbox::tracing::install(&registry);
            succeeds(&registry.breaker("users"));
        }
    });
    // It still works afterwards.
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber("info"), || {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        registry.breaker("users").trip();
    });
    assert_eq!(lines.messages(), strings(&[("WARN", "circuit opened")]));
}
