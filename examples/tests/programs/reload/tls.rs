//! Which TLS configuration a client gets, and which of them are kept over a reading.

use std::fmt::Write as _;
use std::path::Path;

use smtp_testkit::process::require_peer;

use super::s_client::SClient;
use super::{Session, change_certificate, reload, reload_is_taken, sessions};
use crate::support::{BACKENDS, Host};

const SUITES: [&str; 3] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
];

/// The numbers of the suites that these clients get.
fn suites(python: &Path, port: u16, from: &[&str]) -> Vec<usize> {
    let number =
        |session: Session| SUITES.iter().position(|suite| session.suite == *suite).unwrap();
    sessions(python, port, from).into_iter().map(number).collect()
}

/// Two clients of one listener, by their addresses; and again with other rules.
#[test]
fn each_client_gets_the_suite_of_its_rule() {
    let Some(python) = require_peer("python3") else { return };
    let clients = ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
    for backend in BACKENDS {
        let host = Host::new();
        let rules = |two: usize, three: usize| {
            let rule = |n, suite: usize| {
                format!("127.0.0.{n}:allow,TLSCIPHERS=\"{}\",RELAYCLIENT=\"\"\n", SUITES[suite])
            };
            host.write("smtp.tcp", &format!("{}{}:allow\n", rule(2, two), rule(3, three)));
        };
        host.write("tls.tlsserverciphers", SUITES[2]);
        rules(0, 1);
        let program = host.serve(&["--tls", backend]);
        for port in [host.starttls, host.submission] {
            assert_eq!(suites(&python, port, &clients), [0, 1, 2], "{backend}");
        }
        rules(1, 0);
        // The same suites for others: no configuration is made.
        let outcome = reload(&program);
        assert_eq!(outcome, "reloaded listeners=3 tls_configurations=3 new=0", "{backend}");
        for port in [host.starttls, host.submission] {
            assert_eq!(suites(&python, port, &clients), [1, 0, 2], "{backend}");
        }
    }
}

/// Ten thousand rules with three strings are three configurations, for all services together.
#[test]
fn many_rules_share_few_configurations() {
    for backend in BACKENDS {
        let host = Host::new();
        let mut rules = String::new();
        for n in 0..10_000_u32 {
            let [_, b, c, d] = n.to_be_bytes();
            let suite = SUITES[usize::from(d) % SUITES.len()];
            writeln!(rules, "10.{b}.{c}.{d}:allow,TLSCIPHERS=\"{suite}\"").unwrap();
        }
        rules.push_str(":allow\n");
        host.write("smtp.tcp", &rules).write("tls.tlsserverciphers", SUITES[0]);
        let program = host.serve(&["--tls", backend]);
        let outcome = reload(&program);
        assert_eq!(outcome, "reloaded listeners=3 tls_configurations=3 new=0", "{backend}");
    }
}

/// A session goes on over a reload that leaves its TLS settings as they are, and over no other.
#[test]
fn sessions_are_resumed_over_a_reload_of_something_else() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        for version in ["-tls1_2", "-tls1_3"] {
            let host = Host::new();
            let program = host.serve(&["--tls", backend]);
            client.begin(host.starttls, version, "first");
            host.write("me", "new.example\n").write("rcpthosts", "new.example\n");
            reload_is_taken(&program);
            assert!(client.resumes(host.starttls, version, "first"), "{backend} {version}");

            client.begin(host.starttls, version, "second");
            change_certificate(&host);
            reload_is_taken(&program);
            assert!(!client.resumes(host.starttls, version, "second"), "{backend} {version}");
        }
    }
}
