//! The services `smtp2` and `smtp3`: each a file of assignments, as a shell reads it.
//!
//! Does: find the value of each variable, the last one that is assigned, and say what has no effect. Does
//! not: run anything. Fails: a value that cannot be used or known is an error of the service.

use crate::access::{self, AccessFiles};
use crate::conf::value::boolean_meant;
use crate::diagnostic::{Diagnostic, Severity, quoted, shown};
use crate::listener::{
    self, DEFAULT_CONCURRENCY, Described, Service, TlsMode, parse_address, parse_concurrency,
    starttls_mode,
};
use crate::outgoing::IMPLICIT_TLS_PORT;
use crate::read::assignments::{self, Assignments, Lookup};
use crate::read::flag;
use crate::setting::{Found, Gather, Setting};
use crate::snapshot::{FileId, Origin, Spanned};

/// What the documentation says of a service that has a file of its own.
pub(crate) struct Documented {
    name: &'static str,
    enabled: bool,
    port: u16,
    own_rules: &'static str,
}

pub(crate) const SMTP2: Documented =
    Documented { name: "smtp2", enabled: true, port: 587, own_rules: "smtp2.tcp" };
pub(crate) const SMTP3: Documented =
    Documented { name: "smtp3", enabled: false, port: 901, own_rules: "smtp3.tcp" };

const HONOURED: [&str; 9] = [
    "ENABLED",
    "IPADDR",
    "PORT",
    "CONCURRENCY",
    "TCPRULES_INHERIT",
    "GREENARROW_STARTTLS",
    "SMTP_AUTH",
    "SMTPS",
    "TLSCIPHERS",
];

/// The variables of one service while they are read.
struct Variables<'g, 's> {
    gather: &'g mut Gather<'s>,
    service: &'static str,
    assignments: Assignments,
    /// The service is known to be off, so nothing is broken by what cannot be used.
    off: bool,
}

/// Reads one of them.
pub(crate) fn read(
    gather: &mut Gather<'_>,
    access: &mut AccessFiles,
    documented: &Documented,
) -> Service {
    let name = documented.name;
    let (assignments, readable) = match gather.find(name, Some(name)) {
        Found::File(file) => {
            let (assignments, diagnostics) = gather.parse(file, assignments::parse);
            gather.say_all(diagnostics, Some(name));
            (assignments, Some(file))
        }
        Found::Absent => {
            let path = gather.loader.resolve(name);
            let Documented { enabled, port, .. } = documented;
            let (severity, message) = if *enabled {
                let usual = format!("by default it is documented to run, on port {port}");
                (Severity::Warning, format!("this file is absent, so {name} is off here; {usual}"))
            } else {
                (Severity::Note, format!("this file is absent: {name} is off"))
            };
            gather.say(
                Diagnostic::new(severity, "service-off", message).in_file(path).for_service(name),
            );
            (Assignments::default(), None)
        }
        Found::Unreadable => (Assignments::default(), None),
    };
    let mut read = Variables { gather, service: name, assignments, off: false };
    let enabled = read.enabled(documented, readable);
    let asked_for = read.assignments.get("ENABLED");
    read.off = !enabled.value && readable.is_some() && !matches!(asked_for, Lookup::Unusable(_));
    let address = read.value("IPADDR", None, parse_address);
    let port = read.value("PORT", documented.port, |text| {
        flag::parse_number(text, 1..=65535).map(|port| u16::try_from(port).unwrap_or_default())
    });
    let concurrency = read.value("CONCURRENCY", DEFAULT_CONCURRENCY, parse_concurrency);
    let inherit = read.value("TCPRULES_INHERIT", true, flag::parse_switch);
    let tls_mode = read.tls_mode(&port);
    let smtp_auth = read.value("SMTP_AUTH", false, flag::parse_switch);
    let exported_ciphers = read.exported_ciphers();
    read.report_others(enabled.value);
    if enabled.value && inherit.value {
        access::report_unused(gather, documented.own_rules, name);
    }
    let described = Described {
        name,
        enabled,
        address,
        port,
        concurrency,
        tls_mode,
        smtp_auth,
        exported_ciphers,
        rules: if inherit.value { "smtp.tcp" } else { documented.own_rules },
    };
    described.into_service(gather, access)
}

