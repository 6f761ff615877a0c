//! Files that are too large, go round in circles, lead elsewhere or were written on another system:
//! each is an error at its place or keeps its documented meaning, in bounded time.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{memory, said};
use hvmail_control::Control;
use hvmail_control::diagnostic::Severity;
use hvmail_control::limits::{MAX_FILE_SIZE, MAX_LIST_ENTRIES};
use hvmail_control::source::{Directory, Memory};

fn errors(control: &Control) -> Vec<String> {
    said(control, Severity::Error)
}

/// A directory on disk in which the services can run.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("me", "mx.example.com\n"), ("rcpthosts", ""), ("smtp.tcp", ":allow\n")]
    {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

fn load(directory: &Path) -> Control {
    Control::load(&Directory::open(directory).unwrap())
}

/// What a load says, in a time that no debug build on a busy machine needs.
fn in_time(what: &str, load: impl FnOnce() -> Control) -> Control {
    let started = Instant::now();
    let control = load();
    let took = started.elapsed();
    println!("{what}: {took:?}, {} diagnostics", control.diagnostics.len());
    assert!(took < Duration::from_secs(60), "{what}: {took:?}");
    assert!(control.diagnostics.len() < 3_000, "{what}: {}", control.diagnostics.len());
    for diagnostic in &control.diagnostics {
        assert!(diagnostic.message.len() < 500, "{what}: {}", diagnostic.code);
    }
    control
}

#[test]
fn a_file_of_100_mebibytes_is_an_error_with_its_size_and_the_limit() {
    const SIZE: u64 = 100 << 20;
    for name in ["greenarrow.conf", "smtp.tcp", "rcpthosts", "smtp2", "me", "smtproutes"] {
        let directory = directory();
        File::create(directory.path().join(name)).unwrap().set_len(SIZE).unwrap();
        let started = Instant::now();
        let control = load(directory.path());
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: it is not read");
        let found = control.diagnostics.iter().find(|said| said.code == "unreadable-file").unwrap();
        let shown = found.display(&control.snapshot).to_string();
        let wanted = format!(
            "{name}: error[unreadable-file]: is at least {SIZE} octets long, more than the limit of \
             {MAX_FILE_SIZE}"
        );
        assert!(shown.ends_with(&wanted), "{shown}");
    }
    let directory = directory();
    fs::write(directory.path().join("greenarrow.conf"), "a\ninclude big.conf\n").unwrap();
    File::create(directory.path().join("big.conf")).unwrap().set_len(SIZE).unwrap();
    let control = load(directory.path());
    let wanted = ["greenarrow.conf:2:9 error[include-unreadable]"];
    assert_eq!(errors(&control), wanted);
    let message = &control.diagnostics[0].message;
    assert!(message.contains("104857600 octets") && message.contains("limit of 16777216"));
}

#[test]
fn a_file_at_the_limit_is_read_in_bounded_time() {
    let limit = usize::try_from(MAX_FILE_SIZE).unwrap();
    // What makes a value of each line costs a debug build a second for each of these.
    let less = limit / 16;
    let filled = |size: usize, line: &dyn Fn(usize) -> String| {
        let mut content = String::with_capacity(size);
        for line in (0..).map(line).take_while(|line| !line.is_empty()) {
            if content.len() + line.len() > size {
                break;
            }
            content.push_str(&line);
        }
        content.extend(std::iter::repeat_n('\n', size - content.len()));
        content
    };
    let address = |n: usize| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    for (name, content, error) in [
        ("greenarrow.conf", filled(limit, &|_| "# nothing but this\n".into()), None),
        ("greenarrow.conf", filled(less, &|number| format!("domain d{number} {{}}\n")), None),
        ("smtp.tcp", filled(less, &|number| address(number) + ":allow\n"), None),
        ("smtp.tcp", format!(":allow{}", ",A=\"\"".repeat(limit / 5 - 2)), Some("bad-access-rule")),
        ("smtp2", filled(limit, &|_| "A=1 ".into()), Some("unreadable-assignments")),
        ("smtproutes", filled(less, &|number| format!("d{number}.example:h\n")), None),
        ("rcpthosts", filled(limit, &|_| "# nothing but this\n".into()), None),
        ("rcpthosts", filled(less, &|number| format!("d{number}.example\n")), None),
    ] {
        let directory = directory();
        fs::write(directory.path().join(name), content).unwrap();
        let control = in_time(name, || load(directory.path()));
        let errors = errors(&control);
        match error {
            None => assert_eq!(errors, [""; 0], "{name}"),
            Some(code) => assert!(errors.iter().any(|said| said.contains(code)), "{errors:?}"),
        }
    }
}

/// Half of a list would refuse this host's mail for good, or send mail to a domain's own hosts.
#[test]
fn a_list_that_is_too_long_is_used_for_nothing() {
    let long = |line: &str| line.repeat(MAX_LIST_ENTRIES + 1);
    let source = memory().file("rcpthosts", long("a\n")).file("smtproutes", long("b:h\n"));
    let control = in_time("lists", || Control::load(&source));
    let line = MAX_LIST_ENTRIES + 1;
    assert_eq!(
        errors(&control),
        [
            "rcpthosts error[recipients-unknown] smtp".to_owned(),
            format!("rcpthosts:{line}:1 error[too-many-entries]"),
            format!("smtproutes:{line}:1 error[too-many-entries]"),
        ]
    );
    assert!(control.services.iter().all(|service| !service.runs()));
    for domain in ["b", "other.example"] {
        assert!(control.outgoing_for(domain, None).is_err(), "{domain}");
    }
}

#[test]
fn includes_that_go_round_through_links_end() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("greenarrow.conf"), "include link.conf\n").unwrap();
    symlink("greenarrow.conf", path("link.conf")).unwrap();
    let control = load(directory.path());
    assert_eq!(errors(&control), ["link.conf:1:9 error[include-loop]"]);

    fs::write(path("greenarrow.conf"), "include d/a.conf\n").unwrap();
    fs::write(path("a.conf"), "include d/d/d/b.conf\n").unwrap();
    fs::write(path("b.conf"), "include a.conf\n").unwrap();
    symlink(".", path("d")).unwrap();
    let control = load(directory.path());
    // `d/a.conf` is a.conf by another name, which is seen when the second round begins.
    assert_eq!(errors(&control), ["a.conf:1:9 error[include-loop]"]);

    // A link that leads to itself is a file that cannot be read.
    fs::write(path("greenarrow.conf"), "\ninclude self.conf\n").unwrap();
    symlink("self.conf", path("self.conf")).unwrap();
    let control = load(directory.path());
    assert_eq!(errors(&control), ["greenarrow.conf:2:9 error[include-unreadable]"]);
}

