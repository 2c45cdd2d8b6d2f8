//! The integration with `tracing`, tested with the subscribers of `tracing-subscriber`.
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::Empty;
use tracing::{Instrument, instrument};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// Serializes the tests: `tracing` caches the interest in a callsite over all subscribers of a process.
static SERIAL: Mutex<()> = Mutex::new(());

/// The output of a subscriber, with one JSON object per line.
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
        let level_and_message = |line: &Value| {
            let level = line["level"].as_str().unwrap().to_owned();
            (level, text(line, "message").to_owned())
        };
        self.take().iter().map(level_and_message).collect()
    }
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line["fields"][field].as_str().unwrap()
}

/// Runs `work` with a subscriber for this thread that applies `filter`.
fn logged(filter: &str, work: impl FnOnce(&Lines)) {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber(filter), || work(&lines));
}

/// Runs `future` with paused time.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeed(breaker: &CircuitBreaker) {
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
    fn assert_traits<T: Send + Sync + Unpin + Clone + std::fmt::Debug + 'static>() {}
    assert_traits::<breakerbox::tracing::LogBuilder>();
}

#[test]
fn change_by_fleet_logs_node_and_reason() {
    use breakerbox::Cause;
    use breakerbox::fleet::{CauseKind, Order, Port};

    logged("breakerbox=info", |lines| {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        registry.breaker("users");
        let port = Port::attach(&registry, |_| {});
        let mark = port.view("users").unwrap().mark;
        let open = Order::OpenFor(Duration::from_secs(7), 0);
        let cause = Cause::fleet("web-7", CauseKind::SlowCalls);
        port.apply("users", mark, open, cause).unwrap();
        let seen = lines.take();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(text(&seen[0], "message"), "circuit opened");
        let cause = "opened by the fleet: web-7, slow calls";
        assert_eq!(text(&seen[0], "cause"), cause);
        assert_eq!(text(&seen[0], "node"), "web-7");
        assert_eq!(text(&seen[0], "why"), "slow");
        assert!(seen[0]["fields"].get("reason").is_none(), "{seen:?}");
    });
}

#[test]
fn state_change_logs_its_cause_and_counts() {
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
        succeed(&users);
        (0..3).for_each(|_| fail(&users));
        clock.advance(Duration::from_secs(30));
        succeed(&users);
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
            "failure rate of 50% over 10 calls: 3 of 4 calls failed, 75%"
        );
        assert_eq!(opened["rule"], "failure rate of 50% over 10 calls");
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
        // Enabling calls afterwards takes effect, and enabling them twice logs them once.
        for _ in 0..2 {
            breakerbox::tracing::builder()
                .calls(true)
                .install_for(&breaker);
        }
        let span = tracing::info_span!("checkout", order = 7);
        span.in_scope(|| {
            succeed(&breaker);
            fail(&breaker);
            clock.advance(Duration::from_nanos(487_210_209));
            fail(&breaker);
        });
        let seen = lines.take();
        let logged: Vec<_> = seen
            .iter()
            .map(|line| (line["level"].as_str().unwrap(), text(line, "message")))
            .collect();
        assert_eq!(
            logged,
            [
                ("TRACE", "call recorded"),
                ("WARN", "circuit opened"),
                ("TRACE", "call recorded"),
                ("TRACE", "call refused"),
            ]
        );
        assert!(seen.iter().all(|line| line["span"]["name"] == "checkout"
            && line["spans"].as_array().unwrap().len() == 1));
        assert_eq!(text(&seen[2], "outcome"), "failure");
        assert_eq!(text(&seen[3], "reason"), "open");
        assert_eq!(seen[3]["fields"]["retry_after_secs"], 29.51279);
    });
}

