//! Tables that fit the terminal, in the styles that it shows.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table, presets};
use std::fmt::Write;
use std::{env, io};

/// Creates a table without lines.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    table_of(header.map(|title| heading(&escaped(title))))
}

/// Creates a table whose header has cells of [`heading`].
pub(crate) fn table_of(header: impl IntoIterator<Item = Cell>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Writes a table to standard output or standard error, without spaces at the ends of lines.
///
/// In a terminal, long cells are wrapped to its width. Each of the two streams is a terminal or not, and
/// shows styles or not, whatever the other one is.
pub(crate) fn print(out: &mut dyn RawStream, mut table: Table) -> io::Result<()> {
    // The table would ask standard output, whatever it is written to.
    table.force_no_tty();
    if let Some(columns) = columns(out) {
        table.set_width(columns);
    }
    if AutoStream::choice(&out) != ColorChoice::Never {
        table.enforce_styling();
        table.style_text_only();
    }
    let lines = table.lines().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", line.trim_end());
        text
    });
    out.write_all(lines.as_bytes())
}

/// Returns the width of the terminal that `out` is. Otherwise, `COLUMNS` alone says how wide a table may
/// be.
fn columns(out: &dyn RawStream) -> Option<u16> {
    let stated = || env::var("COLUMNS").ok()?.parse().ok();
    if !out.is_terminal() {
        return stated();
    }
    let size = terminal_size::terminal_size();
    size.map(|(width, _)| width.0).or_else(stated).or(Some(80))
}

/// Creates a cell of a header. The title may have several lines, and is not escaped.
pub(crate) fn heading(title: &str) -> Cell {
    Cell::new(title).add_attribute(Attribute::Bold)
}

/// Creates a cell for a number.
pub(crate) fn right(text: impl AsRef<str>) -> Cell {
    cell(text).set_alignment(CellAlignment::Right)
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
