//! Permits: acquired immediately, chosen among breakers, or awaited.

use super::{FailureText, MAX_PENDING, PendingCall, World, functions, in_runtime, text_of};
use crate::calls::{self, Action, Route};
use crate::classification::Site;
use crate::errors::{catch_deliberate_panic, panic_on_purpose};
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox::{Outcome, first_ready};
use breakerbox_model::log::Event;
use breakerbox_model::steps::Ending;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

impl World {
    pub(super) fn try_acquire(&mut self) {
        if self.pending.len() >= MAX_PENDING {
            return;
        }
        let found = self.pair.breaker.try_acquire();
        let began = if self.joins_trial() {
            self.pair.joined += 1;
            Some((found.expect("a call that joins"), None))
        } else {
            let began = self.pair.compare_admission(found);
            began.map(|(permit, call)| (permit, Some(call)))
        };
        self.pending
            .extend(began.map(|(permit, call)| PendingCall::Permit(permit, call)));
    }

    /// Chooses among this breaker alone, which does not count a refusal.
    pub(super) fn choose(&mut self) {
        if self.pending.len() >= MAX_PENDING {
            return;
        }
        let found = first_ready([&self.pair.breaker]).map(|(_, permit)| permit);
        if self.joins_trial() {
            self.pair.joined += 1;
            let permit = found.expect("a call that joins");
            return self.pending.push(PendingCall::Permit(permit, None));
        }
        match (found, self.pair.begin_uncounted()) {
            (Ok(permit), Ok(call)) => self.pending.push(PendingCall::Permit(permit, Some(call))),
            (Err(all), Err(refused)) => self.pair.assert_refusal(&all.into(), &refused),
            (found, expected) => {
                panic!("chosen: {}, expected: {}", found.is_ok(), expected.is_ok())
            }
        }
    }

    /// Polls `until_ready` once, then drops the future.
    ///
    /// Does nothing while the circuit ramps up: a stored wake-up makes the future try twice, and the
    /// ramp-up counts each attempt.
    pub(super) fn poll_until_ready(&mut self) {
        if self.pending.len() >= MAX_PENDING || self.pair.model.ramp_up.is_some() {
            return;
        }
        let breaker = self.pair.breaker.clone();
        let mut waiting = Box::pin(async move { breaker.until_ready().await });
        let found = in_runtime(|_| {
            let mut context = Context::from_waker(Waker::noop());
            waiting.as_mut().poll(&mut context)
        });
        drop(waiting);
        match (found, self.begin()) {
            (Poll::Ready(permit), Ok(call)) => self.pending.push(PendingCall::Permit(permit, call)),
            (Poll::Pending, Err(_)) => {
                // Waiting does not count as a refusal.
                assert!(matches!(self.pair.model.log.pop(), Some(Event::Refused)));
            }
            (found, expected) => panic!(
                "ready: {}, expected: {}",
                found.is_ready(),
                expected.is_ok()
            ),
        }
    }

    /// Polls `ready` once, which must not take a slot.
    pub(super) fn poll_ready(&mut self) {
        let breaker = self.pair.breaker.clone();
        let mut waiting = Box::pin(async move { breaker.ready().await });
        let found = in_runtime(|_| {
            let mut context = Context::from_waker(Waker::noop());
            waiting.as_mut().poll(&mut context)
        });
        assert_eq!(
            found.is_pending(),
            !self.joins_trial() && self.pair.model.would_refuse()
        );
    }

    /// Runs the call of a permit, with nested steps.
    pub(super) fn run_permit(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |pending| matches!(pending, PendingCall::Permit(..)))?
        else {
            return Ok(());
        };
        let action = functions::action(u)?;
        let nested = u.int_in_range(0..=3)?;
        let route = match u.int_in_range(0..=3)? {
            0 | 1 => Some(Route::Function),
            2 => Some(Route::Future {
                pauses: u.arbitrary()?,
            }),
            // The future is dropped before completion.
            _ => None,
        };
        let PendingCall::Permit(permit, call) = self.pending.remove(place) else {
            return Ok(());
        };
        let found = self.run_nested(|world| {
            let work = || {
                world.nested_steps(call, nested, u);
                match action {
                    Action::Return(answer) => answer,
                    _ => panic_on_purpose(),
                }
            };
            match route {
                Some(Route::Function) => Some(permit.call(work)),
                Some(Route::Future { pauses }) => {
                    Some(calls::drive(permit.run(calls::run_in_future(pauses, work))))
                }
                None => {
                    let ended = async {
                        let answer = calls::run_in_future(false, work).await;
                        pending::<()>().await;
                        answer
                    };
                    let mut running = pin!(permit.run(ended));
                    let mut context = Context::from_waker(Waker::noop());
                    assert!(running.as_mut().poll(&mut context).is_pending());
                    None
                }
            }
        });
        match (action, found) {
            (Action::Return(_), Some(None)) => {
                self.ended(call, Ending::Dropped, FailureText::Other);
            }
            (Action::Return(answer), found) => {
                let ending = self.classify(call, answer, Site::Rules);
                assert_eq!(found.is_some(), ending.is_some());
                self.ended(call, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
            (_, found) => {
                assert!(found.is_none());
                self.ended(call, Ending::Failure, FailureText::Other);
            }
        }
        Ok(())
    }

    pub(super) fn end_permit(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |pending| matches!(pending, PendingCall::Permit(..)))?
        else {
            return Ok(());
        };
        let outcome = input::outcome(u)?;
        let answer = u.ratio(1, 3)?.then(|| input::answer(u)).transpose()?;
        let PendingCall::Permit(permit, call) = self.pending.remove(place) else {
            return Ok(());
        };
        match (answer, outcome) {
            (Some(answer), _) => {
                let survived = catch_deliberate_panic(|| permit.record_result(&answer)).is_some();
                let ending = self.classify(call, answer, Site::Rules);
                assert_eq!(
                    survived,
                    ending.is_some(),
                    "a panicking classifier is observed"
                );
                self.ended(call, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
            (None, Outcome::Success) => {
                permit.success();
                self.ended(call, Ending::Success, FailureText::Nothing);
            }
            (None, Outcome::Failure) => {
                permit.failure();
                self.ended(call, Ending::Failure, FailureText::Nothing);
            }
            (None, outcome) => {
                permit.record(outcome);
                let ending = match outcome {
                    Outcome::TripFor(time) => Ending::TripFor(time),
                    _ => Ending::Ignored,
                };
                self.ended(call, ending, FailureText::Nothing);
            }
        }
        Ok(())
    }
}
