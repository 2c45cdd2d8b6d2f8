//! Rows: which breakers an answer contains, in which order, and what it says of them.

use crate::support::{encoded, get, names, pass, registry, row};
use breakerbox::{BreakerRegistry, CircuitBreaker};
use breakerbox_panel::{Actor, Panel, Shown};
use std::time::Duration;

fn fails(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        let _ = breaker.call(|| Err::<(), _>("secret"));
    }
}

fn succeeds(breaker: &CircuitBreaker, times: usize) {
    for _ in 0..times {
        breaker.call(|| Ok::<_, ()>(())).expect("a closed circuit");
    }
}

#[tokio::test(start_paused = true)]
async fn answer_counts_all_states() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for name in ["closed", "other"] {
        registry.breaker(name);
    }
    registry.breaker("open").trip();
    registry.breaker("half").half_open();
    registry.breaker("forced").force_open();
    registry.breaker("disabled").disable();
    registry.breaker("watched").metrics_only();
    let view = get(&panel, "/api/v1/breakers?q=open&limit=1").await.json();
    let expected = serde_json::json!({
        "open": 1, "half_open": 1, "forced_open": 1, "metrics_only": 1, "disabled": 1, "closed": 2,
    });
    assert_eq!(view["by_state"], expected);
    assert_eq!((&view["total"], &view["matched"]), (&7.into(), &1.into()));
    assert_eq!(view["controls"], serde_json::json!([]));
    assert!(view["actor"].is_null() && view["after"].is_null());
}

#[tokio::test(start_paused = true)]
async fn rows_are_filtered_by_name_and_state() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for name in [
        "Users-API",
        "users/db",
        "payments",
        "\u{c9}tat",
        "\u{3c3}\u{3c5}\u{3c3}\u{3c4}",
    ] {
        registry.breaker(name);
    }
    registry.breaker("payments").trip();
    registry.breaker("users/db").trip();
    assert_eq!(names(&panel, "q=USERS").await, ["Users-API", "users/db"]);
    assert_eq!(names(&panel, "q=users&state=open").await, ["users/db"]);
    assert_eq!(names(&panel, "state=open,closed&q=pay").await, ["payments"]);
    assert_eq!(
        names(&panel, &format!("q={}", encoded("\u{e9}ta"))).await,
        ["\u{c9}tat"]
    );
    // In lower case, the last sigma of a word is another one.
    let part = encoded("\u{3a3}\u{3a5}\u{3a3}");
    assert_eq!(names(&panel, &format!("q={part}")).await.len(), 1);
    assert!(names(&panel, "state=half_open").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn rows_are_sorted_by_each_key() {
    let (registry, clock) = registry();
    let panel = Panel::new(&registry);
    let [a, b, c] = ["a", "b", "c"].map(|name| registry.breaker(name));
    pass(Duration::from_millis(10)).await;
    clock.advance(Duration::from_secs(5));
    c.trip();
    fails(&b, 2);
    fails(&a, 1);
    fails(&c, 7);
    pass(Duration::from_secs(2)).await;
    assert_eq!(names(&panel, "sort=name").await, ["a", "b", "c"]);
    assert_eq!(names(&panel, "sort=-name").await, ["c", "b", "a"]);
    assert_eq!(names(&panel, "sort=state").await, ["c", "a", "b"]);
    assert_eq!(names(&panel, "sort=-state").await, ["a", "b", "c"]);
    assert_eq!(names(&panel, "sort=-failing").await, ["b", "a", "c"]);
    assert_eq!(names(&panel, "sort=failing").await, ["c", "a", "b"]);
    assert_eq!(names(&panel, "sort=-refused").await, ["c", "a", "b"]);
    assert_eq!(
        names(&panel, "sort=-since").await[0],
        "c",
        "the latest change"
    );
    assert_eq!(names(&panel, "sort=since").await[2], "c");
}

#[tokio::test(start_paused = true)]
async fn pages_continue_after_cursor() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for number in 0..25 {
        registry.breaker(format!("b{number:02}"));
    }
    for sort in ["name", "-name", "state", "-refused"] {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let uri = format!("/api/v1/breakers?sort={sort}&limit=10&after={after}");
            let view = get(&panel, &uri).await.json();
            let rows = view["rows"].as_array().expect("rows");
            seen.extend(
                rows.iter()
                    .map(|row| row["name"].as_str().expect("a name").to_owned()),
            );
            match view["after"].as_str() {
                Some(name) => after = name.to_owned(),
                None => break,
            }
        }
        let mut expected = names(&panel, "").await;
        if sort == "-name" {
            expected.reverse();
        }
        assert_eq!(seen, expected, "{sort}");
    }
    // A name that is gone has a place among names, but not among states.
    registry.remove("b03");
    assert_eq!(names(&panel, "after=b03&limit=1").await, ["b04"]);
    assert_eq!(names(&panel, "after=b03&limit=1&sort=-name").await, ["b02"]);
    let lost = get(&panel, "/api/v1/breakers?after=b03&sort=state")
        .await
        .error();
    assert_eq!(lost.0, 400);
    assert!(lost.1.contains("begin again"));
}

