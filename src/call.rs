//! The driver of guarded calls: admits a call, runs the guarded code and records the outcome.
//!
//! Every way in uses it: [`WithBreaker`](crate::WithBreaker) and
//! [`GuardedFn`](crate::GuardedFn), [`CircuitBreaker::call`], [`Permit`](crate::Permit),
//! `#[circuit]` and the tower service.
//!
//! ```text
//!                 admit                run, once or once a poll           finish, record
//! Call::new ──────────────▶ admitted ──────────────────────────▶ ended ──────────────────▶ recorded
//!             │ refused                │ panic                     │ dropped
//!             ▼                        ▼                           ▼
//!        CircuitOpen               a failure                   cancelled
//! ```
//!
//! What nearly every call does is inlined into the guard, also where that is large: an outcome that
//! is returned by a function goes through memory. What few calls do is in cold functions that take
//! values (bench `guards`).

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

/// One call through a breaker, not bound to a thread or a scope.
///
/// # Invariants
///
/// 1. `token` is present from admission until the outcome is recorded, which happens exactly once. A
///    call that is dropped with a token was cancelled.
/// 2. The token is taken before anything is recorded: recording may run user code, which may panic.
#[derive(Debug)]
pub(crate) struct Call<H: Handle> {
    handle: H,
    token: Option<CallToken>,
}

impl<H: Handle> Call<H> {
    /// A call that is yet to be admitted.
    #[inline]
    pub(crate) fn new(handle: H) -> Self {
        Self {
            handle,
            token: None,
        }
    }

    /// A call that was admitted.
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
    pub(crate) fn is_admitted(&self) -> bool {
        self.token.is_some()
    }

