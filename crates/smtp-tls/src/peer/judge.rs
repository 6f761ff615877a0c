//! The judge of client certificates, on webpki: one for every TLS library.
//!
//! Does: check the chain to an authority, the time, the purpose, the names that an authority may give,
//! the client's kind of key and the revocation lists, and look for the address. Does not: check that the
//! client has the key, which the handshake did. Fails: whatever is wrong is a [`ClientRefusal`]; an
//! authority or a list that cannot be used is told when the judge is made, and never lets anybody pass:
//! with a list that cannot be used nobody does whose chain has its issuer, whatever other lists there are.
//!
//! An authority need not be a root: trust ends at it, unless its own issuer is an authority, too.
//! Then it is a step on the way to that one, and can be revoked by it. A certificate that may issue none
//! is an authority for itself alone: the client that has its key is trusted, and no other.

use std::{fmt, ptr, sync::Arc};

use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, TrustAnchor};
use webpki::{
    ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExpirationPolicy, KeyUsage,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, anchor_from_trusted_cert,
    spki_for_anchor,
};

use super::{
    CertificateAddresses, ClientAddress, ClientRefusal, ClientTrust, ClientVerdict,
    UnusableAddress,
    powers::Powers,
    revocation::{Lists, unix},
    subject, version_1,
};
use crate::{
    Cause, Certificate, KeyAlgorithm, Loss, MalformedCertificate, Unhonoured,
    certificate::{Fields, key_identifiers},
    key::public_key_algorithm,
};

/// How many certificates a client may send above its own; webpki looks no further than 6.
const SENT: usize = 16;

/// How many of them may have the same name: an authority that was renewed, or that another signed, too.
const NAMESAKES: usize = 2;

/// Judges client certificates under one [`ClientTrust`], whose authorities and revocation lists it
/// has read already.
///
/// It is made by [`ServerPolicy::judge`](crate::ServerPolicy::judge), from the policy whose acceptor asks the clients:
/// nobody judges by another trust than the one whose authorities the clients were shown.
pub struct ClientJudge {
    trust: Arc<ClientTrust>,
    anchors: Vec<TrustAnchor<'static>>,
    /// What each anchor may do, in their order.
    powers: Vec<Powers>,
    /// Authorities that another authority issued.
    between: Vec<CertificateDer<'static>>,
    lists: Option<Lists>,
    unhonoured: Vec<Unhonoured>,
}

impl fmt::Debug for ClientJudge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientJudge")
            .field("authorities", &self.trust.authorities)
            .field("lists", &self.lists)
            .field("addresses", &self.trust.addresses.len())
            .finish_non_exhaustive()
    }
}

/// The client's own certificate. What cannot be read of it is told only where it is wanted: other checks
/// may say more.
struct Leaf<'a> {
    certificate: &'a Certificate,
    fields: Result<Fields<'a>, MalformedCertificate>,
    /// The subject's.
    address: Result<Option<subject::Found>, MalformedCertificate>,
}

impl<'a> Leaf<'a> {
    fn read(certificate: &'a Certificate) -> Self {
        let fields = Fields::read(certificate.der());
        let address = fields.as_ref().map_err(Clone::clone).and_then(subject::of_subject);
        Self { certificate, fields, address }
    }

    fn fields(&self) -> Result<&Fields<'a>, MalformedCertificate> {
        self.fields.as_ref().map_err(Clone::clone)
    }
}

