//! Safety of single requests: hosts, origins, methods, headers and policies.

use crate::support::{Answer, ask, command_request, commanding, get, get_request, registry, send};
use breakerbox::{BreakerRegistry, State};
use breakerbox_panel::Panel;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;

const PATHS: [&str; 7] = [
    "/",
    "/api/v1/breakers",
    "/api/v1/breaker?name=users-api",
    "/api/v1/stream",
    "/api/v1/events",
    "/api/v1/health",
    "/api/v1/commands",
];

/// Sends a request of any method with these headers.
async fn with(
    panel: &Panel,
    method: Method,
    uri: &str,
    headers: &[(&'static str, &str)],
) -> Answer {
    let mut request = get_request(uri);
    *request.method_mut() = method;
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    ask(panel, request).await
}

#[tokio::test(start_paused = true)]
async fn forged_host_is_refused_everywhere() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    for path in PATHS {
        let answer = with(&panel, Method::GET, path, &[("host", "evil.example")]).await;
        let (status, sentence) = answer.error();
        assert_eq!(status, 421, "{path}");
        assert!(sentence.contains("`allowed_hosts`"), "{sentence}");
        let forwarded = [("host", "evil.example"), ("x-forwarded-host", "localhost")];
        assert_eq!(
            with(&panel, Method::GET, path, &forwarded).await.status,
            421,
            "{path}"
        );
    }
    let mut request = command_request("{}");
    request
        .headers_mut()
        .insert("host", HeaderValue::from_static("evil.example"));
    assert_eq!(ask(&panel, request).await.status, 421);
    let missing = Request::get("/").body(Full::default()).expect("a request");
    assert_eq!(ask(&panel, missing).await.status, 421);
}

#[tokio::test(start_paused = true)]
async fn hosts_and_origins_are_configurable() {
    let registry = BreakerRegistry::new();
    let builder = || Panel::builder().instance("web-1");
    let panel = builder()
        .allowed_hosts(["ops.internal"])
        .build(&registry)
        .expect("valid");
    let host = [("host", "ops.internal:8443")];
    assert_eq!(with(&panel, Method::GET, "/", &host).await.status, 200);
    let panel = builder().any_host().build(&registry).expect("valid");
    assert_eq!(
        with(&panel, Method::GET, "/", &[("host", "evil.example")])
            .await
            .status,
        200
    );
    assert_eq!(
        with(&panel, Method::GET, "/", &[("host", "evil example")])
            .await
            .status,
        421
    );
}

#[tokio::test(start_paused = true)]
async fn forged_sender_gives_no_command() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    let body = r#"{"name":"users-api","command":"trip","reason":"x","instance":"web-1"}"#;
    for (header, value, status) in [
        ("origin", Some("https://evil.example"), 403),
        ("origin", Some("null"), 403),
        ("origin", Some("http://localhost:9001"), 403),
        ("origin", None, 403),
        ("sec-fetch-site", Some("cross-site"), 403),
        ("sec-fetch-site", Some("same-site"), 403),
        ("sec-fetch-site", Some("none"), 403),
        ("x-breakerbox-panel", None, 403),
        ("content-type", None, 415),
        ("content-type", Some("text/plain"), 415),
        (
            "content-type",
            Some("application/x-www-form-urlencoded"),
            415,
        ),
    ] {
        let mut request = command_request(body);
        match value {
            Some(value) => drop(
                request
                    .headers_mut()
                    .insert(header, HeaderValue::from_static(value)),
            ),
            None => drop(request.headers_mut().remove(header)),
        }
        let refused = ask(&panel, request).await.error();
        assert_eq!(refused.0, status, "{header} {value:?}");
    }
    assert_eq!(users.state(), State::Closed);
    assert_eq!(
        ask(&panel, command_request(body)).await.status,
        200,
        "the same without a forgery"
    );
}

