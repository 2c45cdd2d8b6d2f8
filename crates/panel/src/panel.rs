//! [`Panel`]: the service.

use crate::access::Action;
use crate::answer;
use crate::body::Body;
use crate::detail::details;
use crate::guard::{Guard, Refusal};
use crate::log::number_of;
use crate::order;
use crate::query::{Filter, parameter};
use crate::route::{NoRoute, Route};
use crate::settings::{Settings, Viewer};
use crate::shared::Shared;
use crate::stream::{self, Stream};
use crate::task;
use crate::upload;
use crate::view;
use breakerbox::BreakerRegistry;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_service::Service;

/// The most entries of an answer.
const MOST_EVENTS: usize = 1_000;

/// A page with the breakers of a registry, as a tower [`Service`].
///
/// Mount the panel in any server for [`http`] requests. Clones share their state. A panel refers to
/// its registry weakly: after the registry was dropped, the panel answers 503.
///
/// # Paths
///
/// All paths are relative to the place where the panel is mounted, and the server strips that place
/// from the request. `/` is the page. The data for it is JSON:
///
/// | path | answer |
/// |---|---|
/// | `GET /api/v1/breakers` | rows; `q`, `state`, `sort`, `limit` and `after` select them |
/// | `GET /api/v1/breaker?name=…` | one breaker with its settings, rules and events |
/// | `GET /api/v1/stream` | server-sent events: a view, and then what changes |
/// | `GET /api/v1/events?after=…` | the latest 1,000 changes and warnings |
/// | `GET /api/v1/health` | [`BreakerRegistry::health`]: 503 if an [essential](crate::PanelBuilder::essential) breaker refuses calls |
/// | `POST /api/v1/commands` | a command, if the panel has [controls](crate::PanelBuilder::controls) |
///
/// # Hosts
///
/// A request must name localhost, an IP address, or one of the
/// [allowed hosts](crate::PanelBuilder::allowed_hosts). Otherwise, the answer is 421, and names the setting.
///
/// # Runtime
///
/// The panel needs a tokio runtime with timers for streams and for regular histories. Without it, the
/// stream answers 503, and requests sample the breakers. The server then bounds the time in which the
/// body of a command arrives. A panel that was once in a runtime without timers looks for no other.
///
/// One task per panel samples the breakers every 2 s. The task begins when the panel is built in a
/// runtime, or else with the first request. It ends with the last clone of the panel.
///
/// # Cost
///
/// Healthy and refused calls cost the same with a panel as without, also while it is looked at. A
/// failing call may wait for a reading of its breaker, which takes about a microsecond or less.
///
/// # Examples
///
/// In axum:
///
/// ```
/// use axum::Router;
/// use breakerbox::BreakerRegistry;
/// use breakerbox_panel::Panel;
///
/// let panel = Panel::new(BreakerRegistry::global());
/// let app: Router = Router::new().nest_service("/breakers", panel);
/// ```
#[derive(Clone)]
pub struct Panel {
    shared: Arc<Shared>,
}

impl Panel {
    pub(crate) fn of(settings: Settings, registry: &BreakerRegistry) -> Self {
        let shared = Arc::new(Shared::new(settings, registry));
        task::start(&shared);
        Self { shared }
    }

    /// Ends all streams, which then tell their clients.
    #[cfg(feature = "serve")]
    pub(crate) fn close(&self) {
        use std::sync::atomic::Ordering;
        // Ordering: `Relaxed` suffices, because the streams are woken afterwards.
        self.shared.closing.store(true, Ordering::Relaxed);
        self.shared
            .changes
            .send_modify(|number| *number = number.wrapping_add(1));
    }
}

impl fmt::Debug for Panel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panel")
            .field("instance", &self.shared.settings.instance)
            .field("controls", &self.shared.settings.controls)
            .finish_non_exhaustive()
    }
}

/// The future of an answer, as returned by [`Panel`].
///
/// # Cancel safety
///
/// A command is given at once when its body has arrived. If the future is dropped before, nothing
/// has happened.
#[must_use = "futures do nothing unless they are polled"]
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

impl<B> Service<Request<B>> for Panel
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let shared = self.shared.clone();
        let (head, body) = request.into_parts();
        ResponseFuture(Box::pin(async move {
            let is_head = head.method == Method::HEAD;
            let mut response = match respond(&shared, head, body).await {
                Ok(response) => response,
                Err(refusal) => answer::error(&shared.settings, &refusal),
            };
            if is_head {
                *response.body_mut() = Body::empty();
            }
            response
        }))
    }
}

