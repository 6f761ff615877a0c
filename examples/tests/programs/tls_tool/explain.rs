//! `explain`: what is in force, as text and as JSON, and whether it is what a peer then gets.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use smtp_testkit::pki::{Authority, Key, Validity};
use smtp_testkit::process::{self, Finished, require_peer};

use super::run;
use crate::support::{BACKENDS, Host};

fn explain(host: &Host, arguments: &[&str]) -> Finished {
    let control = host.control().display().to_string();
    run(["explain", &control].iter().chain(arguments))
}

fn explained(host: &Host, arguments: &[&str]) -> Value {
    let finished = explain(host, &[arguments, &["--json"]].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout.join("\n")).unwrap()
}

#[track_caller]
fn has_keys(object: &Value, keys: &str) {
    let found: BTreeSet<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found, keys.split(' ').collect(), "{object:#}");
}

fn setting<'a>(settings: &'a Value, name: &str) -> &'a Value {
    let mut settings = settings.as_array().unwrap().iter();
    settings.find(|setting| setting["setting"] == name).unwrap()
}

/// The shape that the documents promise: every key, in every kind of object.
#[test]
fn the_keys_of_the_json_stay() {
    let host = Host::new();
    host.write(
        "smtp.tcp",
        "127.0.0.1:allow,RELAYCLIENT=\"\",TLSCIPHERS=\"ECDHE+AESGCM:DHE\"\n:allow\n",
    )
    .write("smtproutes", "a.example:b.example:26\n")
    .write("tls.tlsserverciphers", "HIGH\n");
    for backend in BACKENDS {
        let whole = explained(&host, &["--tls", backend]);
        has_keys(&whole, "directory backend host services outgoing");
        assert_eq!(whole["backend"], *backend);
        has_keys(&whole["host"][0], "setting value source overrode vendor_unsupported");
        let service = &whole["services"][0];
        has_keys(service, "name state settings tls rules");
        let tls = &service["tls"];
        has_keys(tls, "mode tls13 tls12 groups modern_peer dhe_group unhonoured");
        has_keys(&tls["modern_peer"], "version suite group");
        let rule = &service["rules"][0];
        has_keys(rule, "address allow used source relay ciphers tls without_effect");
        let file = &rule["ciphers"]["source"];
        has_keys(file, "kind path line column");
        assert_eq!((&file["line"], &file["column"]), (&1.into(), &44.into()));
        let overrode = &rule["ciphers"]["overrode"][0];
        has_keys(overrode, "source text");
        assert_eq!(overrode["text"], "HIGH");
        has_keys(&rule["tls"], "mode tls13 tls12 groups modern_peer dhe_group unhonoured");
        if *backend == "rustls" {
            let unhonoured = &rule["tls"]["unhonoured"];
            has_keys(&unhonoured[0], "setting loss cause reason place");
            assert_eq!(unhonoured[0]["cause"], "library");
        }
        let names =
            ["enabled", "address", "port", "concurrency", "smtp_auth", "access_rules", "tls_mode"];
        let more = [
            "ciphers",
            "certificate",
            "tls_versions",
            "dh_group",
            "session_resumption",
            "client_certificates",
        ];
        let found: Vec<_> =
            service["settings"].as_array().unwrap().iter().map(|s| &s["setting"]).collect();
        assert_eq!(found, names.iter().chain(&more).collect::<Vec<_>>());
        has_keys(&setting(&service["settings"], "concurrency")["source"], "kind of");
        has_keys(&setting(&service["settings"], "tls_versions")["source"], "kind");

        let outgoing = &whole["outgoing"];
        has_keys(outgoing, "settings directives routes otherwise named named_is_whole");
        has_keys(&outgoing["directives"][0], "name value ip_addresses domains counts source");
        has_keys(&outgoing["routes"][0], "domain route error source");
        has_keys(&outgoing["otherwise"], "domain ip_address settings tls unhonoured error");

        let to = explained(&host, &["--tls", backend, "--to", "a.example", "--from-ip", "one"]);
        has_keys(&to, "directory backend host services outgoing");
        assert!(to["host"].is_null() && to["services"].is_null());
        has_keys(&to["outgoing"], "domain ip_address settings tls unhonoured error");
        assert_eq!(to["outgoing"]["ip_address"], "one");
        assert_eq!(setting(&to["outgoing"]["settings"], "route")["value"], "b.example:26");

        let one = explained(&host, &["--tls", backend, "--service", "smtp3"]);
        assert_eq!(one["services"].as_array().unwrap().len(), 1);
        assert_eq!(one["services"][0]["tls"]["mode"], "smtps");
        assert!(one["outgoing"].is_null());
    }
}

