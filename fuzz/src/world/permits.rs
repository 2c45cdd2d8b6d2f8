//! Calls that are values: permits, asked for or waited for.

use super::{Held, Kept, MOST_HELD, World, functions, in_runtime, text_of};
use crate::calls::{self, Order, Route};
use crate::input::{self, Input};
use crate::judged::Site;
use breakerbox_model::record::Event;
use breakerbox_model::steps::Ending;
use crate::trouble::{blow, survive};
use arbitrary::Result;
use breakerbox::Outcome;
use std::future::pending;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

impl World {
    pub(super) fn try_acquire(&mut self) {
        if self.held.len() >= MOST_HELD {
            return;
        }
        let found = self.pair.breaker.try_acquire();
        let began = if self.joins() {
            Some((found.expect("a call that joins"), None))
        } else {
            let began = self.pair.began(found);
            began.map(|(permit, call)| (permit, Some(call)))
        };
        self.held
            .extend(began.map(|(permit, call)| Held::Permit(permit, call)));
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
        match (found, self.begin()) {
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

    /// Asks whether a call would be admitted, and takes nothing.
    pub(super) fn wait_for_others(&mut self) {
        let breaker = self.pair.breaker.clone();
        let mut waiting = Box::pin(async move { breaker.ready().await });
        let found = in_runtime(|_| {
            let mut context = Context::from_waker(Waker::noop());
            waiting.as_mut().poll(&mut context)
        });
        assert_eq!(
            found.is_pending(),
            !self.joins() && self.pair.model.refuses()
        );
    }

    /// Runs work as that of a permit, in which other things happen.
    pub(super) fn run_permit(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |held| matches!(held, Held::Permit(..)))? else {
            return Ok(());
        };
        let order = functions::order(u)?;
        let within = u.int_in_range(0..=3)?;
        let route = match u.int_in_range(0..=3)? {
            0 | 1 => Some(Route::Function),
            2 => Some(Route::Future {
                pauses: u.arbitrary()?,
            }),
            // It is dropped before it ends.
            _ => None,
        };
        let Held::Permit(permit, call) = self.held.remove(place) else {
            return Ok(());
        };
        let found = self.deeper(|world| {
            let work = || {
                world.go_deeper(call, within, u);
                match order {
                    Order::Give(answer) => answer,
                    _ => blow(),
                }
            };
            match route {
                Some(Route::Function) => Some(permit.call(work)),
                Some(Route::Future { pauses }) => {
                    Some(calls::drive(permit.run(calls::working(pauses, work))))
                }
                None => {
                    let ended = async {
                        let answer = calls::working(false, work).await;
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
        match (order, found) {
            (Order::Give(_), Some(None)) => {
                self.ended(call, Ending::Dropped, Kept::Something);
            }
            (Order::Give(answer), found) => {
                let ending = self.judged(call, answer, Site::Rules);
                assert_eq!(found.is_some(), ending.is_some());
                self.ended(call, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
            (_, found) => {
                assert!(found.is_none());
                self.ended(call, Ending::Failure, Kept::Something);
            }
        }
        Ok(())
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
                let ending = self.judged(call, answer, Site::Rules);
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
