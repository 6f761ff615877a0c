//! Revocation lists, read once and kept for many judgements.
//!
//! Does: choose the lists that are in force at a time, and find out what is wrong with the list of an
//! issuer. Does not: decide whether a certificate is revoked; that is webpki's. Fails: a list that
//! cannot be used is kept as such, with the reason. Nobody knows whom it revokes: another list of its
//! issuer does not stand in for it.

use std::fmt;

use rustls_pki_types::{SubjectPublicKeyInfoDer, UnixTime};
use webpki::{CertRevocationList, Error, OwnedCertRevocationList};
use x509_cert::{
    der::{AnyRef, Decode, Reader, SliceReader, Tag, TagNumber, oid::AssociatedOid},
    ext::{Extensions, pkix::AuthorityKeyIdentifier},
    name::Name,
};

use super::{ClientRefusal, RevocationList, signed::Signed};
use crate::{
    OriginId,
    certificate::{contents, enter_tagged},
    crl::Head,
};

/// All lists of a policy.
pub(super) struct Lists {
    /// Those made last come first: of two by one issuer, the later holds.
    usable: Vec<List>,
    unusable: Vec<Unusable>,
}

pub(super) struct List {
    list: CertRevocationList<'static>,
    der: Vec<u8>,
    this_update: u64,
    next_update: u64,
    /// Which key signed it, if it says so.
    key: Option<Vec<u8>>,
    origin: Option<OriginId>,
}

pub(super) struct Unusable {
    /// Whose it is, where at least that can be read: a name without its tag.
    issuer: Option<Vec<u8>>,
    pub(super) reason: String,
    pub(super) origin: Option<OriginId>,
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { usable, unusable } = self;
        write!(f, "Lists({} usable, {} unusable)", usable.len(), unusable.len())
    }
}

impl Unusable {
    /// Whom it keeps from the relay.
    pub(super) fn consequence(&self) -> String {
        self.issuer.as_deref().map_or_else(
            || "nobody can relay by certificate".to_owned(),
            |issuer| format!("nobody can relay whose chain has {} as an issuer", name(issuer)),
        )
    }
}

impl Lists {
    pub(super) fn read(lists: &[RevocationList]) -> Self {
        let (mut usable, mut unusable) = (Vec::new(), Vec::new());
        for list in lists {
            match List::read(list) {
                Ok(list) => usable.push(list),
                Err(reason) => unusable.push(Unusable {
                    issuer: Head::read(list.der())
                        .and_then(|head| contents(head.issuer, Tag::Sequence))
                        .ok()
                        .map(<[u8]>::to_vec),
                    reason,
                    origin: list.origin(),
                }),
            }
        }
        usable.sort_by_key(|list: &List| std::cmp::Reverse(list.this_update));
        Self { usable, unusable }
    }

    pub(super) fn unusable(&self) -> &[Unusable] {
        &self.unusable
    }

    /// What webpki is given: it takes the first list of an issuer. Where an issuer has changed its key,
    /// the lists of the keys that the chain names come before others.
    pub(super) fn in_force(
        &self,
        now: u64,
        keys: impl Fn() -> Vec<Vec<u8>>,
    ) -> Vec<&CertRevocationList<'static>> {
        let mut lists: Vec<_> = self.usable.iter().filter(|it| it.this_update <= now).collect();
        if lists.len() > 1 {
            let keys = keys();
            lists.sort_by_key(|list| list.key.as_ref().is_some_and(|key| !keys.contains(key)));
        }
        lists.into_iter().map(|list| &list.list).collect()
    }

    /// What is wrong with the first list of this issuer that cannot be used, or that could be this
    /// issuer's, for all that can be read of it. The name comes without its tag.
    pub(super) fn check_usable(&self, issuer: &[u8]) -> Result<(), ClientRefusal> {
        let of_issuer = |it: &&Unusable| it.issuer.as_deref().is_none_or(|of| of == issuer);
        match self.unusable.iter().find(of_issuer) {
            None => Ok(()),
            Some(Unusable { reason, origin, .. }) => {
                Err(ClientRefusal::CrlUnusable { reason: reason.clone(), origin: *origin })
            }
        }
    }

    /// Whether the last list that was made with this issuer's key has this serial number, where there are
    /// several: webpki may have been given another one first, and asks no other.
    pub(super) fn last_revokes(
        &self,
        (issuer, key): (&[u8], &SubjectPublicKeyInfoDer<'_>),
        serial: &[u8],
        now: u64,
    ) -> Result<bool, ClientRefusal> {
        let mut in_force = self
            .usable
            .iter()
            .filter(|list| list.this_update <= now && list.list.issuer() == issuer);
        if in_force.clone().nth(1).is_none() {
            return Ok(false);
        }
        in_force.find(|list| list.is_signed_by(key)).map_or(Ok(false), |list| list.revokes(serial))
    }

    /// The list in force of this issuer, whose name comes without its tag, or what is wrong with it.
    pub(super) fn of_issuer(
        &self,
        issuer: &[u8],
        key: &SubjectPublicKeyInfoDer<'_>,
        now: u64,
    ) -> Result<&List, ClientRefusal> {
        self.check_usable(issuer)?;
        let name = || name(issuer);
        let mut future = None;
        let mut wrong = None;
        for list in self.usable.iter().filter(|list| list.list.issuer() == issuer) {
            let List { this_update, next_update, origin, .. } = *list;
            if this_update > now {
                future =
                    Some(ClientRefusal::CrlNotYetValid { issuer: name(), this_update, origin });
            } else if !list.is_signed_by(key) {
                wrong.get_or_insert(ClientRefusal::CrlSignature { issuer: name(), origin });
            } else if next_update <= now {
                return Err(ClientRefusal::CrlExpired { issuer: name(), next_update, origin });
            } else {
                return wrong.map_or(Ok(list), Err);
            }
        }
        let missing = || ClientRefusal::CrlMissing { issuer: name() };
        Err(wrong.or(future).unwrap_or_else(missing))
    }
}

