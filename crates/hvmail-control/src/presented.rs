//! What there is to say about a certificate that is good enough to be served.
//!
//! Does: hold the chain against the name of the host, what the TLS libraries take, and the time. Does not:
//! verify a signature, nor decide whether the certificate is served. Fails: never; each finding is a
//! diagnostic of its own, none worse than a warning, since mail that arrives under a doubtful
//! certificate is still better off than mail in clear.

use std::net::IpAddr;

use smtp_tls::{Certificate, CertificateDescription, KeyAlgorithm};

use crate::diagnostic::{Diagnostic, quoted};
use crate::setting::{Gather, Setting};
use crate::snapshot::{Origin, Span};

/// The smallest RSA key that both libraries serve as they come.
const RSA_BITS: usize = 2048;

const DAY: u64 = 24 * 60 * 60;
/// How long before its end a certificate is worth a word.
const SOON: u64 = 14 * DAY;

/// A chain, the leaf first, with the place of each certificate.
pub(crate) struct Presented<'a> {
    pub(crate) chain: Vec<(&'a Certificate, Span)>,
    /// Whether it is the certificate that a program made for this directory.
    pub(crate) is_generated: bool,
}

/// Says what can be told without a clock.
pub(crate) fn report(
    gather: &mut Gather<'_>,
    presented: &Presented<'_>,
    me: Option<&Setting<String>>,
) {
    let described: Vec<(CertificateDescription, Span)> = presented
        .chain
        .iter()
        .filter_map(|(certificate, span)| Some((certificate.describe().ok()?, *span)))
        .collect();
    let Some((leaf, place)) = described.first() else { return };
    report_order(gather, presented);
    report_key(gather, leaf, *place);
    for (what, place) in described.iter().filter(|(what, _)| !what.is_self_issued) {
        report_digest(gather, what, *place);
    }
    if let Some((top, place)) = described.last() {
        report_top(gather, top, *place, described.len() == 1, presented.is_generated);
    }
    if let Some(me) = me {
        report_names(gather, leaf, *place, me, presented.is_generated);
    }
}

fn report_order(gather: &mut Gather<'_>, presented: &Presented<'_>) {
    let mut pairs = presented.chain.windows(2);
    let apart = pairs.find(|pair| pair[1].1.file == pair[0].1.file && pair[1].1 < pair[0].1);
    if let Some([_, (_, above)]) = apart {
        let message = "this certificate stands before the one that it issued; they are sent in the \
                       right order";
        gather.say(
            Diagnostic::note("certificate-chain-mended", message)
                .at(*above)
                .with_help("write the server's certificate first, then the issuer of each"),
        );
    }
}

fn report_key(gather: &mut Gather<'_>, leaf: &CertificateDescription, place: Span) {
    if let KeyAlgorithm::Rsa { bits } = leaf.key
        && bits < RSA_BITS
    {
        let message = format!(
            "the certificate's RSA key has {bits} bits: rustls does not serve one below {RSA_BITS}, nor \
             does OpenSSL at security level 2"
        );
        gather.say(
            Diagnostic::warning("certificate-short-key", message)
                .at(place)
                .with_help("get a certificate for a new key: ECDSA on P-256, or RSA of 2048 bits"),
        );
    }
}

fn report_digest(gather: &mut Gather<'_>, what: &CertificateDescription, place: Span) {
    if let Some(digest) = what.weak_digest {
        let message = format!(
            "the certificate of {} is signed over {digest}: OpenSSL does not serve it above security \
             level 0, and a client that verifies will not take it",
            quoted(&what.subject)
        );
        gather.say(
            Diagnostic::warning("certificate-weak-signature", message)
                .at(place)
                .with_help("get a certificate that is signed over SHA-256"),
        );
    }
}

