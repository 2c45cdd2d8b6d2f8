//! Progress bars on standard error. Without a terminal there are none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Creates a bar for a number of bytes, if it is known.
pub(crate) fn bytes(label: &'static str, length: Option<u64>) -> ProgressBar {
    let template = match length {
        Some(_) => "{msg:10} [{bar:20}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{msg:10} {bytes}, {bytes_per_sec}",
    };
    bar(label, length, template)
}

/// Creates a bar for seconds of virtual time.
pub(crate) fn seconds(label: &'static str, length: u64) -> ProgressBar {
    let template = "{msg:10} [{bar:20}] {pos} s of {len} s, {eta} left";
    bar(label, Some(length), template)
}

/// Creates a bar for work whose parts have no unit.
pub(crate) fn parts(label: &'static str) -> ProgressBar {
    bar(
        label,
        Some(PARTS),
        "{msg:10} [{bar:20}] {percent} %, {eta} left",
    )
}

/// Shows which share of the work is done, from 0.0 to 1.0, on a bar of [`parts`].
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
pub(crate) fn show(bar: &ProgressBar, share: f64) {
    bar.set_position((share * PARTS as f64) as u64);
}

const PARTS: u64 = 1_000;

/// Creates a bar that is not drawn before it moves.
fn bar(label: &'static str, length: Option<u64>, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr())
        .with_style(style.progress_chars("=> "))
        .with_message(label)
}
