//! The panel in other servers: axum, plain hyper, under a prefix, behind layers, over HTTP/1 and
//! HTTP/2.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use breakerbox::BreakerRegistry;
use breakerbox_panel::{Actor, Controls, Panel};
use bytes::Bytes;
use http::{StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, ServiceExt};

type Web = Client<HttpConnector, Full<Bytes>>;

fn client(version: Version) -> Web {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.http2_only(version == Version::HTTP_2).build_http()
}

async fn serve_axum(app: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move { axum::serve(listener, app).await.expect("serves") });
    (address, server)
}

async fn fetch(client: &Web, uri: &str) -> (StatusCode, String) {
    let answer = client
        .get(uri.parse().expect("a URI"))
        .await
        .expect("an answer");
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

#[tokio::test]
async fn axum_serves_panel_with_and_without_slash() {
    let registry = BreakerRegistry::new();
    registry.breaker("users").trip();
    let app = Router::new()
        .route("/", axum::routing::get(|| async { "the application" }))
        .nest_service("/ops/breakers", Panel::new(&registry));
    let (address, server) = serve_axum(app).await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = client(version);
        let base = format!("http://{address}/ops/breakers");
        for page in [base.clone(), format!("{base}/"), format!("{base}?q=1#x")] {
            let (status, page) = fetch(&client, &page).await;
            assert_eq!(status, 200);
            assert!(page.starts_with("<!doctype html>"), "{version:?}");
        }
        for path in ["/api/v1/breakers", "/api/v1/breakers/"] {
            let (status, rows) = fetch(&client, &format!("{base}{path}")).await;
            assert_eq!(status, 200);
            assert!(rows.contains(r#""name":"users","state":"open""#), "{rows}");
        }
        assert_eq!(fetch(&client, &format!("{base}/nothing")).await.0, 404);
        assert_eq!(
            fetch(&client, &format!("http://{address}/")).await.1,
            "the application"
        );
        // The first frame of a stream.
        let uri = format!("{base}/api/v1/stream").parse().expect("a URI");
        let mut answer = client.get(uri).await.expect("an answer");
        assert_eq!(answer.version(), version);
        let frame = answer.frame().await.expect("a frame").expect("no error");
        let frame = frame.into_data().expect("data");
        assert!(frame.starts_with(b"event: view\n"));
    }
    server.abort();
}

#[derive(Clone)]
struct User(&'static str);

/// Lets users with a password pass, and leaves their name in the request.
async fn login(mut request: Request, next: Next) -> axum::response::Response {
    use axum::response::IntoResponse;
    if request
        .headers()
        .get("authorization")
        .is_none_or(|given| given != "Basic YWxpY2U6cHc=")
    {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic")]).into_response();
    }
    request.extensions_mut().insert(User("alice"));
    next.run(request).await
}

#[tokio::test]
async fn middleware_decides_who_is_allowed() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let panel = Panel::builder().instance("web-1").controls(Controls::TRIP);
    let panel = panel.authorize(|head, _| {
        let user = head
            .extensions
            .get::<User>()
            .ok_or(StatusCode::UNAUTHORIZED)?;
        Ok(Actor::named(user.0))
    });
    let panel = panel.build(&registry).expect("valid");
    let app = Router::new()
        .nest_service("/breakers", panel)
        .layer(from_fn(login));
    let (address, server) = serve_axum(app).await;
    let client = client(Version::HTTP_11);
    assert_eq!(
        fetch(&client, &format!("http://{address}/breakers"))
            .await
            .0,
        401
    );
    let command = http::Request::post(format!("http://{address}/breakers/api/v1/commands"))
        .header("authorization", "Basic YWxpY2U6cHc=")
        .header("content-type", "application/json")
        .header("x-breakerbox-panel", "1")
        .header("origin", format!("http://{address}"))
        .body(Full::from(
            r#"{"name":"users","command":"trip","reason":"INC-1","instance":"web-1"}"#,
        ));
    let answer = client
        .request(command.expect("a request"))
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    let cause = users.snapshot().cause.expect("a cause").to_string();
    assert_eq!(cause, "a command by alice by panel: INC-1");
    server.abort();
}

/// Removes the place of the panel from the path, as axum's `nest_service` does.
fn strip<B>(mut request: http::Request<B>) -> http::Request<B> {
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let path = path.strip_prefix("/ops").unwrap_or(path);
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(path.parse().expect("a path"));
    *request.uri_mut() = http::Uri::from_parts(parts).expect("a URI");
    request
}

#[tokio::test]
async fn hyper_serves_panel_behind_layers() {
    let registry = BreakerRegistry::new();
    registry.breaker("users").trip();
    let panel = Panel::new(&registry);
    let service = ConcurrencyLimitLayer::new(8)
        .layer(panel)
        .map_request(strip);
    let service = tower::timeout::TimeoutLayer::new(Duration::from_secs(30)).layer(service);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = client(version);
        for path in ["/ops", "/ops/", "/ops?x=1"] {
            let (status, page) = fetch(&client, &format!("http://{address}{path}")).await;
            assert_eq!(status, 200, "{version:?} {path}");
            assert!(page.starts_with("<!doctype html>"));
        }
        let (_, rows) = fetch(
            &client,
            &format!("http://{address}/ops/api/v1/breakers?state=open"),
        )
        .await;
        assert!(rows.contains(r#""matched":1"#), "{rows}");
        // Over HTTP/2, the host is in the URI only.
        let forged =
            http::Request::get(format!("http://{address}/ops")).header("host", "evil.example");
        let answer = client
            .request(forged.body(Full::default()).expect("a request"))
            .await;
        assert_eq!(answer.expect("an answer").status(), 421, "{version:?}");
    }
    server.abort();
}
