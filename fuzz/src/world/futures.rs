//! Calls that are futures: held, polled, dropped.

use super::{Call, Held, Kept, MOST_HELD, NAME, World, in_runtime, text_of};
use crate::calls::{self, Ending as Means, Order, Said, Script};
use crate::input::{self, Input};
use crate::judged::Site;
use breakerbox_model::naive::Refused;
use breakerbox_model::steps::Ending;
use crate::trouble::survive;
use arbitrary::Result;
use std::rc::Rc;
use std::task::Poll;

impl World {
    pub(super) fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        if self.held.len() >= MOST_HELD {
            return Ok(());
        }
        let script = Rc::new(Script {
            drop_panics: u.ratio(1, 8)?,
            ..Script::default()
        });
        let site = input::site(u)?;
        let ending = match u.int_in_range(0..=5)? {
            0 => Means::Limited,
            1 => Means::Rescued {
                panics: u.arbitrary()?,
            },
            _ => Means::Plain,
        };
        let function = u.ratio(1, 4)?;
        let breaker = self.pair.breaker.clone();
        let (future, site, ending) = match &self.registry {
            _ if function => {
                let future = calls::guard_function(&script, breaker);
                (future, Site::Rules, Means::Plain)
            }
            Some(registry) => (
                calls::guard_by_name(&script, (registry, NAME), site, ending),
                site,
                ending,
            ),
            None => (calls::guard(&script, breaker, site, ending), site, ending),
        };
        self.held.push(Held::Future(Box::new(Call {
            future,
            script,
            site,
            ending,
            begun: None,
        })));
        Ok(())
    }

    pub(super) fn drop_one(&mut self, u: &mut Input) -> Result<()> {
        if let Some(place) = self.pick(u, |_| true)? {
            self.drop_at(place);
        }
        Ok(())
    }

    pub(super) fn drop_at(&mut self, place: usize) {
        match self.held.remove(place) {
            Held::Permit(permit, call) => {
                drop(permit);
                self.ended(call, Ending::Dropped, Kept::Something);
            }
            Held::Future(call) => {
                let Call {
                    future,
                    script,
                    begun,
                    ..
                } = *call;
                let survived = survive(|| drop(future)).is_some();
                // An async function that was never called has made no future.
                assert!(survived || script.drop_panics);
                match begun {
                    Some((call, _)) => {
                        assert!(script.dropped.get());
                        self.ended(call, Ending::Dropped, Kept::Something);
                    }
                    None => assert_eq!(script.runs.get(), 0),
                }
            }
        }
    }

    pub(super) fn poll_one(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |held| matches!(held, Held::Future(_)))? else {
            return Ok(());
        };
        let order = match u.int_in_range(0..=5)? {
            0 => Order::Panic,
            1 | 2 => Order::Wait,
            _ => Order::Give(input::answer(u)?),
        };
        let Held::Future(mut call) = self.held.remove(place) else {
            return Ok(());
        };
        if call.begun.is_none() {
            match self.begin() {
                Ok(number) => call.begun = Some((number, self.ticks)),
                Err(refused) => {
                    self.poll_refused(*call, &refused);
                    return Ok(());
                }
            }
        }
        self.poll_admitted(call, order);
        Ok(())
    }

    /// The guarded code is neither polled nor kept.
    pub(super) fn poll_refused(&mut self, mut call: Call, refused: &Refused) {
        call.script.order.set(Order::Panic);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        let Call { script, ending, .. } = &call;
        assert_eq!(script.runs.get(), 0, "a refused call touched guarded code");
        match (found, ending) {
            (Some(Poll::Ready(Said::Refused(open))), Means::Plain | Means::Limited) => {
                self.pair.assert_refusal(&open, refused);
                assert_eq!(script.rescues.get(), 0);
            }
            (Some(Poll::Ready(Said::Rescued)), Means::Rescued { panics: false })
            | (None, Means::Rescued { panics: true }) => assert_eq!(script.rescues.get(), 1),
            (None, _) if script.drop_panics => {}
            _ => panic!("a refused call gave something else"),
        }
        let dropped = survive(|| drop(call.future));
        assert!(dropped.is_some() || call.script.drop_panics);
        assert_eq!(call.script.runs.get(), 0);
    }

    pub(super) fn poll_admitted(&mut self, mut call: Box<Call>, order: Order) {
        let Some((number, begun)) = call.begun else {
            return;
        };
        call.script.order.set(order);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        self.heed_admission();
        assert_eq!(
            call.script.rescues.get(),
            0,
            "a fallback for a call that was let in"
        );
        let passed_limit = matches!(call.ending, Means::Limited) && self.ticks > begun;
        match order {
            Order::Wait if !passed_limit => {
                assert!(matches!(found, Some(Poll::Pending)));
                return self.held.push(Held::Future(call));
            }
            Order::Wait => {
                let recorded = self.ended(number, Ending::Failure, Kept::Something);
                if call.script.drop_panics {
                    assert!(found.is_none());
                } else {
                    assert!(matches!(found, Some(Poll::Ready(Said::TimedOut))));
                    self.pair.timed_out += u64::from(recorded);
                }
            }
            Order::Panic => {
                assert!(found.is_none());
                self.ended(number, Ending::Failure, Kept::Something);
            }
            Order::Give(answer) => {
                let ending = self.judged(number, answer, call.site);
                match found {
                    None => assert!(ending.is_none() || call.script.drop_panics),
                    Some(Poll::Ready(Said::Answered(given))) => {
                        assert!(ending.is_some());
                        assert_eq!(given.is_ok(), answer.is_ok());
                    }
                    _ => panic!("a call that was let in gave something else"),
                }
                self.ended(number, ending.unwrap_or(Ending::Ignored), text_of(answer));
            }
        }
        assert!(
            call.script.dropped.get(),
            "the guarded future outlives its call"
        );
    }
}
