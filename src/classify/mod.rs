//! The error rules of a breaker, and the outcomes that they lead to.
//!
//! The first of these steps that applies decides the outcome of a call:
//!
//! 1. the call site's `classify`;
//! 2. a refusal of an inner breaker, or a match of the breaker's *ignored* rules:
//!    [`Outcome::Ignored`];
//! 3. a rule of `trip_for_if` that returns a time: [`Outcome::TripFor`] the longest such time;
//! 4. the call site's `fail_if`: `true` is a failure, `false` an unexpected error;
//! 5. a match of the breaker's *expected* rules: a failure;
//! 6. without any expected rule, every other `Err` is a failure.
//!
//! An error to which no step applies is *unexpected*, and counts as
//! [`unexpected_errors_as`](crate::BreakerBuilder::unexpected_errors_as) says.
//!
//! [`ErrorView`] finds the types inside an error, and the start of its chain of sources.

mod error_rule;
mod error_view;
mod wrapped;

pub(crate) use error_rule::ErrorRule;
pub(crate) use error_view::ErrorView;

use std::any::{TypeId, type_name};
use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

/// The outcome that a breaker records for a call.
///
/// # Examples
///
/// Classifies the responses of an HTTP client, which returns `Ok` for every status:
///
/// ```
/// use breakerbox::Outcome;
///
/// fn outcome_of(status: u16) -> Outcome {
///     match status {
///         500.. => Outcome::Failure,
///         _ => Outcome::Success,
///     }
/// }
/// assert_eq!(outcome_of(503), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency worked.
    Success,
    /// The dependency failed.
    Failure,
    /// The call says nothing about the dependency. It changes neither the consecutive failures nor
    /// the windows, and a trial releases its slot.
    Ignored,
    /// The dependency failed, and asked for no calls during this time, for example with
    /// `Retry-After`.
    ///
    /// The circuit opens at once for this time, but at most for
    /// [`max_trip_for`](crate::BreakerBuilder::max_trip_for). If it opens again without having
    /// recovered, it stays open for at least the delay of its
    /// [backoff](crate::BreakerBuilder::recovery_backoff). If it is already open, the later of the
    /// two deadlines applies.
    TripFor(Duration),
}

#[cfg(any(feature = "serde", feature = "tracing"))]
impl Outcome {
    /// Returns the name of the outcome in logs and in serialized data. The name omits the duration of
    /// `TripFor`, which would prevent grouping by outcome.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
            Self::TripFor(_) => "trip_for",
        }
    }
}

/// The error rules of a breaker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ErrorClassifier {
    /// Whether these rules replace those of the layers below, instead of adding to them.
    pub(crate) is_own: bool,
    pub(crate) expected: Vec<ErrorRule>,
    pub(crate) ignored: Vec<ErrorRule>,
    /// The rules of `trip_for_if`, which return how long the circuit must stay open.
    pub(crate) trip_for: Vec<ErrorRule<Option<Duration>>>,
}

/// The result of classifying an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorClass {
    Failure,
    Ignored,
    TripFor(Duration),
    Unexpected,
    /// Unexpected, and of a type that no rule names, although the breaker has rules.
    Unclassified(ErrorType),
}

/// The static type of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
}

impl ErrorType {
    pub(crate) fn of<E: 'static>() -> Self {
        Self {
            id: TypeId::of::<E>(),
            name: type_name::<E>(),
        }
    }
}

impl ErrorClassifier {
    pub(crate) const fn none() -> Self {
        Self {
            is_own: false,
            expected: Vec::new(),
            ignored: Vec::new(),
            trip_for: Vec::new(),
        }
    }

    /// Adds an expected rule, unless there is an equal one.
    pub(crate) fn expect(&mut self, rule: ErrorRule) {
        if !self.expected.contains(&rule) {
            self.expected.push(rule);
        }
    }

    /// Adds an ignored rule, unless there is an equal one.
    pub(crate) fn ignore(&mut self, rule: ErrorRule) {
        if !self.ignored.contains(&rule) {
            self.ignored.push(rule);
        }
    }

    /// Adds a rule of `trip_for_if`, unless there is an equal one.
    pub(crate) fn trip_for(&mut self, rule: ErrorRule<Option<Duration>>) {
        if !self.trip_for.contains(&rule) {
            self.trip_for.push(rule);
        }
    }

    /// Returns `true` if there are no rules, and therefore no user predicates.
    pub(crate) fn is_empty(&self) -> bool {
        self.expected.is_empty() && self.ignored.is_empty() && self.trip_for.is_empty()
    }

    /// Classifies `error`. `fail_if` is the predicate of the call site.
    pub(crate) fn classify<E: Debug + 'static>(
        &self,
        error: &E,
        fail_if: Option<&dyn Fn(&E) -> bool>,
    ) -> ErrorClass {
        let mut view = ErrorView::of(error);
        view.begin_chain(|view| self.named_error(view));
        if view.is_refusal() {
            return ErrorClass::Ignored;
        }
        let ignored = Self::any_match(&self.ignored, &view);
        if ignored == Some(true) {
            return ErrorClass::Ignored;
        }
        // The longest time counts. The order of the rules, and thus of the layers, has no effect.
        let times = self.trip_for.iter().filter_map(|rule| rule.apply(&view));
        let longest = times.max();
        if let Some(time) = longest.flatten() {
            return ErrorClass::TripFor(time);
        }
        if let Some(fail_if) = fail_if {
            return if fail_if(error) {
                ErrorClass::Failure
            } else {
                ErrorClass::Unexpected
            };
        }
        if self.expected.is_empty() {
            return ErrorClass::Failure;
        }
        match Self::any_match(&self.expected, &view) {
            Some(true) => ErrorClass::Failure,
            Some(false) => ErrorClass::Unexpected,
            None if ignored.is_some() || longest.is_some() => ErrorClass::Unexpected,
            None => ErrorClass::Unclassified(ErrorType::of::<E>()),
        }
    }

    /// Returns `error` as the type of any rule.
    #[inline]
    fn named_error<'a>(&self, error: &ErrorView<'a>) -> Option<&'a (dyn Error + 'static)> {
        let mut rules = self.expected.iter().chain(&self.ignored);
        let found = rules.find_map(|rule| rule.error_in(error));
        found.or_else(|| self.trip_for.iter().find_map(|rule| rule.error_in(error)))
    }

    /// Returns whether any of `rules` matches, or `None` if no rule is about the type of `error`.
    #[inline]
    fn any_match(rules: &[ErrorRule], error: &ErrorView<'_>) -> Option<bool> {
        let mut any = None;
        for rule in rules {
            match rule.apply(error) {
                Some(true) => return Some(true),
                Some(false) => any = Some(false),
                None => {}
            }
        }
        any
    }
}
