//! [`share`]: shares a registry with the default settings.

use crate::error::ShareError;
use crate::store::RedisStore;
use breakerbox::BreakerRegistry;
use breakerbox_fleet::Fleet;

/// Shares the circuits of a registry through a Redis or Valkey server.
///
/// Returns immediately, even if the server is down. The fleet connects in the background, on the current
/// tokio runtime, and the circuits are local until then. No error of the server ever reaches a call. The
/// settings are those of [`Fleet::builder`] and [`RedisStore::builder`].
///
/// Dropping the handle ends the fleet. [`Fleet::status`] shows whether the server answers.
///
/// By default, a circuit opens everywhere when the circuits of two instances have opened, each by its own
/// rule. Use [`Share::always`](crate::Share::always) if only one instance has calls. Commands at a breaker
/// stay local; [`Fleet::command`] gives commands to all instances.
///
/// # Errors
///
/// * [`ShareError::Store`] if the URL is invalid
/// * [`ShareError::Start`] outside a tokio runtime, if the registry has a fleet already, or if the clock
///   of the registry is not that of tokio
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), breakerbox_redis::ShareError> {
/// use breakerbox::BreakerRegistry;
/// use std::time::Duration;
///
/// let registry = BreakerRegistry::global();
/// let fleet = breakerbox_redis::share(registry, "redis://127.0.0.1/")?;
/// // Optional: learns of open circuits before the first call.
/// fleet.ready(Duration::from_millis(250)).await;
/// # Ok(())
/// # }
/// ```
pub fn share(registry: &BreakerRegistry, url: impl AsRef<str>) -> Result<Fleet, ShareError> {
    let store = RedisStore::builder(url).build()?;
    Ok(Fleet::builder(registry, store).start()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox_fleet::StartError;

    const URL: &str = "redis://127.0.0.1:1/";

    #[tokio::test]
    async fn server_that_is_down_is_no_error() {
        let fleet = share(&BreakerRegistry::new(), URL).unwrap();
        assert!(!fleet.status().is_connected());
    }

    #[tokio::test]
    async fn bad_url_is_an_error() {
        let error = share(&BreakerRegistry::new(), "127.0.0.1").unwrap_err();
        assert!(matches!(error, ShareError::Store(_)), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with("the URL of the server is invalid: "),
            "{text}"
        );
    }

    #[test]
    fn thread_without_a_runtime_is_an_error() {
        let error = share(&BreakerRegistry::new(), URL).unwrap_err();
        assert_eq!(error, ShareError::Start(StartError::NoRuntime));
    }

    #[test]
    fn types_are_send_and_sync() {
        fn is_send<T: Send + Sync + Unpin>() {}
        is_send::<crate::RedisStore>();
        is_send::<crate::RedisStoreBuilder>();
        is_send::<ShareError>();
    }
}
