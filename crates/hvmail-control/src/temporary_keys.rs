//! The temporary key files: `tls.dh512.pem` to `tls.dh4096.pem`, `tls.rsa512.pem` to `tls.rsa4096.pem`.
//!
//! Does: read each, hold it against its name, and hand on the groups for DHE. Does not: choose among
//! them, which is the TLS library's, by its security level; nor use an RSA key. Fails: never, for the
//! vendor's documentation says that no service needs these files: what cannot be used is a warning with its place.

use smtp_tls::{DhParameters, KeyAlgorithm, PemKind, PemSection, PrivateKey};

use crate::diagnostic::{Diagnostic, Severity};
use crate::pem_file::{NotPem, PemFile};
use crate::setting::Gather;
use crate::snapshot::{Origin, Span};

/// The file of a temporary key, and the bits that its name promises.
struct Promised {
    file: &'static str,
    bits: usize,
}

const fn promised(file: &'static str, bits: usize) -> Promised {
    Promised { file, bits }
}

/// Those that `update_tmprsadh` makes, and those of the same form that directories are known to hold.
const DH: [Promised; 5] = [
    promised("tls.dh512.pem", 512),
    promised("tls.dh1024.pem", 1024),
    promised("tls.dh2048.pem", 2048),
    promised("tls.dh3072.pem", 3072),
    promised("tls.dh4096.pem", 4096),
];
const RSA: [Promised; 4] = [
    promised("tls.rsa512.pem", 512),
    promised("tls.rsa1024.pem", 1024),
    promised("tls.rsa2048.pem", 2048),
    promised("tls.rsa4096.pem", 4096),
];

/// The bits of the largest group that `update_tmprsadh` makes.
const LARGEST_MADE: usize = 2048;

const WITHOUT_GROUP: &str = "hvmail-tls update-tmprsadh makes it anew; where no group can be used, DHE has the one \
                             of RFC 7919";
/// As [`WITHOUT_GROUP`], of a file that the program does not make.
const WITHOUT_LARGE_GROUP: &str =
    "openssl dhparam makes it anew; where no group can be used, DHE has the one of RFC 7919";
const WITHOUT_RSA: &str = "nothing is lost by it: the file is used by no TLS library";
const RSA_UNUSED: &str = "this key is not used: temporary RSA keys were for the export ciphers of SSL 3.0 and TLS 1.0, \
                          which neither TLS library has";

/// The groups for DHE of every service, in the order of their names; each once.
pub(crate) fn read(gather: &mut Gather<'_>) -> Vec<DhParameters> {
    let mut groups: Vec<DhParameters> = Vec::new();
    for promised in &DH {
        let wanted = |kind| kind == PemKind::DhParameters;
        let help = if promised.bits > LARGEST_MADE { WITHOUT_LARGE_GROUP } else { WITHOUT_GROUP };
        let found = find(gather, promised.file, wanted, "DH parameters", help);
        let Some((section, span)) = found else { continue };
        match DhParameters::from_der(section.der.clone()) {
            Ok(group) => {
                report_size(gather, promised, group.bits(), "group", span);
                if !groups.contains(&group) {
                    groups.push(group.with_origin(gather.origins.id(Origin::File(span))));
                }
            }
            Err(error) => gather.say(unusable(error.to_string(), span, help)),
        }
    }
    for promised in &RSA {
        let wanted = |kind| matches!(kind, PemKind::PrivateKey(_));
        let found = find(gather, promised.file, wanted, "RSA key in clear", WITHOUT_RSA);
        let Some((section, span)) = found else { continue };
        let PemKind::PrivateKey(kind) = section.kind() else { continue };
        match PrivateKey::from_der(kind, section.der.clone()).algorithm() {
            KeyAlgorithm::Rsa { bits } => {
                report_size(gather, promised, bits, "key", span);
                gather.say(Diagnostic::note("temporary-key-not-used", RSA_UNUSED).at(span));
            }
            other => {
                let message = format!("a key {other}, where the name promises one of RSA");
                gather.say(unusable(message, span, WITHOUT_RSA));
            }
        }
    }
    groups
}

/// The first wanted section of a file that is there; what else there is to say of it is said.
fn find(
    gather: &mut Gather<'_>,
    name: &str,
    wanted: impl Fn(PemKind) -> bool,
    what: &str,
    without: &str,
) -> Option<(PemSection, Span)> {
    let file = match gather.loader.read(name) {
        Ok(None) => return None,
        Ok(Some(file)) => file,
        Err(error) => {
            let diagnostic = Diagnostic::from(error).with_help(without);
            gather.say(Diagnostic { severity: Severity::Warning, ..diagnostic });
            return None;
        }
    };
    let sections = match PemFile::read(gather, file) {
        Ok(PemFile(sections)) => sections,
        Err(NotPem { reason, span }) => {
            gather.say(unusable(reason, span, without));
            return None;
        }
    };
    let mut found = None;
    let first = sections.first().map(|(_, span)| *span);
    for (section, span) in sections {
        if found.is_none() && wanted(section.kind()) {
            found = Some((section, span));
        } else {
            gather.say(left_over(section.kind(), span));
        }
    }
    if let (None, Some(span)) = (&found, first) {
        gather.say(unusable(format!("no {what} in this file"), span, without));
    }
    found
}

fn left_over(kind: PemKind, span: Span) -> Diagnostic {
    match kind {
        PemKind::PrivateKey(_) | PemKind::EncryptedPrivateKey => {
            Diagnostic::warning("unused-section", "this private key is not used").at(span)
        }
        _ => Diagnostic::note("unused-section", "this section is not used").at(span),
    }
}

fn unusable(reason: String, span: Span, help: &str) -> Diagnostic {
    Diagnostic::warning("temporary-key-unusable", reason).at(span).with_help(help)
}

fn report_size(gather: &mut Gather<'_>, promised: &Promised, bits: usize, what: &str, span: Span) {
    if bits != promised.bits {
        let wanted = promised.bits;
        let message =
            format!("the {what} in this file has {bits} bits, where its name says {wanted}");
        gather.say(
            Diagnostic::warning("temporary-key-size", message)
                .at(span)
                .with_help("what it is counts, not its name"),
        );
    }
}