#[test]
fn a_variable_of_the_environment_is_a_source() {
    let host = Host::new();
    let mut command = Command::new(crate::support::TLS_TOOL);
    command.arg("explain").arg(host.control()).args(["--json", "--service", "smtp"]);
    let finished = process::run(command.env("TLSCIPHERS", "AESGCM"), b"");
    let whole: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
    let ciphers = setting(&whole["services"][0]["settings"], "ciphers");
    assert_eq!(ciphers["value"], "AESGCM");
    has_keys(&ciphers["source"], "kind name");
}

/// What is said of a modern client is what our own client then gets, from either library.
#[test]
fn a_modern_client_gets_what_is_said() {
    let host = Host::new();
    for server in BACKENDS {
        let whole = explained(&host, &["--tls", server, "--service", "smtp"]);
        let said = &whole["services"][0]["tls"]["modern_peer"];
        let said = format!(
            "tls={}/{}",
            said["version"].as_str().unwrap(),
            said["suite"].as_str().unwrap()
        );
        let _program = host.serve(&["--tls", server]);
        for client in BACKENDS {
            let arguments = ["--tls", client, "--from", "a@example.org", "--to", "b@example.org"];
            let sent = host.send(host.starttls, &arguments, "Subject: x\n\nx\n");
            assert_eq!(sent.code, Some(0), "{sent:?}");
            assert!(sent.stdout[0].ends_with(&said), "{server}, {client}: {said}: {sent:?}");
        }
    }
}

/// The first suite of a rule is the one that OpenSSL's client gets under TLS 1.2, and the first group
/// that it knows.
#[test]
fn the_clients_of_a_rule_get_the_suites_of_the_rule() {
    let Some(openssl) = require_peer("openssl") else { return };
    let host = Host::new();
    host.write("tls.tlsserverciphers", "ECDHE-ECDSA-AES256-GCM-SHA384\n");
    host.write(
        "smtp.tcp",
        "127.0.0.1:allow,TLSCIPHERS=\"ECDHE-ECDSA-AES128-GCM-SHA256\"\n:allow\n",
    );
    for backend in BACKENDS {
        let whole = explained(&host, &["--tls", backend, "--service", "smtp3"]);
        let service = &whole["services"][0];
        assert_eq!(service["tls"]["tls12"][0], "ECDHE-ECDSA-AES256-GCM-SHA384");
        let suite = service["rules"][0]["tls"]["tls12"][0].as_str().unwrap();
        assert_eq!(suite, "ECDHE-ECDSA-AES128-GCM-SHA256");
        let groups = service["tls"]["groups"].as_array().unwrap();
        assert_eq!(service["tls"]["modern_peer"]["group"], groups[0]);
        let known = |group: &Value| match group.as_str()? {
            "x25519" => Some("X25519,"),
            "secp256r1" => Some("prime256v1,"),
            _ => None,
        };
        let group = groups.iter().find_map(known).unwrap();
        let _program = host.serve(&["--tls", backend]);
        let mut client = Command::new(&openssl);
        client.args(["s_client", "-tls1_2", "-connect", &format!("127.0.0.1:{}", host.smtps)]);
        let finished = process::run(&mut client, b"QUIT\r\n");
        let text = finished.stdout.join("\n");
        assert!(text.contains(&format!("Cipher is {suite}")), "{backend}: {text}");
        let key = finished.stdout.iter().find(|line| line.starts_with("Server Temp Key: "));
        assert!(key.is_some_and(|line| line.contains(group)), "{backend}: {group}: {text}");
    }
}

