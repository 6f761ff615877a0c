//! What is in force, which place decided, and what it overrode.

#![allow(clippy::unwrap_used)]

use hvmail_control::explain::{self, Explained, State, Value, Whence};
use hvmail_control::source::Memory;
use hvmail_control::{Control, ServiceTls};
use smtp_testkit::pki;

fn with_certificate() -> (Memory, pki::Leaf) {
    let leaf = pki::self_signed(&["mx.example.org"]);
    let memory = Memory::new()
        .file("me", "mx.example.org\n")
        .file("rcpthosts", "example.org\n")
        .file("tls.pem", leaf.chain_and_key())
        .file("greenarrow.conf", "general {\n  tls_certificate_files tls.pem\n}\n");
    (memory, leaf)
}

fn setting<'a>(settings: &'a [Explained], name: &str) -> &'a Explained {
    settings.iter().find(|explained| explained.setting == name).unwrap()
}

/// (value, place) of a setting, and (place, text) of what it overrode, below the control directory.
fn shown(explained: &Explained) -> (String, Vec<String>) {
    let place = |whence: &Whence| whence.to_string().replace("/var/hvmail/control/", "");
    let first = format!("{} @ {}", explained.value, place(&explained.whence));
    let overrode = explained.overrode.iter().map(|other| {
        format!("{} @ {}", other.text.as_deref().unwrap_or("?"), place(&other.whence))
    });
    (first, overrode.collect())
}

fn expect(explained: &Explained, first: &str, overrode: &[&str]) {
    let overrode = overrode.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(shown(explained), (first.to_owned(), overrode), "{}", explained.setting);
}

#[test]
fn a_cipher_string_has_its_place_and_every_weaker_one() {
    let (memory, _) = with_certificate();
    let memory = memory
        .file("tls.tlsserverciphers", "HIGH\n")
        .file("smtp.tcp", "10.:allow,RELAYCLIENT=\"\",TLSCIPHERS=\"AES128-SHA\"\n:allow,X=\"1\"\n")
        .file(
            "smtp2",
            "ENABLED=1\nPORT=587\nTLSCIPHERS=ALL\nTLSCIPHERS=AESGCM\nexport TLSCIPHERS\n",
        )
        .variable("TLSCIPHERS", "DHE");
    let control = Control::load(&memory);
    let services = explain::services(&control);
    assert_eq!(
        services.iter().map(|service| service.name).collect::<Vec<_>>(),
        ["smtp", "smtp2", "smtp3"]
    );
    assert_eq!(services[2].state, State::Off);
    expect(
        setting(&services[0].settings, "ciphers"),
        "DHE @ environment variable TLSCIPHERS",
        &["HIGH @ tls.tlsserverciphers:1:1"],
    );
    let own = setting(&services[1].settings, "ciphers");
    let weaker = [
        "ALL @ smtp2:3:12",
        "? @ environment variable TLSCIPHERS",
        "HIGH @ tls.tlsserverciphers:1:1",
    ];
    expect(own, "AESGCM @ smtp2:4:12", &weaker);

    let [ten, every] = &services[1].rules[..] else { panic!("two rules") };
    assert_eq!((ten.address.as_str(), ten.allow, every.address.as_str()), ("10.", true, ""));
    let strongest = ["AESGCM @ smtp2:4:12"].iter().chain(&weaker).copied().collect::<Vec<_>>();
    expect(ten.ciphers.as_ref().unwrap(), "AES128-SHA @ smtp.tcp:1:38", &strongest);
    assert_eq!(ten.relay.as_ref().unwrap().value, Value::Text(String::new()));
    let Some(ServiceTls::StartTls(policy)) = &ten.tls else { panic!("{:?}", ten.tls) };
    assert_eq!(policy.ciphers.as_ref().unwrap().text, "AES128-SHA");
    assert!(every.ciphers.is_none() && every.relay.is_none() && every.tls.is_none());
    assert_eq!(every.without_effect, ["X"]);
}