impl ClientJudge {
    /// Reads the authorities and the revocation lists.
    pub(crate) fn new(trust: Arc<ClientTrust>) -> Self {
        let (mut anchors, mut powers) = (Vec::new(), Vec::new());
        let (mut between, mut unhonoured) = (Vec::new(), Vec::new());
        let mut lost = |origin, reason| {
            let (loss, cause) = (Loss::Partial, Cause::Library);
            unhonoured.push(Unhonoured { origin, setting: "clients", loss, cause, reason });
        };
        for authority in &trust.authorities {
            let der = CertificateDer::from(authority.der());
            let read = Powers::read(&der).map_err(|e| e.to_string()).and_then(|it| {
                Ok((it, anchor_from_trusted_cert(&der).map_err(|e| e.to_string())?))
            });
            match read {
                // Good for itself alone.
                Ok((its, _)) if !its.signs_certificates => {}
                Ok(_) if has_issuer_among(authority, &trust.authorities) => {
                    between.push(der.into_owned());
                }
                Ok((its, anchor)) => {
                    anchors.push(anchor.to_owned());
                    powers.push(its);
                }
                Err(reason) => lost(
                    trust.origin,
                    format!("an authority for client certificates cannot be used: {reason}"),
                ),
            }
        }
        let lists = trust.revoked.as_deref().map(Lists::read);
        for unusable in lists.iter().flat_map(Lists::unusable) {
            lost(
                unusable.origin,
                format!(
                    "a revocation list cannot be used, and {}: {}",
                    unusable.consequence(),
                    unusable.reason
                ),
            );
        }
        Self { trust, anchors, powers, between, lists, unhonoured }
    }

    /// What it judges by.
    #[must_use]
    pub fn trust(&self) -> &Arc<ClientTrust> {
        &self.trust
    }

    /// Authorities and revocation lists that cannot be used.
    #[must_use]
    pub fn unhonoured(&self) -> &[Unhonoured] {
        &self.unhonoured
    }

    /// Judges the certificates that a client showed, its own first
    /// ([`TlsInfo::client_chain`](crate::TlsInfo::client_chain)), at a time in seconds since 1970.
    ///
    /// The time is bounded whatever the client sends: at most 100 signatures are checked, and a chain
    /// that branches too much is not searched.
    #[must_use]
    pub fn judge(&self, chain: &[Certificate], unix_seconds: u64) -> ClientVerdict {
        let Some((leaf, above)) = chain.split_first() else { return ClientVerdict::NotShown };
        let leaf = Leaf::read(leaf);
        let checked = self.check(&leaf, above, unix_seconds).and_then(|()| check_key(&leaf));
        let judged = checked.and_then(|()| self.listed_address(leaf));
        judged.map_or_else(ClientVerdict::Refused, ClientVerdict::Relay)
    }

    fn check(&self, leaf: &Leaf<'_>, above: &[Certificate], now: u64) -> Result<(), ClientRefusal> {
        let checked = self.check_chain(leaf, above, now).or_else(|refused| match refused {
            ClientRefusal::Version => {
                let authorities = self.anchors.iter().zip(&self.powers);
                version_1::check(leaf.certificate, authorities, self.lists.as_ref(), now)
            }
            refused => Err(refused),
        });
        let Err(refused) = checked else { return Ok(()) };
        // It may be an authority itself: for itself it needs no issuer.
        let of_chain = matches!(
            refused,
            ClientRefusal::UnknownIssuer { .. }
                | ClientRefusal::SelfSigned
                | ClientRefusal::SelfSignedInChain
                | ClientRefusal::AuthorityAsClient
                | ClientRefusal::Version
        );
        if !of_chain || !self.trust.authorities.contains(leaf.certificate) {
            return Err(refused);
        }
        let powers = Powers::of(leaf.fields()?)?;
        powers.check_time(now)?;
        if !powers.is_client {
            return Err(ClientRefusal::Purpose);
        }
        if self.lists.is_some() {
            // Nobody could revoke it, and whoever keeps lists wants to be able to.
            let issuer = leaf.certificate.describe()?.issuer;
            return Err(ClientRefusal::CrlMissing { issuer });
        }
        Ok(())
    }

