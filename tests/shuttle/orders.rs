//! Orders of a fleet, concurrent with calls, commands, hints, removal and registration.

use super::*;
use breakerbox::fleet::{CauseKind, Change, NotApplied, Order, Port};
use breakerbox::{Cause, Outcome};
use shuttle::future::JoinHandle;
use std::sync::Mutex;

const NAME: &str = "users";

async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.expect("a task that ends")
}

fn cause() -> Cause {
    Cause::fleet("web-7", CauseKind::Consecutive)
}

fn registry(time: &TestTime) -> BreakerRegistry {
    BreakerRegistry::builder()
        .default_preset(time.settings().failure_threshold(1))
        .clock(time.clock.clone())
        .build()
        .expect("valid settings")
}

/// The changes of each name, in the order in which they were reported.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Change>>>);

impl Told {
    fn attach(&self, registry: &BreakerRegistry) -> Port {
        let told = self.clone();
        Port::attach(registry, move |change| {
            told.0.lock().expect("not poisoned").push(change.clone());
        })
    }

    /// Asserts that the transitions are a chain from closed to `last`.
    fn assert_chain(&self, last: State) {
        let mut state = State::Closed;
        for change in self.0.lock().expect("not poisoned").iter() {
            if let Change::Transition { from, to, .. } = change {
                assert_eq!(*from, state);
                state = *to;
            }
        }
        assert_eq!(state, last, "every transition was reported");
    }
}

/// Two conditional orders that were decided on the same view: one of them applies.
#[test]
fn one_of_two_orders_applies() {
    explore("one_of_two_orders_applies", |time, cases| async move {
        let registry = registry(&time);
        let users = registry.breaker(NAME);
        let told = Told::default();
        let port = Arc::new(told.attach(&registry));
        users.trip();
        told.0.lock().expect("not poisoned").clear();
        let mark = port.view(NAME).expect("a breaker").mark;
        let tasks = [Order::Close, Order::Extend(3 * RECOVERY)].map(|order| {
            let port = port.clone();
            spawn(async move { port.apply(NAME, mark, order, cause()) })
        });
        let [close, extend] = tasks;
        let (closed, extended) = (join(close).await, join(extend).await);
        let view = port.view(NAME).expect("a breaker");
        match (closed, extended) {
            (Ok(mark), Err(NotApplied::Changed(found))) => {
                cases.count("closed", 1);
                assert_eq!((view.state, view.mark), (State::Closed, mark));
                assert_eq!(found.state, State::Closed);
            }
            (Err(NotApplied::Changed(found)), Ok(mark)) => {
                cases.count("extended", 1);
                assert_eq!((view.state, view.mark), (State::Open, mark));
                assert_eq!(found.left, Some(3 * RECOVERY));
            }
            other => panic!("{other:?}"),
        }
    });
}

/// An order never hits a state that was not seen, and every transition is reported in its order.
#[test]
fn order_hits_only_what_was_seen() {
    explore("order_hits_only_what_was_seen", |time, cases| async move {
        let registry = registry(&time);
        let users = registry.breaker(NAME);
        let told = Told::default();
        let port = told.attach(&registry);
        let late = users.try_acquire().expect("a closed circuit");
        let failing = spawn({
            let users = users.clone();
            async move {
                let _ = async { Err::<(), _>(Failure) }.guarded_by(&users).await;
                late.record(Outcome::TripFor(2 * RECOVERY));
            }
        });
        let commanding = spawn({
            let users = users.clone();
            async move {
                users.trip_for(5 * SECOND);
                yield_up_to(1).await;
                users.reset();
            }
        });
        for _ in 0..3 {
            let seen = port.view(NAME).expect("a breaker");
            yield_up_to(1).await;
            let order = match seen.state {
                State::Closed => Order::OpenFor(SECOND, 0),
                _ => Order::Close,
            };
            match port.apply(NAME, seen.mark, order, cause()) {
                Ok(mark) => {
                    cases.count("applied", 1);
                    assert_ne!(mark, seen.mark);
                }
                Err(NotApplied::Changed(found)) => {
                    cases.count("changed", 1);
                    assert_ne!(found.mark, seen.mark);
                }
                Err(other) => panic!("the state takes the order: {other}"),
            }
        }
        join(failing).await;
        join(commanding).await;
        told.assert_chain(users.state());
    });
}

/// An order for a removed breaker never hits the next breaker of its name.
#[test]
fn order_never_hits_successor() {
    explore("order_never_hits_successor", |time, cases| async move {
        let registry = registry(&time);
        let first = registry.breaker(NAME);
        let told = Told::default();
        let port = told.attach(&registry);
        let mark = port.view(NAME).expect("a breaker").mark;
        let replacing = spawn({
            let registry = registry.clone();
            async move {
                registry.remove(NAME);
                let settings = CircuitBreaker::builder();
                registry.register(NAME, settings).expect("a free name")
            }
        });
        let result = port.apply(NAME, mark, Order::OpenFor(SECOND, 0), cause());
        let second = join(replacing).await;
        assert_eq!(second.state(), State::Closed);
        match result {
            Ok(_) => {
                cases.count("before the removal", 1);
                assert_eq!(first.state(), State::Open);
            }
            Err(NotApplied::Unknown) => {
                cases.count("between", 1);
                assert_eq!(first.state(), State::Closed);
            }
            Err(NotApplied::Changed(found)) => {
                cases.count("after the registration", 1);
                assert_eq!(found.state, State::Closed);
                assert_eq!(first.state(), State::Closed);
            }
            Err(other) => panic!("{other}"),
        }
        assert!(port.view(NAME).is_some());
    });
}

/// A task that attaches a port and then reads all names misses nothing.
#[test]
fn attach_and_names_miss_no_opening() {
    explore(
        "attach_and_names_miss_no_opening",
        |time, cases| async move {
            let registry = registry(&time);
            let opening = spawn({
                let registry = registry.clone();
                async move {
                    registry.breaker("a").trip();
                }
            });
            let told = Told::default();
            // A task of its own, so that it may begin after the opening.
            let looking = spawn({
                let (registry, told) = (registry.clone(), told.clone());
                async move {
                    let port = told.attach(&registry);
                    let seen = port.names().iter().any(|name| {
                        let view = port.view(name);
                        view.is_some_and(|view| view.state == State::Open)
                    });
                    (port, seen)
                }
            });
            join(opening).await;
            let (_port, seen) = join(looking).await;
            let reported = told.0.lock().expect("not poisoned").iter().any(|change| {
                matches!(
                    change,
                    Change::Transition {
                        to: State::Open,
                        ..
                    }
                )
            });
            cases.count("seen", u64::from(seen));
            cases.count("reported only", u64::from(!seen));
            assert!(seen || reported);
        },
    );
}
