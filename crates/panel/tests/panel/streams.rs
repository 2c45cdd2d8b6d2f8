//! Streams: what is sent, when, and how a stream ends.

use crate::support::{Client, command, commanding, get, get_request, pass, registry, send};
use breakerbox::CircuitBreaker;
use breakerbox_panel::Panel;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const STEP: Duration = Duration::from_millis(250);

#[tokio::test(start_paused = true)]
async fn stream_begins_with_view_and_sends_changes() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    for name in ["a", "b", "c"] {
        registry.breaker(name);
    }
    let mut client = Client::open(&panel, "sort=state").await;
    let view = client.next().await.expect("a view");
    assert_eq!(view.kind, "view");
    assert_eq!(view.data["rows"].as_array().map(Vec::len), Some(3));
    assert_eq!(view.data["actor"], "alice");
    command(&panel, json!({ "name": "b" })).await;
    let rows = client.next().await.expect("rows");
    assert_eq!(rows.kind, "rows");
    assert_eq!(rows.data["rows"].as_array().map(Vec::len), Some(1));
    assert_eq!(rows.data["rows"][0]["state"], "open");
    assert_eq!(rows.data["order"], json!(["b", "a", "c"]));
    assert_eq!(rows.data["by_state"]["open"], 1);
    let log = client.next().await.expect("a log entry");
    assert_eq!((log.kind.as_str(), &log.data["name"]), ("log", &"b".into()));
    assert_eq!(log.id.as_deref(), log.data["id"].as_str());
    assert!(log.id.is_some_and(|id| id.starts_with("web-1:")));
}

#[tokio::test(start_paused = true)]
async fn changed_rows_keep_order_out_of_frame() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    users.trip();
    let rows = client.next_of("rows").await;
    assert!(rows.data.get("order").is_none());
    // A change of one state never shows in a view of another.
    let mut others = Client::open(&panel, "state=disabled").await;
    others.next_of("view").await;
    users.disable();
    let rows = others.next_of("rows").await;
    assert_eq!(
        (&rows.data["matched"], &rows.data["order"]),
        (&1.into(), &json!(["users"]))
    );
    users.reset();
    let rows = others.next_of("rows").await;
    assert_eq!(
        (&rows.data["rows"], &rows.data["order"]),
        (&json!([]), &json!([]))
    );
}

