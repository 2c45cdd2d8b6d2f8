//! What somebody holds of breakers, so that they must not go.

use super::panel::Birth;
use super::{House, name};
use crate::calls::{self, Ending, Guarded, Order, Said, Script};
use crate::input::{self, Input};
use crate::judged::Site;
use crate::trouble::{Kind, Text, Trouble};
use arbitrary::Result;
use breakerbox::{CircuitBreaker, CircuitOpen, Permit};
use std::rc::Rc;
use std::task::Poll;

const MOST_HELD: usize = 6;

pub(super) enum Held {
    Handle(CircuitBreaker),
    Permit(Permit),
    Refusal(CircuitOpen),
    Future(Guarded, Rc<Script>),
}

const FATAL: Trouble = Trouble {
    kind: Kind::Fatal,
    text: Text::Number(1),
};

impl House {
    pub(super) fn hold_by_name(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let permit = u.arbitrary()?;
        let (breaker, birth) = if u.arbitrary()? {
            self.ask(&name, |house| house.registry.breaker(&name))
        } else {
            self.ask_with(&name, u.int_in_range(1..=9)?)
        };
        assert!(name.starts_with(breaker.name()) && breaker.name().len() <= 256);
        let held = if permit {
            match breaker.try_acquire() {
                Ok(permit) => Held::Permit(permit),
                Err(open) => {
                    self.count(birth, true);
                    Held::Refusal(open)
                }
            }
        } else {
            Held::Handle(breaker)
        };
        self.hold(held, birth);
        Ok(())
    }

    pub(super) fn hold_future(&mut self, u: &mut Input) -> Result<()> {
        let name = name(u)?;
        let script = Rc::new(Script::default());
        let shared = script.clone();
        let (mut future, birth) = self.ask(&name, |house| {
            calls::guard_by_name(
                &shared,
                (&house.registry, &name),
                Site::Rules,
                Ending::Plain,
            )
        });
        match calls::poll(&mut future) {
            Some(Poll::Pending) => self.hold(Held::Future(future, script), birth),
            Some(Poll::Ready(Said::Refused(_))) => {
                assert_eq!(script.runs.get(), 0);
                self.count(birth, true);
            }
            _ => panic!("a future that waits gave something"),
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, held: Held, birth: Option<Birth>) {
        if self.held.len() >= MOST_HELD {
            self.let_go_of(0, None);
        }
        self.held.push((held, birth));
    }

    pub(super) fn let_go(&mut self, u: &mut Input) -> Result<()> {
        if !self.held.is_empty() {
            let place = u.choose_index(self.held.len())?;
            let answer = u
                .arbitrary::<bool>()?
                .then(|| input::answer(u))
                .transpose()?;
            self.let_go_of(place, answer.map(|answer| answer.is_ok()));
        }
        Ok(())
    }

    /// With an answer, or without.
    pub(super) fn let_go_of(&mut self, place: usize, ok: Option<bool>) {
        let (held, birth) = self.held.remove(place);
        match held {
            Held::Handle(breaker) => drop(breaker),
            Held::Refusal(open) => assert!(!open.to_string().is_empty()),
            Held::Permit(permit) => {
                match ok {
                    Some(true) => permit.success(),
                    Some(false) => permit.failure(),
                    None => drop(permit),
                }
                self.count(birth, false);
            }
            Held::Future(mut future, script) => {
                if let Some(ok) = ok {
                    let answer = ok.then_some(false).ok_or(FATAL);
                    script.order.set(Order::Give(answer));
                    assert!(matches!(calls::poll(&mut future), Some(Poll::Ready(_))));
                }
                drop(future);
                self.count(birth, false);
            }
        }
    }
}
