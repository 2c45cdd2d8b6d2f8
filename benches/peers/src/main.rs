mod figures;
mod job;
mod lane;
mod peers;
mod rows;
mod through;
fn main() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        std::process::exit(101)
    }));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rows = rows::all(cores);
    let f = figures::Figures::measure(
        &rows,
        cores,
        &figures::Plan {
            rounds: 5,
            sample: 1e6,
        },
    );
    for r in &rows {
        print!("{:40} {} ", r.case, r.threads);
        for c in &r.contestants {
            print!(
                " {:?} {:.1}",
                c.column,
                f.ns(r.case, r.threads, c.column).unwrap()
            );
        }
        println!();
    }
}
