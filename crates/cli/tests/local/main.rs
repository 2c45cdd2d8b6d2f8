//! The commands that test settings: `replay`, `tune` and `scenario`.
#![allow(missing_docs)]

mod formats;
mod hostile;
mod page;
mod replay;
mod scenario;
mod styles;
mod support;
mod tune;
