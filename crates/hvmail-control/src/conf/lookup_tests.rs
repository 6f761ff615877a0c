use super::*;
use crate::conf::tree::{DEFAULTS, FILE};
use crate::diagnostic::Severity;
use crate::snapshot::Loader;
use crate::source::Memory;
use std::hint::black_box;
use std::time::{Duration, Instant};

fn index(source: &Memory) -> (Lookup, Vec<Diagnostic>) {
    let (tree, diagnostics) = Tree::load(&mut Loader::new(source));
    assert_eq!(diagnostics, []);
    Lookup::new(tree)
}

fn conf(content: impl Into<Vec<u8>>) -> Lookup {
    let (lookup, diagnostics) = index(&Memory::new().file(FILE, content));
    assert_eq!(diagnostics, []);
    lookup
}

/// The argument of the directive `d` that is found.
fn find<'a>(lookup: &'a Lookup, address: Option<&str>, domain: &str) -> Option<&'a str> {
    lookup.find("d", address, domain).map(|found| found.directive.text().unwrap().value)
}

#[test]
fn places_are_tried_from_the_narrowest_to_the_widest() {
    // In the order in which they count for IP address "ip" and domain "foo.example.com".
    let places = [
        ("ip_address ip", "domain foo.example.com"),
        ("ip_address ip", "domain [*.]foo.example.com"),
        ("ip_address ip", "domain *.example.com"),
        ("ip_address ip", "domain [*.]example.com"),
        ("ip_address ip", "domain *.com"),
        ("ip_address ip", "domain [*.]com"),
        ("ip_address ip", "domain *"),
        ("ip_address ip", ""),
        ("ip_address *", "domain foo.example.com"),
        ("", "domain foo.example.com"),
        ("ip_address *", "domain [*.]foo.example.com"),
        ("", "domain [*.]foo.example.com"),
        ("ip_address *", "domain *.example.com"),
        ("", "domain *.example.com"),
        ("ip_address *", "domain [*.]example.com"),
        ("", "domain [*.]example.com"),
        ("ip_address *", "domain *.com"),
        ("", "domain *.com"),
        ("ip_address *", "domain [*.]com"),
        ("", "domain [*.]com"),
        ("ip_address *", "domain *"),
        ("", "domain *"),
        ("ip_address *", ""),
        ("", "general"),
    ];
    let block = |number: usize| {
        let (outer, inner) = places[number];
        let mut text = format!("d {number}\n");
        for context in [inner, outer] {
            if !context.is_empty() {
                text = format!("{context} {{\n{text}}}\n");
            }
        }
        text
    };
    // Each place wins over all that come behind it, in whatever order the file holds them.
    for first in 0..places.len() {
        let forwards: String = (first..places.len()).map(block).collect();
        let backwards: String = (first..places.len()).rev().map(block).collect();
        for content in [forwards, backwards] {
            let lookup = conf(content);
            let expected = first.to_string();
            assert_eq!(find(&lookup, Some("ip"), "foo.example.com"), Some(&*expected));
            assert_eq!(find(&lookup, Some("IP"), "FOO.Example.COM."), Some(&*expected));
            // Without an address, or with one that is not named, the first eight do not count.
            let expected = first.max(8).to_string();
            assert_eq!(find(&lookup, None, "foo.example.com"), Some(&*expected));
            assert_eq!(find(&lookup, Some("other"), "foo.example.com"), Some(&*expected));
        }
    }
}

#[test]
fn wildcards_match_what_is_documented() {
    for (pattern, matching, others) in [
        (
            "example.com",
            &["example.com", "EXAMPLE.COM", "example.com."][..],
            &["a.example.com", "com", ""][..],
        ),
        ("*.example.com", &["a.example.com", "b.a.example.com"], &["example.com", "aexample.com"]),
        ("[*.]example.com", &["example.com", "b.a.example.com"], &["example.net", "aexample.com"]),
        ("*.com", &["example.com", "a.example.com"], &["com", "example.net"]),
        ("*", &["example.com", "com", "", "[192.0.2.1]"], &[]),
        ("[192.0.2.1]", &["[192.0.2.1]", "192.0.2.1"], &["192.0.2.10", "[192.0.2.2]"]),
        (
            "\"b\u{fc}cher.example\"",
            &["xn--bcher-kva.example", "B\u{dc}CHER.example"],
            &["bucher.example"],
        ),
        ("xn--bcher-kva.example", &["b\u{fc}cher.example"], &[]),
        ("a.example, [*.]b.example", &["a.example", "x.b.example"], &["x.a.example"]),
    ] {
        let lookup = conf(format!("domain {pattern} {{\n d yes\n}}\n"));
        for domain in matching {
            assert_eq!(find(&lookup, None, domain), Some("yes"), "{pattern}: {domain}");
        }
        for domain in others {
            assert_eq!(find(&lookup, None, domain), None, "{pattern}: {domain}");
        }
    }
}

