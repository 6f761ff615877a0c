//! The server session: transcripts, end of DATA, STARTTLS, and its contract with the caller.
#![allow(clippy::unwrap_used)]

mod contract;
mod driver;
mod hostile;
mod secrets;
mod smuggling;

use std::path::Path;

use smtp_testkit::transcript::{Role, check_folder};

use driver::Driver;

#[test]
fn transcripts_whole_byte_by_byte_and_cut_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/server");
    check_folder(&folder, Role::Server, Driver::new);
}
