//! [`PanelBuilder`]: the settings of a panel.

use crate::access::{Action, Actor, Controls, Shown};
use crate::error::BuildError;
use crate::guard::{Guard, checked_origins};
use crate::page::{entity_tag, policy};
use crate::panel::Panel;
use crate::settings::{Authorize, Settings};
use breakerbox::BreakerRegistry;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use std::fmt;
use std::sync::Arc;

/// A builder of a [`Panel`]. [`build`](Self::build) checks the settings.
///
/// # Default
///
/// * `controls`: none
/// * `authorize`: every request may read, without an actor
/// * `allowed_hosts`: none, except localhost and IP addresses
/// * `origins`: the host and the port of the request
/// * `last_failure`: [`Shown::Never`]
/// * `essential`: none
/// * `instance`: the environment variable `HOSTNAME`, or else `panel`, and a random number
/// * `embed_in`: none
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use breakerbox_panel::{Action, Actor, Controls, Panel};
/// use http::StatusCode;
///
/// /// The user that a middleware has found.
/// #[derive(Clone)]
/// struct User(String);
///
/// let panel = Panel::builder()
///     .controls(Controls::TRIP | Controls::HALF_OPEN | Controls::RESET)
///     .authorize(|head, action| match (head.extensions.get::<User>(), action) {
///         (Some(user), _) => Ok(Actor::named(&user.0)),
///         (None, Action::Health) => Ok(Actor::anonymous()),
///         (None, _) => Err(StatusCode::UNAUTHORIZED),
///     })
///     .allowed_hosts(["ops.internal"])
///     .essential(["payments"])
///     .build(BreakerRegistry::global())?;
/// # Ok::<(), breakerbox_panel::BuildError>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct PanelBuilder {
    controls: Controls,
    authorize: Option<Authorize>,
    hosts: Vec<String>,
    any_host: bool,
    origins: Vec<String>,
    shown: Shown,
    essential: Vec<String>,
    instance: Option<String>,
    ancestors: Vec<String>,
    #[cfg(feature = "fleet")]
    fleet: Option<crate::fleet::Source>,
}

impl Panel {
    /// Creates a panel that reads, with the [default settings](PanelBuilder#default).
    pub fn new(registry: &BreakerRegistry) -> Self {
        Self::of(PanelBuilder::default().settings_for_reading(), registry)
    }

    /// Returns a builder with the [default settings](PanelBuilder#default).
    pub fn builder() -> PanelBuilder {
        PanelBuilder::default()
    }
}

impl PanelBuilder {
    /// Sets the commands that the panel offers. Default: none.
    ///
    /// A panel with controls needs [`authorize`](Self::authorize). Each command has a reason, except
    /// [`HALF_OPEN`](Controls::HALF_OPEN), and an actor. Both become part of the
    /// [cause](breakerbox::Cause::Manual), as in `alice by panel: INC-123`.
    ///
    /// Do not put the panel behind a layer that allows requests of all origins, such as a permissive
    /// `CorsLayer`. The layer would undo the protection against commands by other sites.
    pub fn controls(mut self, controls: Controls) -> Self {
        self.controls = controls;
        self
    }

    /// Sets the closure that decides on each request: it returns the actor, or the status of the
    /// answer. Default: every request may read.
    ///
    /// The closure is called for [`Action::Read`] and [`Action::Health`], and twice for a command. It
    /// is also asked which commands to show, without a breaker. A stream is authorized again after at
    /// most 5.5 minutes.
    ///
    /// The closure must not block. A login that waits belongs in a middleware of the application,
    /// which leaves the user in the [extensions](Parts::extensions) of the request. A panic of the
    /// closure is caught; the answer is 500.
    pub fn authorize(
        mut self,
        authorize: impl Fn(&Parts, Action) -> Result<Actor, StatusCode> + Send + Sync + 'static,
    ) -> Self {
        self.authorize = Some(Arc::new(authorize));
        self
    }

