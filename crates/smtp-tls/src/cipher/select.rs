//! What a TLS library keeps of a list.
//!
//! Does: keep the suites that the library has, in the list's order, and say of each other one what
//! the library lacks. Does not: know any library; the caller names its suites by their numbers.

use std::fmt;

use super::{Authentication, Encryption, KeyExchange, Mac, Suite, suite};

/// What is kept, and what is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The suites that the library has, in the list's order.
    pub kept: Vec<&'static Suite>,
    /// The others, in the list's order.
    pub lost: Vec<Lost>,
}

/// A suite that the library does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The suite.
    pub suite: &'static Suite,
    /// What the library lacks.
    pub lack: Lack,
}

/// What a library lacks for a suite. Of several things, the first in this order is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lack {
    /// It never sends data unencrypted under TLS.
    NullEncryption,
    /// It has no suite without authentication.
    Anonymous,
    /// It has no suite with this key exchange.
    KeyExchange(KeyExchange),
    /// It has no suite with this authentication.
    Authentication(Authentication),
    /// It has no suite with a block cipher in CBC mode.
    Cbc,
    /// It has no suite with this encryption.
    Encryption(Encryption),
    /// It has no suite with this MAC.
    Mac(Mac),
    /// It has suites with each part of it, but not this one.
    Combination,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NullEncryption => f.write_str("no suite without encryption"),
            Self::Anonymous => f.write_str("no suite without authentication"),
            Self::KeyExchange(kind) => write!(f, "no {kind} key exchange"),
            Self::Authentication(kind) => write!(f, "no {kind} authentication"),
            Self::Cbc => f.write_str("no CBC"),
            Self::Encryption(kind) => write!(f, "no {kind}"),
            Self::Mac(kind) => write!(f, "no {kind} MAC"),
            Self::Combination => f.write_str("its parts, but not this suite"),
        }
    }
}

/// Keeps of `suites` those whose numbers `library` lists.
///
/// Numbers of suites that are not in [`suite`]'s table have no part in it.
#[must_use]
pub fn select(suites: &[&'static Suite], library: &[u16]) -> Selection {
    let has: Vec<&Suite> = library.iter().filter_map(|&id| suite(id)).collect();
    let mut selection = Selection { kept: Vec::new(), lost: Vec::new() };
    for &suite in suites {
        if library.contains(&suite.id()) {
            selection.kept.push(suite);
        } else {
            selection.lost.push(Lost { suite, lack: lack(suite, &has) });
        }
    }
    selection
}

fn lack(suite: &Suite, has: &[&Suite]) -> Lack {
    let none = |with: &dyn Fn(&Suite) -> bool| !has.iter().any(|&suite| with(suite));
    let (encryption, mac) = (suite.encryption(), suite.mac());
    let (key_exchange, authentication) = (suite.key_exchange(), suite.authentication());
    if encryption == Encryption::Null && none(&|it| it.encryption() == encryption) {
        Lack::NullEncryption
    } else if authentication == Authentication::Anonymous
        && none(&|it| it.authentication() == authentication)
    {
        Lack::Anonymous
    } else if none(&|it| it.key_exchange() == key_exchange) {
        Lack::KeyExchange(key_exchange)
    } else if none(&|it| it.authentication() == authentication) {
        Lack::Authentication(authentication)
    } else if encryption.is_cbc() && none(&|it| it.encryption().is_cbc()) {
        Lack::Cbc
    } else if none(&|it| it.encryption() == encryption) {
        Lack::Encryption(encryption)
    } else if none(&|it| it.mac() == mac) {
        Lack::Mac(mac)
    } else {
        Lack::Combination
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// The suites of TLS 1.2 that a library without CBC, DHE and RSA key exchange has, and one of
    /// TLS 1.3.
    const MODERN: &[u16] = &[0x1301, 0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9];

    fn lost(text: &str, library: &[u16]) -> Vec<(&'static str, String)> {
        let lost = select(&parse(text).unwrap().suites, library).lost;
        lost.iter().map(|it| (it.suite.name(), it.lack.to_string())).collect()
    }

    #[test]
    fn what_the_library_has_is_kept_in_the_list_s_order() {
        let list = parse("ECDHE-RSA-AES128-GCM-SHA256:kRSA:CHACHA20:@STRENGTH").unwrap();
        let kept: Vec<_> =
            select(&list.suites, MODERN).kept.iter().map(|suite| suite.name()).collect();
        let expected = [
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            "ECDHE-RSA-CHACHA20-POLY1305",
            "ECDHE-RSA-AES128-GCM-SHA256",
        ];
        assert_eq!(kept, expected);
    }

    #[test]
    fn of_each_other_suite_what_the_library_lacks_is_said() {
        let cases = [
            ("NULL-SHA", "no suite without encryption"),
            ("AECDH-NULL-SHA", "no suite without encryption"),
            ("ADH-AES128-SHA", "no suite without authentication"),
            ("DHE-RSA-AES128-GCM-SHA256", "no DHE key exchange"),
            ("DHE-DSS-AES128-SHA", "no DHE key exchange"),
            ("AES128-SHA", "no RSA key exchange"),
            ("PSK-AES128-CBC-SHA", "no PSK key exchange"),
            ("ECDHE-PSK-CHACHA20-POLY1305", "no ECDHE-PSK key exchange"),
            ("SRP-AES-128-CBC-SHA", "no SRP key exchange"),
            ("ECDHE-RSA-AES128-SHA", "no CBC"),
            ("ECDHE-ECDSA-CAMELLIA128-SHA256", "no CBC"),
            ("ECDHE-ECDSA-AES128-CCM", "no AES-128-CCM"),
            ("ECDHE-ARIA256-GCM-SHA384", "no ARIA-256-GCM"),
        ];
        for (name, lack) in cases {
            assert_eq!(lost(name, MODERN), [(name, lack.to_owned())]);
        }
    }

    #[test]
    fn what_is_lacking_depends_on_what_the_library_has() {
        let name = "ECDHE-RSA-AES128-SHA";
        let case = |library: &[u16]| lost(name, library)[0].1.clone();
        assert_eq!(case(&[]), "no ECDHE key exchange");
        assert_eq!(case(&[0xC02B]), "no RSA authentication");
        assert_eq!(case(&[0xC02F]), "no CBC");
        assert_eq!(case(&[0xC02F, 0xC014]), "no AES-128-CBC");
        assert_eq!(case(&[0xC02F, 0xC027]), "no SHA1 MAC");
        assert_eq!(case(&[0xC02F, 0x002F]), "its parts, but not this suite");
        assert_eq!(lost("DHE-DSS-AES128-SHA", &[0x0033])[0].1, "no DSS authentication");
    }

    #[test]
    fn numbers_of_no_suite_change_nothing() {
        assert_eq!(lost("AES128-SHA", &[0x0005, 0xFFFF]), lost("AES128-SHA", &[]));
    }
}
