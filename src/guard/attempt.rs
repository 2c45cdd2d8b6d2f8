use super::{Judge, Judgement, Rules};
use crate::breaker::CircuitBreaker;
use crate::circuit::{CallToken, Circuit, Completion};
use crate::classify::Outcome;
use crate::error::{BreakerError, CircuitOpen};
use crate::handle::Handle;
use crate::refusal_details::RefusalDetails;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

impl CircuitBreaker {
    /// Calls `work`, if the circuit lets it pass, and judges what it returns.
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
        E: fmt::Debug + 'static,
    {
        let result = call(&self, &Rules, (), |()| work());
        result
            .map_err(|(open, ())| BreakerError::Open(open))?
            .map_err(BreakerError::Inner)
    }
}

/// Guards a call that runs on this thread from its beginning to its end. A refusal gives the
/// arguments back.
#[inline]
pub(crate) fn call<H: Handle, J: Judge<Out>, Args, Out>(
    handle: &H,
    judge: &J,
    args: Args,
    function: impl FnOnce(Args) -> Out,
) -> Result<Result<J::Ok, J::Err>, (CircuitOpen, Args)> {
    let ticket = match admit_inside(handle) {
        Ok(ticket) => ticket,
        Err(open) => return Err((open, args)),
    };
    let passed = Passed::new(handle, ticket);
    let out = passed.run(|| function(args));
    Ok(judge.settle(out, passed))
}

/// Judges what the guarded code gave. A predicate or classifier that panics makes it a call that says
/// nothing.
#[inline]
fn settle<Out, J: Judge<Out> + ?Sized>(
    breaker: &CircuitBreaker,
    ticket: CallToken,
    judge: &J,
    out: &Out,
) {
    if ticket.is_joined() {
        return;
    }
    let ticket = ticket.leave();
    let circuit = &*breaker.circuit;
    let judgement = run(
        || judge.judge(out, breaker),
        || circuit.settle(ticket, UNJUDGED),
    );
    record(circuit, ticket, judgement);
}

/// A call that was let pass, while it is at hand.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    pub(crate) breaker: &'a CircuitBreaker,
    pub(crate) ticket: CallToken,
}

impl<'a> Passed<'a> {
    #[inline]
    pub(crate) fn new<H: Handle>(handle: &'a H, ticket: CallToken) -> Self {
        Self {
            breaker: handle.breaker(),
            ticket,
        }
    }

    /// Runs guarded code; a panic of it is a failure, recorded while it unwinds.
    #[inline]
    pub(crate) fn run<T>(self, work: impl FnOnce() -> T) -> T {
        run(work, || panicked(&self.breaker.circuit, self.ticket))
    }

    #[inline]
    pub(crate) fn succeed(self) {
        self.breaker.circuit.succeed(self.ticket);
    }

    #[inline]
    pub(crate) fn settle<Out, J: Judge<Out> + ?Sized>(self, judge: &J, out: &Out) {
        settle(self.breaker, self.ticket, judge, out);
    }
}

/// A call that is not bound to a thread or a scope: one's passage through a breaker.
///
/// It holds the ticket from admission until the call is settled; dropped with one, the call was
/// cancelled.
#[derive(Debug)]
pub(crate) struct Attempt<H: Handle> {
    handle: H,
    ticket: Option<CallToken>,
}

impl<H: Handle> Attempt<H> {
    #[inline]
    pub(crate) fn new(handle: H) -> Self {
        Self {
            handle,
            ticket: None,
        }
    }

    #[inline]
    pub(crate) fn admitted(handle: H, ticket: CallToken) -> Self {
        Self {
            handle,
            ticket: Some(ticket),
        }
    }

    pub(crate) fn handle(&self) -> &H {
        &self.handle
    }

    /// Runs guarded code; a panic of it is a failure, recorded while it unwinds.
    #[inline]
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        run(work, || {
            if let Some(ticket) = self.ticket.take() {
                panicked(&self.handle.breaker().circuit, ticket);
            }
        })
    }

    /// The same for code whose calls of the same circuit join it, if it is a trial.
    #[inline]
    pub(crate) fn run_inside<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let circuit = &self.handle.breaker().circuit;
        self.ticket = self.ticket.map(|ticket| ticket.enter(circuit));
        let result = self.run(work);
        self.ticket = self.ticket.map(CallToken::leave);
        result
    }

    /// Judges what the guarded code gave; see [`settle`].
    #[inline]
    pub(crate) fn judge<Out, J: Judge<Out>>(&mut self, judge: &J, out: &Out) {
        if let Some(ticket) = self.take() {
            settle(self.handle.breaker(), ticket, judge, out);
        }
    }

    /// Judges what the guarded code gave, and splits it.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn conclude<Out, J: Judge<Out>>(
        &mut self,
        judge: &J,
        out: Out,
    ) -> Result<J::Ok, J::Err> {
        match self.ticket.take() {
            Some(ticket) => judge.settle(out, Passed::new(&self.handle, ticket)),
            None => J::split(out),
        }
    }

    /// The call goes on later.
    #[inline]
    pub(crate) fn put(&mut self, ticket: CallToken) {
        self.ticket = Some(ticket);
    }

    /// The call's end is for the caller to record from here on.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<CallToken> {
        self.ticket.take()
    }

    #[inline]
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            record(
                &self.handle.breaker().circuit,
                ticket,
                Judgement::that(outcome),
            );
        }
    }

    pub(crate) fn time_out(&mut self, limit: Duration) {
        self.end(Completion::TimedOut(limit));
    }

    /// The guarded code is unwinding past this.
    #[cfg(feature = "tower")]
    pub(crate) fn panicked(&mut self) {
        self.end(Completion::Panicked);
    }

    /// Inlined, so that only values leave this: an attempt whose address somebody else has been given
    /// stays in memory, and moves through it, also where nothing was ended.
    #[inline]
    fn end(&mut self, ended: Completion<'_>) {
        // Taken first: what is recorded may come to the user's code, which may panic.
        if let Some(ticket) = self.ticket.take() {
            end(&self.handle.breaker().circuit, ticket, ended);
        }
    }
}

