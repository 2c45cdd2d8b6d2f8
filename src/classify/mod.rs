//! Classification: decides what the outcome of a call means to the breaker.
//!
//! The steps, in order; the first that applies decides:
//!
//! 1. the call site's `classify`;
//! 2. a refusal of an inner breaker, or a match of the breaker's *ignored* rules: [`Outcome::Ignored`];
//! 3. the call site's `fail_if`: `true` is a failure, `false` an unexpected error;
//! 4. a match of the breaker's *expected* rules: a failure;
//! 5. without any expected rule, every other `Err` is a failure.
//!
//! An error to which no step applies is *unexpected*, and counts as
//! [`unexpected_errors_as`](crate::BreakerBuilder::unexpected_errors_as) says.
//!
//! [`ErrorView`] finds the types inside an error, and the beginning of its chain of sources.

mod error_rule;
mod error_view;
mod wrapped;

pub(crate) use error_rule::{ErrorRule, RuleMatch};
pub(crate) use error_view::ErrorView;

use std::any::{TypeId, type_name};
use std::fmt::Debug;
use std::time::Duration;

/// What the outcome of a call means to the breaker.
///
/// # Examples
///
/// An HTTP client that hands out `Ok` whatever the status:
///
/// ```
/// use breakerbox::Outcome;
///
/// fn judge(status: u16) -> Outcome {
///     match status {
///         500.. => Outcome::Failure,
///         _ => Outcome::Success,
///     }
/// }
/// assert_eq!(judge(503), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The dependency worked.
    Success,
    /// The dependency failed.
    Failure,
    /// The call says nothing about the dependency: no count moves, a trial gives its slot back.
    Ignored,
    /// The dependency failed and said how long to stay away (`Retry-After`): the circuit opens at
    /// once for that long, at most for
    /// [`max_trip_for`](crate::BreakerBuilder::max_trip_for).
    ///
    /// If the circuit opens again without having recovered, it stays open for at least as long as its
    /// [backoff](crate::BreakerBuilder::recovery_backoff) says. If it is open already, the longer of the two
    /// deadlines holds.
    TripFor(Duration),
}

/// The rules of a breaker about errors of calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ErrorClassifier {
    /// Whether the rules of the layers below are dropped.
    pub(crate) is_own: bool,
    pub(crate) expected: Vec<ErrorRule>,
    pub(crate) ignored: Vec<ErrorRule>,
}

/// The result of classifying an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorClass {
    Failure,
    Ignored,
    Unexpected,
    /// Unexpected, and of a type that none of the rules names, although there are rules.
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
        }
    }

    /// Returns whether there is no rule, and therefore no predicate of the user.
    pub(crate) fn is_empty(&self) -> bool {
        self.expected.is_empty() && self.ignored.is_empty()
    }

    /// Classifies `error`. `fail_if` is the predicate of the call site.
    pub(crate) fn classify<E: Debug + 'static>(
        &self,
        error: &E,
        fail_if: Option<&dyn Fn(&E) -> bool>,
    ) -> ErrorClass {
        let mut view = ErrorView::of(error);
        let mut rules = self.expected.iter().chain(&self.ignored);
        view.begin_chain(|view| rules.find_map(|rule| rule.error_in(view)));
        if view.is_refusal() || Self::best_match(&self.ignored, &view) == RuleMatch::Match {
            return ErrorClass::Ignored;
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
        match Self::best_match(&self.expected, &view) {
            RuleMatch::Match => ErrorClass::Failure,
            RuleMatch::NoMatch => ErrorClass::Unexpected,
            RuleMatch::OtherType
                if Self::best_match(&self.ignored, &view) == RuleMatch::NoMatch =>
            {
                ErrorClass::Unexpected
            }
            RuleMatch::OtherType => ErrorClass::Unclassified(ErrorType::of::<E>()),
        }
    }

    /// Returns the best result of any of `rules`.
    #[inline]
    fn best_match(rules: &[ErrorRule], error: &ErrorView<'_>) -> RuleMatch {
        let mut best = RuleMatch::OtherType;
        for rule in rules {
            match rule.matches(error) {
                RuleMatch::Match => return RuleMatch::Match,
                RuleMatch::NoMatch => best = RuleMatch::NoMatch,
                RuleMatch::OtherType => {}
            }
        }
        best
    }
}
