//! What a certificate says of its time and of what it may be used for.
//!
//! Does not: ask who says so; that is the judge's. Fails: [`MalformedCertificate`].

use x509_cert::{
    der::asn1::ObjectIdentifier,
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage as KeyUses},
};

use super::{ClientRefusal, constraints::MailConstraints};
use crate::{MalformedCertificate, certificate::Fields};

/// id-kp-clientAuth (RFC 5280 section 4.2.1.12).
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// What a certificate says of what it may be used for.
pub(super) struct Powers {
    pub(super) not_before: u64,
    pub(super) not_after: u64,
    pub(super) signs_certificates: bool,
    pub(super) signs_lists: bool,
    /// It, and what it issues, may be for TLS clients.
    pub(super) for_clients: bool,
    /// It may be a TLS client's own.
    pub(super) is_client: bool,
    pub(super) mail: MailConstraints,
}

impl Powers {
    pub(super) fn read(certificate: &[u8]) -> Result<Self, MalformedCertificate> {
        Self::of(&Fields::read(certificate)?)
    }

    pub(super) fn of(fields: &Fields<'_>) -> Result<Self, MalformedCertificate> {
        let (not_before, not_after) = fields.validity()?;
        let extensions = fields.extensions()?;
        let uses: Option<KeyUses> = extensions.read()?;
        let purposes: Option<ExtendedKeyUsage> = extensions.read()?;
        let authority: Option<BasicConstraints> = extensions.read()?;
        let authority = match &authority {
            Some(constraints) => constraints.ca,
            // A root of version 1 can say no more; others may say it by their key's use.
            None => uses.is_some() || (fields.is_version_1() && fields.issuer == fields.subject),
        };
        let for_clients = purposes.is_none_or(|ExtendedKeyUsage(all)| all.contains(&CLIENT_AUTH));
        let may = |it: fn(&KeyUses) -> bool| uses.as_ref().is_none_or(it);
        Ok(Self {
            not_before,
            not_after,
            signs_certificates: authority && may(KeyUses::key_cert_sign),
            signs_lists: may(KeyUses::crl_sign),
            for_clients,
            is_client: for_clients && may(|uses| uses.digital_signature() || uses.key_agreement()),
            mail: MailConstraints::read(&extensions)?,
        })
    }

    pub(super) const fn check_time(&self, now: u64) -> Result<(), ClientRefusal> {
        let Self { not_before, not_after, .. } = *self;
        if now < not_before {
            Err(ClientRefusal::NotYetValid { not_before })
        } else if now > not_after {
            Err(ClientRefusal::Expired { not_after })
        } else {
            Ok(())
        }
    }
}
