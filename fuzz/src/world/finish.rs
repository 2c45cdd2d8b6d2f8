//! The end of a run.

use super::World;
use crate::calls::{Action, CallKind, Route};
use crate::classification::{Answer, Site};
use crate::errors::{self, TestError, Text};
use crate::input::Input;
use crate::listener::Behavior;
use breakerbox::{Mode, State};
use breakerbox_model::log;
use breakerbox_model::settings::{Kind, Rule, Settings};
use breakerbox_model::steps::Command;

const FATAL: Answer = Err(TestError {
    kind: errors::Kind::Fatal,
    text: Text::Number(0),
});

impl World {
    /// Restores normal conditions, and asserts that the breaker still works.
    pub(super) fn finish(&mut self) {
        self.clock.set_panicking(false);
        if let Some((listener, _)) = &self.listener {
            listener.set_behavior(Behavior::Record, None);
        }
        self.check(true);
        while !self.pending.is_empty() {
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
        self.pair.record_settings(&settings);
        self.apply_settings(&settings, self.rules);
        self.pair.send_command(Command::Reset);
        for (answer, leads_to) in [(Ok(false), State::Closed), (FATAL, State::Open)] {
            self.call_plainly(answer);
            self.check(true);
            assert_eq!(self.pair.breaker.state(), leads_to);
        }
        self.pair.send_command(Command::HalfOpen);
        self.call_plainly(Ok(false));
        self.check(true);
        assert_eq!(self.pair.breaker.state(), State::Closed);
        assert_eq!(log::consecutive_failures(&self.pair.model.log), 0);
    }

    fn call_plainly(&mut self, answer: Answer) {
        let (action, nothing) = (Action::Return(answer), &mut Input::new(&[]));
        self.call_with(
            Route::Function,
            action,
            Site::Rules,
            CallKind::Plain,
            0,
            nothing,
        );
    }
}
