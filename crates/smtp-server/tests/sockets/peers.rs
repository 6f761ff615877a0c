//! Clients that people have, where they meet what a user of the server can switch on.

use std::fs;
use std::process::Command;

use smtp_proto::wire::Capability;
use smtp_server::auth::Passwords;
use smtp_server::{Acceptor, ConnectionPolicy};
use smtp_testkit::process::{self, require_peer, temp_dir};
use smtp_tls::{Backend, Identity, ServerPolicy, pem_sections};

use super::common::{Running, config};
use super::open;

/// A server that asks for a name and a password inside TLS, and the file with its certificate.
fn submission(backend: Backend) -> (Running, String) {
    let leaf = smtp_testkit::pki::self_signed(&["localhost", "127.0.0.1"]);
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
    let identity = Identity::from_pem_sections(&sections).unwrap();
    let acceptor = Acceptor::new(backend, &ServerPolicy::new(identity.into())).unwrap();
    let mut config = config();
    config.capabilities.insert(Passwords::CAPABILITY);
    config.auth_required = true;
    let policy = ConnectionPolicy::new(config.into()).with_starttls(acceptor);
    (open::start(policy), leaf.certificate)
}

fn assert_one_message_of_tim(running: &Running, context: &str) {
    let messages = running.messages();
    assert_eq!(messages.len(), 1, "{context}");
    assert!(messages[0].contains(" with ESMTPSA (TLS"), "{context}: {}", messages[0]);
    assert!(messages[0].contains("\nDelivered-To: r@elsewhere.example\n"), "{context}");
    running.files("new").iter().for_each(|file| fs::remove_file(file).unwrap());
}

const SMTPLIB_AUTH: &str = r#"
import smtplib, ssl, sys
port, ca, mechanism = sys.argv[1:]
def session(password):
    smtp = smtplib.SMTP("127.0.0.1", int(port), "client.example.net")
    smtp.ehlo()
    assert not smtp.has_extn("auth")
    smtp.starttls(context=ssl.create_default_context(cafile=ca))
    smtp.ehlo()
    assert smtp.esmtp_features["auth"].split() == ["PLAIN", "LOGIN"], smtp.esmtp_features
    smtp.user, smtp.password = "tim", password
    smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower()))
    return smtp
try:
    session("wrong")
except smtplib.SMTPAuthenticationError as error:
    print(error.smtp_code)
smtp = session("tanstaaf")
smtp.sendmail("s@a.example", ["r@elsewhere.example"], "Subject: hello\r\n\r\ntext\r\n")
smtp.quit()
"#;

#[test]
fn smtplib_authenticates() {
    let Some(python) = require_peer("python3") else { return };
    for &backend in Backend::available() {
        let (running, certificate) = submission(backend);
        let folder = temp_dir();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, certificate).unwrap();
        for mechanism in ["PLAIN", "LOGIN"] {
            let mut command = Command::new(&python);
            let port = running.address.port().to_string();
            command.args(["-I", "-c", SMTPLIB_AUTH, &port]).arg(&ca).arg(mechanism);
            let ran = process::run(&mut command, b"");
            assert_eq!((ran.code, &ran.stdout[..]), (Some(0), &["535".to_owned()][..]), "{ran:#?}");
            assert_one_message_of_tim(&running, mechanism);
        }
    }
}

#[test]
fn curl_authenticates() {
    let Some(program) = require_peer("curl") else { return };
    for &backend in Backend::available() {
        let (running, certificate) = submission(backend);
        let folder = temp_dir();
        let (ca, mail) = (folder.path().join("ca.pem"), folder.path().join("mail"));
        fs::write(&ca, certificate).unwrap();
        fs::write(&mail, "Subject: hello\r\n\r\ntext\r\n").unwrap();
        let url = format!("smtp://127.0.0.1:{}/client.example.net", running.address.port());
        for (mechanism, password, code) in
            [("PLAIN", "tanstaaf", 0), ("LOGIN", "tanstaaf", 0), ("PLAIN", "wrong", 67)]
        {
            let mut command = Command::new(&program);
            command
                .args(["-q", "-sS", "--noproxy", "*", "--ssl-reqd", "--cacert"])
                .arg(&ca)
                .args(["--mail-from", "s@a.example", "--mail-rcpt", "r@elsewhere.example"])
                .args(["--login-options", &format!("AUTH={mechanism}")])
                .args(["--user", &format!("tim:{password}"), "--upload-file"])
                .arg(&mail)
                .arg(&url);
            let ran = process::run(&mut command, b"");
            assert_eq!(ran.code, Some(code), "{mechanism}: {ran:#?}");
            if code == 0 {
                assert_one_message_of_tim(&running, mechanism);
            }
        }
        assert!(running.messages().is_empty());
    }
}

