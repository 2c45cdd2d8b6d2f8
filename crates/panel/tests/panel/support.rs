//! Requests to a panel, and what it answers.

use breakerbox::BreakerRegistry;
use breakerbox::clock::ManualClock;
use breakerbox_panel::{Action, Actor, Body, Controls, Panel};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

/// All controls.
pub(crate) fn all_controls() -> Controls {
    Controls::TRIP
        | Controls::HALF_OPEN
        | Controls::RESET
        | Controls::FORCE_OPEN
        | Controls::DISABLE
        | Controls::WATCH
}

/// A registry with a clock that moves by hand.
pub(crate) fn registry() -> (BreakerRegistry, ManualClock) {
    let clock = ManualClock::new();
    let builder = BreakerRegistry::builder().clock(clock.clone());
    (builder.build().expect("valid settings"), clock)
}

/// A panel of the instance `web-1` whose user may do everything.
pub(crate) fn commanding(registry: &BreakerRegistry) -> Panel {
    let panel = Panel::builder().instance("web-1").controls(all_controls());
    let panel = panel.authorize(|_, _: Action| Ok(Actor::named("alice")));
    panel.build(registry).expect("valid settings")
}

/// An answer whose body has arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The status, and the sentence of an error.
    pub(crate) fn error(&self) -> (u16, String) {
        let json = self.json();
        let sentence = json["error"].as_str().expect("a sentence");
        (self.status.as_u16(), sentence.to_owned())
    }
}

pub(crate) async fn send(panel: &Panel, request: Request<Full<Bytes>>) -> Response<Body> {
    let answer = panel.clone().oneshot(request).await;
    answer.expect("an infallible service")
}

pub(crate) async fn ask(panel: &Panel, request: Request<Full<Bytes>>) -> Answer {
    let (head, body) = send(panel, request).await.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.expect("infallible").to_bytes(),
    }
}

pub(crate) fn get_request(uri: &str) -> Request<Full<Bytes>> {
    let request = Request::get(uri).header("host", "localhost:9000");
    request.body(Full::default()).expect("a request")
}

pub(crate) async fn get(panel: &Panel, uri: &str) -> Answer {
    ask(panel, get_request(uri)).await
}

/// The rows of a query, as a list of names.
pub(crate) async fn names(panel: &Panel, query: &str) -> Vec<String> {
    let view = get(panel, &format!("/api/v1/breakers?{query}")).await;
    assert_eq!(view.status, 200, "{}", String::from_utf8_lossy(&view.body));
    let view = view.json();
    let rows = view["rows"].as_array().expect("rows").iter();
    rows.map(|row| row["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// The only row that matches `name`.
pub(crate) async fn row(panel: &Panel, name: &str) -> Value {
    let view = get(panel, &format!("/api/v1/breakers?q={}", encoded(name)))
        .await
        .json();
    view["rows"][0].clone()
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |text, byte| text + &format!("%{byte:02X}"))
}

/// A command as the page sends it.
pub(crate) fn command_request(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/api/v1/commands")
        .header("host", "localhost:9000")
        .header("origin", "http://localhost:9000")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/json")
        .header("x-breakerbox-panel", "1")
        .body(Full::new(body.into()))
        .expect("a request")
}

/// Sends a command with these fields in place of usual ones; `null` removes a field.
pub(crate) async fn command(panel: &Panel, fields: Value) -> Answer {
    let mut order = json!({
        "name": "users-api", "command": "trip", "reason": "INC-123", "instance": "web-1",
    });
    for (key, value) in fields.as_object().expect("an object") {
        order[key] = value.clone();
    }
    let order = order.as_object_mut().expect("an object");
    order.retain(|_, value| !value.is_null());
    let body = serde_json::to_vec(&order).expect("JSON");
    ask(panel, command_request(body)).await
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// The client of a stream.
#[derive(Debug)]
pub(crate) struct Client {
    body: Body,
    queue: Vec<Sent>,
    /// Comments, such as keep-alives.
    pub(crate) comments: usize,
}

impl Client {
    pub(crate) async fn open(panel: &Panel, query: &str) -> Self {
        let request = get_request(&format!("/api/v1/stream?{query}"));
        let response = send(panel, request).await;
        assert_eq!(response.status(), 200);
        Self::of(response)
    }

    pub(crate) fn of(response: Response<Body>) -> Self {
        Self {
            body: response.into_body(),
            queue: Vec::new(),
            comments: 0,
        }
    }

    /// Waits for the next frame. Returns `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<String> {
        let frame = self.body.frame().await?.expect("infallible");
        let data = frame.into_data().expect("data");
        Some(String::from_utf8(data.to_vec()).expect("UTF-8"))
    }

    /// Waits for the next event. Returns `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        while self.queue.is_empty() {
            let frame = self.frame().await?;
            assert!(frame.ends_with("\n\n"), "{frame}");
            for event in frame.split("\n\n").filter(|event| !event.is_empty()) {
                if event.starts_with(':') {
                    self.comments += 1;
                    continue;
                }
                let mut sent = Sent {
                    kind: String::new(),
                    id: None,
                    data: Value::Null,
                };
                for line in event.lines() {
                    match line.split_once(": ").expect("a field") {
                        ("event", kind) => kind.clone_into(&mut sent.kind),
                        ("id", id) => sent.id = Some(id.to_owned()),
                        ("data", data) => sent.data = serde_json::from_str(data).expect("JSON"),
                        other => panic!("an unknown field: {other:?}"),
                    }
                }
                self.queue.push(sent);
            }
        }
        Some(self.queue.remove(0))
    }

    /// Waits for an event of this kind, and skips others.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Sent {
        loop {
            let sent = self.next().await.expect("an event");
            if sent.kind == kind {
                return sent;
            }
        }
    }
}

/// Lets the task of a panel run for `time` of the paused clock.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}