#[cold]
#[inline(never)]
fn end(circuit: &Circuit, ticket: CallToken, ended: Completion<'_>) {
    circuit.settle(ticket, ended);
}

impl<H: Handle> Drop for Attempt<H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            cancel(&self.handle.breaker().circuit, ticket);
        }
    }
}

/// So little is asked for by this and [`panicked`] that a call's end is inlined also where something unwinds
/// past it: a call that is ended by a function of its own has an address, and lives in memory everywhere.
#[cold]
#[inline(never)]
fn cancel(circuit: &Circuit, ticket: CallToken) {
    circuit.settle(ticket, Completion::Cancelled);
}

#[cold]
#[inline(never)]
fn panicked(circuit: &Circuit, ticket: CallToken) {
    circuit.settle(ticket, Completion::Panicked);
}

const UNJUDGED: Completion<'static> = Completion::Returned(Outcome::Ignored, None);

#[inline]
pub(crate) fn admit<H: Handle>(handle: &H) -> Result<CallToken, CircuitOpen> {
    admit_at_once_or(handle, admit_or_refuse)
}

/// The same for a call whose guarded code runs next, on this thread: if it is a trial, it is
/// [entered](CallToken::enter).
#[inline]
pub(crate) fn admit_inside<H: Handle>(handle: &H) -> Result<CallToken, CircuitOpen> {
    admit_at_once_or(handle, enter_or_refuse)
}

/// Admits or refuses as nearly every call is, and `otherwise` the calls that take a closer look.
#[inline]
fn admit_at_once_or<H: Handle>(
    handle: &H,
    otherwise: impl FnOnce(&CircuitBreaker) -> Result<CallToken, CircuitOpen>,
) -> Result<CallToken, CircuitOpen> {
    let breaker = handle.breaker();
    if let Some(ticket) = breaker.circuit.admit_at_once() {
        return Ok(ticket);
    }
    refuse_at_once(breaker).map_or_else(|| otherwise(breaker), Err)
}

#[cold]
#[inline(never)]
fn enter_or_refuse(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    admit_or_refuse(breaker).map(|ticket| ticket.enter(&breaker.circuit))
}

/// The same for those who make an error of a refusal later, or never.
#[inline]
pub(crate) fn try_admit<H: Handle>(handle: &H) -> Result<CallToken, RefusalDetails> {
    let circuit = &handle.breaker().circuit;
    let admit = || {
        let admitted = circuit.admit_quietly();
        admitted.inspect_err(|refused| circuit.count_refusal(*refused))
    };
    circuit.admit_at_once().map_or_else(admit, Ok)
}

/// Refuses a call while the circuit is certainly open; most refusals of an outage end here.
#[inline(never)]
fn refuse_at_once(breaker: &CircuitBreaker) -> Option<CircuitOpen> {
    let refused = breaker.circuit.refuse_at_once()?;
    Some(refuse(breaker, refused))
}

#[cold]
#[inline(never)]
fn admit_or_refuse(breaker: &CircuitBreaker) -> Result<CallToken, CircuitOpen> {
    let admitted = breaker.circuit.admit_quietly();
    admitted.map_err(|refused| refuse(breaker, refused))
}

/// Counts a refusal, and describes it.
// benches/instructions, "refused call": 20 instructions more without it.
#[allow(clippy::inline_always)]
#[inline(always)]
fn refuse(breaker: &CircuitBreaker, refused: RefusalDetails) -> CircuitOpen {
    breaker.circuit.count_refusal(refused);
    breaker.circuit.refusal_error(refused)
}

// Not inlined, a judgement would be made in memory for every success.
#[allow(clippy::inline_always)]
#[inline(always)]
fn record(circuit: &Circuit, ticket: CallToken, judgement: Judgement<'_>) {
    match judgement.outcome {
        Outcome::Success => circuit.succeed(ticket),
        _ => record_judged(circuit, ticket, judgement),
    }
}

// By value: by reference it would be made in memory for every success.
#[allow(clippy::needless_pass_by_value)]
#[cold]
#[inline(never)]
fn record_judged(circuit: &Circuit, ticket: CallToken, judgement: Judgement<'_>) {
    let ended = Completion::Returned(judgement.outcome, judgement.error);
    circuit.settle_by(judgement.config.as_deref().map(Arc::as_ref), ticket, ended);
}

/// Runs somebody's code, and `unwound` if it panics: while it unwinds, not when what it left behind is
/// dropped.
#[inline]
fn run<T>(code: impl FnOnce() -> T, unwound: impl FnMut()) -> T {
    let unwinding = Unwinding(unwound);
    let result = code();
    mem::forget(unwinding);
    result
}

struct Unwinding<F: FnMut()>(F);

impl<F: FnMut()> Drop for Unwinding<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