#[test]
fn each_directive_falls_through_on_its_own() {
    let lookup = conf(
        "general {\n a 1\n b 1\n c 1\n}\ndomain * {\n a 2\n b 2\n}\ndomain x.example {\n a 3\n}\n",
    );
    let values = |domain| {
        ["a", "b", "c", "e"]
            .map(|name| lookup.find(name, None, domain).map(|f| f.directive.text().unwrap().value))
    };
    assert_eq!(values("x.example"), [Some("3"), Some("2"), Some("1"), None]);
    assert_eq!(values("y.example"), [Some("2"), Some("2"), Some("1"), None]);
}

#[test]
fn address_lists_and_nested_lists_multiply() {
    let lookup = conf("ip_address A, \"b c\" {\n domain x.example, *.y.example {\n  d 1\n }\n}\n");
    for address in ["a", "B C"] {
        for domain in ["x.example", "z.y.example"] {
            assert_eq!(find(&lookup, Some(address), domain), Some("1"), "{address} {domain}");
        }
    }
    assert_eq!(find(&lookup, Some("c"), "x.example"), None);
    assert_eq!(find(&lookup, None, "x.example"), None);
}

#[test]
fn the_last_of_equals_counts_and_the_others_are_noted() {
    let source = Memory::new().file(
        FILE,
        "general {\n d 1\n d 2\n}\ndomain a.example {\n d 3\n}\ngeneral {\n d 4\n e 1\n e 2\n}\n\
         domain b.example, A.example {\n d 5\n}\n",
    );
    let mut loader = Loader::new(&source);
    let (tree, _) = Tree::load(&mut loader);
    let (lookup, _) = Lookup::new(tree);
    let snapshot = loader.finish();
    assert_eq!(find(&lookup, None, "x.example"), Some("4"));
    assert_eq!(find(&lookup, None, "a.example"), Some("5"));
    assert_eq!(lookup.general("d").unwrap().directive.to_string(), "d 4");
    let all: Vec<_> =
        lookup.find_all("e", None, "x").map(|found| found.directive.to_string()).collect();
    assert_eq!(all, ["e 1", "e 2"]);
    let notes = lookup.overridden("d");
    assert!(notes.iter().all(|note| note.severity == Severity::Warning));
    let lines: Vec<_> = notes
        .iter()
        .map(|note| {
            (note.location(&snapshot).unwrap().line, snapshot.location(note.related[0].0).line)
        })
        .collect();
    assert_eq!(lines, [(2, 9), (3, 9), (6, 14)]);
    assert_eq!(lookup.overridden("absent"), []);
    let same = conf("domain x.example {\n d yes\n}\ndomain X.example. {\n d yes\n}\n");
    assert_eq!(same.overridden("d")[0].severity, Severity::Note);
}

#[test]
fn the_users_file_stands_above_the_defaults() {
    let source = Memory::new()
        .file(DEFAULTS, "general {\n d 1\n e 1\n}\n")
        .file(FILE, "general {\n d 2\n}\n");
    let (lookup, _) = index(&source);
    assert_eq!(find(&lookup, None, "x.example"), Some("2"));
    assert_eq!(lookup.general("e").unwrap().directive.to_string(), "e 1");
    assert_eq!(lookup.overridden("d"), []);
}

#[test]
fn what_no_lookup_finds_can_be_listed() {
    let lookup = conf(
        "d 1\nrelay_server r {\n d 2\n domain x.example {\n  d 3\n }\n}\ngeneral {\n d 4\n}\n\
         ip_address a {\n domain * {\n  d 5\n }\n other {\n  d 6\n }\n}\n",
    );
    let all: Vec<_> = lookup.occurrences("d").map(|f| f.directive.to_string()).collect();
    assert_eq!(all, ["d 1", "d 2", "d 3", "d 4", "d 5", "d 6"]);
    let elsewhere: Vec<_> = lookup.elsewhere("d").map(|f| f.directive.to_string()).collect();
    assert_eq!(elsewhere, ["d 1", "d 2", "d 3", "d 6"]);
    assert_eq!(find(&lookup, None, "x.example"), Some("4"));
}

#[test]
fn a_name_behind_general_is_reported_and_narrows_nothing() {
    for content in ["general x.example {\n d 1\n}", "general a=b {\n d 1\n}"] {
        let (lookup, diagnostics) = index(&Memory::new().file(FILE, content));
        let said: Vec<_> = diagnostics.iter().map(|said| (said.severity, said.code)).collect();
        assert_eq!(said, [(Severity::Warning, "context-parameter")], "{content}");
        assert_eq!(find(&lookup, None, "y.example"), Some("1"));
    }
}

