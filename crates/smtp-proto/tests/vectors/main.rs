//! Both sessions against the attacks of `smtp-testkit/vectors`.
#![allow(clippy::unwrap_used)]

mod client;
mod server;

use smtp_testkit::vector::{Vector, check_all};

/// No vector is left out: the drivers give the sessions what each needs, or refuse to.
fn everything(_: &str) -> bool {
    true
}

#[test]
fn no_command_leaves_a_message() {
    let folder = Vector::folder().join("smuggling");
    assert!(check_all(&folder, &["reject", "normalize"], everything, server::Driver::new) > 20);
}

#[test]
fn no_line_end_of_a_message_that_is_sent_can_be_read_in_two_ways() {
    let folder = Vector::folder().join("smuggling-outbound");
    assert!(check_all(&folder, &["normalize", "refuse"], everything, client::Driver::new) > 10);
}

#[test]
fn nothing_crosses_the_server_s_handshake() {
    let folder = Vector::folder().join("starttls-server");
    assert!(check_all(&folder, &["reject", "normalize"], everything, server::Driver::new) > 20);
}

#[test]
fn nothing_crosses_the_client_s_handshake() {
    let folder = Vector::folder().join("starttls-client");
    assert!(check_all(&folder, &["normalize"], everything, client::Driver::new) > 20);
}
