//! GreenArrow and qmail control directories as typed TLS policies.
//!
//! [`Control::load`] reads a control directory through a [`Source`], once and whole, and
//! answers what each SMTP service offers, what one client is allowed, which recipients are taken and
//! which TLS outgoing mail needs. Every value keeps where it came from, and every setting that
//! is not honoured is named by a [`Diagnostic`] with its file and line. No TLS library, no socket and
//! no clock is used here, and nothing that is read is ever run.
//!
//! ```
//! use hvmail_control::{Control, listener::TlsMode, source::Memory};
//!
//! let source = Memory::new()
//!     .file("me", "mx.example.com\n")
//!     .file("rcpthosts", "example.com\n")
//!     .file("smtp.tcp", "127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n")
//!     .file("smtp3", "ENABLED=1\nPORT=465\nSMTPS=1\nexport SMTPS\n")
//!     .file("greenarrow.conf", "domain bank.example {\n  starttls_require yes\n}\n");
//! let control = Control::load(&source);
//!
//! let smtp3 = control.service("smtp3").unwrap();
//! assert_eq!(smtp3.tls_mode.value, TlsMode::Implicit);
//! // There is no certificate, so this service stays down; the others run.
//! assert!(smtp3.broken && !control.is_fatal());
//! assert_eq!(
//!     control.location(smtp3.tls_mode.origin).unwrap().to_string(),
//!     "/var/hvmail/control/smtp3:3:7"
//! );
//!
//! let smtp = control.service("smtp").unwrap();
//! assert!(control.for_peer(smtp, "127.0.0.1".parse().unwrap()).relay.is_some());
//! assert!(control.accepts(Some("example.com")) && !control.accepts(Some("example.net")));
//!
//! let rule = control.outgoing_for("bank.example", None).unwrap();
//! assert!(rule.policy.level.required());
//! ```
//!
//! # What is read
//!
//! | file | meaning | status |
//! |---|---|---|
//! | `me` | the host's name | honoured; without it the program chooses one |
//! | `rcpthosts` | domains that mail is taken for | honoured; absent means none, not every one |
//! | `databytes` | largest message, octets | honoured; 0 or absent: no limit |
//! | `timeoutsmtpd` | seconds a client may be silent | honoured; absent: 300 |
//! | `timeoutconnect`, `timeoutremote` | seconds for outgoing connections | honoured |
//! | `smtproutes` | `domain:host:port` | honoured, behind `smtp_route` |
//! | `smtp.ipaddr`, `smtp.port`, `smtp.concurrency`, `smtp.starttls` | service `smtp` | honoured; absent: every address, 25, 100, on |
//! | `smtp.auth` | SMTP AUTH | not offered yet: a warning where it is asked for |
//! | `smtp2`, `smtp3` | `ENABLED IPADDR PORT CONCURRENCY TCPRULES_INHERIT GREENARROW_STARTTLS`, and exported `SMTPS TLSCIPHERS` | honoured; every other variable is named; absent: the service is off, with a warning for `smtp2`, which the vendor documents as on |
//! | `smtp.tcp`, `smtp2.tcp`, `smtp3.tcp` | who may connect; RELAYCLIENT, TLSCIPHERS | honoured, the text and not the compiled form; IPv6 addresses as well, in a form of ours; rules by host name and for addresses nobody has are named, and an error where they deny; so are variables of a rule that denies, and those set twice |
//! | `greenarrow.conf`, `.greenarrow-defaults.conf` | `starttls_use`, `starttls_require`, `smtp_route`, `tls_certificate_files`, `tls_certificate_auto_generate` | honoured; other directives about TLS, and these in other letter case, are named, and a `starttls_require` that is not in force for its letters or its place is an error |
//! | `tls.servercert.pem`, `httpd.ssl.key`, `httpd.ssl.crt`, `httpd.ssl.ca` | certificate, deprecated ways | honoured where no directive names one |
//! | `tls.tlsserverciphers`, the variable TLSCIPHERS | OpenSSL cipher string | honoured: judged as OpenSSL does, then handed to the TLS library's adapter |
//! | `tls.dh512.pem` to `tls.dh4096.pem` | groups for DHE | honoured: the TLS library takes the largest that its security level allows; one that cannot be used is a warning |
//! | `tls.rsa512.pem` to `tls.rsa4096.pem` | temporary RSA keys | read, checked and named: no TLS library here has the export ciphers that they were for |
//! | `tls.clientca.pem`, `tls.clientcrl.pem`, `tls.tlsclients` | relaying by client certificate | honoured where there are both an authority and an address; the vendor calls them unsupported |
//! | `servercert.pem`, `clientca.pem`, `clientcrl.pem`, `tlsclients`, `tlsserverciphers`, `rsa512.pem`, `rsa1024.pem`, `rsa2048.pem`, `dh512.pem`, `dh1024.pem`, `dh2048.pem` | TLS by qmail's names | not read: each is named, with the `tls.` name that is |
//! | `clientcert.pem`, `tlsclientciphers`, `tlshosts`, `notlshosts`, `httpd.ssl.listen` | TLS that is not offered here | named, not honoured |
//!
//! A UTF-8 byte order mark at the start of a file is passed over, in every one of them.
//!
//! # What is broken by what
//!
//! An error in `greenarrow.conf`'s grammar, or no service left to run, is fatal ([`Control::is_fatal`]).
//! Any other error breaks what it names: a service that an error names does not
//! [run](Service::runs), and a domain whose outgoing rule cannot be understood gets no rule.
//!
#![doc = include_str!("settings.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::net::IpAddr;
use std::sync::Arc;

