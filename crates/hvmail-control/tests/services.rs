//! What each service is, for whole control directories.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::IpAddr;

use common::{Fixture, leaf, load, memory, running, said};
use hvmail_control::diagnostic::Severity;
use hvmail_control::snapshot::Origin;
use hvmail_control::source::Memory;
use hvmail_control::{Control, ServiceTls, TlsMode};

fn peer(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listens(control: &Control, name: &str) -> Vec<String> {
    control.service(name).unwrap().listen().iter().map(ToString::to_string).collect()
}

fn ciphers(control: &Control, service: &str, client: &str) -> Option<String> {
    let rules = control.for_peer(control.service(service).unwrap(), peer(client));
    if let ServiceTls::StartTls(policy) | ServiceTls::Implicit(policy) = &rules.tls {
        let ciphers = policy.ciphers.as_ref();
        assert_eq!(ciphers.map(|ciphers| &ciphers.text), rules.tls_ciphers.value.as_ref());
        assert!(ciphers.is_none_or(|ciphers| ciphers.origin == Some(rules.tls_ciphers.origin)));
    }
    rules.tls_ciphers.value
}

#[test]
fn the_shipped_directory() {
    let issued = leaf();
    let control =
        Fixture::copy("shipped").with("tls.servercert.pem", issued.chain_and_key()).load();
    assert_eq!(
        said(&control, Severity::Warning),
        ["smtp2:10:11 warning[auth-not-offered] smtp2", "smtp2:6:10 warning[not-honoured] smtp2",]
    );
    assert!(!control.is_fatal());
    assert_eq!(running(&control), ["smtp", "smtp2"]);
    assert_eq!(listens(&control, "smtp"), ["0.0.0.0:25", "[::]:25"]);
    assert_eq!(listens(&control, "smtp2"), ["0.0.0.0:587", "[::]:587"]);
    assert_eq!(control.service("smtp3").unwrap().port.value, 901);
    for service in &control.services {
        assert_eq!(service.concurrency.value, 100);
        assert!(matches!(service.tls, ServiceTls::StartTls(_)), "{}", service.name);
    }
    assert_eq!(control.inbound.max_message_size.value, Some(1_024_000));
    assert_eq!(control.inbound.idle_timeout.value.as_secs(), 120);
    assert_eq!(control.outgoing.timeout_connect.value.map(|t| t.as_secs()), Some(30));
    assert_eq!(control.outgoing.timeout_remote.value.map(|t| t.as_secs()), Some(180));
    assert_eq!(control.me.as_ref().map(|me| me.value.as_str()), Some("mx.example.com"));
    assert!(control.accepts(Some("example.com")) && !control.accepts(Some("example.net")));
    let smtp = control.service("smtp").unwrap();
    assert_eq!(control.for_peer(smtp, peer("127.0.0.1")).relay.as_deref(), Some(""));
    assert_eq!(control.for_peer(smtp, peer("192.0.2.1")).relay, None);
}

#[test]
fn the_defaults_of_an_empty_directory_are_those_of_the_documentation_and_safe() {
    let control = load(&Memory::new());
    let smtp = control.service("smtp").unwrap();
    assert_eq!(running(&control), ["smtp"]);
    assert_eq!((smtp.port.value, smtp.address.value, smtp.concurrency.value), (25, None, 100));
    assert_eq!(smtp.tls_mode.value, TlsMode::StartTls);
    assert_eq!(smtp.tls, ServiceTls::None);
    assert!(matches!(control.origin(smtp.port.origin), Some(Origin::Default("smtp.port"))));
    assert_eq!(control.location(smtp.port.origin), None);
    assert!(!control.accepts(Some("example.com")));
    assert_eq!(control.for_peer(smtp, peer("127.0.0.1")).relay, None);
    assert_eq!(control.inbound.max_message_size.value, None);
    assert_eq!(control.inbound.idle_timeout.value.as_secs(), 300);
    assert_eq!(
        said(&control, Severity::Warning),
        [
            ". warning[no-certificate] smtp",
            "greenarrow.conf warning[no-greenarrow-conf]",
            "me warning[no-host-name]",
            "rcpthosts warning[no-rcpthosts]",
            "smtp.tcp warning[no-access-rules]",
            "smtp2 warning[service-off] smtp2",
        ]
    );
}

#[test]
fn starttls_is_off_by_the_switch_of_its_service() {
    let control = Fixture::copy("starttls-off").with_certificate().load();
    assert_eq!(said(&control, Severity::Note), [""; 0]);
    for (name, offered, switch) in [
        ("smtp", false, "smtp.starttls:1:1"),
        ("smtp2", false, "smtp2:2:21"),
        ("smtp3", true, "smtp3:4:21"),
    ] {
        let service = control.service(name).unwrap();
        assert_eq!(matches!(service.tls, ServiceTls::StartTls(_)), offered, "{name}");
        let location = control.location(service.tls_mode.origin).unwrap().to_string();
        assert!(location.ends_with(switch), "{location}");
    }
}

#[test]
fn smtps_needs_the_exported_variable() {
    let control = Fixture::copy("smtps").with_certificate().load();
    assert_eq!(said(&control, Severity::Warning), [""; 0]);
    assert_eq!(running(&control), ["smtp", "smtp2", "smtp3"]);
    assert!(matches!(control.service("smtp3").unwrap().tls, ServiceTls::Implicit(_)));
    assert!(matches!(control.service("smtp2").unwrap().tls, ServiceTls::StartTls(_)));

    let control = Fixture::copy("smtps-not-exported").with_certificate().load();
    assert_eq!(
        said(&control, Severity::Note),
        [
            "smtp2:2:6 warning[port-465-without-smtps] smtp2",
            "smtp3:3:7 warning[smtps-not-exported] smtp3",
        ]
    );
    assert_eq!(running(&control), ["smtp2", "smtp3"]);
    for name in ["smtp2", "smtp3"] {
        assert!(matches!(control.service(name).unwrap().tls, ServiceTls::StartTls(_)), "{name}");
    }
}

#[test]
fn port_465_of_the_first_service_is_told() {
    let source = memory()
        .file("greenarrow.conf", "")
        .file("tls.servercert.pem", leaf().chain_and_key())
        .file("smtp2", "ENABLED=0\nPORT=465\n");
    let control = Control::load(&source.clone().file("smtp.port", "\u{feff} 465\r\n"));
    let told = "smtp.port:1:2 warning[port-465-without-smtps] smtp".to_owned();
    assert!(said(&control, Severity::Warning).contains(&told), "{:?}", control.diagnostics);
    assert!(matches!(control.service("smtp").unwrap().tls, ServiceTls::StartTls(_)));
    let control = Control::load(&source.file("smtp.port", "587\n"));
    assert!(!said(&control, Severity::Note).iter().any(|line| line.starts_with("smtp.port")));
}

#[test]
fn every_way_to_write_smtps() {
    let issued = leaf();
    for (lines, mode, code) in [
        ("SMTPS=1\nexport SMTPS\n", TlsMode::Implicit, None),
        ("SMTPS=1; export SMTPS\n", TlsMode::Implicit, None),
        ("SMTPS=1 export SMTPS\n", TlsMode::Implicit, None),
        ("export SMTPS=1\n", TlsMode::Implicit, None),
        ("export SMTPS=1\nGREENARROW_STARTTLS=0\n", TlsMode::Implicit, None),
        ("export SMTPS=0\n", TlsMode::Implicit, Some("ambiguous-smtps")),
        ("export SMTPS=\n", TlsMode::Implicit, Some("ambiguous-smtps")),
        ("export SMTPS=No\n", TlsMode::Implicit, Some("ambiguous-smtps")),
        ("export SMTPS=off\n", TlsMode::Implicit, Some("ambiguous-smtps")),
        ("export SMTPS=yes\n", TlsMode::Implicit, None),
        ("SMTPS=1\n", TlsMode::StartTls, Some("smtps-not-exported")),
        ("SMTPS=0\n", TlsMode::StartTls, None),
        ("SMTPS=no\n", TlsMode::StartTls, None),
        ("PORT=465\nSMTPS=no\n", TlsMode::StartTls, Some("port-465-without-smtps")),
        ("export SMTPS\n", TlsMode::StartTls, Some("smtps-without-value")),
        ("# SMTPS=1\n", TlsMode::StartTls, None),
        ("GREENARROW_STARTTLS=0\n", TlsMode::None, None),
    ] {
        let source = memory()
            .file("smtp2", format!("ENABLED=1\n{lines}"))
            .file("greenarrow.conf", "")
            .file("tls.servercert.pem", issued.chain_and_key());
        let control = Control::load(&source);
        let service = control.service("smtp2").unwrap();
        assert_eq!(service.tls_mode.value, mode, "{lines:?}");
        assert!(service.runs(), "{lines:?}");
        let warnings: Vec<_> = control
            .diagnostics
            .iter()
            .filter(|d| d.severity >= Severity::Warning)
            .map(|d| d.code)
            .collect();
        assert_eq!(warnings, code.into_iter().collect::<Vec<_>>(), "{lines:?}");
    }
}

#[test]
fn a_cipher_string_comes_from_the_nearest_place() {
    let fixture = Fixture::copy("smtps").with_certificate();
    let control = fixture.load();
    let file = Some("ECDHE+AESGCM:ECDHE+CHACHA20".to_owned());
    assert_eq!(ciphers(&control, "smtp", "192.0.2.1"), file);
    assert_eq!(ciphers(&control, "smtp2", "10.0.0.1").as_deref(), Some("HIGH:!aNULL"));
    assert_eq!(ciphers(&control, "smtp3", "198.51.100.7").as_deref(), Some("AES128-SHA"));
    let smtp2 = control.service("smtp2").unwrap();
    let location = control.location(smtp2.tls_ciphers.origin).unwrap().to_string();
    assert!(location.ends_with("smtp2:5:12"), "{location}");
    assert_eq!(smtp2.tls_ciphers.replaced.len(), 2, "the default and tls.tlsserverciphers");

    let directory = hvmail_control::source::Directory::open(fixture.path(""))
        .unwrap()
        .with_environment([("TLSCIPHERS".to_owned(), "MEDIUM".to_owned())]);
    let control = Control::load(&directory);
    assert_eq!(ciphers(&control, "smtp", "192.0.2.1").as_deref(), Some("MEDIUM"));
    assert_eq!(ciphers(&control, "smtp2", "10.0.0.1").as_deref(), Some("HIGH:!aNULL"));
    let origin = control.service("smtp").unwrap().tls_ciphers.origin;
    assert_eq!(control.origin(origin), Some(&Origin::Environment("TLSCIPHERS".to_owned())));

    let inherited = memory()
        .file("tls.servercert.pem", leaf().chain_and_key())
        .file("smtp2", "ENABLED=1\nTLSCIPHERS=LOW\n");
    let control = Control::load(&inherited);
    assert_eq!(ciphers(&control, "smtp2", "10.0.0.1"), None, "not exported");
    let not_inherited = inherited.clone();
    let control = Control::load(&inherited.variable("TLSCIPHERS", "HIGH"));
    assert_eq!(ciphers(&control, "smtp2", "10.0.0.1").as_deref(), Some("LOW"));
    assert!(!control.diagnostics.iter().any(|d| d.code == "ciphers-not-exported"));

    let exported = not_inherited.file("smtp2", "ENABLED=1\nexport TLSCIPHERS\n");
    let told = "smtp2:2:8 warning[ciphers-without-value] smtp2".to_owned();
    let control = Control::load(&exported);
    assert!(said(&control, Severity::Warning).contains(&told), "{:?}", control.diagnostics);
    let control = Control::load(&exported.variable("TLSCIPHERS", "HIGH"));
    assert!(!said(&control, Severity::Warning).contains(&told), "the process gives its value");

    let empty = directory.with_environment([("TLSCIPHERS".to_owned(), String::new())]);
    let control = Control::load(&empty);
    assert_eq!(ciphers(&control, "smtp", "192.0.2.1"), None, "set and empty is the default");
}

#[test]
fn equal_cipher_strings_are_one_policy_wherever_they_are_written() {
    let rules = "10.0.0.1:allow,TLSCIPHERS=\"HIGH\"\n10.0.0.2:allow,TLSCIPHERS=\"HIGH\"\n\
                 10.0.0.3:allow,TLSCIPHERS=\"MEDIUM\"\n10.0.0.4:allow,TLSCIPHERS=\"\"\n:allow\n";
    let source = memory()
        .file("tls.servercert.pem", leaf().chain_and_key())
        .file("tls.tlsserverciphers", "MEDIUM\n")
        .file("smtp.tcp", rules);
    let control = Control::load(&source);
    let smtp = control.service("smtp").unwrap();
    let policies = control.tls_policies(smtp);
    assert_eq!(policies.len(), 3, "MEDIUM, HIGH and the default");
    for client in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"] {
        assert!(policies.contains(&control.for_peer(smtp, peer(client)).tls), "{client}");
    }
}

