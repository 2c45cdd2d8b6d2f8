//! [`RedisStoreBuilder`]: the settings of a store.

use crate::error::BuildError;
use crate::keys::Keys;
use crate::sentinel::Sentinels;
use crate::servers::{Password, Servers};
use crate::store::RedisStore;
use redis::{ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use std::fmt;
use std::time::Duration;

const TIMEOUTS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_secs(5);

/// A builder of a [`RedisStore`]. [`build`](Self::build) checks the settings.
///
/// # Default
///
/// * `user`, `password_from`: those of the URL, if any
/// * `timeout`: 1 s
/// * `prefix`: `bb1`
/// * Sentinels: none
/// * certificates: those of the system
///
/// # Examples
///
/// ```
/// use breakerbox_redis::RedisStore;
///
/// let store = RedisStore::builder("redis://cache.internal/")
///     .user("fleet")
///     .password_from(|| {
///         let secret = std::fs::read_to_string("/run/secrets/redis").ok()?;
///         Some(secret.trim_end().to_owned())
///     })
///     .build()?;
/// # Ok::<_, breakerbox_redis::BuildError>(())
/// ```
#[must_use = "a builder does nothing until the store is built"]
pub struct RedisStoreBuilder {
    url: String,
    sentinels: Option<(String, Vec<String>)>,
    user: Option<String>,
    password: Option<Password>,
    timeout: Duration,
    prefix: String,
    #[cfg(feature = "rustls")]
    certificates: redis::TlsCertificates,
}

impl RedisStore {
    /// Returns a builder with the [default settings](RedisStoreBuilder#default).
    ///
    /// The URL has the form `redis://user:password@host:6379/0`, where only the host is required. Special
    /// characters of the user and the password are percent-encoded: `#` is `%23`.
    ///
    /// `rediss` instead of `redis` encrypts the connection, with the feature `rustls`. `redis+unix:///path`
    /// is a Unix socket. `valkey`, `valkeys` and `valkey+unix` have the same meanings. The number after the
    /// slash selects a database. Fleets in different databases share nothing.
    pub fn builder(url: impl AsRef<str>) -> RedisStoreBuilder {
        RedisStoreBuilder {
            url: url.as_ref().to_owned(),
            sentinels: None,
            user: None,
            password: None,
            timeout: Duration::from_secs(1),
            prefix: "bb1".to_owned(),
            #[cfg(feature = "rustls")]
            certificates: redis::TlsCertificates {
                client_tls: None,
                root_cert: None,
            },
        }
    }
}

impl RedisStoreBuilder {
    /// Finds the server through Redis Sentinel, by the name of its primary. Default: the server of the
    /// URL.
    ///
    /// `urls` are those of the Sentinels, with their credentials. Each new connection asks them, beginning
    /// at a random one. The host of the store's URL is then not used, but the rest of it is: the scheme,
    /// the credentials and the number of the database.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox_redis::RedisStore;
    ///
    /// let sentinels = ["redis://s1:26379", "redis://s2:26379"];
    /// let store = RedisStore::builder("redis://cache.internal/")
    ///     .sentinel("mymaster", sentinels)
    ///     .build()?;
    /// # Ok::<_, breakerbox_redis::BuildError>(())
    /// ```
    #[cfg(feature = "sentinel")]
    pub fn sentinel<U: AsRef<str>>(
        mut self,
        primary: impl Into<String>,
        urls: impl IntoIterator<Item = U>,
    ) -> Self {
        let urls = urls.into_iter().map(|url| url.as_ref().to_owned());
        self.sentinels = Some((primary.into(), urls.collect()));
        self
    }

    /// Sets the name of the user. Default: the user of the URL, if any.
    ///
    /// Without any password, the user is authenticated with an empty one. The connection therefore never
    /// becomes one of the user `default` by mistake.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Requests the password from `password`, anew for each connection. Default: the password of the URL,
    /// if any.
    ///
    /// The password of the URL is used if the answer is `None`. The function runs on the task of the
    /// fleet and should not block for long. A panic counts as a failed connection.
    pub fn password_from(
        mut self,
        password: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.password = Some(Box::new(password));
        self
    }

    /// Sets how long one attempt to connect and one command may take: 10 ms to 5 s. Default: 1 s.
    ///
    /// A command never takes longer than 1 s, because leases depend on it. After two commands in a row
    /// without an answer, the fleet connects again. An attempt that asks Sentinels takes at most 5 s in
    /// total.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the prefix of all keys and of the channel: 1 to 64 characters of `[A-Za-z0-9._:-]`. Default:
    /// `bb1`.
    ///
    /// Fleets of different prefixes share nothing. Change the prefix if a user of the server may use
    /// certain keys only.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Trusts these certificates, in PEM format, instead of those of the system. Default: those of the
    /// system.
    ///
    /// The certificates also apply to Sentinels with an encrypted connection. The client reads those of
    /// the system nevertheless, and does not connect if there are none. In an image without certificates,
    /// set the variable `SSL_CERT_FILE` to a file that contains these.
    #[cfg(feature = "rustls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.root_cert = Some(pem.into());
        self
    }

    /// Identifies this instance by a certificate and its key, in PEM format. Default: no certificate.
    #[cfg(feature = "rustls")]
    pub fn client_certificate(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        self.certificates.client_tls = Some(redis::ClientTlsConfig {
            client_cert: certificate_pem.into(),
            client_key: key_pem.into(),
        });
        self
    }

    /// Checks the settings and builds the store. Connects to nothing.
    ///
    /// # Errors
    ///
    /// Returns a [`BuildError`] for the first invalid setting.
    pub fn build(self) -> Result<RedisStore, BuildError> {
        if !TIMEOUTS.contains(&self.timeout) {
            return Err(BuildError::Timeout(self.timeout));
        }
        if !Keys::is_valid_prefix(&self.prefix) {
            return Err(BuildError::Prefix(self.prefix));
        }
        let server = parse(&self.url).map_err(BuildError::Url)?;
        let server = self.with_certificates(server, true)?;
        // Only RESP3 has commands and messages on one connection.
        let mut settings = server.redis_settings().clone();
        settings = settings.set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        let tcp = server.tcp_settings().clone().set_nodelay(true);
        let server = server.set_redis_settings(settings).set_tcp_settings(tcp);
        let sentinels = match &self.sentinels {
            Some((_, urls)) if urls.is_empty() => return Err(BuildError::NoSentinel),
            Some((name, urls)) => {
                let servers = urls.iter().map(|url| {
                    let server = parse(url).map_err(BuildError::SentinelUrl)?;
                    self.with_certificates(server, false)
                });
                Some(Sentinels::new(
                    name.clone(),
                    servers.collect::<Result<_, _>>()?,
                ))
            }
            None => None,
        };
        let servers = Servers {
            server,
            sentinels,
            password: self.password,
            timeout: self.timeout,
        };
        Ok(RedisStore::new(servers, &self.prefix))
    }

    #[cfg(feature = "rustls")]
    fn with_certificates(
        &self,
        server: ConnectionInfo,
        is_required: bool,
    ) -> Result<ConnectionInfo, BuildError> {
        let has_none =
            self.certificates.root_cert.is_none() && self.certificates.client_tls.is_none();
        let is_encrypted = matches!(server.addr(), redis::ConnectionAddr::TcpTls { .. });
        if has_none || !is_encrypted && !is_required {
            return Ok(server);
        }
        let client = redis::Client::build_with_tls(server, self.certificates.clone());
        let client = client.map_err(|error| BuildError::Certificates(error.to_string()))?;
        Ok(client.get_connection_info().clone())
    }

    #[cfg(not(feature = "rustls"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps)]
    fn with_certificates(
        &self,
        server: ConnectionInfo,
        _is_required: bool,
    ) -> Result<ConnectionInfo, BuildError> {
        Ok(server)
    }
}

