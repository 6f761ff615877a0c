//! Up to four files as `greenarrow.conf`, its defaults, and what they include: nothing in them is
//! dropped in silence, they print as what reads back the same, and what is looked up is what the
//! rules say one by one.
#![no_main]

use hvmail_fuzz::control::conf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| conf::check(input));
