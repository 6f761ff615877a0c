//! What a server says it can do: each capability in both directions, and what is no capability.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::limits;
use smtp_proto::wire::{
    Capabilities, Capability as C, Code, Extension, Interval, Limits, Mechanisms, Reply,
    ReplyParser, ReplyStatus, Timestamp,
};

fn print(reply: &Reply) -> String {
    let mut out = Vec::new();
    reply.write_to(&mut out);
    String::from_utf8(out).unwrap()
}

fn read(printed: &str) -> Reply {
    match ReplyParser::new().feed(printed.as_bytes()) {
        Ok(ReplyStatus::Complete { reply, consumed }) if consumed == printed.len() => reply,
        other => panic!("{printed:?}: {other:?}"),
    }
}

fn of_lines(lines: &[&str]) -> Capabilities {
    let mut all = vec!["mx.example.org"];
    all.extend(lines);
    Capabilities::from_reply(&Reply::multiline(Code::OK, None, all))
}

const NO_LIMITS: Limits = Limits { mail_max: None, rcpt_max: None, rcpt_domain_max: None };

#[test]
fn every_line_in_both_directions() {
    let until = Timestamp::parse("2030-01-01T00:00:00Z").unwrap();
    let future = C::FutureRelease { interval: Interval::new(86_400).unwrap(), until };
    let limits = |mail_max, rcpt_max, rcpt_domain_max| {
        C::Limits(Limits { mail_max, rcpt_max, rcpt_domain_max })
    };
    let cases = [
        ("PIPELINING", C::Pipelining, "PIPELINING"),
        ("pipelining", C::Pipelining, "PIPELINING"),
        ("SIZE", C::Size(None), "SIZE"),
        ("SIZE 0", C::Size(None), "SIZE"),
        ("size  1000 ", C::Size(Some(1000)), "SIZE 1000"),
        ("SIZE 99999999999999999999", C::Size(Some(u64::MAX)), "SIZE 18446744073709551615"),
        ("SIZE x", C::Other("SIZE x"), "SIZE x"),
        ("SIZE -1", C::Other("SIZE -1"), "SIZE -1"),
        ("SIZE 1 2", C::Other("SIZE 1 2"), "SIZE 1 2"),
        ("8bitmime", C::EightBitMime, "8BITMIME"),
        ("ENHANCEDSTATUSCODES", C::EnhancedStatusCodes, "ENHANCEDSTATUSCODES"),
        ("STARTTLS", C::StartTls, "STARTTLS"),
        ("starttls now", C::StartTls, "STARTTLS"),
        ("CHUNKING", C::Chunking, "CHUNKING"),
        ("BINARYMIME", C::BinaryMime, "BINARYMIME"),
        ("SMTPUTF8", C::SmtpUtf8, "SMTPUTF8"),
        ("DSN", C::Dsn, "DSN"),
        ("AUTH PLAIN LOGIN", C::Auth(Mechanisms::new("PLAIN LOGIN")), "AUTH PLAIN LOGIN"),
        ("AUTH", C::Auth(Mechanisms::new("")), "AUTH"),
        ("AUTH=LOGIN PLAIN", C::Auth(Mechanisms::new("LOGIN PLAIN")), "AUTH LOGIN PLAIN"),
        ("auth= LOGIN", C::Auth(Mechanisms::new("LOGIN")), "AUTH LOGIN"),
        ("AUTH SCRAM-SHA-256 a=b", C::Auth(Mechanisms::new("SCRAM-SHA-256")), "AUTH SCRAM-SHA-256"),
        (
            "AUTH X23456789012345678901 X2345678901234567890",
            C::Auth(Mechanisms::new("X2345678901234567890")),
            "AUTH X2345678901234567890",
        ),
        ("REQUIRETLS", C::RequireTls, "REQUIRETLS"),
        ("MT-PRIORITY", C::MtPriority(None), "MT-PRIORITY"),
        ("MT-PRIORITY MIXER", C::MtPriority(Some("MIXER")), "MT-PRIORITY MIXER"),
        ("MT-PRIORITY A B", C::Other("MT-PRIORITY A B"), "MT-PRIORITY A B"),
        (
            "FUTURERELEASE 86400 2030-01-01T00:00:00Z",
            future,
            "FUTURERELEASE 86400 2030-01-01T00:00:00Z",
        ),
        ("FUTURERELEASE", C::Other("FUTURERELEASE"), "FUTURERELEASE"),
        (
            "FUTURERELEASE 0 2030-01-01T00:00:00Z",
            C::Other("FUTURERELEASE 0 2030-01-01T00:00:00Z"),
            "FUTURERELEASE 0 2030-01-01T00:00:00Z",
        ),
        (
            "FUTURERELEASE 86400 2030-13-01T00:00:00Z",
            C::Other("FUTURERELEASE 86400 2030-13-01T00:00:00Z"),
            "FUTURERELEASE 86400 2030-13-01T00:00:00Z",
        ),
        ("DELIVERBY", C::DeliverBy(None), "DELIVERBY"),
        ("DELIVERBY 240", C::DeliverBy(Some(240)), "DELIVERBY 240"),
        ("DELIVERBY 240,x=y,z", C::DeliverBy(Some(240)), "DELIVERBY 240"),
        ("DELIVERBY ,x", C::DeliverBy(None), "DELIVERBY"),
        ("DELIVERBY -1", C::Other("DELIVERBY -1"), "DELIVERBY -1"),
        ("DELIVERBY 1234567890", C::Other("DELIVERBY 1234567890"), "DELIVERBY 1234567890"),
        ("DELIVERBY 1,,x", C::Other("DELIVERBY 1,,x"), "DELIVERBY 1,,x"),
        ("RRVS", C::Rrvs, "RRVS"),
        (
            "LIMITS RCPTMAX=20 MAILMAX=5",
            limits(Some(5), Some(20), None),
            "LIMITS MAILMAX=5 RCPTMAX=20",
        ),
        (
            "limits rcptdomainmax=1 mailmax=999999",
            limits(Some(999_999), None, Some(1)),
            "LIMITS MAILMAX=999999 RCPTDOMAINMAX=1",
        ),
        ("LIMITS RCPTMAX=20 RCPTMAX=10", limits(None, Some(10), None), "LIMITS RCPTMAX=10"),
        (
            "LIMITS RCPTMAX=20 X_NEW Y=;".trim_end_matches(";"),
            C::Other("LIMITS RCPTMAX=20 X_NEW Y="),
            "LIMITS RCPTMAX=20 X_NEW Y=",
        ),
        ("LIMITS RCPTMAX=20 X_NEW Y-Z=a=b", limits(None, Some(20), None), "LIMITS RCPTMAX=20"),
        (
            "LIMITS RCPTMAX=20;MAILMAX=1",
            C::Other("LIMITS RCPTMAX=20;MAILMAX=1"),
            "LIMITS RCPTMAX=20;MAILMAX=1",
        ),
        ("LIMITS", C::Other("LIMITS"), "LIMITS"),
        ("ETRN", C::Etrn, "ETRN"),
        ("XCLIENT NAME  ADDR", C::Xclient("NAME  ADDR"), "XCLIENT NAME ADDR"),
        ("XFORWARD NAME ADDR PROTO", C::Xforward("NAME ADDR PROTO"), "XFORWARD NAME ADDR PROTO"),
        ("VRFY", C::Vrfy, "VRFY"),
        ("EXPN", C::Expn, "EXPN"),
        ("HELP", C::Help, "HELP"),
        ("X-A b=c", C::Other("X-A b=c"), "X-A b=c"),
        ("XEXCH50", C::Other("XEXCH50"), "XEXCH50"),
    ];
    let mut met = Vec::new();
    for (line, capability, printed) in cases {
        assert_eq!(C::parse(line), Some(capability), "{line}");
        assert_eq!(capability.to_string(), printed, "{line}");
        assert_eq!(C::parse(printed).unwrap().to_string(), printed);
        met.extend(capability.extension());
        // A set gives it back, alone and through a reply.
        let set = Capabilities::default().with(capability);
        assert_eq!(Capabilities::from_reply(&read(&print(&set.to_reply("mx")))), set, "{line}");
        let back: Vec<String> = set.iter().map(|one| one.to_string()).collect();
        assert_eq!(back, [printed]);
    }
    assert!(Extension::ALL.iter().all(|extension| met.contains(extension)));
}

