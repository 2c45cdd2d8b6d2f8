//! [`BreakerLayer`]: guards services with circuit breakers.

#[cfg(feature = "http")]
use super::UntilBodyEnd;
use super::{Breaker, ClassifyResponse, Keyed, Single, UntilResponse};
use crate::breaker::CircuitBreaker;
use crate::classifier::{Classify, DefaultClassifier, FailIf};
use crate::classify::Outcome;
use crate::config::{self, BreakerBuilder, BreakerConfig, Origin};
use crate::error::ConfigError;
use crate::function::NoFallback;
use crate::registry::BreakerRegistry;
use std::panic::Location;
use tower_layer::Layer;

/// A layer that guards a service with a circuit breaker.
///
/// All services created by one layer and its clones share their breakers.
///
/// # Default
///
/// * The rules of the breaker classify errors, and every `Ok` is a success. To change this, use
///   [`classify`](Self::classify), [`classify_response`](Self::classify_response) or
///   [`fail_if`](Self::fail_if).
/// * A refusal is [`BreakerError::Open`](crate::BreakerError::Open), so the error type of the
///   guarded service is `BreakerError<S::Error>`. To change this, use
///   [`flatten_err`](Self::flatten_err) or [`on_refused`](Self::on_refused).
/// * While the circuit refuses calls, the service is ready. To change this, use
///   [`pending_while_open`](Self::pending_while_open).
///
/// Closures that classify results are cloned for every call. This is cheap if a closure captures
/// nothing or only an `Arc`.
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
#[must_use = "a layer does nothing until it is applied to a service"]
pub struct BreakerLayer<K = Single, J = DefaultClassifier, A = NoFallback, U = UntilResponse> {
    choice: K,
    judge: J,
    refusals: A,
    until: U,
}

impl<K> BreakerLayer<K> {
    fn choosing(choice: K) -> Self {
        Self {
            choice,
            judge: DefaultClassifier,
            refusals: NoFallback,
            until: UntilResponse,
        }
    }
}

impl BreakerLayer {
    /// Creates a layer that guards all requests with `breaker`.
    pub fn new(breaker: CircuitBreaker) -> Self {
        Self::choosing(Single::new(breaker))
    }

    /// Creates a layer that guards all requests with the breaker called `name` in `registry`.
    ///
    /// The lookup happens now. A missing breaker is created from the matching preset.
    pub fn named(registry: &BreakerRegistry, name: impl AsRef<str>) -> Self {
        Self::new(registry.breaker(name))
    }
}

impl<F> BreakerLayer<Keyed<F>> {
    /// Creates a layer that guards each request with the breaker whose name `key` returns.
    ///
    /// Use it for one breaker per host, tenant or shard. The lookup happens on each call, and a
    /// missing breaker is created from the matching preset. The registry is
    /// [bounded](BreakerRegistry#many-names), so keys from user input cannot exhaust memory.
    ///
    /// The layer shares the names with the rest of the registry. With a common prefix such as
    /// `http:`, [`preset_for`](crate::RegistryBuilder::preset_for) can configure all breakers of
    /// the layer.
    ///
    /// The key is an owned value, such as a `String`, an `Arc<str>`, or the `Authority` of a URI,
    /// which is cheap to clone. If a key is not a valid [name](BreakerRegistry#names), each call
    /// gets a new breaker and is therefore not protected. `poll_ready`
    /// [does not know the breaker](super#readiness) yet.
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

    /// Creates a layer like [`keyed`](Self::keyed) whose new breakers are configured by `preset`.
    ///
    /// `preset` takes precedence over the presets of the registry. Settings that were registered or
    /// configured for a name take precedence over `preset`.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] if `preset` contains an invalid setting.
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

/// Classification of results. Each method replaces the effect of earlier ones.
impl<K, J, A, U> BreakerLayer<K, J, A, U> {
    /// Classifies responses with `classify`, and errors with the rules of the breaker.
    ///
    /// Use it for HTTP services, which return a response such as 503 as `Ok`. With the `http`
    /// feature, the module `breakerbox::http` contains functions to pass here.
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
    ) -> BreakerLayer<K, ClassifyResponse<C>, A, U>
    where
        C: Fn(&Response) -> Outcome,
    {
        self.judged_by(ClassifyResponse(classify))
    }

