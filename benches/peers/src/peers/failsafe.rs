//! failsafe: a policy behind a mutex. Its time window is a moving average of successes.

use super::{Kind, Load, Loops, MINUTE, OPEN_FOR, Rule, loops};
use crate::work::work;
use failsafe::backoff::constant;
use failsafe::failure_policy::{consecutive_failures, success_rate_over_time_window};
use failsafe::{CircuitBreaker, Config, FailurePolicy, futures};

pub fn loops(load: Load) -> Loops {
    let consecutive = consecutive_failures(5, constant(OPEN_FOR));
    let over_time = success_rate_over_time_window(0.5, 10, MINUTE, constant(OPEN_FOR));
    match load.rule {
        Rule::Consecutive => with_policy(load, consecutive),
        Rule::Calls => Vec::new(),
        Rule::Time => with_policy(load, over_time),
    }
}

fn with_policy<P: FailurePolicy + Send + Sync + 'static>(load: Load, policy: P) -> Loops {
    let breaker = Config::new().failure_policy(policy).build();
    loops! { load,
        Sync: breaker => [|breaker, input| CircuitBreaker::call(&breaker, || work(input))],
        Async: breaker => [async |breaker, work| futures::CircuitBreaker::call(breaker, work)],
        Permit: breaker => [|breaker, _input| {
            let permitted = breaker.is_call_permitted();
            if permitted {
                breaker.on_success();
            }
            permitted.then_some(()).ok_or(())
        }],
    }
}