    fn check_chain(
        &self,
        leaf: &Leaf<'_>,
        above: &[Certificate],
        now: u64,
    ) -> Result<(), ClientRefusal> {
        check_width(above)?;
        let refusal = |error| refusal(error, leaf.certificate, above);
        let der = CertificateDer::from(leaf.certificate.der());
        let client = EndEntityCert::try_from(&der).map_err(refusal)?;
        let mut between: Vec<_> = above.iter().map(|it| CertificateDer::from(it.der())).collect();
        between.extend(self.between.iter().map(|it| CertificateDer::from(it.as_ref())));

        let key_ids = || chain_keys(leaf.certificate, above);
        let in_force = self.lists.as_ref().map(|lists| lists.in_force(now, key_ids));
        let revocation = in_force.as_deref().and_then(|in_force| {
            let options = RevocationOptionsBuilder::new(in_force).ok()?;
            let options = options.with_expiration_policy(ExpirationPolicy::Enforce);
            Some(options.with_status_policy(UnknownStatusPolicy::Deny).build())
        });
        // One that cannot be read or used is never taken.
        let address = match &leaf.address {
            Ok(Some(Ok(address))) => Some(address),
            _ => None,
        };
        let verify = |revocation| {
            client.verify_for_usage(
                ALL_VERIFICATION_ALGS,
                &self.anchors,
                &between,
                unix(now),
                KeyUsage::client_auth(),
                revocation,
                Some(&|path| self.check_issuers(path, address, now)),
            )
        };
        let checked = verify(revocation);
        let by_lists = revocation.is_some();
        match (checked, &self.lists) {
            (Ok(_), Some(lists)) if !by_lists => {
                // No list is in force at all, and each certificate needs one.
                let path = verify(None).map_err(refusal)?;
                return Err(list_fault(lists, &path, now)
                    .unwrap_or_else(|| refusal(Error::UnknownRevocationStatus)));
            }
            // Whatever the others say: this one may be the one that revokes.
            (Ok(path), Some(lists)) => check_lists(lists, &path, now)?,
            (Ok(_), None) => {}
            (Err(error), Some(lists)) if is_of_lists(&error) => {
                let path = verify(None).map_err(refusal)?;
                return Err(list_fault(lists, &path, now).unwrap_or_else(|| refusal(error)));
            }
            (Err(error), _) => return Err(refusal(error)),
        }
        // Last, as the other checks say more.
        let powers = Powers::of(leaf.fields()?)?;
        if powers.is_client { Ok(()) } else { Err(ClientRefusal::Purpose) }
    }

    /// What webpki does not ask of issuers: whether the authority itself is in its time, and whether
    /// what each of them signed is what it may sign (RFC 5280 section 4.2.1.3), with the address of
    /// the client's subject that it may give (section 4.2.1.10).
    fn check_issuers(
        &self,
        path: &VerifiedPath<'_>,
        address: Option<&ClientAddress>,
        now: u64,
    ) -> Result<(), Error> {
        let may_name = |issuer: &Powers| address.is_none_or(|address| issuer.mail.admit(address));
        let anchor = self.anchors.iter().position(|anchor| ptr::eq(anchor, path.anchor()));
        let powers = anchor.and_then(|at| self.powers.get(at)).ok_or(Error::UnknownIssuer)?;
        powers.check_time(now).map_err(|refused| match refused {
            ClientRefusal::NotYetValid { not_before } => {
                Error::CertNotValidYet { time: unix(now), not_before: unix(not_before) }
            }
            _ => Error::CertExpired { time: unix(now), not_after: unix(powers.not_after) },
        })?;
        if !powers.for_clients {
            // The one of its errors on purposes that tells no more.
            return Err(Error::EmptyEkuExtension);
        }
        if self.lists.is_some() && !powers.signs_lists {
            return Err(Error::IssuerNotCrlSigner);
        }
        if !may_name(powers) {
            return Err(Error::NameConstraintViolation);
        }
        for issuer in path.intermediate_certificates() {
            let powers = Powers::read(&issuer.der()).map_err(|_| Error::MalformedExtensions)?;
            if !powers.signs_certificates {
                return Err(Error::EndEntityUsedAsCa);
            }
            if !may_name(&powers) {
                return Err(Error::NameConstraintViolation);
            }
        }
        Ok(())
    }

