#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| breakerbox_fuzz::import_envoy(data));
