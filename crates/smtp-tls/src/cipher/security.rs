//! What a security level and a range of protocols leave of a list.
//!
//! Does: what `openssl ciphers -s` does. Does not: judge keys, signatures and groups, which a
//! security level governs too.

use std::fmt;

use super::{Authentication, CipherList, KeyExchange, Mac, Protocol, Suite, tls13_suites};
use crate::Version;

/// OpenSSL's security level: 0 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecurityLevel(u8);

impl SecurityLevel {
    /// What OpenSSL 3.2 and newer have without `@SECLEVEL=`, and what Debian and Ubuntu build 3.0
    /// with. As it comes from its authors, 3.0 has 1.
    pub const USUAL: Self = Self(2);

    /// A level; `None` above 5.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        if level <= 5 { Some(Self(level)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The least strength in bits that it takes.
    #[must_use]
    pub const fn least_bits(self) -> u16 {
        match self.0 {
            0 => 0,
            1 => 80,
            2 => 112,
            3 => 128,
            4 => 192,
            _ => 256,
        }
    }
}

impl fmt::Display for SecurityLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What can be negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The suites of TLS 1.3, in OpenSSL's order. The cipher string had no say in which; its
    /// security level had.
    pub tls13: Vec<&'static Suite>,
    /// The suites of the list, in its order.
    pub tls12: Vec<&'static Suite>,
    /// What is not offered: of TLS 1.3, then of the list.
    pub withheld: Vec<Withheld>,
}

/// A suite that is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The suite.
    pub suite: &'static Suite,
    /// Why.
    pub reason: WithheldReason,
}

/// Why a suite is not offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WithheldReason {
    /// No protocol that is spoken has it.
    Protocol,
    /// There is no pre-shared key.
    NoPsk,
    /// There is no password for SRP.
    NoSrp,
    /// The level takes no suite of less than `least` bits, and this one has `bits`.
    TooWeak {
        /// The suite's strength.
        bits: u16,
        /// The least that the level takes.
        least: u16,
    },
    /// From level 1 on: nobody is authenticated.
    Anonymous,
    /// From level 1 on: a MAC with MD5.
    Md5,
    /// From level 4 on: a MAC with SHA-1.
    Sha1,
    /// From level 3 on: without forward secrecy.
    NoForwardSecrecy,
}

impl fmt::Display for WithheldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "no protocol that is spoken has it",
            Self::NoPsk => "no pre-shared key",
            Self::NoSrp => "no SRP password",
            Self::TooWeak { bits, least } => {
                return write!(f, "{bits} bits where the security level asks for {least}");
            }
            Self::Anonymous => "no authentication",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::NoForwardSecrecy => "no forward secrecy",
        })
    }
}

impl CipherList {
    /// What the list, its security level and the lowest and highest protocol leave, as `openssl
    /// ciphers -s` prints it.
    ///
    /// Where the string has no `@SECLEVEL=`, `default` is in force. There is never a pre-shared key
    /// or a password for SRP here, so their suites are withheld.
    #[must_use]
    pub fn at_level(&self, default: SecurityLevel, versions: (Version, Version)) -> Offer {
        let level = self.security_level.unwrap_or(default);
        let (lowest, highest) = versions;
        let mut offer = Offer { tls13: Vec::new(), tls12: Vec::new(), withheld: Vec::new() };
        let all = tls13_suites().iter().chain(self.suites.iter().copied());
        for suite in all {
            let version = match suite.protocol() {
                Protocol::Tls13 => Version::Tls13,
                Protocol::Ssl3 | Protocol::Tls10 | Protocol::Tls12 => Version::Tls12,
            };
            let spoken = lowest <= version && version <= highest;
            let reason =
                if spoken { self.withheld(suite, level) } else { Some(WithheldReason::Protocol) };
            match (reason, version) {
                (Some(reason), _) => offer.withheld.push(Withheld { suite, reason }),
                (None, Version::Tls13) => offer.tls13.push(suite),
                (None, Version::Tls12) => offer.tls12.push(suite),
            }
        }
        offer
    }