use smtp_tls::{CertificateAddresses, Version};

mod access;
mod assigned_service;
pub mod certificate;
mod cipher_strings;
mod client_trust;
pub mod conf;
pub mod diagnostic;
pub mod error;
pub mod explain;
pub mod inventory;
pub mod limits;
pub mod listener;
pub mod outgoing;
mod outgoing_report;
mod pem_file;
pub mod policy;
mod presented;
pub mod read;
pub mod recipients;
pub mod setting;
pub mod snapshot;
pub mod source;
mod temporary_keys;
pub mod write;

use certificate::CertificateRequest;
use client_trust::ClientCertificates;
use conf::lookup::Lookup;
use conf::tree::Tree;
use diagnostic::{Diagnostic, Severity};
use outgoing::{Outgoing, OutgoingRule, UnusableRule};
use policy::{Inbound, PeerRules, RuleTls};
use read::flag;
use recipients::Recipients;
use setting::{Found, Gather};
use snapshot::{Loader, Location, Origin, OriginId, Origins, Snapshot};
use source::Source;

pub use listener::{Service, ServiceTls, TlsMode};
pub use setting::Setting;

/// A control directory, read once and whole.
#[derive(Clone, Debug)]
pub struct Control {
    /// Every file that was read.
    pub snapshot: Snapshot,
    /// The host's name, where `me` has one.
    pub me: Option<Setting<String>>,
    /// `smtp`, `smtp2` and `smtp3`, in this order, whether they run or not.
    pub services: Vec<Service>,
    /// What holds for every service and client.
    pub inbound: Inbound,
    /// The domains that mail is taken for.
    pub recipients: Recipients,
    /// What governs outgoing mail.
    pub outgoing: Outgoing,
    /// A certificate that the program is asked to make before it serves; see
    /// [`certificate_renewal`](Self::certificate_renewal) as well.
    pub certificate_request: Option<CertificateRequest>,
    /// What there is to say, in the order in which it was found.
    pub diagnostics: Vec<Diagnostic>,
    certificate_renewal: Option<CertificateRequest>,
    certificate_replaced: Vec<OriginId>,
    clients: Option<ClientCertificates>,
    lookup: Lookup,
    origins: Origins,
    configuration_is_good: bool,
}