impl Variables<'_, '_> {
    /// The value in force of a variable: the default, or what the file assigns last. One that
    /// cannot be used breaks the service.
    fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Setting<T> {
        let mut setting = self.gather.default(default, name);
        if let Some(written) = self.written(name) {
            match parse(&written.value) {
                Ok(value) => {
                    for id in written.replaced {
                        setting.replaced.push(id);
                    }
                    let before = std::mem::replace(&mut setting.origin, written.origin);
                    setting.replaced.insert(0, before);
                    setting.value = value;
                }
                Err(message) => self.error("unusable-value", format!("{name}: {message}"), name),
            }
        }
        setting
    }

    /// What the file assigns to a variable; one that cannot be known is an error, and nothing.
    fn written(&mut self, name: &str) -> Option<Setting<String>> {
        match self.assignments.get(name) {
            Lookup::Unset => None,
            Lookup::Set { value, replaced } => {
                let origins = &mut self.gather.origins;
                let replaced =
                    replaced.iter().map(|span| origins.id(Origin::File(*span))).collect();
                let origin = origins.id(Origin::File(value.span));
                Some(Setting { value: value.value.clone(), origin, replaced })
            }
            Lookup::Unusable(_) => {
                let message = format!("the value of {name} cannot be known without running this");
                self.error("unusable-value", message, name);
                None
            }
        }
    }

    fn error(&mut self, code: &'static str, message: String, variable: &str) {
        let severity = if self.off { Severity::Warning } else { Severity::Error };
        let diagnostic = Diagnostic::new(severity, code, message).for_service(self.service);
        self.say_at(diagnostic, variable);
    }

    /// Says something at the place where a variable is assigned, or else exported.
    fn say_at(&mut self, diagnostic: Diagnostic, variable: &str) {
        let span = match self.assignments.get(variable) {
            Lookup::Set { value, .. } => Some(value.span),
            Lookup::Unusable(span) => Some(span),
            Lookup::Unset => self.assignments.exported(variable),
        };
        self.gather.say(match span {
            Some(span) => diagnostic.at(span),
            None => diagnostic.in_file(self.gather.loader.resolve(self.service)),
        });
    }

    fn warning(&mut self, code: &'static str, message: String, variable: &str, help: &str) {
        let diagnostic =
            Diagnostic::warning(code, message).for_service(self.service).with_help(help);
        self.say_at(diagnostic, variable);
    }

    /// Whether the service is asked for. A file that is absent or says nothing at all turns it off:
    /// the documented default is that of a file with other settings in it.
    fn enabled(&mut self, documented: &Documented, file: Option<FileId>) -> Setting<bool> {
        let says_something = self.assignments.names().next().is_some();
        if let (Some(file), false) = (file, says_something) {
            let path = self.gather.loader.snapshot().path(file).to_path_buf();
            let message = format!("this file assigns nothing: {} is off", self.service);
            self.gather.say(
                Diagnostic::warning("empty-file", message).in_file(path).for_service(self.service),
            );
        }
        let default = documented.enabled && says_something;
        self.value("ENABLED", default, flag::parse_switch)
    }

