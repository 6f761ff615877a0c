//! What is in the directory and has no effect here: named, so that nothing is dropped in silence.
//!
//! Two lists: control files that change the SMTP service or its TLS, and directives of
//! `greenarrow.conf` whose names say that they are about TLS. Each one that is present gets a
//! diagnostic that says what becomes of it. Every other directive of `greenarrow.conf` is the business of
//! another part of GreenArrow and is passed over.

use smtp_tls::{PemKind, pem_sections};

use crate::conf::tree::{Directive, Tree};
use crate::diagnostic::{Diagnostic, Severity};
use crate::setting::Gather;
use crate::snapshot::Span;

/// What a file holds when it is what its name says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    RsaKey,
    DhParameters,
    Certificates,
    Crls,
    Anything,
}

struct Known {
    name: &'static str,
    holds: Holds,
    severity: Severity,
    /// The vendor's documentation calls it unsupported.
    unsupported: bool,
    becomes: &'static str,
}

const fn temporary_key(name: &'static str, holds: Holds) -> Known {
    Known {
        name,
        holds,
        severity: Severity::Note,
        unsupported: false,
        becomes: "not used: today's TLS libraries choose their own key exchange parameters, and \
                  better ones",
    }
}

const fn client_certificates(name: &'static str, holds: Holds) -> Known {
    Known {
        name,
        holds,
        severity: Severity::Warning,
        unsupported: true,
        becomes: "not honoured yet: no client certificate is asked for, so none lets a client relay",
    }
}

const fn ignored(name: &'static str, becomes: &'static str) -> Known {
    Known { name, holds: Holds::Anything, severity: Severity::Note, unsupported: false, becomes }
}

const KNOWN: [Known; 24] = [
    temporary_key("tls.rsa512.pem", Holds::RsaKey),
    temporary_key("tls.rsa1024.pem", Holds::RsaKey),
    temporary_key("tls.rsa2048.pem", Holds::RsaKey),
    temporary_key("tls.dh512.pem", Holds::DhParameters),
    temporary_key("tls.dh1024.pem", Holds::DhParameters),
    temporary_key("tls.dh2048.pem", Holds::DhParameters),
    client_certificates("tls.clientca.pem", Holds::Certificates),
    client_certificates("tls.clientcrl.pem", Holds::Crls),
    client_certificates("tls.tlsclients", Holds::Anything),
    ignored("virtualdomains", "not honoured: there is no local delivery but the Maildir"),
    ignored("locals", "not honoured: there is no local delivery but the Maildir"),
    ignored("badmailfrom", "not honoured: no sender is refused by it"),
    ignored("badmailto", "not honoured: no recipient is refused by it"),
    ignored("badrcptto", "not honoured: no recipient is refused by it"),
    ignored(
        "morercpthosts",
        "not honoured: mail for these domains is refused unless rcpthosts has them",
    ),
    ignored(
        "morercpthosts.cdb",
        "not honoured: mail for these domains is refused unless rcpthosts has them",
    ),
    ignored("smtpgreeting", "not honoured: the greeting is the name in me"),
    ignored("localiphost", "not honoured: an address literal is taken only if rcpthosts has it"),
    ignored("smtp.checkpassword", "not honoured: SMTP AUTH is not offered yet"),
    ignored("outgoingip", "not honoured: the host chooses the address that connections leave by"),
    ignored("helohost", "not honoured: outgoing mail names the host by me"),
    ignored("replaceipme", "not honoured"),
    ignored("tcp.take_ports", "not honoured"),
    ignored("bouncemaxbytes", "not honoured: there is no queue, so there are no bounces"),
];

/// Says what becomes of each known file that is present.
pub(crate) fn files(gather: &mut Gather<'_>) {
    for known in &KNOWN {
        let file = match gather.loader.read(known.name) {
            Ok(None) => continue,
            Ok(Some(file)) => file,
            Err(error) => {
                // Nothing fails for a file that has no effect either way.
                let diagnostic = Diagnostic::from(error).with_help(known.becomes);
                gather.say(Diagnostic { severity: Severity::Warning, ..diagnostic });
                continue;
            }
        };
        let bytes = gather.loader.snapshot().bytes(file);
        if bytes.iter().all(u8::is_ascii_whitespace) && known.holds == Holds::Anything {
            continue;
        }
        let kind = unlike_its_name(known.holds, bytes);
        let first = crate::read::lines(bytes)
            .map(|line| line.trim_end().span(file))
            .next()
            .unwrap_or(Span::new(file, 0, 0));
        let mut diagnostic =
            Diagnostic::new(known.severity, "file-not-honoured", known.becomes).at(first);
        diagnostic.vendor_unsupported = known.unsupported;
        gather.say(diagnostic);
        if let Some(message) = kind {
            let mut diagnostic = Diagnostic::warning("unexpected-content", message).at(first);
            diagnostic.vendor_unsupported = known.unsupported;
            gather.say(diagnostic);
        }
    }
}

/// A sentence about a file that does not hold what its name promises.
fn unlike_its_name(holds: Holds, bytes: &[u8]) -> Option<String> {
    let (wanted, what): (fn(PemKind) -> bool, _) = match holds {
        Holds::Anything => return None,
        Holds::RsaKey => (|kind| matches!(kind, PemKind::PrivateKey(_)), "a private key"),
        Holds::DhParameters => (|kind| kind == PemKind::DhParameters, "DH parameters"),
        Holds::Certificates => (|kind| kind == PemKind::Certificate, "certificates"),
        Holds::Crls => (|kind| kind == PemKind::Crl, "certificate revocation lists"),
    };
    match pem_sections(bytes) {
        Err(error) => Some(format!("this file does not hold {what}: {error}")),
        Ok(sections) if sections.iter().any(|section| wanted(section.kind())) => None,
        Ok(_) => Some(format!("this file does not hold {what}")),
    }
}

/// Says of each directive about TLS that has no effect here that it has none.
pub(crate) fn directives(gather: &mut Gather<'_>, tree: &Tree) {
    const HONOURED: [&str; 4] = [
        "starttls_use",
        "starttls_require",
        "tls_certificate_files",
        "tls_certificate_auto_generate",
    ];
    for (_, directive) in tree.directives() {
        let name = directive.name.value.as_str();
        if HONOURED.contains(&name) {
            continue;
        }
        if let Some(message) = about_tls(name, directive) {
            gather.say(Diagnostic::warning("not-honoured", message).at(directive.span));
        }
    }
}

fn about_tls(name: &str, directive: &Directive) -> Option<String> {
    let off = directive.boolean().is_ok_and(|value| !value.value);
    if name.starts_with("lets_encrypt_") || name.contains("_lets_encrypt_") {
        let help = "name a certificate by tls_certificate_files instead";
        return (!off)
            .then(|| format!("{name} is not honoured, Let's Encrypt is not spoken: {help}"));
    }
    if name.starts_with("tls_") || name.starts_with("starttls_") || name.starts_with("smtp_tls_") {
        return Some(format!("{name} is not honoured: it is not known here"));
    }
    if name == "incoming_smtp_accept_proxy_protocol" && !off {
        return Some(format!("{name} is not honoured: clients must connect without that header"));
    }
    None
}