    /// Adds names of hosts under which browsers reach the panel. Default: none, except localhost and
    /// all IP addresses.
    ///
    /// Other names are refused, because a site can give its own name the address of the panel (DNS
    /// rebinding), and then read and control the panel from the browser of a user.
    pub fn allowed_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.hosts.extend(hosts.into_iter().map(Into::into));
        self
    }

    /// Answers requests for every host, which gives up the protection against DNS rebinding.
    ///
    /// Only for a panel whose `authorize` needs a password or a token that the browser does not send
    /// by itself to other hosts.
    pub fn any_host(mut self) -> Self {
        self.any_host = true;
        self
    }

    /// Adds origins whose pages may send commands, such as `https://ops.example.com`. Default: the
    /// host and the port of the request only.
    ///
    /// Needed behind a proxy that sends another `Host` header than the browser does.
    pub fn origins<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.origins.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Sets who sees the texts of last failures. Default: [`Shown::Never`].
    pub fn last_failure(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }

    /// Adds the names of breakers without which the service cannot work. Default: none.
    ///
    /// While one of them refuses calls, `/api/v1/health` answers 503.
    pub fn essential<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.essential.extend(names.into_iter().map(Into::into));
        self
    }

    /// Sets the name of this instance of the service: 1 to 64 visible ASCII characters. Default: the
    /// environment variable `HOSTNAME`, or else `panel`, and a random number.
    ///
    /// Behind a load balancer, each request may reach another instance. Every answer contains the
    /// name, and a command is refused by every other instance. Refusals contain the name, too, so that
    /// clients without permission see it. It must not be a secret.
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Adds origins whose pages may show the panel in a frame. Default: none.
    ///
    /// Such a panel has no controls, because the page around a frame can make users click on a button.
    pub fn embed_in<S: Into<String>>(mut self, origins: impl IntoIterator<Item = S>) -> Self {
        self.ancestors.extend(origins.into_iter().map(Into::into));
        self
    }

    /// Shows the state of a fleet. `status` is called for each view.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use breakerbox::BreakerRegistry;
    /// use breakerbox_fleet::{Fleet, store::Memory};
    /// use breakerbox_panel::Panel;
    /// use std::sync::Arc;
    ///
    /// let registry = BreakerRegistry::new();
    /// let fleet = Arc::new(Fleet::builder(&registry, Memory::new()).start()?);
    /// let panel = Panel::builder().fleet(move || fleet.status()).build(&registry)?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "fleet")]
    pub fn fleet(
        mut self,
        status: impl Fn() -> breakerbox_fleet::FleetStatus + Send + Sync + 'static,
    ) -> Self {
        self.fleet = Some(crate::fleet::Source::new(status));
        self
    }

    /// Checks the settings, and creates a panel for the breakers of `registry`.
    ///
    /// # Errors
    ///
    /// * [`BuildError::ControlsWithoutAuthorize`] and [`BuildError::ControlsInFrame`] for controls
    ///   without protection
    /// * [`BuildError::Invalid`] for the first invalid host, origin or instance
    pub fn build(self, registry: &BreakerRegistry) -> Result<Panel, BuildError> {
        if !self.controls.is_empty() && self.authorize.is_none() {
            return Err(BuildError::ControlsWithoutAuthorize);
        }
        let settings = self.into_settings(Actor::anonymous())?;
        Ok(Panel::of(settings, registry))
    }

    /// Creates a panel for a loopback address, where the only user gives commands as `local`.
    #[cfg(feature = "serve")]
    pub(crate) fn build_local(
        mut self,
        controls: Controls,
        registry: &BreakerRegistry,
    ) -> Result<Panel, BuildError> {
        // Without the check of hosts, every site reaches the panel through the browser of the user.
        let needs_authorize = !self.controls.is_empty() || self.any_host;
        if needs_authorize && self.authorize.is_none() {
            return Err(BuildError::ControlsWithoutAuthorize);
        }
        self.controls = self.controls | controls;
        let settings = self.into_settings(Actor::named("local"))?;
        Ok(Panel::of(settings, registry))
    }

    #[cfg(feature = "serve")]
    pub(crate) fn is_protected(&self) -> bool {
        self.authorize.is_some()
    }

    /// Returns the settings of a panel that only reads, which are valid.
    pub(crate) fn settings_for_reading(self) -> Settings {
        let Ok(settings) = self.into_settings(Actor::anonymous()) else {
            unreachable!("the default settings are valid");
        };
        settings
    }

    fn into_settings(self, default_actor: Actor) -> Result<Settings, BuildError> {
        let ancestors = checked_origins("embed_in", &self.ancestors)?;
        if !self.controls.is_empty() && !ancestors.is_empty() {
            return Err(BuildError::ControlsInFrame);
        }
        let instance = self.instance.unwrap_or_else(default_instance);
        let is_visible = |byte: u8| byte.is_ascii_graphic();
        let allowed = "1 to 64 visible ASCII characters";
        if !(1..=64).contains(&instance.len()) || !instance.bytes().all(is_visible) {
            return Err(BuildError::invalid("instance", &instance, allowed));
        }
        let policy = policy(&ancestors);
        // Checked origins and the instance consist of visible ASCII characters.
        let header =
            |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        Ok(Settings {
            controls: self.controls,
            authorize: self.authorize,
            default_actor,
            guard: Guard::new(&self.hosts, self.any_host, &self.origins)?,
            shown: self.shown,
            essential: self.essential,
            entity_tag: header(&entity_tag(&policy)),
            policy: header(&policy),
            instance_header: header(&instance),
            instance: instance.into(),
            is_framed: !ancestors.is_empty(),
            #[cfg(feature = "fleet")]
            fleet: self.fleet,
        })
    }
}

fn default_instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_usable = (1..=55).contains(&host.len()) && host.bytes().all(is_plain);
    let host = if is_usable { &host } else { "panel" };
    format!("{host}-{:08x}", fastrand::u32(..))
}

impl fmt::Debug for PanelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelBuilder")
            .field("controls", &self.controls)
            .field("authorize", &self.authorize.is_some())
            .field("allowed_hosts", &self.hosts)
            .field("any_host", &self.any_host)
            .field("origins", &self.origins)
            .field("last_failure", &self.shown)
            .field("essential", &self.essential)
            .field("instance", &self.instance)
            .field("embed_in", &self.ancestors)
            .finish_non_exhaustive()
    }
}
