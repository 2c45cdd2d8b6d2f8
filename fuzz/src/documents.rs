pub(crate) fn run(_data: &[u8]) {}