    fn listed_address(&self, leaf: Leaf<'_>) -> Result<ClientAddress, ClientRefusal> {
        let mut found: Vec<_> = leaf.address?.into_iter().collect();
        if self.trust.counted == CertificateAddresses::SubjectAndAlternativeNames {
            found.extend(subject::of_alternative_names(&leaf.fields?)?);
        }
        let (mut unlisted, mut unusable) = (None, None);
        for address in found {
            match address {
                Ok(address) => {
                    let listed = &self.trust.addresses;
                    if listed.contains(&address.as_str().to_ascii_lowercase()) {
                        return Ok(address);
                    }
                    unlisted.get_or_insert(address);
                }
                // As if it were not there.
                Err(UnusableAddress::Empty) => {}
                Err(reason) => {
                    unusable.get_or_insert(reason);
                }
            }
        }
        Err(match (unlisted, unusable) {
            (Some(address), _) => ClientRefusal::NotListed(address),
            (None, Some(reason)) => ClientRefusal::AddressUnusable(reason),
            (None, None) => ClientRefusal::NoAddress,
        })
    }
}

/// Whoever finds the private key of a weak public one has what the client proves that it has. OpenSSL
/// passes that over in a handshake where trust is judged later.
fn check_key(leaf: &Leaf<'_>) -> Result<(), ClientRefusal> {
    match public_key_algorithm(leaf.fields()?.public_key_info) {
        KeyAlgorithm::Rsa { bits: 2048.. }
        | KeyAlgorithm::Ec { bits: Some(_) }
        | KeyAlgorithm::Ed25519 => Ok(()),
        weak => Err(ClientRefusal::Key(weak)),
    }
}

/// Each certificate that could be the issuer of another is tried, and again with each that could be
/// its own: where many have one name, there is no end of it.
fn check_width(above: &[Certificate]) -> Result<(), ClientRefusal> {
    if above.len() > SENT {
        return Err(ClientRefusal::TooComplex);
    }
    let subjects = above.iter().map(|it| Ok(Fields::read(it.der())?.subject));
    let subjects = subjects.collect::<Result<Vec<_>, MalformedCertificate>>()?;
    let namesakes = |name| subjects.iter().filter(|other| *other == name).count();
    let tangled = subjects.iter().any(|subject| namesakes(subject) > NAMESAKES);
    if tangled { Err(ClientRefusal::TooComplex) } else { Ok(()) }
}

/// Whether an authority has its issuer among them, itself aside.
fn has_issuer_among(authority: &Certificate, all: &[Certificate]) -> bool {
    let Ok(fields) = Fields::read(authority.der()) else { return false };
    if fields.issuer == fields.subject {
        return false;
    }
    let (_, wanted) = key_identifiers(authority.der());
    all.iter().filter(|other| *other != authority).any(|other| {
        Fields::read(other.der()).is_ok_and(|other| other.subject == fields.issuer)
            && match (&wanted, key_identifiers(other.der()).0) {
                (Some(wanted), Some(key)) => *wanted == key,
                _ => true,
            }
    })
}

/// The keys that the certificates of a chain say they were signed with.
fn chain_keys(leaf: &Certificate, above: &[Certificate]) -> Vec<Vec<u8>> {
    let chain = std::iter::once(leaf).chain(above);
    chain.filter_map(|certificate| key_identifiers(certificate.der()).1).collect()
}

/// Whether every list of a chain's issuers can be used, and whether the last ones revoke.
fn check_lists(lists: &Lists, path: &VerifiedPath<'_>, now: u64) -> Result<(), ClientRefusal> {
    let anchor = path.anchor();
    let (mut name, mut key) = (anchor.subject.as_ref(), spki_for_anchor(anchor));
    let mut revoked = false;
    for certificate in path.intermediate_certificates().rev() {
        lists.check_usable(name)?;
        revoked |= lists.last_revokes((name, &key), certificate.serial(), now)?;
        (name, key) = (certificate.subject(), certificate.subject_public_key_info());
    }
    lists.check_usable(name)?;
    revoked |= lists.last_revokes((name, &key), path.end_entity().serial(), now)?;
    if revoked { Err(ClientRefusal::Revoked) } else { Ok(()) }
}

