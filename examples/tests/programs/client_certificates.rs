//! Relaying by client certificate, as foreign clients do it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use smtp_testkit::pki::client::{Client, List, Purpose, extension};
use smtp_testkit::pki::{Authority, Leaf, Validity};
use smtp_testkit::process::{self, Finished, TempDir, require_peer};

use crate::support::{BACKENDS, Host, TLS_TOOL};

const TIM: &str = "Tim@Example.org";
const ELSEWHERE: &str = "c@elsewhere.example";
const REFUSED: &str = "553 5.7.1 sorry, that domain isn't in my list of allowed rcpthosts";
const NO_CERTIFICATE: &str = "; no valid cert for gatewaying";

/// The two ways into TLS, and the versions.
const WAYS: [(&str, &str); 4] =
    [("starttls", "1.2"), ("starttls", "1.3"), ("smtps", "1.2"), ("smtps", "1.3")];

/// A host that relays for nobody but by certificate.
fn host(authority: &Authority, list: Option<&str>) -> Host {
    let host = Host::new();
    host.write("smtp.tcp", "127.0.0.1:allow\n")
        .write("tls.clientca.pem", &authority.certificate())
        .write("tls.tlsclients", "# who may relay\nann@example.org\ntim@example.org  \n");
    if let Some(list) = list {
        host.write("tls.clientcrl.pem", list);
    }
    host
}

/// A certificate as files.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new(leaf: &Leaf) -> Self {
        let folder = process::temp_dir();
        fs::write(folder.path().join("leaf.pem"), &leaf.certificate).unwrap();
        fs::write(folder.path().join("above.pem"), leaf.intermediates.concat()).unwrap();
        fs::write(folder.path().join("chain.pem"), leaf.chain()).unwrap();
        fs::write(folder.path().join("key.pem"), &leaf.key).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A client that is no part of this project.
trait Foreign {
    /// One session with a recipient elsewhere, named twice, and a message if it is taken.
    fn send(&self, host: &Host, way: (&str, &str), files: Option<&Files>) -> Finished;
}

struct SClient(PathBuf);

impl Foreign for SClient {
    fn send(&self, host: &Host, (door, version): (&str, &str), files: Option<&Files>) -> Finished {
        let mut command = Command::new(&self.0);
        command.args(["s_client", "-crlf", "-ign_eof", "-connect"]);
        if door == "smtps" {
            command.arg(format!("127.0.0.1:{}", host.smtps));
        } else {
            command.arg(format!("127.0.0.1:{}", host.starttls)).args(["-starttls", "smtp"]);
        }
        command.arg(if version == "1.2" { "-tls1_2" } else { "-tls1_3" });
        if let Some(files) = files {
            command.arg("-cert").arg(files.path("leaf.pem"));
            command.arg("-key").arg(files.path("key.pem"));
            if fs::metadata(files.path("above.pem")).unwrap().len() > 0 {
                command.arg("-cert_chain").arg(files.path("above.pem"));
            }
        }
        let said = format!(
            "EHLO client.example.net\nMAIL FROM:<a@example.net>\nRCPT TO:<{ELSEWHERE}>\n\
             RCPT TO:<{ELSEWHERE}>\nDATA\nSubject: by certificate\n\nhello\n.\nQUIT\n"
        );
        process::run(&mut command, said.as_bytes())
    }
}

struct Python(PathBuf);

impl Foreign for Python {
    fn send(&self, host: &Host, (door, version): (&str, &str), files: Option<&Files>) -> Finished {
        let script =
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/client_certificates/client.py");
        let port = if door == "smtps" { host.smtps } else { host.starttls };
        let mut command = Command::new(&self.0);
        command.arg(script).arg(port.to_string()).args([door, version, ELSEWHERE]);
        if let Some(files) = files {
            command.arg(files.path("chain.pem")).arg(files.path("key.pem"));
        }
        process::run(&mut command, b"")
    }
}

/// The replies to both RCPT.
fn replies(ran: &Finished) -> Vec<String> {
    let reply = |line: &String| {
        let line = line.strip_prefix("rcpt ").unwrap_or(line);
        let to_rcpt = line.starts_with("553 ") || line.starts_with("250 2.1.5 ");
        to_rcpt.then(|| line.to_owned())
    };
    ran.stdout.iter().filter_map(reply).collect()
}

fn relayed(foreign: &dyn Foreign, host: &Host, way: (&str, &str), files: &Files) -> Finished {
    let ran = foreign.send(host, way, Some(files));
    let replies = replies(&ran);
    let good = replies.len() == 2 && replies.iter().all(|reply| reply.starts_with("250 2.1.5 "));
    assert!(good, "{way:?}: {ran:#?}");
    let messages = host.messages();
    let [message] = &messages[..] else { panic!("{way:?}: {messages:?}") };
    assert!(message.contains(&format!("Delivered-To: {ELSEWHERE}\n")), "{message}");
    let (_, with) = message.split_once("\n  by mx.example.org with ESMTPS (").unwrap();
    let (suite, rest) = with.split_once(" encrypted)").unwrap();
    assert!(rest.starts_with(&format!("\n  (cert {TIM}); ")), "{message}");
    assert!(ran.stdout.iter().any(|line| line.contains(suite)), "{suite}: {ran:#?}");
    fs::remove_dir_all(host.maildir().join("new")).unwrap();
    fs::create_dir(host.maildir().join("new")).unwrap();
    ran
}

