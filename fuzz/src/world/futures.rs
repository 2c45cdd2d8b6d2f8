//! Guarded futures: held, polled and dropped.

use super::{Call, FailureText, MAX_PENDING, NAME, PendingCall, World, in_runtime, text_of};
use crate::calls::{self, Action, CallKind, CallResult, Script};
use crate::classification::Site;
use crate::errors::catch_deliberate_panic;
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox_model::model::Refused;
use breakerbox_model::steps::Ending;
use std::rc::Rc;
use std::task::Poll;

impl World {
    pub(super) fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        if self.pending.len() >= MAX_PENDING {
            return Ok(());
        }
        let script = Rc::new(Script {
            drop_panics: u.ratio(1, 8)?,
            ..Script::default()
        });
        let site = input::site(u)?;
        let kind = match u.int_in_range(0..=5)? {
            0 => CallKind::WithTimeout,
            1 => CallKind::WithFallback {
                panics: u.arbitrary()?,
            },
            _ => CallKind::Plain,
        };
        let function = u.ratio(1, 4)?;
        let breaker = self.pair.breaker.clone();
        let (future, site, kind) = match &self.registry {
            _ if function => {
                let future = calls::guard_function(&script, breaker);
                (future, Site::Rules, CallKind::Plain)
            }
            Some(registry) => (
                calls::guard_by_name(&script, (registry, NAME), site, kind),
                site,
                kind,
            ),
            None => (calls::guard(&script, breaker, site, kind), site, kind),
        };
        self.pending.push(PendingCall::Future(Box::new(Call {
            future,
            script,
            site,
            kind,
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
        match self.pending.remove(place) {
            PendingCall::Permit(permit, call) => {
                drop(permit);
                self.ended(call, Ending::Dropped, FailureText::Other);
            }
            PendingCall::Future(call) => {
                let Call {
                    future,
                    script,
                    begun,
                    ..
                } = *call;
                let survived = catch_deliberate_panic(|| drop(future)).is_some();
                // An async function that was never called has not created its future.
                assert!(survived || script.drop_panics);
                match begun {
                    Some((call, _)) => {
                        assert!(script.dropped.get());
                        self.ended(call, Ending::Dropped, FailureText::Other);
                    }
                    None => assert_eq!(script.runs.get(), 0),
                }
            }
        }
    }

    pub(super) fn poll_one(&mut self, u: &mut Input) -> Result<()> {
        let Some(place) = self.pick(u, |pending| matches!(pending, PendingCall::Future(_)))? else {
            return Ok(());
        };
        let action = match u.int_in_range(0..=5)? {
            0 => Action::Panic,
            1 | 2 => Action::Pend,
            _ => Action::Return(input::answer(u)?),
        };
        let PendingCall::Future(mut call) = self.pending.remove(place) else {
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
        self.poll_admitted(call, action);
        Ok(())
    }

    /// Polls a future whose call must be refused. The guarded code must neither be polled nor kept.
    pub(super) fn poll_refused(&mut self, mut call: Call, refused: &Refused) {
        call.script.action.set(Action::Panic);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        let Call { script, kind, .. } = &call;
        assert_eq!(script.runs.get(), 0, "a refused call ran guarded code");
        match (found, kind) {
            (
                Some(Poll::Ready(CallResult::Refused(open))),
                CallKind::Plain | CallKind::WithTimeout,
            ) => {
                self.pair.assert_refusal(&open, refused);
                assert_eq!(script.fallbacks.get(), 0);
            }
            (Some(Poll::Ready(CallResult::FellBack)), CallKind::WithFallback { panics: false })
            | (None, CallKind::WithFallback { panics: true }) => {
                assert_eq!(script.fallbacks.get(), 1);
            }
            (None, _) if script.drop_panics => {}
            _ => panic!("unexpected result of a refused call"),
        }
        let dropped = catch_deliberate_panic(|| drop(call.future));
        assert!(dropped.is_some() || call.script.drop_panics);
        assert_eq!(call.script.runs.get(), 0);
    }

    pub(super) fn poll_admitted(&mut self, mut call: Box<Call>, action: Action) {
        let Some((number, begun)) = call.begun else {
            return;
        };
        call.script.action.set(action);
        let found = in_runtime(|_| calls::poll(&mut call.future));
        self.apply_admission_command();
        assert_eq!(
            call.script.fallbacks.get(),
            0,
            "a fallback ran for an admitted call"
        );
        let passed_limit = matches!(call.kind, CallKind::WithTimeout) && self.ticks > begun;
        match action {
            Action::Pend if !passed_limit => {
                assert!(matches!(found, Some(Poll::Pending)));
                return self.pending.push(PendingCall::Future(call));
            }
            Action::Pend => {
                let recorded = self.ended(number, Ending::Failure, FailureText::Other);
                if call.script.drop_panics {
                    assert!(found.is_none());
                } else {
                    assert!(matches!(found, Some(Poll::Ready(CallResult::TimedOut))));
                    self.pair.timed_out += u64::from(recorded);
                }
            }
            Action::Panic => {
                assert!(found.is_none());
                self.ended(number, Ending::Failure, FailureText::Other);
            }
            Action::Return(answer) => {
                let ending = self.classify(number, answer, call.site);
                match found {
                    None => assert!(ending.is_none() || call.script.drop_panics),
                    Some(Poll::Ready(CallResult::Answered(given))) => {
                        assert!(ending.is_some());
                        assert_eq!(given.is_ok(), answer.is_ok());
                    }
                    _ => panic!("unexpected result of an admitted call"),
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