#[test]
fn a_wrong_limit_is_as_if_it_were_not_there() {
    for item in ["0", "01", "1000000", "-1", "+1", "x", "1,2", "\"1\""] {
        let line = format!("LIMITS MAILMAX={item} RCPTMAX=7");
        let limits = Limits { rcpt_max: Some(7), ..NO_LIMITS };
        assert_eq!(C::parse(&line), Some(C::Limits(limits)), "{line}");
    }
    assert_eq!(C::parse("LIMITS MAILMAX RCPTMAX=0"), Some(C::Limits(NO_LIMITS)));
    // A limit that LIMITS cannot say is not said, and no LIMITS without one.
    for unsaid in [0, 1_000_000] {
        let limits = Limits { mail_max: Some(unsaid), rcpt_max: Some(5), ..NO_LIMITS };
        assert_eq!(C::Limits(limits).to_string(), "LIMITS RCPTMAX=5");
        let limits = Limits { mail_max: Some(unsaid), ..NO_LIMITS };
        assert_eq!(Capabilities::default().with(C::Limits(limits)), Capabilities::default());
    }
}

#[test]
fn what_is_no_capability() {
    for line in ["", " ", "-A", "A_B", "XXXX\r\nSTARTTLS", "\u{e4}", "A=B", "SIZE=5", "\0"] {
        assert_eq!(C::parse(line), None, "{line:?}");
    }
}

