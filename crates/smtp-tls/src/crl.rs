//! What a certificate revocation list says of itself.
//!
//! Does: read the head of a list, whatever number of certificates it revokes. Does not: check its
//! signature, nor look a certificate up. Fails: [`MalformedRevocationList`] on what is no list that could
//! be looked into.

use thiserror::Error;
use x509_cert::{
    der::{Decode, Reader, SliceReader, Tag},
    name::Name,
    time::Time,
};

use crate::{RevocationList, certificate::enter};

/// What a certificate revocation list says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationListDescription {
    /// The distinguished name of who issued it (RFC 4514).
    pub issuer: String,
    /// When it was issued, in seconds since 1970.
    pub this_update: u64,
    /// When the next one is due, in seconds since 1970. From then on this one is no longer current.
    pub next_update: u64,
}

/// The octets are no certificate revocation list that can be looked into.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedRevocationList {
    /// It has another form.
    #[error("not a certificate revocation list: {0}")]
    Form(String),
    /// It is of version 1, which has no extensions; RFC 5280 section 5.1.2.1 wants version 2.
    #[error("a revocation list of version 1, where version 2 is wanted")]
    Version1,
    /// It does not say when the next one is due, as RFC 5280 section 5.1.2.5 wants it to.
    #[error("a revocation list without the time of the next one")]
    NoNextUpdate,
}

impl From<x509_cert::der::Error> for MalformedRevocationList {
    fn from(error: x509_cert::der::Error) -> Self {
        Self::Form(error.to_string())
    }
}

impl RevocationList {
    /// What the list says of itself.
    ///
    /// # Errors
    /// [`MalformedRevocationList`] if it is none, or one that cannot be used (RFC 5280 section 5.1).
    pub fn describe(&self) -> Result<RevocationListDescription, MalformedRevocationList> {
        let Head { version, issuer, this_update, next_update, .. } = Head::read(self.der())?;
        match version {
            None => return Err(MalformedRevocationList::Version1),
            Some(1) => {}
            Some(_) => {
                return Err(MalformedRevocationList::Form("its version is unknown".to_owned()));
            }
        }
        let issuer: Name = Name::from_der(issuer)?;
        let next_update = next_update.ok_or(MalformedRevocationList::NoNextUpdate)?;
        Ok(RevocationListDescription { issuer: issuer.to_string(), this_update, next_update })
    }
}

/// The head of a list (RFC 5280 section 5.1.2), whatever its version.
pub(crate) struct Head<'a> {
    /// One less than the number it is called by; version 1 has none.
    version: Option<u8>,
    /// A name in DER.
    pub(crate) issuer: &'a [u8],
    pub(crate) this_update: u64,
    pub(crate) next_update: Option<u64>,
    /// What is revoked, and the extensions.
    #[cfg_attr(not(feature = "client-certificates"), allow(dead_code))]
    pub(crate) rest: SliceReader<'a>,
}

impl<'a> Head<'a> {
    pub(crate) fn read(der: &'a [u8]) -> x509_cert::der::Result<Self> {
        let mut whole = SliceReader::new(der)?;
        let mut list = enter(&mut whole)?;
        whole.finish()?;
        let mut fields = enter(&mut list)?;
        let _signature_algorithm = list.tlv_bytes()?;
        let _signature_value = list.tlv_bytes()?;
        list.finish()?;
        let has_version = Tag::peek(&fields)? == Tag::Integer;
        let version = has_version.then(|| fields.decode::<u8>()).transpose()?;
        let _signature = fields.tlv_bytes()?;
        let issuer = fields.tlv_bytes()?;
        let this_update = seconds(&mut fields)?;
        let dated = !fields.is_finished()
            && matches!(Tag::peek(&fields)?, Tag::UtcTime | Tag::GeneralizedTime);
        let next_update = dated.then(|| seconds(&mut fields)).transpose()?;
        Ok(Self { version, issuer, this_update, next_update, rest: fields })
    }
}

fn seconds(fields: &mut SliceReader<'_>) -> x509_cert::der::Result<u64> {
    Ok(fields.decode::<Time>()?.to_unix_duration().as_secs())
}
