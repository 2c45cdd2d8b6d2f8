use super::{Breaker, ClassifyResponse, Keyed, OnRefused};
use crate::breaker::CircuitBreaker;
use crate::classifier::{Classify, DefaultClassifier, FailIf};
use crate::classify::Outcome;
use crate::config::{self, BreakerBuilder, BreakerConfig, Origin};
use crate::error::CircuitOpen;
use crate::error::ConfigError;
use crate::function::NoFallback;
use crate::registry::BreakerRegistry;
use std::panic::Location;
use tower_layer::Layer;

/// Puts a service behind a circuit breaker.
///
/// All services that one layer (or a clone of it) makes share their breakers, however often
/// `layer` runs.
///
/// # Default
///
/// * errors are judged by the breaker's rules, every `Ok` is a success:
///   [`classify`](Self::classify), [`classify_response`](Self::classify_response),
///   [`fail_if`](Self::fail_if)
/// * a refusal is [`BreakerError::Open`](crate::BreakerError::Open), so that the error of the guarded
///   service is `BreakerError<S::Error>`: [`on_refused`](Self::on_refused)
///
/// The closures are cloned with every call; one that captures nothing, or an `Arc`, costs nothing or
/// little.
///
/// # Examples
///
/// ```
/// use breakerbox::{prelude::*, tower::BreakerLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let parser = CircuitBreaker::builder().failure_threshold(2).build()?;
/// let parse = service_fn(|text: &'static str| async move { text.parse::<u8>() });
/// let parse = BreakerLayer::new(parser.clone()).layer(parse);
///
/// for _ in 0..2 {
///     let error = parse.clone().oneshot("x").await.unwrap_err();
///     assert!(error.inner().is_some());
/// }
/// assert!(parse.oneshot("7").await.unwrap_err().is_open());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct BreakerLayer<K = CircuitBreaker, J = DefaultClassifier, A = NoFallback> {
    choice: K,
    judge: J,
    refusals: A,
}

impl<K> BreakerLayer<K> {
    fn choosing(choice: K) -> Self {
        Self {
            choice,
            judge: DefaultClassifier,
            refusals: NoFallback,
        }
    }
}

impl BreakerLayer {
    /// Guards by this breaker.
    ///
    /// A thread that calls it keeps a handle of the breaker until it ends or its slot is wanted, as of
    /// those [found by name](BreakerRegistry#concurrency).
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::choosing(breaker)
    }

    /// Guards by the breaker of that name, which is looked up now, and made with the settings due to
    /// the name if there is none.
    pub fn named(registry: &BreakerRegistry, name: impl AsRef<str>) -> Self {
        Self::new(registry.breaker(name))
    }
}

impl<F> BreakerLayer<Keyed<F>> {
    /// Guards each request by the breaker that `key` names: one breaker a host, a tenant, a shard.
    ///
    /// The breaker is looked up with each call, and made with the settings due to its name if there
    /// is none. The registry is [bounded](BreakerRegistry#many-names), so that keys from outside
    /// cannot exhaust memory. Names are shared with the rest of the registry: begin them alike
    /// (`http:`), and [`preset_for`](crate::RegistryBuilder::preset_for) gives them settings.
    ///
    /// The key is owned: a `String`, an `Arc<str>`, or the `Authority` of a URI, which is cheap to
    /// clone. One that is no [name](BreakerRegistry#names), such as an empty one, meets a fresh breaker
    /// with each call, which guards nothing. `poll_ready` [cannot know the breaker](super#readiness) yet.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{prelude::*, tower::BreakerLayer};
    /// use http::Request;
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// fn host(request: &Request<()>) -> String {
    ///     format!("http:{}", request.uri().host().unwrap_or("none"))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let registry = BreakerRegistry::new();
    /// let client = ServiceBuilder::new()
    ///     .layer(BreakerLayer::keyed(&registry, |request| host(request)))
    ///     .service(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>("hello") }));
    ///
    /// registry.breaker("http:a.example.org").trip();
    /// let a = client.clone().oneshot(Request::get("http://a.example.org/").body(())?).await;
    /// let b = client.oneshot(Request::get("http://b.example.org/").body(())?).await;
    /// assert!(a.unwrap_err().is_open());
    /// assert_eq!(b?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn keyed<Request, Name>(registry: &BreakerRegistry, key: F) -> Self
    where
        F: Fn(&Request) -> Name,
        Name: AsRef<str>,
    {
        Self::choosing(Keyed::new(registry, key))
    }