impl Control {
    /// Reads a control directory. It never fails: what cannot be used is among the
    /// [diagnostics](Self::diagnostics), and [`is_fatal`](Self::is_fatal) says whether
    /// anything can be served at all.
    #[must_use]
    pub fn load(source: &dyn Source) -> Self {
        let mut loader = Loader::new(source);
        let (tree, mut diagnostics) = Tree::load(&mut loader);
        let (lookup, said) = Lookup::new(tree);
        diagnostics.extend(said);
        if matches!(loader.read(conf::tree::FILE), Ok(None)) {
            diagnostics.push(
                Diagnostic::warning(
                    "no-greenarrow-conf",
                    "this file is absent, so no certificate is named in it, and outgoing mail uses \
                     TLS on port 465 alone",
                )
                .in_file(loader.resolve(conf::tree::FILE)),
            );
        }
        let configuration_is_good = !has_error(&diagnostics);
        let mut gather = Gather::new(loader);
        gather.say_all(diagnostics, None);
        // A tree that does not parse is not to be used: half of its rules may be missing.
        let lookup = if configuration_is_good { lookup } else { Lookup::default() };

        let me = read_me(&mut gather);
        let mut services = listener::services(&mut gather);
        let inbound = policy::inbound(&mut gather);
        let recipients = recipients::read(&mut gather);
        if recipients.is_none() {
            refuse_all(&mut gather, &services);
        }
        let found = certificate::find(&mut gather, lookup.tree(), me.as_ref());
        let clients = client_trust::read(&mut gather);
        let offered = policy::Offered {
            identity: found.identity,
            dh: temporary_keys::read(&mut gather),
            clients: clients.as_ref().map(|clients| Arc::clone(&clients.trust)),
        };
        policy::apply(&mut gather, &mut services, &offered, configuration_is_good);
        let outgoing = outgoing::read(&mut gather, &lookup);
        inventory::directives(&mut gather, lookup.tree());
        inventory::files(&mut gather);

        gather.diagnostics.close();
        mark_broken(&mut services, gather.diagnostics.so_far());
        listener::report_conflicts(&services, &mut gather);
        let Gather { loader, origins, diagnostics } = gather;
        let diagnostics = diagnostics.finish();
        let mut snapshot = loader.finish();
        snapshot.blank_secrets();
        mark_broken(&mut services, &diagnostics);
        Self {
            snapshot,
            me,
            services,
            inbound,
            recipients: recipients.unwrap_or_default(),
            outgoing,
            certificate_request: found.request,
            diagnostics,
            certificate_renewal: found.renewal,
            certificate_replaced: found.replaced,
            clients,
            lookup,
            origins,
            configuration_is_good,
        }
    }

    /// The same directory, with other addresses of client certificates counted than the first one of
    /// the subject, which is the one that qmail looks at. The control directory has no setting for it.
    #[must_use]
    pub fn with_certificate_addresses(mut self, counted: CertificateAddresses) -> Self {
        if let Some(clients) = &mut self.clients {
            *clients = clients.counting(counted);
            for service in &mut self.services {
                if let Some(policy) = service.tls.policy_mut() {
                    policy.clients = Some(Arc::clone(&clients.trust));
                }
            }
        }
        self
    }

    /// The same directory, with TLS 1.3 offered alone. A cipher string is about TLS 1.2: one that OpenSSL refuses
    /// is a warning then, and breaks no service. The control directory has no setting for it.
    #[must_use]
    pub fn with_tls13_alone(mut self) -> Self {
        for service in &mut self.services {
            if let Some(policy) = service.tls.policy_mut() {
                policy.versions = (Version::Tls13, Version::Tls13);
            }
        }
        cipher_strings::without_say(&mut self.diagnostics);
        mark_broken(&mut self.services, &self.diagnostics);
        self
    }

