//! What is in the directory and has no effect here: named, so that nothing is dropped in silence.
//!
//! Two lists: control files that change the SMTP service or its TLS, and directives of
//! `greenarrow.conf` that do, or whose names say that they are about TLS. Each one that is present gets
//! a diagnostic that says what becomes of it, at its first place, with the number of the others. Every
//! other directive of `greenarrow.conf` is the business of another part of GreenArrow and is passed over.

use std::collections::HashMap;

use crate::conf::tree::{Directive, Tree};
use crate::diagnostic::{Diagnostic, Severity, shown};
use crate::error::{NotAFile, ReadError};
use crate::outgoing_report::{REQUIRES, WHERE_IT_COUNTS, asks};
use crate::setting::Gather;
use crate::snapshot::Span;

struct Known {
    name: &'static str,
    severity: Severity,
    becomes: &'static str,
}

const fn ignored(name: &'static str, becomes: &'static str) -> Known {
    Known { name, severity: Severity::Note, becomes }
}

const fn warned_file(name: &'static str, becomes: &'static str) -> Known {
    Known { severity: Severity::Warning, ..ignored(name, becomes) }
}

const SERVER_CERTIFICATE: &str = "not read: a certificate is named by tls_certificate_files, or is in \
                                  tls.servercert.pem";
const CLIENT_CERTIFICATE: &str = "not honoured: no certificate is shown to other hosts";
const CLIENT_CIPHERS: &str =
    "not honoured: outgoing connections have the TLS library's own ciphers";
const TLS_HOSTS: &str = "not honoured: it makes TLS required for no host, and no certificate is held \
                         against it; write domain NAME { starttls_require yes } in greenarrow.conf";
const NO_TLS_HOSTS: &str = "not honoured: it keeps no host from TLS; write domain NAME { starttls_use no } in \
                            greenarrow.conf";

const KNOWN: [Known; 41] = [
    warned_file("servercert.pem", SERVER_CERTIFICATE),
    warned_file("clientcert.pem", CLIENT_CERTIFICATE),
    warned_file("tls.clientcert.pem", CLIENT_CERTIFICATE),
    warned_file("tlsclientciphers", CLIENT_CIPHERS),
    warned_file("tls.tlsclientciphers", CLIENT_CIPHERS),
    warned_file(
        "tlsserverciphers",
        "not read: the ciphers of this host are in tls.tlsserverciphers",
    ),
    warned_file(
        "clientca.pem",
        "not read: the authorities of client certificates are in tls.clientca.pem",
    ),
    warned_file(
        "clientcrl.pem",
        "not read: the revocation lists of client certificates are in tls.clientcrl.pem",
    ),
    warned_file(
        "tlsclients",
        "not read: the addresses whose certificates open the relay are in tls.tlsclients",
    ),
    warned_file("dh512.pem", "not read: a group of 512 bits is in tls.dh512.pem"),
    warned_file("dh1024.pem", "not read: a group of 1024 bits is in tls.dh1024.pem"),
    warned_file("dh2048.pem", "not read: a group of 2048 bits is in tls.dh2048.pem"),
    warned_file("rsa512.pem", "not read: a temporary RSA key is in tls.rsa512.pem"),
    warned_file("rsa1024.pem", "not read: a temporary RSA key is in tls.rsa1024.pem"),
    warned_file("rsa2048.pem", "not read: a temporary RSA key is in tls.rsa2048.pem"),
    warned_file("tlshosts", TLS_HOSTS),
    warned_file("tls.tlshosts", TLS_HOSTS),
    warned_file("notlshosts", NO_TLS_HOSTS),
    warned_file("tls.notlshosts", NO_TLS_HOSTS),
    ignored("httpd.ssl.listen", "not read: it is about HTTPS, and no certificate is taken from it"),
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
    ignored("defaulthost", "not honoured: addresses are taken as they are"),
    ignored("plusdomain", "not honoured: addresses are taken as they are"),
    ignored("idhost", "not honoured: messages are named by me"),
    ignored("smtp.tcp.cdb", "not read: the text that it is compiled from is"),
    ignored("smtp2.tcp.cdb", "not read: the text that it is compiled from is"),
    ignored("smtp3.tcp.cdb", "not read: the text that it is compiled from is"),
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
            Err(ReadError::NotAFile { path, kind: NotAFile::Directory }) => {
                gather.say(
                    Diagnostic::new(known.severity, "file-not-honoured", known.becomes)
                        .in_file(path),
                );
                continue;
            }
            Err(error) => {
                // Nothing fails for a file that has no effect either way.
                let diagnostic = Diagnostic::from(error).with_help(known.becomes);
                gather.say(Diagnostic { severity: Severity::Warning, ..diagnostic });
                continue;
            }
        };
        if known.name.ends_with(".pem") {
            gather.loader.is_no_text(file);
        }
        let bytes = gather.loader.snapshot().bytes(file);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let first = crate::read::lines(bytes)
            .map(|line| line.trim_end().span(file))
            .next()
            .unwrap_or(Span::new(file, 0, 0));
        gather.say(Diagnostic::new(known.severity, "file-not-honoured", known.becomes).at(first));
    }
}