/// Returns the fields of the span in which `work` runs. The span declares the fields of a call, except
/// `undeclared`.
fn fields_of_span(
    log: breakerbox::tracing::LogBuilder,
    work: impl FnOnce(&CircuitBreaker, &ManualClock),
) -> Value {
    let mut fields = Value::Null;
    logged("info", |lines| {
        let clock = ManualClock::new();
        let registry = BreakerRegistry::builder().clock(clock.clone());
        let default = CircuitBreaker::builder().failure_threshold(2);
        let registry = registry.default_preset(default).build().unwrap();
        log.install(&registry);
        let users = registry.breaker("users");
        let span = tracing::info_span!(
            "request",
            breaker.name = Empty,
            breaker.state = Empty,
            breaker.outcome = Empty,
            breaker.refusal = Empty,
        );
        span.in_scope(|| {
            work(&users, &clock);
            tracing::info!(target: "test", "end");
        });
        fields = lines.take().pop().unwrap()["span"].clone();
    });
    fields
}

fn span_fields(work: impl FnOnce(&CircuitBreaker, &ManualClock)) -> Value {
    fields_of_span(breakerbox::tracing::builder().span_fields(true), work)
}

fn request(state: &str, outcome: &str) -> Value {
    serde_json::json!({
        "name": "request",
        "breaker.name": "users",
        "breaker.state": state,
        "breaker.outcome": outcome,
    })
}

#[test]
fn span_of_admitted_call_has_outcome_and_state() {
    let admitted = span_fields(|users, _| succeed(users));
    assert_eq!(admitted, request("closed", "success"));
    let failed = span_fields(|users, _| fail(users));
    assert_eq!(failed, request("closed", "failure"));
    let ignored = span_fields(|users, _| drop(users.try_acquire()));
    assert_eq!(ignored, request("closed", "ignored"));
    let hint = Outcome::TripFor(Duration::from_secs(5));
    let hinted = span_fields(|users, _| users.try_acquire().unwrap().record(hint));
    assert_eq!(hinted, request("open", "trip_for"));
    let trial = span_fields(|users, clock| {
        users.trip();
        clock.advance(Duration::from_secs(30));
        succeed(users);
    });
    assert_eq!(trial, request("closed", "success"));
}

#[test]
fn span_of_refused_call_has_reason() {
    let refused = |state, refusal: &str| {
        let mut fields = request(state, "refused");
        fields["breaker.refusal"] = refusal.into();
        fields
    };
    let open = span_fields(|users, _| {
        users.trip();
        fail(users);
    });
    assert_eq!(open, refused("open", "open"));
    let forced = span_fields(|users, _| {
        users.force_open();
        fail(users);
    });
    assert_eq!(forced, refused("forced_open", "forced"));
    let taken = span_fields(|users, _| {
        users.half_open();
        let trial = users.try_acquire().unwrap();
        fail(users);
        std::mem::forget(trial);
    });
    assert_eq!(taken, refused("half_open", "trials_taken"));
}

#[test]
fn span_of_joined_call_says_so() {
    logged("info", |lines| {
        let users = CircuitBreaker::builder().name("users").build().unwrap();
        let log = breakerbox::tracing::builder().span_fields(true);
        log.install_for(&users);
        users.half_open();
        let trial = users.try_acquire().unwrap();
        let _ = trial.call(|| {
            let span = tracing::info_span!("nested", breaker.outcome = Empty);
            span.in_scope(|| {
                succeed(&users);
                tracing::info!(target: "test", "end");
            });
            Ok::<_, ()>(())
        });
        let seen = lines.take();
        let end = seen.iter().find(|line| line["target"] == "test").unwrap();
        let expected = serde_json::json!({ "name": "nested", "breaker.outcome": "joined" });
        assert_eq!(end["span"], expected);
    });
}

#[test]
fn span_has_no_fields_unless_requested() {
    let plain = fields_of_span(breakerbox::tracing::builder().calls(true), |users, _| {
        succeed(users);
    });
    assert_eq!(plain, serde_json::json!({ "name": "request" }));
}

