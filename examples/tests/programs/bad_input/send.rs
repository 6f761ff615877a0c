//! `hvmail-send`: addresses, messages, rules and command lines that cannot be used.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use smtp_testkit::peer::Listener;
use smtp_testkit::process::{self, Finished};

use super::assert_ends;
use crate::support::{BACKENDS, Host, SEND};

const ENVELOPE: [&str; 4] = ["--from", "a@example.org", "--to", "b@example.org"];
const MESSAGE: &[u8] = b"Subject: hello\n\ntext\n";

/// `hvmail-send` under a host's rules, without any argument but these.
fn send(host: &Host, arguments: &[&str]) -> Finished {
    process::run(&mut command(host, arguments), MESSAGE)
}

fn command(host: &Host, arguments: &[&str]) -> Command {
    let mut command = Command::new(SEND);
    command.arg("--control").arg(host.control()).args(arguments);
    command
}

/// Checks for a usage error: nothing was tried, so nothing is said about any recipient.
fn assert_usage(finished: &Finished, says: &[&str]) {
    assert_ends(finished, 64, says);
    assert_eq!(finished.stdout, [""; 0], "{finished:?}");
}

/// Checks for one line that defers a recipient and ends with these words.
fn assert_deferred(finished: &Finished, line: &str) {
    assert_eq!(finished.code, Some(75), "{finished:?}");
    let [said] = &finished.stdout[..] else { panic!("not one line: {finished:?}") };
    assert!(said.starts_with(&format!("deferred b@example.org {line}")), "{line}: {finished:?}");
    assert!(said.ends_with(" tls=unsettled"), "{finished:?}");
}

const NO_ADDRESS: [&str; 25] = [
    "",
    " ",
    "a",
    "@",
    "a@",
    "@example.org",
    "a@b@example.org",
    "a b@example.org",
    "a@b> SIZE=1",
    "<a@b> SIZE=1",
    "<a@b",
    "a@b>",
    "<a@b><c@d>",
    "a@b\r\nRCPT TO:<c@d>",
    "a@b\nDATA",
    "a@b\r",
    "\"a\r\nb\"@example.org",
    "a@[127.0.0.1",
    "a@[nonsense]",
    "a@example..org",
    "\u{e4}@",
    "\u{85}@example.org",
    "a@\u{9b}.org",
    "\u{2028}@example.org",
    "a@b\u{7f}",
];

#[test]
fn what_is_no_address_is_never_sent_to_anybody() {
    let host = Host::new();
    let listener = Listener::new();
    let route = listener.address().to_string();
    let long = format!("{}@example.org", "a".repeat(65));
    let longer = format!("a@{}", "a.".repeat(200) + "org");
    for text in NO_ADDRESS.into_iter().chain([long.as_str(), longer.as_str()]) {
        let from = format!("--from={text}");
        let to = format!("--to={text}");
        assert_usage(
            &send(&host, &["--route", &route, &from, "--to", "b@example.org"]),
            &["--from"],
        );
        assert_usage(&send(&host, &["--route", &route, "--from=<>", &to]), &["--to"]);
        // One that cannot be meant keeps the message from the good one too.
        assert_usage(
            &send(&host, &["--route", &route, "--from=<>", "--to=b@example.org", &to]),
            &["--to"],
        );
    }
    assert_usage(&send(&host, &["--route", &route, "--from=<>", "--to=<>"]), &["--to"]);
    listener.expect_nobody();
}

