//! The client session against transcripts, cuts and hostile servers.
#![allow(clippy::unwrap_used)]

mod auth;
mod chunks;
mod contract;
mod cuts;
mod driver;
mod hostile;

use std::path::Path;

use driver::Driver;
use smtp_testkit::transcript::{Role, check_folder};

#[test]
fn transcripts_run_the_same_under_every_cut_of_their_input() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts/client");
    check_folder(&folder, Role::Client, Driver::from_transcript);
}
