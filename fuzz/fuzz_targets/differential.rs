//! Command lines in ASCII, as this crate and two others read them: each difference falls into a
//! class that `DIFFERENCES.md` names, with what the RFC says, and none is unexplained.
#![no_main]

use hvmail_fuzz::differential;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for line in input.split(|octet| *octet == b'\n') {
        differential::check(line.strip_suffix(b"\r").unwrap_or(line));
    }
});
