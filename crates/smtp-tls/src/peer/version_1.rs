//! Client certificates of X.509 version 1, which webpki does not take.
//!
//! `openssl x509 -req` makes them where it is told of no extension, so clients have them. Such a
//! certificate says nothing of what it is for, and may issue none: it has its time, its issuer's
//! signature and a serial number to be revoked by. Its issuer has to be an authority itself.

use rustls_pki_types::TrustAnchor;
use webpki::spki_for_anchor;
use x509_cert::der::Tag;

use super::{
    ClientRefusal, judge::unknown_issuer, powers::Powers, revocation::Lists, signed::Signed,
};
use crate::{
    Certificate, MalformedCertificate,
    certificate::{Fields, contents},
};

/// Checks it against those of the authorities that have its issuer's name, each with its powers.
pub(super) fn check<'a>(
    leaf: &Certificate,
    authorities: impl Iterator<Item = (&'a TrustAnchor<'static>, &'a Powers)>,
    lists: Option<&Lists>,
    now: u64,
) -> Result<(), ClientRefusal> {
    let fields = Fields::read(leaf.der())?;
    if !fields.is_version_1() {
        return Err(ClientRefusal::Version);
    }
    Powers::of(&fields)?.check_time(now)?;
    let issuer = sequence(fields.issuer)?;
    let mut refused = unknown_issuer(leaf, &[]);
    for (anchor, powers) in authorities.filter(|(anchor, _)| *anchor.subject == *issuer) {
        match check_issued(leaf, &fields, (anchor, powers), lists, now) {
            Ok(()) => return Ok(()),
            Err(refusal) => refused = refusal,
        }
    }
    Err(refused)
}

fn check_issued(
    leaf: &Certificate,
    fields: &Fields<'_>,
    (anchor, powers): (&TrustAnchor<'_>, &Powers),
    lists: Option<&Lists>,
    now: u64,
) -> Result<(), ClientRefusal> {
    powers.check_time(now)?;
    if !powers.for_clients {
        return Err(ClientRefusal::Purpose);
    }
    if anchor.name_constraints.is_some() {
        // It has no names that they could be checked on.
        return Err(ClientRefusal::NameConstraints);
    }
    let key = spki_for_anchor(anchor);
    let signed = Signed::read(leaf.der())?;
    if !signed.is_supported() {
        return Err(ClientRefusal::Algorithm);
    }
    if sequence(fields.signature)? != signed.algorithm || !signed.is_by(&key) {
        return Err(ClientRefusal::Signature);
    }
    let Some(lists) = lists else { return Ok(()) };
    if !powers.signs_lists {
        return Err(ClientRefusal::CrlSigner);
    }
    let list = lists.of_issuer(sequence(fields.issuer)?, &key, now)?;
    let serial = contents(fields.serial, Tag::Integer).map_err(MalformedCertificate::from)?;
    if list.revokes(serial)? { Err(ClientRefusal::Revoked) } else { Ok(()) }
}

fn sequence(der: &[u8]) -> Result<&[u8], MalformedCertificate> {
    Ok(contents(der, Tag::Sequence)?)
}
