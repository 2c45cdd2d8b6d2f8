//! [`Servers`]: where the server is, and how to connect to it.

use crate::script::{failure_of_client, failure_of_handshake};
use crate::sentinel::Sentinels;
use breakerbox_fleet::store::StoreError;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, PushInfo};
use std::time::Duration;

/// Returns the password for one connection.
pub(crate) type Password = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Where the server is, and how to connect to it.
///
/// Nothing is remembered between connections: addresses, the primary and the password may change.
pub(crate) struct Servers {
    /// The server. With Sentinels, its address only selects whether the connection is encrypted.
    pub(crate) server: ConnectionInfo,
    pub(crate) sentinels: Option<Sentinels>,
    pub(crate) password: Option<Password>,
    /// How long one attempt and one command may take.
    pub(crate) timeout: Duration,
}

impl Servers {
    /// Connects to the server. `push` gets the messages of the connection, and must not wait.
    pub(crate) async fn connect(
        &self,
        push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, StoreError> {
        #[cfg(feature = "rustls")]
        self.prepare_encryption();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let mut server = self.server.clone();
        if let Some(sentinels) = &self.sentinels {
            let (host, port) = sentinels.primary(&config).await?;
            let address = with_host(server.addr().clone(), host, port);
            server = server.set_addr(address);
        }
        if let Some(password) = self.password(&server) {
            let settings = server.redis_settings().clone().set_password(password);
            server = server.set_redis_settings(settings);
        }
        let address = server.addr().to_string();
        let client = Client::open(server).map_err(|error| failure_of_client(&error))?;
        let config = config.set_push_sender(move |info| {
            push(info);
            Ok::<_, std::convert::Infallible>(())
        });
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        connection
            .await
            .map_err(|error| match failure_of_handshake(&error) {
                StoreError::Disconnected(why) => {
                    StoreError::Disconnected(format!("{address}: {why}"))
                }
                failure => failure,
            })
    }

    /// Returns the password that replaces the one of the URL.
    fn password(&self, server: &ConnectionInfo) -> Option<String> {
        let password = self.password.as_ref().and_then(|password| password());
        let settings = server.redis_settings();
        // Without a password, the client would silently connect as another user, `default`. A user that
        // needs no password accepts any.
        let is_missing = settings.username().is_some() && settings.password().is_none();
        password.or_else(|| is_missing.then(String::new))
    }

    /// Selects ring if the program has not selected a cryptography provider. Without a selection,
    /// rustls panics in programs that contain two providers.
    #[cfg(feature = "rustls")]
    fn prepare_encryption(&self) {
        let sentinels = self.sentinels.iter().flat_map(Sentinels::servers);
        let is_encrypted =
            |server: &ConnectionInfo| matches!(server.addr(), ConnectionAddr::TcpTls { .. });
        let is_needed = sentinels.chain([&self.server]).any(is_encrypted);
        if is_needed && rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been faster.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    }
}

/// Returns the address of another host that is reached in the same way.
fn with_host(address: ConnectionAddr, host: String, port: u16) -> ConnectionAddr {
    match address {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host,
            port,
            insecure,
            tls_params,
        },
        _ => ConnectionAddr::Tcp(host, port),
    }
}