#[test]
fn an_include_that_is_no_file_is_an_error_at_its_place() {
    let directory = directory();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("conf.d")).unwrap();
    symlink("nowhere", path("dangling.conf")).unwrap();
    for (include, code, says) in [
        ("conf.d", "include-unreadable", "is a directory"),
        ("/dev/zero", "include-unreadable", "a pipe, a socket or a device"),
        ("dangling.conf", "include-unreadable", "a link that leads nowhere"),
        ("me/x.conf", "include-unreadable", "me/x.conf: "),
        ("absent.conf", "include-missing", "there is no file "),
        ("../absent.conf", "include-missing", "/../absent.conf"),
    ] {
        fs::write(path("greenarrow.conf"), format!("a {{\n  include {include}\n}}\n")).unwrap();
        let control = load(directory.path());
        assert_eq!(errors(&control), [format!("greenarrow.conf:2:11 error[{code}]")]);
        let message = &control.diagnostics[0].message;
        assert!(message.contains(says), "{include}: {message}");
        assert!(control.is_fatal());
    }
}

#[test]
fn an_include_may_lead_out_of_the_directory_and_shows_where_to() {
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("control");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("smtp.tcp"), ":allow\n").unwrap();
    fs::write(inside.join("rcpthosts"), "").unwrap();
    fs::write(
        outside.path().join("shared.conf"),
        "domain a.example {\n  starttls_require yes\n}\n",
    )
    .unwrap();
    symlink("../shared.conf", inside.join("linked.conf")).unwrap();
    let absolute = outside.path().join("shared.conf");
    for (include, shown) in [
        ("../shared.conf", inside.join("../shared.conf")),
        (absolute.to_str().unwrap(), absolute.clone()),
        ("linked.conf", inside.join("linked.conf")),
    ] {
        fs::write(inside.join("greenarrow.conf"), format!("include \"{include}\"\n")).unwrap();
        let control = load(&inside);
        assert_eq!(errors(&control), [""; 0], "{include}");
        let rule = control.outgoing_for("a.example", None).unwrap();
        assert!(rule.policy.level.required(), "{include}");
        let place = control.location(rule.starttls_require.origin).unwrap();
        assert_eq!((place.path, place.line, place.column), (shown, 2, 3));
    }
}

const FILES: [(&str, &str); 8] = [
    ("me", "mx.example.com\n"),
    ("rcpthosts", "# ours\na.example\n.b.example\n"),
    ("databytes", "1000\n"),
    ("smtp.tcp", "# c\n127.0.0.1:allow,RELAYCLIENT=\"\"\n:deny\n"),
    ("smtp2", "ENABLED=1\nexport \\\n  SMTPS\nPORT=2587\n"),
    ("smtproutes", "c.example:relay.example:2525\n"),
    ("tls.tlsserverciphers", "HIGH\n!aNULL\n"),
    (
        "greenarrow.conf",
        "# ours\ngeneral {\n  x `y`\n}\ndomain a.example, \"b.example\" {\n  starttls_require yes\n}\n\
         y <<Z\nbody\nZ\n",
    ),
];

fn written(change: impl Fn(&str) -> String) -> Control {
    let source = FILES
        .iter()
        .fold(Memory::new(), |source, (name, content)| source.file(name, change(content)));
    Control::load(&source)
}