    /// As [`keyed`](Self::keyed), with settings of its own for breakers that are new. They win over
    /// the registry's presets, and yield to what was registered or configured under the name.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], when the preset cannot work.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{prelude::*, tower::BreakerLayer};
    ///
    /// struct HttpHost;
    /// impl Preset for HttpHost {
    ///     const FAILURE_THRESHOLD: u32 = 3;
    /// }
    ///
    /// let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::keyed_with(
    ///     &registry,
    ///     |request: &http::Request<()>| request.uri().authority().map_or("none".to_owned(), ToString::to_string),
    ///     HttpHost::preset(),
    /// )?;
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[track_caller]
    pub fn keyed_with<Request, Name>(
        registry: &BreakerRegistry,
        key: F,
        preset: BreakerBuilder,
    ) -> Result<Self, ConfigError>
    where
        F: Fn(&Request) -> Name,
        Name: AsRef<str>,
    {
        let layer = config::Layer::new(preset, Origin::BreakerWith(Location::caller()));
        BreakerConfig::of(layer.clone())?;
        let keyed = Keyed::new(registry, key).with_layer(layer);
        Ok(Self::choosing(keyed))
    }
}

/// What counts as a failure. The last word wins.
impl<K, J, A> BreakerLayer<K, J, A> {
    /// Judges responses by `classify`, and leaves errors to the breaker's rules: an HTTP service
    /// answers 503 inside an `Ok`.
    ///
    /// With the feature `http` there are ready-made functions for this in `breakerbox::http`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{prelude::*, tower::BreakerLayer};
    /// # use http::Response;
    /// # let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::named(&registry, "users-api").classify_response(
    ///     |response: &Response<String>| match response.status().as_u16() {
    ///         500.. => Outcome::Failure,
    ///         _ => Outcome::Success,
    ///     },
    /// );
    /// ```
    pub fn classify_response<Response, C>(
        self,
        classify: C,
    ) -> BreakerLayer<K, ClassifyResponse<C>, A>
    where
        C: Fn(&Response) -> Outcome,
    {
        self.judged_by(ClassifyResponse(classify))
    }

    /// Judges the whole result, alone: none of the breaker's rules is asked.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{prelude::*, tower::BreakerLayer};
    /// # use http::Response;
    /// # use std::io::Error;
    /// # let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::named(&registry, "users-api").classify(
    ///     |result: &Result<Response<String>, Error>| match result {
    ///         Ok(response) if response.status().is_server_error() => Outcome::Failure,
    ///         Ok(_) => Outcome::Success,
    ///         Err(_) => Outcome::Failure,
    ///     },
    /// );
    /// ```
    pub fn classify<Response, Error, C>(self, classify: C) -> BreakerLayer<K, Classify<C>, A>
    where
        C: Fn(&Result<Response, Error>) -> Outcome,
    {
        self.judged_by(Classify(classify))
    }

    /// Errors for which `failure` holds are failures, the others unexpected ones. The breaker's
    /// ignored errors stay ignored.
    pub fn fail_if<Error, P>(self, failure: P) -> BreakerLayer<K, FailIf<P>, A>
    where
        P: Fn(&Error) -> bool,
    {
        self.judged_by(FailIf(failure))
    }

    fn judged_by<I>(self, judge: I) -> BreakerLayer<K, I, A> {
        BreakerLayer {
            choice: self.choice,
            judge,
            refusals: self.refusals,
        }
    }
}

impl<K, J, A> BreakerLayer<K, J, A> {
    /// Answers in the service's stead when the circuit refuses, and only then. The error of the
    /// guarded service is the inner one's own again: what an axum route needs, whose error is
    /// `Infallible`, and a tonic client, whose callers look for a `Status`.
    ///
    /// With the feature `http` there are ready-made answers in `breakerbox::http`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use breakerbox::{prelude::*, tower::BreakerLayer};
    /// # use std::convert::Infallible;
    /// # let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::named(&registry, "prices")
    ///     .on_refused(|open: CircuitOpen| Ok::<_, Infallible>(format!("no price: {open}")));
    /// ```
    pub fn on_refused<Response, Error, B>(self, answer: B) -> BreakerLayer<K, J, OnRefused<B>>
    where
        B: Fn(CircuitOpen) -> Result<Response, Error>,
    {
        BreakerLayer {
            choice: self.choice,
            judge: self.judge,
            refusals: OnRefused(answer),
        }
    }
}

impl<S, K: Clone, J: Clone, A: Clone> Layer<S> for BreakerLayer<K, J, A> {
    type Service = Breaker<S, K, J, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Breaker::new(
            inner,
            self.choice.clone(),
            self.judge.clone(),
            self.refusals.clone(),
        )
    }
}
