//! Queries: what a request asks for, from closed lists.

use breakerbox::State;
use std::borrow::Cow;

/// The longest query of a request, in bytes.
const LONGEST_QUERY: usize = 4_096;
/// The longest name of a breaker, in bytes.
const LONGEST_NAME: usize = 256;
/// The most rows of an answer.
pub(crate) const MOST_ROWS: usize = 200;

/// All states, from the most to the least remarkable. Rows are sorted by state in this order.
pub(crate) const STATES: [State; 6] = [
    State::Open,
    State::HalfOpen,
    State::ForcedOpen,
    State::MetricsOnly,
    State::Disabled,
    State::Closed,
];

/// Which breakers a viewer looks at, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// A part of the name, [folded].
    pub(crate) text: String,
    /// The states, as positions in [`STATES`]; all if empty.
    pub(crate) states: Vec<usize>,
    pub(crate) sort: Sort,
    pub(crate) reversed: bool,
    pub(crate) limit: usize,
    /// The last name of the page before.
    pub(crate) after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Name,
    State,
    Since,
    Failing,
    Refused,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            text: String::new(),
            states: Vec::new(),
            sort: Sort::Name,
            reversed: false,
            limit: MOST_ROWS,
            after: None,
        }
    }
}

/// Returns the position of `state` in [`STATES`]. States of later versions of the library count as
/// closed.
pub(crate) fn rank(state: State) -> usize {
    let found = STATES.iter().position(|known| *known == state);
    found.unwrap_or(STATES.len() - 1)
}

impl Filter {
    /// Reads a filter. Parameters that are not known are ignored.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, String> {
        let mut filter = Self::default();
        for (key, value) in parameters(query)? {
            match &*key {
                "q" if value.len() > LONGEST_NAME => {
                    return Err("`q` must have at most 256 bytes".to_owned());
                }
                "q" => filter.text = folded(&value),
                "state" => filter.states = states(&value)?,
                "sort" => (filter.sort, filter.reversed) = sort(&value)?,
                "limit" => {
                    let limit = value.parse().ok();
                    let limit = limit.filter(|limit| (1..=MOST_ROWS).contains(limit));
                    filter.limit = limit.ok_or("`limit` must be a number from 1 to 200")?;
                }
                "after" => filter.after = Some(value.into_owned()).filter(|name| !name.is_empty()),
                _ => {}
            }
        }
        Ok(filter)
    }
}

/// Returns `text` without differences of case.
///
/// `str::to_lowercase` depends on the next character: the last sigma of a Greek word is another one.
/// A part of a name may end within a word.
pub(crate) fn folded(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

fn states(value: &str) -> Result<Vec<usize>, String> {
    let names = value.split(',').filter(|name| !name.is_empty());
    let mut states = Vec::new();
    for name in names {
        let state = STATES.iter().position(|state| state.as_str() == name);
        let state = state.ok_or(
            "`state` must be a list of open, half_open, forced_open, metrics_only, disabled and closed",
        )?;
        if !states.contains(&state) {
            states.push(state);
        }
    }
    states.sort_unstable();
    Ok(states)
}

fn sort(value: &str) -> Result<(Sort, bool), String> {
    let (name, reversed) = match value.strip_prefix('-') {
        Some(name) => (name, true),
        None => (value, false),
    };
    let sort = match name {
        "name" => Sort::Name,
        "state" => Sort::State,
        "since" => Sort::Since,
        "failing" => Sort::Failing,
        "refused" => Sort::Refused,
        _ => {
            let allowed = "`sort` must be name, state, since, failing or refused, or one of them after a \
                           minus sign";
            return Err(allowed.to_owned());
        }
    };
    Ok((sort, reversed))
}

/// Returns the value of the parameter `key`.
pub(crate) fn parameter(query: Option<&str>, key: &str) -> Result<Option<String>, String> {
    let found = parameters(query)?.into_iter().find(|(name, _)| name == key);
    Ok(found.map(|(_, value)| value.into_owned()))
}

/// A key and its value.
type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

fn parameters(query: Option<&str>) -> Result<Vec<Parameter<'_>>, String> {
    let query = query.unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return Err("the query must have at most 4,096 bytes".to_owned());
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key)?, decode(value)?))
    });
    let decoded: Option<Vec<_>> = decoded.collect();
    decoded.ok_or_else(|| "the query must be UTF-8 in percent-encoding".to_owned())
}

/// Decodes `application/x-www-form-urlencoded` text. Returns `None` if the text is malformed.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                let byte = digit(high)? * 16 + digit(low)?;
                (u8::try_from(byte).ok()?, tail)
            }
            (b'%', _) => return None,
            (b'+', tail) => (b' ', tail),
            (byte, tail) => (*byte, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_reads_all_parameters() {
        let query =
            "q=Users%2FA+b&state=open,closed,open&sort=-failing&limit=7&after=a%26b&other=1";
        let filter = Filter::parse(Some(query)).expect("valid");
        let expected = Filter {
            text: "users/a b".to_owned(),
            states: vec![0, 5],
            sort: Sort::Failing,
            reversed: true,
            limit: 7,
            after: Some("a&b".to_owned()),
        };
        assert_eq!(filter, expected);
        assert_eq!(Filter::parse(None), Ok(Filter::default()));
        assert_eq!(
            Filter::parse(Some("q=&state=&after=")),
            Ok(Filter::default())
        );
    }

    #[test]
    fn filter_refuses_values_outside_its_lists() {
        let long = format!("q={}", "x".repeat(257));
        let huge = format!("x={}", "x".repeat(5_000));
        for (query, word) in [
            ("sort=size", "`sort`"),
            ("sort=--name", "`sort`"),
            ("sort=", "`sort`"),
            ("state=broken", "`state`"),
            ("limit=0", "`limit`"),
            ("limit=201", "`limit`"),
            ("limit=-1", "`limit`"),
            ("q=%zz", "UTF-8"),
            ("q=%ff", "UTF-8"),
            ("q=%", "UTF-8"),
            (&long, "`q`"),
            (&huge, "4,096"),
        ] {
            let error = Filter::parse(Some(query)).expect_err(query);
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn rank_covers_all_states() {
        for (index, state) in STATES.into_iter().enumerate() {
            assert_eq!(rank(state), index);
        }
    }

    #[test]
    fn parameter_decodes_any_name() {
        let name = "<img src=x onerror=\"1\">\n\u{202e}&=%+";
        let encoded = name
            .bytes()
            .fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
        let found = parameter(Some(&format!("a=1&name={encoded}")), "name");
        assert_eq!(found, Ok(Some(name.to_owned())));
        assert_eq!(parameter(Some("a=1"), "name"), Ok(None));
    }
}
