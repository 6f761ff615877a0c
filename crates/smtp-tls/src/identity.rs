//! Puts an identity together from PEM sections in any order.
//!
//! Roles are told by what the sections hold: the one private key, the certificate that carries its
//! public key (or, where the key's encoding does not tell, the certificate that issued none of the
//! others), and above it each certificate whose subject is the issuer of the one before. What is
//! left over is named, not used. Signatures are not checked.

use std::{
    cell::OnceCell,
    collections::{HashMap, HashSet},
};

use thiserror::Error;

use crate::{
    Certificate, Identity, KeyKind, MalformedCertificate, PemKind, PemSection, PrivateKey,
    certificate::{Fields, KeyIdentifiers, key_identifiers},
    key::key_matches,
};

/// The most sections that an identity is looked for in. A server's file holds a handful; with every
/// authority of a system's store appended, some hundreds.
const SECTIONS: usize = 1024;

/// Why sections do not make an identity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// There are more sections than an identity is looked for in.
    #[error("more than {SECTIONS} sections")]
    TooManySections {
        /// The first one too many.
        section: usize,
    },
    /// There is no certificate.
    #[error("no certificate")]
    NoCertificate,
    /// There is no private key.
    #[error("no private key")]
    NoPrivateKey,
    /// The private key needs a passphrase, and nobody can be asked for one.
    #[error("the private key is encrypted")]
    EncryptedPrivateKey {
        /// Its place in the list of sections.
        section: usize,
    },
    /// There are several private keys.
    #[error("more than one private key")]
    SeveralPrivateKeys {
        /// The second one's place in the list of sections.
        section: usize,
    },
    /// A certificate cannot be read.
    #[error("{reason}")]
    Malformed {
        /// Its place in the list of sections.
        section: usize,
        /// What is wrong with it.
        reason: MalformedCertificate,
    },
    /// No certificate carries the key's public key.
    #[error("the private key matches none of the certificates")]
    KeyMismatch {
        /// The key's place in the list of sections.
        section: usize,
    },
}

impl MaterialError {
    /// The section at fault, as a place in the list of sections.
    #[must_use]
    pub const fn section(&self) -> Option<usize> {
        match self {
            Self::NoCertificate | Self::NoPrivateKey => None,
            Self::TooManySections { section }
            | Self::EncryptedPrivateKey { section }
            | Self::SeveralPrivateKeys { section }
            | Self::Malformed { section, .. }
            | Self::KeyMismatch { section } => Some(*section),
        }
    }
}

/// Why a section took no part in an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnusedReason {
    /// A certificate that is not above the leaf.
    UnrelatedCertificate,
    /// The same certificate or key once more.
    Duplicate,
    /// Neither a certificate nor a private key.
    OtherKind(PemKind),
}

/// A section that took no part in an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its place in the list of sections.
    pub section: usize,
    /// Why.
    pub reason: UnusedReason,
}

/// An identity and what was left over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembly {
    /// What was put together.
    pub identity: Identity,
    /// Where each certificate of the chain stands in the list of sections, the leaf first. Where these
    /// do not ascend, the sections were in another order than they are sent in.
    pub chain: Vec<usize>,
    /// What took no part, in order.
    pub unused: Vec<Unused>,
}

struct Candidate {
    section: usize,
    certificate: Certificate,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    public_key_info: Vec<u8>,
    identifiers: OnceCell<KeyIdentifiers>,
}

impl Candidate {
    /// The key identifiers: (subject's, authority's). Read once, and only where two share a name.
    fn identifiers(&self) -> &KeyIdentifiers {
        self.identifiers.get_or_init(|| key_identifiers(self.certificate.der()))
    }
}

impl Identity {
    /// Puts an identity together from all sections of one or more files, in any order.
    ///
    /// # Errors
    ///
    /// [`MaterialError`] if there is no certificate, not exactly one usable private key, the key
    /// belongs to none of the certificates, or there are more than 1024 sections.
    pub fn from_pem_sections(sections: &[PemSection]) -> Result<Self, MaterialError> {
        Self::assemble(sections).map(|assembly| assembly.identity)
    }