#[test]
fn defaults_and_files_are_told_apart() {
    let (memory, leaf) = with_certificate();
    let memory = memory
        .file("databytes", "1000\n")
        .file("smtp.ipaddr", "127.0.0.1\n")
        .file("smtp.tcp", ":allow\n")
        .file("smtp3", "ENABLED=1\nPORT=465\nSMTPS=1\nexport SMTPS\nGREENARROW_STARTTLS=0\nTCPRULES_INHERIT=0\n");
    let control = Control::load(&memory);
    let host = explain::host(&control);
    expect(setting(&host, "host_name"), "mx.example.org @ me:1:1", &[]);
    expect(setting(&host, "recipient_domains"), "1 @ rcpthosts:1:1", &[]);
    expect(setting(&host, "max_message_size"), "1000 @ databytes:1:1", &[]);
    expect(setting(&host, "idle_timeout"), "300 s @ default of timeoutsmtpd", &[]);
    let services = explain::services(&control);
    let smtp = &services[0].settings;
    assert_eq!(services[0].state, State::Runs);
    for (name, expected) in [
        ("enabled", "yes @ default of smtp.port"),
        ("address", "127.0.0.1 @ smtp.ipaddr:1:1"),
        ("port", "25 @ default of smtp.port"),
        ("access_rules", "1 @ smtp.tcp:1:1"),
        ("tls_mode", "starttls @ default of smtp.starttls"),
        ("ciphers", "DEFAULT @ default of TLSCIPHERS"),
        ("certificate", "mx.example.org @ greenarrow.conf:2:3"),
        ("tls_versions", "TLSv1.2, TLSv1.3 @ no setting"),
        ("dh_group", "RFC 7919 @ default of tls.dh2048.pem"),
        ("client_certificates", "none @ default of tls.tlsclients"),
    ] {
        expect(setting(smtp, name), expected, &[]);
    }
    expect(setting(&services[2].settings, "access_rules"), "0 @ default of smtp3.tcp", &[]);
    expect(setting(&services[2].settings, "tls_mode"), "smtps @ smtp3:3:7", &["0 @ smtp3:5:21"]);

    // Nothing of the key is in any answer.
    let text = format!("{services:?}{host:?}");
    let body: String = leaf.key.lines().filter(|line| !line.starts_with('-')).collect();
    assert!(!text.contains(&body[..20]) && text.contains("redacted"));
}

#[test]
fn client_certificates_are_marked_as_unsupported_by_the_vendor() {
    let (memory, _) = with_certificate();
    let authority = pki::Authority::root("clients");
    let memory = memory
        .file("tls.clientca.pem", authority.certificate())
        .file("tls.tlsclients", "b@example.org\na@example.org\n");
    let services = explain::services(&Control::load(&memory));
    let clients = setting(&services[0].settings, "client_certificates");
    expect(clients, "a@example.org, b@example.org @ tls.tlsclients:1:1", &[]);
    assert!(clients.vendor_unsupported);
    assert!(!setting(&services[0].settings, "certificate").vendor_unsupported);
}

const OUTGOING: &str = "\
general {
  starttls_use yes
  define_virtual_mtas_in_config_file yes
}
domain [*.]example.com {
  starttls_use no
  smtp_route hub.example:2525
}
domain mail.example.com {
  starttls_use no
  starttls_use yes
  starttls_use no
}
ip_address one {
  domain example.com, mail.example.com {
    starttls_require yes
  }
}
relay_server other {
  starttls_use yes
}
";

#[test]
fn a_delivery_names_the_rule_that_decides_and_those_that_do_not() {
    let memory = Memory::new()
        .file("greenarrow.conf", OUTGOING)
        .file("smtproutes", "mail.example.com:old.example:26\n:every.example:465\n");
    let control = Control::load(&memory);
    let delivery = explain::delivery(&control, "mail.example.com", Some("one")).unwrap();
    let names: Vec<_> = delivery.settings.iter().map(|explained| explained.setting).collect();
    assert_eq!(names, ["tls", "starttls_use", "starttls_require", "route", "implicit_tls"]);
    let [tls, starttls_use, require, route, implicit] = &delivery.settings[..] else { panic!() };
    expect(tls, "required @ greenarrow.conf:16:5", &[]);
    expect(
        starttls_use,
        "no @ greenarrow.conf:12:3",
        &[
            "starttls_use yes @ greenarrow.conf:11:3",
            "starttls_use no @ greenarrow.conf:10:3",
            "starttls_use no @ greenarrow.conf:6:3",
            "starttls_use yes @ greenarrow.conf:2:3",
        ],
    );
    expect(require, "yes @ greenarrow.conf:16:5", &[]);
    let entry = ["mail.example.com:old.example:26 @ smtproutes:1:1"];
    expect(route, "hub.example:2525 @ greenarrow.conf:7:3", &entry);
    assert_eq!(implicit.value, Value::Flag(false));

    let other = explain::delivery(&control, "example.net", None).unwrap();
    expect(&other.settings[0], "opportunistic @ greenarrow.conf:2:3", &[]);
    expect(&other.settings[3], "every.example:465 @ smtproutes:2:1", &[]);
    assert!(other.policy.implicit);
}

