//! `pending_while_open`: when a service waits, what wakes it, and what it holds meanwhile.

use crate::support::{
    Fault, Readiness, Script, StrictService, TestRequest, complete, poll_ready, send,
};
use breakerbox::clock::ManualClock;
use breakerbox::tower::{Breaker, BreakerLayer, PendingWhileOpen};
use breakerbox::{
    BreakerBuilder, BreakerError, CircuitBreaker, Mode, Outcome, Permit, Refusal, State,
};
use std::future::{Ready, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, advance, timeout};
use tower::{Layer, Service, ServiceExt};

const RECOVERY: Duration = Duration::from_secs(30);
const ALMOST_RECOVERY: Duration = Duration::from_secs(29);
const LEASE: Duration = Duration::from_secs(40);
const SECOND: Duration = Duration::from_secs(1);

type Pending<S = StrictService> = Breaker<S, PendingWhileOpen>;

fn builder() -> BreakerBuilder {
    CircuitBreaker::builder()
        .failure_threshold(1)
        .recovery_timeout(RECOVERY)
        .trial_timeout(LEASE)
}

fn guard<S>(breaker: &CircuitBreaker, service: S) -> Pending<S> {
    let layer = BreakerLayer::new(breaker.clone()).pending_while_open();
    layer.layer(service)
}

fn fixture() -> (CircuitBreaker, Pending, Arc<Script>) {
    let breaker = builder().build().unwrap();
    let (strict, script) = StrictService::new();
    (breaker.clone(), guard(&breaker, strict), script)
}

fn is_ready(service: &mut Pending) -> bool {
    match poll_ready(service) {
        Poll::Ready(result) => result.map(|()| true).unwrap(),
        Poll::Pending => false,
    }
}

/// Waits for readiness in a task, and returns the service and the time of the wait.
fn wait(mut service: Pending) -> JoinHandle<(Pending, Duration)> {
    tokio::spawn(async move {
        let begin = Instant::now();
        service.ready().await.unwrap();
        (service, begin.elapsed())
    })
}

/// Lets all other tasks run until they wait.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn closed_circuit_is_ready_with_service() {
    let (_, mut service, script) = fixture();
    script.set_readiness(Readiness::Pending);
    assert!(!is_ready(&mut service));
    script.set_readiness(Readiness::Ready);
    assert_eq!(send(&mut service, TestRequest::Answer(7)).unwrap(), 7);
}

