//! Hostile input: names, bodies, viewers and applications that do not behave.

use crate::support::{
    Client, all_controls, ask, command, command_request, commanding, encoded, get, get_request,
    names, pass, registry, send,
};
use breakerbox::State;
use breakerbox_panel::{Action, Actor, Panel};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use serde_json::json;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;
use tower::ServiceExt;

fn hostile_names() -> Vec<String> {
    [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "\"'`\\",
        "a\nevent: bye\ndata: {}\n\n",
        "a\r\n\r\nb",
        "\u{202e}gpj.exe\u{202c}",
        "\0\u{1b}[2J",
        "\u{2028}\u{2029}",
        "\u{1f980}",
        "../../etc/passwd",
        "a&b=c?d#e%00+",
        " ",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(["x".repeat(256), "\u{e9}".repeat(128)])
    .collect()
}

#[tokio::test(start_paused = true)]
async fn hostile_names_survive_unchanged() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let mut expected = hostile_names();
    for name in &expected {
        registry.breaker(name);
    }
    expected.sort();
    assert_eq!(names(&panel, "").await, expected);
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    for name in &expected {
        let details = get(&panel, &format!("/api/v1/breaker?name={}", encoded(name))).await;
        assert_eq!(details.json()["row"]["name"], **name);
        let done = command(&panel, json!({ "name": name, "reason": "</script>\"'" })).await;
        assert_eq!(done.status, 200, "{name:?}");
        let entry = client.next_of("log").await;
        assert_eq!(entry.data["name"], **name);
        assert_eq!(
            names(&panel, &format!("q={}", encoded(name))).await[0].len(),
            name.len()
        );
    }
}

/// A body that yields chunks for as long as it is asked, and counts them.
struct Endless {
    chunk: Bytes,
    asked: Arc<AtomicUsize>,
    pending: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.pending {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

async fn upload(panel: &Panel, chunk: usize, pending: bool) -> (StatusCode, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let body = Endless {
        chunk: vec![b' '; chunk].into(),
        asked: asked.clone(),
        pending,
    };
    let (head, _) = command_request("").into_parts();
    let answer = panel.clone().oneshot(Request::from_parts(head, body)).await;
    (
        answer.expect("infallible").status(),
        asked.load(Ordering::Relaxed),
    )
}

#[tokio::test(start_paused = true)]
async fn long_bodies_are_refused_early() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    // 10 MiB with a length, which is not read at all.
    let long = ask(&panel, command_request(vec![b' '; 10 << 20])).await;
    assert_eq!(long.error().0, 413);
    let mut request = command_request("");
    request
        .headers_mut()
        .insert("content-length", 10_485_760.into());
    assert_eq!(ask(&panel, request).await.error().0, 413);
    // Without a length, reading stops after 8 KiB.
    assert_eq!(
        upload(&panel, 1_024, false).await,
        (StatusCode::PAYLOAD_TOO_LARGE, 9)
    );
    assert_eq!(
        upload(&panel, 10 << 20, false).await,
        (StatusCode::PAYLOAD_TOO_LARGE, 1)
    );
    let begun = Instant::now();
    let (status, _) = upload(&panel, 0, true).await;
    assert_eq!(
        (status, begun.elapsed().as_secs()),
        (StatusCode::REQUEST_TIMEOUT, 10)
    );
    let body = format!(
        "{:8192}",
        r#"{"name":"a","command":"trip","reason":"x","instance":"web-1"}"#
    );
    assert_eq!(
        ask(&panel, command_request(body)).await.error().0,
        404,
        "8 KiB are read"
    );
}

#[tokio::test(start_paused = true)]
async fn bodies_without_permission_are_not_read() {
    let (registry, _) = registry();
    let panel = Panel::builder().controls(all_controls());
    let panel = panel
        .authorize(|_, _| Err(StatusCode::UNAUTHORIZED))
        .build(&registry)
        .expect("valid");
    assert_eq!(
        upload(&panel, 1_024, false).await,
        (StatusCode::UNAUTHORIZED, 0)
    );
    let panel = Panel::new(&registry);
    assert_eq!(
        upload(&panel, 1_024, false).await,
        (StatusCode::FORBIDDEN, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn denied_requests_see_nothing() {
    let (registry, _) = registry();
    registry.breaker("secret-name");
    for (given, status) in [
        (StatusCode::UNAUTHORIZED, 401),
        (StatusCode::FORBIDDEN, 403),
        (StatusCode::TOO_MANY_REQUESTS, 429),
        (StatusCode::OK, 403),
        (StatusCode::FOUND, 403),
    ] {
        let panel = Panel::builder().authorize(move |_, _| Err(given));
        let panel = panel.build(&registry).expect("valid");
        for path in [
            "/",
            "/api/v1/breakers",
            "/api/v1/breaker?name=secret-name",
            "/api/v1/stream",
            "/api/v1/events",
            "/api/v1/health",
        ] {
            let refused = get(&panel, path).await;
            assert_eq!(refused.error().0, status, "{path}");
            assert!(!String::from_utf8_lossy(&refused.body).contains("secret-name"));
        }
    }
    let panel = Panel::builder().authorize(|_, action| match action {
        Action::Health => Ok(Actor::anonymous()),
        _ => Err(StatusCode::UNAUTHORIZED),
    });
    let panel = panel.build(&registry).expect("valid");
    assert_eq!(
        get(&panel, "/api/v1/health").await.status,
        200,
        "a probe without credentials"
    );
}

#[tokio::test(start_paused = true)]
async fn stream_is_authorized_again() {
    let (registry, _) = registry();
    let allowed = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let flag = allowed.clone();
    let panel = Panel::builder().authorize(move |_, _| {
        let allowed = flag.load(Ordering::Relaxed);
        allowed
            .then(Actor::anonymous)
            .ok_or(StatusCode::UNAUTHORIZED)
    });
    let panel = panel.build(&registry).expect("valid");
    let mut client = Client::open(&panel, "").await;
    allowed.store(false, Ordering::Relaxed);
    client.next_of("bye").await;
    assert_eq!(
        send(&panel, get_request("/api/v1/stream")).await.status(),
        401
    );
}

/// A panic payload whose `Drop` panics.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a bomb");
    }
}

#[tokio::test(start_paused = true)]
async fn panics_of_authorize_are_caught() {
    let (registry, _) = registry();
    let users = registry.breaker("users-api");
    let panel = Panel::builder().instance("web-1").controls(all_controls());
    let panel = panel.authorize(|head, _| {
        match head.headers.get("x-mode").map(http::HeaderValue::as_bytes) {
            Some(b"panic") => panic!("with a secret"),
            Some(b"bomb") => std::panic::panic_any(Bomb),
            _ => Ok(Actor::named("alice")),
        }
    });
    let panel = panel.build(&registry).expect("valid");
    for mode in ["panic", "bomb"] {
        for _ in 0..50 {
            let mut request = get_request("/api/v1/stream");
            request
                .headers_mut()
                .insert("x-mode", mode.parse().expect("a value"));
            let refused = ask(&panel, request).await;
            assert_eq!(refused.error().0, 500);
            assert!(!String::from_utf8_lossy(&refused.body).contains("secret"));
            let mut request = command_request(
                r#"{"name":"users-api","command":"trip","reason":"x","instance":"web-1"}"#,
            );
            request
                .headers_mut()
                .insert("x-mode", mode.parse().expect("a value"));
            assert_eq!(ask(&panel, request).await.error().0, 500);
        }
    }
    assert_eq!(users.state(), State::Closed);
    // No slot and no lock was lost.
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(Client::open(&panel, "").await);
    }
    assert_eq!(command(&panel, json!({})).await.status, 200);
}

#[test]
fn slow_authorize_delays_only_its_request() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (registry, _) = registry();
    let users = registry.breaker("users-api");
    let (entered, enters) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let panel = Panel::builder().authorize(move |head, _| {
        if head.headers.contains_key("x-slow") {
            let _ = entered.send(());
            let _ = released.lock().expect("no panic").recv();
        }
        Ok(Actor::anonymous())
    });
    let panel = {
        let _guard = runtime.enter();
        panel.build(&registry).expect("valid")
    };
    let slow = panel.clone();
    let waiting = runtime.spawn(async move {
        let mut request = get_request("/api/v1/breakers");
        request.headers_mut().insert("x-slow", 1.into());
        ask(&slow, request).await.status
    });
    enters.recv().expect("the slow request");
    users.trip();
    let other = runtime.block_on(async { get(&panel, "/api/v1/breakers").await.json() });
    assert_eq!(other["rows"][0]["state"], "open");
    release.send(()).expect("still waiting");
    assert_eq!(runtime.block_on(waiting).expect("no panic"), 200);
}

