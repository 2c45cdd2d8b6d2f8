//! Orders of a fleet, given to a breaker and to its model.

use breakerbox::fleet::{self, CauseKind, Change, Mark, NotApplied, Port, View};
use breakerbox::{BreakerRegistry, Cause, State};
use breakerbox_model::log;
use breakerbox_model::pair::Pair;
use breakerbox_model::steps::Order;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const NAME: &str = "breaker";

/// The port of the registry of the breaker.
pub(crate) struct Fleet {
    port: Port,
    /// Keeps the port attached.
    _registry: BreakerRegistry,
    told: Arc<Mutex<Vec<Change>>>,
    /// The state of the breaker after the changes that were reported.
    state: Option<State>,
    /// An earlier view, and when it was taken.
    seen: Option<(View, u64)>,
}

impl Fleet {
    pub(crate) fn new(registry: BreakerRegistry) -> Self {
        let told = Arc::<Mutex<Vec<Change>>>::default();
        let log = told.clone();
        let port = Port::attach(&registry, move |change| {
            log.lock().unwrap().push(change.clone());
        });
        Self {
            port,
            _registry: registry,
            told,
            state: None,
            seen: None,
        }
    }

    fn view(&self) -> View {
        self.port.view(NAME).unwrap()
    }

    fn apply(&self, mark: Mark, order: Order) -> Result<Mark, NotApplied> {
        let order = match order {
            Order::OpenFor(time, attempt) => fleet::Order::OpenFor(time, attempt),
            Order::Extend(time) => fleet::Order::Extend(time),
            Order::Try => fleet::Order::Try,
            Order::Close => fleet::Order::Close,
            Order::Disable => fleet::Order::Disable,
            Order::Enable => fleet::Order::Enable,
        };
        let cause = Cause::fleet("other", CauseKind::Failures);
        self.port.apply(NAME, mark, order, cause)
    }

    /// Gives an order to the breaker as it is now, and to the model.
    pub(crate) fn give(&self, order: Order, pair: &mut Pair) {
        let seen = self.view();
        let result = self.apply(seen.mark, order);
        let is_taken = pair.record_order(order);
        match result {
            Ok(mark) => {
                assert!(is_taken, "{order:?} in {seen:?}");
                assert_ne!(mark, seen.mark);
                assert_eq!(mark, self.view().mark);
            }
            Err(NotApplied::Rejected(found)) => {
                assert!(!is_taken, "{order:?} in {seen:?}");
                assert_eq!(*found, seen);
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Gives an order that was decided on the view of the latest check.
    pub(crate) fn give_late(&self, order: Order, pair: &mut Pair) {
        let Some((seen, _)) = &self.seen else { return };
        let now = self.view();
        if now.mark == seen.mark {
            return self.give(order, pair);
        }
        let result = self.apply(seen.mark, order);
        assert_eq!(result, Err(NotApplied::Changed(Box::new(now))));
    }

    /// Compares a view with the model, and the changes with the view.
    pub(crate) fn check(&mut self, pair: &Pair) {
        let (view, model) = (self.view(), &pair.model);
        assert_eq!(view.state, model.reported_state(), "state in the view");
        assert_eq!(view.left, model.open_remaining(), "left");
        assert_eq!(view.attempt, model.attempt().unwrap_or(0), "attempt");
        let failures = log::consecutive_failures(&model.log);
        assert_eq!(view.failures, failures, "failures in the view");
        let is_open = view.state == State::Open;
        let length = |deadline: Option<Option<u64>>| {
            let deadline = deadline.filter(|_| is_open);
            deadline.map(|deadline| {
                deadline.map_or(Duration::MAX, |at| {
                    Duration::from_nanos(at.saturating_sub(model.since))
                })
            })
        };
        assert_eq!(view.opened_for, length(model.own_deadline), "opened for");
        assert_eq!(view.asked_for, length(model.asked_deadline), "asked for");
        let trials = match model.state {
            State::HalfOpen => model.trials_in_flight(),
            _ => 0,
        };
        assert_eq!(view.in_flight as usize, trials, "trials");
        if let Some((seen, then)) = &self.seen {
            assert!(view.refused >= seen.refused, "refused never decreases");
            if seen.mark == view.mark {
                assert_eq!(seen.cause, view.cause, "a cause changes the mark");
                let end = |view: &View, now: u64| {
                    view.left
                        .map(|left| left.saturating_add(Duration::from_nanos(now)))
                };
                if seen.state == view.state && seen.left != Some(Duration::MAX) {
                    let ends = (end(seen, *then), end(&view, model.now));
                    assert_eq!(ends.0, ends.1, "a deadline changes the mark");
                }
            }
        }
        self.check_changes(pair);
        self.seen = Some((view, model.now));
    }

    /// Asserts that the reported transitions are a chain that ends in the state of the circuit.
    fn check_changes(&mut self, pair: &Pair) {
        for change in std::mem::take(&mut *self.told.lock().unwrap()) {
            if let Change::Transition { from, to, .. } = change {
                assert_eq!(self.state.unwrap_or(from), from, "a chain of changes");
                self.state = Some(to);
            }
        }
        let state = self.state.unwrap_or(pair.model.state);
        assert_eq!(state, pair.model.state, "every transition is reported");
    }
}