#[test]
fn access_rules_are_those_of_the_service() {
    let control = Fixture::copy("smtps").with_certificate().load();
    let allowed = |service: &str, client: &str| {
        control.for_peer(control.service(service).unwrap(), peer(client)).allow
    };
    assert!(!allowed("smtp", "192.0.2.66") && !allowed("smtp3", "192.0.2.66"));
    assert!(allowed("smtp", "192.0.2.67") && allowed("smtp3", "2001:db8::1"));
    assert!(allowed("smtp2", "10.9.8.7") && !allowed("smtp2", "127.0.0.1"));
    let smtp2 = control.service("smtp2").unwrap();
    let rule = control.for_peer(smtp2, peer("127.0.0.1")).origin.unwrap();
    assert!(control.location(rule).unwrap().to_string().ends_with("smtp2.tcp:1:1"));
    assert!(control.accepts(Some("example.com")) && control.accepts(Some("a.EXAMPLE.org")));
}

#[test]
fn variables_that_have_no_effect_are_named() {
    let source =
        memory().file("smtp2", "ENABLED=1\nRECORDIO=1\nRBLS=0\nWHATEVER=x\nRELAYCLIENT=\"\"\n");
    let control = Control::load(&source);
    let said = said(&control, Severity::Note);
    for line in [
        "smtp2:2:10 warning[not-honoured] smtp2",
        "smtp2:3:6 note[not-honoured] smtp2",
        "smtp2:4:10 warning[not-honoured] smtp2",
        "smtp2:5:13 warning[not-honoured] smtp2",
    ] {
        assert!(said.contains(&line.to_owned()), "{line}: {said:?}");
    }
}

