//! Calls that are values: permits, asked for or waited for.

use super::{Held, Kept, MOST_HELD, World, in_runtime, text_of};
use crate::input::{self, Input};
use crate::judged::{self, Site};
use crate::record::Event;
use crate::steps::Ending;
use crate::trouble::survive;
use arbitrary::Result;
use breakerbox::Outcome;
use std::task::{Context, Poll, Waker};

impl World {
    pub(super) fn try_acquire(&mut self) {
        if self.held.len() < MOST_HELD {
            let found = self.pair.breaker.try_acquire();
            let began = self.pair.began(found);
            self.held
                .extend(began.map(|(permit, call)| Held::Permit(permit, call)));
        }
    }

    /// Asks to wait for the circuit, and gives up at once.
    pub(super) fn wait(&mut self) {
        if self.held.len() >= MOST_HELD {
            return;
        }
        let breaker = self.pair.breaker.clone();
        let mut waiting = Box::pin(async move { breaker.until_ready().await });
        let found = in_runtime(|_| {
            let mut context = Context::from_waker(Waker::noop());
            waiting.as_mut().poll(&mut context)
        });
        drop(waiting);
        match (found, self.pair.begin()) {
            (Poll::Ready(permit), Ok(call)) => self.held.push(Held::Permit(permit, call)),
            (Poll::Pending, Err(_)) => {
                // Waiting is no refusal.
                assert!(matches!(self.pair.model.log.pop(), Some(Event::Refused)));
            }
            (found, expected) => panic!(
                "ready: {}, and should have been {}",
                found.is_ready(),
                expected.is_ok()
            ),
        }
    }

    pub(super) fn end_permit(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |held| matches!(held, Held::Permit(..)))? else {
            return Ok(());
        };
        let outcome = input::outcome(u)?;
        let answer = u.ratio(1, 3)?.then(|| input::answer(u)).transpose()?;
        let Held::Permit(permit, call) = self.held.remove(place) else {
            return Ok(());
        };
        match (answer, outcome) {
            (Some(answer), _) => {
                let survived = survive(|| permit.record_result(&answer)).is_some();
                let ending = judged::ending(answer, Site::Rules, self.rules);
                assert_eq!(
                    survived,
                    ending.is_some(),
                    "a judge that panics is heard of"
                );
                self.ended(call, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
            (None, Outcome::Success) => {
                permit.success();
                self.ended(call, Ending::Success, Kept::Nothing);
            }
            (None, Outcome::Failure) => {
                permit.failure();
                self.ended(call, Ending::Failure, Kept::Nothing);
            }
            (None, outcome) => {
                permit.record(outcome);
                let ending = match outcome {
                    Outcome::TripFor(time) => Ending::TripFor(time),
                    _ => Ending::Ignored,
                };
                self.ended(call, ending, Kept::Nothing);
            }
        }
        Ok(())
    }
}
