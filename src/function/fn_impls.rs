//! Everything that has to be written once per number of arguments.
#![allow(clippy::too_many_arguments)] // eight of the function's own, and `self`
#![allow(clippy::needless_lifetimes)] // needless only where there is no fallback

use super::{
    Answer, AsyncFallback, Flattened, FlattenedInto, GuardedFn, NoFallback, SyncFallback,
    WithFallback,
};
use crate::breaker::CircuitBreaker;
use crate::call;
use crate::classifier::Classifier;
use crate::error::{BreakerError, CircuitOpen};
use crate::ext::{AtMostEightArguments, BreakerExt, GivesResult, NoResult, kind};
use crate::future::{
    DeferredCall, Fallback, FlattenErr, FlattenInto, Limit, NoTimeout, OnArgs, Timeout,
    WithBreaker, warn_if_nested,
};
use crate::handle::Handle;

type Call<F, Args, Fut, H, J, L> = WithBreaker<DeferredCall<F, Args, Fut>, H, J, L>;
type CallOr<F, Args, Fut, H, J, L, FB, Answer> =
    Fallback<DeferredCall<F, Args, Fut>, H, J, L, OnArgs<FB, Args, Answer>, Answer>;

type FlatCall<F, Args, Fut, H, J, L> = FlattenErr<Call<F, Args, Fut, H, J, L>>;
type FlatCallOr<F, Args, Fut, H, J, L, FB, Answer> =
    FlattenErr<CallOr<F, Args, Fut, H, J, L, FB, Answer>>;
type CallInto<F, Args, Fut, H, J, L, Target> = FlattenInto<Call<F, Args, Fut, H, J, L>, Target>;
type CallOrInto<F, Args, Fut, H, J, L, FB, Answer, Target> =
    FlattenInto<CallOr<F, Args, Fut, H, J, L, FB, Answer>, Target>;

#[inline]
fn end_sync<T, E, Args>(
    result: Result<Result<T, E>, (CircuitOpen, Args)>,
) -> Result<T, BreakerError<E>> {
    let result = result.map_err(|(open, _)| BreakerError::Open(open))?;
    result.map_err(BreakerError::Inner)
}

/// `call` or `call_mut`: `call_once` on a guarded function made of references.
macro_rules! delegate {
    (
        #[doc = $doc:literal]
        fn $name:ident($($this:tt)*) via $via:expr, F: $Bound:ident, [$($A:ident $a:ident)*]
        $(, where [$($bounds:tt)*])? => $Returns:ty
    ) => {
        #[doc = $doc]
        #[inline]
        pub fn $name<'g, $($A,)* Out>($($this)*, $($a: $A),*) -> $Returns
        where
            F: $Bound($($A),*) -> Out,
            $($($bounds)*)?
        {
            $via.call_once($($a),*)
        }
    };
}

