//! Any conversation, cut anywhere, with any answers, handshakes and ends: `hvmail_fuzz::server` says
//! what is asserted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| hvmail_fuzz::server::check(input));
