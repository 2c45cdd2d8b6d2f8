//! [`Supervisor`]: connects to the store, sends one request at a time, and gives up dead connections.

use super::panic::{Panicked, catch};
use crate::planner::{REQUEST_TIMEOUT, Request};
use crate::store::{
    Commanded, FleetStore, Hello, Item, Line, Link, News, Pulled, StoreError, Submitted,
};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The wait before the first and before later reconnections. The actual wait is random, up to this
/// time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The connection to the store.
pub(crate) struct Supervisor {
    store: Arc<dyn FleetStore>,
    hello: Hello,
    state: State,
    /// Connections in a row that failed, or did not last.
    failures: u32,
    /// When the present connection was made.
    connected_at: Option<Instant>,
}

enum State {
    Waiting(Boxed<()>),
    Connecting(Boxed<Result<Link, StoreError>>),
    Idle(Box<dyn Line>, News),
    Busy(Boxed<(Box<dyn Line>, Reply)>, News),
}

/// What became of a request.
pub(crate) struct Reply {
    pub(crate) request: Request,
    pub(crate) answer: Answer,
}

pub(crate) enum Answer {
    Pulled(Pulled),
    Submitted(Submitted),
    Commanded(Commanded),
    Failed(StoreError),
}

/// What happened at the connection.
pub(crate) enum Happened {
    Connected,
    /// The connection failed or ended.
    Disconnected(StoreError),
    News(Item),
    Replied(Box<Reply>),
}

impl Supervisor {
    pub(crate) fn new(store: Arc<dyn FleetStore>, hello: Hello) -> Self {
        let state = State::Connecting(connect(store.clone(), hello.clone()));
        Self {
            store,
            hello,
            state,
            failures: 0,
            connected_at: None,
        }
    }

    /// Whether a request can be sent now.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle(..))
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Idle(..) | State::Busy(..))
    }

    /// Waits until something happens at the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub(crate) async fn next(&mut self) -> Happened {
        loop {
            match &mut self.state {
                State::Waiting(wait) => {
                    wait.await;
                    let connection = connect(self.store.clone(), self.hello.clone());
                    self.state = State::Connecting(connection);
                }
                State::Connecting(connection) => match connection.await {
                    Ok(Link { line, news }) => {
                        self.state = State::Idle(line, news);
                        self.connected_at = Some(Instant::now());
                        return Happened::Connected;
                    }
                    Err(error) => return Happened::Disconnected(error),
                },
                State::Idle(_, news) => return Happened::News(news.next().await),
                State::Busy(request, news) => {
                    // The answer first: it is about the latest state.
                    let happened = {
                        let mut next = pin!(news.next());
                        poll_fn(|cx| match request.as_mut().poll(cx) {
                            Poll::Ready(reply) => Poll::Ready(Ok(reply)),
                            Poll::Pending => next.as_mut().poll(cx).map(Err),
                        })
                        .await
                    };
                    match happened {
                        Err(item) => return Happened::News(item),
                        Ok((line, reply)) => {
                            self.idle(line);
                            return Happened::Replied(Box::new(reply));
                        }
                    }
                }
            }
        }
    }

    fn idle(&mut self, line: Box<dyn Line>) {
        let waiting = State::Waiting(Box::pin(pending()));
        if let State::Busy(_, news) = std::mem::replace(&mut self.state, waiting) {
            self.state = State::Idle(line, news);
        }
    }

    /// Returns a message that has arrived.
    pub(crate) fn try_news(&mut self) -> Option<Item> {
        match &mut self.state {
            State::Idle(_, news) | State::Busy(_, news) => news.try_next(),
            State::Waiting(_) | State::Connecting(_) => None,
        }
    }

    /// Sends a request, if the connection is [idle](Self::is_idle).
    pub(crate) fn send(&mut self, request: Request) {
        let waiting = State::Waiting(Box::pin(pending()));
        match std::mem::replace(&mut self.state, waiting) {
            State::Idle(line, news) => {
                self.state = State::Busy(Box::pin(exchange(line, request)), news);
            }
            state => self.state = state,
        }
    }

    /// Gives the connection up, and connects again after a random time. `random` is between 0 and 1.
    ///
    /// A connection that has lasted is replaced quickly. One that ends soon after its first pull, again
    /// and again, must not cost the store a full pull every 50 ms.
    pub(crate) fn reconnect(&mut self, random: f64) {
        let connected_at = self.connected_at.take();
        if connected_at.is_some_and(|instant| instant.elapsed() >= LONGEST_WAIT) {
            self.failures = 0;
        }
        let longest = FIRST_WAIT * 2_u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        let wait = longest.min(LONGEST_WAIT).mul_f64(random);
        self.state = State::Waiting(Box::pin(tokio::time::sleep(wait)));
    }

    /// Removes this instance from the members, if the connection is idle.
    pub(crate) async fn leave(&mut self, time: Duration) {
        if let State::Idle(line, _) = &mut self.state {
            let _ = timeout(time, CatchPanic(line.leave())).await;
        }
    }
}

fn connect(store: Arc<dyn FleetStore>, hello: Hello) -> Boxed<Result<Link, StoreError>> {
    Box::pin(async move {
        let connection = async { store.connect(&hello).await };
        let connected = timeout(CONNECT_TIMEOUT, CatchPanic(Box::pin(connection))).await;
        flatten(connected)
    })
}

async fn exchange(mut line: Box<dyn Line>, request: Request) -> (Box<dyn Line>, Reply) {
    let answer = match &request {
        Request::Pull { since, limit } => {
            let pulled = timeout(REQUEST_TIMEOUT, CatchPanic(line.pull(*since, *limit))).await;
            flatten(pulled).map(Answer::Pulled)
        }
        Request::Submit { seen, ops, .. } => {
            let submitted = timeout(REQUEST_TIMEOUT, CatchPanic(line.submit(*seen, ops))).await;
            flatten(submitted).map(Answer::Submitted)
        }
        Request::Command { seen, command } => {
            let commanded = CatchPanic(line.command(*seen, command));
            flatten(timeout(REQUEST_TIMEOUT, commanded).await).map(Answer::Commanded)
        }
    };
    let answer = answer.unwrap_or_else(Answer::Failed);
    (line, Reply { request, answer })
}

fn flatten<T>(
    result: Result<Result<Result<T, StoreError>, StoreError>, tokio::time::error::Elapsed>,
) -> Result<T, StoreError> {
    result
        .unwrap_or(Err(StoreError::TimedOut))
        .and_then(|result| result)
}

/// Catches a panic of a store. The connection is given up then.
struct CatchPanic<F>(F);

impl<F: Future + Unpin> Future for CatchPanic<F> {
    type Output = Result<F::Output, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = &mut self.0;
        let polled = catch(|| Pin::new(inner).poll(cx).map(Ok));
        polled.unwrap_or_else(|Panicked| {
            let error = StoreError::Disconnected("the store panicked".into());
            Poll::Ready(Err(error))
        })
    }
}
