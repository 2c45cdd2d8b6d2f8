//! Endpoints behind tower's `Balance`: an open endpoint gets one trial at a time, and no other call.

use breakerbox::parts::DefaultClassifier;
use breakerbox::tower::{Breaker, BreakerLayer, Flattened, NoFallback, PendingWhileOpen};
use breakerbox::{CircuitBreaker, State};
use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tower::balance::p2c::Balance;
use tower::buffer::Buffer;
use tower::discover::ServiceList;
use tower::load::{CompleteOnResponse, Load, PeakEwma, PendingRequests};
use tower::util::rng::Rng;
use tower::{Layer, Service, ServiceExt};

type BoxError = Box<dyn Error + Send + Sync>;

const RECOVERY: Duration = Duration::from_secs(10);
const CLIENTS: u32 = 8;

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// What an endpoint has seen.
#[derive(Debug)]
struct Endpoint {
    breaker: CircuitBreaker,
    is_down: AtomicBool,
    calls: AtomicU64,
    trials: AtomicU64,
    /// The trials that run, and calls that an open circuit let through.
    running_trials: AtomicU32,
    max_running_trials: AtomicU32,
    calls_while_open: AtomicU64,
    trial_times: Mutex<Vec<Instant>>,
}

impl Endpoint {
    fn new(index: usize) -> Arc<Self> {
        let breaker = CircuitBreaker::builder()
            .name(format!("endpoint-{index}"))
            .failure_threshold(3)
            .recovery_timeout(RECOVERY)
            .build();
        Arc::new(Self {
            breaker: breaker.expect("valid settings"),
            is_down: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            trials: AtomicU64::new(0),
            running_trials: AtomicU32::new(0),
            max_running_trials: AtomicU32::new(0),
            calls_while_open: AtomicU64::new(0),
            trial_times: Mutex::default(),
        })
    }

    fn refused(&self) -> u64 {
        self.breaker.snapshot().totals.refused
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    #[track_caller]
    fn assert_only_trials_while_open(&self) {
        assert_eq!(self.refused(), 0, "refused calls of {self:?}");
        assert_eq!(self.calls_while_open.load(Ordering::Relaxed), 0);
        assert!(self.max_running_trials.load(Ordering::Relaxed) <= 1);
    }
}

/// The service of an endpoint: it takes 50 ms, or 1 ms to fail while it is down. Trials take longer.
#[derive(Clone, Debug)]
struct Server(Arc<Endpoint>);

impl Service<u32> for Server {
    type Response = u32;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let endpoint = self.0.clone();
        endpoint.calls.fetch_add(1, Ordering::Relaxed);
        let state = endpoint.breaker.state();
        if state == State::Open {
            endpoint.calls_while_open.fetch_add(1, Ordering::Relaxed);
        }
        let is_trial = state == State::HalfOpen;
        if is_trial {
            endpoint.trials.fetch_add(1, Ordering::Relaxed);
            endpoint.trial_times.lock().unwrap().push(Instant::now());
            let running = endpoint.running_trials.fetch_add(1, Ordering::Relaxed) + 1;
            endpoint
                .max_running_trials
                .fetch_max(running, Ordering::Relaxed);
        }
        Box::pin(async move {
            let is_down = endpoint.is_down.load(Ordering::Relaxed);
            let time = match (is_trial, is_down) {
                (true, _) => 200,
                (false, true) => 1,
                (false, false) => 50,
            };
            sleep(millis(time)).await;
            if is_trial {
                endpoint.running_trials.fetch_sub(1, Ordering::Relaxed);
            }
            if is_down {
                Err("down".into())
            } else {
                Ok(request)
            }
        })
    }
}

type Guarded<K = PendingWhileOpen> = Breaker<Server, K, DefaultClassifier, Flattened<NoFallback>>;

fn guard(endpoint: &Arc<Endpoint>) -> Guarded {
    BreakerLayer::new(endpoint.breaker.clone())
        .pending_while_open()
        .flatten_err()
        .layer(Server(endpoint.clone()))
}

fn endpoints(count: usize) -> Vec<Arc<Endpoint>> {
    (0..count).map(Endpoint::new).collect()
}

fn pending_requests<S>(service: S) -> PendingRequests<S> {
    PendingRequests::new(service, CompleteOnResponse::default())
}

fn peak_ewma<S>(service: S) -> PeakEwma<S> {
    let decay = RECOVERY.as_secs_f64() * 1e9;
    PeakEwma::new(service, millis(50), decay, CompleteOnResponse::default())
}

/// A generator whose sequence a test can repeat.
struct Seeded(u64);

