//! [`DeferredCall`]: a call of an async function that starts at its first poll.

use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

enum Deferred<F, Args, Fut> {
    Ready {
        function: F,
        args: Args,
        start: fn(F, Args) -> Fut,
    },
    Taken,
}

pin_project! {
    /// A call of an async function with its arguments. The first poll calls the function.
    #[must_use = "futures do nothing unless polled"]
    pub struct DeferredCall<F, Args, Fut> {
        call: Deferred<F, Args, Fut>,
        #[pin]
        running: Option<Fut>,
    }
}

impl<F, Args, Fut> DeferredCall<F, Args, Fut> {
    #[inline]
    pub(crate) fn new(function: F, args: Args, start: fn(F, Args) -> Fut) -> Self {
        Self {
            call: Deferred::Ready {
                function,
                args,
                start,
            },
            running: None,
        }
    }

    /// Takes the arguments of a call that has not started and will not start.
    pub(crate) fn take_args(self: Pin<&mut Self>) -> Option<Args> {
        match std::mem::replace(self.project().call, Deferred::Taken) {
            Deferred::Ready { args, .. } => Some(args),
            Deferred::Taken => None,
        }
    }
}

impl<F, Args, Fut: Future> Future for DeferredCall<F, Args, Fut> {
    type Output = Fut::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut this = self.project();
        if let Deferred::Ready {
            function,
            args,
            start,
        } = std::mem::replace(this.call, Deferred::Taken)
        {
            this.running.set(Some(start(function, args)));
        }
        let running = this
            .running
            .as_pin_mut()
            .expect("`DeferredCall` polled after it panicked");
        running.poll(cx)
    }
}

impl<F, Args, Fut> fmt::Debug for DeferredCall<F, Args, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeferredCall")
            .field("begun", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