#[test]
fn no_secret_of_the_directory_is_shown_or_kept() {
    let conf = "general {\n greenarrow_proxy_shared_secret s3cret\n}\nrelay_server r {\n \
                password \"s3cret\"\n}\ndefine_hook h perl <<HOOK\ns3cret\nHOOK\n";
    let issued = leaf();
    let source =
        memory().file("greenarrow.conf", conf).file("tls.servercert.pem", issued.chain_and_key());
    let control = Control::load(&source);
    let smtp = control.service("smtp").unwrap();
    assert!(matches!(smtp.tls, ServiceTls::StartTls(_)));
    assert_eq!(control.configuration().tree().directives().count(), 5);
    let shown = format!("{control:?} {control:#?}");
    assert!(!shown.contains("s3cret"));
    let file = control.snapshot.find("tls.servercert.pem").unwrap();
    assert!(control.snapshot.bytes(file).iter().all(u8::is_ascii_whitespace));
    assert_eq!(control.snapshot.bytes(file).len(), issued.chain_and_key().len());
}

#[test]
fn a_loaded_directory_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Control>();
}

#[test]
fn a_byte_order_mark_changes_nothing_in_any_file() {
    let files = [
        ("me", "mx.example.com\n"),
        ("rcpthosts", "example.com\n"),
        ("smtp.tcp", "192.0.2.1:deny\n:allow\n"),
        ("smtp.port", "2525\n"),
        ("smtp2", "ENABLED=1\nPORT=2587\n"),
        ("smtp3", "PORT=2465\nENABLED=1\n"),
        ("smtproutes", "example.net:relay.example\n"),
        ("tls.tlsserverciphers", "HIGH\n"),
        ("greenarrow.conf", "domain a.example {\n  starttls_require yes\n}\n"),
    ];
    let with = |mark: &str| {
        let add =
            |source: Memory, (name, text): (&str, &str)| source.file(name, format!("{mark}{text}"));
        Control::load(&files.into_iter().fold(Memory::new(), add))
    };
    let (plain, marked) = (with(""), with("\u{feff}"));
    assert_eq!(said(&marked, Severity::Note), said(&plain, Severity::Note));
    assert!(!marked.has_errors() && marked.accepts(Some("example.com")));
    for (name, address) in [("smtp", "[::]:2525"), ("smtp2", "[::]:2587"), ("smtp3", "[::]:2465")] {
        assert_eq!(listens(&marked, name), listens(&plain, name));
        assert!(listens(&marked, name).contains(&address.to_owned()), "{name}");
    }
    let smtp = marked.service("smtp").unwrap();
    assert!(!marked.for_peer(smtp, "192.0.2.1".parse().unwrap()).allow);
    assert!(marked.outgoing_for("a.example", None).unwrap().policy.level.required());
    let routed = marked.outgoing_for("example.net", None).unwrap().route.unwrap();
    assert_eq!(routed.host, "relay.example");
    assert_eq!(marked.me.unwrap().value, "mx.example.com");
}

