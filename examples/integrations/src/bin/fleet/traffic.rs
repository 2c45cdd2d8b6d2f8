//! [`Traffic`]: the calls of a process through one circuit.

use crate::message::Calls;
use breakerbox::{BreakerError, Cause, prelude::*};
use reqwest::{Client, Response};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;

/// Calls of the dependency through one circuit, one after the other.
pub(crate) struct Traffic<'a> {
    pub(crate) registry: &'a BreakerRegistry,
    pub(crate) client: &'a Client,
    /// The name of the breaker.
    pub(crate) circuit: &'static str,
    /// The URL of the dependency for this process and circuit.
    pub(crate) url: String,
    pub(crate) pause: Duration,
    pub(crate) calls: Cell<Calls>,
}

impl Traffic<'_> {
    /// Makes calls until the process stops.
    pub(crate) async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            self.call().await;
            let stopped = stop.wait_for(|is_stopping| *is_stopping);
            let _ = tokio::time::timeout(self.pause, stopped).await;
        }
    }

    /// Makes one call, and counts the polls in which the call waited for anything else than its request.
    /// A refused call must not wait at all.
    async fn call(&self) {
        let mut calls = self.calls.get();
        let is_requesting = Cell::new(false);
        let request = async {
            is_requesting.set(true);
            let result = self.request().await;
            is_requesting.set(false);
            result
        };
        let mut call = pin!(request.with_breaker(self.registry, self.circuit));
        let result = poll_fn(|cx| {
            let polled = call.as_mut().poll(cx);
            calls.delayed += u64::from(polled.is_pending() && !is_requesting.get());
            polled
        })
        .await;
        match result {
            Ok(_) => calls.succeeded += 1,
            Err(BreakerError::Open(_)) => calls.refused += 1,
            Err(_) => calls.failed += 1,
        }
        self.calls.set(calls);
    }

    /// Sends one request. The URL says whether the request is a trial, and whose.
    async fn request(&self) -> reqwest::Result<Response> {
        let circuit = self.registry.breaker(self.circuit).snapshot();
        let licence = match (circuit.state, circuit.cause) {
            (State::HalfOpen, Some(Cause::Fleet { .. })) => "lease",
            (State::HalfOpen, _) => "own-trial",
            _ => "closed",
        };
        let url = format!("{}/{licence}", self.url);
        self.client.get(url).send().await?.error_for_status()
    }
}