fn refused(
    foreign: &dyn Foreign,
    host: &Host,
    way: (&str, &str),
    files: Option<&Files>,
    why: &str,
) {
    let ran = foreign.send(host, way, files);
    let expected = format!("{REFUSED}{NO_CERTIFICATE}{why} (#5.7.1)");
    assert_eq!(replies(&ran), [&*expected, &*expected], "{way:?}: {ran:#?}");
    assert_eq!(host.messages(), [""; 0]);
}

fn foreign() -> Vec<Box<dyn Foreign>> {
    let mut all: Vec<Box<dyn Foreign>> = Vec::new();
    if let Some(program) = require_peer("openssl") {
        all.push(Box::new(SClient(program)));
    }
    if let Some(program) = require_peer("python3") {
        all.push(Box::new(Python(program)));
    }
    all
}

fn tim() -> Client {
    Client::new(TIM)
}

#[test]
fn a_listed_address_relays_and_others_are_told_why_not() {
    let root = Authority::root("clients");
    let below = root.intermediate("more clients");
    let other = Authority::root("others");
    let good = [root.issue_client(&tim()), below.issue_client(&tim())];
    let issue = |client: Client| root.issue_client(&client);
    let bad = [
        (issue(Client { validity: Validity::Expired, ..tim() }), "certificate has expired"),
        (issue(Client { validity: Validity::NotYet, ..tim() }), "certificate is not yet valid"),
        (issue(Client::with_subject(&[])), "contains no email address"),
        (issue(Client::new("eve@example.org")), "email address not in my list of tlsclients"),
        (
            issue(Client::new("tim@example.org\0@example.com")),
            "email address not in my list of tlsclients",
        ),
        (other.issue_client(&tim()), "unable to verify the first certificate"),
        (tim().self_signed(), "self-signed certificate"),
        (
            issue(Client { purposes: vec![Purpose::ServerAuth], ..tim() }),
            "unsuitable certificate purpose",
        ),
    ];
    let (good, bad) = (good.map(|it| Files::new(&it)), bad.map(|(it, why)| (Files::new(&it), why)));
    for backend in BACKENDS {
        let host = host(&root, None);
        let program = host.serve(&["--tls", backend]);
        for (which, foreign) in foreign().iter().enumerate() {
            let foreign = &**foreign;
            for way in WAYS {
                relayed(foreign, &host, way, &good[0]);
                refused(foreign, &host, way, None, "");
            }
            relayed(foreign, &host, WAYS[which], &good[1]);
            // Each kind by one way; each way has its share.
            for (n, (files, why)) in bad.iter().enumerate() {
                let way = WAYS[(n + which) % WAYS.len()];
                refused(foreign, &host, way, Some(files), &format!(": {why}"));
            }
        }
        let log = program.stderr();
        let said = |what: &str| log.iter().any(|line| line.contains(what));
        // Once in a session, however many recipients are refused.
        let judged = log.iter().filter(|line| line.contains("does not open the relay")).count();
        assert_eq!(judged, bad.len() * foreign().len());
        assert!(said(r#"certificate opens the relay service="smtp""#), "{log:#?}");
        assert!(said(r#"address="Tim@Example.org""#), "{log:#?}");
        assert!(said("reason=\"the mail address of the certificate cannot be used: octet 0x00"));
        assert!(!log.iter().any(|line| line.contains('\0')), "{log:#?}");
        // What is the client's own has no place in the control directory.
        assert!(!said("place="), "{log:#?}");
    }
}

#[test]
fn what_is_revoked_does_not_relay() {
    let root = Authority::root("clients");
    let (good, bad) = (root.issue_client(&tim()), root.issue_client(&tim()));
    let below = root.intermediate("more clients");
    let unknown = Files::new(&below.issue_client(&tim()));
    let list =
        |validity| root.list(&List { revoked: &[&bad.certificate], validity, ..List::default() });
    let (current, expired) = (list(Validity::Now), list(Validity::Expired));
    let (good, bad) = (Files::new(&good), Files::new(&bad));
    for backend in BACKENDS {
        let host = host(&root, Some(&current));
        let program = host.serve(&["--tls", backend]);
        for foreign in foreign() {
            for way in WAYS {
                relayed(&*foreign, &host, way, &good);
                refused(&*foreign, &host, way, Some(&bad), ": certificate revoked");
            }
            let why = ": unable to get certificate CRL";
            refused(&*foreign, &host, WAYS[1], Some(&unknown), why);
        }
        drop(program);

        host.write("tls.clientcrl.pem", &expired);
        let program = host.serve(&["--tls", backend]);
        for foreign in foreign() {
            for way in WAYS {
                refused(&*foreign, &host, way, Some(&good), ": CRL has expired");
            }
        }
        let log = program.stderr();
        let place = "/control/tls.clientcrl.pem:1:";
        let told =
            |line: &&String| line.contains("does not open the relay") && line.contains(place);
        assert!(log.iter().any(|line| told(&line)), "{log:#?}");
    }
}

/// What a list that cannot be used revokes, nobody knows: another list does not stand in for it, and the
/// programs say so alike.
#[test]
fn a_list_that_cannot_be_used_closes_the_relay_and_is_told() {
    let root = Authority::root("clients");
    let bad = root.issue_client(&tim());
    let old = root.list(&List::default());
    let newer = List { revoked: &[&bad.certificate], since: Some(2024), ..List::default() };
    // onlyContainsUserCerts (RFC 5280 section 5.2.5).
    let part = extension(&[0x55, 0x1d, 28], true, b"\x30\x03\x81\x01\xff");
    let both = format!("{old}{}", root.list_with(&newer, &part));
    let line = old.lines().count() + 1;
    let bad = Files::new(&bad);
    for backend in BACKENDS {
        let host = host(&root, Some(&both));
        let program = host.serve(&["--tls", backend]);
        for foreign in foreign() {
            for way in WAYS {
                refused(&*foreign, &host, way, Some(&bad), ": unable to get certificate CRL");
            }
        }
        let why = "a revocation list cannot be used, and nobody can relay whose chain has CN=clients \
                   as an issuer: it is for a part of its issuer's certificates alone";
        let place = format!("{}/tls.clientcrl.pem:{line}:1", host.control().display());
        let log = program.stderr();
        let warned =
            |it: &&String| it.starts_with(&format!("{place}: warning[")) && it.ends_with(why);
        assert_eq!(log.iter().filter(warned).count(), 1, "{log:#?}");
        let refused = |it: &&String| it.contains("does not open the relay") && it.contains(&place);
        assert!(log.iter().any(|it| refused(&it)), "{log:#?}");

        let control = host.control();
        let tool = |arguments: &[&str]| {
            let mut command = Command::new(TLS_TOOL);
            let command = command.arg(arguments[0]).arg(&control).args(["--tls", backend]);
            process::run(command.args(&arguments[1..]), b"").stdout.join("\n")
        };
        let check = tool(&["check"]);
        assert_eq!(check.matches(why).count(), 1, "{check}");
        assert!(check.contains(&format!("--> {place}\n")), "{check}");
        let text = tool(&["explain", "--service", "smtp3"]);
        assert!(text.contains(&format!("clients: {why}  {place}")), "{text}");
        let json = tool(&["explain", "--service", "smtp3", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let all = json["services"][0]["tls"]["unhonoured"].as_array().unwrap();
        let said = all.iter().find(|it| it["reason"] == why).unwrap_or_else(|| panic!("{json:#}"));
        assert_eq!((&said["setting"], &said["place"]), (&"clients".into(), &place.clone().into()));
    }
}

/// What is refused in clear says nothing of the certificate that comes later.
#[test]
fn nobody_is_judged_before_tls() {
    let Some(python) = require_peer("python3") else { return };
    let root = Authority::root("clients");
    let files = Files::new(&root.issue_client(&tim()));
    let foreign = Python(python);
    for backend in BACKENDS {
        let host = host(&root, None);
        let _program = host.serve(&["--tls", backend]);
        for version in ["1.2", "1.3"] {
            let ran = relayed(&foreign, &host, ("late", version), &files);
            let text = REFUSED.strip_prefix("553 ").unwrap();
            let clear = format!("clear 553 {text} (#5.7.1)");
            assert!(ran.stdout.contains(&clear), "{backend} {version}: {ran:#?}");
        }
    }
}

/// In clear, and where the files are not there, nothing is said of a reason.
#[test]
fn who_is_asked_for_no_certificate_is_told_of_none() {
    let root = Authority::root("clients");
    let files = Files::new(&root.issue_client(&tim()));
    for backend in BACKENDS {
        let host = host(&root, None);
        fs::remove_file(host.control().join("tls.tlsclients")).unwrap();
        let _program = host.serve(&["--tls", backend]);
        for foreign in foreign() {
            refused(&*foreign, &host, WAYS[1], Some(&files), "");
        }
        let mut peer = smtp_testkit::peer::Peer::connect(("127.0.0.1", host.starttls));
        peer.expect_reply("220");
        peer.ask("EHLO client.example.net", "250");
        peer.ask("MAIL FROM:<a@example.net>", "250");
        let said = peer.ask(&format!("RCPT TO:<{ELSEWHERE}>"), "553");
        assert_eq!(said, [format!("{REFUSED} (#5.7.1)")]);
        peer.ask("QUIT", "221");
    }
}
