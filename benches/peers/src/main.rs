//! breakerbox beside other circuit breakers, in one run.
//!
//! ```sh
//! cargo run --release                        # prints the tables, and writes docs/performance.md and .svg
//! cargo run --release -- --no-write
//! cargo run --release -- --quick             # a few short rounds, for a first look; writes nothing
//! cargo run --release -- --filter refused    # the rows whose names contain it; writes nothing
//! ```
//!
//! Every contestant makes a sample in every round: a number of calls that is fixed before the first
//! one. A figure is the median of the rounds. What goes in and comes out passes `black_box`. A sample
//! of several threads counts only if all of them were at it for more than nine tenths of it; each has
//! a processor of its own. With more threads than processors a call is charged with the processor time
//! of its thread. Run it on a machine that has nothing else to do.

mod chart;
mod contestants;
mod figures;
mod job;
mod lane;
mod machine;
mod peers;
mod report;
mod rows;
mod targets;
mod through;

use figures::{Figures, Plan};
use std::error::Error;
use std::fs;
use std::path::Path;

#[derive(Default)]
struct Options {
    quick: bool,
    no_write: bool,
    filter: String,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--no-write" => options.no_write = true,
                "--filter" => options.filter = arguments.next().ok_or("--filter needs a text")?,
                other => {
                    let known = "--quick, --no-write and --filter <text>";
                    return Err(format!("{other} is not known: {known} are"));
                }
            }
        }
        Ok(options)
    }

    fn plan(&self) -> Plan {
        let (rounds, sample) = if self.quick { (5, 1e6) } else { (31, 4e6) };
        Plan { rounds, sample }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    // The other threads of a sample would wait for ever for one that panicked.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("\n{panic}");
        std::process::exit(101);
    }));

    let cores = lane::processors().len();
    let mut rows = rows::all(cores);
    rows.retain(|row| row.case.contains(&options.filter));
    if rows.is_empty() {
        return Err(format!("no row's name contains {:?}", options.filter).into());
    }
    let figures = Figures::measure(&rows, cores, &options.plan());

    let verdicts = targets::judge(&figures);
    let machine = machine::description(cores);
    let mut sections = vec![
        machine.clone(),
        report::table(&rows, &figures),
        report::contestants(),
        report::verdicts(&verdicts),
    ];
    sections.extend(report::noise(&rows, &figures));
    let text = sections.join("\n\n").replace("\n\n\n", "\n\n");
    println!("{text}");
    let count = |met| verdicts.iter().filter(|one| one.met() == met).count();
    let (met, missed, open) = (count(Some(true)), count(Some(false)), count(None));
    println!("\n{met} targets met, {missed} missed, {open} not measured");

    if options.quick || options.no_write || !options.filter.is_empty() {
        return Ok(());
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    write_between_markers(&docs.join("performance.md"), &text)?;
    fs::write(docs.join("performance.svg"), chart::svg(&figures, &machine))?;
    println!("written: docs/performance.md, docs/performance.svg");
    Ok(())
}

fn write_between_markers(page: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    const BEGIN: &str = "<!-- figures: written by benches/peers -->\n";
    const END: &str = "<!-- end of figures -->\n";
    let old = fs::read_to_string(page)?;
    let (before, rest) = old
        .split_once(BEGIN)
        .ok_or("performance.md has lost its first marker")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("performance.md has lost its second marker")?;
    fs::write(
        page,
        format!("{before}{BEGIN}\n{}\n\n{END}{after}", text.trim_end()),
    )?;
    Ok(())
}
