//! [`RedisStore`]: the store of a fleet on a Redis or Valkey server.

use crate::keys::Keys;
use crate::line::RedisLine;
use crate::push::forward;
use crate::script::failure_of_client;
use crate::servers::Servers;
use async_trait::async_trait;
use breakerbox_fleet::FleetStore;
use breakerbox_fleet::store::{Hello, Link, StoreError, news};
use std::fmt;
use std::sync::Arc;

/// The store of a fleet on a Redis or Valkey server.
///
/// Each fleet has one connection, for operations and for messages of other instances. A connection is
/// given up when it is closed, or when two requests in a row have no answer within 1 s. The same happens
/// at a server that is read-only, loads its data, has lost the replicas that it needs, or no longer has
/// the keys. The fleet then connects again after a random time: up to 100 ms at first, up to 5 s later,
/// without end. Each attempt resolves names, asks the Sentinels and requests the password anew.
///
/// The server must speak RESP3: Redis 6 or later, or Valkey. One node of a Redis Cluster is enough, if
/// the node has the keys of the namespace.
///
/// A clone is the same store.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use breakerbox::BreakerRegistry;
/// use breakerbox_redis::{Fleet, RedisStore, Share};
///
/// let registry = BreakerRegistry::new();
/// let store = RedisStore::builder("redis://cache.internal/")
///     .user("fleet")
///     .password_from(|| std::env::var("REDIS_PASSWORD").ok())
///     .build()?;
/// let fleet = Fleet::builder(&registry, store)
///     .namespace("shop:prod")
///     .share_for("payments:", Share::always())
///     .start()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    servers: Arc<Servers>,
    prefix: Arc<str>,
}

impl RedisStore {
    pub(crate) fn new(servers: Servers, prefix: &str) -> Self {
        Self {
            servers: Arc::new(servers),
            prefix: prefix.into(),
        }
    }
}

/// Shows the address, and no credentials.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("address", &self.servers.server.addr().to_string())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl FleetStore for RedisStore {
    async fn connect(&self, hello: &Hello) -> Result<Link, StoreError> {
        let database = self.servers.server.redis_settings().db();
        let keys = Keys::new(&self.prefix, &hello.namespace).in_database(database);
        let (sender, news) = news();
        let channel = keys.channel.clone();
        let push = move |info| forward(info, &channel, &sender);
        let mut connection = self.servers.connect(push).await?;
        // Before the first pull: a change is either in the pull or in a message after it.
        let subscribed = connection.subscribe(&keys.channel).await;
        subscribed.map_err(|error| failure_of_client(&error))?;
        Ok(Link::new(RedisLine::new(connection, keys, hello), news))
    }
}
