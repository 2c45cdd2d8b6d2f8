//! recloser: a ring of outcomes behind a spin lock. Its five consecutive failures are all of the last
//! five calls.

use super::{Kind, Load, Loops, OPEN_FOR, Rule, loops};
use crate::work::work;
use recloser::{AsyncRecloser, Recloser};
use std::sync::Arc;

pub fn loops(load: Load) -> Loops {
    let (length, rate) = match load.rule {
        Rule::Consecutive => (5, 1.0),
        Rule::Calls => (100, 0.5),
        Rule::Time => return Vec::new(),
    };
    let builder = || Recloser::custom().closed_len(length).error_rate(rate);
    let breaker = Arc::new(builder().open_wait(OPEN_FOR).build());
    let later = AsyncRecloser::from(builder().open_wait(OPEN_FOR).build());
    loops! { load,
        Sync: breaker => [|breaker, input| breaker.call(|| work(input))],
        Async: later => [async |breaker, work| breaker.call(work)],
    }
}
