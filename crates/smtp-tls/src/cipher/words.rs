//! The words of the language: what each selects.
//!
//! Does: give the meaning of a word, and of one that this OpenSSL does not take, why. Does not:
//! read strings ([`string`](super::string)).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::table::SUITES;
use super::{Authentication, Encryption, KeyExchange, Mac, Protocol, Reason, Release, Suite};

/// What a word, or words joined by `+`, select. A set that is 0 selects by nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Criteria {
    key_exchange: u32,
    authentication: u32,
    encryption: u32,
    mac: u32,
    protocol: Option<Protocol>,
    grade: u32,
    rare: bool,
}

impl Criteria {
    const ANY: Self = Self {
        key_exchange: 0,
        authentication: 0,
        encryption: 0,
        mac: 0,
        protocol: None,
        grade: 0,
        rare: false,
    };

    pub(super) const fn key_exchange(set: u32) -> Self {
        Self { key_exchange: set, ..Self::ANY }
    }

    pub(super) const fn authentication(set: u32) -> Self {
        Self { authentication: set, ..Self::ANY }
    }

    pub(super) const fn encryption(set: u32) -> Self {
        Self { encryption: set, ..Self::ANY }
    }

    pub(super) const fn mac(set: u32) -> Self {
        Self { mac: set, ..Self::ANY }
    }

    pub(super) const fn protocol(protocol: Protocol) -> Self {
        Self { protocol: Some(protocol), ..Self::ANY }
    }

    pub(super) const fn with_authentication(self, set: u32) -> Self {
        Self { authentication: set, ..self }
    }

    pub(super) const fn with_mac(self, set: u32) -> Self {
        Self { mac: set, ..self }
    }

    const fn grade(set: u32) -> Self {
        Self { grade: set, ..Self::ANY }
    }

    /// A suite by its name: no other one is made of the same parts.
    const fn one(suite: &Suite, release: Release) -> Self {
        Self {
            key_exchange: suite.key_exchange() as u32,
            authentication: suite.authentication() as u32,
            encryption: suite.encryption() as u32,
            mac: suite.mac() as u32,
            // The protocol of a suite that is named does not count among joined words.
            protocol: None,
            grade: grade(suite, release),
            rare: suite.is_rare(),
        }
    }

    pub(super) fn admit(&self, suite: &Suite, release: Release) -> bool {
        let meets = |set: u32, member: u32| set == 0 || set & member != 0;
        meets(self.key_exchange, suite.key_exchange() as u32)
            && meets(self.authentication, suite.authentication() as u32)
            && meets(self.encryption, suite.encryption() as u32)
            && meets(self.mac, suite.mac() as u32)
            && self.protocol.is_none_or(|protocol| protocol == suite.protocol())
            && meets(self.grade, grade(suite, release))
            && (!self.rare || suite.is_rare())
    }

    /// Joins a word by `+`. `None` when no suite could meet both, so that OpenSSL passes over the
    /// element.
    ///
    /// One thing is not what "and" would say, and is OpenSSL's: a grade forgets a
    /// `COMPLEMENTOFDEFAULT` before it.
    pub(super) fn and(self, word: &Self) -> Option<Self> {
        fn meet(set: u32, with: u32) -> Option<u32> {
            match (set, with) {
                (0, with) => Some(with),
                (set, 0) => Some(set),
                (set, with) => Some(set & with).filter(|&both| both != 0),
            }
        }
        let protocol = match (self.protocol, word.protocol) {
            (Some(one), Some(other)) if one != other => return None,
            (one, other) => other.or(one),
        };
        let forgets = self.grade == 0 && word.grade != 0;
        Some(Self {
            key_exchange: meet(self.key_exchange, word.key_exchange)?,
            authentication: meet(self.authentication, word.authentication)?,
            encryption: meet(self.encryption, word.encryption)?,
            mac: meet(self.mac, word.mac)?,
            protocol,
            grade: meet(self.grade, word.grade)?,
            rare: (self.rare && !forgets) || word.rare,
        })
    }

    /// Whether it asks for an encryption that no suite of the build has.
    pub(super) const fn is_not_built(&self) -> bool {
        self.encryption == TRIPLE_DES
    }
}

