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
        Decode, DecodeOwned, Header, Reader, SliceReader, Tag, TagNumber, asn1::BitStringRef,
        oid::AssociatedOid,
    },
    ext::{
        Extensions,
        pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier, name::GeneralName},
    },
    name::Name,
    time::Validity,
};

use crate::pem;

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
        let (names, emails) = alternative_names(&self.0)?;
        Ok(CertificateDescription {
            subject: name(fields.subject)?,
            issuer: name(fields.issuer)?,
            names,
            emails,
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
    /// The DNS names and IP addresses of the subject alternative name, in order.
    pub names: Vec<String>,
    /// The mail addresses of the subject alternative name, in order.
    pub emails: Vec<String>,
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

fn alternative_names(der: &[u8]) -> Result<(Vec<String>, Vec<String>), MalformedCertificate> {
    let certificate = x509_cert::Certificate::from_der(der)?;
    let (mut names, mut emails) = (Vec::new(), Vec::new());
    let Some((_, SubjectAltName(all))) = certificate.tbs_certificate().get_extension()? else {
        return Ok((names, emails));
    };
    for name in all {
        match name {
            GeneralName::DnsName(name) => names.push(name.as_str().to_owned()),
            GeneralName::Rfc822Name(name) => emails.push(name.as_str().to_owned()),
            GeneralName::IpAddress(octets) => {
                let octets = octets.as_bytes();
                let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
                let v6 = || <[u8; 16]>::try_from(octets).map(IpAddr::from);
                if let Ok(address) = v4.or_else(|_| v6()) {
                    names.push(address.to_string());
                }
            }
            _ => {}
        }
    }
    Ok((names, emails))
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
    /// It says of no version, and so is of version 1.
    #[cfg_attr(not(feature = "client-certificates"), allow(dead_code))]
    pub(crate) is_version_1: bool,
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
        let is_version_1 = !Tag::peek(&tbs)?.is_context_specific();
        if !is_version_1 {
            tbs.tlv_bytes()?;
        }
        let _serial = tbs.tlv_bytes()?;
        let _signature = tbs.tlv_bytes()?;
        Ok(Self {
            is_version_1,
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

    /// An extension, where it is there.
    pub(crate) fn extension<T>(&self) -> Result<Option<T>, MalformedCertificate>
    where
        T: AssociatedOid + DecodeOwned<Error = x509_cert::der::Error>,
    {
        let mut rest = SliceReader::new(self.rest)?;
        while !rest.is_finished() {
            if Tag::peek(&rest)? != EXTENSIONS {
                rest.tlv_bytes()?;
                continue;
            }
            let extensions = Extensions::decode(&mut enter_tagged(&mut rest, EXTENSIONS)?)?;
            let found = extensions.iter().find(|extension| extension.extn_id == T::OID);
            return Ok(found.map(|it| T::from_der(it.extn_value.as_bytes())).transpose()?);
        }
        Ok(None)
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
    let header = Header::peek(reader)?;
    header.tag().assert_eq(tag)?;
    let all = reader.tlv_bytes()?;
    let length = usize::try_from(header.length())?;
    SliceReader::new(&all[all.len() - length..])
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