#[tokio::test(start_paused = true)]
async fn answer_has_at_most_two_hundred_rows() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for number in 0..1_000 {
        registry.breaker(format!("b{number:04}"));
    }
    let view = get(&panel, "/api/v1/breakers").await.json();
    assert_eq!(view["rows"].as_array().map(Vec::len), Some(200));
    assert_eq!(
        (&view["matched"], &view["after"]),
        (&1_000.into(), &"b0199".into())
    );
    let refused = get(&panel, "/api/v1/breakers?limit=201").await.error();
    assert_eq!(refused.0, 400);
}

#[tokio::test(start_paused = true)]
async fn row_shows_rates_and_history() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    pass(Duration::from_millis(10)).await;
    assert_eq!(
        row(&panel, "users").await["history"]["success"],
        serde_json::json!([])
    );
    for step in 0..3 {
        succeeds(&users, 10 * step);
        fails(&users, 1);
        pass(Duration::from_secs(2)).await;
    }
    let shown = row(&panel, "users").await;
    assert_eq!(shown["history"]["step_s"], 2);
    assert_eq!(shown["history"]["success"], serde_json::json!([0, 10, 20]));
    assert_eq!(shown["history"]["failure"], serde_json::json!([1, 1, 1]));
    assert_eq!(shown["history"]["refused"], serde_json::json!([0, 0, 0]));
    assert_eq!(shown["success_per_s"], 10.0);
    assert_eq!(shown["failing_per_s"], 0.5);
    // Two minutes later, nothing is left of it.
    pass(Duration::from_secs(122)).await;
    let shown = row(&panel, "users").await;
    assert_eq!(shown["history"]["success"], serde_json::json!([]));
    assert_eq!(shown["success_per_s"], 0.0);
}

#[tokio::test(start_paused = true)]
async fn successes_in_windows_are_counted() {
    let (registry, _) = registry();
    let rule = breakerbox::TripRule::failure_rate(0.5).over(breakerbox::Window::calls(10));
    let windowed = CircuitBreaker::builder().trip_when(rule);
    registry.register("windowed", windowed).expect("valid");
    let panel = Panel::new(&registry);
    pass(Duration::from_millis(10)).await;
    let windowed = registry.breaker("windowed");
    succeeds(&windowed, 7);
    fails(&windowed, 1);
    pass(Duration::from_secs(2)).await;
    let shown = row(&panel, "windowed").await;
    assert_eq!(shown["history"]["success"], serde_json::json!([7]));
    assert_eq!(shown["history"]["failure"], serde_json::json!([1]));
}

#[tokio::test(start_paused = true)]
async fn open_row_shows_deadline_and_half_opens_by_time() {
    let (registry, clock) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    users
        .because("INC-7")
        .by("bob")
        .trip_for(Duration::from_secs(30));
    let shown = row(&panel, "users").await;
    assert_eq!(
        (&shown["state"], &shown["cause"]),
        (&"open".into(), &"a command by bob: INC-7".into())
    );
    let view = get(&panel, "/api/v1/breakers").await.json();
    let left = shown["open_until"].as_u64().expect("a time") - view["at"].as_u64().expect("a time");
    assert!((29_000..=30_000).contains(&left), "{left}");
    let since = view["at"].as_u64().expect("a time") - shown["since"].as_u64().expect("a time");
    assert!(since < 1_000, "{since}");
    // The clock of the breaker and that of the panel both reach the deadline. There is no event.
    clock.advance(Duration::from_secs(30));
    pass(Duration::from_secs(2)).await;
    let shown = row(&panel, "users").await;
    assert_eq!(
        (&shown["state"], &shown["open_until"]),
        (&"half_open".into(), &serde_json::Value::Null)
    );
    users.force_open();
    assert!(
        row(&panel, "users").await["open_until"].is_null(),
        "until a command"
    );
}