fn report_top(
    gather: &mut Gather<'_>,
    top: &CertificateDescription,
    place: Span,
    is_leaf: bool,
    is_generated: bool,
) {
    if !is_leaf || is_generated {
        return;
    }
    gather.say(if top.is_self_issued {
        let message = "the certificate signs itself: a client that verifies takes it only if it was \
                       told of it";
        Diagnostic::note("certificate-self-signed", message).at(place)
    } else {
        let issuer = quoted(&top.issuer);
        let message = format!(
            "the certificate of its issuer, {issuer}, is not there to be sent: a client that verifies \
             takes this one only if it knows that issuer"
        );
        Diagnostic::warning("certificate-issuer-missing", message)
            .at(place)
            .with_help("add the authority's intermediate certificates to the files")
    });
}

fn report_names(
    gather: &mut Gather<'_>,
    leaf: &CertificateDescription,
    place: Span,
    me: &Setting<String>,
    is_generated: bool,
) {
    let host = &me.value;
    // What was made for names that the configuration has is for whom it says.
    if is_generated || leaf.names.iter().any(|name| is_name_of(name, host)) {
        return;
    }
    let message = if leaf.names.is_empty() {
        format!(
            "the certificate has no subject alternative name, so it is for no host; its subject, {}, \
             does not count (RFC 9525)",
            quoted(&leaf.subject)
        )
    } else {
        let names = leaf.names.iter().take(NAMES_SHOWN).map(|name| quoted(name));
        let names = names.collect::<Vec<_>>().join(", ");
        let more = if leaf.names.len() > NAMES_SHOWN { " and others" } else { "" };
        format!("the certificate is for {names}{more}, and not for {}", quoted(host))
    };
    let said = Diagnostic::warning("certificate-not-for-host", message)
        .at(place)
        .with_help("a client that verifies looks for the name that it was told to connect to");
    gather.say(match gather.origins.get(me.origin) {
        Some(Origin::File(span)) => said.with_related(*span, "the name of this host"),
        _ => said,
    });
}

const NAMES_SHOWN: usize = 3;

/// Whether a name of a certificate is one of this host: the same, or with `*` in the place of its
/// whole first label (RFC 9525, section 6.3).
pub(crate) fn is_name_of(name: &str, host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return name.parse() == Ok(address);
    }
    let (name, host) = (name.trim_end_matches('.'), host.trim_end_matches('.'));
    match name.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(first, rest)| !first.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => name.eq_ignore_ascii_case(host),
    }
}

/// What there is to say about a certificate at a time, in seconds since 1970. `whose` names it in
/// words, and `help` is for one that is not valid.
pub(crate) fn at_time(
    certificate: &Certificate,
    whose: &str,
    help: &str,
    unix_seconds: u64,
) -> Option<Diagnostic> {
    let what = certificate.describe().ok()?;
    let subject = quoted(&what.subject);
    if unix_seconds < what.not_before {
        let days = (what.not_before - unix_seconds) / DAY;
        let message = format!("{whose} of {subject} is not valid yet, for {days} days");
        return Some(Diagnostic::warning("certificate-not-yet-valid", message).with_help(help));
    }
    if unix_seconds > what.not_after {
        let days = (unix_seconds - what.not_after) / DAY;
        let message = format!("{whose} of {subject} expired {days} days ago");
        return Some(Diagnostic::warning("certificate-expired", message).with_help(help));
    }
    let left = what.not_after - unix_seconds;
    (left < SOON).then(|| {
        let message = format!("{whose} of {subject} expires in {} days", left / DAY);
        Diagnostic::note("certificate-expires-soon", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_as_a_client_compares_them() {
        for (name, host, expected) in [
            ("mx.example.com", "mx.example.com", true),
            ("MX.example.com", "mx.EXAMPLE.com", true),
            ("mx.example.com.", "mx.example.com", true),
            ("*.example.com", "mx.example.com", true),
            ("*.EXAMPLE.com", "mx.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.mx.example.com", false),
            ("*.example.com", ".example.com", false),
            ("m*.example.com", "mx.example.com", false),
            ("mx.*.com", "mx.example.com", false),
            ("*", "localhost", false),
            ("example.com", "mx.example.com", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:DB8:0::1", true),
            ("*.0.2.1", "192.0.2.1", false),
        ] {
            assert_eq!(is_name_of(name, host), expected, "{name} for {host}");
        }
    }
}
