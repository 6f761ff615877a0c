//! Both sessions against the attacks of `smtp-testkit/vectors`.
#![allow(clippy::unwrap_used)]

mod client;
mod server;

use smtp_testkit::vector::{Vector, check_all};

/// What the server session cannot be set to yet, and what its vectors say of it is not tested.
const SERVER_LACKS: [&str; 2] = ["auth", "chunking"];

/// The same of the client session.
const CLIENT_LACKS: [&str; 1] = ["auth"];

#[test]
fn no_command_leaves_a_message() {
    let folder = Vector::folder().join("smuggling");
    let has = |need: &str| !SERVER_LACKS.contains(&need);
    assert!(check_all(&folder, &["reject", "normalize"], has, server::Driver::new) > 20);
}

#[test]
fn no_line_end_of_a_message_that_is_sent_can_be_read_in_two_ways() {
    let folder = Vector::folder().join("smuggling-outbound");
    let has = |need: &str| !CLIENT_LACKS.contains(&need);
    assert!(check_all(&folder, &["normalize", "refuse"], has, client::Driver::new) > 10);
}

#[test]
fn nothing_crosses_the_server_s_handshake() {
    let folder = Vector::folder().join("starttls-server");
    let has = |need: &str| !SERVER_LACKS.contains(&need);
    assert!(check_all(&folder, &["reject", "normalize"], has, server::Driver::new) > 20);
}

#[test]
fn nothing_crosses_the_client_s_handshake() {
    let folder = Vector::folder().join("starttls-client");
    let has = |need: &str| !CLIENT_LACKS.contains(&need);
    assert!(check_all(&folder, &["normalize"], has, client::Driver::new) > 20);
}
