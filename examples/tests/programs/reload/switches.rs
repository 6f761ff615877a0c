//! What the command line says of TLS, at the start and over a reading.

use std::fs;

use smtp_testkit::pki::Authority;
use smtp_testkit::pki::client::Client;
use smtp_testkit::process;

use super::reload_is_taken;
use super::s_client::SClient;
use crate::support::{BACKENDS, Host};

/// TLS 1.3 alone: also where a cipher string leaves nothing of TLS 1.2, which is an error otherwise.
#[test]
fn tls_1_3_alone_is_asked_for_by_a_switch() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        let host = Host::new();
        let program = host.serve(&["--tls", backend, "--tls13-only"]);
        host.write("me", "new.example\n");
        reload_is_taken(&program);
        let lines = client.connect(host.starttls, "-tls1_3", &[]);
        assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.3")), "{lines:#?}");
        let lines = client.connect(host.starttls, "-tls1_2", &[]);
        assert!(lines.iter().any(|line| line.contains("alert protocol version")), "{lines:#?}");
    }
    if BACKENDS.contains(&"rustls") {
        let host = Host::new();
        host.write("tls.tlsserverciphers", "DHE-RSA-AES128-SHA\n");
        let refused = process::run(&mut host.smtpd(&["--tls", "rustls"]), b"");
        assert_eq!(refused.code, Some(78), "{refused:?}");
        let _program = host.serve(&["--tls", "rustls", "--tls13-only"]);
        let lines = client.connect(host.starttls, "-tls1_3", &[]);
        assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.3")), "{lines:#?}");
    }
}

/// A string that is refused, and even one that cannot be read, is about what is not offered then: the service
/// starts, and both say that it has no say.
#[test]
fn no_cipher_string_keeps_tls_1_3_alone_from_starting() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        for (string, rules) in [
            ("TLS_AES_256_GCM_SHA384\n", ":allow\n"),
            ("FOO\n", ":allow\n"),
            (":\n", ":allow\n"),
            ("HIGH:@SECLEVEL=9\n", ":allow\n"),
            ("HIGH\n", "127.0.0.1:allow,TLSCIPHERS=\"FOO:@SECLEVEL=3\"\n:allow\n"),
        ] {
            let host = Host::new();
            host.write("tls.tlsserverciphers", string).write("smtp.tcp", rules);
            let refused = process::run(&mut host.smtpd(&["--tls", backend]), b"");
            assert_eq!(refused.code, Some(78), "{string}: {refused:?}");
            let program = host.serve(&["--tls", backend, "--tls13-only", "--strict"]);
            let lines = client.connect(host.starttls, "-tls1_3", &[]);
            assert!(lines.iter().any(|line| line.starts_with("New, TLSv1.3")), "{lines:#?}");
            let lines = client.connect(host.starttls, "-tls1_2", &[]);
            assert!(lines.iter().any(|line| line.contains("alert protocol version")), "{lines:#?}");
            host.write("me", "new.example\n");
            reload_is_taken(&program);
            let log = program.stderr();
            let said = |what: &str| log.iter().any(|line| line.contains(what));
            assert!(said("warning[ciphers-refused]"), "{string}: {log:#?}");
            assert!(said("warning[not-honoured]") && said("it would be refused: "), "{log:#?}");
            assert!(!said("error["), "{string}: {log:#?}");
            assert_eq!(said("its @SECLEVEL=3 holds"), string == "HIGH\n", "{log:#?}");
        }
    }
}

/// A certificate whose listed address is among its alternative names alone.
#[test]
fn alternative_names_count_where_a_switch_says_so() {
    const TO: &str = "MAIL FROM:<a@example.net>\nRCPT TO:<b@elsewhere.example>\n";
    let Some(client) = SClient::new() else { return };
    let authority = Authority::root("clients");
    let alternative = vec!["tim@example.org".to_owned()];
    let leaf = authority.issue_client(&Client { alternative, ..Client::new("eve@example.org") });
    let [chain, key] = ["leaf.pem", "leaf.key"].map(|name| client.kept(name));
    fs::write(&chain, leaf.chain()).unwrap();
    fs::write(&key, leaf.key).unwrap();
    let shown = ["-cert", chain.to_str().unwrap(), "-key", key.to_str().unwrap()];
    for backend in BACKENDS {
        let host = Host::new();
        host.write("smtp.tcp", ":allow\n")
            .write("tls.clientca.pem", &authority.certificate())
            .write("tls.tlsclients", "tim@example.org\n");
        for (switch, code) in [(&[][..], "553 5.7.1 "), (&["--client-cert-san"], "250 2.1.5 ")] {
            let program = host.serve(&[&["--tls", backend], switch].concat());
            for _ in 0..2 {
                let lines = client.says(host.starttls, "-tls1_3", &shown, TO);
                assert!(lines.iter().any(|line| line.starts_with(code)), "{switch:?}: {lines:#?}");
                reload_is_taken(&program);
            }
        }
    }
}