#[tokio::test(start_paused = true)]
async fn row_follows_changes_at_once() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    assert!(names(&panel, "").await.is_empty());
    let users = registry.breaker("users");
    assert_eq!(names(&panel, "").await, ["users"]);
    users.trip();
    let first = row(&panel, "users").await;
    assert_eq!(first["state"], "open");
    users.reset();
    let second = row(&panel, "users").await;
    assert_eq!(second["state"], "closed");
    assert!(second["version"].as_u64() > first["version"].as_u64());
    assert_eq!(row(&panel, "users").await, second, "nothing has changed");
    registry.remove("users");
    assert!(names(&panel, "").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn looking_neither_uses_nor_holds_breakers() {
    let registry = BreakerRegistry::builder()
        .capacity(10)
        .build()
        .expect("valid");
    let panel = Panel::new(&registry);
    for number in 0..10 {
        registry.breaker(format!("old{number}"));
    }
    get(&panel, "/api/v1/breakers").await;
    get(&panel, "/api/v1/breaker?name=old3").await;
    pass(Duration::from_secs(4)).await;
    for number in 0..10 {
        registry.breaker(format!("new{number}"));
    }
    let left = names(&panel, "").await;
    assert_eq!(left.len(), 10);
    assert!(
        left.iter().filter(|name| name.starts_with("new")).count() >= 9,
        "{left:?}"
    );
    assert_eq!(
        get(&panel, "/api/v1/breaker?name=unknown-api").await.status,
        404
    );
    assert!(
        registry.get("unknown-api").is_none(),
        "looking creates no breaker"
    );
}

#[tokio::test(start_paused = true)]
async fn last_failure_is_shown_as_configured() {
    let (registry, _) = registry();
    fails(&registry.breaker("users"), 1);
    let called =
        |name: &'static str| Panel::builder().authorize(move |_, _| Ok(Actor::named(name)));
    let named = || called("alice");
    for (builder, shown) in [
        (Panel::builder(), false),
        (Panel::builder().last_failure(Shown::ToActors), false),
        (named().last_failure(Shown::ToActors), true),
        (named(), false),
        (called(" ").last_failure(Shown::ToActors), false),
        (Panel::builder().last_failure(Shown::ToReaders), true),
    ] {
        let panel = builder.build(&registry).expect("valid");
        for path in [
            "/api/v1/breakers",
            "/api/v1/breaker?name=users",
            "/api/v1/events",
        ] {
            let body = get(&panel, path).await.body;
            let found = String::from_utf8_lossy(&body).contains("secret");
            assert_eq!(found, shown && path != "/api/v1/events", "{path}");
        }
        let mut client = crate::support::Client::open(&panel, "").await;
        assert_eq!(
            client.frame().await.expect("a view").contains("secret"),
            shown
        );
    }
}

#[tokio::test(start_paused = true)]
async fn details_show_settings_rules_and_events() {
    let (registry, _) = registry();
    let settings = CircuitBreaker::builder().failure_threshold(3);
    registry.register("a/b?&", settings).expect("valid");
    let panel = Panel::new(&registry);
    let breaker = registry.breaker("a/b?&");
    fails(&breaker, 3);
    let uri = format!("/api/v1/breaker?name={}", encoded("a/b?&"));
    let details = get(&panel, &uri).await.json();
    assert_eq!(details["row"]["name"], "a/b?&");
    assert_eq!(details["row"]["state"], "open");
    assert_eq!(details["snapshot"]["failure_count"], 3);
    assert_eq!(details["rules"][0]["text"], "3 consecutive failures");
    let settings = details["settings"].as_array().expect("settings");
    let rule = settings
        .iter()
        .find(|setting| setting["value"].to_string().contains("consecutive"));
    let rule = rule.expect("the rule");
    assert!(
        rule["from"]
            .as_str()
            .is_some_and(|from| from.contains("rows.rs")),
        "{rule}"
    );
    assert_eq!(details["events"][0]["kind"], "state");
    assert_eq!(details["events"][0]["to"], "open");
    assert!(details["fleet"].is_null());
}

#[tokio::test(start_paused = true)]
async fn health_follows_essential_breakers() {
    let (registry, _) = registry();
    let panel = Panel::builder()
        .essential(["payments"])
        .build(&registry)
        .expect("valid");
    registry.breaker("search").trip();
    let health = get(&panel, "/api/v1/health").await;
    assert_eq!(
        (health.status.as_u16(), &health.json()["status"]),
        (200, &"degraded".into())
    );
    registry.breaker("payments").force_open();
    let health = get(&panel, "/api/v1/health").await;
    assert_eq!(
        (health.status.as_u16(), &health.json()["status"]),
        (503, &"unhealthy".into())
    );
}

#[tokio::test(start_paused = true)]
async fn events_are_listed_and_continued() {
    let (registry, _) = registry();
    let panel = Panel::builder()
        .instance("web:1")
        .build(&registry)
        .expect("valid");
    let users = registry.breaker("users");
    users.trip();
    users.because("INC-9").reset();
    let all = get(&panel, "/api/v1/events").await.json();
    let texts: Vec<_> = all["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| &event["text"])
        .collect();
    assert_eq!(texts, ["a command", "a command: INC-9"]);
    assert_eq!(all["events"][0]["kind"], "command");
    let id = all["events"][0]["id"].as_str().expect("an id");
    let rest = get(&panel, &format!("/api/v1/events?after={}", encoded(id)))
        .await
        .json();
    assert_eq!(rest["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(rest["missed"], 0);
    assert_eq!(
        get(&panel, "/api/v1/events?after=web-2:1").await.status,
        400
    );
}

#[test]
fn rows_need_no_runtime() {
    let (registry, _) = registry();
    registry.breaker("users").trip();
    let panel = Panel::new(&registry);
    // Any executor: this one only polls.
    let answer = futures_executor(get(&panel, "/api/v1/breakers")).json();
    assert_eq!(answer["rows"][0]["state"], "open");
    let stream = futures_executor(get(&panel, "/api/v1/stream")).error();
    assert_eq!(stream.0, 503);
    assert!(stream.1.contains("tokio"));
}

/// Polls a future that never waits.
fn futures_executor<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the answer waits for something"),
    }
}