#[test]
fn every_rule_about_outgoing_mail_is_listed_with_its_blocks() {
    let memory = Memory::new()
        .file("greenarrow.conf", OUTGOING)
        .file("smtproutes", "a.example:\nb.example:[::1]:26\nc.example:x:none\n")
        .file("timeoutconnect", "30\n");
    let control = Control::load(&memory);
    let outgoing = explain::outgoing(&control);
    expect(&outgoing.settings[0], "30 s @ timeoutconnect:1:1", &[]);
    let written: Vec<_> = outgoing
        .directives
        .iter()
        .map(|it| {
            (it.name, it.value.as_str(), it.addresses.join("+"), it.domains.join("+"), it.counts)
        })
        .collect();
    let expected = [
        ("starttls_use", "yes", "", "", true),
        ("starttls_use", "no", "", "[*.]example.com", true),
        ("smtp_route", "hub.example:2525", "", "[*.]example.com", true),
        ("starttls_use", "no", "", "mail.example.com", true),
        ("starttls_use", "yes", "", "mail.example.com", true),
        ("starttls_use", "no", "", "mail.example.com", true),
        ("starttls_require", "yes", "one", "example.com+mail.example.com", true),
        ("starttls_use", "yes", "", "", false),
    ];
    let expected: Vec<_> =
        expected.iter().map(|it| (it.0, it.1, it.2.to_owned(), it.3.to_owned(), it.4)).collect();
    assert_eq!(written, expected);
    let routes: Vec<_> = outgoing
        .routes
        .iter()
        .map(|it| (it.domain.as_str(), it.route.clone().ok().map(|to| to.unwrap_or_default())))
        .collect();
    let expected = [
        ("a.example", Some(String::new())),
        ("b.example", Some("[::1]:26".to_owned())),
        ("c.example", None),
    ];
    assert_eq!(routes, expected);
    assert_eq!(outgoing.otherwise.unwrap().domain, "");
}

#[test]
fn a_rule_that_cannot_be_used_is_an_error_with_its_place() {
    let memory =
        Memory::new().file("greenarrow.conf", "domain a.example {\n  starttls_require maybe\n}\n");
    let control = Control::load(&memory);
    let error = explain::delivery(&control, "a.example", None).unwrap_err();
    assert!(control.location(error.origin.unwrap()).unwrap().to_string().ends_with("conf:2:3"));
    let broken = Control::load(&Memory::new().file("greenarrow.conf", "general {\n"));
    assert!(explain::outgoing(&broken).otherwise.is_err());
}

