//! The certificate of the server: which of the ways to name it is in force, and what it holds.
//!
//! The ways, the first one that is written being the only one looked at: `tls_certificate_files`,
//! `tls_certificate_auto_generate`, the deprecated `tls.servercert.pem`, the deprecated
//! `httpd.ssl.key`, `httpd.ssl.crt` and `httpd.ssl.ca`. That is the order in which the vendor lists
//! them; that it is also their precedence is our inference. A way that is written and cannot be used is
//! an error, and no later one takes its place: nobody asked for that certificate. Later ways that are
//! there as well get a note each, and are not looked into.
//!
//! Also our reading, where the vendor's documents are silent: `tls_certificate_files` takes any number
//! of paths, absolute or relative to the control directory, with or without commas, and what a file
//! is for is told by what it holds; `tls_certificate_auto_generate` takes `no`, `yes`
//! (the name in `me`) or the names of the server. What it makes is kept in
//! [`AUTO_GENERATED`], and is asked for anew ([`CertificateRequest`]) when it no longer has each of the names, or,
//! as [`Control::certificate_renewal`](crate::Control::certificate_renewal) says, when its time is nearly over. The old
//! one stays in force until there is a new one, and what does not sign itself was put there by somebody and is never
//! asked for anew.
//!
//! Let's Encrypt is not spoken; the vendor's directives for it are told by the
//! [`inventory`](crate::inventory).

use std::path::PathBuf;
use std::sync::Arc;

use smtp_tls::{Identity, MaterialError, PemKind, PemSection, UnusedReason};

use crate::conf::tree::{Directive, Tree};
use crate::conf::value::{Problem, ValueError, boolean_meant};
use crate::diagnostic::{Diagnostic, printable};
use crate::pem_file::{NotPem, PemFile};
use crate::presented::{self, Presented};
use crate::read::flag;
use crate::setting::{Found, Gather, Setting};
use crate::snapshot::{FileId, Origin, OriginId, Span};
use crate::write::{self, Access, WriteError};

/// Where a generated certificate and its key are kept, below the control directory. The name is ours.
pub const AUTO_GENERATED: &str = "tls.auto-generated.pem";

/// A certificate that the configuration asks the program to make.
///
/// Make a self-signed certificate for `names`, [keep](Self::keep) it with its key, and load the directory
/// again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The names of the server, at least one.
    pub names: Vec<String>,
    /// The file that it is kept in.
    pub path: PathBuf,
    /// Whether the file is there, with a certificate that this one is to replace.
    pub replaces: bool,
    /// The directive that asks for it.
    pub origin: OriginId,
}

impl CertificateRequest {
    /// Writes the certificate and its key, as PEM, to the file: 0600 and flushed to disk before it has its
    /// name. One that is replaced leaves its mode and owner to the new one, as
    /// [`replace_also_a_link`](write::replace_also_a_link) does. Says whether it was written: one that somebody made
    /// meanwhile, where there was none, stays.
    ///
    /// # Errors
    /// [`WriteError`] with the step that failed. The file is then as it was, or whole.
    pub fn keep(&self, certificate_and_key: &str) -> Result<bool, WriteError> {
        let content = certificate_and_key.as_bytes();
        if self.replaces {
            return write::replace_also_a_link(&self.path, content, Access::Private).map(|()| true);
        }
        write::create(&self.path, content, Access::Private)
    }
}

/// What the server presents.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerCertificate {
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) request: Option<CertificateRequest>,
    /// The request that would make the certificate in force anew, where a program made that.
    pub(crate) renewal: Option<CertificateRequest>,
    /// The directives that the one in force goes before, the one written first in front.
    pub(crate) replaced: Vec<OriginId>,
}

impl ServerCertificate {
    fn of(identity: Option<Arc<Identity>>) -> Self {
        Self { identity, ..Self::default() }
    }
}

/// Finds the certificate, and says what there is to say about it.
pub(crate) fn find(
    gather: &mut Gather<'_>,
    tree: &Tree,
    me: Option<&Setting<String>>,
) -> ServerCertificate {
    let (files, mut replaced) = in_force(gather, tree, FILES);
    let (generate, replaced_generate) = in_force(gather, tree, AUTO_GENERATE);
    let generate = generate
        .map(|directive| (wanted_names(&directive), directive.span))
        .filter(|(wanted, _)| !matches!(wanted, Ok(Wanted::Nothing)));
    match (&files, &generate) {
        (Some(_), Some((_, span))) => replaced.insert(0, *span),
        (None, _) => replaced = replaced_generate,
        (Some(_), None) => {}
    }
    let replaced = replaced.into_iter().map(|span| gather.origins.id(Origin::File(span))).collect();
    ServerCertificate { replaced, ..by(gather, files, generate, me) }
}