#[tokio::test(start_paused = true)]
async fn frames_come_at_most_four_times_a_second() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    let flapping = tokio::spawn(async move {
        for _ in 0..400 {
            users.trip();
            users.reset();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let begun = Instant::now();
    let mut frames = 0_u32;
    while begun.elapsed() < Duration::from_secs(3) {
        let frame = client.frame().await.expect("a frame");
        frames += 1;
        assert!(frame.len() < 40_000, "at most 100 entries: {}", frame.len());
    }
    assert!((8..=13).contains(&frames), "{frames} frames");
    flapping.await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_sends_comments() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    registry.breaker("idle");
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    let begun = Instant::now();
    assert_eq!(client.frame().await.as_deref(), Some(": keep-alive\n\n"));
    assert_eq!(begun.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_ends_after_five_minutes() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let begun = Instant::now();
    let mut client = Client::open(&panel, "").await;
    client.next_of("bye").await;
    let life = begun.elapsed().as_secs();
    assert!((270..=330).contains(&life), "{life} s");
    assert!(client.next().await.is_none() && client.next().await.is_none());
    assert!(client.comments > 15);
}

#[tokio::test(start_paused = true)]
async fn busy_streams_end_apart_and_free_slots() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    let begun = Instant::now();
    let mut reading = Vec::new();
    for _ in 0..32 {
        let mut client = Client::open(&panel, "").await;
        reading.push(tokio::spawn(async move {
            client.next_of("bye").await;
            let life = begun.elapsed().as_secs();
            assert!(client.next().await.is_none());
            (life, client)
        }));
    }
    let changing = tokio::spawn(async move {
        loop {
            users.trip();
            users.reset();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let (mut lives, mut ended) = (Vec::new(), Vec::new());
    for reading in reading {
        let (life, client) = reading.await.expect("no panic");
        lives.push(life);
        ended.push(client);
    }
    changing.abort();
    lives.sort_unstable();
    assert!(lives[0] >= 270 && lives[31] <= 330, "{lives:?}");
    assert!(lives[31] - lives[0] > 10, "all at once: {lives:?}");
    // The bodies are still held, and their slots are free.
    for _ in 0..32 {
        ended.push(Client::open(&panel, "").await);
    }
}

#[tokio::test(start_paused = true)]
async fn stream_continues_after_last_event() {
    let (registry, _) = registry();
    let panel = Panel::builder()
        .instance("web-1")
        .build(&registry)
        .expect("valid");
    let users = registry.breaker("users");
    users.trip();
    let mut client = Client::open(&panel, "").await;
    users.reset();
    let seen = client.next_of("log").await.id.expect("an id");
    users.because("while away").force_open();
    let with_id = |id: &str| {
        let mut request = get_request("/api/v1/stream");
        request
            .headers_mut()
            .insert("last-event-id", id.parse().expect("a value"));
        request
    };
    let mut again = Client::of(send(&panel, with_id(&seen)).await);
    assert_eq!(
        again.next_of("log").await.data["text"],
        "a command: while away"
    );
    // The log holds 1,000 entries.
    for number in 0..1_500 {
        users.trip();
        users.reset();
        if number % 100 == 0 {
            get(&panel, "/api/v1/breakers?limit=1").await;
        }
    }
    let mut late = Client::of(send(&panel, with_id(&seen)).await);
    let missed = late.next_of("missed").await;
    assert!(
        missed.data["count"]
            .as_u64()
            .is_some_and(|count| count > 1_900),
        "{missed:?}"
    );
    let mut other = Client::of(send(&panel, with_id("web-2:5")).await);
    other.next_of("view").await;
    users.force_open();
    assert_eq!(
        other.next_of("log").await.data["to"],
        "forced_open",
        "only what is new"
    );
}

#[tokio::test(start_paused = true)]
async fn thirty_third_stream_is_refused() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(Client::open(&panel, "").await);
    }
    for _ in 0..1_000 {
        let refused = send(&panel, get_request("/api/v1/stream")).await;
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "5");
    }
    assert_eq!(
        get(&panel, "/api/v1/breakers").await.status,
        200,
        "other answers go on"
    );
    clients.pop();
    Client::open(&panel, "").await;
    // Clients that never read keep their slots until the latest end of a stream.
    pass(Duration::from_secs(336)).await;
    Client::open(&panel, "").await;
}

#[tokio::test(start_paused = true)]
async fn slow_reader_gets_latest_state_only() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    for _ in 0..50 {
        users.trip();
        pass(STEP).await;
        users.disable();
        pass(STEP).await;
    }
    users.force_open();
    pass(STEP).await;
    let rows = client.next().await.expect("rows");
    assert_eq!(
        (rows.kind.as_str(), &rows.data["rows"][0]["state"]),
        ("rows", &"forced_open".into())
    );
    let mut entries = 0;
    while entries < 101 {
        assert_eq!(client.next().await.expect("an entry").kind, "log");
        entries += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn slow_reader_gets_successor_of_removed_breaker() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    registry.breaker("users").trip();
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    registry.remove("users");
    pass(STEP).await;
    assert_eq!(get(&panel, "/api/v1/breakers").await.json()["total"], 0);
    registry.breaker("users");
    pass(STEP).await;
    let rows = client.next_of("rows").await;
    assert_eq!(rows.data["rows"][0]["state"], "closed");
}

#[tokio::test(start_paused = true)]
async fn stream_after_later_number_gets_new_events() {
    let (registry, _) = registry();
    let panel = Panel::builder().instance("web-1").build(&registry);
    let panel = panel.expect("valid");
    let mut request = get_request("/api/v1/stream");
    // The clock went back between two processes.
    let id = format!("web-1:{}", u64::MAX);
    let id = id.parse().expect("a value");
    request.headers_mut().insert("last-event-id", id);
    let mut client = Client::of(send(&panel, request).await);
    client.next_of("view").await;
    registry.breaker("users").trip();
    assert_eq!(client.next_of("log").await.data["to"], "open");
    registry.breaker("users").disable();
    assert_eq!(client.next_of("log").await.data["to"], "disabled");
}

#[tokio::test(start_paused = true)]
async fn stream_ends_with_registry() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    drop(registry);
    client.next_of("bye").await;
    assert!(client.next().await.is_none());
    assert_eq!(get(&panel, "/api/v1/breakers").await.error().0, 503);
}

#[tokio::test(start_paused = true)]
async fn rates_reach_stream_without_events() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let users = registry.breaker("users");
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    let succeeds = |breaker: &CircuitBreaker| breaker.call(|| Ok::<_, ()>(())).is_ok();
    assert!((0..6).all(|_| succeeds(&users)));
    let rows = client.next_of("rows").await;
    assert_eq!(rows.data["rows"][0]["success_per_s"], 3.0);
}
