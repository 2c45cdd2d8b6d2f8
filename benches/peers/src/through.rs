//! A tower service that is always ready, and the way through any.

use crate::job::{Failure, Job};
use crate::peers::{Polled, Refusable, Setup};
use std::future::poll_fn;
use std::task::{Context, Poll};
use tower::Service;

/// The innermost service: the job that it is sent.
#[derive(Clone)]
pub struct Inner;

impl Service<Job> for Inner {
    type Response = u64;
    type Error = Failure;
    type Future = Job;
    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }
    #[inline]
    fn call(&mut self, job: Job) -> Job {
        job
    }
}

/// Ready, then called, as every user of a service has to.
#[inline]
pub async fn through<S>(service: &mut S, job: Job) -> Result<S::Response, S::Error>
where
    S: Service<Job>,
{
    poll_fn(|context| service.poll_ready(context)).await?;
    service.call(job).await
}

impl Refusable for Failure {
    fn is_refusal(&self) -> bool {
        false
    }
}

/// The bare service.
impl Polled for Inner {
    type Error = Failure;
    type Caller = Inner;
    fn new(_: Setup) -> Option<Self> {
        Some(Self)
    }
    fn caller(&self) -> Inner {
        Inner
    }
    #[inline]
    fn call(caller: &mut Inner, job: Job) -> impl Future<Output = Result<u64, Failure>> {
        through(caller, job)
    }
}
