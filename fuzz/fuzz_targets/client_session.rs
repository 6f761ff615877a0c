//! Any server, cut anywhere, with any handshakes and ends: `hvmail_fuzz::client` says what is
//! asserted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| hvmail_fuzz::client::check(input));