/// What is wrong with the lists of a chain's issuers, from the authority down.
fn list_fault(lists: &Lists, path: &VerifiedPath<'_>, now: u64) -> Option<ClientRefusal> {
    let anchor = path.anchor();
    let mut issuer: (Vec<u8>, SubjectPublicKeyInfoDer<'_>) =
        (anchor.subject.as_ref().to_vec(), spki_for_anchor(anchor));
    for certificate in path.intermediate_certificates().rev() {
        if let Some(fault) = lists.of_issuer(&issuer.0, &issuer.1, now).err() {
            return Some(fault);
        }
        issuer = (certificate.subject().to_vec(), certificate.subject_public_key_info());
    }
    lists.of_issuer(&issuer.0, &issuer.1, now).err()
}

fn is_of_lists(error: &Error) -> bool {
    matches!(
        error,
        Error::UnknownRevocationStatus
            | Error::CrlExpired { .. }
            | Error::InvalidCrlSignatureForPublicKey
            | Error::UnsupportedCrlSignatureAlgorithmContext(_)
            | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_)
    )
}

impl From<MalformedCertificate> for ClientRefusal {
    fn from(error: MalformedCertificate) -> Self {
        Self::Malformed(error.to_string())
    }
}

fn refusal(error: Error, leaf: &Certificate, above: &[Certificate]) -> ClientRefusal {
    let unusable =
        |reason: &str| ClientRefusal::CrlUnusable { reason: reason.into(), origin: None };
    match error {
        Error::CertExpired { not_after, .. } => {
            ClientRefusal::Expired { not_after: not_after.as_secs() }
        }
        Error::CertNotValidYet { not_before, .. } => {
            ClientRefusal::NotYetValid { not_before: not_before.as_secs() }
        }
        Error::UnknownIssuer | Error::CertDistrusted => unknown_issuer(leaf, above),
        Error::InvalidSignatureForPublicKey | Error::SignatureAlgorithmMismatch => {
            ClientRefusal::Signature
        }
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => ClientRefusal::Purpose,
        Error::EndEntityUsedAsCa => ClientRefusal::NotAnAuthority,
        Error::CaUsedAsEndEntity if is_self_issued(leaf) => unknown_issuer(leaf, above),
        Error::CaUsedAsEndEntity => ClientRefusal::AuthorityAsClient,
        Error::PathLenConstraintViolated => ClientRefusal::PathLength,
        Error::NameConstraintViolation => ClientRefusal::NameConstraints,
        Error::CertRevoked => ClientRefusal::Revoked,
        Error::IssuerNotCrlSigner => ClientRefusal::CrlSigner,
        Error::UnknownRevocationStatus => unusable("none covers every certificate of the chain"),
        Error::CrlExpired { .. } => unusable("one of the chain is past its time"),
        Error::InvalidCrlSignatureForPublicKey => unusable("a signature is not the issuer's"),
        Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            unusable("a signature is of a kind that is not taken")
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ClientRefusal::Algorithm,
        Error::MaximumSignatureChecksExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => ClientRefusal::TooComplex,
        Error::UnsupportedCertVersion => ClientRefusal::Version,
        other => ClientRefusal::Malformed(other.to_string()),
    }
}

fn is_self_issued(certificate: &Certificate) -> bool {
    Fields::read(certificate.der()).is_ok_and(|fields| fields.issuer == fields.subject)
}

/// How the client's own chain ends, by its names.
pub(super) fn unknown_issuer(leaf: &Certificate, above: &[Certificate]) -> ClientRefusal {
    if is_self_issued(leaf) {
        return ClientRefusal::SelfSigned;
    }
    let sent: Vec<_> = above.iter().filter_map(|it| Fields::read(it.der()).ok()).collect();
    let issuer_of = |name: &[u8]| sent.iter().find(|sent| sent.subject == name);
    let mut top = Fields::read(leaf.der()).ok().and_then(|leaf| issuer_of(leaf.issuer));
    let alone = top.is_none();
    for _ in above {
        let Some(fields) = top else { break };
        if fields.issuer == fields.subject {
            return ClientRefusal::SelfSignedInChain;
        }
        top = issuer_of(fields.issuer);
    }
    ClientRefusal::UnknownIssuer { alone }
}
