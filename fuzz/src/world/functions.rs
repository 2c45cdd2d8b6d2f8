//! Calls that complete within one step, with other steps nested in them.

use super::{FailureText, World, text_of};
use crate::calls::{self, Action, CallKind, CallResult, Route, Script};
use crate::classification::Site;
use crate::errors::panic_on_purpose;
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox_model::steps::Ending;

/// Returns an action that does not wait.
pub(super) fn action(u: &mut Input) -> Result<Action> {
    Ok(if u.ratio(1, 5)? {
        Action::Panic
    } else {
        Action::Return(input::answer(u)?)
    })
}

impl World {
    /// Makes a sync call with nested steps.
    pub(super) fn call(&mut self, u: &mut Input) -> Result<()> {
        self.call_by(Route::Function, u)
    }

    /// Runs a guarded future to completion, with nested steps.
    pub(super) fn call_future(&mut self, u: &mut Input) -> Result<()> {
        let pauses = u.arbitrary()?;
        self.call_by(Route::Future { pauses }, u)
    }

    fn call_by(&mut self, route: Route, u: &mut Input) -> Result<()> {
        let action = action(u)?;
        let nested = u.int_in_range(0..=3)?;
        let site = input::site(u)?;
        let kind = match u.int_in_range(0..=3)? {
            0 => CallKind::WithFallback {
                panics: u.arbitrary()?,
            },
            _ => CallKind::Plain,
        };
        self.call_with(route, action, site, kind, nested, u);
        Ok(())
    }

    pub(super) fn call_with(
        &mut self,
        route: Route,
        action: Action,
        site: Site,
        kind: CallKind,
        nested: u8,
        u: &mut Input,
    ) {
        let expected = self.begin();
        let breaker = self.pair.breaker.clone();
        let script = Script::default();
        let found = self.run_nested(|world| {
            let work = || {
                script.runs.set(1);
                world.apply_admission_command();
                if let Ok(number) = &expected {
                    world.nested_steps(*number, nested, u);
                }
                match action {
                    Action::Return(answer) => answer,
                    _ => panic_on_purpose(),
                }
            };
            match route {
                Route::Function => calls::call(work, &script, &breaker, site, kind),
                Route::Future { pauses } => {
                    let work = calls::run_in_future(pauses, work);
                    calls::call_future(work, &script, &breaker, site, kind)
                }
            }
        });
        let number = match expected {
            Ok(number) => number,
            Err(refused) => {
                assert_eq!(script.runs.get(), 0, "a refused call ran guarded code");
                match (found, kind) {
                    (Some(CallResult::Refused(open)), CallKind::Plain) => {
                        self.pair.assert_refusal(&open, &refused);
                    }
                    (Some(CallResult::FellBack), CallKind::WithFallback { panics: false })
                    | (None, CallKind::WithFallback { panics: true }) => {
                        assert_eq!(script.fallbacks.get(), 1);
                    }
                    _ => panic!("unexpected result of a refused call"),
                }
                return;
            }
        };
        assert_eq!(script.runs.get(), 1);
        assert_eq!(script.fallbacks.get(), 0);
        let Action::Return(answer) = action else {
            assert!(found.is_none());
            self.ended(number, Ending::Failure, FailureText::Other);
            return;
        };
        let classified = self.classify(number, answer, site);
        match found {
            Some(CallResult::Answered(given)) => assert_eq!(given.is_ok(), answer.is_ok()),
            found => assert!(found.is_none() && classified.is_none()),
        }
        self.ended(
            number,
            classified.unwrap_or(Ending::Ignored),
            text_of(answer),
        );
    }
}
