//! [`Sentinels`]: finds the primary server through Redis Sentinel.

use crate::script::failure_of_client;
use breakerbox_fleet::store::StoreError;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo};

/// The Sentinels of one primary.
///
/// Each connection asks again, beginning at a random Sentinel: one that is cut off from the others may
/// name the old primary. The role of the server is not checked here. The first pull fails at a server
/// that is not the primary, and the next connection asks another Sentinel.
pub(crate) struct Sentinels {
    name: String,
    servers: Vec<ConnectionInfo>,
}

impl Sentinels {
    /// `name` is the name of the primary, as configured in the Sentinels.
    pub(crate) fn new(name: String, servers: Vec<ConnectionInfo>) -> Self {
        Self { name, servers }
    }

    #[cfg(feature = "rustls")]
    pub(crate) fn servers(&self) -> &[ConnectionInfo] {
        &self.servers
    }

    /// Returns the host and the port of the primary.
    pub(crate) async fn primary(
        &self,
        config: &AsyncConnectionConfig,
    ) -> Result<(String, u16), StoreError> {
        let mut why = "it is unknown".to_owned();
        let (before, from) = self.servers.split_at(fastrand::usize(..self.servers.len()));
        for server in from.iter().chain(before) {
            match self.ask(server, config).await {
                Ok(Some(address)) => return Ok(address),
                Ok(None) => {}
                Err(error) => why = error.to_string(),
            }
        }
        let name = &self.name;
        let text = format!("no Sentinel names the primary of {name:?}: {why}");
        Err(StoreError::Disconnected(text))
    }

    async fn ask(
        &self,
        server: &ConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> Result<Option<(String, u16)>, StoreError> {
        let asking = async {
            let client = Client::open(server.clone())?;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(config)
                .await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
            command.query_async(&mut connection).await
        };
        asking.await.map_err(|error| failure_of_client(&error))
    }
}
