//! A change on disk, where `--watch` asks for it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::thread::sleep;
use std::time::Duration;

use smtp_testkit::pki;
use smtp_testkit::process::require_peer;

use super::{
    NAMES, REFUSED, TAKEN, change_certificate, control_file, outcomes, put, said, session, tickets,
    wait_outcome,
};
use crate::support::Host;

/// A little more than two looks.
const LOOKS: Duration = Duration::from_millis(2500);

/// The certificate comes in pieces and its key behind it; no reading is taken with one of them alone.
#[test]
fn a_change_is_taken_when_it_rests_and_only_once() {
    let Some(python) = require_peer("python3") else { return };
    let host = Host::new();
    let program = host.serve(&["--watch", "1"]);
    sleep(LOOKS);
    assert!(outcomes(&program).is_empty(), "nothing has changed");

    let leaf = pki::self_signed(&NAMES);
    let chain = leaf.chain();
    let path = control_file(&host, "tls.chain.pem");
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    for piece in chain.as_bytes().chunks(chain.len() / 6) {
        file.write_all(piece).unwrap();
        sleep(Duration::from_millis(400));
        // Whatever it is read as in between, what is served is one of the two.
        let seen = session(&python, host.starttls);
        assert!(
            seen.shows(&host.certificate)
                && outcomes(&program).iter().all(|o| o.starts_with(REFUSED))
        );
    }
    host.write("tls.key.pem", &leaf.key);
    let refused = outcomes(&program).len();
    let outcome = wait_outcome(&program, refused);
    assert!(outcome.starts_with(TAKEN), "{outcome}");
    assert!(session(&python, host.starttls).shows(&leaf));
    sleep(LOOKS);
    assert_eq!(said(&program, TAKEN).len(), 1, "it was taken once");
}

/// A refused reading is not tried again until something changes, and then is.
#[test]
fn what_was_refused_waits_for_the_next_change() {
    let host = Host::new();
    let program = host.serve(&["--watch", "1"]);
    let key = fs::read_to_string(control_file(&host, "tls.key.pem")).unwrap();
    put(&host, "tls.key.pem", &pki::unrelated_key());
    assert!(wait_outcome(&program, 0).starts_with(REFUSED));
    sleep(LOOKS);
    assert_eq!(outcomes(&program).len(), 1, "{:#?}", outcomes(&program));
    // A signal does not wait for a change, and asks for no further reading either.
    program.signal("HUP");
    assert!(wait_outcome(&program, 1).starts_with(REFUSED));
    sleep(LOOKS);
    assert_eq!(outcomes(&program).len(), 2, "{:#?}", outcomes(&program));
    put(&host, "tls.key.pem", &key);
    assert!(wait_outcome(&program, 2).starts_with(TAKEN));
    assert_eq!(said(&program, "reloading cause=change").len(), 2);
}

/// An address that somebody else has is tried at each look, and the refusal is said once.
#[test]
fn an_address_that_becomes_free_is_taken_without_another_change() {
    let host = Host::new();
    let program = host.serve(&["--watch", "1"]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    put(&host, "smtp2", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={port}\n"));
    assert!(wait_outcome(&program, 0).starts_with(REFUSED));
    sleep(LOOKS);
    assert_eq!(outcomes(&program).len(), 1, "{:#?}", outcomes(&program));
    drop(other);
    assert!(wait_outcome(&program, 1).starts_with(TAKEN));
    program.wait_for_stderr(&format!("listening service=smtp2 addr=127.0.0.1:{port} "));
    sleep(LOOKS);
    assert_eq!(outcomes(&program).len(), 2, "{:#?}", outcomes(&program));
    assert_eq!(said(&program, "reloading ").len(), 1);
}

/// Files that were missed come; one that was never asked for does not matter; a folder goes and comes.
#[test]
fn what_was_absent_is_watched_too() {
    let host = Host::new();
    fs::remove_file(control_file(&host, "smtp2")).unwrap();
    let program = host.start(&["--watch", "1"]);
    program.wait_for_stderr("listening service=smtp3 ");
    put(&host, "nobody.asks", "for this");
    put(&host, "smtp2", &format!("ENABLED=1\nIPADDR=127.0.0.1\nPORT={}\n", host.submission));
    assert!(wait_outcome(&program, 0).starts_with(TAKEN));
    program.wait_for_stderr("listening service=smtp2 ");
    put(&host, "nobody.asks", "for that");
    sleep(LOOKS);
    assert_eq!(outcomes(&program).len(), 1);

    // Another directory in its place at one moment, as a link that is changed.
    let away = host.control().with_extension("away");
    fs::rename(host.control(), &away).unwrap();
    assert!(wait_outcome(&program, 1).starts_with(REFUSED));
    fs::rename(&away, host.control()).unwrap();
    change_certificate(&host);
    assert!(wait_outcome(&program, 2).starts_with(TAKEN));
}

/// The file of another switch is one of those that are read.
#[test]
fn ticket_keys_are_watched() {
    let host = Host::new();
    let keys = host.control().with_file_name("tickets");
    tickets::write(&keys, &tickets::key(1));
    let program = host.serve(&["--watch", "1", "--ticket-keys", keys.to_str().unwrap()]);
    tickets::write(&keys, &tickets::key(2));
    assert!(wait_outcome(&program, 0).starts_with(TAKEN));
    fs::remove_file(&keys).unwrap();
    assert!(wait_outcome(&program, 1).starts_with(REFUSED));
    tickets::write(&keys, &tickets::key(3));
    assert!(wait_outcome(&program, 2).starts_with(TAKEN));
}

/// Without the switch nobody looks.
#[test]
fn nothing_is_watched_unasked() {
    let host = Host::new();
    let program = host.serve(&[]);
    change_certificate(&host);
    sleep(LOOKS);
    assert!(outcomes(&program).is_empty());
}
