//! Fallbacks with another return type or other arguments than the guarded function.

use breakerbox::prelude::*;

#[circuit(fallback = nothing)]
fn sync(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[circuit(fallback = nothing)]
async fn asynchronous(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn nothing(_id: u64) -> Option<u64> {
    None
}

#[circuit(fallback = without_arguments)]
fn with_arguments(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn without_arguments() -> Result<u64, String> {
    Ok(0)
}

fn main() {}
