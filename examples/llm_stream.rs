//! Guards token streams of a language model: a stream that stalls is a failure, and opens the circuit.
//!
//! The request and the tokens of its answer are one call. The clock of tokio is paused, so that the example does
//! not wait for ten seconds.
//!
//! ```text
//! cargo run --example llm_stream
//! ```

use breakerbox::prelude::*;
use futures_util::{Stream, StreamExt as _, TryFutureExt as _, stream};
use std::io;
use std::time::Duration;

/// How long the model may take for the next token.
const IDLE: Duration = Duration::from_secs(10);

/// A model that answers well for a while, and then stalls after two tokens.
struct Model {
    healthy_answers: u32,
}

impl Model {
    /// Sends a prompt, and returns the tokens of the answer.
    async fn complete(
        &mut self,
        _prompt: &str,
    ) -> io::Result<impl Stream<Item = io::Result<&'static str>> + use<>> {
        let is_healthy = self.healthy_answers > 0;
        self.healthy_answers = self.healthy_answers.saturating_sub(1);
        let tokens = stream::iter(["Once", "upon", "a", "time"].map(Ok));
        Ok(if is_healthy {
            tokens.boxed()
        } else {
            tokens.take(2).chain(stream::pending()).boxed()
        })
    }
}

/// Prints the tokens of an answer, and returns why the answer is incomplete.
async fn print_answer(
    model: &mut Model,
    llm: &CircuitBreaker,
) -> Result<(), BreakerError<io::Error>> {
    let answer = model.complete("Tell me a story.").try_flatten_stream();
    let mut answer = Box::pin(answer.guarded_by(llm).idle_timeout(IDLE));
    while let Some(token) = answer.next().await {
        print!("{} ", token?);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), ConfigError> {
    let llm = CircuitBreaker::builder()
        .name("llm")
        .failure_threshold(3)
        .build()?;
    let mut model = Model { healthy_answers: 2 };

    for call in 1..=6 {
        match print_answer(&mut model, &llm).await {
            Ok(()) => println!("- call {call} is complete"),
            Err(BreakerError::Open(open)) => println!("call {call} is refused: {open}"),
            Err(error) => println!("- call {call} is cut off: {error}"),
        }
    }
    assert_eq!(llm.state(), State::Open);
    println!("{}", llm.snapshot().totals);
    Ok(())
}