    fn withheld(&self, suite: &Suite, level: SecurityLevel) -> Option<WithheldReason> {
        let (bits, least) = (suite.strength_bits(self.release), level.least_bits());
        if suite.key_exchange().needs_psk() {
            Some(WithheldReason::NoPsk)
        } else if suite.key_exchange() == KeyExchange::Srp {
            Some(WithheldReason::NoSrp)
        } else if level.get() == 0 {
            None
        } else if bits < least {
            Some(WithheldReason::TooWeak { bits, least })
        } else if suite.authentication() == Authentication::Anonymous {
            Some(WithheldReason::Anonymous)
        } else if suite.mac() == Mac::Md5 {
            Some(WithheldReason::Md5)
        } else if suite.mac() == Mac::Sha1 && least > 160 {
            // HMAC with SHA-1 counts as 160 bits.
            Some(WithheldReason::Sha1)
        } else if level.get() >= 3 && !suite.has_forward_secrecy() {
            Some(WithheldReason::NoForwardSecrecy)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Release, parse, parse_as};
    use super::*;

    const BOTH: (Version, Version) = (Version::Tls12, Version::Tls13);

    fn level(level: u8) -> SecurityLevel {
        SecurityLevel::new(level).unwrap()
    }

    fn why(name: &str, at: u8) -> Option<WithheldReason> {
        let offer = parse(name).unwrap().at_level(level(at), BOTH);
        assert_eq!(offer.tls12.len() + offer.withheld.len(), if at < 4 { 1 } else { 2 }, "{name}");
        offer.withheld.iter().find(|it| it.suite.name() == name).map(|it| it.reason)
    }

    #[test]
    fn each_level_withholds_what_openssl_says_of_it() {
        use WithheldReason::*;
        let cases = [
            ("ECDHE-RSA-AES128-GCM-SHA256", 3, None),
            ("ECDHE-RSA-AES128-GCM-SHA256", 4, Some(TooWeak { bits: 128, least: 192 })),
            ("ECDHE-RSA-AES256-GCM-SHA384", 5, None),
            ("AES128-SHA", 2, None),
            ("AES128-SHA", 3, Some(NoForwardSecrecy)),
            ("ECDHE-RSA-AES256-SHA", 3, None),
            ("ECDHE-RSA-AES256-SHA", 4, Some(Sha1)),
            ("ADH-AES128-SHA", 0, None),
            ("ADH-AES128-SHA", 1, Some(Anonymous)),
            ("NULL-MD5", 0, None),
            ("NULL-SHA", 1, Some(TooWeak { bits: 0, least: 80 })),
            ("PSK-AES128-GCM-SHA256", 0, Some(NoPsk)),
            ("RSA-PSK-AES128-GCM-SHA256", 0, Some(NoPsk)),
            ("SRP-AES-128-CBC-SHA", 0, Some(NoSrp)),
        ];
        for (name, at, reason) in cases {
            assert_eq!(why(name, at), reason, "{name} at {at}");
        }
    }

    #[test]
    fn from_3_2_on_a_short_tag_is_64_bits() {
        let tls12 = |release, at| {
            let list = parse_as("ECDHE-ECDSA-AES256-CCM8", release).unwrap();
            list.at_level(level(at), BOTH).tls12.len()
        };
        assert_eq!((tls12(Release::V3_0, 5), tls12(Release::V3_2, 0)), (1, 1));
        assert_eq!(tls12(Release::V3_2, 1), 0);
    }

    #[test]
    fn the_string_s_own_level_is_in_force() {
        let list = parse("AES128-SHA:@SECLEVEL=0").unwrap();
        assert_eq!(list.at_level(level(5), BOTH).tls12.len(), 1);
        assert!(parse("AES128-SHA").unwrap().at_level(level(5), BOTH).tls12.is_empty());
    }

    #[test]
    fn a_protocol_that_is_not_spoken_takes_its_suites_with_it() {
        let list = parse("AES128-SHA").unwrap();
        let only = |version| list.at_level(SecurityLevel::USUAL, (version, version));
        let (tls12, tls13) = (only(Version::Tls12), only(Version::Tls13));
        assert_eq!((tls12.tls13.len(), tls12.tls12.len()), (0, 1));
        assert_eq!((tls13.tls13.len(), tls13.tls12.len()), (3, 0));
        let withheld = Withheld { suite: list.suites[0], reason: WithheldReason::Protocol };
        assert_eq!(tls13.withheld, [withheld]);
        let of_tls13: Vec<&Suite> = tls13_suites().iter().collect();
        assert_eq!(tls13.tls13, of_tls13);
    }

    #[test]
    fn levels_are_0_to_5_and_rise() {
        assert_eq!(SecurityLevel::new(6), None);
        let least: Vec<u16> = (0..=5).map(|n| level(n).least_bits()).collect();
        assert_eq!(least, [0, 80, 112, 128, 192, 256]);
        assert_eq!(SecurityLevel::USUAL.to_string(), "2");
    }
}