/// `tcpserver` sets the variables of a rule in their order, so the last one counts.
#[test]
fn a_variable_that_a_rule_sets_again_is_told_and_the_last_counts() {
    let rules = "10.0.0.1:allow,TLSCIPHERS=\"AES128\",RELAYCLIENT=\"a\",TLSCIPHERS=\"AES256\",RELAYCLIENT=\"\"\n\
                 :allow,X=\"1\",X=\"2\",X=\"3\"\n";
    let source =
        memory().file("tls.servercert.pem", leaf().chain_and_key()).file("smtp.tcp", rules);
    let control = load(&source);
    let told: Vec<_> = said(&control, Severity::Warning)
        .into_iter()
        .filter(|line| line.starts_with("smtp.tcp"))
        .collect();
    let at = |line: usize, name: &str, nth: usize| {
        let text = rules.lines().nth(line - 1).unwrap();
        let (column, _) = text.match_indices(&format!("{name}=")).nth(nth).unwrap();
        format!("smtp.tcp:{line}:{} warning", column + 1)
    };
    let mut expected = [
        at(1, "TLSCIPHERS", 0) + "[replaced]",
        at(1, "RELAYCLIENT", 0) + "[replaced]",
        at(2, "X", 0) + "[replaced]",
        at(2, "X", 1) + "[replaced]",
        at(2, "X", 0) + "[not-honoured]",
    ];
    expected.sort();
    assert_eq!(told, expected);

    let smtp = control.service("smtp").unwrap();
    let under = control.for_peer(smtp, peer("10.0.0.1"));
    assert_eq!(under.tls_ciphers.value.as_deref(), Some("AES256"));
    assert_eq!(under.relay.as_deref(), Some(""));
    let rule = &hvmail_control::explain::services(&control)[0].rules[0];
    let overrode = |explained: &Option<hvmail_control::explain::Explained>| {
        let overrode = &explained.as_ref().unwrap().overrode;
        overrode.iter().map(|one| one.text.clone().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        (overrode(&rule.ciphers), overrode(&rule.relay)),
        (vec!["AES128".into()], vec!["a".into()])
    );
}

#[test]
fn variables_of_a_rule_that_denies_are_told_and_explained_as_without_effect() {
    let rules = "127.0.0.7:deny,TLSCIPHERS=\"HIGH\",RELAYCLIENT=\"\",TLSCIPHERS=\"HIGH\"\n\
                 127.0.0.8:deny,DATABYTES=\"5\"\n127.0.0.9:deny\n:allow\n";
    let source =
        memory().file("tls.servercert.pem", leaf().chain_and_key()).file("smtp.tcp", rules);
    let control = load(&source);
    let told: Vec<_> =
        control.diagnostics.iter().filter(|said| said.code == "not-honoured").collect();
    let messages: Vec<_> = told.iter().map(|said| said.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "TLSCIPHERS, RELAYCLIENT have no effect: the rule denies, so there is no session",
            "DATABYTES has no effect: the rule denies, so there is no session",
        ]
    );
    let places: Vec<_> = told.iter().map(|it| it.location(&control.snapshot).unwrap()).collect();
    assert_eq!((places[0].line, places[0].column, places[1].line), (1, 16, 2));
    assert!(told.iter().all(|said| said.severity == Severity::Warning));
    let explained = &hvmail_control::explain::services(&control)[0].rules;
    let [first, second, third, _] = &explained[..] else { panic!() };
    assert!(first.relay.is_none() && first.ciphers.is_none() && first.tls.is_none());
    assert_eq!(first.without_effect, ["TLSCIPHERS", "RELAYCLIENT"]);
    assert_eq!(second.without_effect, ["DATABYTES"]);
    assert_eq!(third.without_effect, [""; 0]);
}
