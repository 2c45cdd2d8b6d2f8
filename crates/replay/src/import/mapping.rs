//! [`Mapping`]: which fields of a line make a call.

use super::error::MappingError;
use super::predicate::Predicate;
use super::sink::{BadReason, Names, label};
use super::time::{TimeFormat, Unit};
use super::value::Value;
use crate::{Call, Outcome};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Which fields of a line make a call.
///
/// A mapping is parsed from `key=field` pairs, separated by commas:
///
/// | key | field |
/// |---|---|
/// | `time` | when the call started; `end` instead, if the field says when it ended |
/// | `duration` | how long the call ran. Default: no duration |
/// | `ok` | a condition for success: `'status<500'`, or a field that is true. Several must all hold |
/// | `outcome` | instead of `ok`, a word: `success`, `failure`, `ignored`, `cancelled`, `refused` |
/// | `name` | the name of the breaker, or a fixed name in double quotes. Default: `"calls"` |
/// | `instance` | the process that made the call |
/// | `error` | the kind of the error, or the status |
/// | `request` | the request of which the call is an attempt |
/// | `calls`, `failures`, `p50`, `p99` | for [rates](super::Importer::rates) instead of `ok` |
///
/// A unit may come before a field of time: `ns:`, `us:`, `ms:` or `s:`. Durations without one are
/// milliseconds. Times without one are RFC 3339, or Unix times whose magnitude tells the unit. A date
/// without an offset, such as `2026-03-01 10:00:00`, is in UTC. Dates before 1970 or after 2553 are bad.
///
/// A field is a column of CSV by its header, or by its number from 1. In JSON it is a member, and dots
/// lead into nested objects: `http.status`. Single quotes protect commas.
///
/// # Examples
///
/// ```
/// use breakerbox_replay::import::Mapping;
///
/// let mapping: Mapping = "time=ts,duration=ms:latency,ok='status<500',name=upstream".parse()?;
/// let k6: Mapping = "time=data.time,duration=data.value,ok=data.tags.expected_response".parse()?;
/// let k6 = k6.only("metric=http_req_duration")?;
/// // vegeta encode --to csv: 0 is the status of a failed connection.
/// let vegeta: Mapping = "time=ns:1,duration=ns:3,ok='2>0',ok='2<500',error=2".parse()?;
/// # Ok::<(), breakerbox_replay::import::MappingError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    fields: Vec<String>,
    time: Option<TimeField>,
    duration: Option<UnitField>,
    ok: Vec<Predicate>,
    outcome: Option<usize>,
    name: Option<Name>,
    instance: Option<usize>,
    error: Option<usize>,
    request: Option<usize>,
    only: Vec<Predicate>,
    rates: RateFields,
}

/// The fields of rates per interval.
#[derive(Clone, Debug, Default, PartialEq)]
struct RateFields {
    calls: Option<usize>,
    failures: Option<usize>,
    p50: Option<UnitField>,
    p99: Option<UnitField>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct TimeField {
    field: usize,
    format: TimeFormat,
    is_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct UnitField {
    field: usize,
    unit: Unit,
}

#[derive(Clone, Debug, PartialEq)]
enum Name {
    Field(usize),
    Fixed(Arc<str>),
}

/// The rates of one interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rates {
    pub(super) start: Duration,
    pub(super) name: Arc<str>,
    pub(super) instance: Option<Arc<str>>,
    pub(super) calls: f64,
    pub(super) failures: f64,
    pub(super) p50: Option<Duration>,
    pub(super) p99: Option<Duration>,
}

impl FromStr for Mapping {
    type Err = MappingError;

    fn from_str(text: &str) -> Result<Self, MappingError> {
        let mut mapping = Self::default();
        for pair in split(text)? {
            let (key, field) = pair.split_once('=').ok_or_else(|| {
                MappingError(format!(
                    "`{pair}` is no pair of a key and a field: key=field"
                ))
            })?;
            mapping.add(key.trim(), field.trim())?;
        }
        if mapping.time.is_none() {
            return Err(MappingError(
                "the mapping does not say when a call started: time=FIELD".to_owned(),
            ));
        }
        Ok(mapping)
    }
}

impl Mapping {
    /// Imports only lines for which `condition` holds, such as `metric_name=http_req_duration`. Several
    /// conditions must all hold.
    ///
    /// # Errors
    ///
    /// A condition that is neither a comparison nor a field.
    pub fn only(mut self, condition: &str) -> Result<Self, MappingError> {
        let fields = &mut self.fields;
        let only = Predicate::parse(unquoted(condition), |field| index_of(fields, field))?;
        self.only.push(only);
        Ok(self)
    }

