//! The driver of guarded calls: admits a call, runs the guarded code and records the outcome.
//!
//! Every guard uses it: [`WithBreaker`](crate::WithBreaker), [`GuardedStream`](crate::GuardedStream)
//! and [`GuardedFn`](crate::GuardedFn), [`CircuitBreaker::call`], [`Permit`](crate::Permit),
//! `#[circuit]` and the tower service.
//!
//! ```text
//!                start                    run               finish
//! new Call ──────┬──────▶ RunningCall ──┬──────▶ output ──────────────▶ recorded
//!    │           ▼             ▲        ▼        │
//!    │      CircuitOpen     resume  panicked  suspend
//!    │                         │                 ▼
//!    └──── admit, for a permit ┴───▶ Call with a token ───────────────▶ cancelled
//!                                                        dropped
//! ```
//!
//! The common path is inlined into each guard; rare paths are cold functions. benches/instructions,
//! "healthy call": 105 instead of 56 instructions if `finish` is not inlined. benches/peers,
//! "healthy": 1 ns more if the `Call` keeps the token while guarded code runs.

use crate::breaker::CircuitBreaker;
use crate::circuit::{CallToken, Circuit, Completion};
use crate::classifier::{Classification, Classifier, DefaultClassifier};
use crate::classify::Outcome;
use crate::error::{BreakerError, CircuitOpen};
use crate::handle::Handle;
use std::fmt::Debug;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

/// A call through a breaker, which may move between threads, as a future does between polls.
///
/// `token` is `Some` from admission until the outcome is recorded, except while guarded code runs;
/// a [`RunningCall`] has the token then. Dropping a `Call` that has a token records a cancelled
/// call.
#[derive(Debug)]
pub(crate) struct Call<H: Handle> {
    handle: H,
    token: Option<CallToken>,
}

impl<H: Handle> Call<H> {
    /// Creates a call that is not admitted yet.
    #[inline]
    pub(crate) fn new(handle: H) -> Self {
        Self {
            handle,
            token: None,
        }
    }

    /// Creates a call that was admitted with `token`.
    #[inline]
    pub(crate) fn admitted(handle: H, token: CallToken) -> Self {
        Self {
            handle,
            token: Some(token),
        }
    }

    #[inline]
    pub(crate) fn breaker(&self) -> &CircuitBreaker {
        self.handle.breaker()
    }

    #[inline]
    pub(crate) fn handle(&self) -> &H {
        &self.handle
    }

    /// Takes the token of an admitted call, whose guarded code runs next on this thread.
    ///
    /// Returns `None` if the call has no token: it is not admitted yet, or its outcome was
    /// recorded.
    #[inline]
    pub(crate) fn resume(&mut self) -> Option<CallToken> {
        let token = self.token.take()?;
        Some(token.enter(&self.handle.breaker().circuit))
    }

    /// Runs the guarded code of an admitted call to completion.
    #[inline]
    pub(crate) fn run<Out, C: Classifier<Out>>(
        mut self,
        classifier: &C,
        code: impl FnOnce() -> Out,
    ) -> Result<C::Ok, C::Err> {
        match self.resume() {
            Some(token) => {
                let running = RunningCall::new(self.breaker(), token);
                let out = running.run(code);
                running.finish(classifier, out)
            }
            None => C::into_result(code()),
        }
    }

    /// Stores the token of a call whose guarded code continues later.
    #[inline]
    pub(crate) fn suspend(&mut self, token: CallToken) {
        self.token = Some(token.leave());
    }

    /// Returns `true` if the outcome of an admitted call was recorded.
    #[cfg(all(feature = "http", feature = "tower"))]
    pub(crate) fn is_recorded(&self) -> bool {
        self.token.is_none()
    }

    /// Runs a part of the guarded code, which continues later. A panic is recorded as a failure.
    ///
    /// Without a token, `code` runs unguarded.
    #[inline]
    pub(crate) fn run_part<T>(&mut self, code: impl FnOnce() -> T) -> T {
        let Some(token) = self.resume() else {
            return code();
        };
        let out = RunningCall::new(self.breaker(), token).run(code);
        self.suspend(token);
        out
    }