    /// SMTPS needs the exported variable; the port alone decides nothing.
    fn tls_mode(&mut self, port: &Setting<u16>) -> Setting<TlsMode> {
        let starttls = self.value("GREENARROW_STARTTLS", true, flag::parse_switch);
        let mut mode = starttls.map(starttls_mode);
        let exported = self.assignments.exported("SMTPS").is_some();
        let Some(smtps) = self.written("SMTPS") else {
            if exported && self.assignments.get("SMTPS") == Lookup::Unset {
                self.warning(
                    "smtps-without-value",
                    "SMTPS is exported and never assigned: there is no TLS from the first byte"
                        .to_owned(),
                    "SMTPS",
                    "write SMTPS=1 before it",
                );
            }
            self.report_port_465(port, &mode);
            return mode;
        };
        let wants = !smtps.value.is_empty() && boolean_meant(&smtps.value) != Some("no");
        if exported {
            if !wants {
                self.warning(
                    "ambiguous-smtps",
                    format!(
                        "SMTPS is exported as {}; that its presence alone counts, whatever its \
                         value, is our reading, so the service speaks TLS from the first byte",
                        quoted(&smtps.value)
                    ),
                    "SMTPS",
                    "remove the export to turn SMTPS off, or write SMTPS=1",
                );
            }
            mode.replaced.push(mode.origin);
            mode.replaced.extend(smtps.replaced);
            mode.origin = smtps.origin;
            mode.value = TlsMode::Implicit;
        } else if wants {
            self.warning(
                "smtps-not-exported",
                "SMTPS is assigned and not exported, so it does not reach the service: there is no \
                 TLS from the first byte"
                    .to_owned(),
                "SMTPS",
                "add a line `export SMTPS`",
            );
        }
        if mode.value != TlsMode::Implicit && !wants {
            self.report_port_465(port, &mode);
        }
        mode
    }

    fn report_port_465(&mut self, port: &Setting<u16>, mode: &Setting<TlsMode>) {
        if port.value == IMPLICIT_TLS_PORT && mode.value != TlsMode::Implicit {
            let help = "add `SMTPS=1` and `export SMTPS`";
            let said = listener::port_465_alone().for_service(self.service).with_help(help);
            self.say_at(said, "PORT");
        }
    }

    fn exported_ciphers(&mut self) -> Option<Setting<String>> {
        // A shell exports what it assigns to a variable that it found in its environment.
        let inherited = self.gather.loader.environment("TLSCIPHERS").is_some();
        let Some(ciphers) = self.written("TLSCIPHERS") else {
            let unset = self.assignments.get("TLSCIPHERS") == Lookup::Unset;
            if unset && !inherited && self.assignments.exported("TLSCIPHERS").is_some() {
                self.warning(
                    "ciphers-without-value",
                    "TLSCIPHERS is exported and never assigned: it says nothing".to_owned(),
                    "TLSCIPHERS",
                    "write TLSCIPHERS=\"...\" before it",
                );
            }
            return None;
        };
        if inherited || self.assignments.exported("TLSCIPHERS").is_some() {
            return Some(ciphers);
        }
        self.warning(
            "ciphers-not-exported",
            "TLSCIPHERS is assigned and not exported, so it does not reach the service".to_owned(),
            "TLSCIPHERS",
            "add a line `export TLSCIPHERS`",
        );
        None
    }

    /// Every other variable has no effect here, and each is named.
    fn report_others(&mut self, enabled: bool) {
        let others: Vec<(String, Spanned<String>)> = self
            .assignments
            .names()
            .filter(|name| !HONOURED.contains(name))
            .filter_map(|name| match self.assignments.get(name) {
                Lookup::Set { value, .. } => Some((name.to_owned(), value.clone())),
                _ => None,
            })
            .collect();
        for (name, value) in others {
            // RELAYCLIENT lets clients relay by being there, whatever it holds.
            let off = matches!(value.value.as_str(), "" | "0") && name != "RELAYCLIENT";
            let severity = if off || !enabled { Severity::Note } else { Severity::Warning };
            let message = format!("{} has no effect: it is not honoured", shown(&name));
            self.gather.say(
                Diagnostic::new(severity, "not-honoured", message)
                    .at(value.span)
                    .for_service(self.service),
            );
        }
    }
}