impl List {
    fn read(list: &RevocationList) -> Result<Self, String> {
        let parsed = OwnedCertRevocationList::from_der(list.der());
        let head = Head::read(list.der());
        let has_extensions = head.as_ref().is_ok_and(|it| has_extensions(it.rest.clone()));
        let parsed = parsed.map_err(|e| match e {
            // webpki has no word of its own for it.
            Error::MalformedExtensions | Error::BadDer if head.is_ok() && !has_extensions => {
                NO_EXTENSIONS.to_owned()
            }
            other => reason(&other),
        })?;
        let Head { this_update, next_update, rest, .. } = head.map_err(|e| e.to_string())?;
        let next_update = next_update.ok_or("it does not say when the next one is due")?;
        let parsed = CertRevocationList::from(parsed);
        if parsed.issuing_distribution_point().is_some() {
            // webpki takes some. Which others there are to be for the rest, nobody knows here.
            return Err(PART.to_owned());
        }
        Ok(Self {
            this_update,
            next_update,
            key: key_identifier(rest).map_err(|e| e.to_string())?,
            list: parsed,
            der: list.der().to_vec(),
            origin: list.origin(),
        })
    }

    fn is_signed_by(&self, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        Signed::read(&self.der).is_ok_and(|signed| signed.is_by(key))
    }

    /// Whether it lists this serial number, which comes without its tag.
    pub(super) fn revokes(&self, serial: &[u8]) -> Result<bool, ClientRefusal> {
        let unusable = |e| ClientRefusal::CrlUnusable { reason: reason(&e), origin: self.origin };
        let found = self.list.find_serial(serial).map_err(unusable)?;
        Ok(found.is_some())
    }
}

/// An issuing distribution point says so (RFC 5280 section 5.2.5).
const PART: &str = "it is for a part of its issuer's certificates alone";

const NO_EXTENSIONS: &str =
    "it has no extensions, not even the number that RFC 5280 section 5.2 asks for";

const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

fn has_extensions(mut rest: SliceReader<'_>) -> bool {
    while !rest.is_finished() {
        if Tag::peek(&rest).is_ok_and(|tag| tag == EXTENSIONS) {
            return true;
        }
        if rest.tlv_bytes().is_err() {
            return false;
        }
    }
    false
}

/// Which key signed a list, if its extensions say so (RFC 5280 section 5.2.1).
fn key_identifier(mut rest: SliceReader<'_>) -> x509_cert::der::Result<Option<Vec<u8>>> {
    while !rest.is_finished() {
        if Tag::peek(&rest)? != EXTENSIONS {
            rest.tlv_bytes()?;
            continue;
        }
        let extensions = Extensions::decode(&mut enter_tagged(&mut rest, EXTENSIONS)?)?;
        return Ok(extensions
            .iter()
            .find(|extension| extension.extn_id == AuthorityKeyIdentifier::OID)
            .and_then(|it| AuthorityKeyIdentifier::from_der(it.extn_value.as_bytes()).ok())
            .and_then(|identifier| identifier.key_identifier)
            .map(|identifier| identifier.as_bytes().to_vec()));
    }
    Ok(None)
}

/// A name without its tag, as text.
pub(super) fn name(contents: &[u8]) -> String {
    AnyRef::new(Tag::Sequence, contents)
        .and_then(|name| name.decode_as::<Name>())
        .map_or_else(|_| "an issuer without a readable name".to_owned(), |name| name.to_string())
}

/// Why webpki does not take a list.
fn reason(error: &Error) -> String {
    match error {
        Error::UnsupportedCrlVersion => "it is not of version 2".to_owned(),
        Error::UnsupportedDeltaCrl => "it lists changes alone (a delta CRL)".to_owned(),
        Error::UnsupportedIndirectCrl => {
            "it lists certificates of other issuers (an indirect CRL)".to_owned()
        }
        Error::UnsupportedRevocationReasonsPartitioning => {
            "it lists some reasons of revocation alone".to_owned()
        }
        Error::UnsupportedCriticalExtension => {
            "it has a critical extension that is not understood".to_owned()
        }
        Error::UnsupportedCrlIssuingDistributionPoint => PART.to_owned(),
        Error::MalformedExtensions => "its extensions cannot be read or used".to_owned(),
        Error::BadDer | Error::BadDerTime | Error::TrailingData(_) => "it is no CRL".to_owned(),
        other => format!("{other}"),
    }
}

pub(super) fn unix(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}
