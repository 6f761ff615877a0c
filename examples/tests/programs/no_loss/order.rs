//! The order of the system calls behind a 250, as the kernel saw them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use smtp_testkit::process::{Program, TempDir, require_peer, temp_dir};

use crate::support::{BACKENDS, Host, eventually};

use super::senders::{GROUP, greeted, hear, send};

/// The calls that change the Maildir or the wire.
const CALLS: &str = "trace=openat,write,writev,pwrite64,fsync,fdatasync,link,linkat,\
                     unlink,unlinkat,sendto,sendmsg,sendmmsg";

/// What a record of TLS 1.3 has beside its text: a header, the type, and the tag.
const TLS_1_3_RECORD: usize = 5 + 1 + 16;

/// One system call: it ran from one line of the trace to another.
#[derive(Debug)]
struct Call {
    begin: usize,
    end: usize,
    name: String,
    arguments: String,
    result: String,
}

impl Call {
    /// Whether its first argument is a descriptor of this file, which still has this name.
    fn is_on(&self, path: &str) -> bool {
        let descriptor = self.arguments.split(',').next().unwrap_or_default();
        let Some((_, file)) = descriptor.split_once('<') else { return false };
        file.trim_end_matches(')') == format!("{path}>")
    }

    fn sends(&self) -> bool {
        const SENDING: [&str; 5] = ["sendto", "sendmsg", "sendmmsg", "write", "writev"];
        let descriptor = self.arguments.split(", ").next().unwrap_or_default();
        SENDING.contains(&self.name.as_str()) && descriptor.contains("<TCP")
    }

    /// Whether it answers a chunk that is not the last, inside TLS: a record with a reply of that
    /// length, which no other reply to a message has.
    fn goes_on(&self) -> bool {
        const SEALED: usize = "250 2.0.0 ok, go on\r\n".len() + TLS_1_3_RECORD;
        self.sends() && self.result == SEALED.to_string()
    }

    fn succeeded(&self) -> bool {
        !self.result.starts_with('-') && self.result != "?"
    }
}

/// Reads `strace -f -yy`: a call that another thread's line interrupts stands in two lines.
fn parse(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let Some(place) = open.iter().position(|(other, _)| *other == thread) else { continue };
            let (_, index) = open.swap_remove(place);
            let (_, tail) = resumed.split_once("resumed>").unwrap();
            let (arguments, result) = tail.rsplit_once(" = ").unwrap_or((tail, "?"));
            calls[index].end = at;
            calls[index].arguments.push_str(arguments.trim_end());
            calls[index].result = result.to_owned();
            continue;
        }
        // Signals and exits are no calls.
        let Some((name, rest)) = rest.split_once('(') else { continue };
        if !name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_') {
            continue;
        }
        let unfinished = rest.strip_suffix(" <unfinished ...>");
        let (arguments, result, end) = match unfinished {
            Some(arguments) => (arguments, "?", usize::MAX),
            None => {
                let (arguments, result) = rest.rsplit_once(" = ").unwrap_or((rest, "?"));
                (arguments.trim_end(), result, at)
            }
        };
        if unfinished.is_some() {
            open.push((thread, calls.len()));
        }
        calls.push(Call {
            begin: at,
            end,
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            result: result.to_owned(),
        });
    }
    calls
}

/// A server whose calls are written down.
struct Traced {
    host: Host,
    program: Program,
    folder: TempDir,
}

impl Traced {
    /// `None`, and a word about it, without strace.
    fn serve(backend: &str) -> Option<Self> {
        let strace = require_peer("strace")?;
        let (host, folder) = (Host::new(), temp_dir());
        let serve = host.smtpd(&["--tls", backend]);
        // With -D the server is the child of the test, and is killed with it whatever happens.
        let program = Program::spawn(
            Command::new(strace)
                .args(["-D", "-f", "-yy", "-s", "64", "-o"])
                .arg(folder.path().join("trace"))
                .args(["-e", CALLS])
                .arg(serve.get_program())
                .args(serve.get_args()),
        );
        program.wait_for_stderr("listening service=smtp3 ");
        Some(Self { host, program, folder })
    }

    /// Ends the server, and gives what it did.
    fn finish(mut self) -> (Host, Vec<Call>) {
        self.program.signal("TERM");
        assert_eq!(self.program.wait(Duration::from_secs(20)).code(), Some(0));
        let path = self.folder.path().join("trace");
        let mut trace = String::new();
        eventually("strace writes its last line", || {
            trace = fs::read_to_string(&path).unwrap();
            trace.lines().last().is_some_and(|line| line.ends_with("+++ exited with 0 +++"))
        });
        (self.host, parse(&trace))
    }
}

