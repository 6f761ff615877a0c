//! What a suite is made of.
//!
//! Does: name the parts, and count a suite's strength as OpenSSL does. Does not: list the suites
//! ([`table`](super::table)).

use std::fmt;

use super::Release;

/// A cipher suite.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Suite {
    pub(super) id: u16,
    pub(super) name: &'static str,
    pub(super) iana_name: &'static str,
    pub(super) protocol: Protocol,
    pub(super) key_exchange: KeyExchange,
    pub(super) authentication: Authentication,
    pub(super) encryption: Encryption,
    pub(super) mac: Mac,
}

impl Suite {
    /// Its number in TLS, as `0xC02F`.
    #[must_use]
    pub const fn id(&self) -> u16 {
        self.id
    }

    /// OpenSSL's name for it, as `ECDHE-RSA-AES128-GCM-SHA256`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its name in IANA's registry, as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`.
    #[must_use]
    pub const fn iana_name(&self) -> &'static str {
        self.iana_name
    }

    /// The lowest protocol that it may be used under. All but those of TLS 1.3 may be used under
    /// TLS 1.2, and those under none but TLS 1.3.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// How the key is agreed on.
    #[must_use]
    pub const fn key_exchange(&self) -> KeyExchange {
        self.key_exchange
    }

    /// What the server proves itself by.
    #[must_use]
    pub const fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// What the data is encrypted with.
    #[must_use]
    pub const fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// What the data is protected against change with.
    #[must_use]
    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// The length of the encryption's key in bits; 0 without encryption.
    #[must_use]
    pub const fn key_bits(&self) -> u16 {
        self.encryption.key_bits()
    }

    /// The strength in bits that a release of OpenSSL counts: what `@STRENGTH` sorts by, and what a
    /// security level is compared with. It is [`key_bits`](Self::key_bits), except for CCM with a
    /// tag of 8 octets from 3.2 on: 64.
    #[must_use]
    pub const fn strength_bits(&self, release: Release) -> u16 {
        if self.encryption.has_short_tag() && matches!(release, Release::V3_2) {
            return 64;
        }
        self.key_bits()
    }

    /// Whether a session's key is safe from who learns the server's private key later.
    ///
    /// As OpenSSL counts it, ephemeral key exchange beside a pre-shared key included.
    #[must_use]
    pub const fn has_forward_secrecy(&self) -> bool {
        use KeyExchange::{Any, Dhe, DhePsk, Ecdhe, EcdhePsk};
        matches!(self.key_exchange, Any | Dhe | Ecdhe | DhePsk | EcdhePsk)
    }

    /// Whether `DEFAULT` has it, so that `COMPLEMENTOFDEFAULT` has not. Suites without encryption
    /// are in neither.
    pub(super) const fn is_rare(&self) -> bool {
        use Authentication::{Anonymous, Dss};
        use Encryption::{Aes128Cbc, Aes128Gcm, Aes256Cbc, Aes256Gcm, ChaCha20Poly1305, Null};
        match self.encryption {
            Null => false,
            Aes128Cbc | Aes256Cbc | Aes128Gcm | Aes256Gcm | ChaCha20Poly1305 => {
                matches!(self.authentication, Dss | Anonymous)
            }
            _ => true,
        }
    }

    /// Whether the word `FIPS` has it.
    pub(super) const fn is_fips(&self) -> bool {
        use Encryption::{Aes128Cbc, Aes128Gcm, Aes256Cbc, Aes256Gcm};
        matches!(self.encryption, Aes128Cbc | Aes256Cbc | Aes128Gcm | Aes256Gcm)
            && !matches!(self.key_exchange, KeyExchange::Srp)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The lowest protocol of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// SSL 3.0 (RFC 6101).
    Ssl3,
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ssl3 => "SSLv3",
            Self::Tls10 => "TLSv1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// How the key of a session is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum KeyExchange {
    /// Agreed on apart from the suite, as in TLS 1.3.
    Any = 0,
    /// Encrypted to the server's RSA key: no forward secrecy.
    Rsa = 1,
    /// Ephemeral Diffie-Hellman in a finite field.
    Dhe = 1 << 1,
    /// Ephemeral Diffie-Hellman on an elliptic curve.
    Ecdhe = 1 << 2,
    /// A pre-shared key alone.
    Psk = 1 << 3,
    /// A pre-shared key, and RSA.
    RsaPsk = 1 << 4,
    /// A pre-shared key, and ephemeral Diffie-Hellman in a finite field.
    DhePsk = 1 << 5,
    /// A pre-shared key, and ephemeral Diffie-Hellman on an elliptic curve.
    EcdhePsk = 1 << 6,
    /// A password (RFC 5054).
    Srp = 1 << 7,
}

impl KeyExchange {
    /// Whether both sides must share a key before.
    #[must_use]
    pub const fn needs_psk(self) -> bool {
        matches!(self, Self::Psk | Self::RsaPsk | Self::DhePsk | Self::EcdhePsk)
    }
}

