//! [`Settings`]: the checked settings of a panel.

use crate::access::{Action, Actor, Command, Controls, Shown};
use crate::caught::caught;
use crate::guard::{Guard, Refusal};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;

pub(crate) type Authorize = Arc<dyn Fn(&Parts, Action) -> Result<Actor, StatusCode> + Send + Sync>;

/// The settings of a panel, which never change.
pub(crate) struct Settings {
    pub(crate) instance: Arc<str>,
    pub(crate) controls: Controls,
    pub(crate) authorize: Option<Authorize>,
    /// The actor of every request, without `authorize`.
    pub(crate) default_actor: Actor,
    pub(crate) guard: Guard,
    pub(crate) shown: Shown,
    pub(crate) essential: Vec<String>,
    /// The policy of the page.
    pub(crate) policy: HeaderValue,
    pub(crate) entity_tag: HeaderValue,
    pub(crate) instance_header: HeaderValue,
    /// Whether pages of other origins may show the panel in a frame.
    pub(crate) is_framed: bool,
    #[cfg(feature = "fleet")]
    pub(crate) fleet: Option<crate::fleet::Source>,
}

/// The actor of a request, and what the panel shows to this actor.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    pub(crate) actor: Actor,
    /// The commands that the viewer may give.
    pub(crate) controls: Vec<&'static str>,
    pub(crate) shows_failures: bool,
}

impl Settings {
    /// Asks the application whether the request may do something.
    ///
    /// Runs user code, so no lock may be held.
    pub(crate) fn authorize(&self, head: &Parts, action: Action) -> Result<Actor, Refusal> {
        let Some(authorize) = &self.authorize else {
            return Ok(self.default_actor.clone());
        };
        match caught(|| authorize(head, action)) {
            Some(Ok(actor)) => Ok(actor),
            Some(Err(status)) => Err(denied(status)),
            None => {
                let message = "`authorize` panicked; the log of the program has the message";
                Err((StatusCode::INTERNAL_SERVER_ERROR, message.to_owned()))
            }
        }
    }

    /// Returns the viewer of a request that may read.
    pub(crate) fn viewer(&self, head: &Parts) -> Result<Viewer, Refusal> {
        let actor = self.authorize(head, Action::Read)?;
        let may = |command: &Command| {
            let action = Action::Command {
                command: *command,
                breaker: None,
            };
            self.authorize(head, action).is_ok()
        };
        let controls = self.controls.commands().filter(may);
        Ok(Viewer {
            controls: controls.map(Command::as_str).collect(),
            shows_failures: match self.shown {
                Shown::Never => false,
                Shown::ToActors => actor.name().is_some_and(|name| !name.is_empty()),
                Shown::ToReaders => true,
            },
            actor,
        })
    }
}

fn denied(status: StatusCode) -> Refusal {
    match status {
        StatusCode::UNAUTHORIZED => (status, "log in to see the panel".to_owned()),
        status if status.is_client_error() || status.is_server_error() => (
            status,
            "the application does not allow this request".to_owned(),
        ),
        // Not an error, although the request was denied.
        _ => denied(StatusCode::FORBIDDEN),
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("instance", &self.instance)
            .field("controls", &self.controls)
            .field("authorize", &self.authorize.is_some())
            .finish_non_exhaustive()
    }
}
