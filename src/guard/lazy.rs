use pin_project_lite::pin_project;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

enum Call<F, Args, Fut> {
    Ready {
        function: F,
        args: Args,
        start: fn(F, Args) -> Fut,
    },
    Taken,
}

pin_project! {
    /// A call that has its arguments but has not begun: polling it calls the function.
    #[must_use = "futures do nothing unless polled"]
    pub struct Lazy<F, Args, Fut> {
        call: Call<F, Args, Fut>,
        #[pin]
        running: Option<Fut>,
    }
}

impl<F, Args, Fut> Lazy<F, Args, Fut> {
    #[inline]
    pub(crate) fn new(function: F, args: Args, start: fn(F, Args) -> Fut) -> Self {
        Self {
            call: Call::Ready {
                function,
                args,
                start,
            },
            running: None,
        }
    }

    /// The arguments of a call that will now never begin.
    pub(crate) fn take_args(self: Pin<&mut Self>) -> Option<Args> {
        match std::mem::replace(self.project().call, Call::Taken) {
            Call::Ready { args, .. } => Some(args),
            Call::Taken => None,
        }
    }
}

impl<F, Args, Fut: Future> Future for Lazy<F, Args, Fut> {
    type Output = Fut::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Fut::Output> {
        let mut this = self.project();
        if let Call::Ready {
            function,
            args,
            start,
        } = std::mem::replace(this.call, Call::Taken)
        {
            this.running.set(Some(start(function, args)));
        }
        let running = this
            .running
            .as_pin_mut()
            .expect("polled after its arguments were taken");
        running.poll(cx)
    }
}

impl<F, Args, Fut> fmt::Debug for Lazy<F, Args, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lazy")
            .field("begun", &self.running.is_some())
            .finish_non_exhaustive()
    }
}