/// The certificate by the first of the ways that is written.
fn by(
    gather: &mut Gather<'_>,
    files: Option<Directive>,
    generate: Option<(Result<Wanted, Box<Diagnostic>>, Span)>,
    me: Option<&Setting<String>>,
) -> ServerCertificate {
    let losers: Vec<_> = [SERVERCERT].into_iter().chain(HTTPD).collect();
    match (files, generate) {
        (Some(directive), generate) => {
            if let Some((_, span)) = generate {
                gather.say(not_in_force(AUTO_GENERATE, FILES).at(span));
            }
            let named = named_files(gather, &directive);
            let losers: Vec<_> = losers
                .into_iter()
                .filter(|loser| !named.contains(&gather.loader.resolve(loser)))
                .collect();
            report_losers(gather, FILES, &losers);
            ServerCertificate::of(from_directive(gather, &directive, me))
        }
        (None, Some((wanted, span))) => {
            report_losers(gather, AUTO_GENERATE, &losers);
            match wanted {
                Ok(Wanted::Names(names)) => generated(gather, span, names, me),
                Ok(Wanted::Nothing) => ServerCertificate::default(),
                Err(error) => {
                    gather.say(*error);
                    ServerCertificate::default()
                }
            }
        }
        (None, None) => ServerCertificate::of(from_deprecated(gather, me)),
    }
}

const FILES: &str = "tls_certificate_files";
const AUTO_GENERATE: &str = "tls_certificate_auto_generate";
const SERVERCERT: &str = "tls.servercert.pem";
const HTTPD: [&str; 3] = ["httpd.ssl.key", "httpd.ssl.crt", "httpd.ssl.ca"];

/// The files that a directive names, deprecated ones among them: those are in force by it.
fn named_files(gather: &Gather<'_>, directive: &Directive) -> Vec<PathBuf> {
    let paths = directive.texts().unwrap_or_default();
    paths.iter().map(|path| gather.loader.resolve(path.value)).collect()
}

/// A note about each file that is there although another way is in force.
fn report_losers(gather: &mut Gather<'_>, winner: &str, losers: &[&str]) {
    for name in losers {
        if !matches!(gather.loader.read(name), Ok(None)) {
            let path = gather.loader.resolve(name);
            gather.say(not_in_force(name, winner).in_file(path));
        }
    }
}

fn not_in_force(loser: &str, winner: &str) -> Diagnostic {
    let message =
        format!("{loser} is not used: {winner} comes before it (this order is our reading)");
    Diagnostic::note("certificate-not-in-force", message)
}

/// What `tls_certificate_auto_generate` asks for.
enum Wanted {
    Nothing,
    /// A certificate for these names; none of them: for the one in `me`.
    Names(Vec<String>),
}

fn wanted_names(directive: &Directive) -> Result<Wanted, Box<Diagnostic>> {
    let texts = directive.texts().map_err(|error| Box::new(error.into()))?;
    match texts.iter().map(|text| text.value).collect::<Vec<_>>()[..] {
        ["no"] => return Ok(Wanted::Nothing),
        ["yes"] => return Ok(Wanted::Names(Vec::new())),
        _ => {}
    }
    let mut names = Vec::new();
    for text in texts {
        if boolean_meant(text.value).is_some() {
            let problem = Problem::NotBoolean(text.value.to_owned());
            let name = directive.name.value.clone();
            return Err(Box::new(ValueError { span: text.span, name, problem }.into()));
        }
        let name = flag::parse_host_name(text.value)
            .map_err(|message| Diagnostic::error("not-a-host-name", message).at(text.span))?;
        names.push(name);
    }
    Ok(Wanted::Names(names))
}

/// The last directive of this name in a `general` block that stands in no other, and where those before it are,
/// which it replaces: those of the defaults as they are meant to be, and any other is told.
fn in_force(gather: &mut Gather<'_>, tree: &Tree, name: &str) -> (Option<Directive>, Vec<Span>) {
    let mut last: Option<&Directive> = None;
    let mut replaced = Vec::new();
    for (_, directive) in tree.directives().filter(|(_, d)| d.name.value == name) {
        let parent = directive.parent.and_then(|parent| tree.get(parent));
        if parent.is_none_or(|it| it.name.value != "general" || it.parent.is_some()) {
            let message = format!("{name} has an effect in a general block alone");
            gather.say(Diagnostic::warning("not-honoured", message).at(directive.span));
            continue;
        }
        let Some(before) = last.replace(directive) else { continue };
        replaced.push(before.span);
        if before.layer == directive.layer {
            gather.say(
                Diagnostic::warning("replaced", format!("a later {name} replaces this one"))
                    .at(before.span)
                    .with_related(directive.span, "the one in force"),
            );
        }
    }
    (last.cloned(), replaced)
}

