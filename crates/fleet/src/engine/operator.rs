//! [`Operator`]: the commands that this instance gives, and their answers.

use crate::error::CommandError;
use crate::protocol::{Command, CommandWord};
use crate::store::StoreError;
use std::collections::VecDeque;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, oneshot};

/// A command on its way from the handle to the task.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) command: Command,
    pub(crate) answer: Answer,
}

type Answer = oneshot::Sender<Result<(), CommandError>>;

/// The most commands that wait for the store. More wait at their handles.
const MAX_WAITING: usize = 64;

/// The commands that this instance gives, and their answers.
#[derive(Debug)]
pub(crate) struct Operator {
    receiver: mpsc::Receiver<Given>,
    waiting: VecDeque<Given>,
    /// Who waits for the answer to the request on its way.
    answer: Option<Answer>,
}

impl Operator {
    /// Creates the queue, and its sending half.
    pub(crate) fn new() -> (mpsc::Sender<Given>, Self) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let operator = Self {
            receiver,
            waiting: VecDeque::new(),
            answer: None,
        };
        (sender, operator)
    }

    /// Receives a command. Commands whose handles have been dropped are forgotten.
    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.waiting.retain(|given| !given.answer.is_closed());
        if self.waiting.len() >= MAX_WAITING {
            return Poll::Pending;
        }
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(given)) => {
                self.waiting.push_back(given);
                Poll::Ready(())
            }
            // The handle was dropped, which ends the task in another way.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Returns the next command to send.
    pub(crate) fn next(&mut self) -> Option<Command> {
        loop {
            let given = self.waiting.pop_front()?;
            if !given.answer.is_closed() {
                self.answer = Some(given.answer);
                return Some(given.command);
            }
        }
    }

    /// Notes the answer of the store, if the command on its way was given here.
    pub(crate) fn answered(&mut self, answer: Result<CommandWord, StoreError>) {
        let Some(sender) = self.answer.take() else {
            return;
        };
        let answer = match answer {
            Ok(CommandWord::Accepted | CommandWord::Known) => Ok(()),
            Ok(CommandWord::Full) => Err(CommandError::Full),
            Ok(CommandWord::Bad) => {
                let why = "the store does not know such a command";
                Err(StoreError::Protocol(why.into()).into())
            }
            Err(error) => Err(error.into()),
        };
        // A handle that was dropped needs no answer.
        let _ = sender.send(answer);
    }
}