    /// Whether nothing can be served: `greenarrow.conf` does not parse, or no service is left.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !self.configuration_is_good || !self.services.iter().any(Service::runs)
    }

    /// Whether `greenarrow.conf` was understood, so that outgoing mail can be sent under its rules.
    #[must_use]
    pub const fn configuration_is_good(&self) -> bool {
        self.configuration_is_good
    }

    /// Whether anything is an error, be it fatal or not.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        has_error(&self.diagnostics)
    }

    /// The service of this name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// What a client is allowed on a service of this control directory.
    #[must_use]
    pub fn for_peer(&self, service: &Service, peer: IpAddr) -> PeerRules {
        policy::for_peer(service, &self.origins, peer)
    }

    /// Everything that a service may offer to any client, without repetition: its own policy first,
    /// then what the access rules make of it. A program that makes its TLS acceptors from these
    /// has one for every [`PeerRules::tls`].
    #[must_use]
    pub fn tls_policies(&self, service: &Service) -> Vec<ServiceTls> {
        policy::of_service(service, &self.origins)
    }

    /// What each access rule of a service with a cipher string of its own makes of it, in the order of the
    /// file. Rules that deny, and those that no client is ever under, are left out.
    pub fn tls_by_rule<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = RuleTls<'a>> {
        policy::of_rules(service, &self.origins)
    }

    /// What there is to say at a time, in seconds since 1970, about the certificates that are served and
    /// about those who vouch for clients: that one has expired or soon will, is not valid yet, or that a
    /// revocation list is out of date. [`load`](Self::load) reads no clock.
    #[must_use]
    pub fn certificate_diagnostics(&self, unix_seconds: u64) -> Vec<Diagnostic> {
        let served = self.services.iter().filter(|service| service.runs());
        let mut policies = served.filter_map(|service| service.tls.policy());
        let Some(policy) = policies.next() else { return Vec::new() };
        let help = match self.certificate_renewal {
            Some(_) => {
                "a program that serves this directory makes it anew, 30 days before its end or when it loads it"
            }
            None => "clients that verify it will not go on",
        };
        let at = |diagnostic: Diagnostic, origin: Option<OriginId>| match origin
            .and_then(|origin| self.origins.get(origin))
        {
            Some(Origin::File(span)) => diagnostic.at(*span),
            _ => diagnostic,
        };
        let identity = &policy.identity;
        let mut whose =
            std::iter::once("the certificate").chain(std::iter::repeat("the issuer's certificate"));
        let mut said: Vec<_> = identity
            .chain()
            .iter()
            .filter_map(|certificate| {
                presented::at_time(certificate, whose.next()?, help, unix_seconds)
            })
            .map(|diagnostic| at(diagnostic, identity.origin()))
            .collect();
        if let Some(clients) = &self.clients {
            said.extend(
                clients.at_time(unix_seconds).map(|(diagnostic, origin)| at(diagnostic, origin)),
            );
        }
        said
    }

    /// The request for another certificate in the place of one that a program made and whose time is over, or
    /// will be within 30 days; at a time in seconds since 1970.
    #[must_use]
    pub fn certificate_renewal(&self, unix_seconds: u64) -> Option<&CertificateRequest> {
        let due = self.certificate_renewal_due()? <= unix_seconds;
        self.certificate_renewal.as_ref().filter(|_| due)
    }

    /// The time from which on [`certificate_renewal`](Self::certificate_renewal) asks for another
    /// certificate, in seconds since 1970; `None`: no program made the one in force. A program that goes on
    /// serving loads the directory again then.
    #[must_use]
    pub fn certificate_renewal_due(&self) -> Option<u64> {
        const BEFORE: u64 = 30 * 24 * 60 * 60;
        self.certificate_renewal.as_ref()?;
        let mut policies = self.services.iter().filter_map(|service| service.tls.policy());
        let leaf = policies.next()?.identity.leaf().describe().ok()?;
        Some(leaf.not_after.checked_sub(BEFORE).map_or(0, |last| last.saturating_add(1)))
    }

    /// Whether mail for an address with this domain is taken from everybody; `None` is an address
    /// without a domain. A client with RELAYCLIENT need not be asked about.
    #[must_use]
    pub fn accepts(&self, recipient_domain: Option<&str>) -> bool {
        self.recipients.accepts(recipient_domain)
    }

    /// What holds for mail to a domain that leaves by the IP address with this name.
    ///
    /// # Errors
    /// The rule for the domain cannot be understood, or `greenarrow.conf` as a whole: the mail is to
    /// be kept and tried later.
    pub fn outgoing_for(
        &self,
        domain: &str,
        ip_name: Option<&str>,
    ) -> Result<OutgoingRule, UnusableRule> {
        if !self.configuration_is_good {
            let reason = "greenarrow.conf cannot be read".to_owned();
            return Err(UnusableRule { reason, origin: None });
        }
        self.outgoing.rule(&self.lookup, domain, ip_name)
    }

    /// Whether an `ip_address` block has this name. Mail that leaves by another name is under the rules for
    /// every address.
    #[must_use]
    pub fn names_ip_address(&self, name: &str) -> bool {
        let blocks = self.lookup.tree().roots().filter(|(_, root)| root.name.value == "ip_address");
        blocks
            .flat_map(|(_, block)| block.arguments.iter().flat_map(|argument| argument.values()))
            .any(|known| known.text != "*" && known.text.eq_ignore_ascii_case(name))
    }

    /// The configuration file, for directives that have no accessor here.
    #[must_use]
    pub const fn configuration(&self) -> &Lookup {
        &self.lookup
    }

    /// What is behind an origin of this directory's values.
    #[must_use]
    pub fn origin(&self, id: OriginId) -> Option<&Origin> {
        self.origins.get(id)
    }

    /// The file, line and column behind an origin; `None` for a default or an environment variable.
    #[must_use]
    pub fn location(&self, id: OriginId) -> Option<Location> {
        match self.origins.get(id)? {
            Origin::File(span) => Some(self.snapshot.location(*span)),
            Origin::Default(_) | Origin::Environment(_) => None,
        }
    }
}

