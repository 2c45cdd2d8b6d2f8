//! Admission as a value: for code that is neither one future nor one function.
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

    // A permit may travel: here the outcome is known only to the thread that gets the answer.
    let (answers, inbox) = mpsc::channel::<(Permit, &str)>();
    let judge = thread::spawn(move || {
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
    judge.join().expect("the thread does not panic");

    let Err(open) = breaker.try_acquire() else {
        anyhow::bail!("two failures in a row should have opened the circuit");
    };
    println!("{open}");
    assert_eq!(open.reason(), Refusal::Open);

    // A permit that is dropped was cancelled: by default that counts as nothing.
    breaker.reset();
    drop(breaker.try_acquire()?);
    let totals = breaker.snapshot().totals;
    println!("{totals}");
    assert_eq!(
        (totals.failure, totals.refused, totals.cancelled),
        (2, 1, 1)
    );

    // `record_result` judges a result by the rules of the breaker, as a guarded call would.
    let result = "seven".parse::<u32>();
    breaker.try_acquire()?.record_result(&result);
    assert_eq!(breaker.failure_count(), 1);
    println!(
        "last failure: {}",
        breaker.last_failure().as_deref().unwrap_or("none")
    );
    Ok(())
}