    /// Classifies a value that the guarded code returned before its end, and records the outcome
    /// unless it is a success. If `classify` panics, the call is ignored.
    ///
    /// Returns `true` if the value is a success of a call that has no outcome yet.
    #[inline]
    pub(crate) fn classify_part<'a>(
        &mut self,
        classify: impl FnOnce(&CircuitBreaker) -> Classification<'a>,
    ) -> bool {
        let Self {
            handle,
            token: slot,
        } = self;
        let Some(token) = *slot else {
            return false;
        };
        if token.is_joined() {
            return true;
        }
        let breaker = handle.breaker();
        let classification = with_panic_hook(
            || classify(breaker),
            || {
                *slot = None;
                record_ignored(&breaker.circuit, token);
            },
        );
        if classification.outcome == Outcome::Success {
            return true;
        }
        *slot = None;
        record_other(&breaker.circuit, token, &classification);
        false
    }

    /// Records that the stream whose items are the guarded code was dropped before its end.
    #[inline]
    pub(crate) fn record_dropped_stream(&mut self) {
        if let Some(token) = self.token.take() {
            record_dropped_stream(&self.handle.breaker().circuit, token);
        }
    }

    /// Classifies an error by the rules of the breaker, and records the outcome.
    pub(crate) fn record_error<E: Debug + 'static>(&mut self, error: &E) {
        if let Some(token) = self.token.take() {
            let breaker = self.handle.breaker();
            record_classified(breaker, token, || {
                Classification::of_error(error, None, breaker)
            });
        }
    }

    /// Records an outcome without an error.
    #[inline]
    pub(crate) fn record(&mut self, outcome: Outcome) {
        if let Some(token) = self.token.take() {
            let circuit = &self.handle.breaker().circuit;
            record(circuit, token, &Classification::new(outcome));
        }
    }

    /// Records that the call exceeded the time limit `limit`.
    pub(crate) fn record_timeout(&mut self, limit: Duration) {
        if let Some(token) = self.token.take() {
            let circuit = &self.handle.breaker().circuit;
            circuit.record(token, Completion::TimedOut(limit));
        }
    }
}

/// Admits a call whose guarded code does not run yet.
///
/// # Errors
///
/// Returns the refusal, which has been counted.
#[inline]
pub(crate) fn admit(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    match breaker.circuit.try_admit_fast() {
        Some(token) => Ok(token),
        None => admit_or_refuse(breaker, false),
    }
}

/// Admits a call whose guarded code runs next on this thread.
///
/// If the call is a trial, calls of the same circuit that the code makes join the trial.
///
/// # Errors
///
/// Returns the refusal, which has been counted.
#[inline]
pub(crate) fn start(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    match breaker.circuit.try_admit_fast() {
        Some(token) => Ok(token),
        None => admit_or_refuse(breaker, true),
    }
}

/// Admits a call like [`admit`], but does not count a refusal.
#[inline]
pub(crate) fn admit_uncounted(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    match breaker.circuit.try_admit_fast() {
        Some(token) => Ok(token),
        None => admit_or_refuse_uncounted(breaker),
    }
}

/// Admits a call like [`admit`], but creates no error for a refusal.
#[inline]
pub(crate) fn try_admit(breaker: &CircuitBreaker) -> Option<CallToken> {
    let circuit = &breaker.circuit;
    let admit = || {
        let admitted = circuit.try_admit();
        admitted.inspect_err(|refused| {
            #[cfg(feature = "fleet")]
            circuit.count_ramp_up_refusal(*refused);
            circuit.count_refusal(*refused);
        })
    };
    circuit.try_admit_fast().or_else(|| admit().ok())
}

/// A call whose guarded code is running, or has just returned.
#[derive(Clone, Copy)]
pub(crate) struct RunningCall<'a> {
    breaker: &'a CircuitBreaker,
    token: CallToken,
}

