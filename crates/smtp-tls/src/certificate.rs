//! A certificate as opaque DER, and what it says of itself.
//!
//! Nothing is verified here: signatures, chains and names are the backends' work. What is read
//! serves to order a chain, to find the key's certificate and to write diagnostics.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::IpAddr,
    sync::Arc,
};

use thiserror::Error;
use x509_cert::{
    der::{
        Decode, DecodeOwned, Header, Reader, SliceReader, Tag, TagNumber,
        asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef},
        oid::AssociatedOid,
    },
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, SubjectAltName, SubjectKeyIdentifier,
        name::GeneralName,
    },
    name::Name,
    time::Validity,
};

use crate::{KeyAlgorithm, key::public_key_algorithm, pem};

/// An X.509 certificate in DER. Cheap to clone, and to hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<[u8]>);

/// The last octets are of the signature: they differ where certificates do.
impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.last_chunk::<32>().map_or(&self.0[..], |end| end).hash(state);
    }
}

impl Certificate {
    /// Takes the bytes as they are.
    #[must_use]
    pub fn from_der(der: Vec<u8>) -> Self {
        Self(der.into())
    }

    /// The bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The certificate as a PEM section.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.0)
    }

    /// What the certificate says of itself.
    ///
    /// # Errors
    ///
    /// [`MalformedCertificate`] if the bytes are no X.509 certificate.
    pub fn describe(&self) -> Result<CertificateDescription, MalformedCertificate> {
        let fields = Fields::read(&self.0)?;
        let name = |der| Name::from_der(der).map(|n: Name| n.to_string());
        let (not_before, not_after) = fields.validity()?;
        let Extended { names, emails, is_authority } = Extended::read(&self.0)?;
        Ok(CertificateDescription {
            subject: name(fields.subject)?,
            issuer: name(fields.issuer)?,
            is_self_issued: fields.subject == fields.issuer,
            names,
            emails,
            is_authority,
            key: public_key_algorithm(fields.public_key_info),
            weak_digest: weak_digest(fields.signature),
            not_before,
            not_after,
        })
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.describe() {
            Ok(what) => write!(f, "Certificate({:?})", what.subject),
            Err(_) => write!(f, "Certificate({} octets, unreadable)", self.0.len()),
        }
    }
}

/// What a certificate says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateDescription {
    /// The subject's distinguished name (RFC 4514).
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Whether both names are the same, as they are where a certificate signs itself.
    pub is_self_issued: bool,
    /// The DNS names and IP addresses of the subject alternative name, in order.
    pub names: Vec<String>,
    /// The mail addresses of the subject alternative name, in order.
    pub emails: Vec<String>,
    /// Whether it says that it is of an authority (RFC 5280 section 4.2.1.9).
    pub is_authority: bool,
    /// What kind of key it holds.
    pub key: KeyAlgorithm,
    /// The digest that its issuer signed, where it is one that can be forged.
    pub weak_digest: Option<WeakDigest>,
    /// The first second of its validity, in seconds since 1970.
    pub not_before: u64,
    /// The last second of its validity, in seconds since 1970.
    pub not_after: u64,
}

impl CertificateDescription {
    /// Whether its validity includes the given time, in seconds since 1970.
    #[must_use]
    pub const fn is_valid_at(&self, unix_seconds: u64) -> bool {
        self.not_before <= unix_seconds && unix_seconds <= self.not_after
    }
}

/// The bytes are no X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not an X.509 certificate: {0}")]
pub struct MalformedCertificate(String);

impl From<x509_cert::der::Error> for MalformedCertificate {
    fn from(error: x509_cert::der::Error) -> Self {
        Self(error.to_string())
    }
}

/// What is read of the extensions of a certificate.
#[derive(Default)]
struct Extended {
    names: Vec<String>,
    emails: Vec<String>,
    is_authority: bool,
}

impl Extended {
    fn read(der: &[u8]) -> Result<Self, MalformedCertificate> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let certificate = certificate.tbs_certificate();
        let constraints = certificate.get_extension::<BasicConstraints>()?;
        let is_authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
        let mut read = Self { is_authority, ..Self::default() };
        let alternative = certificate.get_extension::<SubjectAltName>()?;
        for name in alternative.map(|(_, SubjectAltName(names))| names).unwrap_or_default() {
            match name {
                GeneralName::DnsName(name) => read.names.push(name.as_str().to_owned()),
                GeneralName::Rfc822Name(name) => read.emails.push(name.as_str().to_owned()),
                GeneralName::IpAddress(octets) => {
                    let octets = octets.as_bytes();
                    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
                    let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
                    if let Ok(address) = v4.or_else(|_| v6()) {
                        read.names.push(address.to_string());
                    }
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

/// A digest for which two texts that it does not tell apart have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WeakDigest {
    /// MD5 (RFC 6151).
    Md5,
    /// SHA-1 (RFC 6194).
    Sha1,
}

impl fmt::Display for WeakDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
        })
    }
}

