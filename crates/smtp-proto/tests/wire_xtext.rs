//! xtext and the forms of an address outside ASCII, against an oracle that knows no shortcut.
#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use proptest::prelude::*;
use smtp_proto::wire::{Utf8Address, Xtext};

/// xtext the slow way: what each of the octets would be, and which of them must be encoded.
fn naive_xtext(octets: &[u8]) -> String {
    let special = |octet: u8| octet <= 32 || octet >= 127 || octet == b'+' || octet == b'=';
    let one = |octet: &u8| match special(*octet) {
        true => format!("+{octet:02X}"),
        false => char::from(*octet).to_string(),
    };
    octets.iter().map(one).collect()
}

/// Whether a text is xtext, and of what, by trying every way to take its first octet.
fn naive_decode(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    for octet in 0..=255u8 {
        for form in [format!("+{octet:02X}"), format!("+{octet:02x}"), naive_xtext(&[octet])] {
            let rest = text.get(..form.len()).filter(|head| {
                // The two digits may be in different cases.
                if form.starts_with('+') { head.eq_ignore_ascii_case(&form) } else { *head == form }
            });
            if let Some(rest) = rest.and_then(|_| naive_decode(&text[form.len()..])) {
                return Some([vec![octet], rest].concat());
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn xtext_is_that_of_the_oracle(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
        let encoded = Xtext::encode(&octets);
        prop_assert_eq!(&encoded, &naive_xtext(&octets));
        let text = Xtext::parse(&encoded).unwrap();
        prop_assert_eq!(text.decode().collect::<Vec<_>>(), &octets[..]);
        prop_assert_eq!(text.to_octets(), Cow::Borrowed(&octets[..]));
        let (least, most) = text.decode().size_hint();
        prop_assert!(least <= octets.len() && octets.len() <= most.unwrap());
    }

    #[test]
    fn texts_are_xtext_where_the_oracle_says_so(
        text in proptest::collection::vec(
            prop_oneof![
                3 => proptest::sample::select(vec!["+", "a", "F", "0", "=", " ", "~", "\u{7f}", "\u{e9}"]).prop_map(str::to_owned),
                2 => "\\+[0-9A-Fa-f]{2}",
            ],
            0..6,
        ).prop_map(|parts| parts.concat()),
    ) {
        let decoded = Xtext::parse(&text).map(|text| text.decode().collect::<Vec<u8>>());
        prop_assert_eq!(decoded, naive_decode(&text), "{:?}", text);
    }

    #[test]
    fn addresses_encode_and_decode(address in "[ -~\u{e9}\u{4f8b}\u{10ffff}]{1,20}") {
        for encoded in [Utf8Address::encode(&address), Utf8Address::encode_ascii(&address)] {
            let parsed = Utf8Address::parse(&encoded).unwrap();
            prop_assert_eq!(parsed.to_text(), address.as_str());
            prop_assert_eq!(parsed.decode().collect::<String>(), address.as_str());
            prop_assert!(!encoded.contains([' ', '=', '+', '\r', '\n']));
        }
        prop_assert!(Utf8Address::encode_ascii(&address).is_ascii());
    }
}
