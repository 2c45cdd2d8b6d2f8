//! A fallback whose output differs from that of the guarded function.

use breakerbox::prelude::*;

fn parse(text: &'static str) -> Result<u8, std::num::ParseIntError> {
    text.parse()
}

fn zero(_text: &'static str) -> Option<u8> {
    Some(0)
}

fn main() {
    let parse = parse.with_breaker(&BreakerRegistry::new(), "parser").fallback(zero);
    let _ = parse.call("7");
}