const NO_GRADE: u32 = 1;
const LOW: u32 = 1 << 1;
const MEDIUM: u32 = 1 << 2;
const HIGH: u32 = 1 << 3;
// OpenSSL has it in one set with the grades: `HIGH+FIPS` is what has either.
const FIPS: u32 = 1 << 4;

const fn grade(suite: &Suite, release: Release) -> u32 {
    let grade = match suite.strength_bits(release) {
        0 => NO_GRADE,
        // CCM with a short tag, from 3.2 on.
        64 => MEDIUM,
        _ => HIGH,
    };
    if suite.is_fips() { grade | FIPS } else { grade }
}

/// What a word is to OpenSSL.
#[derive(Clone, Copy, Debug)]
pub(super) enum Word {
    /// It selects suites.
    Selects(Criteria),
    /// It is unknown, and why.
    Unknown(Reason),
}

/// Looks a word up.
pub(super) fn word(text: &str, release: Release) -> Word {
    match WORDS.get(text) {
        Some(Entry::Selects(criteria)) => Word::Selects(*criteria),
        Some(Entry::Name(suite)) => Word::Selects(Criteria::one(suite, release)),
        Some(Entry::StandardName(suite)) => match release {
            Release::V3_0 => Word::Unknown(Reason::StandardName),
            Release::V3_2 => Word::Selects(Criteria::one(suite, release)),
        },
        Some(Entry::Unknown(reason)) => Word::Unknown(*reason),
        None => Word::Unknown(Reason::Unknown),
    }
}

#[derive(Clone, Copy)]
enum Entry {
    Selects(Criteria),
    Name(&'static Suite),
    StandardName(&'static Suite),
    Unknown(Reason),
}

static WORDS: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    let unknown = |reason| move |word: &&'static str| (*word, Entry::Unknown(reason));
    let mut words = HashMap::new();
    words.extend(REMOVED.iter().map(unknown(Reason::Removed)));
    words.extend(NOT_BUILT.iter().map(unknown(Reason::NotBuilt)));
    words.extend(TLS13.iter().map(unknown(Reason::Tls13)));
    words.insert("DEFAULT", Entry::Unknown(Reason::DefaultNotFirst));
    words.insert("PROFILE=SYSTEM", Entry::Unknown(Reason::SystemProfile));
    words.extend(ALIASES.iter().map(|(word, criteria)| (*word, Entry::Selects(*criteria))));
    words.extend(SUITES.iter().map(|suite| (suite.iana_name(), Entry::StandardName(suite))));
    words.extend(SUITES.iter().map(|suite| (suite.name(), Entry::Name(suite))));
    words
});

const PSK: u32 = KeyExchange::Psk as u32
    | KeyExchange::RsaPsk as u32
    | KeyExchange::DhePsk as u32
    | KeyExchange::EcdhePsk as u32;
const AUTHENTICATED: u32 = !(Authentication::Anonymous as u32);
const ENCRYPTED: u32 = !(Encryption::Null as u32);
pub(super) const AES_GCM: u32 = Encryption::Aes128Gcm as u32 | Encryption::Aes256Gcm as u32;
const AES_CCM_8: u32 = Encryption::Aes128Ccm8 as u32 | Encryption::Aes256Ccm8 as u32;
const AES_CCM: u32 = Encryption::Aes128Ccm as u32 | Encryption::Aes256Ccm as u32 | AES_CCM_8;
const AES_CBC: u32 = Encryption::Aes128Cbc as u32 | Encryption::Aes256Cbc as u32;
pub(super) const AES: u32 = AES_CBC | AES_GCM | AES_CCM;
const AES_128: u32 = Encryption::Aes128Cbc as u32
    | Encryption::Aes128Gcm as u32
    | Encryption::Aes128Ccm as u32
    | Encryption::Aes128Ccm8 as u32;
const CAMELLIA: u32 = Encryption::Camellia128Cbc as u32 | Encryption::Camellia256Cbc as u32;
const ARIA: u32 = Encryption::Aria128Gcm as u32 | Encryption::Aria256Gcm as u32;
// The builds have the algorithm, and so the word, but no suite with it.
const TRIPLE_DES: u32 = 1 << 31;

