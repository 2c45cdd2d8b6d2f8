//! A service with a panel, and the command that talks to it.

use breakerbox::prelude::*;
use breakerbox_panel::{Actor, Controls, Panel, PanelBuilder, serve_on};
use std::net::SocketAddr;
use std::ops::BitOr;
use std::process::{Command, Output};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use ureq::http::StatusCode;

const CONTROLS: [Controls; 4] = [
    Controls::TRIP,
    Controls::HALF_OPEN,
    Controls::RESET,
    Controls::FORCE_OPEN,
];

/// A service with a panel on a random port.
pub(crate) struct Service {
    pub(crate) registry: BreakerRegistry,
    pub(crate) address: SocketAddr,
    /// Ends the panel when it is dropped.
    _runtime: Runtime,
}

impl Service {
    pub(crate) fn new(panel: PanelBuilder, with_controls: bool) -> Self {
        let registry = BreakerRegistry::new();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut server = panel.server(&registry);
        if with_controls {
            server = server.local_controls(CONTROLS.into_iter().fold(Controls::NONE, BitOr::bitor));
        }
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve_on(listener, server));
        Self {
            registry,
            address,
            _runtime: runtime,
        }
    }

    pub(crate) fn web_1() -> Self {
        Self::new(Panel::builder().instance("web-1"), true)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = breakerbox();
        command.env("BREAKERBOX_URL", format!("http://{}/", self.address));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command().args(arguments).output().unwrap())
    }
}

/// A panel that wants a token.
pub(crate) fn authorized() -> PanelBuilder {
    Panel::builder().authorize(|head, _| {
        let token = head.headers.get("authorization");
        let valid = token.is_some_and(|token| token == "Bearer s3cret");
        if valid {
            Ok(Actor::named("alice"))
        } else {
            Err(StatusCode::UNAUTHORIZED)
        }
    })
}

pub(crate) fn breakerbox() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakerbox"));
    for variable in [
        "BREAKERBOX_TOKEN",
        "BREAKERBOX_URL",
        "COLUMNS",
        "NO_COLOR",
        "http_proxy",
    ] {
        command.env_remove(variable);
    }
    command
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn assert_fails(&self, expected: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(
            self.err.starts_with("breakerbox: ") && self.err.contains(expected),
            "{self:?}"
        );
    }
}
