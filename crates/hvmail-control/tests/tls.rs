//! Certificates by each way, outgoing rules, and what is named as not honoured.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, leaf, memory, said};
use hvmail_control::certificate::AUTO_GENERATED;
use hvmail_control::diagnostic::Severity;
use hvmail_control::outgoing::Route;
use hvmail_control::source::Memory;
use hvmail_control::write::{DEMO_CERTIFICATE, DEMO_KEY, write_demo};
use hvmail_control::{Control, ServiceTls};
use smtp_tls::{Certificate, Fallback, Level};

/// The certificate that service `smtp` presents, and how many stand above it.
fn presented(control: &Control) -> Option<(Certificate, usize)> {
    match &control.service("smtp").unwrap().tls {
        ServiceTls::StartTls(policy) => {
            Some((policy.identity.leaf().clone(), policy.identity.chain().len() - 1))
        }
        _ => None,
    }
}

#[test]
fn the_certificate_by_each_way() {
    let leaf = leaf();
    let named = |list: &str| format!("general {{\n  tls_certificate_files {list}\n}}\n");
    let generate = "general {\n  tls_certificate_auto_generate yes\n}\n";
    let both = leaf.chain_and_key();
    let reversed = format!("{}{}{}", leaf.key, leaf.intermediates.concat(), leaf.certificate);
    let ways: Vec<(&str, Memory)> = vec![
        (
            "key, chain",
            memory()
                .file("greenarrow.conf", named("k c"))
                .file("k", &*leaf.key)
                .file("c", leaf.chain()),
        ),
        (
            "chain, key",
            memory()
                .file("greenarrow.conf", named("c, k"))
                .file("k", &*leaf.key)
                .file("c", leaf.chain()),
        ),
        ("one file", memory().file("greenarrow.conf", named("all")).file("all", &*both)),
        (
            "any order inside",
            memory().file("greenarrow.conf", named("all")).file("all", &*reversed),
        ),
        (
            "three files, absolute",
            memory()
                .file("greenarrow.conf", named("/etc/i.pem /etc/k.pem /etc/c.pem"))
                .file("/etc/k.pem", &*leaf.key)
                .file("/etc/c.pem", &*leaf.certificate)
                .file("/etc/i.pem", leaf.intermediates.concat()),
        ),
        (
            "generated before",
            memory().file("greenarrow.conf", generate).file(AUTO_GENERATED, &*both),
        ),
        ("tls.servercert.pem", memory().file("tls.servercert.pem", &*both)),
        (
            "httpd.ssl",
            memory()
                .file("httpd.ssl.key", &*leaf.key)
                .file("httpd.ssl.crt", &*leaf.certificate)
                .file("httpd.ssl.ca", leaf.intermediates.concat()),
        ),
    ];
    for (way, source) in ways {
        let control = Control::load(&source);
        let (certificate, above) = presented(&control).unwrap_or_else(|| panic!("{way}"));
        assert_eq!(
            (certificate.to_pem(), above),
            (leaf.certificate.replace("\r\n", "\n"), 1),
            "{way}"
        );
        assert!(!control.has_errors(), "{way}: {:#?}", control.diagnostics);
    }
}

#[test]
fn a_directive_comes_before_the_deprecated_files() {
    let (named, other) = (leaf(), leaf());
    let source = memory()
        .file("greenarrow.conf", "general {\n  tls_certificate_files n\n}\n")
        .file("n", named.chain_and_key())
        .file("tls.servercert.pem", other.chain_and_key())
        .file("httpd.ssl.key", "not even PEM");
    let control = Control::load(&source);
    assert_eq!(presented(&control).unwrap().0.to_pem(), named.certificate.replace("\r\n", "\n"));
    assert!(!control.has_errors(), "files that are not in force are not looked into");
    let said = said(&control, Severity::Note);
    for file in ["tls.servercert.pem", "httpd.ssl.key"] {
        assert!(said.contains(&format!("{file} note[certificate-not-in-force]")), "{said:?}");
    }
}

