//! Values that hold a breaker and thereby prevent its eviction.

use super::model::BreakerId;
use super::{RegistryWorld, name};
use crate::calls::{self, Action, CallKind, CallResult, GuardedFuture, Script};
use crate::classification::Site;
use crate::errors::{Kind, TestError, Text};
use crate::input::{self, Input};
use arbitrary::Result;
use breakerbox::{CircuitBreaker, CircuitOpen, Permit};
use std::rc::Rc;
use std::task::Poll;

const MAX_HOLDERS: usize = 6;

pub(super) enum Holder {
    Handle(CircuitBreaker),
    Permit(Permit),
    Refusal(CircuitOpen),
    Future(GuardedFuture, Rc<Script>),
}

const FATAL: TestError = TestError {
    kind: Kind::Fatal,
    text: Text::Number(1),
};

impl RegistryWorld {
    pub(super) fn hold_by_name(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let permit = u.arbitrary()?;
        let (breaker, id) = if u.arbitrary()? {
            self.lookup(&name, |world| world.registry.breaker(&name))
        } else {
            self.lookup_with_settings(&name, u.int_in_range(1..=9)?)
        };
        assert!(name.starts_with(breaker.name()) && breaker.name().len() <= 256);
        let holder = if permit {
            match breaker.try_acquire() {
                Ok(permit) => Holder::Permit(permit),
                Err(open) => {
                    self.count(id, true);
                    Holder::Refusal(open)
                }
            }
        } else {
            Holder::Handle(breaker)
        };
        self.hold(holder, id);
        Ok(())
    }

    pub(super) fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let script = Rc::new(Script::default());
        let shared = script.clone();
        let (mut future, id) = self.lookup(&name, |world| {
            calls::guard_by_name(
                &shared,
                (&world.registry, &name),
                Site::Rules,
                CallKind::Plain,
            )
        });
        match calls::poll(&mut future) {
            Some(Poll::Pending) => self.hold(Holder::Future(future, script), id),
            Some(Poll::Ready(CallResult::Refused(_))) => {
                assert_eq!(script.runs.get(), 0);
                self.count(id, true);
            }
            _ => panic!("a pending future completed"),
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, holder: Holder, id: Option<BreakerId>) {
        if self.holders.len() >= MAX_HOLDERS {
            self.release(0, None);
        }
        self.holders.push((holder, id));
    }

    pub(super) fn release_any(&mut self, u: &mut Input) -> Result<()> {
        if !self.holders.is_empty() {
            let place = u.choose_index(self.holders.len())?;
            let answer = u
                .arbitrary::<bool>()?
                .then(|| input::answer(u))
                .transpose()?;
            self.release(place, answer.map(|answer| answer.is_ok()));
        }
        Ok(())
    }

    /// Releases a value. With `ok`, its call first succeeds or fails.
    pub(super) fn release(&mut self, place: usize, ok: Option<bool>) {
        let (holder, id) = self.holders.remove(place);
        match holder {
            Holder::Handle(breaker) => drop(breaker),
            Holder::Refusal(open) => assert!(!open.to_string().is_empty()),
            Holder::Permit(permit) => {
                match ok {
                    Some(true) => permit.success(),
                    Some(false) => permit.failure(),
                    None => drop(permit),
                }
                self.count(id, false);
            }
            Holder::Future(mut future, script) => {
                if let Some(ok) = ok {
                    let answer = ok.then_some(false).ok_or(FATAL);
                    script.action.set(Action::Return(answer));
                    assert!(matches!(calls::poll(&mut future), Some(Poll::Ready(_))));
                }
                drop(future);
                self.count(id, false);
            }
        }
    }
}