struct KnownDirective {
    name: &'static str,
    severity: Severity,
    becomes: &'static str,
}

const fn warned(name: &'static str, becomes: &'static str) -> KnownDirective {
    KnownDirective { name, severity: Severity::Warning, becomes }
}

const fn noted(name: &'static str, becomes: &'static str) -> KnownDirective {
    KnownDirective { name, severity: Severity::Note, becomes }
}

/// Directives that govern SMTP, with what becomes of them. One that says `no` is in force as it is.
const KNOWN_DIRECTIVES: [KnownDirective; 18] = [
    warned("incoming_email_domain", "mail is taken for the domains in rcpthosts alone"),
    warned("incoming_smtp_accept_proxy_protocol", "clients must connect without that header"),
    warned("proxy_server", "connections leave without a proxy"),
    warned("greenarrow_proxy", "connections leave without a proxy"),
    warned("smtp_source", "the host chooses the address that connections leave by"),
    warned("relay_server", "no mail goes by it, and nobody logs in with its credentials"),
    warned("process_x_virtual_mta_header", "no header chooses the IP address"),
    noted("default_virtual_mta", "the program names the IP address, or none"),
    noted("virtual_mta", "the program names the IP address, or none"),
    noted("mail_class", "mail has no classes"),
    noted("engine_user", "SMTP AUTH is not offered yet"),
    noted("reuse_connections", "the client decides how long it keeps a connection"),
    noted("reuse_connections_max_messages", "the client decides how long it keeps a connection"),
    noted("log_smtp_commands", "the program decides what it logs"),
    noted("max_delivery_rate", "delivery is not throttled"),
    noted("system_max_smtp_connections", "delivery is not throttled"),
    noted("override_smtp_result", "replies of other hosts count as they came"),
    noted("smtp_match_begin_backoff_mode", "replies of other hosts count as they came"),
];

/// Directives and blocks that have an effect, or say themselves what becomes of them.
const HONOURED: [&str; 10] = [
    "general",
    "domain",
    "ip_address",
    "include",
    "starttls_use",
    "starttls_require",
    "smtp_route",
    "tls_certificate_files",
    "tls_certificate_auto_generate",
    "define_virtual_mtas_in_config_file",
];

/// Says of each directive about SMTP or TLS that has no effect here that it has none.
pub(crate) fn directives(gather: &mut Gather<'_>, tree: &Tree) {
    // A large file says the same few names over and over.
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut met: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<(&Directive, Severity, &str, usize)> = Vec::new();
    for (_, directive) in tree.directives() {
        let name = directive.name.value.as_str();
        if !*known.entry(name).or_insert_with(|| what_becomes_of(name, false).is_some()) {
            continue;
        }
        if asks(directive) && looks_like(name, REQUIRES) {
            gather.say(requirement_in_other_letters(directive));
            continue;
        }
        let off = directive.boolean().is_ok_and(|value| !value.value);
        if let Some(&index) = met.get(name) {
            found[index].3 += usize::from(!off);
            continue;
        }
        if let Some((severity, becomes)) = what_becomes_of(name, off) {
            met.insert(name, found.len());
            found.push((directive, severity, becomes, 0));
        }
    }
    for (directive, severity, becomes, more) in found {
        let mut message = format!("{} is not honoured: {becomes}", shown(&directive.name.value));
        if more > 0 {
            message.push_str(&format!(" (written {more} more times)"));
        }
        let said = Diagnostic::new(severity, "not-honoured", message).at(directive.span);
        gather.say(match becomes {
            SMALL_LETTERS => {
                said.with_help(format!("write {}", directive.name.value.to_ascii_lowercase()))
            }
            _ => said,
        });
    }
}

