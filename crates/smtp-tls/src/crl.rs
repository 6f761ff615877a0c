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
        let mut whole = SliceReader::new(self.der())?;
        let mut list = enter(&mut whole)?;
        whole.finish()?;
        let mut fields = enter(&mut list)?;
        if Tag::peek(&fields)? != Tag::Integer {
            return Err(MalformedRevocationList::Version1);
        }
        if fields.decode::<u8>()? != 1 {
            return Err(MalformedRevocationList::Form("its version is unknown".to_owned()));
        }
        let _signature = fields.tlv_bytes()?;
        let issuer: Name = Name::from_der(fields.tlv_bytes()?)?;
        let this_update = seconds(&mut fields)?;
        let dated = !fields.is_finished()
            && matches!(Tag::peek(&fields)?, Tag::UtcTime | Tag::GeneralizedTime);
        if !dated {
            return Err(MalformedRevocationList::NoNextUpdate);
        }
        let next_update = seconds(&mut fields)?;
        let _signature_algorithm = list.tlv_bytes()?;
        let _signature_value = list.tlv_bytes()?;
        list.finish()?;
        Ok(RevocationListDescription { issuer: issuer.to_string(), this_update, next_update })
    }
}

fn seconds(fields: &mut SliceReader<'_>) -> x509_cert::der::Result<u64> {
    Ok(fields.decode::<Time>()?.to_unix_duration().as_secs())
}
