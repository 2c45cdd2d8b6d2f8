//! Calls that begin and end at once, in which other things happen.

use super::{Kept, World, text_of};
use crate::calls::{self, Ending as Means, Order, Route, Said, Script};
use crate::input::{self, Input};
use crate::judged::Site;
use breakerbox_model::steps::Ending;
use crate::trouble::blow;
use arbitrary::Result;

/// What guarded code gives that does not wait.
pub(super) fn order(u: &mut Input) -> Result<Order> {
    Ok(if u.ratio(1, 5)? {
        Order::Panic
    } else {
        Order::Give(input::answer(u)?)
    })
}

impl World {
    /// A sync call, in which other things happen.
    pub(super) fn call(&mut self, u: &mut Input) -> Result<()> {
        self.call_by(Route::Function, u)
    }

    /// A future that is polled to its end, in which other things happen.
    pub(super) fn call_future(&mut self, u: &mut Input) -> Result<()> {
        let pauses = u.arbitrary()?;
        self.call_by(Route::Future { pauses }, u)
    }

    fn call_by(&mut self, route: Route, u: &mut Input) -> Result<()> {
        let order = order(u)?;
        let within = u.int_in_range(0..=3)?;
        let site = input::site(u)?;
        let ending = match u.int_in_range(0..=3)? {
            0 => Means::Rescued {
                panics: u.arbitrary()?,
            },
            _ => Means::Plain,
        };
        self.call_with(route, order, site, ending, within, u);
        Ok(())
    }

    pub(super) fn call_with(
        &mut self,
        route: Route,
        order: Order,
        site: Site,
        ending: Means,
        within: u8,
        u: &mut Input,
    ) {
        let expected = self.begin();
        let breaker = self.pair.breaker.clone();
        let script = Script::default();
        let found = self.deeper(|world| {
            let work = || {
                script.runs.set(1);
                world.heed_admission();
                if let Ok(number) = &expected {
                    world.go_deeper(*number, within, u);
                }
                match order {
                    Order::Give(answer) => answer,
                    _ => blow(),
                }
            };
            match route {
                Route::Function => calls::call(work, &script, &breaker, site, ending),
                Route::Future { pauses } => {
                    let work = calls::working(pauses, work);
                    calls::call_future(work, &script, &breaker, site, ending)
                }
            }
        });
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
        let judged = self.judged(number, answer, site);
        match found {
            Some(Said::Answered(given)) => assert_eq!(given.is_ok(), answer.is_ok()),
            found => assert!(found.is_none() && judged.is_none()),
        }
        self.ended(number, judged.unwrap_or(Ending::Ignored), text_of(answer));
    }
}