/// A requirement that is written and not in force is passed by nobody.
fn requirement_in_other_letters(directive: &Directive) -> Diagnostic {
    let name = shown(&directive.name.value);
    let message = format!("{name} is not in force: the directive is {REQUIRES}, in these letters");
    Diagnostic::error("requirement-not-in-force", message)
        .at(directive.span)
        .with_help(WHERE_IT_COUNTS)
}

/// Whether two names differ in nothing but case, dashes and an s behind them.
fn looks_like(name: &str, known: &str) -> bool {
    let letters = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    letters(name).trim_end_matches('s') == letters(known)
}

const SMALL_LETTERS: &str = "names are written in small letters";

/// What becomes of a directive, where there is something to say; no more of one that says `no` than of
/// another.
fn what_becomes_of(name: &str, off: bool) -> Option<(Severity, &'static str)> {
    if HONOURED.contains(&name) {
        return None;
    }
    let small = name.to_ascii_lowercase();
    if small != name
        && (HONOURED.contains(&&*small) || KNOWN_DIRECTIVES.iter().any(|known| known.name == small))
    {
        return Some((Severity::Warning, SMALL_LETTERS));
    }
    if let Some(known) = KNOWN_DIRECTIVES.iter().find(|known| known.name == name) {
        return (!off).then_some((known.severity, known.becomes));
    }
    if name.starts_with("greenarrow_proxy_") {
        return (!off).then_some((Severity::Warning, "connections leave without a proxy"));
    }
    if name.starts_with("lets_encrypt_") {
        let becomes = "Let's Encrypt is not spoken: name a certificate by tls_certificate_files";
        return (!off).then_some((Severity::Warning, becomes));
    }
    if HONOURED.iter().any(|known| looks_like(name, known)) {
        return Some((Severity::Warning, "it is not known here, though a name much like it is"));
    }
    let about_tls = ["tls", "ssl", "dane", "mta_sts", "mtasts"];
    about_tls
        .iter()
        .any(|word| small.contains(word))
        .then_some((Severity::Warning, "it is not known here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Loader;
    use crate::source::Memory;

    #[test]
    fn a_directive_without_effect_is_told_once_with_the_number_of_the_others() {
        let conf = "general {\n incoming_smtp_accept_proxy_protocol yes\n process_x_virtual_mta_header no\n\
                    \x20url_domains_get_lets_encrypt_certs yes\n log_smtp_commands yes\n \"tls_a\\nb\" 1\n}\n\
                    relay_server a {\n}\nip_address * {\n greenarrow_proxy_server h:807\n smtp_source 192.0.2.1 h\n}\n\
                    relay_server b {\n}\nrelay_server c {\n}\n";
        let source = Memory::new().file("greenarrow.conf", conf);
        let mut loader = Loader::new(&source);
        let (tree, said) = Tree::load(&mut loader);
        assert_eq!(said, []);
        let mut gather = Gather::new(loader);
        directives(&mut gather, &tree);
        let snapshot = gather.loader.snapshot();
        let said: Vec<_> = gather
            .diagnostics
            .so_far()
            .iter()
            .map(|d| (d.location(snapshot).unwrap().line, d.severity, d.message.as_str()))
            .collect();
        let (warning, note) = (Severity::Warning, Severity::Note);
        assert_eq!(
            said,
            [
                (
                    2,
                    warning,
                    "incoming_smtp_accept_proxy_protocol is not honoured: clients must connect without \
                     that header"
                ),
                (5, note, "log_smtp_commands is not honoured: the program decides what it logs"),
                (6, warning, "\"tls_a\\nb\" is not honoured: it is not known here"),
                (
                    8,
                    warning,
                    "relay_server is not honoured: no mail goes by it, and nobody logs in with its \
                     credentials (written 2 more times)"
                ),
                (
                    11,
                    warning,
                    "greenarrow_proxy_server is not honoured: connections leave without a proxy"
                ),
                (
                    12,
                    warning,
                    "smtp_source is not honoured: the host chooses the address that connections \
                     leave by"
                ),
            ]
        );
    }

    fn said(source: &Memory) -> Vec<String> {
        let mut loader = Loader::new(source);
        let (tree, parsed) = Tree::load(&mut loader);
        assert_eq!(parsed, []);
        let mut gather = Gather::new(loader);
        directives(&mut gather, &tree);
        files(&mut gather);
        let said = gather.diagnostics.finish();
        let snapshot = gather.loader.finish();
        said.iter().map(|diagnostic| diagnostic.display(&snapshot).to_string()).collect()
    }

    #[test]
    fn a_name_in_other_letters_or_about_tls_is_told() {
        for (line, help) in [
            ("Starttls_Use yes", "help: write starttls_use"),
            ("STARTTLS_REQUIRE no", "help: write starttls_require"),
            ("SMTP_ROUTE h:25", "help: write smtp_route"),
            ("General {\n }", "help: write general"),
            ("DOMAIN x {\n }", "help: write domain"),
            ("Include x", "help: write include"),
            ("Proxy_Server h:1", "help: write proxy_server"),
            ("use_starttls yes", "it is not known here"),
            ("use_starttls no", "it is not known here"),
            ("mta_sts enforce", "it is not known here"),
            ("dane_require yes", "it is not known here"),
            ("ssl_verify yes", "it is not known here"),
            ("Require_TLS yes", "it is not known here"),
        ] {
            let said = said(&Memory::new().file("greenarrow.conf", format!("{line}\n")));
            assert_eq!(said.len(), 1, "{line}: {said:?}");
            assert!(said[0].contains("greenarrow.conf:1:1: warning[not-honoured]"), "{said:?}");
            assert!(said[0].ends_with(help), "{line}: {said:?}");
        }
        for line in ["starttls_use yes", "general {\n }", "throttle_domains x", "smtp_route h:25"] {
            let conf = Memory::new().file("greenarrow.conf", format!("{line}\n"));
            assert_eq!(said(&conf), [""; 0]);
        }
    }

    #[test]
    fn a_requirement_in_other_letters_is_an_error_wherever_it_stands() {
        for name in
            ["Starttls_Require", "STARTTLS_REQUIRE", "starttls-require", "starttls_requires"]
        {
            for value in ["yes", "maybe", "YES", ""] {
                let line = format!("{name} no\ngeneral {{\n  {name} {value}\n}}\n{name} {value}\n");
                let said = said(&Memory::new().file("greenarrow.conf", line.as_str()));
                let errors: Vec<_> = said.iter().filter(|said| said.contains(": error[")).collect();
                assert_eq!(errors.len(), 2, "{line}: {said:?}");
                assert!(errors[0].contains(":3:3: error[requirement-not-in-force]"), "{errors:?}");
                assert!(errors[0].ends_with(WHERE_IT_COUNTS), "{errors:?}");
            }
        }
    }

    #[test]
    fn the_files_of_qmail_s_tls_are_named_with_those_that_are_read() {
        for name in [
            "servercert.pem",
            "clientca.pem",
            "clientcrl.pem",
            "tlsclients",
            "tlsserverciphers",
            "rsa512.pem",
            "rsa1024.pem",
            "rsa2048.pem",
            "dh512.pem",
            "dh1024.pem",
            "dh2048.pem",
        ] {
            let said = said(&Memory::new().file(name, "x\n"));
            let [one] = &*said else { panic!("{name}: {said:?}") };
            assert!(one.contains(&format!("/{name}:1:1: warning[file-not-honoured]: ")), "{one}");
            assert!(one.ends_with(&format!("in tls.{name}")), "{one}");
        }
        assert_eq!(said(&Memory::new().file("tlsclients", "\n")), [""; 0]);
    }

    #[test]
    fn files_of_other_tls_settings_are_named() {
        for name in [
            "servercert.pem",
            "clientcert.pem",
            "tlsclientciphers",
            "tlsserverciphers",
            "tlshosts",
            "notlshosts",
            "httpd.ssl.listen",
        ] {
            let said = said(&Memory::new().file(name, "x\n"));
            assert_eq!(said.len(), 1, "{name}: {said:?}");
            assert!(said[0].contains(&format!("/{name}:1:1: ")), "{said:?}");
        }
        let directory = tempfile::tempdir().unwrap();
        let named = tempfile::Builder::new().prefix("tlshosts").rand_bytes(0).to_owned();
        let _folder = named.tempdir_in(directory.path()).unwrap();
        let source = crate::source::Directory::open(directory.path()).unwrap();
        let mut gather = Gather::new(Loader::new(&source));
        files(&mut gather);
        let said = gather.diagnostics.finish();
        assert_eq!((said.len(), said[0].code), (1, "file-not-honoured"));
        assert_eq!(said[0].severity, Severity::Warning);
    }
}