/// Who is named and gets other TLS than a domain that nothing names.
#[test]
fn deliveries_that_differ_are_listed_by_who_is_named() {
    let conf = "general {\n  starttls_use yes\n}\n\
        domain same.example {\n  starttls_use yes\n}\n\
        domain [*.]bank.example, *.clear.example {\n  starttls_require yes\n}\n\
        domain www.bank.example {\n  starttls_use no\n  starttls_require no\n}\n\
        ip_address one {\n  starttls_require yes\n  domain bad.example {\n    starttls_require maybe\n  }\n}\n\
        relay_server r {\n  starttls_require yes\n}\n";
    let memory = Memory::new().file("greenarrow.conf", conf).file(
        "smtproutes",
        "tls.example:hub.example:465\n.below.example:hub.example:465\nc.example:hub.example:26\n",
    );
    let outgoing = explain::outgoing(&Control::load(&memory));
    assert!(outgoing.named_is_whole);
    let found: Vec<_> = outgoing
        .named
        .iter()
        .map(|named| {
            let level = named.delivery.as_ref().map(|of| {
                assert_eq!(of.domain, named.domain);
                format!("{}{}", of.policy.level, if of.policy.implicit { " 465" } else { "" })
            });
            let level = level.unwrap_or_else(|_| "unusable".to_owned());
            (named.domain.as_str(), named.address.as_deref().unwrap_or("-"), level)
        })
        .collect();
    let expected = [
        ("bank.example", "-", "required"),
        ("*.bank.example", "-", "required"),
        ("*.clear.example", "-", "required"),
        ("www.bank.example", "-", "none"),
        ("", "one", "required"),
        ("bad.example", "one", "unusable"),
        ("tls.example", "-", "opportunistic 465"),
        ("*.below.example", "-", "opportunistic 465"),
    ];
    assert_eq!(found, expected.map(|(domain, by, level)| (domain, by, level.to_owned())));
}

#[test]
fn no_more_deliveries_are_explained_than_the_limit() {
    use hvmail_control::limits::MAX_EXPLAINED_DELIVERIES;
    let of = |count: usize| {
        let line = |n| format!("d{n}.example:hub.example:465\n");
        let routes: String = (0..count).map(line).collect();
        let control = Control::load(&Memory::new().file("smtproutes", routes));
        let outgoing = explain::outgoing(&control);
        (outgoing.named.len(), outgoing.named_is_whole)
    };
    assert_eq!(of(MAX_EXPLAINED_DELIVERIES), (MAX_EXPLAINED_DELIVERIES, true));
    assert_eq!(of(MAX_EXPLAINED_DELIVERIES + 1), (MAX_EXPLAINED_DELIVERIES, false));
}

#[test]
fn a_certificate_has_every_directive_that_it_goes_before() {
    let (memory, _) = with_certificate();
    let files = |name: &str| format!("general {{\n  tls_certificate_files {name}\n}}\n");
    let defaults = ".greenarrow-defaults.conf";
    let of = |memory: &Memory| {
        let control = Control::load(memory);
        let services = explain::services(&control);
        shown(setting(&services[0].settings, "certificate"))
    };
    let in_defaults = format!("tls_certificate_files other.pem @ {defaults}:2:3");
    let found = of(&memory.clone().file(defaults, files("other.pem")));
    let in_force = "mx.example.org @ greenarrow.conf:2:3".to_owned();
    assert_eq!(found, (in_force, vec![in_defaults.clone()]));

    // The strongest first, whatever becomes of the one in force.
    let conf = files("old.pem") + &files("absent.pem");
    let found =
        of(&memory.clone().file(defaults, files("other.pem")).file("greenarrow.conf", conf));
    let old = "tls_certificate_files old.pem @ greenarrow.conf:2:3".to_owned();
    assert_eq!(found.1, [old, in_defaults]);

    let generate = "general {\n  tls_certificate_auto_generate yes\n}\n";
    let made = format!("tls_certificate_auto_generate yes @ {defaults}:2:3");
    assert_eq!(of(&memory.clone().file(defaults, generate)).1, [made.as_str()]);
    let both = memory.file(defaults, generate).file("greenarrow.conf", generate);
    assert_eq!(of(&both).1, [made]);
}

#[test]
fn a_file_of_ciphers_that_cannot_be_used_leaves_them_unknown() {
    let (memory, _) = with_certificate();
    let name = "tls.tlsserverciphers";
    for (memory, place) in [
        (memory.clone().file(name, "A\0B\n"), ":1:2"),
        (memory.clone().file(name, b"HIGH\n\xff\xfe\n"), ":2:1"),
        (memory.unreadable(name), ""),
    ] {
        let control = Control::load(&memory);
        let service = &explain::services(&control)[0];
        assert_eq!((service.state, &service.tls), (State::Broken, &ServiceTls::None));
        assert_eq!(setting(&service.settings, "ciphers").value, Value::Unknown);
        let unusable = service.unusable.as_ref().unwrap();
        let shown = format!("/var/hvmail/control/{name}{place}");
        assert!(unusable.place.starts_with(&shown), "{unusable:?}");
    }
}
