//! A body with a script, and a service that responds with it.

use ::http::{HeaderMap, Request, Response};
use breakerbox::clock::ManualClock;
use breakerbox::tower::{BreakerLayer, GuardedBody};
use breakerbox::{BreakerBuilder, CircuitBreaker, Event, State, http};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::{Layer, Service, service_fn};

/// The error of a scripted body.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct BrokenOff;

/// What a scripted body does when it is polled.
pub(crate) enum Step {
    Data(&'static str),
    Trailers(HeaderMap),
    Error,
    Pending,
    Panic,
    /// Runs a closure, and goes on with the next step.
    Run(Box<dyn FnOnce() + Send>),
}

/// A body with a script. It ends after its last step.
pub(crate) struct Script {
    steps: VecDeque<Step>,
    pub(crate) knows_end: bool,
    pub(crate) panics_at_end: bool,
}

impl Script {
    /// Creates a body whose `is_end_stream` always returns `false`, like that of a chunked response.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            knows_end: false,
            panics_at_end: false,
        }
    }

    /// Creates a body whose `is_end_stream` returns `true` after the last step, like that of a
    /// response with a length.
    pub(crate) fn with_known_end(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            knows_end: true,
            ..Self::new(steps)
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            return match self.steps.pop_front() {
                Some(Step::Data(text)) => Poll::Ready(Some(Ok(Frame::data(text.into())))),
                Some(Step::Trailers(map)) => Poll::Ready(Some(Ok(Frame::trailers(map)))),
                Some(Step::Error) => Poll::Ready(Some(Err(BrokenOff))),
                Some(Step::Pending) => Poll::Pending,
                Some(Step::Panic) => panic!("deliberate panic in poll_frame"),
                Some(Step::Run(closure)) => {
                    closure();
                    continue;
                }
                None => Poll::Ready(None),
            };
        }
    }

    fn is_end_stream(&self) -> bool {
        assert!(
            !(self.panics_at_end && self.steps.is_empty()),
            "deliberate panic in is_end_stream"
        );
        self.knows_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.steps.len() as u64)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

pub(crate) const RECOVERY: Duration = Duration::from_secs(30);

/// A breaker that two failures in a row open, its clock, and its events.
pub(crate) struct Fixture {
    pub(crate) breaker: CircuitBreaker,
    pub(crate) clock: ManualClock,
    events: Arc<Mutex<Vec<String>>>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(customize: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Self {
        let clock = ManualClock::new();
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let builder = CircuitBreaker::builder()
            .failure_threshold(2)
            .recovery_timeout(RECOVERY)
            .clock(clock.clone())
            .on_change(move |event: &Event| {
                let text = match event {
                    Event::StateChanged { to, .. } => format!("{to:?}"),
                    Event::CancelledInARow { .. } => "CancelledInARow".to_owned(),
                    other => format!("{other:?}"),
                };
                log.lock().unwrap().push(text);
            });
        let breaker = customize(builder).build().unwrap();
        Self {
            breaker,
            clock,
            events,
        }
    }

    /// Makes the circuit half-open, with a free slot.
    pub(crate) fn half_open(&self) {
        self.breaker.trip();
        self.clock.advance(RECOVERY);
        assert_eq!(self.breaker.state(), State::HalfOpen);
    }

    /// Returns the body of a guarded response with status 200.
    pub(crate) fn body(&self, steps: impl IntoIterator<Item = Step>) -> GuardedBody<Script> {
        self.respond(Response::new(Script::new(steps))).into_body()
    }

    pub(crate) fn respond(&self, response: Response<Script>) -> Response<GuardedBody<Script>> {
        self.respond_to(Request::new(()), response)
    }

    /// Sends `request` through a layer to a service that returns `response`.
    pub(crate) fn respond_to(
        &self,
        request: Request<()>,
        response: Response<Script>,
    ) -> Response<GuardedBody<Script>> {
        let layer = BreakerLayer::new(self.breaker.clone())
            .classify_response(http::judge_response)
            .until_body_end();
        let mut response = Some(response);
        let mut service = layer.layer(service_fn(move |_: Request<()>| {
            ready(Ok::<_, Infallible>(response.take().unwrap()))
        }));
        let ready = service.poll_ready(&mut context());
        assert!(matches!(ready, Poll::Ready(Ok(()))));
        match pin!(service.call(request)).poll(&mut context()) {
            Poll::Ready(response) => response.expect("the circuit refused"),
            Poll::Pending => panic!("the response is pending"),
        }
    }

    /// Returns the totals of successes, failures, ignored and cancelled calls.
    pub(crate) fn totals(&self) -> [u64; 4] {
        totals(&self.breaker)
    }

    /// Returns the state changes and warnings so far.
    pub(crate) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

/// Returns the totals of successes, failures, ignored and cancelled calls.
pub(crate) fn totals(breaker: &CircuitBreaker) -> [u64; 4] {
    let totals = breaker.snapshot().totals;
    let success = totals.success.expect("successes are counted");
    [success, totals.failure, totals.ignored, totals.cancelled]
}

pub(crate) fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

type PolledFrame<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

pub(crate) fn poll_frame<B: Body + Unpin>(body: &mut B) -> PolledFrame<B> {
    Pin::new(body).poll_frame(&mut context())
}

/// Polls a body that has a frame ready, and returns its data.
#[track_caller]
pub(crate) fn data<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> Bytes {
    let Poll::Ready(Some(Ok(frame))) = poll_frame(body) else {
        panic!("no frame is ready");
    };
    frame.into_data().expect("the frame has data")
}

pub(crate) fn is_ended<B: Body + Unpin>(body: &mut B) -> bool {
    matches!(poll_frame(body), Poll::Ready(None))
}

/// A server task, which is aborted when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start<F: Future<Output = ()> + Send + 'static>(
        serve: impl FnOnce(TcpListener) -> F,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(serve(listener));
        Self { address, task }
    }

    pub(crate) async fn serve(router: axum::Router) -> Self {
        Self::start(async |listener| axum::serve(listener, router).await.unwrap()).await
    }

    pub(crate) fn get(&self, path: &str) -> Request<axum::body::Body> {
        let url = format!("http://{}{path}", self.address);
        Request::get(url).body(axum::body::Body::empty()).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
