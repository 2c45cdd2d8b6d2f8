//! Progress bars on standard error. Without a terminal there are none.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Creates a bar for a number of bytes, if it is known.
pub(crate) fn bytes(label: &'static str, length: Option<u64>) -> ProgressBar {
    let template = match length {
        Some(_) => "{msg:10} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{msg:10} {bytes}, {bytes_per_sec}",
    };
    bar(label, length, template)
}

/// Creates a bar for seconds of virtual time.
pub(crate) fn seconds(label: &'static str, length: u64) -> ProgressBar {
    let template = "{msg:10} [{bar:30}] {pos} s of {len} s, {eta} left";
    bar(label, Some(length), template)
}

fn bar(label: &'static str, length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template);
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    bar.set_message(label);
    bar
}
