//! Classifiers of the return values of functions.
//!
//! With `classify` and `fallback`, a function may return any type. The expansion then chooses the
//! classifier by type: it calls a method that two traits provide, as in `rule`.

use super::result::Returned;
use crate::classifier::{Classifier, Classify, ClassifyOutput, DefaultClassifier, FailIf};
use crate::classify::Outcome;
use std::fmt::Debug;
use std::marker::PhantomData;

/// A classifier of functions that return `R`.
#[diagnostic::on_unimplemented(
    message = "a function with `#[circuit]` must return a `Result`, but this function returns `{R}`",
    label = "the circuit cannot tell whether this is a success or a failure"
)]
pub trait OfReturned<R>: Classifier<R> {
    /// Converts a classified result back to a return value.
    #[doc(hidden)]
    fn returned(result: Result<Self::Ok, Self::Err>) -> R;
}

#[diagnostic::do_not_recommend]
impl<T, E: Debug + 'static> OfReturned<Result<T, E>> for DefaultClassifier {
    #[inline]
    fn returned(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: Debug + 'static, P: Fn(&E) -> bool> OfReturned<Result<T, E>> for FailIf<P> {
    #[inline]
    fn returned(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

#[diagnostic::do_not_recommend]
impl<T, E, C> OfReturned<Result<T, E>> for Classify<C>
where
    E: Debug + 'static,
    C: Fn(&Result<T, E>) -> Outcome,
{
    #[inline]
    fn returned(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

#[diagnostic::do_not_recommend]
impl<R, C: Fn(&R) -> Outcome> OfReturned<R> for ClassifyOutput<C> {
    #[inline]
    fn returned(result: Result<R, Self::Err>) -> R {
        match result {
            Ok(returned) => returned,
            Err(never) => match never {},
        }
    }
}

/// The return type `R` of a function, by which closures of the attribute infer their types.
#[derive(Debug)]
pub struct ReturnType<R>(PhantomData<fn() -> R>);

impl<R> Clone for ReturnType<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for ReturnType<R> {}

/// Returns the return type that the function names.
pub fn return_type<R>() -> ReturnType<R> {
    ReturnType(PhantomData)
}

/// Returns the type that `work` returns, for a function that hides it behind `impl Trait`.
pub fn return_type_of<R>(_work: &impl FnOnce() -> R) -> ReturnType<R> {
    ReturnType(PhantomData)
}

/// Returns the output of `work`, for an async function that hides it behind `impl Trait`.
pub fn output_type_of<F: Future>(_work: &F) -> ReturnType<F::Output> {
    ReturnType(PhantomData)
}

/// Returns the classifier that applies the breaker's rules.
pub fn default_classifier() -> DefaultClassifier {
    DefaultClassifier
}

/// Returns a classifier with a predicate for the error type of a function that returns `R`.
#[inline]
pub fn fail_if<R, P>(_: ReturnType<R>, failure: P) -> FailIf<P>
where
    R: Returned,
    P: Fn(&R::Error) -> bool,
{
    FailIf(failure)
}

/// Returns a classifier of the results of a function that returns `R`.
#[inline]
pub fn classify<R, C>(_: ReturnType<R>, classify: C) -> Classify<C>
where
    R: Returned,
    C: Fn(&R) -> Outcome,
{
    Classify(classify)
}

/// The trait for functions that return a `Result`.
pub trait AsResult {
    #[doc(hidden)]
    fn __breakerbox_classifier(&self) -> ResultClassifier {
        ResultClassifier
    }
}

impl<T, E> AsResult for ReturnType<Result<T, E>> {}

/// The trait for all other functions.
pub trait AsOutput {
    #[doc(hidden)]
    fn __breakerbox_classifier(&self) -> OutputClassifier {
        OutputClassifier
    }
}

impl<R> AsOutput for &ReturnType<R> {}

/// Creates the classifier of a function that returns `R`.
pub trait NewClassifier<R> {
    /// The classifier with the closure `C`.
    type Classifier<C>;
    /// Creates the classifier.
    fn classify<C: Fn(&R) -> Outcome>(self, _: ReturnType<R>, classify: C) -> Self::Classifier<C>;
}

/// Creates a classifier that keeps errors as the last failure.
#[derive(Clone, Copy, Debug)]
pub struct ResultClassifier;

impl<T, E> NewClassifier<Result<T, E>> for ResultClassifier {
    type Classifier<C> = Classify<C>;

    #[inline]
    fn classify<C>(self, _: ReturnType<Result<T, E>>, classify: C) -> Classify<C>
    where
        C: Fn(&Result<T, E>) -> Outcome,
    {
        Classify(classify)
    }
}

/// Creates a classifier of return values other than `Result`.
#[derive(Clone, Copy, Debug)]
pub struct OutputClassifier;

impl<R> NewClassifier<R> for OutputClassifier {
    type Classifier<C> = ClassifyOutput<C>;

    #[inline]
    fn classify<C>(self, _: ReturnType<R>, classify: C) -> ClassifyOutput<C>
    where
        C: Fn(&R) -> Outcome,
    {
        ClassifyOutput(classify)
    }
}
