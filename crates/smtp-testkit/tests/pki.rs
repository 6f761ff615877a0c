//! The certificates are what a foreign program says they are.
#![cfg(feature = "pki")]

use std::path::Path;
use std::process::Command;

use smtp_testkit::pki::{Authority, Key, Leaf, Validity, self_signed, unrelated_key};
use smtp_testkit::process::{Finished, require_peer, run, temp_dir};

fn verify(openssl: &Path, root: &str, leaf: &Leaf, name: &str) -> Finished {
    let folder = temp_dir();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).expect("a fresh folder takes files");
        path
    };
    let mut command = Command::new(openssl);
    command
        .args(["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", name])
        .arg("-CAfile")
        .arg(write("root.pem", root))
        .arg("-untrusted")
        .arg(write("chain.pem", &leaf.chain()))
        .arg(write("leaf.pem", &leaf.certificate));
    run(&mut command, b"")
}

#[test]
fn openssl_judges_each_kind_as_it_is_named() {
    let Some(openssl) = require_peer("openssl") else { return };
    let root = Authority::root("test root");
    let below = root.intermediate("test intermediate");
    let name = "mx.example.com";
    let good: [(&str, Leaf); 3] = [
        ("ECDSA", root.issue(&[name])),
        ("RSA", root.issue_as(&[name], Key::Rsa, Validity::Now)),
        ("behind an intermediate", below.issue(&[name])),
    ];
    for (kind, leaf) in good {
        let finished = verify(&openssl, &root.certificate(), &leaf, name);
        assert_eq!(finished.code, Some(0), "{kind}: {finished:?}");
    }
    let bad: [(&str, Leaf); 4] = [
        ("certificate has expired", root.issue_as(&[name], Key::Ecdsa, Validity::Expired)),
        ("certificate is not yet valid", root.issue_as(&[name], Key::Ecdsa, Validity::NotYet)),
        ("hostname mismatch", root.issue(&["other.example.com"])),
        ("self-signed certificate", self_signed(&[name])),
    ];
    for (reason, leaf) in bad {
        let finished = verify(&openssl, &root.certificate(), &leaf, name);
        assert_ne!(finished.code, Some(0), "{reason}");
        let said = finished.stderr.join("\n");
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

#[test]
fn keys_belong_to_their_certificates_alone() {
    let Some(openssl) = require_peer("openssl") else { return };
    let public = |arguments: &[&str], pem: &str| {
        let finished = run(Command::new(&openssl).args(arguments), pem.as_bytes());
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stdout
    };
    let leaf =
        Authority::root("test root").issue_as(&["::1", "127.0.0.1"], Key::Rsa, Validity::Now);
    let certified = public(&["x509", "-noout", "-pubkey"], &leaf.certificate);
    assert_eq!(certified, public(&["pkey", "-pubout"], &leaf.key));
    assert_ne!(certified, public(&["pkey", "-pubout"], &unrelated_key()));
}
