//! The port of a fleet: through it, circuits are shared between instances of a program.
//!
//! A fleet is a task that tells other instances about the circuits of a
//! [registry](crate::BreakerRegistry), and changes circuits because of other instances. This module is what such a task needs, and nothing
//! else. The task, its protocol and its stores are crates of their own.
//!
//! A [`Port`] reports each [`Change`] of a registry. A change only says which name to look at. Then
//! the task [views](Port::view) the circuit, decides, and [applies](Port::apply) an [`Order`]. The
//! [`Mark`] of the view makes the order conditional: if the circuit has changed since, the order
//! changes nothing, and returns the present [`View`].
//!
//! # Cost
//!
//! Healthy and refused calls cost the same with a port as without. A change of a state costs a call
//! of a closure.
//!
//! # Examples
//!
//! ```
//! use breakerbox::fleet::{CauseKind, NotApplied, Order, Port};
//! use breakerbox::{BreakerRegistry, Cause, State};
//! use std::collections::BTreeSet;
//! use std::sync::{Arc, Mutex};
//! use std::time::Duration;
//!
//! let registry = BreakerRegistry::new();
//! let dirty = Arc::new(Mutex::new(BTreeSet::new()));
//! let told = dirty.clone();
//! let port = Port::attach(&registry, move |change| {
//!     told.lock().unwrap().insert(change.breaker().clone());
//! });
//!
//! let users = registry.breaker("users-api");
//! assert!(dirty.lock().unwrap().contains("users-api"));
//!
//! // Another instance found that the dependency is down.
//! let view = port.view("users-api").unwrap();
//! let open = Order::OpenFor(Duration::from_secs(30), 0);
//! let cause = Cause::fleet("web-7", CauseKind::FailureRate);
//! port.apply("users-api", view.mark, open, cause.clone()).unwrap();
//! assert_eq!(users.state(), State::Open);
//! let refusal = users.try_acquire().unwrap_err();
//! assert!(format!("{refusal:#}").ends_with("(opened by the fleet: web-7, failure rate)"));
//!
//! // A decision on the state before changes nothing.
//! let late = port.apply("users-api", view.mark, open, cause);
//! assert!(matches!(late, Err(NotApplied::Changed(view)) if view.state == State::Open));
//! ```

mod port;

pub use crate::circuit::{Mark, NotApplied, Order, View};
pub use crate::event::{CauseKind, Change};
pub use crate::share::Share;
pub use port::Port;