/// The group of DHE that is told is the one that a client is given.
#[test]
fn the_group_of_dhe_is_the_one_in_force() {
    let Some(openssl) = require_peer("openssl") else { return };
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/hvmail-control/tests/fixtures/temporary-keys/"
    );
    let leaf = Authority::root("root").issue_as(&["mx.example.org"], Key::Rsa, Validity::Now);
    let both = &["tls.dh512.pem", "tls.dh2048.pem"][..];
    for (files, ciphers, in_force) in [
        (&["tls.dh512.pem"][..], "ECDHE:DHE", Some((2048, true))),
        (both, "ECDHE:DHE", Some((2048, false))),
        (&[], "ECDHE:DHE", Some((2048, true))),
        (both, "ECDHE", None),
    ] {
        let host = Host::new();
        host.write("tls.chain.pem", &leaf.chain()).write("tls.key.pem", &leaf.key);
        host.write("tls.tlsserverciphers", &format!("{ciphers}\n"));
        for name in files {
            host.write(name, &fs::read_to_string(format!("{folder}{name}")).unwrap());
        }
        for backend in BACKENDS {
            let in_force = in_force.filter(|_| *backend == "openssl");
            let what = format!("{backend} {files:?} {ciphers}");
            let whole = explained(&host, &["--tls", backend, "--service", "smtp"]);
            let service = &whole["services"][0];
            let told = setting(&service["settings"], "dh_group");
            let (value, offered) = match in_force {
                None => (Value::Null, Value::Null),
                Some((bits, true)) => (
                    json!(format!("{bits} bits, of RFC 7919")),
                    json!({ "bits": bits, "standard": true }),
                ),
                Some((bits, false)) => {
                    (json!(format!("{bits} bits")), json!({ "bits": bits, "standard": false }))
                }
            };
            assert_eq!(told["value"], value, "{what}");
            assert_eq!(service["tls"]["dhe_group"], offered, "{what}");
            let is_file = in_force.is_some_and(|(_, standard)| !standard);
            assert_eq!(told["source"]["kind"], if is_file { "file" } else { "default" }, "{what}");
            let overrode = told["overrode"].as_array().unwrap();
            assert_eq!(overrode.len(), files.len() - usize::from(is_file), "{what}: {told:#}");
            let text = explain(&host, &["--tls", backend, "--service", "smtp"]).stdout;
            let line = text.iter().find(|line| line.trim().starts_with("DHE group: "));
            let expected = value.as_str().map(|value| format!("DHE group: {value}"));
            assert_eq!(line.map(|line| line.trim()), expected.as_deref(), "{text:#?}");
            let Some((bits, _)) = in_force else { continue };
            let _program = host.serve(&["--tls", backend]);
            let mut client = Command::new(&openssl);
            client.args(["s_client", "-tls1_2", "-cipher", "DHE", "-connect"]);
            let finished =
                process::run(client.arg(format!("127.0.0.1:{}", host.smtps)), b"QUIT\r\n");
            let key = format!("Server Temp Key: DH, {bits} bits");
            assert!(finished.stdout.contains(&key), "{what}: {finished:?}");
        }
    }
}

/// No library is blamed for a word that none of them knows.
#[test]
fn words_that_mean_nothing_are_said_of_the_string_and_not_of_the_library() {
    let host = Host::new();
    host.write("tls.tlsserverciphers", "ECDHE+AESGCM:NO-SUCH-WORD\n");
    for backend in BACKENDS {
        let arguments = ["--tls", backend, "--service", "smtp"];
        let whole = explained(&host, &arguments);
        let unhonoured = whole["services"][0]["tls"]["unhonoured"].as_array().unwrap().iter();
        let word = |said: &&Value| said["reason"].as_str().unwrap().contains("NO-SUCH-WORD");
        let causes: Vec<_> = unhonoured.filter(word).map(|said| &said["cause"]).collect();
        assert_eq!(causes, ["setting"], "{backend}");
        let text = explain(&host, &arguments).stdout;
        let said: Vec<_> = text.iter().filter(|line| line.contains(": NO-SUCH-WORD: ")).collect();
        assert!(said.len() == 1 && said[0].contains(" whichever library: ciphers: "), "{said:?}");
    }
}