#[test]
fn each_way_to_a_certificate_that_is_not_in_force_is_told() {
    let leaf = leaf();
    let not_in_force = |source: Memory| -> Vec<String> {
        let control = Control::load(&source);
        assert!(!control.has_errors(), "{:?}", control.diagnostics);
        let said = said(&control, Severity::Note).into_iter();
        said.filter_map(|line| Some(line.split_once(" note[certificate-not-in-force]")?.0.into()))
            .collect()
    };
    let conf = |lines: &str| memory().file("greenarrow.conf", format!("general {{\n{lines}}}\n"));
    let pem = leaf.chain_and_key();
    let (files, generate) = ("tls_certificate_files n\n", "tls_certificate_auto_generate yes\n");
    let both = conf(&format!("{files}{generate}")).file("n", &*pem);
    assert_eq!(not_in_force(both), ["greenarrow.conf:3:1"]);
    let off = conf(&format!("{files}tls_certificate_auto_generate no\n")).file("n", &*pem);
    assert_eq!(not_in_force(off), [""; 0]);
    let generated = conf(generate).file(AUTO_GENERATED, &*pem).file("tls.servercert.pem", "x");
    assert_eq!(not_in_force(generated), ["tls.servercert.pem"]);
    let deprecated = memory().file("tls.servercert.pem", &*pem).file("httpd.ssl.crt", "x");
    assert_eq!(not_in_force(deprecated), ["httpd.ssl.crt"]);
}

#[test]
fn a_certificate_is_told_before_and_after_its_time() {
    let source = memory().file("tls.servercert.pem", leaf().chain_and_key());
    let control = Control::load(&source);
    let what = presented(&control).unwrap().0.describe().unwrap();
    let code = |time| control.certificate_diagnostics(time).first().map(|said| said.code);
    for (time, expected) in [
        (what.not_before - 1, Some("certificate-not-yet-valid")),
        (what.not_before, None),
        (what.not_after, None),
        (what.not_after + 1, Some("certificate-expired")),
    ] {
        assert_eq!(code(time), expected);
    }
    let said = control.certificate_diagnostics(u64::MAX);
    let place = said[0].location(&control.snapshot).unwrap();
    assert!(place.path.ends_with("tls.servercert.pem"));
    let without = Control::load(&source.file("smtp.starttls", "0\n"));
    assert_eq!(without.certificate_diagnostics(u64::MAX), [], "it is not served");
}

#[test]
fn a_certificate_to_be_made_is_a_request() {
    for (value, names) in [
        ("yes", &["mx.example.com"][..]),
        ("mail.example.org", &["mail.example.org"]),
        ("a.example b.example", &["a.example", "b.example"]),
    ] {
        let conf = format!("general {{\n  tls_certificate_auto_generate {value}\n}}\n");
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        let request = control.certificate_request.as_ref().unwrap();
        assert_eq!(request.names, names);
        assert!(request.path.ends_with(AUTO_GENERATED));
        let location = control.location(request.origin).unwrap();
        assert_eq!(location.line, 2);
        assert_eq!(presented(&control), None);
    }
    for (value, code) in [
        ("off", "not-a-boolean"),
        ("No", "not-a-boolean"),
        ("0", "not-a-boolean"),
        ("TRUE", "not-a-boolean"),
        ("a.example yes", "not-a-boolean"),
        ("", "wrong-arguments"),
        ("x=y", "wrong-arguments"),
        ("a/b", "not-a-host-name"),
        ("\"a b\"", "not-a-host-name"),
        ("\"\"", "not-a-host-name"),
        ("a.example, *.b.example", "not-a-host-name"),
    ] {
        let conf = format!("general {{\n  tls_certificate_auto_generate {value}\n}}\n");
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        assert_eq!(control.certificate_request, None, "{value}");
        let said = said(&control, Severity::Error);
        assert!(said[0].contains(&format!("error[{code}]")), "{value}: {said:?}");
    }
    let conf = "general {\n  tls_certificate_auto_generate no\n}\n";
    let control = Control::load(&memory().file("greenarrow.conf", conf));
    assert_eq!(control.certificate_request, None);
}

