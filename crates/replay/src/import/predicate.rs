//! [`Predicate`]: a condition on one field, such as `status<500`.

use super::error::MappingError;
use super::value::Value;
use crate::Outcome;

/// A condition on one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Predicate {
    /// The index of the field.
    pub(super) field: usize,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Truthy,
    Compare(Comparison, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    NotEqual,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
struct Operand {
    text: String,
    number: Option<f64>,
}

/// The operators, the longer ones first.
const OPERATORS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("!=", Comparison::NotEqual),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl Predicate {
    /// Parses `status<500`, or `success` alone. `index_of` returns the index of a field.
    pub(super) fn parse(
        text: &str,
        index_of: impl FnOnce(&str) -> usize,
    ) -> Result<Self, MappingError> {
        let operator = text.find(['<', '>', '=', '!']);
        let Some(at) = operator else {
            return match text.trim() {
                "" => Err(MappingError("a condition has no field".to_owned())),
                field => Ok(Self {
                    field: index_of(field),
                    test: Test::Truthy,
                }),
            };
        };
        let (field, rest) = text.split_at(at);
        let found = OPERATORS
            .iter()
            .find_map(|(name, comparison)| Some((rest.strip_prefix(name)?, *comparison)));
        let (operand, comparison) = found.ok_or_else(|| {
            MappingError(format!(
                "the condition `{text}` has no operator: use <, <=, >, >=, = or !="
            ))
        })?;
        let operand = operand.trim();
        let number = operand
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite());
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if number.is_none() && !equality {
            return Err(MappingError(format!(
                "the condition `{text}` compares with {operand:?}, which is no number"
            )));
        }
        if field.trim().is_empty() {
            return Err(MappingError(format!("the condition `{text}` has no field")));
        }
        Ok(Self {
            field: index_of(field.trim()),
            test: Test::Compare(
                comparison,
                Operand {
                    text: operand.to_owned(),
                    number,
                },
            ),
        })
    }

    /// Parses a condition on `status`, which is the only field.
    pub(super) fn of_status(text: &str) -> Result<Self, MappingError> {
        let mut is_status = false;
        let condition = Self::parse(text, |field| {
            is_status = field == "status";
            0
        })?;
        if is_status {
            return Ok(condition);
        }
        Err(MappingError(format!(
            "the condition `{text}` is not about `status`, which is all that is compared here"
        )))
    }

    /// Returns `status<500`.
    pub(super) fn no_server_error() -> Self {
        Self {
            field: 0,
            test: Test::Compare(
                Comparison::Less,
                Operand {
                    text: "500".to_owned(),
                    number: Some(500.0),
                },
            ),
        }
    }

    /// Returns the outcome of a call with this status, or `None` if numbers are compared and the status is
    /// none.
    pub(super) fn judge(&self, status: &str) -> Option<Outcome> {
        let status = Value::Text(status.into());
        let compares_numbers =
            matches!(&self.test, Test::Compare(_, operand) if operand.number.is_some());
        if compares_numbers && status.as_number().is_none() {
            return None;
        }
        Some(match self.holds(&[status]) {
            Some(true) => Outcome::Success,
            _ => Outcome::Failure,
        })
    }

    /// Returns whether the condition holds, or `None` if the field is missing.
    pub(super) fn holds(&self, values: &[Value<'_>]) -> Option<bool> {
        let value = values
            .get(self.field)
            .filter(|value| **value != Value::Missing)?;
        let (comparison, operand) = match &self.test {
            Test::Truthy => return Some(value.is_truthy()),
            Test::Compare(comparison, operand) => (*comparison, operand),
        };
        let numbers = value.as_number().zip(operand.number);
        Some(match (comparison, numbers) {
            (Comparison::Less, Some((value, operand))) => value < operand,
            (Comparison::AtMost, Some((value, operand))) => value <= operand,
            (Comparison::Greater, Some((value, operand))) => value > operand,
            (Comparison::AtLeast, Some((value, operand))) => value >= operand,
            #[allow(clippy::float_cmp)] // both are as written
            (Comparison::Equal, Some((value, operand))) => value == operand,
            #[allow(clippy::float_cmp)]
            (Comparison::NotEqual, Some((value, operand))) => value != operand,
            (Comparison::Equal, None) => is_text(value, &operand.text),
            (Comparison::NotEqual, None) => !is_text(value, &operand.text),
            // A text that is compared with a number, such as the status `-`.
            (_, None) => false,
        })
    }
}

/// Returns `true` for this text, which may have spaces around it.
fn is_text(value: &Value<'_>, text: &str) -> bool {
    value.as_text().is_some_and(|value| value.trim() == text)
}
