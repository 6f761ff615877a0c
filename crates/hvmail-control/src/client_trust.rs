//! Relaying by client certificate: `tls.clientca.pem`, `tls.clientcrl.pem` and `tls.tlsclients`.
//!
//! The vendor calls these files unsupported; they are honoured, and every diagnostic about them says so.
//! Clients are asked for a certificate where there are both an authority and an address that could match,
//! and nowhere else. What is wrong with these files is never to anybody's advantage: an authority
//! that cannot be read vouches for nobody, and a revocation list that cannot be read makes one that vouches for
//! nobody of all of them, since nobody knows whom it revokes. Neither stops a service.
//!
//! Addresses are compared whole, letter case aside; one that no certificate could show is named and
//! left out, and one that is hardly meant is named.

use std::sync::Arc;

use smtp_tls::{
    Certificate, CertificateAddresses, ClientTrust, PemKind, PemSection, RevocationList,
};

use crate::diagnostic::{Diagnostic, Severity, quoted};
use crate::pem_file::{NotPem, PemFile};
use crate::presented;
use crate::read::list;
use crate::setting::Gather;
use crate::snapshot::{FileId, Origin, OriginId, Span, Spanned};

const AUTHORITIES: &str = "tls.clientca.pem";
const REVOKED: &str = "tls.clientcrl.pem";
const CLIENTS: &str = "tls.tlsclients";

const NONE_ASKED: &str = "no client certificate is asked for, so none lets a client relay";

/// Who may relay by certificate, and where each of the authorities stands.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificates {
    pub(crate) trust: Arc<ClientTrust>,
    authorities: Vec<OriginId>,
}

/// Reads who may relay by certificate, on every service that speaks TLS.
pub(crate) fn read(gather: &mut Gather<'_>) -> Option<ClientCertificates> {
    let authorities = authorities(gather);
    let addresses = addresses(gather);
    let (authorities, addresses) = match (authorities, addresses) {
        (Part::Usable(authorities), Part::Usable(addresses)) => (authorities, addresses),
        (authorities, addresses) => {
            report_missing(gather, &authorities, &addresses);
            return None;
        }
    };
    let origin = |authority: &Spanned<_>| gather.origins.id(Origin::File(authority.span));
    let places = authorities.iter().map(origin).collect();
    let certificates = authorities.into_iter().map(|authority| authority.value).collect();
    let asked_for = addresses.first().map(|first| gather.origins.id(Origin::File(first.span)));
    let trust = ClientTrust {
        revoked: revoked(gather),
        origin: asked_for,
        ..ClientTrust::new(certificates, addresses.iter().map(|address| &address.value))
    };
    Some(ClientCertificates { trust: Arc::new(trust), authorities: places })
}

/// What one of the files has to offer.
enum Part<T> {
    /// There is no such file.
    Absent,
    /// It is there and offers nothing; why, unless it is empty, was said.
    Nothing,
    /// At least one.
    Usable(Vec<Spanned<T>>),
}

impl<T> Part<T> {
    fn of(found: Vec<Spanned<T>>) -> Self {
        if found.is_empty() { Self::Nothing } else { Self::Usable(found) }
    }
}

/// Says what is missing where only a part of the files can be used.
fn report_missing(
    gather: &mut Gather<'_>,
    authorities: &Part<Certificate>,
    addresses: &Part<String>,
) {
    let said = match (authorities, addresses) {
        (Part::Usable(found), Part::Absent) => {
            found.first().map(|first| (first.span, format!("{CLIENTS} is absent")))
        }
        (Part::Usable(found), _) => {
            found.first().map(|first| (first.span, format!("{CLIENTS} names no address")))
        }
        (Part::Absent, Part::Usable(found)) => {
            found.first().map(|first| (first.span, format!("{AUTHORITIES} is absent")))
        }
        _ => None,
    };
    if let Some((span, missing)) = said {
        let message = format!("{NONE_ASKED}: {missing}");
        say(gather, Diagnostic::warning("client-certificates-off", message).at(span));
    }
    if !matches!(gather.loader.read(REVOKED), Ok(None)) {
        let path = gather.loader.resolve(REVOKED);
        say(gather, Diagnostic::note("file-not-in-force", NONE_ASKED).in_file(path));
    }
}

