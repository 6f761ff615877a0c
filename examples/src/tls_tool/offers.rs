//! What a TLS library makes of every policy of a control directory.
//!
//! Does: hand each policy to the library, and tell what it does not honour as diagnostics with a place.
//! Does not: listen or connect. Fails: never; a policy that the library cannot take is a diagnostic.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hvmail_control::diagnostic::{Diagnostic, Place, Severity};
use hvmail_control::snapshot::{Origin, OriginId};
use hvmail_control::{Control, Service};
use smtp_tls::cipher::{KeyExchange, Suite};
use smtp_tls::{
    Backend, Cause, ClientOffer, ConfigError, DheGroup, Loss, ServerOffer, ServerPolicy,
    Unhonoured, Version,
};

use crate::acceptors::Acceptors;
use crate::judges::Judges;

/// What is offered by either side, the preferred one of each first.
#[derive(Clone, Copy)]
pub(super) struct Offered<'a> {
    pub(super) tls13: &'a [&'static Suite],
    pub(super) tls12: &'a [&'static Suite],
    pub(super) groups: &'a [&'static str],
    /// Of a server, the group of the suites with DHE.
    pub(super) dhe: Option<DheGroup>,
}

impl<'a> From<&'a ServerOffer> for Offered<'a> {
    fn from(offer: &'a ServerOffer) -> Self {
        Self { tls13: &offer.tls13, tls12: &offer.tls12, groups: &offer.groups, dhe: offer.dhe }
    }
}

impl<'a> From<&'a ClientOffer> for Offered<'a> {
    fn from(offer: &'a ClientOffer) -> Self {
        Self { tls13: &offer.tls13, tls12: &offer.tls12, groups: &offer.groups, dhe: None }
    }
}

/// What is agreed on with a peer that has all that is offered and prefers nothing itself.
pub(super) struct ModernPeer {
    pub(super) version: Version,
    pub(super) suite: &'static Suite,
    /// `None`: the suite agrees on its keys without one.
    pub(super) group: Option<&'static str>,
}

/// The highest version, and the first of its suites and groups.
pub(super) fn modern_peer(offer: Offered<'_>) -> Option<ModernPeer> {
    let (version, suite) = match (offer.tls13.first(), offer.tls12.first()) {
        (Some(suite), _) => (Version::Tls13, suite),
        (None, Some(suite)) => (Version::Tls12, suite),
        (None, None) => return None,
    };
    let agrees = version == Version::Tls13 || suite.key_exchange() == KeyExchange::Ecdhe;
    Some(ModernPeer { version, suite, group: offer.groups.first().copied().filter(|_| agrees) })
}

/// What the library says of everything that the enabled services may offer, broken ones included. What
/// it says alike of several services is said once, with their names; what is a setting's own
/// doing is among the directory's diagnostics.
///
/// Policies that are equal are handed to the library once, whoever else asks about them.
pub(super) fn diagnostics(
    control: &Control,
    backend: Backend,
    acceptors: &mut Acceptors,
) -> Vec<Diagnostic> {
    let mut said: Vec<Diagnostic> = Vec::new();
    let mut judges = Judges::default();
    let mut known: HashMap<(Place, String), usize> = HashMap::new();
    for service in control.services.iter().filter(|service| service.enabled.value) {
        for tls in control.tls_policies(service) {
            let Some(policy) = tls.policy() else { continue };
            let of_judge = judges.unhonoured(&tls);
            let of_judge = of_judge.iter().map(|it| not_honoured(control, backend, it));
            let of_judge = of_judge.map(|diagnostic| diagnostic.for_service(service.name));
            for diagnostic in
                of_policy(control, service, policy, backend, acceptors).into_iter().chain(of_judge)
            {
                match known.entry((diagnostic.place.clone(), diagnostic.message.clone())) {
                    Entry::Vacant(new) => {
                        new.insert(said.len());
                        said.push(diagnostic);
                    }
                    Entry::Occupied(alike) => {
                        let other = &mut said[*alike.get()];
                        for name in diagnostic.services {
                            if !other.concerns(&name) {
                                other.services.push(name);
                            }
                        }
                    }
                }
            }
        }
    }
    said.retain(|said| !is_refused_already(control, said));
    said
}

/// Whether this is about a cipher string that OpenSSL would refuse, which the directory's diagnostics say whatever the
/// library.
fn is_refused_already(control: &Control, said: &Diagnostic) -> bool {
    let is_within = |part: &Diagnostic| match (&part.place, &said.place) {
        (Place::Span(part), Place::Span(whole)) => {
            part.file == whole.file && whole.start <= part.start && part.end <= whole.end
        }
        (part, whole) => part == whole,
    };
    let mut known = control.diagnostics.iter();
    said.code == REFUSED_BY_LIBRARY
        && known.any(|known| {
            known.code == "ciphers-refused"
                && known.severity == Severity::Error
                && is_within(known)
                && said.services.iter().all(|name| known.concerns(name))
        })
}

/// The code of a cipher string that the library has nothing of, or cannot take.
const REFUSED_BY_LIBRARY: &str = "cipher-string";

fn of_policy(
    control: &Control,
    service: &Service,
    policy: &ServerPolicy,
    backend: Backend,
    acceptors: &mut Acceptors,
) -> Vec<Diagnostic> {
    match acceptors.get(None, policy) {
        Ok((_, unhonoured)) => unhonoured
            .iter()
            .filter(|unhonoured| unhonoured.cause != Cause::Setting)
            .map(|unhonoured| not_honoured(control, backend, unhonoured).for_service(service.name))
            .collect(),
        Err(error) => vec![unfit(control, &error).for_service(service.name)],
    }
}

/// What a library does not, or not wholly, apply.
fn not_honoured(control: &Control, backend: Backend, unhonoured: &Unhonoured) -> Diagnostic {
    let Unhonoured { origin, setting, loss, reason, .. } = unhonoured;
    let severity = match loss {
        Loss::NotNeeded => Severity::Note,
        Loss::Partial | Loss::Whole => Severity::Warning,
    };
    let message = match loss {
        Loss::NotNeeded => format!("{backend} does without: {setting}: {reason}"),
        Loss::Partial => format!("{backend} honours a part of it: {setting}: {reason}"),
        Loss::Whole => format!("{backend} does not honour it: {setting}: {reason}"),
    };
    placed(control, Diagnostic::new(severity, "not-honoured", message), *origin)
}

/// A policy that the library cannot take: the service does not start.
fn unfit(control: &Control, error: &ConfigError) -> Diagnostic {
    let code = match error {
        ConfigError::Ciphers { .. } => REFUSED_BY_LIBRARY,
        ConfigError::Identity { .. } | ConfigError::KeyMismatch { .. } => "certificate-unusable",
        _ => "tls-library",
    };
    placed(control, Diagnostic::error(code, error.to_string()), error.origin())
}

fn placed(control: &Control, diagnostic: Diagnostic, origin: Option<OriginId>) -> Diagnostic {
    match origin.and_then(|origin| control.origin(origin)) {
        Some(Origin::File(span)) => diagnostic.at(*span),
        Some(Origin::Environment(name)) => diagnostic.in_environment(name),
        Some(Origin::Default(_)) | None => diagnostic,
    }
}
