//! [`Pattern`]: lines that consist of variables and the text between them.

use super::error::FormatError;
use memchr::memmem::Finder;

/// The pattern of lines that consist of variables and the text between them.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    /// The text before the first variable.
    start: String,
    parts: Vec<Part>,
}

/// A variable of a format, and the text after it.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// The name, as the format writes it.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) after: String,
}

/// How the end of a variable is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// May contain quotes after a backslash.
    Escaped,
    /// May contain `, ` and ` : `.
    List,
    /// 26 bytes with a space.
    LocalTime,
    /// May have a space between date and time, as other servers write it.
    DateTime,
}

#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    /// `None` for the last variable of a line.
    after: Option<Finder<'static>>,
}

impl Pattern {
    /// Creates a pattern. Spaces at the end of lines are no part of it.
    pub(super) fn new(start: &str, variables: &[Variable]) -> Result<Self, FormatError> {
        let mut parts = Vec::with_capacity(variables.len());
        for (at, variable) in variables.iter().enumerate() {
            let next = variables.get(at + 1);
            let after = match next {
                Some(_) => &variable.after,
                None => variable.after.trim_end(),
            };
            if let Some(next) = next.filter(|_| after.is_empty()) {
                return Err(FormatError(format!(
                    "there must be text between {} and the variable before it",
                    next.name
                )));
            }
            let after = (!after.is_empty()).then(|| Finder::new(after.as_bytes()).into_owned());
            parts.push(Part {
                kind: variable.kind,
                after,
            });
        }
        if parts.is_empty() {
            return Err(FormatError("the log format has no variables".to_owned()));
        }
        Ok(Self {
            start: start.to_owned(),
            parts,
        })
    }

    /// Returns the texts of the variables of a line, or `None` if the line does not have this pattern.
    pub(super) fn capture<'a>(&self, line: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let mut texts = Vec::with_capacity(self.parts.len());
        let mut rest = line.strip_prefix(self.start.as_bytes())?;
        for part in &self.parts {
            let (text, after) = rest.split_at_checked(part.end(rest)?)?;
            let skipped = part.after.as_ref().map_or(0, |after| after.needle().len());
            rest = after.get(skipped..)?;
            texts.push(text);
        }
        Some(texts)
    }
}

impl Part {
    /// Returns where the variable ends in `rest`, which begins with it.
    fn end(&self, rest: &[u8]) -> Option<usize> {
        let Some(after) = &self.after else {
            return Some(rest.len());
        };
        match self.kind {
            Kind::Plain => after.find(rest),
            Kind::Escaped => {
                let is_escaped = |at: usize| {
                    let before = rest.get(..at).unwrap_or_default().iter().rev();
                    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
                };
                after.find_iter(rest).find(|at| !is_escaped(*at))
            }
            Kind::DateTime => {
                const DATE: usize = "2026-03-01".len();
                // Ten digits are seconds since the epoch, after which the time ends.
                let is_date = rest.get(4) == Some(&b'-');
                let from = if is_date && rest.get(DATE) == Some(&b' ') {
                    DATE + 1
                } else {
                    0
                };
                Some(from + after.find(rest.get(from..)?)?)
            }
            Kind::LocalTime => {
                let (_, after_time) = rest.split_at_checked(26)?;
                after_time.starts_with(after.needle()).then_some(26)
            }
            Kind::List => {
                let in_list = |at: usize| {
                    let before = rest.get(..at).unwrap_or_default();
                    let behind = rest.get(at..).unwrap_or_default();
                    before.ends_with(b",")
                        || before.ends_with(b" :")
                        || behind.starts_with(b", ")
                        || behind.starts_with(b" : ")
                };
                after.find_iter(rest).find(|at| !in_list(*at))
            }
        }
    }
}