const fn together(key_exchange: KeyExchange, authentication: u32) -> Criteria {
    Criteria::key_exchange(key_exchange as u32).with_authentication(authentication)
}

const fn triple_des_cbc(authentication: Authentication) -> Criteria {
    Criteria {
        encryption: TRIPLE_DES,
        mac: Mac::Sha1 as u32,
        grade: HIGH | FIPS,
        ..together(KeyExchange::Dhe, authentication as u32)
    }
}

#[rustfmt::skip]
static ALIASES: &[(&str, Criteria)] = &[
    ("ALL", Criteria::encryption(ENCRYPTED)),
    ("COMPLEMENTOFALL", Criteria::encryption(Encryption::Null as u32)),
    ("COMPLEMENTOFDEFAULT", Criteria { rare: true, ..Criteria::ANY }),

    ("kRSA", Criteria::key_exchange(KeyExchange::Rsa as u32)),
    ("kEDH", Criteria::key_exchange(KeyExchange::Dhe as u32)),
    ("kDHE", Criteria::key_exchange(KeyExchange::Dhe as u32)),
    ("DH", Criteria::key_exchange(KeyExchange::Dhe as u32)),
    ("kEECDH", Criteria::key_exchange(KeyExchange::Ecdhe as u32)),
    ("kECDHE", Criteria::key_exchange(KeyExchange::Ecdhe as u32)),
    ("ECDH", Criteria::key_exchange(KeyExchange::Ecdhe as u32)),
    ("kPSK", Criteria::key_exchange(KeyExchange::Psk as u32)),
    ("kRSAPSK", Criteria::key_exchange(KeyExchange::RsaPsk as u32)),
    ("kDHEPSK", Criteria::key_exchange(KeyExchange::DhePsk as u32)),
    ("kECDHEPSK", Criteria::key_exchange(KeyExchange::EcdhePsk as u32)),
    ("PSK", Criteria::key_exchange(PSK)),
    ("kSRP", Criteria::key_exchange(KeyExchange::Srp as u32)),
    ("SRP", Criteria::key_exchange(KeyExchange::Srp as u32)),

    ("aRSA", Criteria::authentication(Authentication::Rsa as u32)),
    ("aDSS", Criteria::authentication(Authentication::Dss as u32)),
    ("DSS", Criteria::authentication(Authentication::Dss as u32)),
    ("aECDSA", Criteria::authentication(Authentication::Ecdsa as u32)),
    ("ECDSA", Criteria::authentication(Authentication::Ecdsa as u32)),
    ("aNULL", Criteria::authentication(Authentication::Anonymous as u32)),
    ("aPSK", Criteria::authentication(Authentication::Psk as u32)),
    ("aSRP", Criteria::authentication(Authentication::Srp as u32)),

    ("RSA", together(KeyExchange::Rsa, Authentication::Rsa as u32)),
    ("EDH", together(KeyExchange::Dhe, AUTHENTICATED)),
    ("DHE", together(KeyExchange::Dhe, AUTHENTICATED)),
    ("ADH", together(KeyExchange::Dhe, Authentication::Anonymous as u32)),
    ("EECDH", together(KeyExchange::Ecdhe, AUTHENTICATED)),
    ("ECDHE", together(KeyExchange::Ecdhe, AUTHENTICATED)),
    ("AECDH", together(KeyExchange::Ecdhe, Authentication::Anonymous as u32)),

    ("eNULL", Criteria::encryption(Encryption::Null as u32)),
    ("NULL", Criteria::encryption(Encryption::Null as u32)),
    ("3DES", Criteria::encryption(TRIPLE_DES)),
    ("AES", Criteria::encryption(AES)),
    ("AES128", Criteria::encryption(AES_128)),
    ("AES256", Criteria::encryption(AES & !AES_128)),
    ("AESGCM", Criteria::encryption(AES_GCM)),
    ("AESCCM", Criteria::encryption(AES_CCM)),
    ("AESCCM8", Criteria::encryption(AES_CCM_8)),
    ("CAMELLIA", Criteria::encryption(CAMELLIA)),
    ("CAMELLIA128", Criteria::encryption(Encryption::Camellia128Cbc as u32)),
    ("CAMELLIA256", Criteria::encryption(Encryption::Camellia256Cbc as u32)),
    ("CHACHA20", Criteria::encryption(Encryption::ChaCha20Poly1305 as u32)),
    ("ARIA", Criteria::encryption(ARIA)),
    ("ARIAGCM", Criteria::encryption(ARIA)),
    ("ARIA128", Criteria::encryption(Encryption::Aria128Gcm as u32)),
    ("ARIA256", Criteria::encryption(Encryption::Aria256Gcm as u32)),
    ("CBC", Criteria::encryption(AES_CBC | CAMELLIA | TRIPLE_DES)),

    ("MD5", Criteria::mac(Mac::Md5 as u32)),
    ("SHA", Criteria::mac(Mac::Sha1 as u32)),
    ("SHA1", Criteria::mac(Mac::Sha1 as u32)),
    ("SHA256", Criteria::mac(Mac::Sha256 as u32)),
    ("SHA384", Criteria::mac(Mac::Sha384 as u32)),

    ("SSLv3", Criteria::protocol(Protocol::Ssl3)),
    ("TLSv1", Criteria::protocol(Protocol::Tls10)),
    ("TLSv1.0", Criteria::protocol(Protocol::Tls10)),
    ("TLSv1.2", Criteria::protocol(Protocol::Tls12)),

    ("LOW", Criteria::grade(LOW)),
    ("MEDIUM", Criteria::grade(MEDIUM)),
    ("HIGH", Criteria::grade(HIGH)),
    ("FIPS", Criteria { grade: FIPS, ..Criteria::encryption(ENCRYPTED) }),

    // Old names of suites; as words, not as names.
    ("EDH-DSS-DES-CBC3-SHA", triple_des_cbc(Authentication::Dss)),
    ("EDH-RSA-DES-CBC3-SHA", triple_des_cbc(Authentication::Rsa)),
];

