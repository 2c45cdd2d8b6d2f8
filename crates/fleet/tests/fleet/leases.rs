//! Leases with slow calls and several trials, and names at their limits.

use crate::support::*;

fn pair(set: impl Fn(BreakerBuilder) -> BreakerBuilder) -> ([Node; 2], [CircuitBreaker; 2]) {
    let store = Memory::new();
    let nodes = [0, 1].map(|index| {
        Node::start(index, store.clone(), |builder| {
            builder.share(Share::always())
        })
    });
    let breakers = [0, 1].map(|index: usize| {
        let settings = set(CircuitBreaker::builder());
        nodes[index].registry.configure(NAME, settings).unwrap()
    });
    (nodes, breakers)
}

fn open(breaker: &CircuitBreaker) {
    for _ in 0..5 {
        breaker.try_acquire().unwrap().failure();
    }
}

#[tokio::test(start_paused = true)]
async fn call_that_outlives_its_lease_decides() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    let mut trial = None;
    for _ in 0..1_000 {
        pass(ms(100)).await;
        trial = nodes[0].breaker.try_acquire().ok();
        if trial.is_some() {
            break;
        }
    }
    // Longer than ten leases. The other node has calls, and tries nothing meanwhile.
    for _ in 0..300 {
        pass(ms(100)).await;
        assert!(!nodes[1].call());
    }
    trial.unwrap().success();
    pass(secs(1)).await;
    assert_eq!(states(&nodes), [State::Closed; 2]);
}

#[tokio::test(start_paused = true)]
async fn several_trials_decide_under_one_lease() {
    let (nodes, [here, there]) = pair(|builder| builder.half_open_calls(3).success_threshold(3));
    assert!(nodes[0].fleet.ready(secs(1)).await && nodes[1].fleet.ready(secs(1)).await);
    open(&here);
    until(secs(1), || there.state() == State::Open).await;
    let mut trials = Vec::new();
    for _ in 0..400 {
        pass(ms(100)).await;
        trials.extend(here.try_acquire().ok());
        if trials.len() == 3 {
            break;
        }
    }
    assert_eq!(trials.len(), 3);
    assert!(here.try_acquire().is_err() && there.try_acquire().is_err());
    for trial in trials {
        assert_ne!(there.state(), State::Closed);
        trial.success();
        pass(ms(500)).await;
    }
    assert_eq!(
        (here.state(), there.state()),
        (State::Closed, State::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn longest_and_hostile_names_are_shared() {
    let nodes = fleet(2, Share::always()).await;
    let long = ["a".repeat(256), "é".repeat(128)];
    let names = ["\0", " ", "-", "%s{}", "\n", "{a}", &long[0], &long[1]];
    for name in names {
        open(&nodes[0].registry.breaker(name));
    }
    pass(secs(1)).await;
    for name in names {
        let breaker = nodes[1].registry.breaker(name);
        pass(ms(10)).await;
        assert_eq!(breaker.state(), State::Open, "{name:?}");
    }
}
