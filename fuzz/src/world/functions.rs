//! Calls that are functions, in which other things happen.

use super::{DEEPEST, Kept, World, text_of};
use crate::calls::{self, Ending as Means, Order, Said, Script};
use crate::input::{self, Input};
use crate::judged::{self, Site};
use crate::steps::Ending;
use crate::trouble::{blow, survive};
use arbitrary::Result;

impl World {
    /// A sync call, in which other things happen.
    pub(super) fn call(&mut self, u: &mut Input) -> Result<()> {
        let order = if u.ratio(1, 5)? {
            Order::Panic
        } else {
            Order::Give(input::answer(u)?)
        };
        let within = u.int_in_range(0..=3)?;
        let site = input::site(u)?;
        let ending = match u.int_in_range(0..=3)? {
            0 => Means::Rescued {
                panics: u.arbitrary()?,
            },
            _ => Means::Plain,
        };
        self.call_with(order, site, ending, |world| {
            for _ in 0..within {
                if world.depth < DEEPEST && !u.is_empty() {
                    let _ = world.step(u);
                }
            }
        });
        Ok(())
    }

    pub(super) fn call_with(
        &mut self,
        order: Order,
        site: Site,
        ending: Means,
        meanwhile: impl FnOnce(&mut Self),
    ) {
        let expected = self.pair.begin();
        let breaker = self.pair.breaker.clone();
        let script = Script::default();
        self.depth += 1;
        let found = survive(|| {
            let work = || {
                script.runs.set(1);
                self.heed_admission();
                meanwhile(self);
                match order {
                    Order::Give(answer) => answer,
                    _ => blow(),
                }
            };
            calls::call(work, &script, &breaker, site, ending)
        });
        self.depth -= 1;
        self.pair.model.now = self.clock.time();
        let number = match expected {
            Ok(number) => number,
            Err(refused) => {
                assert_eq!(script.runs.get(), 0, "a refused call touched guarded code");
                match (found, ending) {
                    (Some(Said::Refused(open)), Means::Plain) => {
                        self.pair.assert_refusal(&open, &refused);
                    }
                    (Some(Said::Rescued), Means::Rescued { panics: false })
                    | (None, Means::Rescued { panics: true }) => {
                        assert_eq!(script.rescues.get(), 1);
                    }
                    _ => panic!("a refused call gave something else"),
                }
                return;
            }
        };
        assert_eq!(script.runs.get(), 1);
        assert_eq!(script.rescues.get(), 0);
        let Order::Give(answer) = order else {
            assert!(found.is_none());
            self.ended(number, Ending::Failure, Kept::Something);
            return;
        };
        let judged = judged::ending(answer, site, self.rules);
        match found {
            Some(Said::Answered(given)) => assert_eq!(given.is_ok(), answer.is_ok()),
            found => assert!(found.is_none() && judged.is_none()),
        }
        self.ended(number, judged.unwrap_or(Ending::Ignored), text_of(answer));
    }
}