fn from_directive(
    gather: &mut Gather<'_>,
    directive: &Directive,
    me: Option<&Setting<String>>,
) -> Option<Arc<Identity>> {
    if directive.arguments.is_empty() {
        let message = "tls_certificate_files names no file";
        gather.say(Diagnostic::error("no-certificate", message).at(directive.span));
        return None;
    }
    let paths = match directive.texts() {
        Ok(paths) => paths,
        Err(error) => {
            gather.say(error.into());
            return None;
        }
    };
    let mut material = Material::new(Some(directive.span));
    let mut complete = true;
    for path in paths {
        match gather.find(path.value, None) {
            Found::File(file) => complete &= material.add(gather, file),
            Found::Absent => {
                let resolved = gather.loader.resolve(path.value);
                let message = format!("{} is absent", printable(&resolved));
                gather.say(Diagnostic::error("missing-file", message).at(path.span));
                complete = false;
            }
            Found::Unreadable => complete = false,
        }
    }
    // Half of the files could still make an identity, but not the one that was asked for.
    if complete { material.assemble(gather, me) } else { None }
}

fn generated(
    gather: &mut Gather<'_>,
    directive: Span,
    mut names: Vec<String>,
    me: Option<&Setting<String>>,
) -> ServerCertificate {
    if names.is_empty() {
        names.extend(me.map(|me| me.value.clone()));
    }
    let path = gather.loader.resolve(AUTO_GENERATED);
    let origin = gather.origins.id(Origin::File(directive));
    let request = CertificateRequest { names, path, replaces: false, origin };
    match gather.find(AUTO_GENERATED, None) {
        Found::Unreadable => return ServerCertificate::default(),
        Found::File(file) => return generated_before(gather, directive, file, me, request),
        Found::Absent => {}
    }
    if request.names.is_empty() {
        gather.say(
            Diagnostic::error(
                "no-certificate",
                "a certificate is to be made, and neither this nor `me` names the server",
            )
            .at(directive),
        );
        return ServerCertificate::default();
    }
    gather.say(to_be_made(&request, "is to be made in").at(directive));
    ServerCertificate { request: Some(request), ..ServerCertificate::default() }
}

fn to_be_made(request: &CertificateRequest, what: &str) -> Diagnostic {
    let (names, path) = (request.names.join(", "), printable(&request.path));
    let message = format!("a self-signed certificate for {names} {what} {path}");
    Diagnostic::note("certificate-to-be-made", message)
}

/// The certificate that was made before, and the request for another where it lacks a name.
fn generated_before(
    gather: &mut Gather<'_>,
    directive: Span,
    file: FileId,
    me: Option<&Setting<String>>,
    request: CertificateRequest,
) -> ServerCertificate {
    let mut material = Material::new(Some(directive));
    material.is_generated = true;
    let complete = material.add(gather, file);
    let identity = if complete { material.assemble(gather, me) } else { None };
    let described = identity.as_ref().and_then(|identity| identity.leaf().describe().ok());
    let Some(leaf) = described.filter(|leaf| leaf.is_self_issued && !request.names.is_empty())
    else {
        return ServerCertificate::of(identity);
    };
    let renewal = CertificateRequest { replaces: true, ..request };
    let has = |name: &String| leaf.names.iter().any(|of_leaf| presented::is_name_of(of_leaf, name));
    let request = (!renewal.names.iter().all(has)).then(|| renewal.clone());
    if let Some(request) = &request {
        gather.say(to_be_made(request, "is to replace the one without that name in").at(directive));
    }
    ServerCertificate { identity, request, renewal: Some(renewal), ..ServerCertificate::default() }
}

fn from_deprecated(gather: &mut Gather<'_>, me: Option<&Setting<String>>) -> Option<Arc<Identity>> {
    for ways in [&[SERVERCERT][..], &HTTPD] {
        let mut material = Material::new(None);
        let (mut complete, mut present) = (true, false);
        for name in ways {
            match gather.find(name, None) {
                Found::Absent => {}
                Found::Unreadable => (complete, present) = (false, true),
                Found::File(file) => {
                    present = true;
                    complete &= material.add(gather, file);
                }
            }
        }
        if present {
            if ways.len() == 1 {
                report_losers(gather, SERVERCERT, &HTTPD);
            }
            return if complete { material.assemble(gather, me) } else { None };
        }
    }
    None
}

/// Sections of PEM from one or more files, with their places.
struct Material {
    directive: Option<Span>,
    sections: Vec<PemSection>,
    places: Vec<Span>,
    is_generated: bool,
}

impl Material {
    const fn new(directive: Option<Span>) -> Self {
        Self { directive, sections: Vec::new(), places: Vec::new(), is_generated: false }
    }