#[test]
fn outgoing_rules() {
    let control = Fixture::copy("outgoing").load();
    assert_eq!(said(&control, Severity::Error), [""; 0], "{:#?}", said(&control, Severity::Note));
    let route = |host: &str, port| Some(Route { host: host.to_owned(), port });
    for (domain, ip, level, implicit, expected) in [
        ("example.net", None, Level::Opportunistic, false, None),
        ("bank.example", None, Level::Required, false, None),
        ("a.BANK.example", None, Level::Required, false, None),
        ("clear.example", None, Level::None, false, None),
        ("relayed.example", None, Level::Opportunistic, true, route("smarthost.example", 465)),
        ("routed.example", None, Level::Opportunistic, false, route("10.0.0.1", 2525)),
        ("a.b.routed.example", None, Level::Opportunistic, false, route("hub.example", 25)),
        ("direct.routed.example", None, Level::Opportunistic, false, None),
        ("example.net", Some("ipaddr-1"), Level::Required, false, None),
        ("clear.example", Some("ipaddr-1"), Level::None, false, None),
        ("example.net", Some("ipaddr-2"), Level::Opportunistic, false, None),
    ] {
        let rule = control.outgoing_for(domain, ip).unwrap();
        assert_eq!(rule.policy.level, level, "{domain} {ip:?}");
        assert_eq!(rule.policy.implicit, implicit, "{domain}");
        assert_eq!(rule.policy.fallback, Fallback::Never);
        assert_eq!(rule.route, expected, "{domain}");
        assert!(rule.policy.origin.is_some());
    }
    let place = |domain: &str| {
        let rule = control.outgoing_for(domain, None).unwrap();
        let policy = control.location(rule.policy.origin.unwrap()).unwrap();
        let route = rule.route_origin.and_then(|id| control.location(id));
        (policy.line, route.map(|location| location.line))
    };
    assert_eq!(place("bank.example"), (7, None));
    assert_eq!(place("relayed.example"), (3, Some(15)));
    assert_eq!(place("routed.example"), (3, Some(2)));
    let said = said(&control, Severity::Warning);
    assert!(said.contains(&"greenarrow.conf:29:3 warning[not-honoured]".to_owned()), "{said:?}");
}

#[test]
fn a_named_ip_address_without_the_switch_only_raises_tls() {
    let rules = "domain bank.example {\n  starttls_require yes\n}\n\
                 ip_address ipaddr-1 {\n  starttls_use yes\n  smtp_route relay.example:2525\n  \
                 domain bank.example {\n    starttls_use no\n    starttls_require no\n  }\n  \
                 domain other.example {\n    starttls_require yes\n  }\n}\n\
                 ip_address ipaddr-2 {\n}\nip_address * {\n  domain star.example {\n    \
                 starttls_require yes\n  }\n}\n";
    let load = |switch: &str| {
        let conf = format!("general {{\n  {switch}\n}}\n{rules}");
        Control::load(&memory().file("greenarrow.conf", conf))
    };
    let on = load("define_virtual_mtas_in_config_file yes");
    assert!(!on.diagnostics.iter().any(|d| d.code == "named-addresses-off"));
    for (switch, error) in [
        ("", false),
        ("define_virtual_mtas_in_config_file no", false),
        ("define_virtual_mtas_in_config_file maybe", true),
    ] {
        let off = load(switch);
        assert_eq!(off.has_errors(), error);
        let told: Vec<_> = said(&off, Severity::Warning)
            .into_iter()
            .filter(|line| line.contains("named-addresses-off"))
            .collect();
        assert_eq!(told, ["greenarrow.conf:7:1 warning[named-addresses-off]"]);
        let level = |control: &Control, domain: &str| {
            control.outgoing_for(domain, Some("ipaddr-1")).unwrap().policy.level
        };
        for (domain, with, without) in [
            ("example.net", Level::Opportunistic, Level::Opportunistic),
            ("bank.example", Level::None, Level::Required),
            ("other.example", Level::Required, Level::Required),
            ("star.example", Level::Required, Level::Required),
        ] {
            assert_eq!(level(&on, domain), with, "{domain}");
            assert_eq!(level(&off, domain), without, "{domain}");
        }
        let route = |control: &Control| {
            control.outgoing_for("example.net", Some("ipaddr-1")).unwrap().route
        };
        assert_eq!(route(&on).map(|route| route.port), Some(2525));
        assert_eq!(route(&off), None);
    }
}

