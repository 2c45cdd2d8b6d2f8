//! `breakerbox show`: shows one breaker.

use super::answer::Breaker;
use super::client::Client;
use super::events::print_entries;
use super::time::span;
use crate::arguments::Panel;
use crate::exit::Exit;
use crate::table::{cell, print, state_cell, table};
use serde_json::Value;
use std::io::{self, Write};

pub(super) fn run(
    panel: &Panel,
    name: &str,
    json: bool,
) -> Result<Exit, Box<dyn std::error::Error>> {
    let client = Client::new(panel)?;
    let answer: Value = client.get("breaker", &[("name", name)])?;
    let breaker: Breaker = client.part(&answer)?;
    if json {
        writeln!(io::stdout(), "{answer:#}")?;
    } else {
        print_breaker(&breaker)?;
    }
    Ok(Exit::open_if(breaker.row.is_open()))
}

fn print_breaker(breaker: &Breaker) -> io::Result<()> {
    let row = &breaker.row;
    let mut out = io::stdout();
    let mut facts = table(["breaker", &row.name]);
    facts.add_row([cell("state"), state_cell(&row.state)]);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.add_row([cell(name), cell(value)]);
        }
    };
    fact("for", Some(span(breaker.at.saturating_sub(row.since))));
    let left = row.open_until.map(|until| until.saturating_sub(breaker.at));
    fact("open for another", left.map(span));
    fact("cause", row.cause.clone());
    fact("last failure", row.last_failure.clone());
    let succeeding = row.success_per_s.map(|rate| format!("{rate:.1} ok, "));
    let calls = format!(
        "{}{:.1} failing, {:.1} refused",
        succeeding.unwrap_or_default(),
        row.failing_per_s,
        row.refused_per_s
    );
    fact("calls per second", Some(calls));
    fact("instance", Some(breaker.instance.clone()));
    print(&mut out, facts)?;

    writeln!(out)?;
    let mut rules = table(["rule", "recorded", "failed", "slow", "rate"]);
    for rule in &breaker.rules {
        let rate = rule.rate.map(|rate| format!("{:.0} %", 100.0 * rate));
        rules.add_row([
            cell(&rule.text),
            cell(rule.recorded.to_string()),
            cell(rule.failed.to_string()),
            cell(rule.slow.to_string()),
            cell(rate.unwrap_or_default()),
        ]);
    }
    print(&mut out, rules)?;

    writeln!(out)?;
    let mut settings = table(["setting", "value", "from"]);
    for setting in &breaker.settings {
        settings.add_row([&setting.name, &setting.value, &setting.from].map(cell));
    }
    print(&mut out, settings)?;

    if !breaker.events.is_empty() {
        writeln!(out)?;
        print_entries(&breaker.events)?;
    }
    Ok(())
}
