//! Tables that fit the terminal.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use std::io::{self, IsTerminal};
use std::{env, fmt::Write};

/// Creates a table without lines. In a terminal, long cells are wrapped to its width.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !colours() {
        table.force_no_tty();
        // Without a terminal, `COLUMNS` alone says how wide the table may be.
        let columns = env::var("COLUMNS")
            .ok()
            .and_then(|width| width.parse().ok());
        if let Some(columns) = columns.or_else(|| io::stdout().is_terminal().then_some(80)) {
            table.set_width(columns);
        }
    }
    table.set_header(header.map(|title| cell(title).add_attribute(Attribute::Bold)));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Writes a table to standard output, without spaces at the ends of lines.
pub(crate) fn print(table: &Table) -> io::Result<()> {
    print_to(&mut io::stdout(), table)
}

/// Writes a table, without spaces at the ends of lines.
pub(crate) fn print_to(out: &mut dyn io::Write, table: &Table) -> io::Result<()> {
    let lines = table.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    });
    out.write_all(lines.as_bytes())
}

/// Creates a cell. Names and texts of errors may come from users, so control characters are escaped.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    Cell::new(escaped(text.as_ref()))
}

/// Creates a cell for a state, in its colour.
pub(crate) fn state_cell(state: &str) -> Cell {
    let cell = cell(state);
    match state {
        "open" | "forced_open" => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        "half_open" => cell.fg(Color::Yellow),
        "closed" => cell.fg(Color::Green),
        _ => cell.fg(Color::Blue),
    }
}

/// Escapes control and invisible characters, which could be commands for the terminal.
pub(crate) fn escaped(text: &str) -> String {
    breakerbox::Escaped(text).to_string()
}

/// Returns `true` if standard output is a terminal, and `NO_COLOR` is not set (see no-color.org).
fn colours() -> bool {
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}