#[test]
fn crlf_line_ends_mean_what_lf_means_in_every_file() {
    let show = |control: &Control| {
        let services: Vec<_> = control
            .services
            .iter()
            .map(|s| format!("{} {:?} {:?} {:?}", s.name, s.enabled.value, s.port.value, s.broken))
            .collect();
        let peer = |address: &str| {
            control.for_peer(control.service("smtp").unwrap(), address.parse().unwrap())
        };
        let outgoing = |domain: &str| {
            let rule = control.outgoing_for(domain, None).unwrap();
            (rule.policy.level.required(), rule.route)
        };
        let parts = (
            (services, control.me.as_ref().map(|me| me.value.clone())),
            control.inbound.max_message_size.value,
            (control.accepts(Some("a.example")), control.accepts(Some("x.b.example"))),
            (peer("127.0.0.1").relay.is_some(), peer("192.0.2.1").relay.is_some()),
            (outgoing("a.example"), outgoing("b.example"), outgoing("c.example")),
        );
        format!("{parts:?}")
    };
    let plain = written(str::to_owned);
    assert_eq!(errors(&plain), [""; 0]);
    for change in [
        &(|text: &str| text.replace('\n', "\r\n")) as &dyn Fn(&str) -> String,
        &|text| format!("\u{feff}{}", text.replace('\n', "\r\n")),
        &|text| text.trim_end().replace('\n', "\r\n"),
    ] {
        let other = written(change);
        assert_eq!(show(&other), show(&plain));
        let new: Vec<_> = other.diagnostics.iter().map(|d| d.code).collect();
        let known: Vec<_> = plain.diagnostics.iter().map(|d| d.code).collect();
        let new: Vec<_> = new.into_iter().filter(|code| !known.contains(code)).collect();
        assert_eq!(new, ["crlf-line-ends"], "for smtp2, which a shell reads");
    }
}

#[test]
fn a_carriage_return_that_ends_no_line_is_told_at_its_place() {
    for (name, content, place) in [
        ("me", "mx.example.com\rmx2.example.com\n", "me:1:1 error[not-a-host-name]"),
        ("rcpthosts", "a.example\rb.example\n", "rcpthosts:1:1 warning[entry-without-effect]"),
        ("databytes", "1000\r2000\n", "databytes:1:1 error[not-a-number]"),
        ("smtp.tcp", "127.0.0.1:allow\r:deny\n", "smtp.tcp:1:16 error[bad-access-rule]"),
        ("smtp2", "ENABLED=1\rPORT=2587\n", "smtp2:1:9 error[unusable-value] smtp2"),
        (
            "smtproutes",
            "c.example:relay.example\rd.example:x\n",
            "smtproutes:1:1 error[not-a-route]",
        ),
        ("greenarrow.conf", "a b\rc d\n", "greenarrow.conf:1:4 error[stray-character]"),
    ] {
        let control = Control::load(&memory().file(name, content));
        let said = said(&control, Severity::Warning);
        assert!(said.contains(&place.to_owned()), "{name}: {said:?}");
    }
}

#[test]
fn a_hundred_thousand_faults_are_bounded_and_counted() {
    const MANY: usize = 100_000;
    // Enough for what grows with the square to show.
    const LESS: usize = 50_000;
    let long_list = |pattern: &str| vec![pattern; LESS].join(",");
    let patterns =
        format!("domain {} {{\n{}starttls_use yes\n}}\n", long_list(".a"), "x 1\n".repeat(LESS));
    let overridden = format!(
        "general {{\n{}starttls_use {}\n}}\n",
        "starttls_use no\n".repeat(LESS),
        long_list("y")
    );
    let nowhere = format!(
        "relay_server r {{\ndomain {} {{\n{}}}\n}}\ngeneral {{\nstarttls_require no\n}}\n",
        long_list("a"),
        "starttls_use no\n".repeat(LESS)
    );
    for (what, name, content, code) in [
        ("patterns", "greenarrow.conf", patterns, "domain-pattern"),
        ("overridden", "greenarrow.conf", overridden, "overridden-directive"),
        ("nowhere", "greenarrow.conf", nowhere, "not-honoured"),
        ("grammar", "greenarrow.conf", "a (\n".repeat(MANY), "too-many-errors"),
        ("escapes", "greenarrow.conf", "a \"\\c\"\n".repeat(MANY), "too-many-warnings"),
        ("access", "smtp.tcp", "x\n".repeat(MANY), "more-diagnostics"),
        ("recipients", "rcpthosts", "@\n".repeat(MANY), "more-diagnostics"),
        ("routes", "smtproutes", "x\n".repeat(MANY), "more-diagnostics"),
        ("words", "smtp2", "a;".repeat(MANY), "more-diagnostics"),
    ] {
        let control = in_time(what, || Control::load(&memory().file(name, content)));
        let said: Vec<_> = control.diagnostics.iter().filter(|d| d.code == code).collect();
        assert!(!said.is_empty() && said.len() <= 2_000, "{what}: {} of {code}", said.len());
        for diagnostic in said {
            let shown = diagnostic.display(&control.snapshot).to_string();
            assert!(shown.starts_with("/var/hvmail/control"), "{what}: {shown}");
        }
    }
}