impl<'a> RunningCall<'a> {
    /// Creates the call from the token that [`Call::resume`] or [`start`] returned.
    #[inline]
    pub(crate) fn new(breaker: &'a CircuitBreaker, token: CallToken) -> Self {
        Self { breaker, token }
    }

    /// Records that the guarded code panicked.
    #[cfg(feature = "tower")]
    pub(crate) fn record_panic(self) {
        record_panic(&self.breaker.circuit, self.token);
    }

    /// Runs guarded code. A panic of the code is recorded as a failure during unwinding.
    #[inline]
    pub(crate) fn run<T>(self, code: impl FnOnce() -> T) -> T {
        with_panic_hook(code, move || {
            record_panic(&self.breaker.circuit, self.token);
        })
    }

    /// Classifies the output of the guarded code, records the outcome, and returns the output as a
    /// `Result`.
    #[allow(clippy::inline_always)] // see the module documentation
    #[inline(always)]
    pub(crate) fn finish<Out, C: Classifier<Out>>(
        self,
        classifier: &C,
        out: Out,
    ) -> Result<C::Ok, C::Err> {
        // Matched before classification, so that a success on the common path is not borrowed.
        match C::into_result(out) {
            Ok(value) if C::OK_IS_SUCCESS => {
                self.breaker.circuit.record_success(self.token);
                Ok(value)
            }
            Ok(value) => {
                let result = Ok(value);
                classify(self.breaker, self.token, classifier, &result);
                result
            }
            Err(error) => {
                let result = Err(error);
                classify(self.breaker, self.token, classifier, &result);
                result
            }
        }
    }
}

impl<H: Handle> Drop for Call<H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(token) = self.token {
            record_cancellation(&self.handle.breaker().circuit, token);
        }
    }
}

/// Runs `function` as a guarded call on this thread.
///
/// # Errors
///
/// The outer error is the refusal, with the arguments that were not used.
#[inline]
pub(crate) fn call<C: Classifier<Out>, Args, Out>(
    breaker: &CircuitBreaker,
    classifier: &C,
    args: Args,
    function: impl FnOnce(Args) -> Out,
) -> Result<Result<C::Ok, C::Err>, (CircuitOpen, Args)> {
    match start(breaker) {
        Ok(token) => {
            let call = RunningCall::new(breaker, token);
            let out = call.run(|| function(args));
            Ok(call.finish(classifier, out))
        }
        Err(open) => Err((open, args)),
    }
}

impl CircuitBreaker {
    /// Calls `work` if the circuit admits the call, and records the outcome.
    ///
    /// `Ok` is recorded as a success. An error is classified by the rules of the breaker; without
    /// rules, every error is a failure.
    ///
    /// `work` runs on the calling thread. In async code, call this method in tokio's `spawn_blocking`,
    /// with a clone of the breaker. The result is recorded even if the `JoinHandle` is dropped.
    ///
    /// For a future, use [`call_async`](Self::call_async) instead. It also guards a call of an
    /// `impl AsyncFn` parameter: `breaker.call_async(fetch(1))`. For work that begins in one place and
    /// ends in another, use a [permit](Self::try_acquire), which may be moved to another thread or task.
    ///
    /// # Errors
    ///
    /// * [`BreakerError::Open`]: the circuit refused the call, and `work` was not called.
    /// * [`BreakerError::Inner`]: `work` returned this error.
    ///
    /// # Panics
    ///
    /// If `work` panics, the call is recorded as a failure and the panic propagates.
    ///
    /// # Examples
    ///
    /// ```
    /// # let parser = breakerbox::CircuitBreaker::builder().build()?;
    /// assert_eq!(parser.call(|| "7".parse::<u8>()).ok(), Some(7));
    /// # Ok::<(), breakerbox::ConfigError>(())
    /// ```
    ///
    /// Blocking work in async code:
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// # let disk = breakerbox::CircuitBreaker::builder().build()?;
    /// let read = {
    ///     let disk = disk.clone();
    ///     move || disk.call(|| std::fs::read_to_string("Cargo.toml"))
    /// };
    /// let text = tokio::task::spawn_blocking(read).await??;
    /// # assert!(!text.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn call<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, BreakerError<E>>
    where
        E: Debug + 'static,
    {
        let result = call(self, &DefaultClassifier, (), |()| work());
        result
            .map_err(|(open, ())| BreakerError::Open(open))?
            .map_err(BreakerError::Inner)
    }
}

