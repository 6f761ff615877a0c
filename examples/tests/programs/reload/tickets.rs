//! Keys of session tickets that several hosts share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use smtp_testkit::process;

use super::s_client::SClient;
use super::{REFUSED, reload_is_refused, reload_is_taken, said};
use crate::support::{BACKENDS, Host};

const VERSIONS: [&str; 2] = ["-tls1_2", "-tls1_3"];

pub(super) fn key(first: u8) -> Vec<u8> {
    (0..80).map(|n: u8| first.wrapping_add(n)).collect()
}

pub(super) fn write(path: &Path, octets: &[u8]) {
    let new = path.with_extension("new");
    fs::write(&new, octets).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}

/// A host, with the same certificate as another.
fn host_with(certificate: Option<&Host>) -> (Host, PathBuf) {
    let host = Host::new();
    if let Some(other) = certificate {
        host.write("tls.chain.pem", &other.certificate.chain())
            .write("tls.key.pem", &other.certificate.key);
    }
    let path = host.control().with_file_name("tickets");
    (host, path)
}

#[test]
fn a_session_goes_on_at_another_host_and_over_one_change_of_keys() {
    let Some(client) = SClient::new() else { return };
    if !BACKENDS.contains(&"rustls") {
        eprintln!(
            "skipped: a_session_goes_on_at_another_host_and_over_one_change_of_keys: no rustls"
        );
        return;
    }
    for version in VERSIONS {
        let (one, of_one) = host_with(None);
        let (two, of_two) = host_with(Some(&one));
        let both = |octets: &[u8]| [&of_one, &of_two].map(|path| write(path, octets));
        both(&key(1));
        let start = |host: &Host, path: &Path| {
            host.serve(&["--tls", "rustls", "--ticket-keys", path.to_str().unwrap()])
        };
        let (first, second) = (start(&one, &of_one), start(&two, &of_two));
        client.begin(one.starttls, version, "first");
        assert!(client.resumes(two.starttls, version, "first"), "{version}");

        // The key before goes along with the new one.
        both(&[key(2), key(1)].concat());
        reload_is_taken(&first);
        client.begin(one.starttls, version, "second");
        // It has not read yet: a whole handshake, and nothing worse.
        assert!(!client.resumes(two.starttls, version, "second"), "{version}");
        reload_is_taken(&second);
        for name in ["first", "second"] {
            assert!(client.resumes(two.starttls, version, name), "{version} {name}");
        }

        // One key alone: what was current before is remembered, what was before that is not.
        both(&key(3));
        reload_is_taken(&second);
        assert!(client.resumes(two.starttls, version, "second"), "{version}");
        assert!(!client.resumes(two.starttls, version, "first"), "{version}");

        // Unchanged keys change nothing.
        client.begin(two.starttls, version, "third");
        reload_is_taken(&second);
        assert!(client.resumes(two.starttls, version, "third"), "{version}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_and_the_old_stay() {
    let Some(client) = SClient::new() else { return };
    for backend in BACKENDS {
        let (host, path) = host_with(None);
        let text = path.to_str().unwrap();
        let arguments = ["--tls", backend, "--ticket-keys", text];
        let refused = |words: &str| {
            let finished = process::run(&mut host.smtpd(&arguments), b"");
            assert_eq!(finished.code, Some(78), "{finished:?}");
            let last = finished.stderr.last().unwrap();
            assert!(last.starts_with(&format!("hvmail-smtpd: --ticket-keys {text}: ")), "{last}");
            assert!(last.contains(words), "{last}");
        };
        refused("No such file");
        write(&path, &key(1));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        refused("others may read or write it (mode 640)");

        write(&path, &key(1));
        let program = host.serve(&arguments);
        let names_openssl =
            |line: &&String| line.contains("OpenSSL's binding takes no ticket keys");
        let warnings = program.stderr().iter().filter(names_openssl).count();
        assert_eq!(warnings > 0, *backend == "openssl", "{:#?}", program.stderr());
        client.begin(host.starttls, "-tls1_3", backend);
        write(&path, &key(2)[..79]);
        reload_is_refused(&program, &["79 octets are no ticket keys"]);
        fs::remove_file(&path).unwrap();
        reload_is_refused(&program, &[&format!("--ticket-keys {text}: No such file")]);
        assert!(client.resumes(host.starttls, "-tls1_3", backend), "{backend}");
        write(&path, &key(2));
        reload_is_taken(&program);
        assert_eq!(said(&program, REFUSED).len(), 2);
        // No octet of a key is ever said.
        assert!(!program.stderr().iter().any(|line| line.contains("TicketKeys")));
    }
}
