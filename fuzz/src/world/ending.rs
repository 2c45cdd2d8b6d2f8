//! How it ends, whatever happened.

use super::World;
use crate::calls::{Ending as Means, Order, Route};
use crate::ear::Manners;
use crate::input::Input;
use crate::judged::{Answer, Site};
use breakerbox_model::record;
use breakerbox_model::settings::{Kind, Rule, Settings};
use breakerbox_model::steps::Command;
use crate::trouble::{self, Text, Trouble};
use breakerbox::{Mode, State};

const FATAL: Answer = Err(Trouble {
    kind: trouble::Kind::Fatal,
    text: Text::Number(0),
});

impl World {
    /// Whatever happened: with everything in order again, the breaker does what it is for.
    pub(super) fn end_well(&mut self) {
        self.clock.set_broken(false);
        if let Some((ear, _)) = &self.ear {
            ear.behave(Manners::Quiet, None);
        }
        self.check(true);
        while !self.held.is_empty() {
            self.drop_at(0);
            self.check(false);
        }
        self.check(true);
        let settings = Settings {
            rules: vec![Rule {
                kind: Kind::Consecutive(1),
                span: None,
                minimum_calls: None,
                slower_than: None,
            }],
            half_open_calls: 1,
            success_threshold: None,
            mode: Mode::Enforcing,
            ..self.pair.model.settings.clone()
        };
        self.pair.configured(&settings);
        self.adopt(&settings, self.rules);
        self.pair.command(Command::Reset);
        for (answer, leads_to) in [(Ok(false), State::Closed), (FATAL, State::Open)] {
            self.call_alone(answer);
            self.check(true);
            assert_eq!(self.pair.breaker.state(), leads_to);
        }
        self.pair.command(Command::HalfOpen);
        self.call_alone(Ok(false));
        self.check(true);
        assert_eq!(self.pair.breaker.state(), State::Closed);
        assert_eq!(record::consecutive(&self.pair.model.log), 0);
    }

    fn call_alone(&mut self, answer: Answer) {
        let (order, nothing) = (Order::Give(answer), &mut Input::new(&[]));
        self.call_with(
            Route::Function,
            order,
            Site::Rules,
            Means::Plain,
            0,
            nothing,
        );
    }
}