async fn respond<B: http_body::Body>(
    shared: &Arc<Shared>,
    head: Parts,
    body: B,
) -> Result<Response<Body>, Refusal> {
    let settings = &shared.settings;
    settings.guard.check_host(&head)?;
    let route = match Route::of(&head.method, head.uri.path()) {
        Ok(route) => route,
        Err(NoRoute::Method(allowed)) => return Ok(answer::wrong_method(settings, allowed)),
        Err(NoRoute::Path) => {
            let message = "there is no such path; the page is at `/`, below the place of the panel";
            return Err((StatusCode::NOT_FOUND, message.to_owned()));
        }
    };
    if shared.watch.registry().is_none() {
        let message = "the registry of the panel was dropped; restart the program";
        return Err((StatusCode::SERVICE_UNAVAILABLE, message.to_owned()));
    }
    task::start(shared);
    match route {
        // Shown to other sites only in frames, which the policy decides.
        Route::Page => {
            settings.authorize(&head, Action::Read)?;
            Ok(answer::page(settings, &head.headers))
        }
        Route::Commands => {
            settings.guard.check_sender(&head)?;
            order::check_enabled(shared)?;
            settings.authorize(&head, Action::Read)?;
            let body = upload::read(&head.headers, body, shared.timers.are_here()).await?;
            Ok(order::give(shared, &head, &body))
        }
        Route::Health => {
            settings.authorize(&head, Action::Health)?;
            health(shared)
        }
        Route::Breakers | Route::Breaker | Route::Stream | Route::Events => {
            Guard::check_reader(&head.headers)?;
            let viewer = settings.viewer(&head)?;
            read(shared, &head, viewer, route)
        }
    }
}

/// Answers a request for data.
fn read(
    shared: &Arc<Shared>,
    head: &Parts,
    viewer: Viewer,
    route: Route,
) -> Result<Response<Body>, Refusal> {
    let settings = &shared.settings;
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let query = head.uri.query();
    let json = match route {
        Route::Stream => return open_stream(shared, head, viewer),
        Route::Breaker => {
            shared.absorb();
            details(shared, &viewer, query)?
        }
        Route::Events => {
            shared.absorb();
            events(shared, query).map_err(bad)?
        }
        _ => {
            let filter = Filter::parse(query).map_err(bad)?;
            shared.absorb();
            shared.refresh(true);
            view::page(shared, &viewer, &filter).map_err(bad)?
        }
    };
    Ok(answer::json(settings, StatusCode::OK, json))
}

fn open_stream(
    shared: &Arc<Shared>,
    head: &Parts,
    viewer: Viewer,
) -> Result<Response<Body>, Refusal> {
    let unavailable = |message: &str| (StatusCode::SERVICE_UNAVAILABLE, message.to_owned());
    let filter = Filter::parse(head.uri.query());
    let filter = filter.map_err(|message| (StatusCode::BAD_REQUEST, message))?;
    if !shared.timers.are_here() {
        let message = "streams need a tokio runtime with timers; ask for `api/v1/breakers` instead";
        return Err(unavailable(message));
    }
    // The log begins with what happens from now on.
    shared.absorb();
    let ends = stream::end();
    let slot = shared.slots.take(ends);
    let slot = slot.ok_or_else(|| unavailable("there are 32 streams; close one, or try again"))?;
    // The task now reads more often.
    let _ = shared.wake.send(());
    let last_id = head.headers.get("last-event-id");
    let last_id = last_id.and_then(|id| id.to_str().ok());
    let stream = Stream::new(shared.clone(), viewer, filter, last_id, ends, slot);
    Ok(answer::stream(&shared.settings, stream.frames()))
}

fn events(shared: &Shared, query: Option<&str>) -> Result<String, String> {
    let instance = &shared.settings.instance;
    let after = parameter(query, "after")?;
    let from = match after.as_deref().filter(|after| !after.is_empty()) {
        None => None,
        Some(after) => {
            let number = number_of(after, instance);
            let number = number.ok_or("`after` must be the `id` of an event of this instance")?;
            Some(number.saturating_add(1))
        }
    };
    let read = shared.with_log(|log| log.read(from.unwrap_or(0), MOST_EVENTS));
    let entries = read.entries.iter().map(|entry| entry.json(instance));
    let entries: Vec<_> = entries.collect();
    Ok(json!({ "instance": **instance, "events": entries, "missed": read.missed }).to_string())
}

fn health(shared: &Shared) -> Result<Response<Body>, Refusal> {
    let settings = &shared.settings;
    let dropped = || {
        let message = "the registry of the panel was dropped; restart the program";
        (StatusCode::SERVICE_UNAVAILABLE, message.to_owned())
    };
    let registry = shared.watch.registry().ok_or_else(dropped)?;
    let essential: Vec<&str> = settings.essential.iter().map(String::as_str).collect();
    let health = registry.health(&essential);
    let status = if health.is_unhealthy() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    Ok(answer::value(settings, status, &health))
}
