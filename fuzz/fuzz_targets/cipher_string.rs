//! Any text as a cipher string, for either release: the same list whenever it is read, within
//! bounds; what is reported lies in the text, and is without effect, as the list is the same when
//! it is blanked; the list prints as a string for itself. A level and a library leave parts of it,
//! in its order.
#![no_main]

use hvmail_fuzz::{choices, memory};
use libfuzzer_sys::fuzz_target;
use smtp_tls::Version;
use smtp_tls::cipher::{
    self, CipherError, CipherList, Ignored, Reason, Release, SecurityLevel, Suite, suite,
};

/// What a list holds that is not of the text's length.
const SUITES: usize = 4096;
/// What a report holds for each octet: at least two octets stand before the next one.
const REPORT: usize = size_of::<Ignored>();

fuzz_target!(|input: &[u8]| {
    let (text, mut choices) = choices::split(input);
    let text = String::from_utf8_lossy(text);
    let release = if choices.octet() & 1 == 0 { Release::V3_0 } else { Release::V3_2 };

    let read = cipher::parse_as(&text, release);
    assert_eq!(read, cipher::parse_as(&text, release));
    match &read {
        Err(CipherError::Malformed { span, .. }) => assert!(text.get(span.clone()).is_some()),
        Err(CipherError::NoSuite { ignored }) => {
            let blanked = blank(&text, ignored);
            let none = CipherError::NoSuite { ignored: Vec::new() };
            assert_eq!(cipher::parse_as(&blanked, release), Err(none));
        }
        Ok(list) => {
            let blanked = CipherList { ignored: Vec::new(), ..list.clone() };
            assert_eq!(cipher::parse_as(&blank(&text, &list.ignored), release), Ok(blanked));
            printed(list);
            for level in (0..=5).filter_map(SecurityLevel::new) {
                at_level(list, level, choices.octet());
            }
            let mut library: Vec<u16> = list.suites.iter().map(|suite| suite.id()).collect();
            library.retain(|_| choices.octet() & 1 == 0);
            library.push(u16::from(choices.octet()));
            select(list, &library);
        }
    }
    let held = memory::held_by(read);
    assert!(held <= SUITES + 2 * text.len() + text.len().div_ceil(2).next_power_of_two() * REPORT);
});

/// The text with spaces in place of what had no effect. It must lie in the text, in order.
fn blank(text: &str, ignored: &[Ignored]) -> String {
    let mut octets = text.as_bytes().to_vec();
    let mut behind = 0;
    for it in ignored {
        assert_eq!(text.get(it.span.clone()), Some(&*it.word));
        assert!(behind <= it.element.start && it.element.start <= it.span.start);
        assert!(it.span.end <= it.element.end);
        assert!(it.reason != Reason::DefaultNotFirst || it.span.start > 0);
        behind = it.element.end;
        octets[it.element.clone()].fill(b' ');
    }
    String::from_utf8(octets).expect("elements end at ends of characters")
}

fn printed(list: &CipherList) {
    let again = cipher::parse_as(&list.to_string(), list.release).expect("suites are words");
    assert_eq!(again.suites, list.suites);
    assert!(again.ignored.is_empty());
}

/// The string's own level is asked for where it has one.
fn at_level(list: &CipherList, level: SecurityLevel, versions: u8) {
    let of = |bit: u8| if versions & bit == 0 { Version::Tls12 } else { Version::Tls13 };
    let offer = list.at_level(level, (of(1), of(2)));
    let in_force = list.security_level.unwrap_or(level);
    let withheld: Vec<_> = offer.withheld.iter().map(|it| it.suite).collect();
    let all: Vec<_> = cipher::tls13_suites().iter().chain(list.suites.iter().copied()).collect();
    let offered: Vec<_> = offer.tls13.iter().chain(&offer.tls12).copied().collect();
    merged(&all, &offered, &withheld);
    assert!(offered.iter().all(|it| it.strength_bits(list.release) >= in_force.least_bits()));
    assert!(of(1) == Version::Tls12 || offer.tls12.is_empty());
    assert!(of(2) == Version::Tls13 || offer.tls13.is_empty());
}

fn select(list: &CipherList, library: &[u16]) {
    let selection = cipher::select(&list.suites, library);
    let lost: Vec<_> = selection.lost.iter().map(|it| it.suite).collect();
    merged(&list.suites, &selection.kept, &lost);
    assert!(selection.kept.iter().all(|it| library.contains(&it.id())));
    assert!(lost.iter().all(|it| !library.contains(&it.id())));
}

/// Each of `all` is in one of the parts, once, and in order.
fn merged(all: &[&'static Suite], one: &[&'static Suite], other: &[&'static Suite]) {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    for (n, it) in all.iter().enumerate() {
        assert!(!all[..n].contains(it));
        assert_eq!(suite(it.id()), Some(*it));
        assert_ne!(one.next_if_eq(&it).is_some(), other.next_if_eq(&it).is_some());
    }
    assert!(one.next().is_none() && other.next().is_none());
}