#[tokio::test(start_paused = true)]
async fn open_circuit_is_pending_and_polls_nothing() {
    let (breaker, mut service, script) = fixture();
    breaker.trip();
    for _ in 0..3 {
        assert!(!is_ready(&mut service));
    }
    breaker.force_open();
    assert!(!is_ready(&mut service));
    assert_eq!((script.polled(), script.called()), (0, 0));
    assert_eq!(breaker.snapshot().totals.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn recovery_timeout_wakes_service() {
    let (breaker, service, script) = fixture();
    breaker.trip();
    let (mut service, waited) = wait(service).await.unwrap();
    assert!(
        waited >= RECOVERY && waited < RECOVERY + SECOND,
        "{waited:?}"
    );
    assert_eq!((script.polled(), breaker.state()), (1, State::HalfOpen));
    // The call is the trial that closes the circuit.
    assert_eq!(complete(service.call(TestRequest::Answer(7))).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn commands_wake_service() {
    let commands = [
        CircuitBreaker::reset,
        CircuitBreaker::half_open,
        CircuitBreaker::disable,
        CircuitBreaker::metrics_only,
    ];
    for command in commands {
        let (breaker, service, _) = fixture();
        breaker.force_open();
        let waiting = wait(service);
        settle().await;
        assert!(!waiting.is_finished());
        command(&breaker);
        let (_, waited) = waiting.await.unwrap();
        assert_eq!(waited, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn earlier_deadline_wakes_service() {
    let (breaker, service, _) = fixture();
    breaker.trip_for(1_000 * SECOND);
    let waiting = wait(service);
    settle().await;
    breaker.trip_for(SECOND);
    let (_, waited) = waiting.await.unwrap();
    assert!(waited >= SECOND && waited < 2 * SECOND, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn later_deadline_extends_wait() {
    let (breaker, service, _) = fixture();
    let late = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap().failure();
    let waiting = wait(service);
    settle().await;
    late.record(Outcome::TripFor(2 * RECOVERY));
    let (_, waited) = waiting.await.unwrap();
    assert!(waited >= 2 * RECOVERY, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn new_settings_wake_service() {
    let (breaker, service, _) = fixture();
    breaker.trip();
    let waiting = wait(service);
    settle().await;
    breaker
        .configure(|settings| settings.mode(Mode::Disabled))
        .unwrap();
    assert_eq!(waiting.await.unwrap().1, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn end_of_trial_wakes_service() {
    let ends: [fn(Permit); 3] = [Permit::success, drop, |trial| {
        trial.record(Outcome::Ignored);
    }];
    for end in ends {
        let (breaker, service, script) = fixture();
        breaker.half_open();
        let trial = breaker.try_acquire().unwrap();
        let waiting = wait(service);
        settle().await;
        assert!(!waiting.is_finished());
        end(trial);
        assert_eq!(waiting.await.unwrap().1, Duration::ZERO);
        assert_eq!(script.polled(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn failed_trial_extends_wait() {
    let (breaker, service, script) = fixture();
    breaker.half_open();
    let trial = breaker.try_acquire().unwrap();
    let waiting = wait(service);
    settle().await;
    advance(10 * SECOND).await;
    trial.failure();
    let (_, waited) = waiting.await.unwrap();
    assert!(waited >= 10 * SECOND + RECOVERY, "{waited:?}");
    assert_eq!(script.polled(), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_lease_wakes_service() {
    let (breaker, service, _) = fixture();
    breaker.half_open();
    let hung = breaker.try_acquire().unwrap();
    let (mut service, waited) = wait(service).await.unwrap();
    assert!(waited >= LEASE && waited < LEASE + SECOND, "{waited:?}");
    assert_eq!(complete(service.call(TestRequest::Answer(7))).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
    drop(hung);
}

#[tokio::test(start_paused = true)]
async fn custom_clock_wakes_service() {
    let clock = ManualClock::new();
    let breaker = builder().clock(clock.clone()).build().unwrap();
    let waiting = wait(guard(&breaker, StrictService::new().0));
    breaker.trip();
    settle().await;
    assert!(!waiting.is_finished());
    clock.advance(RECOVERY);
    assert!(waiting.await.unwrap().1 <= SECOND);
}

#[tokio::test(start_paused = true)]
async fn waiters_are_ready_one_after_another() {
    let (breaker, service, script) = fixture();
    breaker.trip();
    let mut waiting: Vec<_> = (0..20).map(|_| wait(service.clone())).collect();
    drop(service);
    advance(ALMOST_RECOVERY).await;
    assert!(waiting.iter().all(|task| !task.is_finished()));
    for task in &mut waiting {
        let (mut service, _) = task.await.unwrap();
        assert_eq!(complete(service.call(TestRequest::Answer(7))).unwrap(), 7);
    }
    assert_eq!(
        (script.called(), breaker.snapshot().totals.refused),
        (20, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn dropped_waiter_wakes_next() {
    let (breaker, service, _) = fixture();
    breaker.force_open();
    let (first, second) = (wait(service.clone()), wait(service));
    settle().await;
    first.abort();
    settle().await;
    breaker.reset();
    assert_eq!(second.await.unwrap().1, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn service_that_is_no_longer_polled_delays_others_briefly() {
    let (breaker, mut idle, _) = fixture();
    breaker.force_open();
    assert!(!is_ready(&mut idle));
    let waiting = wait(idle.clone());
    settle().await;
    breaker.reset();
    assert!(waiting.await.unwrap().1 <= 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn service_that_stops_waiting_lets_next_wait() {
    let (breaker, mut first, _) = fixture();
    breaker.force_open();
    assert!(!is_ready(&mut first));
    let second = wait(first.clone());
    settle().await;
    breaker.reset();
    // The poll that finds the circuit closed ends the wait.
    assert!(is_ready(&mut first));
    assert_eq!(second.await.unwrap().1, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn ready_service_holds_no_slot() {
    let (breaker, mut one, script) = fixture();
    breaker.half_open();
    let mut other = one.clone();
    assert!(is_ready(&mut one) && is_ready(&mut other));
    assert_eq!(breaker.snapshot().in_flight, Some(0));
    let trial = one.call(TestRequest::Hang);
    let Err(BreakerError::Open(open)) = complete(other.call(TestRequest::Answer(7))) else {
        panic!("two trials for one slot");
    };
    assert_eq!(open.reason(), Refusal::TrialsTaken);
    assert_eq!(script.called(), 1);
    // The refused service waits for the slot, and is then called.
    let waiting = wait(other);
    settle().await;
    assert!(!waiting.is_finished());
    drop(trial);
    let (mut other, _) = waiting.await.unwrap();
    assert_eq!(complete(other.call(TestRequest::Answer(7))).unwrap(), 7);
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn taken_slots_make_service_pending() {
    let (breaker, mut service, script) = fixture();
    breaker
        .configure(|settings| settings.half_open_calls(2))
        .unwrap();
    breaker.half_open();
    let first = breaker.try_acquire().unwrap();
    assert!(is_ready(&mut service));
    let second = breaker.try_acquire().unwrap();
    assert!(!is_ready(&mut service));
    drop(second);
    assert!(is_ready(&mut service));
    drop(first);
    assert_eq!(script.polled(), 2);
}

#[tokio::test(start_paused = true)]
async fn ready_service_becomes_pending_when_circuit_opens() {
    let (breaker, mut service, script) = fixture();
    assert!(is_ready(&mut service));
    breaker.trip();
    assert!(!is_ready(&mut service));
    let call = AssertUnwindSafe(|| drop(service.call(TestRequest::Answer(7))));
    let payload = catch_unwind(call).unwrap_err();
    assert!(
        payload
            .downcast_ref::<&str>()
            .unwrap()
            .contains("poll_ready")
    );
    assert_eq!((script.called(), breaker.snapshot().totals.refused), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn ramping_circuit_is_ready() {
    let (breaker, mut service, _) = fixture();
    breaker
        .configure(|settings| settings.ramp_up(20 * SECOND))
        .unwrap();
    breaker.half_open();
    breaker.try_acquire().unwrap().success();
    let mut refused = 0;
    for _ in 0..10 {
        assert!(is_ready(&mut service));
        match complete(service.call(TestRequest::Answer(7))) {
            Ok(answer) => assert_eq!(answer, 7),
            Err(error) => {
                assert_eq!(error.retry_after(), Some(SECOND));
                refused += 1;
            }
        }
    }
    assert!((1..10).contains(&refused), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn service_is_ready_inside_trial() {
    let (breaker, mut service, script) = fixture();
    breaker.half_open();
    let trial = breaker.try_acquire().unwrap();
    assert!(!is_ready(&mut service));
    let nested = trial.call(|| send(&mut service, TestRequest::Answer(7)));
    assert_eq!(nested.unwrap(), 7);
    assert_eq!((script.called(), breaker.state()), (1, State::Closed));
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.success, totals.refused), (Some(1), 0));
}

#[tokio::test(start_paused = true)]
async fn clone_of_waiting_service_waits_separately() {
    let (breaker, mut service, _) = fixture();
    breaker.trip();
    assert!(!is_ready(&mut service));
    let mut clone = service.clone();
    assert!(!is_ready(&mut clone));
    drop(service);
    breaker.reset();
    assert!(is_ready(&mut clone));
}

#[test]
fn closed_circuit_needs_no_runtime() {
    let (breaker, mut service, _) = fixture();
    assert_eq!(send(&mut service, TestRequest::Answer(7)).unwrap(), 7);
    breaker.trip();
    let polled = catch_unwind(AssertUnwindSafe(|| poll_ready(&mut service).is_pending()));
    assert!(polled.is_err(), "no timer, and no panic");
    // The failed wait leaves nothing behind.
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(async {
        assert!(!is_ready(&mut service));
        breaker.reset();
        assert!(is_ready(&mut service));
    });
}

#[tokio::test(start_paused = true)]
async fn poll_ready_error_is_returned_and_counted() {
    let (breaker, mut service, script) = fixture();
    script.set_readiness(Readiness::Fails);
    let Poll::Ready(Err(BreakerError::Inner(Fault))) = poll_ready(&mut service) else {
        panic!("the error was not returned");
    };
    assert_eq!(breaker.state(), State::Open);
    assert!(!is_ready(&mut service));
}

/// A service whose clones reserve one of any number of places in `poll_ready`, and record how many are taken.
struct Reserving {
    taken: Arc<AtomicUsize>,
    has_place: bool,
    is_pending: bool,
}

impl Reserving {
    fn new(is_pending: bool) -> (Self, Arc<AtomicUsize>) {
        let taken = Arc::default();
        let service = Self {
            taken: Arc::clone(&taken),
            has_place: false,
            is_pending,
        };
        (service, taken)
    }

    fn release(&mut self) {
        if std::mem::take(&mut self.has_place) {
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Clone for Reserving {
    fn clone(&self) -> Self {
        Self {
            taken: self.taken.clone(),
            has_place: false,
            is_pending: self.is_pending,
        }
    }
}

impl Drop for Reserving {
    fn drop(&mut self) {
        self.release();
    }
}

impl Service<TestRequest> for Reserving {
    type Response = u32;
    type Error = Fault;
    type Future = Ready<Result<u32, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if !std::mem::replace(&mut self.has_place, true) {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        // A pending service keeps a place in a queue.
        if self.is_pending {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn call(&mut self, _: TestRequest) -> Self::Future {
        assert!(self.has_place, "called without having been polled ready");
        self.release();
        ready(Ok(7))
    }
}

#[tokio::test(start_paused = true)]
async fn pending_service_holds_no_reservation() {
    for is_pending in [false, true] {
        let breaker = builder().build().unwrap();
        let (reserving, taken) = Reserving::new(is_pending);
        let mut service = guard(&breaker, reserving);
        assert_eq!(poll_ready(&mut service).is_pending(), is_pending);
        assert_eq!(taken.load(Ordering::Relaxed), 1);
        breaker.trip();
        assert!(poll_ready(&mut service).is_pending());
        assert_eq!(taken.load(Ordering::Relaxed), 0);
        breaker.reset();
        assert_eq!(poll_ready(&mut service).is_pending(), is_pending);
        assert_eq!(taken.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_call_gives_reservation_back() {
    let breaker = builder().build().unwrap();
    let (reserving, taken) = Reserving::new(false);
    let mut service = guard(&breaker, reserving);
    assert!(poll_ready(&mut service).is_ready());
    breaker.trip();
    let error = complete(service.call(TestRequest::Answer(7))).unwrap_err();
    assert!(error.is_open());
    assert_eq!(taken.load(Ordering::Relaxed), 0);
    // Not ready, although the circuit admits calls again.
    breaker.reset();
    let call = AssertUnwindSafe(|| drop(service.call(TestRequest::Answer(7))));
    assert!(catch_unwind(call).is_err());
    assert_eq!(send(&mut service, TestRequest::Answer(7)).unwrap(), 7);
}

/// Clones of one service on several threads race for each slot. Some are refused, but none waits forever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_services_start_one_trial_at_a_time() {
    const CALLS: usize = 500;
    let breaker = CircuitBreaker::builder()
        .success_threshold(1)
        .build()
        .unwrap();
    breaker.half_open();
    let (running, max_running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let inner = tower::service_fn({
        let (breaker, running, max_running) = (breaker.clone(), running, max_running.clone());
        move |number: usize| {
            let is_trial = breaker.state() == State::HalfOpen;
            let (running, max_running) = (running.clone(), max_running.clone());
            if is_trial {
                max_running.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            }
            async move {
                yield_now().await;
                if is_trial {
                    running.fetch_sub(1, Ordering::SeqCst);
                }
                Ok::<_, Fault>(number)
            }
        }
    });
    let service = guard(&breaker, inner);
    let calls: Vec<_> = (0..CALLS)
        .map(|number| {
            let mut service = service.clone();
            let breaker = breaker.clone();
            tokio::spawn(async move {
                if number % 50 == 49 {
                    breaker.half_open();
                }
                loop {
                    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
                    match service.call(number).await {
                        Ok(answer) => break assert_eq!(answer, number),
                        Err(error) => assert!(error.is_open()),
                    }
                }
            })
        })
        .collect();
    for call in calls {
        timeout(Duration::from_secs(60), call)
            .await
            .unwrap()
            .unwrap();
    }
    assert_eq!(max_running.load(Ordering::SeqCst), 1);
}