/// The digest of a signature algorithm, where it is a weak one.
fn weak_digest(algorithm: &[u8]) -> Option<WeakDigest> {
    const fn oid(text: &str) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(text)
    }
    /// md5WithRSAEncryption (RFC 3279 section 2.2.1).
    const MD5_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.4");
    /// sha-1WithRSAEncryption, its elder by another name, id-dsa-with-sha1 and ecdsa-with-SHA1 (RFC
    /// 3279 section 2.2).
    const SHA1: [ObjectIdentifier; 4] = [
        oid("1.2.840.113549.1.1.5"),
        oid("1.3.14.3.2.29"),
        oid("1.2.840.10040.4.3"),
        oid("1.2.840.10045.4.1"),
    ];
    /// id-RSASSA-PSS, whose digest is SHA-1 where its parameters name none (RFC 4055 section 3.1).
    const PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
    let mut identifier = enter(&mut SliceReader::new(algorithm).ok()?).ok()?;
    let algorithm = identifier.decode::<ObjectIdentifier>().ok()?;
    if algorithm == MD5_RSA {
        return Some(WeakDigest::Md5);
    }
    let sha1 =
        SHA1.contains(&algorithm) || (algorithm == PSS && !pss_names_digest(&mut identifier));
    sha1.then_some(WeakDigest::Sha1)
}

/// Whether the parameters of RSASSA-PSS that come next have the field of the digest.
fn pss_names_digest(identifier: &mut SliceReader<'_>) -> bool {
    let Ok(parameters) = enter(identifier).and_then(|mut fields| fields.decode::<AnyRef<'_>>())
    else {
        return false;
    };
    let tag = x509_cert::der::Tagged::tag(&parameters);
    tag.is_context_specific() && tag.number().value() == 0
}

/// A certificate's key identifiers: (subject's, authority's), where the extensions are there.
pub(crate) type KeyIdentifiers = (Option<Vec<u8>>, Option<Vec<u8>>);

pub(crate) fn key_identifiers(der: &[u8]) -> KeyIdentifiers {
    let Ok(fields) = Fields::read(der) else { return (None, None) };
    let subject: Option<SubjectKeyIdentifier> = fields.extension().ok().flatten();
    let authority: Option<AuthorityKeyIdentifier> = fields.extension().ok().flatten();
    (
        subject.map(|id| id.0.as_bytes().to_vec()),
        authority.and_then(|id| id.key_identifier).map(|id| id.as_bytes().to_vec()),
    )
}

/// The parts of a certificate (RFC 5280 section 4.1) as raw DER, extensions left unread until
/// one is asked for: also for certificates whose serial number no strict reader takes.
pub(crate) struct Fields<'a> {
    has_version: bool,
    #[cfg_attr(not(feature = "client-certificates"), allow(dead_code))]
    pub(crate) serial: &'a [u8],
    pub(crate) signature: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) public_key_info: &'a [u8],
    /// What stands behind the key: the extensions, if there are any.
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, MalformedCertificate> {
        let mut certificate = SliceReader::new(der)?;
        let mut certificate = enter(&mut certificate)?;
        let mut tbs = enter(&mut certificate)?;
        let has_version = Tag::peek(&tbs)?.is_context_specific();
        if has_version {
            tbs.tlv_bytes()?;
        }
        Ok(Self {
            has_version,
            serial: tbs.tlv_bytes()?,
            signature: tbs.tlv_bytes()?,
            issuer: tbs.tlv_bytes()?,
            validity: tbs.tlv_bytes()?,
            subject: tbs.tlv_bytes()?,
            public_key_info: tbs.tlv_bytes()?,
            rest: tbs.read_slice(tbs.remaining_len())?,
        })
    }

    /// Its first and last second, in seconds since 1970.
    pub(crate) fn validity(&self) -> Result<(u64, u64), MalformedCertificate> {
        let validity: Validity = Validity::from_der(self.validity)?;
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        Ok((seconds(validity.not_before), seconds(validity.not_after)))
    }

    /// Whether it is of version 1, which says nothing behind its key.
    #[cfg_attr(not(feature = "client-certificates"), allow(dead_code))]
    pub(crate) const fn is_version_1(&self) -> bool {
        !self.has_version && self.rest.is_empty()
    }

    /// An extension, where it is there.
    pub(crate) fn extension<T>(&self) -> Result<Option<T>, MalformedCertificate>
    where
        T: AssociatedOid + DecodeOwned<Error = x509_cert::der::Error>,
    {
        self.extensions()?.read()
    }

    /// All extensions, for whoever wants several.
    pub(crate) fn extensions(&self) -> Result<Extensions<'a>, MalformedCertificate> {
        let mut rest = SliceReader::new(self.rest)?;
        while !rest.is_finished() {
            if Tag::peek(&rest)? == EXTENSIONS {
                return Ok(Extensions::list(enter(&mut enter_tagged(&mut rest, EXTENSIONS)?)?)?);
            }
            rest.tlv_bytes()?;
        }
        Ok(Extensions(Vec::new()))
    }
}