/// A future is polled and dropped within the span that instruments it.
#[test]
fn instrumented_future_records_in_its_span() {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    let guard = tracing::subscriber::set_default(lines.subscriber("info"));
    let registry = BreakerRegistry::new();
    breakerbox::tracing::builder()
        .span_fields(true)
        .install(&registry);
    let users = registry.breaker("users");
    let slow = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok::<_, std::fmt::Error>(())
    };
    let span = tracing::info_span!("fetch", breaker.name = Empty, breaker.outcome = Empty);
    let outer = tracing::info_span!("outer", breaker.name = Empty, breaker.outcome = Empty);
    let call = slow.guarded_by(&users).instrument(span.clone());
    block_on(call.instrument(outer.clone())).unwrap();
    span.in_scope(|| tracing::info!("end"));
    outer.in_scope(|| tracing::info!("end"));
    let dropped = tracing::info_span!("dropped", breaker.name = Empty, breaker.outcome = Empty);
    let pending = std::future::pending::<Result<(), ()>>().guarded_by(&users);
    let pending = pending.instrument(dropped.clone());
    let limit = Duration::from_secs(1);
    assert!(block_on(async { tokio::time::timeout(limit, pending).await }).is_err());
    dropped.in_scope(|| tracing::info!("end"));
    drop(guard);
    let spans: Vec<_> = lines
        .take()
        .iter()
        .map(|line| line["span"].clone())
        .collect();
    let expected = serde_json::json!([
        { "name": "fetch", "breaker.name": "users", "breaker.outcome": "success" },
        { "name": "outer" },
        { "name": "dropped", "breaker.name": "users", "breaker.outcome": "ignored" },
    ]);
    assert_eq!(Value::from(spans), expected);
}

#[circuit(name = "above")]
#[instrument(fields(breaker.outcome = Empty))]
fn circuit_above() -> Result<(), BreakerError> {
    Ok(())
}

#[circuit(name = "above async")]
#[instrument(fields(breaker.outcome = Empty))]
async fn async_circuit_above() -> Result<(), BreakerError> {
    tokio::task::yield_now().await;
    Ok(())
}

#[instrument(fields(breaker.outcome = Empty))]
#[circuit(name = "below")]
fn circuit_below() -> Result<(), BreakerError> {
    Ok(())
}

/// The attribute that comes first is expanded first, so the other one wraps its result.
#[test]
fn span_is_around_circuit_if_circuit_comes_first() {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    let json = fmt::layer().json().with_writer(lines.clone());
    let json = json.with_span_events(fmt::format::FmtSpan::CLOSE);
    let guard = tracing::subscriber::set_default(Registry::default().with(json));
    let log = breakerbox::tracing::builder().span_fields(true);
    log.install(BreakerRegistry::global());
    circuit_above().unwrap();
    block_on(async_circuit_above()).unwrap();
    circuit_below().unwrap();
    drop(guard);
    let all = lines.take();
    let closed = all
        .iter()
        .filter(|line| line["fields"]["message"] == "close");
    let spans: Vec<_> = closed.map(|line| line["span"].clone()).collect();
    let expected = serde_json::json!([
        { "name": "circuit_above", "breaker.outcome": "success" },
        { "name": "async_circuit_above", "breaker.outcome": "success" },
        { "name": "circuit_below" },
    ]);
    assert_eq!(Value::from(spans), expected);
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
        succeed(&users);
        users.trip();
        fail(&users);
        let expected = [("DEBUG", "breaker added"), ("WARN", "circuit opened")];
        assert_eq!(lines.messages(), strings(&expected));

        breakerbox::tracing::builder()
            .calls(true)
            .install(&registry);
        fail(&users);
        registry.breaker("new");
        succeed(&registry.breaker("new"));
        let expected = [
            ("TRACE", "call refused"),
            ("DEBUG", "breaker added"),
            ("TRACE", "call recorded"),
        ];
        assert_eq!(lines.messages(), strings(&expected));
    });
}

