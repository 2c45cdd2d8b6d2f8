use super::{Handle, Judge};
use crate::breaker::{Ended, Ticket};
use crate::classify::Outcome;
use crate::error::{CircuitOpen, Refused};
use std::fmt;
use std::mem;
use std::time::Duration;

/// One call's passage through a breaker, whatever the way in.
///
/// It holds the ticket from admission until the call is settled; dropped with one, the call was
/// cancelled.
#[derive(Debug)]
pub(crate) struct Attempt<H: Handle> {
    handle: H,
    ticket: Option<Ticket>,
}

impl<H: Handle> Attempt<H> {
    #[inline]
    pub(crate) fn new(handle: H) -> Self {
        Self {
            handle,
            ticket: None,
        }
    }

    pub(crate) fn handle(&self) -> &H {
        &self.handle
    }

    #[inline]
    pub(crate) fn is_admitted(&self) -> bool {
        self.ticket.is_some()
    }

    #[inline]
    pub(crate) fn admit(&mut self) -> Result<(), CircuitOpen> {
        let admitted = self.handle.breaker().circuit.admit();
        self.begin(admitted)
    }

    /// The same for those who make an error of it later, or never.
    #[inline]
    pub(crate) fn try_admit(&mut self) -> Result<(), Refused> {
        self.ticket = Some(self.handle.breaker().circuit.admit()?);
        Ok(())
    }

    /// The same for those who wait: a refusal is not counted.
    pub(crate) fn admit_quietly(&mut self) -> Result<(), CircuitOpen> {
        let admitted = self.handle.breaker().circuit.admit_slowly();
        self.begin(admitted)
    }

    #[inline]
    fn begin(&mut self, admitted: Result<Ticket, Refused>) -> Result<(), CircuitOpen> {
        match admitted {
            Ok(ticket) => {
                self.ticket = Some(ticket);
                Ok(())
            }
            Err(refused) => Err(CircuitOpen::new(self.handle.hold(), refused)),
        }
    }

    /// Runs guarded code; a panic of it is a failure, recorded while it unwinds.
    #[inline]
    pub(crate) fn run<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let unwinding = Unwinding {
            attempt: self,
            ended: Ended::Panicked,
        };
        let result = work();
        mem::forget(unwinding);
        result
    }

    /// Judges what the guarded code gave, and records it. A judge that panics makes it a call that
    /// says nothing.
    #[inline]
    pub(crate) fn judge<Out, J: Judge<Out>>(&mut self, judge: &J, out: &Out) {
        let ended = Ended::Returned(Outcome::Ignored, None);
        let unwinding = Unwinding {
            attempt: self,
            ended,
        };
        let breaker = unwinding.attempt.handle.breaker();
        let judgement = judge.judge(out, breaker);
        let outcome = judgement.outcome;
        let error = judgement.error;
        mem::forget(unwinding);
        self.settle(outcome, error);
    }

    #[inline]
    pub(crate) fn settle(&mut self, outcome: Outcome, error: Option<&dyn fmt::Debug>) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let circuit = &self.handle.breaker().circuit;
        match outcome {
            Outcome::Success => circuit.succeed(ticket),
            _ => circuit.settle(ticket, Ended::Returned(outcome, error)),
        }
    }

    /// The call succeeded, as all judges but one of the call site's own agree.
    #[inline]
    pub(crate) fn succeed(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.handle.breaker().circuit.succeed(ticket);
        }
    }

    /// The call ran longer than `limit` and was dropped.
    pub(crate) fn time_out(&mut self, limit: Duration) {
        self.end(Ended::TimedOut(limit));
    }

    fn end(&mut self, ended: Ended<'_>) {
        if let Some(ticket) = self.ticket.take() {
            self.handle.breaker().circuit.settle(ticket, ended);
        }
    }
}

impl<H: Handle> Drop for Attempt<H> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.end(Ended::Cancelled);
        }
    }
}

/// Records how a call ended, when somebody's code unwinds past it.
struct Unwinding<'a, H: Handle> {
    attempt: &'a mut Attempt<H>,
    ended: Ended<'static>,
}

impl<H: Handle> Drop for Unwinding<'_, H> {
    fn drop(&mut self) {
        self.attempt.end(self.ended);
    }
}