    fn add(&mut self, key: &str, text: &str) -> Result<(), MappingError> {
        let field = unquoted(text);
        if field.is_empty() {
            return Err(MappingError(format!("`{key}` names no field")));
        }
        let fields = &mut self.fields;
        let twice = match key {
            "time" | "end" => {
                let (unit, field) = split_format(field);
                let time = TimeField {
                    field: index_of(fields, field),
                    format: unit,
                    is_end: key == "end",
                };
                self.time.replace(time).is_some()
            }
            "ok" => {
                let ok = Predicate::parse(field, |field| index_of(fields, field))?;
                self.ok.push(ok);
                false
            }
            "name" => {
                let fixed = text
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'));
                let name = match fixed {
                    Some(fixed) => Name::Fixed(fixed.into()),
                    None => Name::Field(index_of(fields, field)),
                };
                self.name.replace(name).is_some()
            }
            "duration" => replace_unit(&mut self.duration, fields, field),
            "p50" => replace_unit(&mut self.rates.p50, fields, field),
            "p99" => replace_unit(&mut self.rates.p99, fields, field),
            "outcome" => replace(&mut self.outcome, fields, field),
            "instance" => replace(&mut self.instance, fields, field),
            "error" => replace(&mut self.error, fields, field),
            "request" => replace(&mut self.request, fields, field),
            "calls" => replace(&mut self.rates.calls, fields, field),
            "failures" => replace(&mut self.rates.failures, fields, field),
            _ => {
                return Err(MappingError(format!(
                    "`{key}` is no key of a mapping: use time, end, duration, ok, outcome, name, instance, error, \
                     request, calls, failures, p50 or p99"
                )));
            }
        };
        if twice {
            return Err(MappingError(format!("`{key}` occurs twice")));
        }
        Ok(())
    }

    /// Returns the names of the fields. Their indices are those of the values of a line.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    pub(super) fn has_instance(&self) -> bool {
        self.instance.is_some()
    }

    /// Checks that lines can be read as calls.
    pub(super) fn check_calls(&self) -> Result<(), MappingError> {
        let text = match (self.ok.is_empty(), self.outcome) {
            _ if self.rates != RateFields::default() => {
                "calls, failures, p50 and p99 belong to a source of rates"
            }
            (true, None) => {
                "the mapping does not say which calls succeeded: ok='status<500', or outcome=FIELD"
            }
            (false, Some(_)) => "the mapping has both `ok` and `outcome`",
            _ => return Ok(()),
        };
        Err(MappingError(text.to_owned()))
    }

    /// Checks that lines can be read as rates.
    pub(super) fn check_rates(&self) -> Result<(), MappingError> {
        let rates = &self.rates;
        let text = if rates.calls.is_none() || rates.failures.is_none() {
            "a source of rates needs the calls and failures of each interval: calls=FIELD,failures=FIELD"
        } else if !self.ok.is_empty() || self.outcome.is_some() || self.duration.is_some() {
            "ok, outcome and duration belong to a source of single calls"
        } else if rates.p99.is_some() && rates.p50.is_none() {
            "p99 needs p50, too"
        } else if self.time.is_some_and(|time| time.is_end) {
            "the time of rates is the start of their interval: time=FIELD"
        } else {
            return Ok(());
        };
        Err(MappingError(text.to_owned()))
    }