/// Every state, outcome and reason has one name in texts, logs, metrics and serialized data.
#[test]
fn names_agree_with_metrics_and_serialized_data() {
    type Enter = fn(&CircuitBreaker);
    let states: [(Enter, State); 6] = [
        (CircuitBreaker::reset, State::Closed),
        (CircuitBreaker::trip, State::Open),
        (CircuitBreaker::half_open, State::HalfOpen),
        (CircuitBreaker::force_open, State::ForcedOpen),
        (CircuitBreaker::disable, State::Disabled),
        (CircuitBreaker::metrics_only, State::MetricsOnly),
    ];
    let name_of = |value: Value| value.as_str().unwrap().to_owned();
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    logged("breakerbox=trace", |lines| {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::builder()
            .calls(true)
            .install(&registry);
        let reporter = breakerbox::metrics::install(&registry);
        let users = registry.breaker("users");
        users.force_open();
        for (enter, state) in states {
            lines.take();
            enter(&users);
            assert_eq!(users.state(), state);
            let name = state.as_str();
            assert_eq!(state.to_string(), name);
            assert_eq!(name_of(serde_json::to_value(state).unwrap()), name);
            assert_eq!(text(&lines.take()[0], "to"), name);
            metrics::with_local_recorder(&recorder, || reporter.report());
            let line = format!(r#"breakerbox_state{{breaker="users",state="{name}"}} 1"#);
            let page = recorder.handle().render();
            assert!(page.contains(&line), "{line}: {page}");
        }
        users.reset();
        lines.take();
        for (outcome, name) in [
            (Outcome::Success, "success"),
            (Outcome::Failure, "failure"),
            (Outcome::Ignored, "ignored"),
        ] {
            users.try_acquire().unwrap().record(outcome);
            assert_eq!(text(&lines.take()[0], "outcome"), name);
            metrics::with_local_recorder(&recorder, || reporter.report());
            let line = format!(r#"breakerbox_calls_total{{breaker="users",outcome="{name}"}} 1"#);
            let page = recorder.handle().render();
            assert!(page.contains(&line), "{line}: {page}");
        }
        let hint = Outcome::TripFor(Duration::from_nanos(4_512_789_791));
        users.try_acquire().unwrap().record(hint);
        let line = lines.take().pop().unwrap();
        assert_eq!(text(&line, "outcome"), "trip_for");
        assert_eq!(line["fields"]["trip_for_secs"], 4.51279);
        let mut trials = Vec::new();
        for (enter, refusal) in [
            (CircuitBreaker::trip as Enter, Refusal::Open),
            (CircuitBreaker::force_open, Refusal::Forced),
            (CircuitBreaker::half_open, Refusal::TrialsTaken),
        ] {
            enter(&users);
            trials.extend(users.try_acquire());
            lines.take();
            let reason = users.try_acquire().unwrap_err().reason();
            assert_eq!(reason, refusal);
            let name = name_of(serde_json::to_value(reason).unwrap());
            assert_eq!(text(&lines.take()[0], "reason"), name);
        }
    });
}

#[test]
fn texts_with_spaces_are_quoted() {
    let text = log_text(|registry| {
        registry
            .breaker_with("users", || CircuitBreaker::builder().failure_threshold(0))
            .because("INC 123")
            .force_open();
        let rule = TripRule::failure_rate(0.5).over(Window::calls(2));
        let settings = CircuitBreaker::builder().trip_when(rule);
        let orders = registry.breaker_with("orders", || settings.clone());
        fail(&orders);
        fail(&orders);
    });
    for field in [
        r#"cause="a command: INC 123""#,
        r#"reason="INC 123""#,
        r#"error="failure_threshold is 0, but must be"#,
        r#"rule="failure rate of 50% over 2 calls""#,
        r#"cause="failure rate of 50% over 2 calls: 2 of 2 calls failed, 100%""#,
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

/// Covers the events that concern neither a single call nor a transition between standard states.
#[test]
fn other_events_are_logged_at_their_levels() {
    #[derive(Debug)]
    struct UnknownError;
    logged("breakerbox=debug", |lines| {
        let registry = BreakerRegistry::builder()
            .default_preset(CircuitBreaker::builder().expected_error::<std::fmt::Error>())
            .capacity(1)
            .on_event(|event| assert!(!matches!(event, Event::BreakerRemoved { .. }), "boom"))
            .build()
            .unwrap();
        breakerbox::tracing::install(&registry);
        let users = registry.breaker("users");
        let _ = users.call(|| Err::<(), _>(UnknownError));
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
        fail(&users);
        users.disable();
        registry.remove("users");
        let expected = [
            ("DEBUG", "breaker added"),
            (
                "WARN",
                "error type matches no rule; name it as expected or ignored",
            ),
            (
                "WARN",
                "consecutive calls were cancelled; move timeouts inside the guarded future",
            ),
            ("WARN", "breaker not kept by the registry"),
            ("WARN", "breaker not kept by the registry"),
            ("DEBUG", "breaker not kept by the registry"),
            ("WARN", "breaker not kept by the registry"),
            ("ERROR", "invalid settings refused"),
            ("INFO", "breaker configured"),
            ("INFO", "circuit set to metrics-only"),
            ("INFO", "circuit would have opened"),
            ("INFO", "circuit disabled"),
            ("ERROR", "listener panicked"),
            ("DEBUG", "breaker removed"),
        ];
        let mut logged = lines.messages();
        // The listener panics in the event of the removal. It may run before or after the log.
        logged[12..].sort();
        logged[12..].reverse();
        assert_eq!(logged, strings(&expected));
    });
}

#[test]
fn installing_twice_logs_once() {
    logged("trace", |lines| {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        breakerbox::tracing::install(&registry.clone());
        registry.breaker("users").trip();
        let expected = [("DEBUG", "breaker added"), ("WARN", "circuit opened")];
        assert_eq!(lines.messages(), strings(&expected));
    });
}

/// Returns the plain text that a subscriber writes while `work` uses a registry.
fn log_text(work: impl FnOnce(&BreakerRegistry)) -> String {
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Names may come from user input. They must not start a line of the log or change its color.
#[test]
fn hostile_name_stays_within_its_line() {
    let text = log_text(|registry| {
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
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let registry = BreakerRegistry::new();
    breakerbox::tracing::builder()
        .calls(true)
        .install(&registry);
    let (registered, standalone) = (
        registry.breaker("users"),
        CircuitBreaker::builder().build().unwrap(),
    );
    breakerbox::tracing::builder()
        .calls(true)
        .install_for(&standalone);
    let call_both = || {
        succeed(&registered);
        succeed(&standalone);
    };
    // The first calls run without a subscriber.
    call_both();

    let lines = Lines::default();
    let (filter, handle) = reload::Layer::new(EnvFilter::new("info"));
    let json = fmt::layer()
        .json()
        .without_time()
        .with_writer(lines.clone());
    let subscriber = Registry::default().with(filter).with(json);
    tracing::subscriber::with_default(subscriber, || {
        call_both();
        assert_eq!(lines.messages(), []);
        handle.reload(EnvFilter::new("breakerbox=trace")).unwrap();
        call_both();
        let expected = [("TRACE", "call recorded"); 2];
        assert_eq!(lines.messages(), strings(&expected));
        handle.reload(EnvFilter::new("info")).unwrap();
        call_both();
        assert_eq!(lines.messages(), []);
    });
}

/// The listeners of a dropped registry log in their destructors, while another thread sets subscribers.
#[test]
fn dropped_registry_may_log_during_subscriber_change() {
    struct LogsOnDrop;
    impl Drop for LogsOnDrop {
        fn drop(&mut self) {
            tracing::info!("a closure is dropped");
        }
    }
    let _serial = SERIAL.lock().unwrap_or_else(PoisonError::into_inner);
    let lines = Lines::default();
    std::thread::scope(|scope| {
        let lines = &lines;
        scope.spawn(move || {
            for _ in 0..200 {
                let guard = tracing::subscriber::set_default(lines.subscriber("trace"));
                drop(guard);
                let _ = tracing::subscriber::set_default(lines.subscriber("off"));
            }
        });
        for _ in 0..300 {
            let logs = LogsOnDrop;
            let settings = CircuitBreaker::builder().on_event(move |_| {
                let _ = &logs;
            });
            let registry = BreakerRegistry::builder()
                .default_preset(settings)
                .build()
                .unwrap();
            breakerbox::tracing::install(&registry);
            succeed(&registry.breaker("users"));
        }
    });
    // Logging still works afterwards.
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.subscriber("info"), || {
        let registry = BreakerRegistry::new();
        breakerbox::tracing::install(&registry);
        registry.breaker("users").trip();
    });
    assert_eq!(lines.messages(), strings(&[("WARN", "circuit opened")]));
}