#[test]
fn swaks_authenticates() {
    let Some(program) = require_peer("swaks") else { return };
    for &backend in Backend::available() {
        let (running, _) = submission(backend);
        let home = temp_dir();
        // 28 is a failed authentication to swaks.
        for (mechanism, password, code) in
            [("PLAIN", "tanstaaf", 0), ("LOGIN", "tanstaaf", 0), ("LOGIN", "wrong", 28)]
        {
            let mut command = Command::new(&program);
            command
                .env("SWAKS_HOME", home.path())
                .env("HOME", home.path())
                .args(["--server", &running.address.to_string(), "--ehlo", "client.example.net"])
                .args(["--tls", "--from", "s@a.example", "--to", "r@elsewhere.example"])
                .args(["--auth", mechanism, "--auth-user", "tim", "--auth-password", password]);
            let ran = process::run(&mut command, b"");
            assert_eq!(ran.code, Some(code), "{mechanism}: {ran:#?}");
            if code == 0 {
                assert_one_message_of_tim(&running, mechanism);
            }
        }
        assert!(running.messages().is_empty());
    }
}

const LMTP: &str = r#"
import smtplib, sys
lmtp = smtplib.LMTP("127.0.0.1", int(sys.argv[1]), "client.example.net")
text = "Subject: hello\r\n\r\ntext\r\n"
refused = lmtp.sendmail("s@a.example", ["r@elsewhere.example", "a@b.example"], text)
print({address: code for address, (code, _) in refused.items()})
lmtp.mail("s@a.example")
lmtp.rcpt("a@b.example")
lmtp.rcpt("full@b.example")
print(lmtp.data(text)[0], lmtp.getreply()[0])
lmtp.quit()
"#;

#[test]
fn smtplib_speaks_lmtp() {
    let Some(python) = require_peer("python3") else { return };
    let running = open::start_with(|config| config.lmtp = true);
    let port = running.address.port().to_string();
    let ran = process::run(Command::new(python).args(["-I", "-c", LMTP, &port]), b"");
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    assert_eq!(ran.stdout, ["{'r@elsewhere.example': 550}", "250 451"]);
    assert_eq!(running.messages().len(), 2);
}

const SMTPUTF8: &str = r#"
import smtplib, sys
smtp = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example.net")
smtp.ehlo()
assert smtp.has_extn("smtputf8")
smtp.sendmail("s\u00e9@a.example", ["r\u00f6\u2028@b.example", "r\u00f6@b.example"], "Subject: gr\u00fc\u00dfe\r\n\r\ntext\r\n".encode(),
              mail_options=["SMTPUTF8", "BODY=8BITMIME"])
try:
    smtp.sendmail("s@a.example", ["r\u00f6@b.example"], b"\r\n")
except smtplib.SMTPRecipientsRefused as error:
    print([code for code, _ in error.recipients.values()])
except UnicodeEncodeError:
    # smtplib itself sends nothing outside ASCII then.
    print([553])
smtp.quit()
"#;

#[test]
fn smtplib_sends_addresses_outside_ascii() {
    let Some(python) = require_peer("python3") else { return };
    let running = open::start_with(|config| {
        config.capabilities.insert(Capability::SmtpUtf8);
    });
    let port = running.address.port().to_string();
    let ran = process::run(Command::new(python).args(["-I", "-c", SMTPUTF8, &port]), b"");
    assert_eq!((ran.code, &ran.stdout[..]), (Some(0), &["[553]".to_owned()][..]), "{ran:#?}");
    let message = running.messages().remove(0);
    let head = "Return-Path: <s\u{e9}@a.example>\nDelivered-To: r\u{f6}@b.example\nReceived: ";
    assert!(message.starts_with(head), "{message}");
    assert!(message.contains(" with UTF8SMTP; "), "{message}");
    assert!(message.ends_with("Subject: gr\u{fc}\u{df}e\n\ntext\n"), "{message}");
}