/// Checks every delivery in the trace, and gives the first octets of the answer to each.
fn check(host: &Host, calls: &[Call]) -> Vec<String> {
    let maildir = host.maildir().canonicalize().unwrap();
    let folder = |name: &str| maildir.join(name).to_str().unwrap().to_owned();
    let (tmp, new) = (folder("tmp"), folder("new"));
    let mut answers = Vec::new();
    let creations =
        calls.iter().filter(|call| call.name == "openat" && call.arguments.contains("O_CREAT"));
    for created in creations {
        assert!(created.arguments.contains("O_EXCL"), "{created:?}");
        assert!(created.succeeded(), "{created:?}");
        let path = created.arguments.split('"').nth(1).unwrap();
        let name = path.strip_prefix(&format!("{tmp}/")).unwrap_or_else(|| panic!("{created:?}"));
        let linked = format!("{new}/{name}");
        let find = |what: &str, holds: &dyn Fn(&Call) -> bool| {
            let mut found = calls.iter().filter(|call| holds(call) && call.succeeded());
            let call = found.next().unwrap_or_else(|| panic!("{path}: no {what}"));
            assert!(found.next().is_none(), "{path}: more than one {what}");
            call
        };

        let writes: Vec<_> =
            calls.iter().filter(|call| call.name.contains("write") && call.is_on(path)).collect();
        let octets: u64 = writes.iter().map(|call| call.result.parse::<u64>().unwrap()).sum();
        assert_eq!(octets, fs::metadata(&linked).unwrap().len(), "{path}: {writes:?}");
        let synced = find("fsync", &|call| call.name == "fsync" && call.is_on(path));
        let link = find("link", &|call| {
            call.name.starts_with("link")
                && call.arguments.contains(&format!("\"{path}\""))
                && call.arguments.contains(&format!("\"{linked}\""))
        });
        let unlinked = find("unlink", &|call| {
            call.name.starts_with("unlink") && call.arguments.contains(&format!("\"{path}\""))
        });
        // The answer is the next that the server sends behind the creation: until the message is
        // whole it has nothing to say, but for the chunks that it goes on with.
        let answer = calls
            .iter()
            .find(|call| call.sends() && call.end > created.begin && !call.goes_on())
            .unwrap_or_else(|| panic!("{path}: no answer"));
        let directory_synced = calls
            .iter()
            .find(|call| {
                call.name == "fsync"
                    && call.is_on(&new)
                    && call.begin > link.end
                    && call.succeeded()
            })
            .unwrap_or_else(|| panic!("{path}: no fsync of new behind the link"));

        for write in writes {
            assert!(created.end < write.begin && write.end < synced.begin, "{write:?} {synced:?}");
        }
        assert!(synced.end < link.begin, "{synced:?} {link:?}");
        assert!(directory_synced.end < unlinked.begin, "{directory_synced:?} {unlinked:?}");
        assert!(directory_synced.end < answer.begin, "{directory_synced:?} {answer:?}");
        answers.push(answer.arguments.split('"').nth(1).unwrap_or_default().to_owned());
    }
    answers
}

#[test]
fn a_250_in_clear_is_sent_once_the_message_and_its_name_are_synced() {
    let Some(traced) = Traced::serve(BACKENDS[0]) else { return };
    let mut peer = greeted(traced.host.starttls).unwrap();
    let mut one = |lines: usize| {
        send(&mut peer, GROUP.as_bytes()).unwrap();
        for code in ["250", "250", "354"] {
            hear(&mut peer, code).unwrap();
        }
        let text = "a line of a message\r\n".repeat(lines);
        send(&mut peer, format!("{text}.\r\n").as_bytes()).unwrap();
        hear(&mut peer, "250").unwrap();
    };
    one(1);
    one(20_000);
    // What is synced is the directory that has the message, not one that had its name before.
    let new = traced.host.maildir().join("new");
    let aside = traced.host.maildir().join("aside");
    fs::rename(&new, &aside).unwrap();
    fs::create_dir(&new).unwrap();
    one(1);
    one(20_000);
    for entry in fs::read_dir(&aside).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), new.join(entry.file_name())).unwrap();
    }
    drop(peer);
    let (host, calls) = traced.finish();
    let answers = check(&host, &calls);
    assert_eq!(answers.len(), 4);
    for answer in answers {
        assert!(answer.starts_with("250 2."), "{answer:?}");
    }
}

#[test]
fn a_250_under_tls_is_sent_once_the_message_and_its_name_are_synced() {
    for backend in BACKENDS {
        let Some(traced) = Traced::serve(backend) else { return };
        let envelope = ["--from", "a@example.org", "--to", "b@example.org"];
        for text in ["one line\n".to_owned(), "many lines\n".repeat(20_000)] {
            let sent = traced.host.send(traced.host.starttls, &envelope, &text);
            assert_eq!(sent.code, Some(0), "{sent:?}");
            assert!(sent.stdout[0].contains(" tls=TLSv1.3"), "{sent:?}");
        }
        let (host, calls) = traced.finish();
        assert!(calls.iter().any(Call::goes_on), "{backend}: the message came in one chunk");
        assert_eq!(check(&host, &calls).len(), 2, "{backend}");
    }
}

#[test]
fn interrupted_calls_and_their_ends_are_one() {
    let trace = "7 openat(AT_FDCWD</>, \"/m/tmp/a\", O_WRONLY|O_CREAT|O_EXCL, 0600) = 9</m/tmp/a>\n\
                 7 fsync(9</m/tmp/a> <unfinished ...>\n\
                 8 sendto(5<TCP:[127.0.0.1:1->127.0.0.1:2]>, \"250 = ok\", 8, 0, NULL, 0) = 8\n\
                 7 <... fsync resumed>)              = 0\n\
                 8 --- SIGTERM {si_signo=SIGTERM} ---\n\
                 8 fsync(4</m/new> (deleted)) = 0\n\
                 8 +++ exited with 0 +++\n";
    let calls = parse(trace);
    let shown: Vec<_> = calls
        .iter()
        .map(|call| (call.name.as_str(), call.begin, call.end, call.result.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("openat", 0, 0, "9</m/tmp/a>"),
            ("fsync", 1, 3, "0"),
            ("sendto", 2, 2, "8"),
            ("fsync", 5, 5, "0")
        ]
    );
    assert!(calls[1].is_on("/m/tmp/a") && calls[2].sends());
    assert!(!calls[3].is_on("/m/new"));
}
