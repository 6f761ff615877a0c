//! What kind of key a private key or a certificate holds, read without a TLS library.
//!
//! Does: tell the algorithm and the size, and the public half as far as an encoding carries it. Does not:
//! check that a key is any good. Fails: never; what cannot be read is of no known kind.

use std::fmt;

use x509_cert::der::{
    Decode, Reader, SliceReader, Tagged,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef},
};

use crate::{
    KeyKind, PrivateKey,
    certificate::{enter, public_key_parts},
};

/// The algorithm of a key, and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA (RFC 8017).
    Rsa {
        /// The size of the modulus.
        bits: usize,
    },
    /// On an elliptic curve (RFC 5480).
    Ec {
        /// The size of the NIST curve: 256, 384 or 521. `None`: another curve.
        bits: Option<usize>,
    },
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Another algorithm, or an encoding that cannot be read.
    Other,
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA of {bits} bits"),
            Self::Ec { bits: Some(bits) } => write!(f, "ECDSA on P-{bits}"),
            Self::Ec { bits: None } => f.write_str("ECDSA on another curve than NIST's"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other => f.write_str("of an algorithm that is not known here"),
        }
    }
}

impl PrivateKey {
    /// What kind of key this is, as far as its encoding tells.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match public_half(self) {
            Ok(PublicHalf::Rsa { modulus }) => KeyAlgorithm::Rsa { bits: bits(modulus) },
            Ok(PublicHalf::Ec { curve, .. }) => {
                KeyAlgorithm::Ec { bits: curve.and_then(curve_bits) }
            }
            Ok(PublicHalf::Other { algorithm: ED25519 }) => KeyAlgorithm::Ed25519,
            Ok(PublicHalf::Other { .. }) | Err(_) => KeyAlgorithm::Other,
        }
    }
}

/// The kind of key in a SubjectPublicKeyInfo.
pub(crate) fn public_key_algorithm(info: &[u8]) -> KeyAlgorithm {
    let read = || -> x509_cert::der::Result<KeyAlgorithm> {
        let (identifier, public) = public_key_parts(info)?;
        let mut identifier = SliceReader::new(identifier)?;
        Ok(match identifier.decode::<ObjectIdentifier>()? {
            RSA_ENCRYPTION => KeyAlgorithm::Rsa { bits: bits(rsa_modulus(public)?) },
            EC_PUBLIC_KEY => {
                let curve = identifier.decode::<ObjectIdentifier>().ok();
                KeyAlgorithm::Ec { bits: curve.and_then(curve_bits) }
            }
            ED25519 => KeyAlgorithm::Ed25519,
            _ => KeyAlgorithm::Other,
        })
    };
    read().unwrap_or(KeyAlgorithm::Other)
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

fn curve_bits(curve: ObjectIdentifier) -> Option<usize> {
    const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    [(P256, 256), (P384, 384), (P521, 521)]
        .into_iter()
        .find_map(|(known, bits)| (known == curve).then_some(bits))
}

fn bits(number: UintRef<'_>) -> usize {
    let octets = number.as_bytes();
    octets.first().map_or(0, |first| octets.len() * 8 - first.leading_zeros() as usize)
}

/// What a private key tells of its public half.
enum PublicHalf<'a> {
    Rsa {
        modulus: UintRef<'a>,
    },
    /// The curve and the point, where the key carries them.
    Ec {
        curve: Option<ObjectIdentifier>,
        point: Option<&'a [u8]>,
    },
    /// Another algorithm.
    Other {
        algorithm: ObjectIdentifier,
    },
}

/// Whether a SubjectPublicKeyInfo holds the key's public key, as far as the key's encoding tells.
pub(crate) fn key_matches(key: &PrivateKey, public_key_info: &[u8]) -> Option<bool> {
    let half = public_half(key).ok()?;
    let (algorithm, public) = public_key_parts(public_key_info).ok()?;
    let algorithm = SliceReader::new(algorithm).ok()?.decode::<ObjectIdentifier>().ok()?;
    match half {
        PublicHalf::Rsa { modulus } => Some(
            algorithm == RSA_ENCRYPTION && rsa_modulus(public).is_ok_and(|other| other == modulus),
        ),
        PublicHalf::Ec { .. } if algorithm != EC_PUBLIC_KEY => Some(false),
        PublicHalf::Ec { point, .. } => point.map(|point| point == public),
        PublicHalf::Other { algorithm: other } => (algorithm != other).then_some(false),
    }
}

