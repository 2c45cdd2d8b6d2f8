//! [`Results`]: the results of a replay, as a table, as JSON and as a report.

use super::arguments::CandidateArguments;
use super::model::Modelled;
use crate::table::{cell, escaped, heading, print, right, table, table_of};
use crate::values::{count, counted, rounded, time, wrapped};
use anstream::stream::RawStream;
use breakerbox_replay::{CandidateResults, Figures, Replayed};
use comfy_table::{Cell, Table};
use serde_json::{Value, json};
use std::fs;
use std::io;

/// The results of a replay, and what is shown of them.
pub(crate) struct Results<'a> {
    pub(crate) replayed: Replayed,
    pub(crate) model: Option<Modelled>,
    /// The title of the report.
    pub(crate) title: String,
    pub(crate) how: &'a CandidateArguments,
}

impl Results<'_> {
    /// Writes what must be known before the figures are believed.
    pub(crate) fn print_caveats(&self, out: &mut dyn RawStream) -> io::Result<()> {
        for caveat in &self.replayed.caveats {
            writeln!(out, "{}", wrapped("note: ", "  ", &escaped(caveat)))?;
        }
        writeln!(out)
    }

    pub(crate) fn print(&self, out: &mut dyn RawStream) -> io::Result<()> {
        let mut rows = figures_table("candidate");
        for results in &self.replayed.candidates {
            let mut row = vec![cell(&results.label)];
            row.extend(self.net(results));
            row.extend(cells(&results.figures()));
            rows.add_row(row);
            if let Some((succeed, fail)) = &results.bounds {
                for (label, figures) in [
                    ("  if unknown succeed", succeed),
                    ("  if unknown fail", fail),
                ] {
                    let net = rounded(figures.net_percent(self.how.wrong_refusal_costs));
                    let mut row = vec![Cell::new(label), right(net), cell("")];
                    row.extend(cells(figures));
                    rows.add_row(row);
                }
            }
        }
        print(out, rows)?;
        let cost = self.how.wrong_refusal_costs;
        let of = if self.replayed.outages.is_empty() {
            "all calls"
        } else {
            "the calls in outages"
        };
        let good = if (cost - 1.0).abs() < f64::EPSILON {
            "the good calls refused".to_owned()
        } else {
            format!("{cost} times the good calls refused")
        };
        let net = format!("bad calls refused minus {good}, in % of {of}; 0 without a breaker");
        let runs = counted(self.how.shifts.into(), "run");
        writeln!(out, "\n{}", wrapped("net: ", "  ", &net))?;
        writeln!(
            out,
            "range: of {runs} with slightly other recovery times; net is their median"
        )?;
        writeln!(
            out,
            "good refused: in outages; good outside: at other times"
        )?;
        writeln!(
            out,
            "opened after, closed after: of the outage that took longest"
        )?;
        if self.how.by_name {
            self.print_names(out)?;
        }
        self.print_model(out)
    }

    /// Returns the net figure, and its range over all shifts.
    fn net(&self, results: &CandidateResults) -> [Cell; 2] {
        let cost = self.how.wrong_refusal_costs;
        let net = results.spread(|figures| figures.net_percent(cost));
        let [least, middle, greatest] = [net.min, net.median, net.max].map(rounded);
        [middle, format!("{least}..{greatest}")].map(right)
    }

    fn print_names(&self, out: &mut dyn RawStream) -> io::Result<()> {
        for results in &self.replayed.candidates {
            let label = escaped(&results.label);
            writeln!(out)?;
            let mut rows = figures_table(&label);
            for (name, figures) in &results.names {
                let net = rounded(figures.net_percent(self.how.wrong_refusal_costs));
                let mut row = vec![cell(name), right(net), cell("")];
                row.extend(cells(figures));
                rows.add_row(row);
            }
            print(out, rows)?;
        }
        Ok(())
    }

    fn print_model(&self, out: &mut dyn RawStream) -> io::Result<()> {
        let Some(modelled) = &self.model else {
            return Ok(());
        };
        writeln!(
            out,
            "\nClosed-loop model: a server that returns cold, not the traffic above\n"
        )?;
        let mut rows = table([
            "candidate",
            "failed",
            "refused",
            "opened",
            "good again after",
        ]);
        for (label, figures) in modelled {
            rows.add_row([
                cell(label),
                right(count(figures.failed)),
                right(count(figures.refused)),
                right(count(figures.opened)),
                right(time(figures.good_again_after)),
            ]);
        }
        print(out, rows)
    }

    /// Returns the results, next to those of the import.
    pub(crate) fn to_json(&self, traffic: &Value) -> Value {
        let cost = self.how.wrong_refusal_costs;
        let net = self.replayed.candidates.iter().map(|results| {
            let net = results.spread(|figures| figures.net_percent(cost));
            json!({ "label": &*results.label, "least": net.min, "median": net.median, "greatest": net.max })
        });
        let mut json = json!({
            "traffic": traffic,
            "wrong_refusal_costs": cost,
            "net_percent": net.collect::<Vec<_>>(),
            "replayed": self.replayed,
        });
        if let (Some(modelled), Some(json)) = (&self.model, json.as_object_mut()) {
            let model = modelled
                .iter()
                .map(|(label, figures)| json!({ "label": label, "figures": figures }));
            json.insert("closed_loop".to_owned(), model.collect());
        }
        json
    }

    /// Writes the report, if one is wanted.
    pub(crate) fn write_report(&self) -> Result<(), String> {
        let Some(path) = &self.how.report else {
            return Ok(());
        };
        let page = self.replayed.to_html(&self.title);
        fs::write(path, page)
            .map_err(|error| format!("{}: {error}", escaped(&path.to_string_lossy())))
    }
}

/// Creates a table for figures, which is narrower than 80 columns unless a name is long.
fn figures_table(title: &str) -> Table {
    let mut rows = table_of(
        [&*escaped(title), "net %", "range"]
            .into_iter()
            .chain(TITLES)
            .map(heading),
    );
    let last = TITLES.len() + 2;
    for (at, column) in rows.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last { 0 } else { 2 }));
    }
    rows
}

/// The titles of [`cells`].
const TITLES: [&str; 6] = [
    "opened\nafter",
    "bad\nthrough",
    "bad\nrefused",
    "good\nrefused",
    "good\noutside",
    "closed\nafter",
];

fn cells(figures: &Figures) -> [Cell; 6] {
    let only_if = |applies: bool, text: String| if applies { text } else { "-".to_owned() };
    [
        only_if(figures.outage_calls > 0, time(figures.detected)),
        count(figures.bad_admitted),
        count(figures.bad_refused),
        count(figures.good_refused_inside),
        count(figures.good_refused_outside),
        only_if(figures.openings > 0, time(figures.recovered)),
    ]
    .map(right)
}
