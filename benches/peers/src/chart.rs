//! The figures as a picture: one line a row, one dot a contestant, to the left is faster.

use crate::figures::Figures;
use crate::rows::{Column, case};
use std::fmt::Write;

const CASES: [&str; 8] = [
    case::HEALTHY_SYNC,
    case::HEALTHY_ASYNC,
    case::FAILING_SYNC,
    case::REFUSED_SYNC,
    case::REFUSED_ASYNC,
    case::BY_NAME,
    case::COUNT_FAILING_SYNC,
    case::TIME_SYNC,
];

const WIDTH: f64 = 1040.0;
const LEFT: f64 = 340.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 92.0;
const LINE: f64 = 26.0;

/// The axis, in nanoseconds.
const FROM: f64 = 0.5;
const TO: f64 = 2000.0;

/// Distinct for the colour-blind too; ours are the blue ones.
fn colour(column: Column) -> &'static str {
    match column {
        Column::Bare => "#bbbbbb",
        Column::Ours => "#004488",
        Column::Lean => "#33a0ff",
        Column::Recloser => "#ee7733",
        Column::Failsafe => "#009988",
        Column::Breaker => "#cc3311",
        Column::Nobreak => "#ddaa33",
        Column::CircuitbreakerRs => "#aa4499",
        Column::TowerResilience => "#777777",
    }
}

fn x(ns: f64) -> f64 {
    let share = (ns.clamp(FROM, TO) / FROM).log10() / (TO / FROM).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

pub fn svg(figures: &Figures, caption: &str) -> String {
    let rows: Vec<(&str, usize)> = CASES
        .iter()
        .flat_map(|&case| [(case, 1), (case, 2)])
        .filter(|&(case, threads)| figures.ns(case, threads, Column::Ours).is_some())
        .collect();
    let bottom = TOP + LINE * f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX));
    let height = bottom + 62.0;
    let mut out = String::new();
    let mut put = |element: std::fmt::Arguments<'_>| {
        writeln!(out, "{element}").expect("a String takes all");
    };
    put(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">
<rect width="{WIDTH}" height="{height}" fill="white"/>
<text x="16" y="26" font-size="17" font-weight="bold">Nanoseconds of a call, on a logarithmic scale; less is better</text>"#
    ));
    legend(&mut put);
    for tick in [1.0, 10.0, 100.0, 1000.0] {
        let at = x(tick);
        put(format_args!(
            r##"<line x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{bottom}" stroke="#dddddd"/>
<text x="{at:.1}" y="{:.1}" text-anchor="middle" fill="#555555">{tick} ns</text>"##,
            bottom + 18.0
        ));
    }
    let mut y = TOP + LINE / 2.0;
    for (case, threads) in rows {
        let s = if threads == 1 { "" } else { "s" };
        put(format_args!(
            r##"<line x1="{LEFT}" y1="{y}" x2="{:.1}" y2="{y}" stroke="#eeeeee"/>
<text x="{:.1}" y="{:.1}" text-anchor="end">{case}, {threads} thread{s}</text>"##,
            WIDTH - RIGHT,
            LEFT - 12.0,
            y + 4.5
        ));
        // Ours last, so that nothing hides them.
        let (own, others) = (&Column::ALL[1..3], &Column::ALL[3..]);
        for &column in Column::ALL[..1].iter().chain(others).chain(own) {
            if let Some(ns) = figures.ns(case, threads, column) {
                dot(&mut put, column, x(ns), y);
            }
        }
        y += LINE;
    }
    put(format_args!(
        r##"<text x="16" y="{:.1}" font-size="11" fill="#555555">{}</text>
</svg>"##,
        height - 14.0,
        escaped(caption)
    ));
    out
}

fn dot(put: &mut impl FnMut(std::fmt::Arguments<'_>), column: Column, x: f64, y: f64) {
    let fill = colour(column);
    if matches!(column, Column::Ours | Column::Lean) {
        // The one on top is smaller, so that both are seen where they are the same.
        let side = if column == Column::Ours { 14.0 } else { 8.0 };
        let (left, top) = (x - side / 2.0, y - side / 2.0);
        put(format_args!(
            r#"<rect x="{left:.1}" y="{top:.1}" width="{side}" height="{side}" fill="{fill}"/>"#
        ));
    } else {
        put(format_args!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="5" fill="{fill}" fill-opacity="0.85"/>"#
        ));
    }
}

fn legend(put: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    let (mut x, mut y) = (22.0, 50.0);
    for column in Column::ALL {
        let title = column.title();
        let width = 34.0 + 7.2 * f64::from(u32::try_from(title.len()).unwrap_or(0));
        if x + width > WIDTH {
            (x, y) = (22.0, y + 22.0);
        }
        dot(put, column, x, y);
        put(format_args!(
            r#"<text x="{:.1}" y="{:.1}">{title}</text>"#,
            x + 11.0,
            y + 4.5
        ));
        x += width;
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('`', "")
}