/// Rules with one string have one TLS configuration, and each its own place.
#[test]
fn rules_with_the_same_string_are_told_apart_by_their_places() {
    let host = Host::new();
    let rule = |n| format!("10.0.0.{n}:allow,TLSCIPHERS=\"ECDHE+AESGCM:NO-SUCH-WORD\"\n");
    host.write("smtp.tcp", &format!("{}{}:allow\n", rule(1), rule(2)));
    for backend in BACKENDS {
        let whole = explained(&host, &["--tls", backend, "--service", "smtp"]);
        for (rule, line) in whole["services"][0]["rules"].as_array().unwrap().iter().zip(1..=2) {
            let said = rule["tls"]["unhonoured"].as_array().unwrap().iter();
            let places: Vec<_> = said.map(|said| said["place"].as_str().unwrap()).collect();
            let place = format!("{}/smtp.tcp:{line}:28", host.control().display());
            assert_eq!(places, [place], "{backend}");
        }
    }
}

#[test]
fn what_the_library_cannot_serve_is_said_with_its_place() {
    let host = Host::new();
    host.write("smtp.tcp", "10.:allow,TLSCIPHERS=\"NULL-SHA\"\n:allow\n");
    for backend in BACKENDS {
        let finished = explain(&host, &["--tls", backend, "--service", "smtp", "--json"]);
        let whole: Value = serde_json::from_str(&finished.stdout.join("\n")).unwrap();
        let rule = &whole["services"][0]["rules"][0];
        has_keys(&rule["tls"], "mode error");
        has_keys(&rule["tls"]["error"], "reason place");
        let place = format!("{}/smtp.tcp:1:23", host.control().display());
        assert_eq!(rule["tls"]["error"]["place"], place, "{rule:#}");
        let text = explain(&host, &["--tls", backend, "--service", "smtp"]).stdout.join("\n");
        assert!(text.contains(&format!("{backend} cannot serve this: ")), "{text}");
    }
}

#[test]
fn a_service_that_the_library_cannot_serve_is_broken_as_for_who_serves_it() {
    const FITS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256\n";
    for backend in BACKENDS {
        // Of the service itself, then of a rule.
        for (file, content) in [
            ("tls.tlsserverciphers", "AES128-SHA\n"),
            ("smtp.tcp", "10.:allow,TLSCIPHERS=\"AES128-SHA\"\n:allow\n"),
        ] {
            let host = Host::new();
            host.write("tls.tlsserverciphers", FITS).write("smtp3", "ENABLED=0\n");
            let state = |of: &Value| of["services"][0]["state"].as_str().unwrap().to_owned();
            let arguments = ["--tls", backend, "--service", "smtp"];
            assert_eq!(state(&explained(&host, &arguments)), "runs", "{backend} {file}");
            host.write(file, content);
            let explained = explained(&host, &arguments);
            assert_eq!(state(&explained), "broken", "{backend} {file}: {explained:#}");
            let text = explain(&host, &arguments);
            assert_eq!(text.code, Some(0), "{text:?}");
            let title = "service smtp: broken: it stays down".to_owned();
            assert!(text.stdout.contains(&title), "{text:?}");
            let mut serve = host.smtpd(&["--tls", backend, "--service", "smtp"]);
            let served = process::run(&mut serve, b"");
            assert_eq!(served.code, Some(78), "{served:?}");
        }
    }
}