/// Shows no URL and no credentials.
impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStoreBuilder")
            .field("timeout", &self.timeout)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// Returns the server of a URL, or why the URL is invalid.
fn parse(url: &str) -> Result<ConnectionInfo, String> {
    let is_encrypted = url.starts_with("rediss:") || url.starts_with("valkeys:");
    if is_encrypted && cfg!(not(feature = "rustls")) {
        return Err(
            "an encrypted connection needs the feature `rustls` of breakerbox-redis".into(),
        );
    }
    url.into_connection_info().map_err(|error| {
        let text = error.to_string();
        let reason = text.strip_suffix(" - InvalidClientConfig");
        let reason = reason.unwrap_or(&text);
        format!("{reason}; the form is redis://user:password@host:6379/0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(builder: RedisStoreBuilder) -> BuildError {
        builder.build().unwrap_err()
    }

    #[test]
    fn bad_url_is_an_error_without_the_url() {
        for url in [
            "",
            "cache:6379",
            "http://cache/",
            "redis://user:secret@:x/",
            "redis://h/one",
        ] {
            let error = error(RedisStore::builder(url));
            assert!(matches!(error, BuildError::Url(_)), "{url}: {error:?}");
            let text = error.to_string();
            assert!(!text.contains("secret"), "{error}");
            assert!(!text.contains("InvalidClientConfig"), "{error}");
        }
    }

    #[cfg(feature = "sentinel")]
    #[test]
    fn invalid_sentinels_are_an_error() {
        let builder = || RedisStore::builder("redis://cache/");
        let bad_url = error(builder().sentinel("main", ["s1 26379"]));
        assert!(matches!(bad_url, BuildError::SentinelUrl(_)), "{bad_url:?}");
        let none: [&str; 0] = [];
        let no_url = error(builder().sentinel("main", none));
        assert_eq!(no_url, BuildError::NoSentinel);
    }

    #[test]
    fn invalid_setting_is_an_error() {
        let builder = || RedisStore::builder("redis://cache/");
        for timeout in [Duration::ZERO, Duration::from_secs(6)] {
            let error = error(builder().timeout(timeout));
            assert_eq!(error, BuildError::Timeout(timeout));
        }
        for prefix in ["", "{a}", "a*", "a b"] {
            let error = error(builder().prefix(prefix));
            assert_eq!(error, BuildError::Prefix(prefix.into()));
        }
    }

    #[test]
    fn debug_output_contains_no_credentials() {
        let builder = RedisStore::builder("redis://user:secret@cache:1/")
            .password_from(|| Some("secret".into()));
        #[cfg(feature = "sentinel")]
        let builder = builder.sentinel("main", ["redis://:secret@s1"]);
        let shown = format!("{builder:?}");
        let shown = shown + &format!("{:?}", builder.build().unwrap());
        assert!(shown.contains("cache:1"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn certificates_need_an_encrypted_connection() {
        let builder = RedisStore::builder("redis://cache/").root_certificates("x");
        assert!(matches!(error(builder), BuildError::Certificates(_)));
        let builder = RedisStore::builder("rediss://cache/").client_certificate("x", "y");
        assert!(matches!(error(builder), BuildError::Certificates(_)));
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn encrypted_connection_needs_the_feature() {
        let error = error(RedisStore::builder("rediss://cache/"));
        assert!(error.to_string().contains("feature `rustls`"), "{error}");
    }
}
