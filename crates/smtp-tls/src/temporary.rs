//! Makes the temporary keys that servers of old kept in files: RSA keys for suites that were weak
//! enough to be exported, and groups for DHE.
//!
//! No handshake of this crate uses the RSA keys; they are made for the servers that still ask for
//! them. OpenSSL makes them all. Without it there is [`TemporaryKind::standard`], the group of 2048
//! bits that RFC 7919 gives everybody. Fails where OpenSSL is not compiled in, or when it fails.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroize;

use crate::DhParameters;

/// What a temporary key is for, and its size in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TemporaryKind {
    /// An RSA key of 512 bits.
    Rsa512,
    /// An RSA key of 1024 bits.
    Rsa1024,
    /// A group for DHE of 512 bits.
    Dh512,
    /// A group for DHE of 1024 bits.
    Dh1024,
    /// A group for DHE of 2048 bits.
    Dh2048,
}

impl TemporaryKind {
    /// Every kind, those that are made quickly first.
    pub const ALL: [Self; 5] =
        [Self::Rsa512, Self::Rsa1024, Self::Dh512, Self::Dh1024, Self::Dh2048];

    /// The size of the modulus.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Rsa512 | Self::Dh512 => 512,
            Self::Rsa1024 | Self::Dh1024 => 1024,
            Self::Dh2048 => 2048,
        }
    }

    /// Makes one. An RSA key and a group of 512 bits take less than a second; a group of 1024 bits
    /// takes seconds, and one of 2048 bits can take minutes: its prime is searched for, and how long
    /// that lasts is chance.
    ///
    /// # Errors
    /// [`TemporaryKeyError`]
    pub fn make(self) -> Result<TemporaryKey, TemporaryKeyError> {
        #[cfg(feature = "openssl")]
        let made = match self {
            Self::Rsa512 | Self::Rsa1024 => crate::openssl::rsa_key_pem(self.bits()),
            Self::Dh512 | Self::Dh1024 | Self::Dh2048 => crate::openssl::dh_group_pem(self.bits()),
        };
        #[cfg(not(feature = "openssl"))]
        let made = Err(TemporaryKeyError::NeedsOpenSsl);
        made.map(|pem| TemporaryKey { kind: self, pem })
    }

    /// The one that a standard gives everybody, where there is one: ffdhe2048 (RFC 7919 appendix A.1).
    #[must_use]
    pub fn standard(self) -> Option<TemporaryKey> {
        let pem = (self == Self::Dh2048).then(|| DhParameters::ffdhe2048().to_pem())?;
        Some(TemporaryKey { kind: self, pem })
    }
}

impl fmt::Display for TemporaryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Self::Rsa512 | Self::Rsa1024 => "RSA key",
            Self::Dh512 | Self::Dh1024 | Self::Dh2048 => "DH group",
        };
        write!(f, "{what} of {} bits", self.bits())
    }
}

/// A temporary key as the text of a file. It never shows in `Debug` output, and is overwritten when it
/// is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct TemporaryKey {
    kind: TemporaryKind,
    pem: String,
}

impl TemporaryKey {
    /// What it is for.
    #[must_use]
    pub const fn kind(&self) -> TemporaryKind {
        self.kind
    }

    /// One PEM section: PKCS#8 (`PRIVATE KEY`) for RSA, PKCS #3 (`DH PARAMETERS`) for a group.
    #[must_use]
    pub fn secret_pem(&self) -> &str {
        &self.pem
    }
}

impl fmt::Debug for TemporaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TemporaryKey({:?}, redacted)", self.kind)
    }
}

impl Drop for TemporaryKey {
    fn drop(&mut self) {
        self.pem.zeroize();
    }
}

/// Why no temporary key was made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemporaryKeyError {
    /// Only OpenSSL makes them, and it was not compiled in.
    #[error("only OpenSSL makes one, and it is not compiled in")]
    NeedsOpenSsl,
    /// OpenSSL failed.
    #[error("OpenSSL failed: {0}")]
    Library(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_group_is_the_one_of_2048_bits_alone() {
        let standard = TemporaryKind::ALL.map(TemporaryKind::standard);
        assert_eq!(standard.iter().flatten().count(), 1);
        let group = TemporaryKind::Dh2048.standard().unwrap();
        assert_eq!(group.secret_pem(), DhParameters::ffdhe2048().to_pem());
        assert_eq!(format!("{group:?}"), "TemporaryKey(Dh2048, redacted)");
    }

    #[cfg(not(feature = "openssl"))]
    #[test]
    fn without_openssl_none_is_made() {
        for kind in TemporaryKind::ALL {
            assert_eq!(kind.make().unwrap_err(), TemporaryKeyError::NeedsOpenSsl);
        }
    }

    #[cfg(feature = "openssl")]
    #[test]
    fn each_is_one_section_of_its_size() {
        use TemporaryKind::{Dh512, Rsa512, Rsa1024};
        let label = |kind: TemporaryKind| {
            let made = kind.make().unwrap();
            assert_ne!(made, kind.make().unwrap(), "{kind} is always the same");
            let mut sections = crate::pem_sections(made.secret_pem().as_bytes()).unwrap();
            assert_eq!(sections.len(), 1);
            sections.remove(0)
        };
        for (kind, bits) in [(Rsa512, 512), (Rsa1024, 1024)] {
            let section = label(kind);
            assert_eq!(section.label, "PRIVATE KEY");
            assert_eq!(crate::openssl::rsa_key_bits(&section.der).unwrap(), bits);
        }
        let section = label(Dh512);
        assert_eq!(section.label, "DH PARAMETERS");
        assert_eq!(DhParameters::from_der(section.der.clone()).unwrap().bits(), 512);
    }
}