/// What a key is that can be read and is none of those that [`KeyAlgorithm`] knows by name.
#[cfg(feature = "rustls")]
pub(crate) fn foreign(key: &PrivateKey) -> Option<String> {
    const CURVES: [(&str, &str); 10] = [
        ("1.2.840.10045.3.1.1", "P-192"),
        ("1.3.132.0.33", "P-224"),
        ("1.3.132.0.10", "secp256k1"),
        ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
        ("1.3.36.3.3.2.8.1.1.8", "brainpoolP256t1"),
        ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1"),
        ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
        ("1.3.36.3.3.2.8.1.1.12", "brainpoolP384t1"),
        ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
        ("1.2.156.10197.1.301", "SM2"),
    ];
    const KINDS: [(&str, &str); 3] = [
        ("1.2.840.113549.1.1.10", "of RSA-PSS"),
        ("1.2.840.10040.4.1", "of DSA"),
        ("1.3.101.113", "of Ed448"),
    ];
    let named = |number: ObjectIdentifier, all: &[(&str, &'static str)]| {
        let number = number.to_string();
        all.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
    };
    match public_half(key).ok()? {
        PublicHalf::Ec { curve: Some(curve), .. } if curve_bits(curve).is_none() => {
            Some(format!("of ECDSA on {}", named(curve, &CURVES).unwrap_or("another curve")))
        }
        PublicHalf::Ec { curve: None, .. } => Some("of ECDSA on a curve without a name".to_owned()),
        PublicHalf::Other { algorithm } if algorithm != ED25519 => {
            Some(named(algorithm, &KINDS).unwrap_or("of another algorithm").to_owned())
        }
        PublicHalf::Rsa { .. } | PublicHalf::Ec { .. } | PublicHalf::Other { .. } => None,
    }
}

/// The size of the modulus of a public key of RSA.
#[cfg(feature = "rustls")]
pub(crate) fn rsa_bits(public: &[u8]) -> Option<usize> {
    rsa_modulus(public).ok().map(bits)
}

fn rsa_modulus(public: &[u8]) -> x509_cert::der::Result<UintRef<'_>> {
    let mut reader = SliceReader::new(public)?;
    let mut reader = enter(&mut reader)?;
    reader.decode::<UintRef<'_>>()
}

fn public_half(key: &PrivateKey) -> x509_cert::der::Result<PublicHalf<'_>> {
    match key.kind() {
        KeyKind::Pkcs1 => rsa_half(key.secret_der()),
        KeyKind::Sec1 => ec_half(key.secret_der(), None),
        KeyKind::Pkcs8 => {
            let mut reader = SliceReader::new(key.secret_der())?;
            let mut reader = enter(&mut reader)?;
            let _version = reader.tlv_bytes()?;
            let mut identifier = enter(&mut reader)?;
            let algorithm = identifier.decode::<ObjectIdentifier>()?;
            let inner = reader.decode::<&OctetStringRef>()?.as_bytes();
            match algorithm {
                RSA_ENCRYPTION => rsa_half(inner),
                EC_PUBLIC_KEY => ec_half(inner, identifier.decode::<ObjectIdentifier>().ok()),
                algorithm => Ok(PublicHalf::Other { algorithm }),
            }
        }
    }
}

fn rsa_half(key: &[u8]) -> x509_cert::der::Result<PublicHalf<'_>> {
    let mut reader = SliceReader::new(key)?;
    let mut reader = enter(&mut reader)?;
    let _version = reader.tlv_bytes()?;
    Ok(PublicHalf::Rsa { modulus: reader.decode::<UintRef<'_>>()? })
}

fn ec_half(
    key: &[u8],
    mut curve: Option<ObjectIdentifier>,
) -> x509_cert::der::Result<PublicHalf<'_>> {
    let mut reader = SliceReader::new(key)?;
    let mut reader = enter(&mut reader)?;
    let _version = reader.tlv_bytes()?;
    let _secret = reader.tlv_bytes()?;
    let mut point = None;
    while !reader.is_finished() {
        let field = AnyRef::decode(&mut reader)?;
        if !field.tag().is_context_specific() {
            continue;
        }
        match field.tag().number().value() {
            0 => curve = ObjectIdentifier::from_der(field.value()).ok(),
            1 => point = Some(BitStringRef::from_der(field.value())?.raw_bytes()),
            _ => {}
        }
    }
    Ok(PublicHalf::Ec { curve, point })
}