impl Control {
    /// The id of an origin of this directory's values, for this crate's own answers.
    pub(crate) fn find_origin(&self, origin: &Origin) -> Option<OriginId> {
        self.origins.find(origin)
    }
}

fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
}

fn mark_broken(services: &mut [Service], diagnostics: &[Diagnostic]) {
    for service in services {
        service.broken = diagnostics.iter().any(|diagnostic| {
            diagnostic.severity == Severity::Error && diagnostic.concerns(service.name)
        });
    }
}

/// Without knowing its recipients a service would refuse mail for good that is this host's.
fn refuse_all(gather: &mut Gather<'_>, services: &[Service]) {
    for service in services.iter().filter(|service| service.enabled.value) {
        let path = gather.loader.resolve("rcpthosts");
        gather.say(
            Diagnostic::error(
                "recipients-unknown",
                format!("{} does not know which recipients to take", service.name),
            )
            .in_file(path)
            .for_service(service.name),
        );
    }
}

fn read_me(gather: &mut Gather<'_>) -> Option<Setting<String>> {
    let file = match gather.find("me", None) {
        Found::File(file) => file,
        Found::Unreadable => return None,
        Found::Absent => {
            let path = gather.loader.resolve("me");
            gather.say(
                Diagnostic::warning(
                    "no-host-name",
                    "this file is absent: the program chooses the name of the host",
                )
                .in_file(path)
                .with_help("write the host's fully qualified name"),
            );
            return None;
        }
    };
    let reading = gather.parse(file, |bytes, file| {
        flag::text(bytes, file).and_then("not-a-host-name", |text| flag::parse_host_name(&text))
    });
    gather.say_all(reading.diagnostics, None);
    let written = reading.value?;
    let origin = gather.origins.id(Origin::File(written.span));
    Some(Setting { value: written.value, origin, replaced: Vec::new() })
}