    /// As [`from_pem_sections`](Self::from_pem_sections), and says what was left over.
    ///
    /// # Errors
    ///
    /// As [`from_pem_sections`](Self::from_pem_sections).
    pub fn assemble(sections: &[PemSection]) -> Result<Assembly, MaterialError> {
        if sections.len() > SECTIONS {
            return Err(MaterialError::TooManySections { section: SECTIONS });
        }
        let mut unused = Vec::new();
        let mut known: HashSet<&[u8]> = HashSet::new();
        let mut certificates: Vec<Candidate> = Vec::new();
        let mut keys: Vec<(usize, KeyKind)> = Vec::new();
        let mut encrypted = None;
        for (section, pem) in sections.iter().enumerate() {
            match pem.kind() {
                PemKind::Certificate => {
                    if !known.insert(&pem.der) {
                        unused.push(Unused { section, reason: UnusedReason::Duplicate });
                        continue;
                    }
                    let fields = Fields::read(&pem.der)
                        .map_err(|reason| MaterialError::Malformed { section, reason })?;
                    certificates.push(Candidate {
                        section,
                        certificate: Certificate::from_der(pem.der.clone()),
                        issuer: fields.issuer.to_vec(),
                        subject: fields.subject.to_vec(),
                        public_key_info: fields.public_key_info.to_vec(),
                        identifiers: OnceCell::new(),
                    });
                }
                PemKind::PrivateKey(kind) => {
                    if !known.insert(&pem.der) {
                        unused.push(Unused { section, reason: UnusedReason::Duplicate });
                    } else {
                        keys.push((section, kind));
                    }
                }
                PemKind::EncryptedPrivateKey => encrypted = encrypted.or(Some(section)),
                other => {
                    unused.push(Unused { section, reason: UnusedReason::OtherKind(other) });
                }
            }
        }
        if let Some(section) = encrypted {
            return Err(MaterialError::EncryptedPrivateKey { section });
        }
        let (key_section, key) = match keys[..] {
            [] => return Err(MaterialError::NoPrivateKey),
            [(section, kind)] => {
                (section, PrivateKey::from_der(kind, sections[section].der.clone()))
            }
            [_, (section, _), ..] => return Err(MaterialError::SeveralPrivateKeys { section }),
        };
        if certificates.is_empty() {
            return Err(MaterialError::NoCertificate);
        }
        let leaf = find_leaf(&key, &certificates)
            .ok_or(MaterialError::KeyMismatch { section: key_section })?;
        let leaf = certificates.remove(leaf);
        let (issuers, unrelated) = order(&leaf, &certificates);
        let mut chain = vec![leaf.section];
        chain.extend(issuers.iter().map(|issuer| issuer.section));
        unused.extend(
            unrelated
                .into_iter()
                .map(|section| Unused { section, reason: UnusedReason::UnrelatedCertificate }),
        );
        unused.sort_by_key(|unused| unused.section);
        let issuers = issuers.into_iter().map(|issuer| issuer.certificate.clone()).collect();
        Ok(Assembly { identity: Self::new(leaf.certificate, issuers, key), chain, unused })
    }
}

fn find_leaf(key: &PrivateKey, certificates: &[Candidate]) -> Option<usize> {
    let matches: Vec<Option<bool>> =
        certificates.iter().map(|c| key_matches(key, &c.public_key_info)).collect();
    if let Some(sure) = matches.iter().position(|m| *m == Some(true)) {
        return Some(sure);
    }
    let possible = |index: usize| matches[index].is_none();
    let mut issued: HashMap<&[u8], usize> = HashMap::new();
    for candidate in certificates {
        *issued.entry(&candidate.issuer).or_default() += 1;
    }
    let issues_another = |index: usize| {
        let Candidate { issuer, subject, .. } = &certificates[index];
        let by_itself = usize::from(issuer == subject);
        issued.get(subject.as_slice()).is_some_and(|&count| count > by_itself)
    };
    (0..certificates.len())
        .find(|&i| possible(i) && !issues_another(i))
        .or_else(|| (0..certificates.len()).find(|&i| possible(i)))
}

/// The certificates above the leaf in order, and the sections of the others.
fn order<'a>(leaf: &'a Candidate, rest: &'a [Candidate]) -> (Vec<&'a Candidate>, Vec<usize>) {
    let mut by_subject: HashMap<&[u8], Vec<&Candidate>> = HashMap::new();
    for candidate in rest {
        by_subject.entry(&candidate.subject).or_default().push(candidate);
    }
    let mut used = HashSet::new();
    let mut chain = Vec::new();
    let mut top = leaf;
    while top.issuer != top.subject {
        let Some(named) = by_subject.get_mut(top.issuer.as_slice()).filter(|c| !c.is_empty())
        else {
            break;
        };
        let identified = match &named[..] {
            [_] => None,
            several => top.identifiers().1.as_ref().and_then(|wanted| {
                several.iter().position(|c| c.identifiers().0.as_ref() == Some(wanted))
            }),
        };
        top = named.remove(identified.unwrap_or(0));
        used.insert(top.section);
        chain.push(top);
    }
    let left = rest.iter().map(|c| c.section).filter(|section| !used.contains(section));
    (chain, left.collect())
}