#[test]
fn the_text_has_each_value_with_its_place_and_what_it_overrode() {
    let host = Host::new();
    host.write("smtp2", "ENABLED=1\nPORT=2500\nIPADDR=127.0.0.1\nPORT=2600\n");
    let control = host.control().display().to_string();
    let finished = explain(&host, &[]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<Vec<_>> =
        finished.stdout.iter().map(|line| line.split_whitespace().collect()).collect();
    let port = format!("{control}/smtp2:4:6");
    let at = lines.iter().position(|line| *line == ["port", "2600", &port]).unwrap();
    assert_eq!(lines[at + 1], ["overrode", "2500", &format!("{control}/smtp2:2:6")]);
    for title in ["host", "service smtp: runs", "service smtp2: runs", "outgoing mail"] {
        assert!(finished.stdout.iter().any(|line| line == title), "{title}: {finished:?}");
    }
    assert!(
        finished.stdout.iter().any(|line| line.trim().starts_with("a modern client gets TLSv1.3 "))
    );

    let to = explain(&host, &["--to", "example.com", "--from-ip", "nobody"]);
    let said = "hvmail-tls: --from-ip \"nobody\": no ip_address block has this name";
    assert!(to.stderr[0].starts_with(said), "{to:?}");
    assert!(
        to.stdout.iter().any(|line| line == "mail to example.com, by IP address nobody"),
        "{to:?}"
    );
    assert!(!to.stdout.iter().any(|line| line.starts_with("service")), "{to:?}");
}

#[test]
fn no_secret_and_no_control_character_is_shown() {
    let host = Host::new();
    let hostile = "\u{1b}[31m\u{9b}2J\u{202e}\u{8}";
    host.write("smtproutes", &format!("a{hostile}.example:b:26\n"))
        .write("smtp.tcp", &format!(":allow,RELAYCLIENT=\"{hostile}\"\n"))
        .write("me", &format!("mx{hostile}.example\n"));
    for arguments in [&[][..], &["--json"], &["--to", "a\u{9b}2J.example"]] {
        let finished = explain(&host, arguments);
        for line in finished.stdout.iter().chain(&finished.stderr) {
            let drives = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!line.contains(drives), "{line:?}");
        }
        let text = finished.stdout.join("");
        if arguments == ["--json"] {
            let whole: Value = serde_json::from_str(&text).unwrap();
            let relay = &whole["services"][0]["rules"][0]["relay"]["value"];
            assert_eq!(relay, hostile, "{whole:#}");
        }
        let mut key = host.certificate.key.lines().filter(|line| !line.starts_with('-'));
        assert!(!key.any(|line| text.contains(line)));
    }
}

#[test]
fn rules_that_cannot_be_used_are_bad_configuration_and_are_explained() {
    let host = Host::new();
    host.write("greenarrow.conf", "domain a.example {\n  starttls_require maybe\n}\n");
    let finished = explain(&host, &["--to", "a.example"]);
    assert_eq!(finished.code, Some(78), "{finished:?}");
    let said = finished.stdout.iter().find(|line| line.contains("it is kept back")).unwrap();
    assert!(said.ends_with("greenarrow.conf:2:3"), "{said}");
    assert!(
        finished.stderr.last().unwrap().contains("`hvmail-tls check` shows them"),
        "{finished:?}"
    );
    let usage = [
        &["--from-ip", "one"][..],
        &["--service", "smtp4"],
        &["--to", "a@b"],
        &["--to", ""],
        &["--tls", "x"],
    ];
    for arguments in usage {
        assert_eq!(explain(&host, arguments).code, Some(64), "{arguments:?}");
    }
    assert_eq!(run(["explain", "/no/such/directory"]).code, Some(78));
}

