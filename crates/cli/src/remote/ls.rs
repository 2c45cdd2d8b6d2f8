//! `breakerbox ls`: lists the breakers.

use super::answer::{Breakers, Row};
use super::client::{Client, ClientError};
use super::time::span;
use crate::arguments::Panel;
use crate::exit::Exit;
use crate::table::{cell, escaped, print, right, state_cell, table};
use serde_json::Value;
use std::io::{self, Write};

/// Which breakers are listed, and in which order.
pub(super) struct Filter {
    pub(super) name: Option<String>,
    pub(super) state: Option<String>,
    pub(super) sort: String,
}

pub(super) fn run(
    panel: &Panel,
    filter: &Filter,
    json: bool,
) -> Result<Exit, Box<dyn std::error::Error>> {
    let client = Client::new(panel)?;
    let answer = all_pages(&client, filter)?;
    let breakers: Breakers = client.part(&answer)?;
    if json {
        writeln!(io::stdout(), "{answer:#}")?;
    } else {
        print_table(&breakers)?;
    }
    Ok(Exit::open_if(breakers.rows.iter().any(Row::is_open)))
}

/// Returns the first page, with the rows of all pages.
fn all_pages(client: &Client, filter: &Filter) -> Result<Value, ClientError> {
    let mut query = vec![("limit", "200"), ("sort", &*filter.sort)];
    query.extend(filter.name.as_deref().map(|name| ("q", name)));
    query.extend(filter.state.as_deref().map(|state| ("state", state)));
    let mut answer: Value = client.get("breakers", &query)?;
    let mut after = client.part::<Breakers>(&answer)?.after;
    while let Some(cursor) = after {
        let mut next = query.clone();
        next.push(("after", &cursor));
        let mut page: Value = client.get("breakers", &next)?;
        let following = client.part::<Breakers>(&page)?.after;
        after = following.filter(|following| *following != cursor);
        if let (Some(Value::Array(rows)), Some(Value::Array(more))) =
            (answer.get_mut("rows"), page.get_mut("rows"))
        {
            rows.append(more);
        }
    }
    if let Some(after) = answer.get_mut("after") {
        *after = Value::Null;
    }
    Ok(answer)
}

fn print_table(breakers: &Breakers) -> io::Result<()> {
    let mut rows = table([
        "name",
        "state",
        "for",
        "ok/s",
        "failing/s",
        "refused/s",
        "cause",
    ]);
    for row in &breakers.rows {
        let rate = |rate: Option<f64>| {
            let text = rate.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
            right(text)
        };
        rows.add_row([
            cell(&row.name),
            state_cell(&row.state),
            right(span(breakers.at.saturating_sub(row.since))),
            rate(row.success_per_s),
            rate(Some(row.failing_per_s)),
            rate(Some(row.refused_per_s)),
            cell(row.cause.as_deref().unwrap_or_default()),
        ]);
    }
    if !breakers.rows.is_empty() {
        print(&mut io::stdout(), rows)?;
        writeln!(io::stdout())?;
    }
    let states = breakers.by_state.iter().filter(|(_, count)| **count > 0);
    let states: Vec<_> = states
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let instance = escaped(&breakers.instance);
    writeln!(
        io::stdout(),
        "{} shown; {} at {instance}",
        breakers.matched,
        if states.is_empty() {
            "no breakers".to_owned()
        } else {
            states.join(", ")
        },
    )
}