/// Every diagnostic about these files is marked.
fn say(gather: &mut Gather<'_>, diagnostic: Diagnostic) {
    gather.say(diagnostic.vendor_unsupported());
}

/// A file that is there; one that cannot be read is an error.
fn find(gather: &mut Gather<'_>, name: &str, help: &str) -> Option<Result<FileId, ()>> {
    match gather.loader.read(name) {
        Ok(found) => found.map(Ok),
        Err(error) => {
            say(gather, Diagnostic::from(error).with_help(help));
            Some(Err(()))
        }
    }
}

fn authorities(gather: &mut Gather<'_>) -> Part<Certificate> {
    let file = match find(gather, AUTHORITIES, NONE_ASKED) {
        None => return Part::Absent,
        Some(Err(())) => return Part::Nothing,
        Some(Ok(file)) => file,
    };
    const CODE: &str = "client-authority-unusable";
    let sections = match PemFile::read(gather, file) {
        Ok(PemFile(sections)) => sections,
        Err(NotPem { reason, span }) => {
            say(gather, Diagnostic::error(CODE, reason).at(span).with_help(NONE_ASKED));
            return Part::Nothing;
        }
    };
    let first = sections.first().map(|(_, span)| *span);
    let mut found: Vec<Spanned<Certificate>> = Vec::new();
    for (section, span) in sections {
        if section.kind() != PemKind::Certificate {
            say(gather, left_over(section.kind(), span));
            continue;
        }
        let certificate = Certificate::from_der(section.der.clone());
        if found.iter().any(|known| known.value == certificate) {
            let message = "this certificate was there before";
            say(gather, Diagnostic::note("unused-section", message).at(span));
            continue;
        }
        match certificate.describe() {
            Ok(what) => {
                if !what.is_authority && !what.is_self_issued {
                    let subject = quoted(&what.subject);
                    let message = format!("{subject} is no authority: it can vouch for nobody");
                    say(gather, Diagnostic::warning("client-authority-is-none", message).at(span));
                }
                found.push(Spanned::new(certificate, span));
            }
            Err(error) => {
                let help = "clients whose certificates it issued may not relay by them";
                say(gather, Diagnostic::warning(CODE, error.to_string()).at(span).with_help(help));
            }
        }
    }
    if let (true, Some(span)) = (found.is_empty(), first) {
        let message = "no certificate of an authority in this file";
        say(gather, Diagnostic::error(CODE, message).at(span).with_help(NONE_ASKED));
    }
    Part::of(found)
}

/// What became of a section that its file is not for.
fn left_over(kind: PemKind, span: Span) -> Diagnostic {
    const CODE: &str = "unused-section";
    match kind {
        PemKind::PrivateKey(_) | PemKind::EncryptedPrivateKey => {
            Diagnostic::warning(CODE, "this private key is not used here")
                .at(span)
                .with_help("the key of an authority has no place on a server: take it away")
        }
        PemKind::Crl => Diagnostic::warning(CODE, "this revocation list is not used")
            .at(span)
            .with_help(format!("revocation lists are read from {REVOKED}")),
        PemKind::Certificate => Diagnostic::warning(CODE, "this certificate is not used")
            .at(span)
            .with_help(format!("authorities are read from {AUTHORITIES}")),
        _ => Diagnostic::note(CODE, "this section is not used").at(span),
    }
}

fn addresses(gather: &mut Gather<'_>) -> Part<String> {
    let file = match find(gather, CLIENTS, NONE_ASKED) {
        None => return Part::Absent,
        Some(Err(())) => return Part::Nothing,
        Some(Ok(file)) => file,
    };
    let (entries, diagnostics) =
        gather.parse(file, |bytes, file| list::entries(bytes, file, Severity::Warning));
    for diagnostic in diagnostics {
        say(gather, diagnostic);
    }
    let mut found = Vec::new();
    for entry in entries {
        let shown = quoted(&entry.value);
        if let Some(why) = why_never(&entry.value) {
            let message = format!("{shown} lets no client relay: {why}");
            say(gather, Diagnostic::warning("client-never-matches", message).at(entry.span));
            continue;
        }
        if let Some(why) = why_no_address(&entry.value) {
            let message = format!("{shown} is no mail address: {why}");
            let help = "it lets a client relay whose certificate says exactly this, and no other";
            let said = Diagnostic::warning("client-not-an-address", message);
            say(gather, said.at(entry.span).with_help(help));
        }
        found.push(entry);
    }
    Part::of(found)
}

