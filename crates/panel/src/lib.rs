#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod answer;
mod body;
#[cfg(feature = "serve")]
mod bounded;
mod builder;
mod caught;
mod detail;
mod error;
#[cfg(feature = "fleet")]
mod fleet;
mod guard;
mod lock;
mod log;
mod order;
mod page;
mod panel;
mod query;
mod route;
#[cfg(feature = "serve")]
mod serve;
mod settings;
mod shared;
mod slots;
mod stream;
mod table;
mod task;
mod text;
mod time;
mod timers;
mod upload;
mod view;

pub use access::{Action, Actor, Command, Controls, Shown};
pub use body::Body;
pub use builder::PanelBuilder;
pub use error::BuildError;
pub use panel::{Panel, ResponseFuture};
#[cfg(feature = "serve")]
pub use serve::{ServeError, Server, serve, serve_on};
