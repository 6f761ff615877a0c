//! What OpenSSL can do with the key of a server's certificate in a handshake.
//!
//! Does: tell the versions of TLS that a key can be used under, and why not under the others. Does not: judge
//! sizes, which OpenSSL refuses itself where the security level takes none so small. Fails: where OpenSSL
//! cannot read the key.

use openssl::{
    error::ErrorStack,
    nid::Nid,
    pkey::{HasPublic, Id, PKeyRef},
    version,
    x509::{X509, X509VerifyResult},
};
use x509_cert::der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use crate::{
    Version,
    certificate::{Fields, enter, public_key_parts},
    cipher::{Release, SuiteB},
};

/// What can be had with a key.
pub(super) struct Usable {
    pub(super) tls12: bool,
    pub(super) tls13: bool,
    /// What stands in the way of more, in one line that goes on from "the certificate: ".
    pub(super) limit: Option<String>,
    /// Whether a client must name the key's curve among its groups, which few do.
    pub(super) rare: bool,
}

impl Usable {
    const fn wholly() -> Self {
        Self { tls12: true, tls13: true, limit: None, rare: false }
    }

    fn never(limit: String) -> Self {
        Self { tls12: false, tls13: false, limit: Some(limit), rare: false }
    }

    /// Whether a handshake of one of the versions can be had.
    pub(super) fn in_any(&self, (lowest, highest): (Version, Version)) -> bool {
        (self.tls12 && lowest == Version::Tls12) || (self.tls13 && highest == Version::Tls13)
    }

    /// Whether a handshake of each of them can be had.
    pub(super) fn in_all(&self, (lowest, highest): (Version, Version)) -> bool {
        (self.tls12 || lowest == Version::Tls13) && (self.tls13 || highest == Version::Tls12)
    }
}

/// The curves that TLS 1.2 has a number for (RFC 8422 section 5.1.1, RFC 7027 section 2) beside those of
/// TLS 1.3, by OpenSSL's names.
const OF_TLS12_ALONE: [&str; 25] = [
    "sect163k1",
    "sect163r1",
    "sect163r2",
    "sect193r1",
    "sect193r2",
    "sect233k1",
    "sect233r1",
    "sect239k1",
    "sect283k1",
    "sect283r1",
    "sect409k1",
    "sect409r1",
    "sect571k1",
    "sect571r1",
    "secp160k1",
    "secp160r1",
    "secp160r2",
    "secp192k1",
    "prime192v1",
    "secp224k1",
    "secp224r1",
    "secp256k1",
    "brainpoolP256r1",
    "brainpoolP384r1",
    "brainpoolP512r1",
];

/// Judges a leaf with its key. Suite B limits both (RFC 6460 sections 3 and 4).
pub(super) fn judge<T: HasPublic>(
    leaf: &X509,
    key: &PKeyRef<T>,
    suite_b: Option<SuiteB>,
    release: Release,
) -> Result<Usable, ErrorStack> {
    let curve = match key.id() {
        Id::EC => key.ec_key()?.group().curve_name(),
        _ => None,
    };
    if let Some(suite_b) = suite_b {
        return Ok(under_suite_b(suite_b, curve, leaf));
    }
    Ok(match key.id() {
        Id::EC => on_curve(curve, release),
        Id::RSA_PSS if !has_digest_of_tls(leaf) => Usable::never(
            "its RSA-PSS key is limited to a digest that TLS does not have with it".to_owned(),
        ),
        Id::DSA => Usable {
            tls13: false,
            limit: Some("TLS 1.3 has no signature for a key of DSA".to_owned()),
            ..Usable::wholly()
        },
        _ => Usable::wholly(),
    })
}

fn on_curve(curve: Option<Nid>, release: Release) -> Usable {
    if let Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1) = curve {
        return Usable::wholly();
    }
    let Some(name) = curve.and_then(|curve| curve.short_name().ok()) else {
        return Usable::never("its key is on a curve without a name".to_owned());
    };
    if !OF_TLS12_ALONE.contains(&name) {
        return Usable::never(format!("its key is on {name}, a curve that TLS does not have"));
    }
    // RFC 8734.
    let tls13 = release >= Release::V3_2 && name.starts_with("brainpool");
    let only = if tls13 { "" } else { ": under TLS 1.2 alone, and" };
    let limit = format!(
        "its key is on {name}{only} with those clients alone that name this curve, which few do"
    );
    Usable { tls12: true, tls13, limit: Some(limit), rare: true }
}

/// From here on, for sure, OpenSSL does not look at the signature of a self-signed certificate.
const SELF_SIGNED_PASSES: i64 = 0x3060_0000;

/// TLS 1.2 asks of the leaf's own signature, too, what Suite B asks of the key.
fn under_suite_b(suite_b: SuiteB, curve: Option<Nid>, leaf: &X509) -> Usable {
    const P256: (Nid, Nid) = (Nid::X9_62_PRIME256V1, Nid::ECDSA_WITH_SHA256);
    const P384: (Nid, Nid) = (Nid::SECP384R1, Nid::ECDSA_WITH_SHA384);
    let (taken, names): (&[_], _) = match suite_b {
        SuiteB::Bits128 | SuiteB::Bits128Combination2 => (&[P256, P384], "P-256 and P-384"),
        SuiteB::Bits128Only => (&[P256], "P-256"),
        SuiteB::Bits192 => (&[P384], "P-384"),
    };
    if !taken.iter().any(|(taken, _)| Some(*taken) == curve) {
        return Usable::never(format!("this word of Suite B takes keys on {names} alone"));
    }
    let signed_by = leaf.signature_algorithm().object().nid();
    let passes =
        version::number() >= SELF_SIGNED_PASSES && leaf.issued(leaf) == X509VerifyResult::OK;
    if !passes && !taken.iter().any(|(_, taken)| *taken == signed_by) {
        let by = signed_by.long_name().unwrap_or("an unknown algorithm");
        let limit = format!("this word of Suite B takes no certificate that is signed by {by}");
        return Usable { tls12: false, limit: Some(limit), ..Usable::wholly() };
    }
    Usable::wholly()
}

/// Whether a key of RSA-PSS is free to use a digest that TLS has (RFC 8446 section 4.2.3): its parameters
/// (RFC 4055 section 3.1) may limit it to one.
fn has_digest_of_tls(leaf: &X509) -> bool {
    const OF_TLS: [ObjectIdentifier; 3] = [
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1"),
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2"),
        ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3"),
    ];
    // `None`: no limit. SHA-1 is what it is without a word.
    let digest = || -> Option<Option<ObjectIdentifier>> {
        let der = leaf.to_der().ok()?;
        let fields = Fields::read(&der).ok()?;
        let (algorithm, _) = public_key_parts(fields.public_key_info).ok()?;
        let mut algorithm = SliceReader::new(algorithm).ok()?;
        algorithm.decode::<ObjectIdentifier>().ok()?;
        if algorithm.is_finished() {
            return None;
        }
        let mut parameters = enter(&mut algorithm).ok()?;
        if parameters.is_finished() {
            return Some(None);
        }
        let first = AnyRef::decode(&mut parameters).ok()?;
        let of_digest = matches!(
            first.tag(),
            Tag::ContextSpecific { number, .. } if number.value() == 0
        );
        if !of_digest {
            return Some(None);
        }
        let mut inner = SliceReader::new(first.value()).ok()?;
        Some(enter(&mut inner).ok()?.decode::<ObjectIdentifier>().ok())
    };
    digest().is_none_or(|digest| digest.is_some_and(|digest| OF_TLS.contains(&digest)))
}
