//! Functions that do not return a `Result`.

use breakerbox::circuit;

#[circuit]
async fn temperature() -> f32 {
    21.5
}

#[circuit]
fn find(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
