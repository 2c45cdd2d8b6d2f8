//! The page around the charts of a report.

use super::chart;
use super::escape::escaped;
use super::scale::TimeScale;
use crate::counted::{count, counted};
use crate::figures::Figures;
use crate::nanos::nanos;
use crate::replayed::{CandidateResults, Replayed};
use std::fmt::Write;
use std::time::Duration;

const STYLE: &str = include_str!("style.css");

pub(super) fn page(replayed: &Replayed, title: &str) -> String {
    let title = escaped(title);
    let scale = TimeScale::of(replayed);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    page.push_str("<ul class=\"caveats\">\n");
    for caveat in &replayed.caveats {
        let _ = writeln!(page, "<li>{}</li>", escaped(caveat));
    }
    page.push_str("</ul>\n");
    figures(&mut page, replayed);
    outages(&mut page, replayed, scale);
    page.push_str("<h2>Traffic</h2>\n<p class=\"legend\"><i class=\"calls\"></i>calls per second ");
    page.push_str("<i class=\"bad\"></i>bad calls <i class=\"outage\"></i>outage</p>\n");
    page.push_str(&chart::traffic(replayed, scale));
    page.push_str("<h2>Candidates</h2>\n<p class=\"legend\"><i class=\"closed\"></i>closed ");
    page.push_str("<i class=\"open\"></i>open <i class=\"half-open\"></i>half-open ");
    page.push_str(
        "<i class=\"saved\"></i>bad calls refused <i class=\"wrong\"></i>good calls refused; ",
    );
    page.push_str("a line marks the detection of an outage</p>\n");
    for results in &replayed.candidates {
        let label = escaped(&results.label);
        let _ = writeln!(page, "<section>\n<h3>{label}</h3>");
        page.push_str(&chart::candidate(results, replayed, scale));
        page.push_str("</section>\n");
    }
    page.push_str("</body>\n</html>\n");
    page
}

/// Writes the figures of all candidates as a table.
fn figures(page: &mut String, replayed: &Replayed) {
    let calls = counted(replayed.calls, "call");
    let breakers = counted(replayed.breakers as u64, "breaker");
    let _ = writeln!(
        page,
        "<p>{calls}, {breakers}.</p>\n<div class=\"wide\">\n<table>\n<thead><tr><th>"
    );
    page.push_str("candidate</th><th>net</th><th>detected after</th><th>bad let through</th>");
    page.push_str("<th>bad refused</th><th>good refused inside</th><th>good refused outside</th>");
    page.push_str(
        "<th>closed after</th><th>failed trials</th><th>flaps</th><th>waiting saved</th>",
    );
    page.push_str("</tr></thead>\n<tbody>\n");
    for results in &replayed.candidates {
        row(page, results, replayed.wrong_refusal_costs);
    }
    let cost = replayed.wrong_refusal_costs;
    let times = if (cost - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!("{cost} times ")
    };
    let of = if replayed.outages.is_empty() {
        "all calls"
    } else {
        "the calls in outages"
    };
    let _ = writeln!(
        page,
        "</tbody>\n</table>\n</div>\n<p class=\"note\">Net: the bad calls refused minus {times}the good calls \
         refused, in per cent of {of}; the least and the greatest value of all shifts in parentheses. \
         Inside and outside: of outages.</p>"
    );
}

fn row(page: &mut String, results: &CandidateResults, cost: f64) {
    let net = results.spread(|figures| figures.net_percent(cost));
    let [least, median, most] = [net.min, net.median, net.max].map(|net| net.round() + 0.0);
    let figures = results.figures();
    let label = escaped(&results.label);
    let _ = writeln!(
        page,
        "<tr><th scope=\"row\">{label}</th><td>{median} % ({least} to {most})</td>{}</tr>",
        cells(&figures)
    );
    if let Some((succeed, fail)) = &results.bounds {
        for (how, figures) in [("all succeed", succeed), ("all fail", fail)] {
            let net = figures.net_percent(cost).round() + 0.0;
            let _ = writeln!(
                page,
                "<tr class=\"bound\"><th scope=\"row\">if unknown calls {how}</th><td>{net} %</td>{}</tr>",
                cells(figures)
            );
        }
    }
}

fn cells(figures: &Figures) -> String {
    let only_if = |applies: bool, text: String| if applies { text } else { "-".to_owned() };
    let texts = [
        only_if(figures.outage_calls > 0, time(figures.detected)),
        count(figures.bad_admitted),
        count(figures.bad_refused),
        count(figures.good_refused_inside),
        count(figures.good_refused_outside),
        only_if(figures.openings > 0, time(figures.recovered)),
        count(figures.failed_trials),
        count(figures.flaps),
        time(figures.busy_saved),
    ];
    texts.map(|text| format!("<td>{text}</td>")).concat()
}

fn time(time: Duration) -> String {
    match time {
        Duration::MAX => "never".to_owned(),
        Duration::ZERO => "0 s".to_owned(),
        time if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        time => format!("{:.1} s", time.as_secs_f64()),
    }
}

fn outages(page: &mut String, replayed: &Replayed, scale: TimeScale) {
    if replayed.outages.is_empty() {
        return;
    }
    page.push_str("<h2>Outages</h2>\n<table>\n<thead><tr><th>of</th><th>from</th><th>until</th>");
    page.push_str("<th>length</th></tr></thead>\n<tbody>\n");
    for outage in &replayed.outages {
        let name = escaped(outage.name.as_deref().unwrap_or("all names"));
        let [from, until] = [outage.start, outage.end].map(|at| scale.text(nanos(at)));
        let length = time(outage.end.saturating_sub(outage.start));
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\">{name}</th><td>{from}</td><td>{until}</td><td>{length}</td></tr>"
        );
    }
    page.push_str("</tbody>\n</table>\n");
}
