//! Cipher strings: which one is in force and what it overrides, and what is said of one that OpenSSL
//! refuses or passes over in part.

#![allow(clippy::unwrap_used)]

mod common;

use common::{leaf, memory, running, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::explain::Rule;
use hvmail_control::limits::{MAX_CIPHER_STRING, MAX_DIAGNOSTICS_PER_FILE};
use hvmail_control::snapshot::{Origin, OriginId};
use hvmail_control::source::Memory;
use hvmail_control::{Control, Setting};
use smtp_tls::Version;

const FILE: &str = "tls.tlsserverciphers";
const SMTP2: &str = "ENABLED=1\nPORT=587\n";

fn with_certificate() -> Memory {
    memory().file("tls.servercert.pem", leaf().chain_and_key())
}

/// `file:line:column`, `$VARIABLE` or `default`.
fn place(control: &Control, origin: OriginId) -> String {
    match control.origin(origin).unwrap() {
        Origin::Default(_) => "default".to_owned(),
        Origin::Environment(name) => format!("${name}"),
        Origin::File(span) => {
            let location = control.snapshot.location(*span);
            let file = location.path.file_name().unwrap().to_string_lossy().into_owned();
            format!("{file}:{}:{}", location.line, location.column)
        }
    }
}

/// The string in force, where it stands, and what it overrides, the one written first in front.
fn explained(control: &Control, setting: &Setting<Option<String>>) -> String {
    let text = setting.value.as_deref().unwrap_or("(DEFAULT)");
    let replaced: Vec<_> = setting.replaced.iter().map(|id| place(control, *id)).collect();
    format!("{text} from {} over {}", place(control, setting.origin), replaced.join(" "))
}

/// What is said of ciphers, sorted.
fn told(control: &Control) -> Vec<String> {
    said(control, Severity::Note).into_iter().filter(|line| line.contains("[cipher")).collect()
}

#[test]
fn each_place_overrides_those_below_it_and_names_them() {
    let rules = "10.0.0.1:allow,TLSCIPHERS=\"AES128\"\n10.0.0.2:allow,TLSCIPHERS=\"\"\n:allow\n";
    let exported = format!("{SMTP2}TLSCIPHERS=AES256\nTLSCIPHERS=CHACHA20\nexport TLSCIPHERS\n");
    let everything = with_certificate()
        .file("smtp.tcp", rules)
        .file("smtp2", exported)
        .file(FILE, "# ours\nHIGH\n!aNULL\n")
        .variable("TLSCIPHERS", "ECDHE");
    let control = Control::load(&everything);
    assert_eq!(told(&control), [""; 0]);
    let service = |name: &str| control.service(name).unwrap();
    let of = |name: &str| explained(&control, &service(name).tls_ciphers);
    assert_eq!(of("smtp"), "ECDHE from $TLSCIPHERS over default tls.tlsserverciphers:2:1");
    let smtp2 = "over default tls.tlsserverciphers:2:1 $TLSCIPHERS smtp2:3:12";
    assert_eq!(of("smtp2"), format!("CHACHA20 from smtp2:4:12 {smtp2}"));
    let under = |name: &str, peer: &str| {
        let rules = control.for_peer(service(name), peer.parse().unwrap());
        explained(&control, &rules.tls_ciphers)
    };
    assert_eq!(under("smtp2", "10.0.0.1"), format!("AES128 from smtp.tcp:1:28 {smtp2} smtp2:4:12"));
    assert_eq!(
        under("smtp", "10.0.0.2"),
        "(DEFAULT) from smtp.tcp:2:28 over default tls.tlsserverciphers:2:1 $TLSCIPHERS"
    );
    assert_eq!(under("smtp", "10.0.0.3"), of("smtp"));
    let by_rule: Vec<_> = control
        .tls_by_rule(service("smtp2"))
        .map(|by| (by.rule.address.value.as_str(), by.tls_ciphers.value, by.tls.policy().is_some()))
        .collect();
    let aes128 = Some("AES128".to_owned());
    assert_eq!(by_rule, [("10.0.0.1", aes128, true), ("10.0.0.2", None, true)]);

    let joined = Control::load(&with_certificate().file(FILE, "# ours\nHIGH\n!aNULL\n"));
    assert_eq!(
        explained(&joined, &joined.service("smtp").unwrap().tls_ciphers),
        "HIGH:!aNULL from tls.tlsserverciphers:2:1 over default"
    );
    for empty in ["", "\n# nothing\n", "  \n"] {
        let control = Control::load(&with_certificate().file(FILE, empty));
        assert_eq!(control.service("smtp").unwrap().tls_ciphers.value, None);
        assert_eq!(told(&control), [""; 0]);
    }
}

#[test]
fn a_string_that_openssl_refuses_breaks_the_services_that_have_it() {
    let smtp2 = |text: &str| format!("{SMTP2}export TLSCIPHERS=\"{text}\"\n");
    let refused = "error[ciphers-refused]";
    let plain = with_certificate().file("smtp2", SMTP2);
    for (source, left, expected) in [
        (
            plain.clone().file(FILE, "HIGH\n!aNULL:@FOO\n"),
            &[][..],
            &["tls.tlsserverciphers:2:8"][..],
        ),
        (
            plain.clone().file(FILE, "HIGH:@SECLEVEL=7\n").variable("TLSCIPHERS", "HIGH"),
            &["smtp", "smtp2"],
            &[],
        ),
        (plain.clone().variable("TLSCIPHERS", "HIGH+"), &[], &["$TLSCIPHERS"]),
        (plain.clone().file("smtp2", smtp2("HIGH:@FOO")), &["smtp"], &["smtp2:3:25"]),
        (plain.clone().file("smtp2", smtp2("TLS_AES_128_GCM_SHA256")), &["smtp"], &["smtp2:3:19"]),
        (plain.file("smtp2", smtp2("HIGH:!ALL")), &["smtp"], &["smtp2:3:19"]),
        (
            with_certificate()
                .file("smtp2", format!("{SMTP2}GREENARROW_STARTTLS=0\n"))
                .file(FILE, "@"),
            &["smtp2"],
            &["tls.tlsserverciphers:1:2"],
        ),
    ] {
        let control = Control::load(&source);
        let places: Vec<_> = told(&control)
            .iter()
            .filter_map(|line| Some(line.split_once(&format!(" {refused}"))?.0.to_owned()))
            .collect();
        assert_eq!(places, expected, "{:?}", control.diagnostics);
        assert_eq!(running(&control), left);
        assert_eq!(control.has_errors(), !expected.is_empty());
    }
    // One string, one error, with every service that has it.
    let two = with_certificate().file("smtp2", SMTP2).file(FILE, "HIGH:@FOO\n");
    assert_eq!(told(&Control::load(&two)), [format!("{FILE}:1:6 {refused} smtp smtp2")]);
}

#[test]
fn a_refused_string_of_a_rule_breaks_each_service_under_the_rules() {
    let rules = "10.0.0.1:allow,TLSCIPHERS=\"HIGH:@FOO\"\n:allow\n";
    let own_rules = format!("{SMTP2}TCPRULES_INHERIT=0\n");
    let source = with_certificate().file("smtp.tcp", rules).file("smtp2.tcp", ":allow\n");
    let control = Control::load(&source.clone().file("smtp2", own_rules));
    assert_eq!(told(&control), ["smtp.tcp:1:33 error[ciphers-refused] smtp"]);
    assert_eq!(running(&control), ["smtp2"]);
    let control = Control::load(&source.file("smtp2", SMTP2));
    assert_eq!(running(&control), [""; 0]);
    assert!(control.is_fatal());
}

#[test]
fn a_string_that_is_too_long_is_refused_unread_wherever_it_stands() {
    let refused = |place: &str| format!("{place} error[ciphers-refused]");
    let most = format!("{}HIGH", "F:".repeat((MAX_CIPHER_STRING - 4) / 2));
    assert_eq!(most.len(), MAX_CIPHER_STRING);
    let lines: Vec<_> = (0..100_000).map(|n| format!("FOO{n}")).collect();
    for (source, place) in [
        (with_certificate().file(FILE, lines.join("\n")), "tls.tlsserverciphers:1:1"),
        (with_certificate().file(FILE, "AES:".repeat(2_000_000)), "tls.tlsserverciphers:1:1"),
        (with_certificate().file(FILE, format!("{most}:")), "tls.tlsserverciphers:1:1"),
        (with_certificate().variable("TLSCIPHERS", format!("{most}\u{e9}")), "$TLSCIPHERS"),
        (
            with_certificate().file("smtp.tcp", format!(":allow,TLSCIPHERS=\"{most}:\"\n")),
            "smtp.tcp:1:20",
        ),
    ] {
        let control = Control::load(&source);
        // No word of it is judged.
        let said: Vec<_> =
            control.diagnostics.iter().filter(|said| said.code.contains("cipher")).collect();
        let [only] = &*said else { panic!("{said:?}") };
        assert!(only.message.contains("longer than 16384 octets"), "{}", only.message);
        assert_eq!(told(&control), [format!("{} smtp", refused(place))]);
        assert_eq!(running(&control), [""; 0]);
        // What is kept of it is still refused by whoever serves.
        let service = control.service("smtp").unwrap();
        for tls in control.tls_policies(service) {
            let kept = tls.policy().unwrap().ciphers.as_ref().map_or(0, |kept| kept.text.len());
            assert!(kept <= MAX_CIPHER_STRING + 2, "{kept}");
        }
    }
    // One that is just short enough is read, and its last word has its place.
    let read = Control::load(&with_certificate().file(FILE, most.replace(':', "\n")));
    assert_eq!(running(&read), ["smtp"]);
    let last = format!("tls.tlsserverciphers:{MAX_DIAGNOSTICS_PER_FILE}:1 warning");
    assert!(told(&read).iter().any(|line| line.starts_with(&last)), "{last}");
}

#[test]
fn a_word_without_effect_is_told_at_its_place_and_once() {
    let warning = "warning[cipher-word-without-effect]";
    for (file, content, expected) in [
        (FILE, "# ours\nHIGH:FOO\n!aNUL\n".to_owned(), &["2:6", "3:2"][..]),
        (FILE, " HIGH:FOO\n".to_owned(), &["1:7"]),
        (FILE, "HIGH;FOO,BAR BAZ\n".to_owned(), &["1:10", "1:14", "1:6"]),
        ("smtp2", format!("{SMTP2}export TLSCIPHERS=HIGH:FOO\n"), &["3:24"]),
        ("smtp2", format!("{SMTP2}export TLSCIPHERS=\"HIGH:FOO\"\n"), &["3:25"]),
        ("smtp2", format!("{SMTP2}export TLSCIPHERS='HIGH':FOO\n"), &["3:19"]),
        ("smtp.tcp", ":allow,TLSCIPHERS=\"HIGH:FOO\"\n".to_owned(), &["1:25"]),
    ] {
        let source = with_certificate().file("smtp2", SMTP2).file(file, content);
        let control = Control::load(&source);
        let expected: Vec<_> =
            expected.iter().map(|place| format!("{file}:{place} {warning}")).collect();
        assert_eq!(told(&control), expected);
        assert_eq!(running(&control), ["smtp", "smtp2"]);
    }
    let control = Control::load(&with_certificate().variable("TLSCIPHERS", "HIGH:FOO"));
    assert_eq!(told(&control), [format!("$TLSCIPHERS {warning}")]);
}

#[test]
fn a_word_that_takes_out_what_nobody_has_is_not_told() {
    let string = "ECDHE+AESGCM:DHE+AESGCM:HIGH:!aNULL:!eNULL:!EXPORT:!DES:!RC4:!3DES:!MD5:!PSK\n";
    let control = Control::load(&with_certificate().file(FILE, string));
    assert_eq!(told(&control), [""; 0]);
    assert_eq!(running(&control), ["smtp"]);
}

#[test]
fn a_string_that_leaves_tls_1_3_alone_is_told() {
    for (string, alone) in [
        ("NULL-SHA256", true),
        ("AES128-SHA256:@SECLEVEL=0", false),
        ("PSK", true),
        ("aNULL", true),
        ("HIGH", false),
    ] {
        let control = Control::load(&with_certificate().file(FILE, format!("{string}\n")));
        let expected = "tls.tlsserverciphers:1:1 warning[ciphers-without-tls12]".to_owned();
        assert_eq!(told(&control), alone.then_some(expected).as_slice(), "{string}");
        assert_eq!(running(&control), ["smtp"]);
    }
}

#[test]
fn suites_that_protect_nothing_are_told_where_they_can_be_negotiated() {
    let (clear, anonymous) = ("ciphers-without-encryption", "ciphers-without-authentication");
    for (string, expected) in [
        ("NULL:!aNULL@SECLEVEL=0", &[(clear, "first of ")][..]),
        ("NULL-SHA256:@SECLEVEL=0", &[(clear, "NULL-SHA256 is the first of 1")]),
        (
            "HIGH:NULL-SHA:@SECLEVEL=0",
            &[(anonymous, "first of "), (clear, "NULL-SHA is the first of 1")],
        ),
        ("HIGH:!aNULL:@SECLEVEL=0", &[]),
        ("ADH-AES128-SHA:@SECLEVEL=0", &[(anonymous, "ADH-AES128-SHA is the first of 1")]),
        ("AECDH-NULL-SHA:@SECLEVEL=0", &[(anonymous, "first of 1"), (clear, "first of 1")]),
        ("ALL:@SECLEVEL=0", &[(anonymous, "first of ")]),
        ("COMPLEMENTOFDEFAULT:@SECLEVEL=0", &[(anonymous, "first of ")]),
        ("ALL", &[]),
        ("ALL:NULL:@SECLEVEL=1", &[]),
        ("ALL:COMPLEMENTOFALL", &[]),
    ] {
        let control = Control::load(&with_certificate().file(FILE, format!("# ours\n{string}\n")));
        let codes: Vec<_> = expected
            .iter()
            .map(|(code, _)| format!("tls.tlsserverciphers:2:1 warning[{code}]"))
            .collect();
        assert_eq!(told(&control), codes, "{string}");
        for (code, says) in expected {
            let mut all = control.diagnostics.iter();
            let said = all.find(|it| it.code == *code).unwrap();
            assert!(said.message.contains(says), "{string}: {}", said.message);
        }
        assert_eq!(running(&control), ["smtp"]);
    }
    // In an access rule, at its place.
    let rules = ":allow,TLSCIPHERS=\"NULL-SHA@SECLEVEL=0\"\n";
    let control = Control::load(&with_certificate().file("smtp.tcp", rules));
    assert_eq!(told(&control), [format!("smtp.tcp:1:20 warning[{clear}]")]);
}

/// No session is under a rule that denies, nor under one that another goes before everywhere.
#[test]
fn a_refused_string_that_no_session_uses_is_a_warning() {
    let refused = "TLSCIPHERS=\"HIGH:@FOO\"";
    let warned = "warning[ciphers-refused]";
    for (rules, breaks) in [
        (format!("10.0.0.1:deny,{refused}\n:allow\n"), false),
        (format!("10.0.0.1:allow\n10.0.0.1:allow,{refused}\n:allow\n"), false),
        (format!("10.0.0.1-3:allow\n10.0.0.2:allow,{refused}\n:allow\n"), false),
        (format!("=host.example:allow,{refused}\n:allow\n"), false),
        (format!("10.0.0.0/8:allow,{refused}\n:allow\n"), false),
        (format!(":allow\n:allow,{refused}\n"), false),
        // A part of the range is its own.
        (format!("10.0.0.1:allow\n10.0.0.1-2:allow,{refused}\n:allow\n"), true),
        (format!("10.0.0.1:allow,{refused}\n:deny\n"), true),
        (format!("2001:db8::/32:allow,{refused}\n:deny\n"), true),
        (format!("10.0.0.1:allow\n:allow,{refused}\n"), true),
    ] {
        let control = Control::load(&with_certificate().file("smtp.tcp", rules.as_str()));
        assert_eq!(control.service("smtp").unwrap().runs(), !breaks, "{rules}");
        let told = told(&control);
        assert_eq!(told.iter().filter(|line| line.contains(warned)).count(), usize::from(!breaks));
        assert_eq!(told.iter().any(|line| line.contains("error[")), breaks, "{rules}: {told:?}");
        let smtp = control.service("smtp").unwrap();
        // Nor is such a policy handed to a TLS library.
        assert_eq!(control.tls_by_rule(smtp).count(), usize::from(breaks), "{rules}");
        assert_eq!(control.tls_policies(smtp).len(), 1 + usize::from(breaks), "{rules}");
        let explained = &hvmail_control::explain::services(&control)[0].rules;
        let string = |rule: &&Rule| {
            rule.ciphers.is_some() || rule.without_effect.iter().any(|name| name == "TLSCIPHERS")
        };
        let with_string = explained.iter().find(string).unwrap();
        assert_eq!((with_string.used, with_string.tls.is_some()), (breaks, breaks), "{rules}");
        assert_eq!(with_string.ciphers.is_some(), with_string.allow, "{rules}");
    }
}

/// A string is about TLS 1.2; where that is not offered, one that OpenSSL refuses breaks nothing.
#[test]
fn a_refused_string_breaks_nothing_where_tls_1_3_is_offered_alone() {
    for (file, content) in [
        ("tls.tlsserverciphers", "FOO\n"),
        ("tls.tlsserverciphers", "HIGH:@SECLEVEL=9\n"),
        ("smtp.tcp", "10.0.0.1:allow,TLSCIPHERS=\"HIGH:@FOO\"\n:allow\n"),
    ] {
        let control = Control::load(&with_certificate().file(file, content));
        assert!(!control.service("smtp").unwrap().runs() && control.has_errors(), "{content}");
        let control = control.with_tls13_alone();
        assert!(control.service("smtp").unwrap().runs() && !control.has_errors(), "{content}");
        let told = told(&control);
        assert!(told.iter().any(|line| line.contains("warning[ciphers-refused]")), "{told:?}");
        for tls in control.tls_policies(control.service("smtp").unwrap()) {
            assert_eq!(tls.policy().unwrap().versions, (Version::Tls13, Version::Tls13));
        }
    }
    // A file that cannot be read may have a level, which holds for TLS 1.3 too.
    let unreadable = with_certificate().file("tls.tlsserverciphers", &b"HIGH\xff\n"[..]);
    let control = Control::load(&unreadable).with_tls13_alone();
    assert!(!control.service("smtp").unwrap().runs());
}
