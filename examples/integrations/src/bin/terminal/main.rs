//! Shows the breakers of a registry live in a terminal: state, cause, and a sparkline of calls. The
//! traffic is simulated.
//!
//! ```text
//! cargo run --package breakerbox-examples --bin terminal          # about three seconds
//! cargo run --package breakerbox-examples --bin terminal -- 30    # the same outages, thirty seconds long
//! ```
//!
//! If the output is not a terminal, only the last frame is printed.

mod screen;
mod traffic;

use breakerbox::prelude::*;
use console::Term;
use screen::Screen;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use traffic::services;

const FRAME: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds: f64 = std::env::args()
        .nth(1)
        .map_or(Ok(3.0), |seconds| seconds.parse())?;
    let length = Duration::try_from_secs_f64(seconds.clamp(1.0, 3_600.0))?;
    let registry = BreakerRegistry::new();
    let events = registry.subscribe_changes();

    let mut traffic = JoinSet::new();
    for service in services(length) {
        registry.register(service.name, service.settings.clone())?;
        traffic.spawn(service.run(registry.breaker(service.name), length));
    }
    registry
        .breaker("reports")
        .because("INC-123, maintenance")
        .force_open();

    let mut term = Term::buffered_stdout();
    let mut screen = Screen::new(&registry, events);
    let mut frames = tokio::time::interval(FRAME);
    let begun = Instant::now();
    let live = term.is_term();
    let mut drawn = 0;
    if live {
        term.hide_cursor()?;
    }
    while begun.elapsed() < length {
        frames.tick().await;
        screen.refresh();
        if live {
            drawn = draw(&mut term, &screen, drawn)?;
        }
    }
    traffic.join_all().await;
    screen.refresh();
    draw(&mut term, &screen, drawn)?;
    if live {
        term.show_cursor()?;
        term.flush()?;
    }

    let (calls, refused, changes) = screen.counts();
    println!("{calls} calls, {refused} refused, {changes} changes of state");
    let payments = registry.breaker("payments").snapshot();
    assert!(
        payments.totals.refused > 0,
        "the outage of payments opened no circuit"
    );
    let mail = registry.breaker("mail").snapshot();
    assert_eq!(
        (mail.state, mail.totals.refused),
        (State::MetricsOnly, 0),
        "a metrics-only breaker refuses nothing"
    );
    Ok(())
}

/// Draws a frame over the previous one of `drawn` lines, and returns the number of its lines.
fn draw(term: &mut Term, screen: &Screen, drawn: usize) -> std::io::Result<usize> {
    if drawn > 0 {
        term.move_cursor_up(drawn)?;
        term.clear_to_end_of_screen()?;
    }
    let columns = match term.size_checked() {
        Some((_, columns)) => usize::from(columns),
        None => 120,
    };
    let lines = screen.lines(columns);
    for line in &lines {
        writeln!(term, "{line}")?;
    }
    term.flush()?;
    Ok(lines.len())
}
