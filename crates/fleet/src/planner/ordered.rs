//! Notes an order that a circuit has executed: [`Track::ordered`].

use super::context::Context;
use super::step::Effect;
use super::timing::Time;
use super::track::{Report, Track};
use crate::event::FleetEvent;
use crate::protocol::{Command, Verb, Why};
use breakerbox::fleet::View;
use std::sync::Arc;

impl Track {
    /// Notes an order that was executed on the circuit as `view` shows it.
    pub(super) fn ordered(
        &mut self,
        name: &Arc<str>,
        effect: Effect,
        view: &View,
        cx: &mut Context,
        now: Time,
    ) {
        match effect {
            Effect::Deadline => {}
            Effect::Adopt | Effect::Gate => {
                self.opened = Some(now);
                self.opened_at = None;
                self.report = Report::Adopted;
                self.plan = None;
                self.restore_at = None;
                if effect == Effect::Gate {
                    if self.lease.as_ref().is_some_and(|lease| lease.yielding) {
                        self.baseline = Some(view.refused);
                    }
                    return;
                }
                self.baseline = if view.in_flight > 0 {
                    None
                } else {
                    Some(view.refused)
                };
                self.join();
                self.note_adoption(name, true, cx);
            }
            Effect::Try => {
                if let Some(lease) = &mut self.lease {
                    lease.trying = true;
                    lease.active_at = now;
                    lease.refused = view.refused;
                }
            }
            Effect::Command => {
                self.opened = Some(now);
                self.opened_at = None;
                self.report = Report::Adopted;
                self.baseline = Some(view.refused);
                self.leave();
                let command = cx.commands.of(name, now);
                let command = command.map(|known| known.command.clone());
                let verb = command.as_ref().map_or(Verb::Release, |c| c.verb);
                note_command(name, verb, command.as_ref(), cx);
            }
            Effect::Release => {
                self.leave();
                self.opened = None;
                self.report = Report::Pending;
                self.last_trial_failed = false;
                note_command(name, Verb::Release, None, cx);
            }
            Effect::Close => {
                self.leave();
                self.opened = None;
                self.report = Report::Pending;
                self.last_trial_failed = false;
                let known = self.known.as_ref();
                if known.is_some_and(|known| &*known.why == Why::Command.code()) {
                    let close = cx.commands.close_of(name, now).cloned();
                    note_command(name, Verb::Close, close.as_ref(), cx);
                } else {
                    self.note_adoption(name, false, cx);
                }
            }
        }
    }

    fn note_adoption(&self, name: &Arc<str>, opened: bool, cx: &mut Context) {
        let Some(known) = &self.known else { return };
        cx.counters.adopted += 1;
        cx.events.push(FleetEvent::Adopted {
            breaker: name.clone(),
            opened,
            by: known.by.clone(),
            why: known.why.clone(),
        });
    }
}

/// Reports that a circuit follows a command, or no longer does.
fn note_command(name: &Arc<str>, verb: Verb, command: Option<&Command>, cx: &mut Context) {
    cx.counters.commanded += 1;
    let text = |text: &str| (!text.is_empty()).then(|| text.into());
    cx.events.push(FleetEvent::Commanded {
        breaker: name.clone(),
        verb,
        actor: command.and_then(|c| text(&c.actor)),
        reason: command.and_then(|c| text(&c.reason)),
    });
}