    /// Adds what a file holds; `false` if it cannot be read as PEM, which is then said.
    fn add(&mut self, gather: &mut Gather<'_>, file: FileId) -> bool {
        match PemFile::read(gather, file) {
            Ok(PemFile(sections)) => {
                for (section, place) in sections {
                    self.sections.push(section);
                    self.places.push(place);
                }
                true
            }
            Err(NotPem { reason, span }) => {
                self.say(gather, "unusable-certificate", reason, Some(span));
                false
            }
        }
    }

    fn assemble(
        self,
        gather: &mut Gather<'_>,
        me: Option<&Setting<String>>,
    ) -> Option<Arc<Identity>> {
        let assembly = match Identity::assemble(&self.sections) {
            Ok(assembly) => assembly,
            Err(error) => {
                let place = error.section().and_then(|section| self.places.get(section).copied());
                let (code, help) = fault(&error);
                self.say_with_help(gather, code, error.to_string(), place, help);
                return None;
            }
        };
        for unused in &assembly.unused {
            let what = match unused.reason {
                UnusedReason::Duplicate => "this section was there before",
                UnusedReason::UnrelatedCertificate => {
                    "this certificate is not in the chain of the server's and is not sent"
                }
                UnusedReason::OtherKind(PemKind::DhParameters) => {
                    "DH parameters are not used here: those of this host are in tls.dh2048.pem"
                }
                UnusedReason::OtherKind(_) => "this is neither a certificate nor a private key",
                _ => "this section is not used",
            };
            if let Some(place) = self.places.get(unused.section) {
                gather.say(Diagnostic::note("unused-section", what).at(*place));
            }
        }
        self.report_readable_keys(gather);
        let place = |section: &usize| self.places.get(*section).copied();
        let certificates = assembly.identity.chain().iter();
        let chain = certificates.zip(assembly.chain.iter().filter_map(place)).collect();
        let presented = Presented { chain, is_generated: self.is_generated };
        presented::report(gather, &presented, me);
        let origin = self.directive.or_else(|| self.places.first().copied()).map(Origin::File);
        let identity = assembly.identity;
        Some(Arc::new(match origin {
            Some(origin) => identity.with_origin(gather.origins.id(origin)),
            None => identity,
        }))
    }

    /// A warning about each file with a private key that every user of the host may read.
    fn report_readable_keys(&self, gather: &mut Gather<'_>) {
        const OTHERS_READ: u32 = 0o004;
        let sections = self.sections.iter().zip(&self.places);
        let keys = sections.filter(|(section, _)| matches!(section.kind(), PemKind::PrivateKey(_)));
        let mut told: Vec<FileId> = Vec::new();
        for (_, place) in keys {
            let Some(bits) = gather.loader.permissions(place.file) else { continue };
            if bits & OTHERS_READ == 0 || told.contains(&place.file) {
                continue;
            }
            told.push(place.file);
            let message =
                format!("every user of this host may read this private key (mode {bits:04o})");
            gather
                .say(Diagnostic::warning("certificate-key-readable", message).at(*place).with_help(
                "take that from others, by chmod o-rwx: the user that serves is to be the file's \
                     owner, or in its group with mode 0640",
            ));
        }
    }

    fn say(&self, gather: &mut Gather<'_>, code: &'static str, what: String, at: Option<Span>) {
        self.say_with_help(gather, code, what, at, None);
    }

    fn say_with_help(
        &self,
        gather: &mut Gather<'_>,
        code: &'static str,
        what: String,
        at: Option<Span>,
        help: Option<&str>,
    ) {
        let place = at.or_else(|| self.places.first().copied()).or(self.directive);
        let generated = self.is_generated.then_some("remove the file, and it is made anew");
        let mut diagnostic = Diagnostic::error(code, what);
        diagnostic.help = generated.or(help).map(str::to_owned);
        let diagnostic = match place {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        };
        gather.say(match self.directive {
            Some(directive) => diagnostic.with_related(directive, "asked for here"),
            None => diagnostic,
        });
    }
}

/// The code of a fault, and what to do about it.
const fn fault(error: &MaterialError) -> (&'static str, Option<&'static str>) {
    match error {
        MaterialError::EncryptedPrivateKey { .. } => (
            "certificate-key-encrypted",
            Some("nobody is there to be asked for a passphrase: write it without, by openssl pkey"),
        ),
        MaterialError::KeyMismatch { .. } => {
            ("certificate-key-mismatch", Some("name the key that the certificate was made for"))
        }
        MaterialError::NoPrivateKey => {
            ("certificate-key-missing", Some("add the file with the certificate's key"))
        }
        MaterialError::SeveralPrivateKeys { .. } => {
            ("certificate-key-ambiguous", Some("keep the certificate's key alone"))
        }
        MaterialError::NoCertificate => {
            ("certificate-missing", Some("add the file with the certificate of this key"))
        }
        _ => ("unusable-certificate", None),
    }
}
