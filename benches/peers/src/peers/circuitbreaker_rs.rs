//! circuitbreaker-rs: atomic counters, and locks for the times of the last calls. Its failure rate is
//! set out of reach. Its breaker does not fill its windows.

use super::{Kind, Load, Loops, OPEN_FOR, Rule, loops};
use crate::work::{Failure, work};
use circuitbreaker_rs::{CircuitBreaker, DefaultPolicy};

pub fn loops(load: Load) -> Loops {
    let builder = CircuitBreaker::<DefaultPolicy, Failure>::builder().failure_threshold(2.0);
    let breaker = builder.consecutive_failures(5).cooldown(OPEN_FOR).build();
    if load.rule != Rule::Consecutive {
        return Vec::new();
    }
    loops! { load,
        Sync: breaker => [|breaker, input| breaker.call(|| work(input))],
        Async: breaker => [async |breaker, work| breaker.call_async(|| work)],
    }
}
