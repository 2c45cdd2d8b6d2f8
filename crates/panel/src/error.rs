//! [`BuildError`]: why a panel was not built.

use thiserror::Error;

/// Why [`build`](crate::PanelBuilder::build) returned no panel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Controls without [`authorize`](crate::PanelBuilder::authorize): every client that reaches the
    /// panel could open circuits.
    #[error(
        "a panel with controls needs `authorize`, which decides who may give commands; for a panel on \
         a loopback address only, use `Server::local_controls`, without `any_host`"
    )]
    ControlsWithoutAuthorize,
    /// Controls together with [`embed_in`](crate::PanelBuilder::embed_in): the page around the frame
    /// could make users click on a button.
    #[error("a panel in a frame can only read: remove `controls` or `embed_in`")]
    ControlsInFrame,
    /// A setting has an invalid value.
    #[error("{setting} is {value:?}, but must be {allowed}")]
    #[non_exhaustive]
    Invalid {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is valid.
        allowed: &'static str,
    },
}

impl BuildError {
    pub(crate) fn invalid(setting: &'static str, value: &str, allowed: &'static str) -> Self {
        let value = value.chars().take(100).collect();
        Self::Invalid {
            setting,
            value,
            allowed,
        }
    }
}