#[test]
fn without_a_rule_outgoing_mail_uses_no_tls_and_says_so() {
    let control = Control::load(&memory());
    let rule = control.outgoing_for("example.net", None).unwrap();
    assert_eq!(rule.policy.level, Level::None);
    assert_eq!(control.location(rule.policy.origin.unwrap()), None);
}

#[test]
fn requiring_implies_using() {
    let conf = "domain x.example {\n  starttls_use no\n  starttls_require yes\n}\n";
    let control = Control::load(&memory().file("greenarrow.conf", conf));
    let rule = control.outgoing_for("x.example", None).unwrap();
    assert_eq!(rule.policy.level, Level::Required);
    let said = said(&control, Severity::Warning);
    let line = "greenarrow.conf:2:3 warning[starttls-required-and-not-used]";
    assert!(said.contains(&line.to_owned()), "{said:?}");
}

#[test]
fn use_no_under_a_wider_require_is_told() {
    let told = |conf: &str| -> Vec<String> {
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        let found = control.diagnostics.iter();
        let found = found.filter(|said| said.code == "starttls-required-and-not-used");
        found
            .map(|said| {
                let required = control.snapshot.location(said.related[0].0).line;
                format!("{}<{required}", said.location(&control.snapshot).unwrap().line)
            })
            .collect()
    };
    let general = "general {\nstarttls_require yes\n}\n";
    for (blocks, expected) in [
        ("domain x.org {\nstarttls_use no\n}\n", &["5<2"][..]),
        ("domain *.x.org {\nstarttls_use no\n}\n", &["5<2"]),
        ("domain x.org {\nstarttls_use no\nstarttls_require no\n}\n", &[]),
        ("domain [*.]x.org {\nstarttls_require no\n}\ndomain x.org {\nstarttls_use no\n}\n", &[]),
        ("ip_address a {\ndomain * {\nstarttls_use no\n}\n}\n", &["6<2"]),
        (
            "ip_address a {\nstarttls_require no\n}\nip_address a, b {\nstarttls_use no\n}\n",
            &["8<2"],
        ),
    ] {
        assert_eq!(told(&format!("{general}{blocks}")), expected, "{blocks}");
    }
    let narrower = "general {\nstarttls_use no\n}\ndomain x.org {\nstarttls_require yes\n}\n";
    assert_eq!(told(narrower), [""; 0]);
}

#[test]
fn a_block_that_matches_nothing_is_told_once() {
    let told = |conf: &str| -> Vec<String> {
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        let said = said(&control, Severity::Warning).into_iter();
        said.filter(|line| line.starts_with("greenarrow.conf")).collect()
    };
    let rule = "{\nstarttls_require yes\n}\n";
    let pattern = "warning[domain-pattern]";
    let place = "warning[not-honoured]";
    for (conf, expected) in [
        (format!("domain .example.com {rule}"), vec![format!("greenarrow.conf:1:1 {pattern}")]),
        (
            format!("ip_address * {{\ndomain a@b {rule}}}\n"),
            vec![format!("greenarrow.conf:2:1 {pattern}")],
        ),
        (
            format!("relay_server r {{\ndomain .x.org {rule}}}\n"),
            vec![format!("greenarrow.conf:1:1 {place}"), format!("greenarrow.conf:3:1 {place}")],
        ),
        (
            format!("Domain x.org {rule}"),
            vec![format!("greenarrow.conf:1:1 {place}"), format!("greenarrow.conf:2:1 {place}")],
        ),
    ] {
        assert_eq!(told(&conf), expected, "{conf}");
    }
}

#[test]
fn what_is_not_honoured_is_named() {
    let control = Fixture::copy("inventory").load();
    let said = said(&control, Severity::Note);
    for line in [
        "badmailfrom:1:1 note[file-not-honoured]",
        "greenarrow.conf:2:3 warning[not-honoured]",
        "greenarrow.conf:3:3 warning[not-honoured]",
        "greenarrow.conf:5:3 warning[not-honoured]",
    ] {
        assert!(said.contains(&line.to_owned()), "{line}: {said:#?}");
    }
    assert!(!said.iter().any(|line| line.starts_with("greenarrow.conf:4")), "{said:#?}");
}