#[tokio::test(start_paused = true)]
async fn other_methods_never_change_state() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    let query = "?name=users-api&command=trip&reason=x&instance=web-1";
    for path in PATHS {
        for method in [
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
            Method::TRACE,
        ] {
            let refused = with(&panel, method.clone(), path, &[("x-breakerbox-panel", "1")]).await;
            assert_eq!(refused.status, 405, "{method} {path}");
            let allowed = if path.ends_with("commands") {
                "POST"
            } else {
                "GET"
            };
            assert!(
                refused.headers["allow"]
                    .to_str()
                    .is_ok_and(|allow| allow.starts_with(allowed))
            );
            let foreign = |name: &http::HeaderName| name.as_str().starts_with("access-control");
            assert!(!refused.headers.keys().any(foreign), "no CORS headers");
        }
        if !path.ends_with("commands") {
            assert_eq!(
                with(&panel, Method::POST, path, &[]).await.status,
                405,
                "{path}"
            );
        }
    }
    let uri = format!("/api/v1/commands{query}");
    assert_eq!(with(&panel, Method::GET, &uri, &[]).await.status, 405);
    assert_eq!(with(&panel, Method::HEAD, &uri, &[]).await.status, 405);
    assert_eq!(users.state(), State::Closed);
    for path in [
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "//",
        "/..",
        "/index.html",
    ] {
        assert_eq!(get(&panel, path).await.error().0, 404, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_sites_read_nothing() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for path in [
        "/api/v1/breakers",
        "/api/v1/breaker?name=a",
        "/api/v1/stream",
        "/api/v1/events",
    ] {
        for site in ["cross-site", "same-site"] {
            let refused = with(&panel, Method::GET, path, &[("sec-fetch-site", site)]).await;
            assert_eq!(refused.status, 403, "{path}");
        }
    }
    // A link on another site may lead to the page.
    let page = with(
        &panel,
        Method::GET,
        "/",
        &[("sec-fetch-site", "cross-site")],
    )
    .await;
    assert_eq!(page.status, 200);
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_headers() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    registry.breaker("users-api");
    for path in PATHS.into_iter().chain(["/nothing"]) {
        let response = send(&panel, get_request(path)).await;
        let headers = response.headers();
        let header = |name: &str| headers[name].to_str().expect("text").to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("x-breakerbox-instance"), "web-1");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        let cached = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(header("cache-control"), cached);
        let kind = match path {
            "/" => "text/html; charset=utf-8",
            "/api/v1/stream" => "text/event-stream",
            _ => "application/json",
        };
        assert_eq!(header("content-type"), kind, "{path}");
    }
    let stream = send(&panel, get_request("/api/v1/stream")).await;
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
}

#[tokio::test(start_paused = true)]
async fn refusals_name_their_instance() {
    let (registry, _) = registry();
    let panel = Panel::builder()
        .instance("web-1")
        .authorize(|_, _| Err(StatusCode::UNAUTHORIZED))
        .build(&registry)
        .expect("valid");
    for (headers, status) in [
        ([("accept", "*/*")], 401),
        ([("sec-fetch-site", "cross-site")], 403),
        ([("host", "evil.example")], 421),
    ] {
        let refused = with(&panel, Method::GET, "/api/v1/breakers", &headers).await;
        assert_eq!(refused.status, status);
        assert_eq!(refused.headers["x-breakerbox-instance"], "web-1");
        assert_eq!(refused.json()["instance"], "web-1");
    }
}

#[tokio::test(start_paused = true)]
async fn page_is_sent_once() {
    let panel = Panel::new(&BreakerRegistry::new());
    // The registry is gone, and the page with it: nothing to show.
    assert_eq!(get(&panel, "/").await.status, 503);
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    let page = get(&panel, "/").await;
    assert!(page.body.starts_with(b"<!doctype html>"));
    let tag = page.headers["etag"].to_str().expect("text").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let again = with(&panel, Method::GET, "/", &[("if-none-match", &known)]).await;
        assert_eq!(
            (again.status.as_u16(), again.body.len()),
            (304, 0),
            "{known}"
        );
    }
    let other = with(&panel, Method::GET, "/", &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.status, 200);
}

#[tokio::test(start_paused = true)]
async fn frames_are_allowed_by_name_only() {
    let (registry, _) = registry();
    let panel = Panel::builder().embed_in(["https://Ops.example.com/", "http://wiki:8080"]);
    let panel = panel.build(&registry).expect("valid");
    let page = get(&panel, "/").await;
    let policy = page.headers["content-security-policy"]
        .to_str()
        .expect("text");
    assert!(
        policy.ends_with("frame-ancestors https://ops.example.com http://wiki:8080"),
        "{policy}"
    );
    assert!(!page.headers.contains_key("x-frame-options"));
}

#[tokio::test(start_paused = true)]
async fn head_has_headers_only() {
    let (registry, _) = registry();
    let panel = Panel::new(&registry);
    for path in ["/", "/api/v1/breakers", "/api/v1/health"] {
        let answer = with(&panel, Method::HEAD, path, &[]).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (200, 0),
            "{path}"
        );
    }
    assert_eq!(
        with(&panel, Method::HEAD, "/api/v1/stream", &[])
            .await
            .status,
        405
    );
}