    /// Returns `true` if the conditions of [`only`](Self::only) hold.
    pub(super) fn includes(&self, values: &[Value<'_>]) -> bool {
        self.only
            .iter()
            .all(|only| only.holds(values) == Some(true))
    }

    /// Returns the call of a line, and when the line was written.
    pub(super) fn call(
        &self,
        values: &[Value<'_>],
        names: &mut Names,
    ) -> Result<(Duration, Call), BadReason> {
        let (time, is_end) = self.time(values)?;
        let duration = self.optional_time(self.duration, values)?;
        let start = match duration {
            Some(duration) if is_end => time.saturating_sub(duration),
            _ => time,
        };
        let text = |field: Option<usize>| values.get(field?)?.as_text();
        let instance = text(self.instance).map(|text| names.intern(&text));
        let error = text(self.error).map(|text| names.intern(label(&text)));
        let call = Call {
            start,
            name: self.name(values, names)?,
            instance,
            duration,
            outcome: self.outcome(values)?,
            error,
            request: text(self.request).map(Arc::from),
        };
        Ok((time, call))
    }

    /// Returns the rates of a line.
    pub(super) fn rates(
        &self,
        values: &[Value<'_>],
        names: &mut Names,
    ) -> Result<Rates, BadReason> {
        let number = |field: Option<usize>| {
            let field = field.unwrap_or(usize::MAX);
            let number = values.get(field).and_then(Value::as_number);
            let valid = number.filter(|number| number.is_finite() && *number >= 0.0);
            valid.ok_or_else(|| self.bad("no number", field))
        };
        let (calls, failures) = (number(self.rates.calls)?, number(self.rates.failures)?);
        if failures > calls {
            return Err(BadReason::from("more failures than calls"));
        }
        let instance = self.instance.and_then(|field| values.get(field)?.as_text());
        Ok(Rates {
            start: self.time(values)?.0,
            name: self.name(values, names)?,
            instance: instance.map(|text| names.intern(&text)),
            calls,
            failures,
            p50: self.optional_time(self.rates.p50, values)?,
            p99: self.optional_time(self.rates.p99, values)?,
        })
    }

    /// Returns the time of a line, and whether it is the end of the call.
    fn time(&self, values: &[Value<'_>]) -> Result<(Duration, bool), BadReason> {
        let Some(time) = self.time else {
            return Err(BadReason::from("no time"));
        };
        let value = values.get(time.field);
        let parsed = value.and_then(|value| time.format.parse(value));
        let parsed = parsed.ok_or_else(|| self.bad("no time", time.field))?;
        Ok((parsed, time.is_end))
    }

    /// Returns a duration, or `None` if the field is missing, empty or `-`.
    fn optional_time(
        &self,
        field: Option<UnitField>,
        values: &[Value<'_>],
    ) -> Result<Option<Duration>, BadReason> {
        let Some(UnitField { field, unit }) = field else {
            return Ok(None);
        };
        match values.get(field).unwrap_or(&Value::Missing) {
            Value::Missing => Ok(None),
            Value::Text(text) if matches!(text.trim(), "" | "-") => Ok(None),
            value => match unit.duration(value) {
                Some(duration) => Ok(Some(duration)),
                None => Err(self.bad("no duration", field)),
            },
        }
    }

    fn name(&self, values: &[Value<'_>], names: &mut Names) -> Result<Arc<str>, BadReason> {
        match &self.name {
            None => Ok(names.intern("calls")),
            Some(Name::Fixed(name)) => Ok(name.clone()),
            Some(Name::Field(field)) => {
                let text = values.get(*field).and_then(Value::as_text);
                let text = text.ok_or_else(|| self.bad("no name", *field))?;
                Ok(names.intern(&text))
            }
        }
    }

    fn outcome(&self, values: &[Value<'_>]) -> Result<Outcome, BadReason> {
        if let Some(field) = self.outcome {
            let word = values.get(field).and_then(Value::as_text);
            let outcome = word.and_then(|word| outcome_of(word.trim()));
            return outcome.ok_or_else(|| self.bad("no outcome", field));
        }
        let mut ok = true;
        for condition in &self.ok {
            let holds = condition.holds(values);
            ok &= holds.ok_or_else(|| self.bad("nothing", condition.field))?;
        }
        Ok(if ok {
            Outcome::Success
        } else {
            Outcome::Failure
        })
    }

    fn bad(&self, missing: &str, field: usize) -> BadReason {
        let field = self.fields.get(field).map_or("", String::as_str);
        BadReason::from(format!("{missing} in the field `{field}`"))
    }
}

/// Returns the outcome that a word means.
pub(super) fn outcome_of(word: &str) -> Option<Outcome> {
    Some(match word {
        "success" | "ok" => Outcome::Success,
        "failure" | "fail" | "error" => Outcome::Failure,
        "ignored" => Outcome::Ignored,
        "cancelled" | "canceled" => Outcome::Cancelled,
        "refused" => Outcome::Refused,
        _ => return None,
    })
}

fn replace(place: &mut Option<usize>, fields: &mut Vec<String>, field: &str) -> bool {
    place.replace(index_of(fields, field)).is_some()
}

fn replace_unit(place: &mut Option<UnitField>, fields: &mut Vec<String>, text: &str) -> bool {
    let unit = text.split_once(':');
    let unit = unit.and_then(|(unit, field)| Some((Unit::parse(unit)?, field)));
    let (unit, field) = unit.unwrap_or((Unit::Millis, text));
    let field = index_of(fields, field);
    place.replace(UnitField { field, unit }).is_some()
}

/// Splits `ms:ts` into the format and the field.
fn split_format(text: &str) -> (TimeFormat, &str) {
    let Some((prefix, field)) = text.split_once(':') else {
        return (TimeFormat::Guess, text);
    };
    match (prefix, Unit::parse(prefix)) {
        (_, Some(unit)) => (TimeFormat::Unix(unit), field),
        ("rfc3339", None) => (TimeFormat::Rfc3339, field),
        _ => (TimeFormat::Guess, text),
    }
}

/// Returns the index of a field, which is added if it is new.
fn index_of(fields: &mut Vec<String>, field: &str) -> usize {
    let found = fields.iter().position(|other| other == field);
    found.unwrap_or_else(|| {
        fields.push(field.to_owned());
        fields.len() - 1
    })
}

/// Removes quotes around `text`.
fn unquoted(text: &str) -> &str {
    let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    quoted('\'').or_else(|| quoted('"')).unwrap_or(text)
}

/// Splits at commas outside quotes.
fn split(text: &str) -> Result<Vec<&str>, MappingError> {
    let mut pairs = Vec::new();
    let mut quote = None;
    let mut start = 0;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, ',') => {
                pairs.extend(text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    if quote.is_some() {
        return Err(MappingError(format!("a quote in `{text}` is not closed")));
    }
    pairs.extend(text.get(start..));
    pairs.retain(|pair| !pair.trim().is_empty());
    Ok(pairs)
}