    /// Asks for admission.
    ///
    /// # Errors
    ///
    /// The refusal, which has been counted.
    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), CircuitOpen> {
        let breaker = self.handle.breaker();
        let token = match breaker.circuit.try_admit_fast() {
            Some(token) => token,
            None => admit_or_refuse(breaker)?,
        };
        self.token = Some(token);
        Ok(())
    }

    /// Asks for admission. Returns false if the call is refused, without an error to describe it.
    #[inline]
    pub(crate) fn try_admit(&mut self) -> bool {
        let circuit = &self.handle.breaker().circuit;
        let admit = || {
            let admitted = circuit.try_admit();
            admitted.inspect_err(|refused| circuit.count_refusal(*refused))
        };
        self.token = circuit.try_admit_fast().or_else(|| admit().ok());
        self.token.is_some()
    }

    /// Runs guarded code. Calls of the same circuit that the code makes on this thread join the call if
    /// it is a trial. A panic of the code is a failure, recorded while it unwinds.
    #[inline]
    pub(crate) fn run<T>(&mut self, code: impl FnOnce() -> T) -> T {
        let circuit = &self.handle.breaker().circuit;
        let token = self.token.take();
        let is_trial = token.is_some_and(CallToken::is_trial);
        let token = if is_trial {
            token.map(|token| token.enter(circuit))
        } else {
            token
        };
        let result = with_panic_hook(code, move || {
            if let Some(token) = token {
                record_panic(circuit, token);
            }
        });
        self.token = if is_trial {
            token.map(CallToken::leave)
        } else {
            token
        };
        result
    }

    /// Classifies the output of the guarded code, records the outcome, and returns the output as a
    /// `Result`.
    // A function would return the result through memory (bench `guards`).
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(crate) fn finish<Out, C: Classifier<Out>>(
        &mut self,
        classifier: &C,
        out: Out,
    ) -> Result<C::Ok, C::Err> {
        let result = C::into_result(out);
        let Some(token) = self.token.take() else {
            return result;
        };
        let breaker = self.handle.breaker();
        // Taken apart first: only an error that is classified has to be in memory.
        match result {
            Ok(value) if C::OK_IS_SUCCESS => {
                breaker.circuit.record_success(token);
                Ok(value)
            }
            Ok(value) => {
                let result = Ok(value);
                classify(breaker, token, classifier, &result);
                result
            }
            Err(error) => {
                let result = Err(error);
                classify(breaker, token, classifier, &result);
                result
            }
        }
    }

    /// Classifies an error by the breaker's rules, and records the outcome.
    pub(crate) fn record_error<E: Debug + 'static>(&mut self, error: &E) {
        if let Some(token) = self.token.take() {
            let breaker = self.handle.breaker();
            let classification = || Classification::of_error(error, None, breaker);
            record_classified(breaker, token, classification);
        }
    }

    /// Records an outcome without an error.
    #[inline]
    pub(crate) fn record(&mut self, outcome: Outcome) {
        if let Some(token) = self.token.take() {
            let circuit = &self.handle.breaker().circuit;
            record(circuit, token, Classification::new(outcome));
        }
    }

    /// Records that the call ran longer than `limit`.
    pub(crate) fn record_timeout(&mut self, limit: Duration) {
        if let Some(token) = self.token.take() {
            let circuit = &self.handle.breaker().circuit;
            circuit.record(token, Completion::TimedOut(limit));
        }
    }

    /// Records that the guarded code panicked.
    #[cfg(feature = "tower")]
    pub(crate) fn record_panic(&mut self) {
        if let Some(token) = self.token.take() {
            record_panic(&self.handle.breaker().circuit, token);
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

impl Call<&CircuitBreaker> {
    /// The same call with a handle of its own.
    #[inline]
    pub(crate) fn into_owned(mut self) -> Call<CircuitBreaker> {
        Call {
            handle: self.handle.clone(),
            token: self.token.take(),
        }
    }
}

/// Guards a call that runs on this thread from its beginning to its end. A refusal gives the
/// arguments back.
#[inline]
pub(crate) fn call<H: Handle, C: Classifier<Out>, Args, Out>(
    handle: H,
    classifier: &C,
    args: Args,
    function: impl FnOnce(Args) -> Out,
) -> Result<Result<C::Ok, C::Err>, (CircuitOpen, Args)> {
    let mut call = Call::new(handle);
    match call.admit() {
        Ok(()) => {
            let out = call.run(|| function(args));
            Ok(call.finish(classifier, out))
        }
        Err(open) => Err((open, args)),
    }
}

impl CircuitBreaker {
    /// Calls `work`, if the circuit admits the call, and records what it returns.
    ///
    /// # Errors
    ///
    /// [`BreakerError::Open`] when the circuit refuses, [`BreakerError::Inner`] with the error of
    /// `work`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let parser = breakerbox::CircuitBreaker::builder().build()?;
    /// assert_eq!(parser.call(|| "7".parse::<u8>()).ok(), Some(7));
    /// # Ok::<(), breakerbox::ConfigError>(())
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

#[inline(never)]
fn admit_or_refuse(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    let circuit = &breaker.circuit;
    let refused = match circuit.try_refuse_fast() {
        Some(refused) => refused,
        None => match circuit.try_admit() {
            Ok(token) => return Ok(token),
            Err(refused) => refused,
        },
    };
    circuit.count_refusal(refused);
    Err(circuit.refusal_error(refused))
}

/// Classifies a result, and records the outcome.
#[inline(never)]
fn classify<Out, C: Classifier<Out>>(
    breaker: &CircuitBreaker,
    token: CallToken,
    classifier: &C,
    result: &Result<C::Ok, C::Err>,
) {
    record_classified(breaker, token, || classifier.classify(result, breaker));
}

/// Records what `classify` returns. A predicate that panics makes the call ignored.
#[inline]
fn record_classified<'a>(
    breaker: &CircuitBreaker,
    token: CallToken,
    classify: impl FnOnce() -> Classification<'a>,
) {
    if token.is_joined() {
        return;
    }
    let circuit = &*breaker.circuit;
    let ignored = Completion::Returned(Outcome::Ignored, None);
    let classification = with_panic_hook(classify, || circuit.record(token, ignored));
    record(circuit, token, classification);
}

#[inline]
fn record(circuit: &Circuit, token: CallToken, classification: Classification<'_>) {
    match classification.outcome {
        Outcome::Success => circuit.record_success(token),
        _ => record_other(circuit, token, classification),
    }
}

// By value, so that a success does not write it to memory (bench `guards`).
#[allow(clippy::needless_pass_by_value)]
#[cold]
#[inline(never)]
fn record_other(circuit: &Circuit, token: CallToken, classification: Classification<'_>) {
    let completion = Completion::Returned(classification.outcome, classification.error);
    let config = classification.config.as_deref().map(Arc::as_ref);
    circuit.record_classified(config, token, completion);
}

#[cold]
#[inline(never)]
fn record_cancellation(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::Cancelled);
}

#[cold]
#[inline(never)]
fn record_panic(circuit: &Circuit, token: CallToken) {
    circuit.record(token, Completion::Panicked);
}

/// Runs `code`, and `on_panic` while a panic of it unwinds: before what the code left behind is dropped.
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