/// What is said of a modern server is what our own then agrees on, with either library.
#[test]
fn outgoing_mail_gets_from_a_modern_server_what_is_said() {
    let host = Host::new();
    host.write(
        "greenarrow.conf",
        "general {\n  tls_certificate_files tls.chain.pem tls.key.pem\n  starttls_use yes\n}\n\
         domain clear.example {\n  starttls_use no\n}\n",
    )
    .write("smtproutes", "tls.example:hub.example:465\n");
    for client in BACKENDS {
        let whole = explained(&host, &["--tls", client]);
        let outgoing = &whole["outgoing"];
        let offered = &outgoing["otherwise"]["tls"];
        has_keys(offered, "mode tls13 tls12 groups modern_peer");
        assert_eq!(offered["mode"], "starttls");
        let peer = &offered["modern_peer"];
        assert_eq!(
            (&peer["version"], &peer["suite"], &peer["group"]),
            (&"TLSv1.3".into(), &offered["tls13"][0], &offered["groups"][0])
        );
        let named = outgoing["named"].as_array().unwrap();
        let found: Vec<_> = named.iter().map(|one| (&one["domain"], &one["tls"]["mode"])).collect();
        let (clear, tls) = ("clear.example".into(), "tls.example".into());
        assert_eq!(found, [(&clear, &Value::Null), (&tls, &"smtps".into())], "{outgoing:#}");

        let text = explain(&host, &["--tls", client]).stdout;
        let said = format!(
            "a modern server gets TLSv1.3 {} {}",
            peer["suite"].as_str().unwrap(),
            peer["group"].as_str().unwrap()
        );
        assert_eq!(text.iter().filter(|line| line.trim() == said).count(), 2, "{text:#?}");
        assert!(text.iter().any(|line| line == "mail to tls.example"), "{text:#?}");
        assert!(text.iter().any(|line| line == "  no TLS is used"), "{text:#?}");

        for server in BACKENDS {
            let _program = host.serve(&["--tls", server]);
            let arguments = ["--tls", client, "--from", "a@example.org", "--to", "b@example.org"];
            let sent = host.send(host.starttls, &arguments, "Subject: x\n\nx\n");
            let said = format!("tls=TLSv1.3/{}", peer["suite"].as_str().unwrap());
            assert!(sent.stdout[0].ends_with(&said), "{server}, {client}: {sent:?}");
        }
    }
}

/// A rule that cannot be used is said with whose it is.
#[test]
fn a_named_delivery_that_cannot_be_used_says_so() {
    let host = Host::new();
    host.write("greenarrow.conf", "domain a.example {\n  starttls_require maybe\n}\n");
    let whole = explained(&host, &[]);
    let named = &whole["outgoing"]["named"][0];
    has_keys(named, "domain ip_address error");
    assert_eq!(named["domain"], "a.example");
    let text = explain(&host, &[]).stdout;
    let at = text.iter().position(|line| line == "mail to a.example").unwrap();
    assert!(text[at + 1].starts_with("  it is kept back: "), "{text:#?}");
}

/// Of a file of ciphers that cannot be read nobody knows what it allows: certainly not the default.
#[test]
fn ciphers_that_cannot_be_read_are_unknown_and_nothing_is_offered() {
    let host = Host::new();
    host.write("smtp2", "ENABLED=1\nIPADDR=127.0.0.1\nTLSCIPHERS=HIGH\nexport TLSCIPHERS\n");
    host.write("smtp.tcp", "127.0.0.1:allow,TLSCIPHERS=\"HIGH\"\n:allow\n");
    let path = host.control().join("tls.tlsserverciphers");
    let shown = path.display().to_string();
    let cases: [(&[u8], &str); 3] = [(b"A\0B\n", ":1:"), (b"HIGH\n\xff\n", ":2:1"), (b"", "")];
    for (content, place) in cases {
        let _ = fs::remove_file(&path);
        match content {
            b"" => fs::create_dir(&path).unwrap(),
            content => fs::write(&path, content).unwrap(),
        }
        for backend in BACKENDS {
            let whole = explained(&host, &["--tls", backend]);
            for (number, mode) in [(0, "starttls"), (2, "smtps")] {
                let service = &whole["services"][number];
                assert_eq!(service["state"], "broken", "{service:#}");
                has_keys(&service["tls"], "mode error");
                assert_eq!(service["tls"]["mode"], mode);
                let error = &service["tls"]["error"];
                let reason = error["reason"].as_str().unwrap();
                assert!(reason.starts_with("nobody knows which ciphers it may use: "), "{reason}");
                let at = error["place"].as_str().unwrap();
                assert!(at.starts_with(&format!("{shown}{place}")), "{at}");
                let ciphers = service["settings"].as_array().unwrap();
                let ciphers = ciphers.iter().find(|it| it["setting"] == "ciphers").unwrap();
                assert_eq!(
                    (&ciphers["value"], &ciphers["source"]["kind"]),
                    (&Value::Null, &"file".into())
                );
                assert_eq!(service["rules"][0]["tls"], Value::Null);
            }
            // Another says for itself what it may use.
            let second = &whole["services"][1];
            assert_eq!(
                (&second["state"], &second["tls"]["mode"]),
                (&"runs".into(), &"starttls".into())
            );
            assert_eq!(second["rules"][0]["tls"]["mode"], "starttls");
            let text = explain(&host, &["--tls", backend, "--service", "smtp"]).stdout;
            assert!(text.contains(&"service smtp: broken: it stays down".to_owned()), "{text:#?}");
            let text = text.join("\n");
            assert!(text.contains("  nobody knows which ciphers it may use: "), "{text}");
            assert!(!text.contains("DEFAULT") && !text.contains("offered by"), "{text}");
        }
    }
    fs::remove_dir(&path).unwrap();
}