// Words of OpenSSL 1.0.2 and older.
#[rustfmt::skip]
static REMOVED: &[&str] = &[
    "EXP", "EXPORT", "EXPORT40", "EXPORT56", "SSLv2", "DES",
    "kDHr", "kDHd", "kDH", "kECDHr", "kECDHe", "kECDH", "aDH", "aECDH",
    "KRB5", "kKRB5", "aKRB5", "FZA", "kFZA", "aFZA", "eFZA", "aGOST94",
    "DES-CBC-SHA", "EDH-DSS-DES-CBC-SHA", "EDH-RSA-DES-CBC-SHA", "ADH-DES-CBC-SHA",
    "EXP-RC4-MD5", "EXP-RC2-CBC-MD5", "EXP-DES-CBC-SHA", "EXP-EDH-DSS-DES-CBC-SHA",
    "EXP-EDH-RSA-DES-CBC-SHA", "EXP-ADH-RC4-MD5", "EXP-ADH-DES-CBC-SHA",
];

// What OpenSSL 3 has in its source, and builds with its own defaults have not: the legacy and the
// GOST algorithms, and every suite with 3DES.
#[rustfmt::skip]
static NOT_BUILT: &[&str] = &[
    "RC4", "RC2", "IDEA", "SEED",
    "GOST89", "GOST94", "GOST89MAC", "GOST12", "GOST2012-GOST8912-GOST8912",
    "kGOST", "kGOST18", "aGOST", "aGOST01", "aGOST12",
    "RC4-MD5", "TLS_RSA_WITH_RC4_128_MD5", "RC4-SHA", "TLS_RSA_WITH_RC4_128_SHA", "IDEA-CBC-SHA",
    "TLS_RSA_WITH_IDEA_CBC_SHA", "DES-CBC3-SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    "DHE-DSS-DES-CBC3-SHA", "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA", "DHE-RSA-DES-CBC3-SHA",
    "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", "ADH-RC4-MD5", "TLS_DH_anon_WITH_RC4_128_MD5",
    "ADH-DES-CBC3-SHA", "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA", "GOST2001-GOST89-GOST89",
    "TLS_GOSTR341001_WITH_28147_CNT_IMIT", "GOST2001-NULL-GOST94",
    "TLS_GOSTR341001_WITH_NULL_GOSTR3411", "PSK-RC4-SHA", "TLS_PSK_WITH_RC4_128_SHA",
    "PSK-3DES-EDE-CBC-SHA", "TLS_PSK_WITH_3DES_EDE_CBC_SHA", "DHE-PSK-RC4-SHA",
    "TLS_DHE_PSK_WITH_RC4_128_SHA", "DHE-PSK-3DES-EDE-CBC-SHA", "TLS_DHE_PSK_WITH_3DES_EDE_CBC_SHA",
    "RSA-PSK-RC4-SHA", "TLS_RSA_PSK_WITH_RC4_128_SHA", "RSA-PSK-3DES-EDE-CBC-SHA",
    "TLS_RSA_PSK_WITH_3DES_EDE_CBC_SHA", "SEED-SHA", "TLS_RSA_WITH_SEED_CBC_SHA",
    "DHE-DSS-SEED-SHA", "TLS_DHE_DSS_WITH_SEED_CBC_SHA", "DHE-RSA-SEED-SHA",
    "TLS_DHE_RSA_WITH_SEED_CBC_SHA", "ADH-SEED-SHA", "TLS_DH_anon_WITH_SEED_CBC_SHA",
    "ECDHE-ECDSA-RC4-SHA", "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "ECDHE-ECDSA-DES-CBC3-SHA",
    "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA", "ECDHE-RSA-RC4-SHA", "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "ECDHE-RSA-DES-CBC3-SHA", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "AECDH-RC4-SHA",
    "TLS_ECDH_anon_WITH_RC4_128_SHA", "AECDH-DES-CBC3-SHA", "TLS_ECDH_anon_WITH_3DES_EDE_CBC_SHA",
    "SRP-3DES-EDE-CBC-SHA", "TLS_SRP_SHA_WITH_3DES_EDE_CBC_SHA", "SRP-RSA-3DES-EDE-CBC-SHA",
    "TLS_SRP_SHA_RSA_WITH_3DES_EDE_CBC_SHA", "SRP-DSS-3DES-EDE-CBC-SHA",
    "TLS_SRP_SHA_DSS_WITH_3DES_EDE_CBC_SHA", "ECDHE-PSK-RC4-SHA", "TLS_ECDHE_PSK_WITH_RC4_128_SHA",
    "ECDHE-PSK-3DES-EDE-CBC-SHA", "TLS_ECDHE_PSK_WITH_3DES_EDE_CBC_SHA",
    "GOST2012-KUZNYECHIK-KUZNYECHIKOMAC", "GOST2012-MAGMA-MAGMAOMAC",
    "IANA-GOST2012-GOST8912-GOST8912", "LEGACY-GOST2012-GOST8912-GOST8912", "GOST2012-NULL-GOST12",
];

// No word of TLS 1.3 is one of this language.
#[rustfmt::skip]
static TLS13: &[&str] = &[
    "TLSv1.3", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256",
    "TLS_SHA256_SHA256", "TLS_SHA384_SHA384",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_s_name_selects_this_suite_alone() {
        for release in [Release::V3_0, Release::V3_2] {
            for suite in SUITES {
                let one = Criteria::one(suite, release);
                let selected = SUITES.iter().filter(|it| one.admit(it, release));
                assert_eq!(selected.collect::<Vec<_>>(), [suite]);
            }
        }
    }

    #[test]
    fn no_word_is_two_things() {
        let names = SUITES.iter().flat_map(|suite| [suite.name(), suite.iana_name()]);
        let words = ALIASES.iter().map(|(word, _)| *word).chain(names);
        let unknown = [REMOVED, NOT_BUILT, TLS13].concat();
        let count = words.chain(unknown).chain(["DEFAULT", "PROFILE=SYSTEM"]).count();
        assert_eq!(WORDS.len(), count);
    }
}