/// Admits or refuses a call that the fast path does not admit. If `runs_next` is set, enters the
/// trial that the call may be.
#[inline(never)]
fn admit_or_refuse(breaker: &CircuitBreaker, runs_next: bool) -> Result<CallToken, CircuitOpen> {
    let circuit = &breaker.circuit;
    let refused = match circuit.try_refuse_fast() {
        Some(refused) => refused,
        None => match circuit.try_admit() {
            Ok(token) if runs_next => return Ok(token.enter(circuit)),
            Ok(token) => return Ok(token),
            Err(refused) => {
                #[cfg(feature = "fleet")]
                circuit.count_ramp_up_refusal(refused);
                refused
            }
        },
    };
    circuit.count_refusal(refused);
    Err(circuit.refusal_error(refused))
}

/// Admits or refuses a call that the fast path does not admit, without counting a refusal.
///
/// A function of its own: benches/instructions, "refused call": 137 instead of 133 instructions if
/// [`admit_or_refuse`] also serves calls that are not counted.
#[inline(never)]
fn admit_or_refuse_uncounted(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    let circuit = &breaker.circuit;
    let decision = match circuit.try_refuse_fast() {
        Some(refused) => Err(refused),
        None => circuit.try_admit(),
    };
    decision.map_err(|refused| circuit.refusal_error(refused))
}

/// Classifies a result on the slow path, and records the outcome.
#[inline(never)]
fn classify<Out, C: Classifier<Out>>(
    breaker: &CircuitBreaker,
    token: CallToken,
    classifier: &C,
    result: &Result<C::Ok, C::Err>,
) {
    record_classified(breaker, token, || classifier.classify(result, breaker));
}

/// Records the outcome that `classify` returns. If `classify` panics, the call is ignored.
#[inline]
fn record_classified<'a>(
    breaker: &CircuitBreaker,
    token: CallToken,
    classify: impl FnOnce() -> Classification<'a>,
) {
    if token.is_joined() {
        return;
    }
    // Before `classify` runs user code: calls that a predicate makes do not join the trial.
    let token = token.leave();
    let circuit = &*breaker.circuit;
    let classification = with_panic_hook(classify, || record_ignored(circuit, token));
    record(circuit, token, &classification);
}

#[inline]
fn record(circuit: &Circuit, token: CallToken, classification: &Classification<'_>) {
    match classification.outcome {
        Outcome::Success => circuit.record_success(token),
        _ => record_other(circuit, token, classification),
    }
}

#[cold]
#[inline(never)]
fn record_other(circuit: &Circuit, token: CallToken, classification: &Classification<'_>) {
    let completion = Completion::Returned(classification.outcome, classification.error);
    let config = classification.config.as_deref().map(Arc::as_ref);
    circuit.record_classified(config, token, completion);
}

#[cold]
#[inline(never)]
fn record_ignored(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::Returned(Outcome::Ignored, None));
}

#[cold]
#[inline(never)]
fn record_cancellation(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::Cancelled);
}

#[cold]
#[inline(never)]
fn record_dropped_stream(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::StreamDropped);
}

#[cold]
#[inline(never)]
fn record_panic(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::Panicked);
}

/// Runs `code`. If it panics, calls `on_panic` during unwinding, before the values of the caller
/// are dropped.
#[inline]
fn with_panic_hook<T>(code: impl FnOnce() -> T, on_panic: impl FnMut()) -> T {
    let hook = PanicHook(on_panic);
    let result = code();
    mem::forget(hook);
    result
}

struct PanicHook<F: FnMut()>(F);

impl<F: FnMut()> Drop for PanicHook<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