#[tokio::test(start_paused = true)]
async fn forged_queries_are_refused_with_sentences() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for query in [
        "sort=size",
        "state=open;drop",
        "limit=1e9",
        "limit=",
        "q=%ff",
        "sort=%00",
    ] {
        for path in ["breakers", "stream"] {
            let refused = get(&panel, &format!("/api/v1/{path}?{query}"))
                .await
                .error();
            assert_eq!(refused.0, 400, "{path} {query}");
        }
    }
    assert_eq!(get(&panel, "/api/v1/breaker").await.error().0, 400);
    assert_eq!(get(&panel, "/api/v1/breaker?name=").await.error().0, 404);
    let long = format!("/api/v1/breakers?{}", "a=b&".repeat(2_000));
    assert_eq!(get(&panel, &long).await.error().0, 400);
    // Many different filters keep no memory: at most 64 windows.
    for number in 0..500 {
        assert!(names(&panel, &format!("q={number}")).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn storm_of_events_is_bounded() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let mut client = Client::open(&panel, "limit=10").await;
    client.next_of("view").await;
    // More events than any queue holds, while the task does not run.
    for number in 0..5_000 {
        registry.breaker(format!("b{}", number % 2_000)).trip();
    }
    pass(Duration::from_millis(300)).await;
    let rows = client.next_of("rows").await;
    assert_eq!(rows.data["total"], 2_000);
    pass(Duration::from_secs(2)).await;
    let view = get(&panel, "/api/v1/breakers").await.json();
    assert_eq!(
        view["by_state"]["open"], 2_000,
        "also those whose events were dropped"
    );
    let log = get(&panel, "/api/v1/events").await.json();
    let events = log["events"].as_array().expect("events");
    assert!(events.len() <= 1_000, "{}", events.len());
    let dropped = |event: &&serde_json::Value| event["text"].to_string().contains("dropped");
    assert_eq!(events.iter().filter(dropped).count(), 1);
}
