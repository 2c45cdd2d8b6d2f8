//! What an outcome means: which errors count, and who says so.
//!
//! The judges of a call, in the order in which they are asked:
//!
//! 1. the call site's `classify`: alone, nothing else is asked;
//! 2. refusals of an inner breaker, and the breaker's *ignored* rules: [`Outcome::Ignored`];
//! 3. the call site's `fail_if`: true is a failure, false an unexpected error;
//! 4. the breaker's *expected* rules: any that knows the error makes it a failure;
//! 5. with no expected rule at all, every other `Err` is a failure.
//!
//! What none of them claims is an *unexpected* error, and counts as
//! [`unexpected_errors_as`](crate::BreakerBuilder::unexpected_errors_as) says.
//!
//! [`View`] is how an error is seen: what can be found inside it, and where its chain of sources
//! begins.

mod error_rule;
mod error_view;
mod wrapped;

pub(crate) use error_rule::{ErrorRule, RuleMatch};
pub(crate) use error_view::View;

use std::any::{TypeId, type_name};
use std::fmt::Debug;
use std::time::Duration;

/// What one call means to the breaker.
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
    /// The dependency did its work.
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

/// Which errors of calls a breaker knows, and what they mean.
#[derive(Clone, Debug, Default)]
pub(crate) struct ErrorRules {
    pub(crate) expected: Vec<ErrorRule>,
    pub(crate) ignored: Vec<ErrorRule>,
}

/// What the rules make of an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorClass {
    Failure,
    Ignored,
    Unexpected,
    /// Unexpected, and of a type that no rule knows, although there are rules.
    Unclassified(ErrorType),
}

/// The type of an error, as far as its caller's signature shows it.
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

impl ErrorRules {
    /// Whether they are the very same rules.
    pub(crate) fn are(&self, other: &Self) -> bool {
        let same = |rules: &[ErrorRule], others: &[ErrorRule]| {
            rules.len() == others.len()
                && rules.iter().zip(others).all(|(one, other)| one.is(other))
        };
        same(&self.expected, &other.expected) && same(&self.ignored, &other.ignored)
    }

    /// Whether there is no rule, and so no predicate of anybody's.
    pub(crate) fn are_none(&self) -> bool {
        self.expected.is_empty() && self.ignored.is_empty()
    }

    /// Classifies `error`; `fail_if` is the predicate of the call site.
    pub(crate) fn classify<E: Debug + 'static>(
        &self,
        error: &E,
        fail_if: Option<&dyn Fn(&E) -> bool>,
    ) -> ErrorClass {
        let mut view = View::of(error);
        // At a type that a rule names.
        let mut rules = self.expected.iter().chain(&self.ignored);
        view.begin_chain(|view| rules.find_map(|rule| rule.error_in(view)));
        if view.is_refusal() || Self::find(&self.ignored, &view) == RuleMatch::Match {
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
        match Self::find(&self.expected, &view) {
            RuleMatch::Match => ErrorClass::Failure,
            RuleMatch::NoMatch => ErrorClass::Unexpected,
            RuleMatch::OtherType if Self::find(&self.ignored, &view) == RuleMatch::NoMatch => {
                ErrorClass::Unexpected
            }
            RuleMatch::OtherType => ErrorClass::Unclassified(ErrorType::of::<E>()),
        }
    }

    /// The most that any of `rules` knows of `error`.
    #[inline]
    fn find(rules: &[ErrorRule], error: &View<'_>) -> RuleMatch {
        let mut known = RuleMatch::OtherType;
        for rule in rules {
            match rule.examine(error) {
                RuleMatch::Match => return RuleMatch::Match,
                RuleMatch::NoMatch => known = RuleMatch::NoMatch,
                RuleMatch::OtherType => {}
            }
        }
        known
    }
}
