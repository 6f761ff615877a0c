//! Any octets as access rules: each line is a rule or an error at its place, and the rule for
//! a client is the one that a reading line by line gives.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hvmail_control::diagnostic::Severity;
use hvmail_control::limits::MAX_DIAGNOSTICS_PER_FILE;
use hvmail_control::read::tcprules;
use hvmail_fuzz::choices::{self, Choices};
use hvmail_fuzz::control::{check_diagnostics, check_span, one_file};
use hvmail_fuzz::oracle::tcprules as oracle;
use libfuzzer_sys::fuzz_target;

/// Clients that are asked for, besides one for each of so many rules.
const CLIENTS: usize = 16;

fuzz_target!(|input: &[u8]| {
    let (text, choices) = choices::split(input);
    let (snapshot, file) = one_file("smtp.tcp", text);
    let text = snapshot.bytes(file);
    let (rules, diagnostics) = tcprules::parse(text, file);
    check_diagnostics(&diagnostics, &snapshot);
    let said_all = diagnostics.len() <= MAX_DIAGNOSTICS_PER_FILE;
    assert!(diagnostics.len() <= MAX_DIAGNOSTICS_PER_FILE + 2);

    let lines = oracle::lines(text);
    let expected: Vec<_> = lines.iter().filter_map(|(_, rule)| rule.clone()).collect();
    assert_eq!(rules.all().len(), expected.len(), "{rules:?}");
    for (rule, expected) in rules.all().iter().zip(&expected) {
        check_span(rule.span, &snapshot);
        check_span(rule.address.span, &snapshot);
        assert_eq!(rule.span.start, expected.start);
        assert_eq!((&rule.address.value, rule.allow), (&expected.address, expected.allow));
        assert_eq!(snapshot.text(rule.address.span), rule.address.value);
        assert_eq!(rule.variables.len(), expected.variables.len());
        for ((name, value), (expected_name, expected_value)) in
            rule.variables.iter().zip(&expected.variables)
        {
            assert_eq!((&name.value, &value.value), (expected_name, expected_value));
            for written in [name, value] {
                assert_eq!(snapshot.text(written.span), written.value);
            }
            let last = expected.variables.iter().rev().find(|(other, _)| other == expected_name);
            assert_eq!(rule.variable(&name.value).map(|value| &value.value), last.map(|(_, v)| v));
        }
        // One that no client can meet is said, the louder where it was to keep somebody out.
        let severity = if rule.allow { Severity::Warning } else { Severity::Error };
        let said = diagnostics
            .iter()
            .any(|said| said.severity == severity && said.span() == Some(rule.address.span));
        assert!(said || !said_all || oracle::meets_somebody(&rule.address.value), "{rule:?}");
    }
    for (start, _) in lines.iter().filter(|(_, rule)| rule.is_none()) {
        let of_line = snapshot.location_at(file, *start).line;
        let said = diagnostics.iter().any(|said| {
            said.severity == Severity::Error
                && said.location(&snapshot).is_some_and(|place| place.line == of_line)
        });
        assert!(said || !said_all, "line {of_line} is no rule, and nothing is said");
    }
    let asked = oracle::Rules::new(&expected);
    for client in clients(&expected, choices) {
        let found = rules.find(client).map(|rule| rule.span.start);
        let wanted = asked.find(client).map(|rule| rule.start);
        assert_eq!(found, wanted, "{client}");
    }
});

/// Clients near to what the rules name.
fn clients(rules: &[oracle::Rule], mut choices: Choices<'_>) -> Vec<IpAddr> {
    let mut clients = vec![IpAddr::V6(Ipv6Addr::LOCALHOST)];
    for rule in rules.iter().take(CLIENTS) {
        let numbers = rule.address.split(['.', '-']).map(|part| part.parse().unwrap_or(1));
        let mut octets = [choices.octet(); 4];
        for (octet, number) in octets.iter_mut().zip(numbers) {
            *octet = number;
        }
        clients.push(Ipv4Addr::from(octets).into());
        let bare = rule.address.trim_start_matches('[').split([']', '/']).next().unwrap_or("");
        if let Ok(address) = bare.parse::<Ipv6Addr>() {
            let changed = 1_u128.checked_shl(choices.octet().into()).unwrap_or(0);
            clients.push(Ipv6Addr::from(u128::from(address) ^ changed).into());
            clients.push(address.into());
        }
    }
    clients.push(Ipv4Addr::from([0; 4].map(|_: u8| choices.octet())).into());
    // Nobody comes from the unspecified address, and what is found for it means nothing.
    clients.retain(|client| !client.to_canonical().is_unspecified());
    clients
}