/// Nor one in a rule that can apply to nobody here: of what rustls has nothing, a part is what OpenSSL has.
#[test]
fn a_string_of_a_rule_that_can_never_apply_breaks_nothing() {
    let host = Host::new();
    let rules = ["user@127.0.0.6", "=foo.com", "10.0.0.0/8", "0.0.0.0", "127.0.0.1"];
    let rules = rules.map(|address| format!("{address}:allow,TLSCIPHERS=\"AES128-SHA\"\n"));
    host.write("smtp.tcp", &format!("127.0.0.1:allow\n{}:allow\n", rules.concat()));
    for backend in BACKENDS {
        let whole = explained(&host, &["--tls", backend, "--service", "smtp"]);
        let service = &whole["services"][0];
        assert_eq!(service["state"], "runs", "{service:#}");
        for rule in &service["rules"].as_array().unwrap()[1..=5] {
            assert_eq!((&rule["used"], &rule["tls"]), (&false.into(), &Value::Null), "{rule:#}");
        }
        let control = host.control().display().to_string();
        assert_eq!(run(["check", &control, "--tls", backend]).code, Some(0));
        let _program = host.serve(&["--tls", backend, "--strict"]);
    }
}

/// A string that no library takes breaks nothing where no session uses it; `hvmail-smtpd` serves.
#[test]
fn a_string_of_a_rule_that_denies_breaks_nothing() {
    let host = Host::new();
    host.write(
        "smtp.tcp",
        "10.:deny,TLSCIPHERS=\"HIGH:@FOO\",RELAYCLIENT=\"\"\n11.:deny,TLSCIPHERS=\"NULL-SHA\"\n127.:allow\n",
    );
    for backend in BACKENDS {
        let whole = explained(&host, &["--tls", backend, "--service", "smtp"]);
        let service = &whole["services"][0];
        assert_eq!(service["state"], "runs");
        let rule = &service["rules"][0];
        assert_eq!((&rule["used"], &rule["tls"]), (&false.into(), &Value::Null));
        assert_eq!((&rule["ciphers"], &rule["relay"]), (&Value::Null, &Value::Null));
        assert_eq!(rule["without_effect"], serde_json::json!(["TLSCIPHERS", "RELAYCLIENT"]));
        let text = explain(&host, &["--tls", backend, "--service", "smtp"]).stdout;
        let at = text.iter().position(|line| line.contains("rule for 10.: may not")).unwrap();
        assert_eq!(text[at + 1], "    without effect: TLSCIPHERS, RELAYCLIENT", "{text:#?}");
        assert!(text[at + 2].starts_with("  rule for 11.: may not connect"), "{text:#?}");
        let _program = host.serve(&["--tls", backend, "--strict"]);
    }
}
