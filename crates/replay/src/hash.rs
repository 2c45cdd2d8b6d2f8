//! [`fnv`]: a hash that is the same in every run and on every machine.

/// Returns the hash of a text (FNV-1a, 64 bits).
pub(crate) fn fnv(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}
