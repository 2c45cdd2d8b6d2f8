//! [`Operator`]: the commands that this instance gives, and their answers.

use crate::error::CommandError;
use crate::protocol::{Command, CommandWord, Verb};
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

/// Sends the number of circuits that were closed: 0 for other commands.
type Answer = oneshot::Sender<Result<usize, CommandError>>;

/// The most commands that wait for the store. More wait at their handles.
const MAX_WAITING: usize = 64;

/// The commands that this instance gives, and their answers.
#[derive(Debug)]
pub(crate) struct Operator {
    receiver: mpsc::Receiver<Given>,
    waiting: VecDeque<Given>,
    /// Who waits for the answer to the request on its way, and the verb of the command.
    answer: Option<(Answer, Verb)>,
    /// Who waits until circuits are closed.
    closing: Option<Answer>,
}

impl Operator {
    /// Creates the queue, and its sending half.
    pub(crate) fn new() -> (mpsc::Sender<Given>, Self) {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let operator = Self {
            receiver,
            waiting: VecDeque::new(),
            answer: None,
            closing: None,
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

    /// Returns the next command to send. Commands wait while circuits are being closed.
    pub(crate) fn next(&mut self) -> Option<Command> {
        while self.closing.is_none() {
            let given = self.waiting.pop_front()?;
            if !given.answer.is_closed() {
                self.answer = Some((given.answer, given.command.verb));
                return Some(given.command);
            }
        }
        None
    }

    /// Notes the answer of the store, if the command on its way was given here.
    pub(crate) fn answered(&mut self, answer: Result<CommandWord, StoreError>) {
        let Some((sender, verb)) = self.answer.take() else {
            return;
        };
        let answer = match answer {
            Ok(CommandWord::Accepted) if verb == Verb::Close => {
                self.closing = Some(sender);
                return;
            }
            Ok(CommandWord::Accepted | CommandWord::Known) => Ok(0),
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

    /// Notes that circuits were closed, or could not be.
    pub(crate) fn closed(&mut self, closed: Result<usize, StoreError>) {
        if let Some(sender) = self.closing.take() {
            let _ = sender.send(closed.map_err(CommandError::from));
        }
    }

    /// Returns `true` once if no handle waits any more until circuits are closed.
    pub(crate) fn has_abandoned_close(&mut self) -> bool {
        let is_abandoned = |answer: &mut Answer| answer.is_closed();
        self.closing.take_if(is_abandoned).is_some()
    }
}