#[test]
fn a_bad_command_line_is_a_usage_error() {
    let host = Host::new();
    let with = |more: &[&str]| send(&host, &[&ENVELOPE[..], more].concat());
    let folder = process::temp_dir();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    assert_usage(&with(&["--nonsense"]), &["--nonsense"]);
    assert_usage(&with(&["--tls", "nonsense"]), &["nonsense"]);
    assert_usage(&with(&["FILE", "surplus"]), &["surplus"]);
    assert_usage(&send(&host, &["--to", "b@example.org"]), &["--from"]);
    assert_usage(&send(&host, &["--from", "b@example.org"]), &["--to"]);
    assert_usage(
        &send(&host, &[&ENVELOPE[..], &["--from", "c@example.org"]].concat()),
        &["--from"],
    );

    for route in [
        "",
        "mx",
        "mx:",
        ":25",
        "mx:0",
        "mx:65536",
        "mx:-1",
        "mx:smtp",
        "::1:25",
        "[::1:25",
        "[]:25",
        "[::1]",
        "[mx]:25",
        "m x:25",
        "mx\r\n:25",
        "mx\u{1b}[m:25",
        "mx/a:25",
        "mx..org:25",
    ] {
        assert_usage(&with(&[&format!("--route={route}")]), &["--route"]);
    }
    for name in ["", "no name", "a..b", "mx\r\nRSET", "*.example.org"] {
        let name = format!("--name={name}");
        assert_usage(&with(&["--route=mx:25", "--verify", &name]), &["--name"]);
    }
    assert_usage(&with(&["--name", "mx.example.org"]), &["--verify"]);
    assert_usage(&with(&["--ca", "x"]), &["--verify"]);

    for more in [
        &["--notify=SOMETIMES"][..],
        &["--notify=NEVER,DELAY"],
        &["--notify="],
        &["--ret=ALL"],
        &["--envid="],
        &["--envid=a\r\nRSET"],
        &["--envid=\u{e4}"],
    ] {
        let option = more[0].split('=').next().unwrap();
        assert_usage(&with(&[&["--route=mx:25"], more].concat()), &[option]);
    }
    assert_usage(&with(&["--route=mx:25", "--requiretls"]), &["--verify"]);
    assert_usage(&with(&["--lmtp"]), &["--route"]);
    assert_usage(&with(&["--route=mx:25", "--auth-user=tim"]), &["--auth-password-file"]);
    assert_usage(&with(&["--route=mx:25", "--auth-password-file=x"]), &["--auth-user"]);
    let password = file("password", "secret\n");
    let auth = |file: &str| format!("--auth-password-file={file}");
    assert_usage(&with(&["--auth-user=tim", &auth(&password)]), &["--route"]);
    for (user, path, says) in [
        ("tim", "/absent/password".to_owned(), "No such file"),
        ("tim", file("nothing", ""), "empty"),
        ("tim", file("an empty line", "\nsecret\n"), "empty"),
        ("tim", folder.path().to_str().unwrap().to_owned(), "directory"),
        ("", password, "--auth-user"),
        ("tim", file("nul", "secr\0et"), "--auth-user"),
    ] {
        let user = format!("--auth-user={user}");
        let finished = with(&["--route=mx:25", &user, &auth(&path)]);
        assert_usage(&finished, &[says]);
        assert!(!format!("{finished:?}").contains("secr"), "{finished:?}");
    }

    let absent = folder.path().join("absent");
    let below = folder.path().to_str().unwrap();
    let certificates = [
        (absent.to_str().unwrap().to_owned(), "No such file"),
        (below.to_owned(), "directory"),
        (file("empty.pem", ""), "no certificate"),
        (file("key.pem", &host.certificate.key), "no certificate"),
        (file("cut.pem", &host.certificate.certificate[..100]), "cut.pem"),
        (file("garbage.pem", "\0\u{1}\u{2}"), "no certificate"),
        (
            file("nonsense.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "nonsense.pem",
        ),
    ];
    for &tls in BACKENDS {
        for (path, says) in &certificates {
            let finished = with(&["--route=127.0.0.1:25", "--tls", tls, "--verify", "--ca", path]);
            assert_usage(&finished, &["--ca", path, says]);
        }
    }
    for (path, says) in [(absent.to_str().unwrap(), "No such file"), (below, "directory")] {
        assert_usage(&with(&["--route=127.0.0.1:25", path]), &[path, says]);
    }
    let finished = process::run(
        Command::new(SEND).args(ENVELOPE).args(["--control", absent.to_str().unwrap()]),
        b"",
    );
    assert_ends(&finished, 78, &[absent.to_str().unwrap()]);
}

#[test]
fn rules_that_cannot_be_read_send_nothing() {
    let host = Host::new();
    let path = host.control().join("greenarrow.conf");
    for (content, place) in [
        ("general {\n  starttls_require yes\n", ":1:9: error["),
        ("domain x {\n  starttls_require \"yes\n}\n", ":2:20: error["),
        ("\0", ":1:1: error["),
        ("include greenarrow.conf\n", ":1:"),
    ] {
        host.write("greenarrow.conf", content);
        let finished = send(&host, &[&ENVELOPE[..], &["--route", "127.0.0.1:9"]].concat());
        assert_ends(&finished, 78, &[path.to_str().unwrap(), place]);
        assert_eq!(finished.stdout, [""; 0]);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let finished = send(&host, &[&ENVELOPE[..], &["--route", "127.0.0.1:9"]].concat());
    assert_ends(&finished, 78, &[path.to_str().unwrap(), "is a directory"]);
}

/// A rule that cannot be understood keeps back the mail that it governs, and no other.
#[test]
fn a_rule_that_cannot_be_used_defers_with_its_place() {
    let host = Host::new();
    let listener = Listener::new();
    let route = listener.address().to_string();
    for (content, place) in [
        ("domain example.org {\n  starttls_require maybe\n}\n", "greenarrow.conf:2:3)"),
        ("domain example.org {\n  starttls_use\n}\n", "greenarrow.conf:2:3)"),
        ("domain example.org {\n  smtp_route mx:x\n}\n", "greenarrow.conf:2:3)"),
    ] {
        host.write("greenarrow.conf", content);
        let finished = send(&host, &[&ENVELOPE[..], &["--route", &route]].concat());
        assert_deferred(&finished, "451 4.3.5 the rule for this domain cannot be used: ");
        assert!(finished.stdout[0].contains(place), "{finished:?}");
    }
    host.write("greenarrow.conf", "").write("smtproutes", "# none\nexample.org:mx:x\n");
    let finished = send(&host, &ENVELOPE);
    assert_deferred(&finished, "451 4.3.5 the rule for this domain cannot be used: ");
    assert!(finished.stdout[0].contains("smtproutes:2:1)"), "{finished:?}");
    listener.expect_nobody();

    // The recipient of another domain is tried all the same, and its outcome is its own.
    let finished = send(
        &host,
        &[&ENVELOPE[..], &["--to", "c@example.net", "--route", "127.0.0.1:1"]].concat(),
    );
    assert_eq!(finished.code, Some(75));
    assert_eq!(finished.stdout.len(), 2, "{finished:?}");
    assert!(finished.stdout[1].starts_with("deferred c@example.net 451 4.4.1 "), "{finished:?}");
}

#[test]
fn without_a_route_or_a_host_that_answers_mail_is_deferred() {
    let host = Host::new();
    assert_deferred(&send(&host, &ENVELOPE), "451 4.4.3 no route");
    let closed = process::free_port();
    let finished =
        send(&host, &[&ENVELOPE[..], &["--route", &format!("127.0.0.1:{closed}")]].concat());
    assert_deferred(&finished, &format!("451 4.4.1 cannot connect to 127.0.0.1:{closed}: "));
    let finished = send(&host, &[&ENVELOPE[..], &["--route", "mx.invalid:25"]].concat());
    assert_deferred(&finished, "451 4.4.3 cannot resolve mx.invalid: ");
    host.write("smtproutes", &format!(":127.0.0.1:{closed}\n"));
    assert_deferred(&send(&host, &ENVELOPE), "451 4.4.1 cannot connect");
}

/// What becomes of the message can then not be told: not success, and not silence either.
#[test]
fn a_standard_output_that_takes_nothing_is_no_success() {
    let host = Host::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    for stdout in [Stdio::from(writer), Stdio::from(full)] {
        let output = command(&host, &ENVELOPE)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(75));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("cannot write to standard output"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    // Closed from the start, it is as if nobody wanted to know.
    let script = format!("exec {SEND} \"$@\" <&- >&- 2>&-");
    let mut closed = Command::new("sh");
    closed.args(["-c", &script, "sh", "--control"]).arg(host.control()).args(ENVELOPE);
    assert_eq!(process::run(&mut closed, b"").code, Some(75));
}

/// What can be read once is kept in memory, and is not without end.
#[test]
fn a_message_without_end_is_a_usage_error() {
    let host = Host::new();
    let listener = Listener::new();
    let route = listener.address().to_string();
    let arguments = [&ENVELOPE[..], &["--route", &route]].concat();
    let mut endless = command(&host, &arguments);
    let zeroes = fs::File::open("/dev/zero").unwrap();
    let output = endless.stdin(Stdio::from(zeroes)).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("standard input: the message has more than 134217728 octets"), "{said}");
    let finished = send(&host, &[&arguments[..], &["/dev/zero"]].concat());
    assert_usage(&finished, &["/dev/zero", "more than 134217728 octets"]);
    listener.expect_nobody();
}

/// A pipe can be read once: it is not the file that is read again for the sending.
#[test]
fn a_message_from_a_pipe_is_whole() {
    let host = Host::new();
    let _server = host.serve(&[]);
    let pipe = host.control().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.clone();
    let writer = std::thread::spawn(move || {
        let mut pipe = fs::File::options().write(true).open(path).unwrap();
        pipe.write_all(MESSAGE).unwrap();
    });
    let finished =
        host.send(host.starttls, &[&ENVELOPE[..], &[pipe.to_str().unwrap()]].concat(), "");
    writer.join().unwrap();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(host.messages()[0].ends_with("Subject: hello\n\ntext\n"));
}
