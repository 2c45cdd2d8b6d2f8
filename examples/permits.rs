//! Uses permits, for code that is not a single future or function.
//!
//! ```text
//! cargo run --example permits
//! ```

use breakerbox::{Permit, Refusal, prelude::*};
use std::sync::mpsc;
use std::thread;

fn main() -> anyhow::Result<()> {
    let breaker = CircuitBreaker::builder()
        .name("queue")
        .failure_threshold(2)
        .build()?;

    // A permit can be sent to another thread. Here, the thread that receives the answer records it.
    let (answers, inbox) = mpsc::channel::<(Permit, &str)>();
    let recorder = thread::spawn(move || {
        for (permit, answer) in inbox {
            match answer {
                "nack" => permit.failure(),
                _ => permit.success(),
            }
        }
    });
    for answer in ["ack", "nack", "nack"] {
        answers.send((breaker.try_acquire()?, answer))?;
    }
    drop(answers);
    recorder.join().expect("the thread does not panic");

    let Err(open) = breaker.try_acquire() else {
        anyhow::bail!("two failures in a row should have opened the circuit");
    };
    println!("{open}");
    assert_eq!(open.reason(), Refusal::Open);

    // A dropped permit is a cancelled call. By default, it is neither a success nor a failure.
    breaker.reset();
    drop(breaker.try_acquire()?);
    let totals = breaker.snapshot().totals;
    println!("{totals}");
    assert_eq!(
        (totals.failure, totals.refused, totals.cancelled),
        (2, 1, 1)
    );

    // `record_result` classifies a result by the breaker's rules, as a guarded call does.
    let result = "seven".parse::<u32>();
    breaker.try_acquire()?.record_result(&result);
    assert_eq!(breaker.failure_count(), 1);
    println!(
        "last failure: {}",
        breaker.last_failure().as_deref().unwrap_or("none")
    );
    Ok(())
}