impl fmt::Display for KeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Rsa => "RSA",
            Self::Dhe => "DHE",
            Self::Ecdhe => "ECDHE",
            Self::Psk => "PSK",
            Self::RsaPsk => "RSA-PSK",
            Self::DhePsk => "DHE-PSK",
            Self::EcdhePsk => "ECDHE-PSK",
            Self::Srp => "SRP",
        })
    }
}

/// What a server proves itself by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Authentication {
    /// Agreed on apart from the suite, as in TLS 1.3.
    Any = 0,
    /// A certificate with an RSA key.
    Rsa = 1,
    /// A certificate with a DSA key.
    Dss = 1 << 1,
    /// A certificate with a key on an elliptic curve: ECDSA, and EdDSA (RFC 8422).
    Ecdsa = 1 << 2,
    /// Nothing.
    Anonymous = 1 << 3,
    /// The pre-shared key.
    Psk = 1 << 4,
    /// The password (RFC 5054).
    Srp = 1 << 5,
}

impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Rsa => "RSA",
            Self::Dss => "DSS",
            Self::Ecdsa => "ECDSA",
            Self::Anonymous => "none",
            Self::Psk => "PSK",
            Self::Srp => "SRP",
        })
    }
}

/// What data is encrypted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Encryption {
    /// Nothing: the data travels in clear.
    Null = 1,
    /// AES with 128 bits, in CBC mode.
    Aes128Cbc = 1 << 1,
    /// AES with 256 bits, in CBC mode.
    Aes256Cbc = 1 << 2,
    /// Camellia with 128 bits, in CBC mode.
    Camellia128Cbc = 1 << 3,
    /// Camellia with 256 bits, in CBC mode.
    Camellia256Cbc = 1 << 4,
    /// AES with 128 bits, in GCM mode.
    Aes128Gcm = 1 << 5,
    /// AES with 256 bits, in GCM mode.
    Aes256Gcm = 1 << 6,
    /// AES with 128 bits, in CCM mode.
    Aes128Ccm = 1 << 7,
    /// AES with 256 bits, in CCM mode.
    Aes256Ccm = 1 << 8,
    /// AES with 128 bits, in CCM mode with a tag of 8 octets.
    Aes128Ccm8 = 1 << 9,
    /// AES with 256 bits, in CCM mode with a tag of 8 octets.
    Aes256Ccm8 = 1 << 10,
    /// ChaCha20 with Poly1305 (RFC 7905).
    ChaCha20Poly1305 = 1 << 11,
    /// ARIA with 128 bits, in GCM mode.
    Aria128Gcm = 1 << 12,
    /// ARIA with 256 bits, in GCM mode.
    Aria256Gcm = 1 << 13,
}

impl Encryption {
    const fn key_bits(self) -> u16 {
        match self {
            Self::Null => 0,
            Self::Aes128Cbc
            | Self::Camellia128Cbc
            | Self::Aes128Gcm
            | Self::Aes128Ccm
            | Self::Aes128Ccm8
            | Self::Aria128Gcm => 128,
            Self::Aes256Cbc
            | Self::Camellia256Cbc
            | Self::Aes256Gcm
            | Self::Aes256Ccm
            | Self::Aes256Ccm8
            | Self::ChaCha20Poly1305
            | Self::Aria256Gcm => 256,
        }
    }

    const fn has_short_tag(self) -> bool {
        matches!(self, Self::Aes128Ccm8 | Self::Aes256Ccm8)
    }

    /// Whether it is a block cipher in CBC mode.
    #[must_use]
    pub const fn is_cbc(self) -> bool {
        matches!(
            self,
            Self::Aes128Cbc | Self::Aes256Cbc | Self::Camellia128Cbc | Self::Camellia256Cbc
        )
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "none",
            Self::Aes128Cbc => "AES-128-CBC",
            Self::Aes256Cbc => "AES-256-CBC",
            Self::Camellia128Cbc => "CAMELLIA-128-CBC",
            Self::Camellia256Cbc => "CAMELLIA-256-CBC",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::Aes128Ccm => "AES-128-CCM",
            Self::Aes256Ccm => "AES-256-CCM",
            Self::Aes128Ccm8 => "AES-128-CCM-8",
            Self::Aes256Ccm8 => "AES-256-CCM-8",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
            Self::Aria128Gcm => "ARIA-128-GCM",
            Self::Aria256Gcm => "ARIA-256-GCM",
        })
    }
}

/// What data is protected against change with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Mac {
    /// The encryption itself.
    Aead = 1,
    /// HMAC with MD5.
    Md5 = 1 << 1,
    /// HMAC with SHA-1.
    Sha1 = 1 << 2,
    /// HMAC with SHA-256.
    Sha256 = 1 << 3,
    /// HMAC with SHA-384.
    Sha384 = 1 << 4,
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aead => "AEAD",
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
        })
    }
}