/// The extensions of a certificate (RFC 5280 section 4.1.2.9), the value of each unread until it is
/// asked for.
pub(crate) struct Extensions<'a>(Vec<(ObjectIdentifier, &'a [u8])>);

impl<'a> Extensions<'a> {
    fn list(mut list: SliceReader<'a>) -> x509_cert::der::Result<Self> {
        let mut extensions = Vec::new();
        while !list.is_finished() {
            let mut extension = enter(&mut list)?;
            let id = extension.decode()?;
            let _is_critical: Option<bool> = extension.decode()?;
            extensions.push((id, extension.decode::<&OctetStringRef>()?.as_bytes()));
            extension.finish()?;
        }
        Ok(Self(extensions))
    }

    /// One of them, where it is there.
    pub(crate) fn read<T>(&self) -> Result<Option<T>, MalformedCertificate>
    where
        T: AssociatedOid + DecodeOwned<Error = x509_cert::der::Error>,
    {
        let found = self.0.iter().find(|(id, _)| *id == T::OID);
        Ok(found.map(|(_, value)| T::from_der(value)).transpose()?)
    }
}

const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };

/// Steps into the SEQUENCE that comes next.
pub(crate) fn enter<'a>(reader: &mut SliceReader<'a>) -> x509_cert::der::Result<SliceReader<'a>> {
    enter_tagged(reader, Tag::Sequence)
}

/// Steps into what comes next, which has this tag.
pub(crate) fn enter_tagged<'a>(
    reader: &mut SliceReader<'a>,
    tag: Tag,
) -> x509_cert::der::Result<SliceReader<'a>> {
    let header = Header::decode(reader)?;
    header.tag().assert_eq(tag)?;
    SliceReader::new(reader.read_slice(header.length())?)
}

/// The contents of what has this tag.
#[cfg_attr(not(feature = "client-certificates"), allow(dead_code))]
pub(crate) fn contents(der: &[u8], tag: Tag) -> x509_cert::der::Result<&[u8]> {
    let mut inner = enter_tagged(&mut SliceReader::new(der)?, tag)?;
    inner.read_slice(inner.remaining_len())
}

/// The algorithm identifier (without its SEQUENCE) and the key of a SubjectPublicKeyInfo.
pub(crate) fn public_key_parts(info: &[u8]) -> x509_cert::der::Result<(&[u8], &[u8])> {
    let mut info = SliceReader::new(info)?;
    let mut info = enter(&mut info)?;
    let mut algorithm = enter(&mut info)?;
    let algorithm = algorithm.read_slice(algorithm.remaining_len())?;
    let key = info.decode::<BitStringRef<'_>>()?;
    Ok((algorithm, key.raw_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands behind the key of a certificate that has these extensions.
    fn behind_key(extensions: &[&[u8]]) -> Vec<u8> {
        let wrap =
            |tag, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let each: Vec<_> = extensions.iter().map(|it| wrap(0x30, it)).collect();
        [&[0x81, 1, 0][..], &wrap(0xa3, &wrap(0x30, &each.concat()))].concat()
    }

    fn is_authority(rest: &[u8]) -> Result<Option<bool>, MalformedCertificate> {
        let none: &[u8] = &[];
        let fields = Fields {
            has_version: true,
            serial: none,
            signature: none,
            issuer: none,
            validity: none,
            subject: none,
            public_key_info: none,
            rest,
        };
        Ok(fields.extension::<BasicConstraints>()?.map(|it| it.ca))
    }

    #[test]
    fn an_extension_is_found_among_others_and_all_are_well_formed() {
        const UNKNOWN: &[u8] = &[6, 3, 42, 3, 4, 4, 1, 9];
        const AUTHORITY: &[u8] = &[6, 3, 0x55, 0x1d, 0x13, 1, 1, 0xff, 4, 5, 0x30, 3, 1, 1, 0xff];
        let among = |all: &[&[u8]]| is_authority(&behind_key(all));
        assert_eq!(is_authority(&[]), Ok(None));
        assert_eq!(among(&[]), Ok(None));
        assert_eq!(among(&[UNKNOWN]), Ok(None));
        assert_eq!(among(&[AUTHORITY]), Ok(Some(true)));
        assert_eq!(among(&[UNKNOWN, AUTHORITY, UNKNOWN]), Ok(Some(true)));
        // The first of two.
        assert_eq!(among(&[&[6, 3, 0x55, 0x1d, 0x13, 4, 2, 0x30, 0], AUTHORITY]), Ok(Some(false)));
        for broken in [
            // Octets behind the value; no value; no string of octets; a part of an identifier.
            &[6, 3, 42, 3, 4, 4, 1, 9, 5, 0][..],
            &[6, 3, 42, 3, 4],
            &[6, 3, 42, 3, 4, 5, 0],
            &[6, 2, 42, 0x83, 4, 1, 9],
        ] {
            assert!(among(&[AUTHORITY, broken]).is_err(), "{broken:?}");
            assert!(among(&[broken, AUTHORITY]).is_err(), "{broken:?}");
        }
    }
}