    /// Classifies complete results with `classify`. The rules of the breaker are not applied.
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
    pub fn classify<Response, Error, C>(self, classify: C) -> BreakerLayer<K, Classify<C>, A, U>
    where
        C: Fn(&Result<Response, Error>) -> Outcome,
    {
        self.judged_by(Classify(classify))
    }

    /// Classifies errors as failures if `failure` returns `true`.
    ///
    /// Other errors count as unexpected errors. Errors that the breaker ignores remain ignored.
    pub fn fail_if<Error, P>(self, failure: P) -> BreakerLayer<K, FailIf<P>, A, U>
    where
        P: Fn(&Error) -> bool,
    {
        self.judged_by(FailIf(failure))
    }

    fn judged_by<I>(self, judge: I) -> BreakerLayer<K, I, A, U> {
        BreakerLayer {
            choice: self.choice,
            judge,
            refusals: self.refusals,
            until: self.until,
        }
    }
}

/// The parts that the methods in other files replace.
impl<K, J, A, U> BreakerLayer<K, J, A, U> {
    pub(super) fn with_choice<L>(self, change: impl FnOnce(K) -> L) -> BreakerLayer<L, J, A, U> {
        BreakerLayer {
            choice: change(self.choice),
            judge: self.judge,
            refusals: self.refusals,
            until: self.until,
        }
    }

    pub(super) fn with_refusals<B>(self, refusals: B) -> BreakerLayer<K, J, B, U> {
        BreakerLayer {
            choice: self.choice,
            judge: self.judge,
            refusals,
            until: self.until,
        }
    }
}

#[cfg(feature = "http")]
impl<K, J, A> BreakerLayer<K, J, A> {
    /// Records the outcome of a call when the body of its response ends. Default: when the response
    /// arrives.
    ///
    /// Requires a service of [`http::Request`](::http::Request) and
    /// [`http::Response`](::http::Response). The body of the guarded service is a
    /// [`GuardedBody`](super::GuardedBody), which lists the outcomes of a body. Its frames and errors
    /// are those of the inner body.
    ///
    /// The head of a response is classified first. Any outcome except a success is recorded at once,
    /// and the body passes uncounted. After a success, the body decides. A response has no body if
    /// its request is a `HEAD`, if its status is 1xx, 204 or 304, or if the body is empty; the
    /// outcome of its head is then that of the call. One outcome is recorded for each response.
    ///
    /// The duration of a call, for slow-call rules, includes its body. A trial holds its slot until
    /// its body ends, or until its [`trial_timeout`](crate::BreakerBuilder::trial_timeout) has
    /// elapsed.
    ///
    /// The guide's page
    /// [tower](https://docs.rs/breakerbox/latest/breakerbox/guide/tower/index.html#response-bodies)
    /// has an example with a server that breaks off.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::{http, prelude::*, tower::BreakerLayer};
    /// use hyper::body::Incoming;
    ///
    /// let registry = BreakerRegistry::new();
    /// let layer = BreakerLayer::named(&registry, "files")
    ///     .classify_response(http::judge_response::<Incoming>)
    ///     .until_body_end();
    /// ```
    pub fn until_body_end(self) -> BreakerLayer<K, J, A, UntilBodyEnd> {
        BreakerLayer {
            choice: self.choice,
            judge: self.judge,
            refusals: self.refusals,
            until: UntilBodyEnd::default(),
        }
    }
}

impl<S, K: Clone, J: Clone, A: Clone, U: Clone> Layer<S> for BreakerLayer<K, J, A, U> {
    type Service = Breaker<S, K, J, A, U>;

    fn layer(&self, inner: S) -> Self::Service {
        Breaker::new(
            inner,
            self.choice.clone(),
            self.judge.clone(),
            self.refusals.clone(),
            self.until.clone(),
        )
    }
}