#[test]
fn an_ehlo_reply_has_a_name_and_capabilities() {
    let reply = Reply::new(Code::OK, None, "STARTTLS\nPIPELINING\n?\nX-A\nSIZE 5");
    let capabilities = Capabilities::from_reply(&reply);
    assert!(!capabilities.has(Extension::StartTls), "the first line is the server's name");
    assert!(capabilities.has(Extension::Pipelining));
    assert_eq!(capabilities.size_limit(), Some(5));
    assert_eq!(capabilities.other().collect::<Vec<_>>(), ["X-A"]);
    let refused = Reply::new(Code::UNRECOGNISED, None, "no\nSTARTTLS");
    assert_eq!(Capabilities::from_reply(&refused), Capabilities::default());
}

#[test]
fn mechanisms_of_both_forms_are_one_list() {
    let capabilities = of_lines(&["AUTH PLAIN LOGIN", "AUTH=LOGIN XOAUTH2 plain"]);
    assert_eq!(capabilities.auth().collect::<Vec<_>>(), ["PLAIN", "LOGIN", "XOAUTH2"]);
    assert!(Mechanisms::new("PLAIN LOGIN").has("login"));
    assert!(!Mechanisms::new("PLAIN LOGIN").has("LOG"));
    assert!(!of_lines(&["AUTHX PLAIN"]).has(Extension::Auth));
    // However many there are, they fit in one line.
    let many: Vec<String> = (0..100).map(|n| format!("AUTH MECHANISM-{n}")).collect();
    let capabilities = of_lines(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let printed = print(&capabilities.to_reply("mx"));
    assert_eq!(printed.lines().count(), 2);
    assert!(printed.lines().all(|line| line.len() + 2 <= limits::REPLY_LINE));
}

#[test]
fn what_comes_last_counts_and_what_is_taken_away_is_gone() {
    let mut capabilities =
        of_lines(&["SIZE 5", "DSN", "SIZE 7", "LIMITS MAILMAX=1", "LIMITS RCPTMAX=2"]);
    assert_eq!(capabilities.size_limit(), Some(7));
    assert_eq!(capabilities.limits(), Limits { rcpt_max: Some(2), ..NO_LIMITS });
    assert_eq!(
        capabilities.extensions().iter().collect::<Vec<_>>(),
        [Extension::Size, Extension::Dsn, Extension::Limits]
    );
    for extension in [Extension::Size, Extension::Limits, Extension::Dsn] {
        capabilities.remove(extension);
        assert!(!capabilities.has(extension) && capabilities.get(extension).is_none());
    }
    assert_eq!(capabilities, Capabilities::default());
    assert_eq!((capabilities.size_limit(), capabilities.limits()), (None, NO_LIMITS));
}

#[test]
fn no_value_adds_a_line_or_grows_without_bound() {
    let long = "X".repeat(600);
    for capability in [
        C::Other("X\nAUTH PLAIN"),
        C::Other(&long),
        C::Xclient("A\r\nSTARTTLS"),
        C::Xforward("\u{e4}"),
        C::Xclient(&long),
        C::MtPriority(Some("a b")),
        C::DeliverBy(Some(u32::MAX)),
    ] {
        let set = Capabilities::default().with(capability);
        assert_eq!(set, Capabilities::default(), "{capability:?}");
    }
    let named = Capabilities::default().with(C::Other("dsn")).with(C::Other("AUTH PLAIN"));
    assert!(named.has(Extension::Dsn) && named.has(Extension::Auth));
    let mut many = Capabilities::default();
    for n in 0..1000 {
        many.insert(C::Other(&format!("X-{n}")));
    }
    assert_eq!(many.other().count(), limits::OTHER_CAPABILITIES);

    let printed = print(&named.to_reply("mx.example.org\nSTARTTLS"));
    assert_eq!(printed, "250-mx.example.org STARTTLS\r\n250-DSN\r\n250 AUTH PLAIN\r\n");
    assert_eq!(print(&Capabilities::default().to_reply("mx")), "250 mx\r\n");
    // A long greeting stays in its line.
    let printed = print(&Capabilities::default().to_reply(&"DSN ".repeat(200)));
    assert!(printed.starts_with("250 ") && printed.len() <= limits::REPLY_LINE);
}

fn capability_line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(Extension::ALL).prop_map(|one| one.keyword().to_owned()),
        1 => "SIZE [0-9]{1,4}",
        1 => "LIMITS( (MAILMAX|RCPTMAX|RCPTDOMAINMAX|X)=[0-9]{1,7}){1,3}",
        1 => "AUTH[ =](PLAIN |LOGIN |[A-Z0-9_-]{1,22} ){0,3}",
        1 => "DELIVERBY [0-9]{0,10}(,[a-z]{0,2})?",
        1 => "FUTURERELEASE [0-9]{1,10} 20[0-9]{2}-0[0-9]-[0-3][0-9]T00:00:00Z",
        1 => "(MT-PRIORITY|XCLIENT|XFORWARD|X[A-Z0-9-]{0,10})( [!-~]{1,8}){0,2}",
        1 => ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn whatever_is_taken_reads_back(
        lines in proptest::collection::vec(capability_line(), 0..8),
        greeting in ".{0,40}",
    ) {
        let set = of_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let printed = print(&set.to_reply(&greeting));
        prop_assert!(printed.bytes().all(|octet| matches!(octet, b' '..=b'~' | b'\r' | b'\n')));
        prop_assert_eq!(&Capabilities::from_reply(&read(&printed)), &set);
        // The order of insertion is no part of the value of what is known.
        let known = |set: &Capabilities| set.iter().filter(|one| one.extension().is_some()).map(|one| one.to_string()).collect::<Vec<_>>();
        let mut again = Capabilities::default();
        for line in known(&set).iter().rev() {
            again.insert(C::parse(line).unwrap());
        }
        prop_assert_eq!(known(&again), known(&set));
    }
}