/// Why no certificate can show this, if none can.
fn why_never(text: &str) -> Option<&'static str> {
    if !text.is_ascii() {
        return Some("the address of a certificate is ASCII");
    }
    text.contains(|c: char| !c.is_ascii_graphic())
        .then_some("an address has neither blanks nor control characters")
}

/// Why an entry is hardly what was meant. It is compared as it is, as qmail does.
fn why_no_address(text: &str) -> Option<&'static str> {
    match text.split_once('@') {
        None => Some("there is no @"),
        Some(("", _)) => Some("addresses are compared whole, not by their domains"),
        Some((_, "")) => Some("there is no domain"),
        Some(_) => None,
    }
}

/// What the authorities have revoked; `None`: the file is absent.
fn revoked(gather: &mut Gather<'_>) -> Option<Vec<RevocationList>> {
    const NOBODY: &str = "until it is mended, no certificate lets a client relay";
    const CODE: &str = "client-crl-unusable";
    let Ok(file) = find(gather, REVOKED, NOBODY)? else { return Some(Vec::new()) };
    let error =
        |reason: String, span: Span| Diagnostic::error(CODE, reason).at(span).with_help(NOBODY);
    let sections = match PemFile::read(gather, file) {
        Ok(PemFile(sections)) => sections,
        Err(NotPem { reason, span }) => {
            say(gather, error(reason, span));
            return Some(Vec::new());
        }
    };
    let first = sections.first().map(|(_, span)| *span);
    let (mut lists, mut usable) = (Vec::new(), true);
    for (section, span) in sections {
        if section.kind() != PemKind::Crl {
            say(gather, left_over(section.kind(), span));
            continue;
        }
        let list = revocation_list(gather, &section, span);
        match list.describe() {
            Ok(_) => lists.push(list),
            Err(reason) => {
                say(gather, error(reason.to_string(), span));
                usable = false;
            }
        }
    }
    if let (true, true, Some(span)) = (usable, lists.is_empty(), first) {
        say(gather, error("no revocation list in this file".to_owned(), span));
    }
    Some(if usable { lists } else { Vec::new() })
}

fn revocation_list(gather: &mut Gather<'_>, section: &PemSection, span: Span) -> RevocationList {
    let origin = gather.origins.id(Origin::File(span));
    RevocationList::from_der(section.der.clone()).with_origin(origin)
}

impl ClientCertificates {
    /// What there is to say about the authorities and their lists at a time, in seconds since 1970.
    pub(crate) fn at_time(
        &self,
        unix_seconds: u64,
    ) -> impl Iterator<Item = (Diagnostic, Option<OriginId>)> {
        const HELP: &str = "its clients may find that their certificates do not let them relay";
        let authorities = self.trust.authorities.iter().zip(&self.authorities);
        let authorities = authorities.filter_map(move |(certificate, origin)| {
            let whose = "the certificate of a client authority,";
            let said = presented::at_time(certificate, whose, HELP, unix_seconds)?;
            Some((said, Some(*origin)))
        });
        let lists = self.trust.revoked.iter().flatten().filter_map(move |list| {
            let what = list.describe().ok()?;
            let issuer = quoted(&what.issuer);
            let (code, message) = if unix_seconds < what.this_update {
                let message = format!("the revocation list of {issuer} is of a time to come");
                ("client-crl-not-yet-valid", message)
            } else if unix_seconds > what.next_update {
                let days = (unix_seconds - what.next_update) / (24 * 60 * 60);
                let message =
                    format!("the revocation list of {issuer} is out of date by {days} days");
                ("client-crl-expired", message)
            } else {
                return None;
            };
            let help = "until there is another, no certificate of that issuer lets a client relay";
            let said = Diagnostic::warning(code, message).with_help(help);
            Some((said, list.origin()))
        });
        authorities.chain(lists).map(|(said, origin)| (said.vendor_unsupported(), origin))
    }

    /// The same clients, with other addresses of their certificates counted.
    pub(crate) fn counting(&self, counted: CertificateAddresses) -> Self {
        let trust = ClientTrust { counted, ..ClientTrust::clone(&self.trust) };
        Self { trust: Arc::new(trust), authorities: self.authorities.clone() }
    }
}