impl Rng for Seeded {
    fn next_u64(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A client for many tasks: a balancer behind a buffer.
type Client = tower::util::BoxCloneService<u32, u32, BoxError>;

fn balance<S>(services: Vec<S>, seed: u64) -> Client
where
    S: Service<u32, Response = u32, Error = BoxError> + Load + Send + 'static,
    S::Future: Send,
    S::Metric: std::fmt::Debug,
{
    let balance = Balance::from_rng(ServiceList::new::<u32>(services), Seeded(seed));
    Buffer::new(balance, 64).boxed_clone()
}

/// Clients that each make one call after another, and count their results.
struct Traffic {
    tasks: JoinSet<()>,
    ok: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl Traffic {
    fn new(client: &Client) -> Self {
        let mut traffic = Self {
            tasks: JoinSet::new(),
            ok: Arc::default(),
            failed: Arc::default(),
        };
        traffic.add(client);
        traffic
    }

    fn add(&mut self, client: &Client) {
        for number in 0..CLIENTS {
            let (ok, failed) = (self.ok.clone(), self.failed.clone());
            let client = client.clone();
            self.tasks.spawn(async move {
                loop {
                    match client.clone().oneshot(number).await {
                        Ok(answer) => {
                            assert_eq!(answer, number);
                            ok.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    sleep(millis(5)).await;
                }
            });
        }
    }

    fn results(&self) -> (u64, u64) {
        (
            self.ok.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

/// One endpoint is down for a while. Only trials reach it until it has recovered.
async fn one_endpoint_fails(endpoints: &[Arc<Endpoint>], client: &Client) {
    let mut traffic = Traffic::new(client);
    let tripped = &endpoints[0];
    let fair = 1.0 / f64::from(u32::try_from(endpoints.len()).unwrap());
    sleep(Duration::from_secs(5)).await;
    let (_, failed) = traffic.results();
    assert_eq!(failed, 0);

    tripped.is_down.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(tripped.breaker.state(), State::Open);
    let (calls_when_open, (ok_when_open, failed_when_open)) = (tripped.calls(), traffic.results());
    sleep(Duration::from_secs(35)).await;
    // One failed trial after each recovery timeout, and no other call.
    let trials = tripped.trials.load(Ordering::Relaxed);
    assert_eq!((tripped.calls() - calls_when_open, trials), (3, 3));
    let times = tripped.trial_times.lock().unwrap().clone();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= RECOVERY));
    let (ok, failed) = traffic.results();
    assert_eq!(failed - failed_when_open, 3);
    // The other endpoints serve all clients meanwhile.
    assert!(ok - ok_when_open > 35 * 1000 / 55 * u64::from(CLIENTS) * 9 / 10);

    tripped.is_down.store(false, Ordering::Relaxed);
    sleep(RECOVERY).await;
    assert_eq!(tripped.breaker.state(), State::Closed);
    assert_eq!(tripped.trials.load(Ordering::Relaxed), 4);
    let all = || {
        endpoints
            .iter()
            .map(|endpoint| endpoint.calls())
            .sum::<u64>()
    };
    sleep(RECOVERY).await;
    let (before, all_before) = (tripped.calls(), all());
    sleep(RECOVERY).await;
    #[allow(clippy::cast_precision_loss)] // small numbers
    let share = (tripped.calls() - before) as f64 / (all() - all_before) as f64;
    assert!(share > fair / 2.0, "{share} of the calls after recovery");
    for endpoint in endpoints {
        endpoint.assert_only_trials_while_open();
    }
    traffic.tasks.abort_all();
}

#[tokio::test(start_paused = true)]
async fn open_endpoint_gets_only_trials_by_pending_requests() {
    for count in [2, 3] {
        for seed in 0..2 {
            let endpoints = endpoints(count);
            let services = endpoints.iter().map(guard).map(pending_requests).collect();
            one_endpoint_fails(&endpoints, &balance(services, seed)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn open_endpoint_gets_only_trials_by_peak_ewma() {
    for count in [2, 3] {
        for seed in 0..2 {
            let endpoints = endpoints(count);
            let services = endpoints.iter().map(guard).map(peak_ewma).collect();
            one_endpoint_fails(&endpoints, &balance(services, seed)).await;
        }
    }
}

/// The reason for `pending_while_open`: a balancer prefers an endpoint that refuses quickly.
#[tokio::test(start_paused = true)]
async fn open_endpoint_attracts_calls_if_it_is_ready() {
    let endpoints = endpoints(2);
    endpoints[0].breaker.force_open();
    let guard = |endpoint: &Arc<Endpoint>| {
        let layer = BreakerLayer::new(endpoint.breaker.clone()).flatten_err();
        pending_requests(layer.layer(Server(endpoint.clone())))
    };
    let client = balance(endpoints.iter().map(guard).collect(), 0);
    let traffic = Traffic::new(&client);
    sleep(RECOVERY).await;
    let (ok, failed) = traffic.results();
    assert!(endpoints[0].refused() > ok && failed > ok, "{ok} {failed}");
}

/// Both balancers have a service of the tripped endpoint, and both services are ready for one slot.
#[tokio::test(start_paused = true)]
async fn balancers_that_share_breakers_start_one_trial() {
    let endpoints = endpoints(2);
    let client = |seed| {
        let services = endpoints.iter().map(guard).map(pending_requests).collect();
        balance(services, seed)
    };
    let mut traffic = Traffic::new(&client(1));
    traffic.add(&client(2));
    endpoints[0].is_down.store(true, Ordering::Relaxed);
    sleep(5 * RECOVERY).await;
    endpoints[0].is_down.store(false, Ordering::Relaxed);
    sleep(2 * RECOVERY).await;
    assert_eq!(endpoints[0].breaker.state(), State::Closed);
    assert!(endpoints[0].trials.load(Ordering::Relaxed) >= 4);
    endpoints[0].assert_only_trials_while_open();
    endpoints[1].assert_only_trials_while_open();
}

#[tokio::test(start_paused = true)]
async fn calls_wait_while_all_endpoints_are_open() {
    let endpoints = endpoints(2);
    let services = endpoints.iter().map(guard).map(pending_requests).collect();
    let client = balance(services, 0);
    for endpoint in &endpoints {
        endpoint.breaker.trip();
    }
    let begin = Instant::now();
    assert!(
        timeout(RECOVERY / 2, client.clone().oneshot(7))
            .await
            .is_err()
    );
    assert_eq!(client.oneshot(7).await.unwrap(), 7);
    let waited = begin.elapsed();
    assert!(waited >= RECOVERY && waited < RECOVERY + Duration::from_secs(1));
    assert!(endpoints.iter().all(|endpoint| endpoint.refused() == 0));
}

/// The slot of a trial whose caller stops waiting is free again, and the next call is a trial.
#[tokio::test(start_paused = true)]
async fn abandoned_trial_lets_endpoint_recover() {
    let endpoints = endpoints(1);
    let services = endpoints.iter().map(guard).map(peak_ewma).collect();
    let client = balance(services, 0);
    endpoints[0].breaker.half_open();
    assert!(
        timeout(millis(100), client.clone().oneshot(7))
            .await
            .is_err()
    );
    assert_eq!(endpoints[0].breaker.state(), State::HalfOpen);
    assert_eq!(client.oneshot(8).await.unwrap(), 8);
    assert_eq!(endpoints[0].breaker.state(), State::Closed);
    assert_eq!((endpoints[0].calls(), endpoints[0].refused()), (2, 0));
}

/// Endpoints fail and recover at random. The invariants hold for each of them throughout.
#[tokio::test(start_paused = true)]
async fn random_outages_cause_only_trials() {
    for seed in 0..8 {
        let mut random = Seeded(seed);
        let endpoints = endpoints(usize::try_from(random.next_range(1..5)).unwrap());
        let client = if seed % 2 == 0 {
            balance(
                endpoints.iter().map(guard).map(pending_requests).collect(),
                seed,
            )
        } else {
            balance(endpoints.iter().map(guard).map(peak_ewma).collect(), seed)
        };
        let mut traffic = Traffic::new(&client);
        for _ in 0..30 {
            let chosen = random.next_range(0..u64::try_from(endpoints.len()).unwrap());
            let endpoint = &endpoints[usize::try_from(chosen).unwrap()];
            match random.next_range(0..8) {
                0..4 => drop(endpoint.is_down.fetch_not(Ordering::Relaxed)),
                4 => endpoint.breaker.trip(),
                5 => endpoint
                    .breaker
                    .trip_for(millis(random.next_range(1..30_000))),
                6 => endpoint.breaker.half_open(),
                _ => endpoint.breaker.reset(),
            }
            sleep(millis(random.next_range(0..3_000))).await;
        }
        for endpoint in &endpoints {
            endpoint.is_down.store(false, Ordering::Relaxed);
        }
        sleep(5 * RECOVERY).await;
        let (before, _) = traffic.results();
        sleep(RECOVERY).await;
        assert!(traffic.results().0 > before, "no traffic with seed {seed}");
        for endpoint in &endpoints {
            assert_eq!(endpoint.breaker.state(), State::Closed, "seed {seed}");
            endpoint.assert_only_trials_while_open();
        }
        traffic.tasks.abort_all();
    }
}

/// A balancer that is idle while an endpoint recovers sees the recovery at its next call.
#[tokio::test(start_paused = true)]
async fn idle_balancer_sees_recovery() {
    let endpoints = endpoints(1);
    let services: Vec<_> = endpoints.iter().map(guard).map(pending_requests).collect();
    let mut balance = Balance::new(ServiceList::new::<u32>(services));
    endpoints[0].breaker.trip();
    assert!(timeout(RECOVERY / 2, balance.ready()).await.is_err());
    sleep(100 * RECOVERY).await;
    let begin = Instant::now();
    assert_eq!(balance.ready().await.unwrap().call(7).await.unwrap(), 7);
    assert!(begin.elapsed() < Duration::from_secs(1));
}