#[test]
fn contexts_that_can_match_nothing_are_reported() {
    for (content, code) in [
        ("domain {\n d 1\n}", "context-parameter"),
        ("ip_address {\n d 1\n}", "context-parameter"),
        ("domain x=y {\n d 1\n}", "context-parameter"),
        ("domain a.example b.example {\n d 1\n}", "context-parameter"),
        ("domain a*.example {\n d 1\n}", "domain-pattern"),
        ("domain [*.] {\n d 1\n}", "domain-pattern"),
        ("domain *. {\n d 1\n}", "domain-pattern"),
    ] {
        let (lookup, diagnostics) = index(&Memory::new().file(FILE, content));
        assert_eq!(diagnostics[0].code, code, "{content}");
        assert_eq!(diagnostics[0].span().unwrap().start, 0);
        let named = content.contains("b.example");
        assert_eq!(lookup.elsewhere("d").count(), usize::from(!named), "{content}");
        assert_eq!(find(&lookup, None, "a.example"), named.then_some("1"));
    }
}

#[test]
fn a_pattern_that_matches_nothing_names_the_forms_there_are() {
    for (pattern, help) in [
        (
            ".example.com",
            "write *.example.com for the domains below example.com, or [*.]example.com",
        ),
        ("a@b", "write a domain, *.domain, [*.]domain"),
        ("\"a b\"", "write a domain"),
        ("a..b", "write a domain"),
        ("example.com..", "write a domain"),
        ("b:25", "write a domain"),
        ("[]", "write a domain"),
        ("*.[192.0.2.1]", "write a domain"),
        ("2001:db8::1", "write [IPv6:2001:db8::1]"),
    ] {
        let content = format!("domain {pattern} {{\n starttls_require yes\n}}\n");
        let (_, said) = index(&Memory::new().file(FILE, content));
        assert_eq!((said.len(), said[0].severity), (1, Severity::Warning), "{pattern}");
        assert!(said[0].help.as_ref().unwrap().starts_with(help), "{said:?}");
        assert!(said[0].message.contains("goes without the TLS"), "{said:?}");
        let off = format!("domain {pattern} {{\n starttls_require no\n}}\n");
        let (_, said) = index(&Memory::new().file(FILE, off));
        assert!(said[0].message.ends_with("matches no domain"), "{said:?}");
    }
}

#[test]
fn an_address_literal_is_a_domain() {
    for (pattern, domain) in [
        ("127.0.0.1", "[127.0.0.1]"),
        ("[127.0.0.1]", "[127.0.0.1]"),
        ("[127.0.0.1]", "127.0.0.1"),
        ("[IPv6:2001:db8::1]", "[ipv6:2001:DB8::1]"),
        ("example.com.", "Example.com"),
        ("under_score.example", "under_score.example"),
    ] {
        let (lookup, said) =
            index(&Memory::new().file(FILE, format!("domain {pattern} {{\n d 1\n}}")));
        assert_eq!(said, [], "{pattern}");
        assert_eq!(find(&lookup, None, domain), Some("1"), "{pattern}");
        assert_eq!(find(&lookup, None, "[127.0.0.2]"), None);
    }
}

#[test]
fn lists_that_multiply_out_of_bounds_are_an_error() {
    let list = (0..2_000).map(|n| format!("n{n}")).collect::<Vec<_>>().join(",");
    let content = format!("ip_address {list} {{\n domain {list} {{\n d 1\n e 2\n }}\n}}\n");
    let (_, diagnostics) = index(&Memory::new().file(FILE, content));
    let codes: Vec<_> = diagnostics.iter().map(|d| (d.severity, d.code)).collect();
    assert_eq!(codes, [(Severity::Error, "configuration-too-large")]);
}

#[test]
fn ten_thousand_domains_load_and_look_up_fast() {
    let mut content = String::from("general {\n starttls_use yes\n}\n");
    for n in 0..10_000 {
        content.push_str(&format!(
            "domain [*.]customer{n}.example {{\n  starttls_use yes\n  starttls_require no\n  smtp_route r{n}.example:25\n}}\n"
        ));
    }
    let started = Instant::now();
    let lookup = conf(content);
    let loaded = started.elapsed();
    let domains: Vec<_> = (0..10_000).map(|n| format!("mail.customer{n}.example")).collect();
    let started = Instant::now();
    for (n, domain) in domains.iter().enumerate() {
        let found = black_box(lookup.find("smtp_route", Some("ip"), domain)).unwrap();
        assert_eq!(found.directive.arguments[0].values()[0].text, format!("r{n}.example:25"));
    }
    let looked_up = started.elapsed() / 10_000;
    println!("load {loaded:?}, one lookup {looked_up:?}");
    // Far above what is measured: these catch a linear scan, and not a busy machine.
    assert!(loaded < Duration::from_secs(5), "{loaded:?}");
    assert!(looked_up < Duration::from_micros(200), "{looked_up:?}");
}