#[test]
fn the_demo_directory_is_clean_and_offers_all_three_kinds() {
    let leaf = leaf();
    let directory = tempfile::tempdir().unwrap();
    write_demo(directory.path(), &leaf.chain(), &leaf.key).unwrap();
    let source = hvmail_control::source::Directory::open(directory.path()).unwrap();
    let control = Control::load(&source);
    assert_eq!(said(&control, Severity::Note), [""; 0]);
    let listens: Vec<_> = control.services.iter().flat_map(|s| s.listen()).collect();
    assert_eq!(
        listens.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:2525", "127.0.0.1:2587", "127.0.0.1:2465"]
    );
    assert_eq!(common::running(&control), ["smtp", "smtp2", "smtp3"]);
    assert!(matches!(control.service("smtp").unwrap().tls, ServiceTls::StartTls(_)));
    assert!(matches!(control.service("smtp2").unwrap().tls, ServiceTls::StartTls(_)));
    assert!(matches!(control.service("smtp3").unwrap().tls, ServiceTls::Implicit(_)));
    assert!(control.accepts(Some("demo.example")) && control.accepts(Some("a.demo.example")));
    let rule = control.outgoing_for("demo.example", None).unwrap();
    assert_eq!(rule.route, Some(Route { host: "127.0.0.1".to_owned(), port: 2525 }));
    assert_eq!(rule.policy.level, Level::Opportunistic);
    assert!(
        directory.path().join(DEMO_KEY).exists()
            && directory.path().join(DEMO_CERTIFICATE).exists()
    );
}

/// What can match nobody is said: an entry of `smtproutes`, a pattern for a name, a word that is
/// almost a directive's.
#[test]
fn a_rule_that_can_hold_for_no_mail_is_told() {
    for (file, content, code) in [
        ("smtproutes", "*.bank.example:192.0.2.1:465\n", "entry-without-effect"),
        ("smtproutes", " lead.example:192.0.2.1:465\n", "entry-without-effect"),
        ("smtproutes", "a.example,b.example:192.0.2.1\n", "entry-without-effect"),
        ("smtproutes", "@at.example:192.0.2.1\n", "entry-without-effect"),
        ("greenarrow.conf", "ip_address out* {\n starttls_require yes\n}\n", "address-pattern"),
        ("greenarrow.conf", "ip_address 10.0.0.0/8 {\n starttls_use yes\n}\n", "address-pattern"),
        ("greenarrow.conf", "general {\n require-starttls yes\n}\n", "not-honoured"),
        ("greenarrow.conf", "general {\n smtp-routes a:25\n}\n", "not-honoured"),
    ] {
        let control = common::load(&memory().file(file, content));
        let told = control.diagnostics.iter().filter(|d| d.code == code);
        let told: Vec<_> = told.map(|d| d.location(&control.snapshot).unwrap().line).collect();
        assert!(!told.is_empty(), "{file}: {content:?}: {:?}", control.diagnostics);
    }
    let control = common::load(&memory().file("smtproutes", "vault.example.:192.0.2.1:465\n"));
    assert!(control.outgoing_for("vault.example", None).unwrap().policy.implicit);
}

#[test]
fn a_domain_outside_ascii_takes_the_route_of_its_a_labels() {
    let routes = "xn--bcher-kva.example:192.0.2.1\n.xn--bcher-kva.example:192.0.2.2\n:192.0.2.3\n";
    let control = common::load(&memory().file("smtproutes", routes));
    for (domain, host) in [
        ("b\u{fc}cher.example", "192.0.2.1"),
        ("B\u{dc}CHER.example", "192.0.2.1"),
        ("mx.b\u{fc}cher.example", "192.0.2.2"),
        ("b\u{fc}che.example", "192.0.2.3"),
        // No domain of IDNA: a joiner has nothing to join here.
        ("a\u{200d}.example", "192.0.2.3"),
    ] {
        let route = control.outgoing_for(domain, None).unwrap().route;
        assert_eq!(route.map(|route| route.host).as_deref(), Some(host), "{domain}");
    }
}
