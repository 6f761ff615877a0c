//! Outgoing rules, what is named as not honoured, and the demo directory.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Fixture, memory, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::outgoing::Route;
use hvmail_control::write::{DEMO_CERTIFICATE, DEMO_HOST, DEMO_KEY, write_demo};
use hvmail_control::{Control, ServiceTls};
use smtp_tls::{Fallback, Level};

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
fn a_requirement_that_an_address_takes_away_is_told() {
    let told = |blocks: &str| -> Vec<String> {
        let switch = "general {\ndefine_virtual_mtas_in_config_file yes\n}\n";
        let control = common::load(&memory().file("greenarrow.conf", format!("{switch}{blocks}")));
        let found = control.diagnostics.iter();
        let found = found.filter(|said| said.code == "starttls-requirement-lost");
        let line = |span| control.snapshot.location(span).line;
        found
            .map(|said| format!("{}<{}", line(said.span().unwrap()), line(said.related[0].0)))
            .collect()
    };
    let bank = "domain bank.example {\nstarttls_require yes\n}\n";
    for (blocks, expected) in [
        ("ip_address out {\nstarttls_require no\n}\n", &["8<5"][..]),
        ("ip_address out, other {\nstarttls_require no\n}\n", &["8<5"]),
        ("ip_address out {\ndomain * {\nstarttls_require no\n}\n}\n", &["9<5"]),
        ("ip_address out {\ndomain bank.example {\nstarttls_require no\n}\n}\n", &["9<5"]),
        ("ip_address out {\ndomain other.example {\nstarttls_require no\n}\n}\n", &[]),
        ("ip_address * {\nstarttls_require no\n}\n", &[]),
        ("general {\nstarttls_require no\n}\n", &[]),
        (
            "ip_address out {\nstarttls_require no\ndomain bank.example {\nstarttls_require yes\n}\n}\n",
            &[],
        ),
    ] {
        assert_eq!(told(&format!("{bank}{blocks}")), expected, "{blocks}");
    }
    let general = "general {\nstarttls_require yes\n}\nip_address out {\nstarttls_require no\n}\n";
    assert_eq!(told(general), [""; 0], "an address comes before what holds for all mail");
    let many = |what: &str, rule: &str| -> String {
        (0..5000)
            .map(|n| format!("{what} x{n}.example {{\nstarttls_require {rule}\n}}\n"))
            .collect()
    };
    let large = format!("{}{}", many("domain", "yes"), many("ip_address", "no"));
    assert!(!told(&large).is_empty(), "in bounded time");
}

#[test]
fn whether_an_ip_address_has_a_block_can_be_asked() {
    let conf = "ip_address out-1, \"Out 2\" {\n}\nip_address * {\n}\n";
    let control = common::load(&memory().file("greenarrow.conf", conf));
    for (name, known) in [("out-1", true), ("OUT 2", true), ("out-3", false), ("*", false)] {
        assert_eq!(control.names_ip_address(name), known, "{name}");
    }
}

#[test]
fn a_requirement_that_is_not_in_force_is_an_error() {
    let told = |conf: &str| -> Vec<String> {
        let control = Control::load(&memory().file("greenarrow.conf", conf));
        let said = said(&control, Severity::Warning).into_iter();
        said.filter(|line| line.starts_with("greenarrow.conf")).collect()
    };
    let rule = "{\nstarttls_require yes\n}\n";
    let pattern = "warning[domain-pattern]";
    let place = "warning[not-honoured]";
    let lost = "error[requirement-not-in-force]";
    let use_it = "{\nstarttls_use yes\n}\n";
    let no = "{\nstarttls_require no\n}\n";
    let at = |place: &str, what: &str| format!("greenarrow.conf:{place} {what}");
    for (conf, expected) in [
        (format!("domain .example.com {rule}"), vec![at("1:1", pattern), at("2:1", lost)]),
        (format!("domain .example.com {use_it}"), vec![at("1:1", pattern)]),
        (format!("domain .example.com {no}"), vec![at("1:1", pattern)]),
        (
            format!("ip_address * {{\ndomain a@b {rule}}}\n"),
            vec![at("2:1", pattern), at("3:1", lost)],
        ),
        (
            format!("relay_server r {{\ndomain .x.org {rule}}}\n"),
            vec![at("1:1", place), at("3:1", lost)],
        ),
        (format!("Domain x.org {rule}"), vec![at("1:1", place), at("2:1", lost)]),
        (format!("Domain x.org {no}"), vec![at("1:1", place), at("2:1", place)]),
        ("starttls_require yes\n".to_owned(), vec![at("1:1", lost)]),
        ("starttls_require no\n".to_owned(), vec![at("1:1", place)]),
        ("starttls_use yes\n".to_owned(), vec![at("1:1", place)]),
        ("general {\nStarttls_Require yes\n}\n".to_owned(), vec![at("2:1", lost)]),
    ] {
        assert_eq!(told(&conf), expected, "{conf}");
        let control = Control::load(&memory().file("greenarrow.conf", conf.as_str()));
        // Nobody knows whose mail is meant: none is kept back.
        assert!(control.configuration_is_good(), "{conf}");
        assert!(control.outgoing_for("x.org", None).is_ok(), "{conf}");
        let errors = expected.iter().any(|line| line.ends_with(lost));
        assert_eq!(control.has_errors(), errors, "{conf}");
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
    let leaf = common::authority().issue(&[DEMO_HOST]);
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
