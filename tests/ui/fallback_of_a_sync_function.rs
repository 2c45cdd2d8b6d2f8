//! A fallback that takes other arguments than the function it stands in for.

use breakerbox::prelude::*;

fn parse(text: &'static str) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

fn zero() -> Result<u8, std::num::ParseIntError> {
    Ok(0)
}

fn main() {
    let parse = parse.with_breaker(&BreakerRegistry::new(), "parser").fallback(zero);
    let _ = parse.call("7");
}
