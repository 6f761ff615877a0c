//! Readings under load: certificate, cipher string and client list change together, and every
//! connection has all three of one reading.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use smtp_testkit::pki::client::Client;
use smtp_testkit::pki::{self, Authority};
use smtp_testkit::process::{self, PATIENCE, Program, require_peer};

use super::{NAMES, hexadecimal, parse, python, reload_is_refused, reload_is_taken};
use crate::support::{BACKENDS, Host};

const READINGS: usize = 100;
const CLIENTS: usize = 3;
const SUITES: [&str; 3] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

fn address(client: usize) -> String {
    format!("client{client}@example.org")
}

/// Whether a client is listed in a reading.
const fn listed(client: usize, reading: usize) -> bool {
    reading >> client & 1 == 1
}

/// Writes a reading, and gives its certificate.
fn write(host: &Host, reading: usize) -> String {
    let leaf = pki::self_signed(&NAMES);
    let mut list = "nobody@example.org\n".to_owned();
    for client in (0..CLIENTS).filter(|&client| listed(client, reading)) {
        list.push_str(&address(client));
        list.push('\n');
    }
    host.write("tls.chain.pem", &leaf.chain())
        .write("tls.key.pem", &leaf.key)
        .write("tls.tlsserverciphers", SUITES[reading % SUITES.len()])
        .write("tls.tlsclients", &list);
    hexadecimal(&leaf)
}

#[test]
fn no_connection_is_lost_and_none_has_half_of_each() {
    let Some(program) = require_peer("python3") else { return };
    let authority = Authority::root("clients");
    let folder = process::temp_dir();
    for client in 0..CLIENTS {
        let leaf = authority.issue_client(&Client::new(&address(client)));
        fs::write(folder.path().join(format!("{client}.pem")), leaf.chain()).unwrap();
        fs::write(folder.path().join(format!("{client}.key")), leaf.key).unwrap();
    }
    for backend in BACKENDS {
        let host = Host::new();
        host.write("smtp.tcp", ":allow\n").write("tls.clientca.pem", &authority.certificate());
        let mut readings = HashMap::from([(write(&host, 0), 0)]);
        let mut command = host.smtpd(&["--tls", backend]);
        let mut server = Program::spawn(command.env("RUST_LOG", "warn"));
        server.wait_for_stderr("listening service=smtp3 ");
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let [chain, key] = ["pem", "key"].map(|kind| {
                    folder.path().join(format!("{client}.{kind}")).to_str().unwrap().to_owned()
                });
                let arguments = ["--forever", "--certificate", &chain, &key];
                Program::spawn(&mut python(&program, host.starttls, &arguments))
            })
            .collect();
        clients.iter().for_each(|client| drop(client.wait_for_stdout("session ")));
        for reading in 1..=READINGS {
            if reading % 10 == 0 {
                // The key comes before its certificate, and is read without it.
                host.write("tls.key.pem", &pki::unrelated_key());
                reload_is_refused(&server, &["tls.key.pem:1:1: error["]);
            }
            readings.insert(write(&host, reading), reading);
            reload_is_taken(&server);
            sleep(Duration::from_millis(5));
        }
        let mut seen = HashSet::new();
        let mut sessions = 0;
        for (client, running) in clients.iter_mut().enumerate() {
            running.signal("TERM");
            assert_eq!(running.wait(PATIENCE).code(), Some(0));
            for line in running.stdout() {
                let session = parse(&line);
                let reading = readings[&session.certificate];
                let context = format!("{backend}, client {client}, reading {reading}");
                assert_eq!(session.suite, SUITES[reading % SUITES.len()], "{context}");
                let code = if listed(client, reading) { "250" } else { "553" };
                assert_eq!(session.recipient, code, "{context}");
                seen.insert(reading);
                sessions += 1;
            }
        }
        let all = readings.len();
        eprintln!("{backend}: {sessions} sessions in {} of {all} readings", seen.len());
        assert!(seen.len() > READINGS / 4 && sessions > READINGS, "{sessions} in {}", seen.len());
        server.signal("TERM");
        assert_eq!(server.wait(PATIENCE).code(), Some(0));
        let panicked = server.stderr().iter().any(|line| line.contains("panicked"));
        assert!(!panicked, "{:#?}", server.stderr());
    }
}
