//! Tests of the access rules.

use super::*;
use proptest::prelude::*;

const FILE: FileId = FileId(2);

fn read(text: &str) -> (Rules, Vec<Diagnostic>) {
    parse(text.as_bytes(), FILE)
}

fn line_for(rules: &Rules, client: &str) -> Option<usize> {
    rules.find(client.parse().unwrap()).map(|rule| rule.span.start)
}

#[test]
fn the_shipped_rules() {
    let (rules, diagnostics) = read("127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n");
    assert!(diagnostics.is_empty());
    let local = rules.find("127.0.0.1".parse().unwrap()).unwrap();
    assert_eq!(local.variable("RELAYCLIENT").map(|v| v.value.as_str()), Some(""));
    for client in ["127.0.0.2", "192.0.2.1", "::1", "2001:db8::1"] {
        let rule = rules.find(client.parse().unwrap()).unwrap();
        assert!(rule.allow && rule.variables.is_empty(), "{client}");
    }
    assert_eq!(line_for(&rules, "::ffff:127.0.0.1"), Some(0));
}

#[test]
fn the_most_specific_rule_applies_wherever_it_stands() {
    let text = ":deny\n192.:allow\n192.0.2.:deny\n192.0.:allow\n192.0.2.7:allow\n";
    let (rules, diagnostics) = read(text);
    assert!(diagnostics.is_empty());
    for (client, rule) in [
        ("192.0.2.7", "192.0.2.7:allow"),
        ("192.0.2.8", "192.0.2.:deny"),
        ("192.0.3.8", "192.0.:allow"),
        ("192.1.3.8", "192.:allow"),
        ("19.2.0.2", ":deny"),
    ] {
        let start = line_for(&rules, client).unwrap();
        assert!(text[start..].starts_with(rule), "{client}: {}", &text[start..]);
    }
}

#[test]
fn a_range_stands_for_each_of_its_addresses() {
    let (rules, diagnostics) = read("192.0.2.9-11:allow\n10.2-3.:deny\n0-255.1.:deny\n");
    assert!(diagnostics.is_empty());
    for (client, found) in [
        ("192.0.2.8", None),
        ("192.0.2.9", Some(0)),
        ("192.0.2.11", Some(0)),
        ("192.0.2.12", None),
        ("10.1.0.1", Some(32)),
        ("10.3.255.255", Some(19)),
        ("10.4.0.1", None),
    ] {
        assert_eq!(line_for(&rules, client), found, "{client}");
    }
}