/// The calls of a guarded sync function with one policy.
macro_rules! sync_calls {
    (
        $(#[$attribute:meta])? $n:literal [$($A:ident $a:ident)*] $Args:ty, $X:ty
        $(, fallback $FB:ident)? $(, into $Target:ident)?, J: $Classifier:path
        => $Returns:ty, |$this:ident, $result:ident| $end:expr
    ) => {
        $(#[$attribute])?
        impl<F, H: Handle, J $(, $FB)? $(, $Target: From<BreakerError>)?> GuardedFn<F, kind::SyncFn<$n>, H, J, NoTimeout, $X> {
            delegate! {
                #[doc = "Calls it by shared reference: for an `Fn`.\n\n# Errors\n\nThose of the function, and of the circuit unless a fallback answers."]
                fn call(&'g self) via self.by_ref(), F: Fn, [$($A $a)*],
                where [J: $Classifier, $(&'g $FB: SyncFallback<$Args, Out>)?] => $Returns
            }
            delegate! {
                #[doc = "Calls it by mutable reference: for an `FnMut`.\n\n# Errors\n\nAs `call`."]
                fn call_mut(&'g mut self) via self.by_mut(), F: FnMut, [$($A $a)*],
                where [J: $Classifier, $(&'g mut $FB: SyncFallback<$Args, Out>)?] => $Returns
            }
            /// Calls it by value: for any function.
            ///
            /// # Errors
            ///
            /// As `call`.
            #[inline]
            pub fn call_once<$($A,)* Out>(self, $($a: $A),*) -> $Returns
            where
                F: FnOnce($($A),*) -> Out,
                J: $Classifier,
                $($FB: SyncFallback<$Args, Out>,)?
            {
                let $this = self;
                let function = $this.function;
                let $result = call::call($this.handle.breaker(), &$this.classifier, ($($a,)*), |($($a,)*)| function($($a),*));
                $end
            }
        }
    };
}

/// The calls of a guarded async function with one policy, for one time limit or any.
macro_rules! async_calls {
    (
        $(#[$attribute:meta])?
        $n:literal [$($A:ident $a:ident)*] $Args:ty, $X:ty $(, fallback $FB:ident gives $Answer:ident)?,
        limit $L:ty $(, any $AnyL:ident)? $(, into $Target:ident)?
        => $Returns:ident, |$this:ident| $once:expr
    ) => {
        $(#[$attribute])?
        impl<F, H: Handle, J $(, $AnyL: Limit)? $(, $FB)? $(, $Target)?> GuardedFn<F, kind::AsyncFn<$n>, H, J, $L, $X> {
            /// Calls it by shared reference: for an `Fn`.
            #[inline]
            pub fn call<'g, $($A,)* Fut $(, $Answer)?>(
                &'g self,
                $($a: $A),*
            ) -> $Returns<&'g F, $Args, Fut, &'g CircuitBreaker, &'g J, $L $(, &'g $FB, $Answer)? $(, $Target)?>
            where
                F: Fn($($A),*) -> Fut,
                Fut: Future,
                $(&'g $FB: AsyncFallback<$Args, $Answer>, $Answer: Answer<Fut::Output>,)?
            {
                self.by_ref().call_once($($a),*)
            }

            /// Calls it by mutable reference: for an `FnMut`.
            #[inline]
            pub fn call_mut<'g, $($A,)* Fut $(, $Answer)?>(
                &'g mut self,
                $($a: $A),*
            ) -> $Returns<&'g mut F, $Args, Fut, &'g CircuitBreaker, &'g J, $L $(, &'g mut $FB, $Answer)? $(, $Target)?>
            where
                F: FnMut($($A),*) -> Fut,
                Fut: Future,
                $(&'g mut $FB: AsyncFallback<$Args, $Answer>, $Answer: Answer<Fut::Output>,)?
            {
                self.by_mut().call_once($($a),*)
            }

            /// Calls it by value: for any async function.
            #[inline]
            pub fn call_once<$($A,)* Fut $(, $Answer)?>(
                self,
                $($a: $A),*
            ) -> $Returns<F, $Args, Fut, H, J, $L $(, $FB, $Answer)? $(, $Target)?>
            where
                F: FnOnce($($A),*) -> Fut,
                Fut: Future,
                $($FB: AsyncFallback<$Args, $Answer>, $Answer: Answer<Fut::Output>,)?
            {
                let $this = self;
                $once
            }
        }
    };
}

/// An implementation there is only so that using it can say what it lacks.
macro_rules! refused {
    ($($A:ident)*, $kind:ident lacks $Lacks:ident $(, Out: $Bound:ident)?) => {
        #[doc(hidden)]
        impl<F, $($A,)* Out $(: $Bound)?> BreakerExt<kind::$kind<($($A,)*), Out>> for F
        where
            F: FnOnce($($A),*) -> Out,
        {
            type Guarded<H: Handle> = GuardedFn<F, kind::$kind<($($A,)*), Out>, H>;

            #[inline]
            fn guarded_by<H: Handle>(self, handle: H) -> Self::Guarded<H>
            where
                kind::$kind<($($A,)*), Out>: $Lacks,
            {
                GuardedFn::new(self, handle)
            }
        }
    };
}

/// The implementations for functions with one number of arguments. An attribute before the number
/// goes on each implementation that documentation would show.
macro_rules! arity {
    ($(#[$attribute:meta])? $n:literal $($A:ident $a:ident)*) => {
        $(#[$attribute])?
        impl<F, $($A,)* T, E> BreakerExt<kind::Sync<($($A,)*), Result<T, E>>> for F
        where
            F: FnOnce($($A),*) -> Result<T, E>,
        {
            type Guarded<H: Handle> = GuardedFn<F, kind::SyncFn<$n>, H>;

            #[track_caller]
            #[inline]
            fn guarded_by<H: Handle>(self, handle: H) -> GuardedFn<F, kind::SyncFn<$n>, H> {
                warn_if_nested::<Result<T, E>>();
                GuardedFn::new(self, handle)
            }
        }

        $(#[$attribute])?
        impl<F, $($A,)* Fut> BreakerExt<kind::Async<($($A,)*), Fut>> for F
        where
            F: FnOnce($($A),*) -> Fut,
            Fut: Future,
        {
            type Guarded<H: Handle> = GuardedFn<F, kind::AsyncFn<$n>, H>;

            #[track_caller]
            #[inline]
            fn guarded_by<H: Handle>(self, handle: H) -> GuardedFn<F, kind::AsyncFn<$n>, H> {
                warn_if_nested::<Fut::Output>();
                GuardedFn::new(self, handle)
            }
        }

        refused!($($A)*, NoResult lacks GivesResult, Out: NoResult);

        #[diagnostic::do_not_recommend]
        impl<FB, $($A,)* Out> SyncFallback<($($A,)*), Out> for FB
        where
            FB: FnOnce($($A),*) -> Out,
        {
            fn answer(self, ($($a,)*): ($($A,)*)) -> Out {
                self($($a),*)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<FB, $($A,)* Fut> AsyncFallback<($($A,)*), Fut> for FB
        where
            FB: FnOnce($($A),*) -> Fut,
        {
            fn begin(self, ($($a,)*): ($($A,)*)) -> Fut {
                self($($a),*)
            }
        }

        sync_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), NoFallback, J: Classifier<Out>
            => Result<J::Ok, BreakerError<J::Err>>, |this, result| end_sync(result)
        }
        sync_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), WithFallback<FB>, fallback FB, J: Classifier<Out>
            => Result<J::Ok, J::Err>,
            |this, result| result.unwrap_or_else(|(_, args)| J::into_result(this.policy.0.answer(args)))
        }
        sync_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), Flattened<NoFallback>, J: Classifier<Out, Err: From<BreakerError>>
            => Result<J::Ok, J::Err>, |this, result| end_sync(result).map_err(BreakerError::flatten)
        }
        sync_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), FlattenedInto<NoFallback, Target>, into Target,
            J: Classifier<Out, Err: Into<Target>> => Result<J::Ok, Target>,
            |this, result| end_sync(result).map_err(|error| error.map_inner(Into::into).flatten())
        }

        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), NoFallback, limit L, any L
            => Call,
            |this| WithBreaker::with_parts(
                DeferredCall::new(this.function, ($($a,)*), |function, ($($a,)*)| function($($a),*)),
                call::Call::new(this.handle), this.classifier, this.limit,
            )
        }
        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), WithFallback<FB>, fallback FB gives A0, limit L, any L
            => CallOr,
            |this| {
                let (this, WithFallback(fallback)) = this.take_policy();
                Fallback::new(this.call_once($($a),*), OnArgs::new(fallback, FB::begin))
            }
        }
        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), Flattened<NoFallback>, limit L, any L
            => FlatCall,
            |this| FlattenErr::new(this.policy(|Flattened(policy)| policy).call_once($($a),*))
        }
        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), Flattened<WithFallback<FB>>, fallback FB gives A0, limit Timeout
            => FlatCallOr,
            |this| FlattenErr::new(this.policy(|Flattened(policy)| policy).call_once($($a),*))
        }
        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), FlattenedInto<NoFallback, Target>, limit L, any L, into Target
            => CallInto,
            |this| FlattenInto::new(this.policy(|policy| policy.0).call_once($($a),*))
        }
        async_calls! {
            $(#[$attribute])? $n [$($A $a)*] ($($A,)*), FlattenedInto<WithFallback<FB>, Target>, fallback FB gives A0,
            limit Timeout, into Target
            => CallOrInto,
            |this| FlattenInto::new(this.policy(|policy| policy.0).call_once($($a),*))
        }
    };
}

// Functions of one argument stand for the others in the documentation.
arity! { #[doc(hidden)] 0 }
arity! { 1 A a }
arity! { #[doc(hidden)] 2 A a B b }
arity! { #[doc(hidden)] 3 A a B b C c }
arity! { #[doc(hidden)] 4 A a B b C c D d }
arity! { #[doc(hidden)] 5 A a B b C c D d E0 e }
arity! { #[doc(hidden)] 6 A a B b C c D d E0 e F0 f }
arity! { #[doc(hidden)] 7 A a B b C c D d E0 e F0 f G g }
arity! { #[doc(hidden)] 8 A a B b C c D d E0 e F0 f G g H0 h }

refused!(A B C D E0 F0 G H0 I, TooManyArguments lacks AtMostEightArguments);
refused!(A B C D E0 F0 G H0 I J, TooManyArguments lacks AtMostEightArguments);
refused!(A B C D E0 F0 G H0 I J K, TooManyArguments lacks AtMostEightArguments);
refused!(A B C D E0 F0 G H0 I J K L, TooManyArguments lacks AtMostEightArguments);
