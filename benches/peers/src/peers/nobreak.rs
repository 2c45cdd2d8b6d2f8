//! nobreak: a counter behind a mutex.

use super::{Kind, Load, Loops, OPEN_FOR, Rule, loops};
use crate::work::work;
use std::sync::Arc;

pub fn loops(load: Load) -> Loops {
    let builder = nobreak::builder().with_failure_threshold(5);
    let builder = builder
        .with_success_threshold(1)
        .with_open_duration(OPEN_FOR);
    let breaker = Arc::new(builder.build());
    if load.rule != Rule::Consecutive {
        return Vec::new();
    }
    loops! { load,
        Sync: breaker => [|breaker, input| breaker.call(|| work(input))],
        Async: breaker => [async |breaker, work| breaker.call_async(|| work)],
    }
}