#[test]
fn values_end_at_the_character_that_opened_them() {
    let text = "1.2.3.4:allow,A=\"x,y=z\",B=/\"/,TLSCIPHERS=é!aNULL:HIGHé,A='2'\n";
    let (rules, diagnostics) = read(text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let rule = &rules.all()[0];
    for (name, value) in [("A", "2"), ("B", "\""), ("TLSCIPHERS", "!aNULL:HIGH")] {
        let found = rule.variable(name).unwrap();
        assert_eq!(found.value, value);
        assert_eq!(&text[found.span.start..found.span.end], value);
    }
    assert_eq!(rule.variables[0].1.value, "x,y=z");
}

#[test]
fn a_line_that_is_no_rule_is_an_error_at_its_place() {
    for (bad, at) in [
        ("allow", 0),
        ("1.2.3.4:dney", 8),
        ("1.2.3.4: allow", 8),
        ("1.2.3.4:allow ,A=\"b\"", 13),
        ("1.2.3.4:allowed", 13),
        ("1.2.3.4:allow,", 13),
        ("1.2.3.4:allow,A", 13),
        ("1.2.3.4:allow,A=", 15),
        ("1.2.3.4:allow,A=\"", 16),
        ("1.2.3.4:allow,A=\"b", 16),
        ("1.2.3.4:allow,A=\"b\"c", 19),
        ("1.2.3.4:allow,A B=\"c\"", 14),
        ("1.2.3.4:al\0low", 0),
        ("1.2.3.4::deny", 8),
        ("2001:db8:deny", 5),
        ("2001:db8::zz:deny", 5),
        ("[::1:deny", 2),
        ("::/129:deny", 1),
        ("::deny", 1),
        ("::1:dney", 4),
    ] {
        let (rules, diagnostics) = read(&format!("#c\n{bad}\n:deny\n"));
        assert_eq!(rules.all().len(), 1, "{bad}");
        assert_eq!(diagnostics.len(), 1, "{bad}");
        assert_eq!(diagnostics[0].code, "bad-access-rule", "{bad}");
        assert_eq!(diagnostics[0].severity, Severity::Error);
        assert_eq!(diagnostics[0].span().unwrap().start, 3 + at, "{bad}");
    }
}

#[test]
fn a_rule_that_meets_nobody_is_told() {
    for rule in [
        "=mail.example:deny",
        "=.example:allow",
        "joe@127.0.0.1:allow",
        "1.2.3:deny",
        "1.2.3.4.:deny",
        "1.2.3.4.5:deny",
        "01.2.3.4:deny",
        "1.2.3.400:deny",
        "1.2.3.9-1:deny",
        "1-2.3-4.5.6:deny",
        "mail.example:deny",
        "192.0.2.0/24:deny",
        "10.0.0.0/8:deny",
        "1.2.3.4/32:deny",
        "0.0.0.0:deny",
        ":::deny",
        "[::]/128:allow",
        "::ffff:0.0.0.0:deny",
        "::ffff:0:0:allow",
        "::ffff:0:0/96:deny",
        "[::ffff:1.0.0.0]/104:deny",
        " 1.2.3.4:deny",
        "\t1.2.3.:allow",
    ] {
        let (rules, diagnostics) = read(rule);
        let codes: Vec<_> = diagnostics.iter().map(|d| (d.severity, d.code)).collect();
        let severity = if rule.contains("deny") { Severity::Error } else { Severity::Warning };
        assert_eq!(codes, [(severity, "access-rule-without-effect")], "{rule}");
        assert_eq!(line_for(&rules, "1.2.3.4"), None, "{rule}");
        assert_eq!(rules.all().len(), 1, "kept: {rule}");
    }
    let help = |rule| read(rule).1.remove(0).help;
    assert_eq!(help("10.0.0.0/8:deny").as_deref(), Some("write 10."));
    assert_eq!(help("::ffff:0:0/96:deny").as_deref().map(str::is_empty), Some(false));
    assert_eq!(help("192.0.2.0/24:allow").as_deref(), Some("write 192.0.2."));
    assert!(help("192.0.2.0/25:deny").is_some_and(|help| help.contains("prefix")));
}

#[test]
fn the_longest_ipv6_prefix_applies() {
    let text = "::1:allow,RELAYCLIENT=\"\"\n[2001:db8::]/32:deny\n2001:db8:1::/48:allow\n\
                ::ffff:192.0.2.7:deny\n:allow,A=\"1:2\"\n";
    let (rules, diagnostics) = read(text);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    for (client, rule) in [
        ("::1", "::1:allow"),
        ("2001:db8::1", "[2001:db8::]/32:deny"),
        ("2001:db8:2::1", "[2001:db8::]/32:deny"),
        ("2001:db8:1::1", "2001:db8:1::/48:allow"),
        ("2001:db9::1", ":allow"),
        ("192.0.2.7", "::ffff:192.0.2.7:deny"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7:deny"),
        ("192.0.2.8", ":allow"),
    ] {
        let start = line_for(&rules, client).unwrap();
        assert!(text[start..].starts_with(rule), "{client}: {}", &text[start..]);
    }
    assert_eq!(rules.all()[0].address.value, "::1");
    assert_eq!(rules.find("::1".parse().unwrap()).unwrap().variables.len(), 1);
    let (rules, diagnostics) = read("::/0:deny\n2001:DB8::/32:allow\n2001:db8::9/32:deny\n");
    assert_eq!(line_for(&rules, "2001:db8::9"), Some(10));
    assert_eq!(line_for(&rules, "fe80::1"), Some(0));
    assert_eq!(line_for(&rules, "192.0.2.1"), None, "::/0 is for IPv6 alone");
    assert_eq!(diagnostics[0].code, "access-rule-without-effect");
}

#[test]
fn more_addresses_than_the_limit_are_an_error_and_the_reading_stops() {
    let rule = "1.2.3.0-255:allow\n";
    let (rules, diagnostics) = read(&rule.repeat(MAX_ACCESS_ADDRESSES / 128));
    assert_eq!(rules.all().len(), MAX_ACCESS_ADDRESSES / 256 + 1);
    let last = diagnostics.last().unwrap();
    assert_eq!((last.severity, last.code), (Severity::Error, "too-many-access-rules"));
}

#[test]
fn variables_are_bounded_in_a_rule_and_in_a_file() {
    let rule = |count| format!("1.2.3.4:deny{}\n", ",A='b'".repeat(count));
    let (rules, diagnostics) = read(&rule(MAX_RULE_VARIABLES));
    assert_eq!((rules.all().len(), diagnostics.len()), (1, 0));
    let (rules, diagnostics) = read(&rule(MAX_RULE_VARIABLES + 1));
    assert_eq!(rules.all().len(), 0);
    assert_eq!(
        (diagnostics[0].severity, diagnostics[0].code),
        (Severity::Error, "bad-access-rule")
    );
    assert_eq!(diagnostics[0].span().unwrap().start, 12 + 6 * MAX_RULE_VARIABLES);
    let many = MAX_ACCESS_ADDRESSES / MAX_RULE_VARIABLES + 1;
    let (rules, diagnostics) = read(&rule(MAX_RULE_VARIABLES).repeat(many));
    assert!(rules.all().len() < many, "each rule counts with its address and its variables");
    assert_eq!(diagnostics.last().unwrap().code, "too-many-access-rules");
}

#[test]
fn of_two_rules_for_one_address_the_first_applies_and_the_other_is_told() {
    let (rules, diagnostics) = read("1.2.3.4:deny\n1.2.3.4:allow\n1.2.3.4-5:allow\n:deny\n:allow");
    assert_eq!(line_for(&rules, "1.2.3.4"), Some(0));
    assert_eq!(line_for(&rules, "1.2.3.5"), Some(27));
    let places: Vec<_> = diagnostics.iter().map(|d| d.span().unwrap().start).collect();
    assert_eq!(places, [13, 27, 49]);
    assert!(diagnostics[1].message.contains("a part of"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(
        proptest::sample::select(&b"12.-:allow,denyA/[]=\"/@[]\n#\xc3\xa9\0"[..]), 0..60)) {
        let (rules, diagnostics) = parse(&bytes, FILE);
        let _ = rules.find("1.2.1.2".parse().unwrap());
        for diagnostic in diagnostics {
            prop_assert!(diagnostic.span().unwrap().end <= bytes.len());
        }
    }
}
