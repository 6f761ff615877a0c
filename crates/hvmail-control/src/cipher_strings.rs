//! Which cipher string is in force, and what OpenSSL would make of it.
//!
//! Does: find the string of a service, and of each of its access rules, with all that it overrides; read
//! it as OpenSSL does, whatever TLS library is in use. Does not: choose suites. Fails: a string that OpenSSL
//! refuses, or that is longer than a TLS library is given, breaks each service that it is in force for. One in an
//! access rule breaks every service under the rules: the clients of that rule were to be kept from
//! something, and nobody knows from what. Where TLS 1.3 is offered alone, no string has a say, and none breaks
//! anything. Under a rule that denies, or that no client is ever under, there
//! is no session: what is wrong with its string is a warning.
//!
//! A word without effect is a warning at its place, unless the string means the same without it; so is a
//! string that keeps suites without encryption or authentication where its security level lets them be used.

use std::collections::HashMap;
use std::ops::Range;

use smtp_tls::cipher::{
    self, Authentication, CipherError, Encryption, Ignored, Operator, Reason, SecurityLevel, Suite,
};
use smtp_tls::{CipherString, Version};

use crate::diagnostic::{Diagnostic, Severity, quoted};
use crate::limits::MAX_CIPHER_STRING;
use crate::listener::{Service, TlsMode};
use crate::read::list;
use crate::read::tcprules::Rule;
use crate::setting::{Found, Gather, Setting};
use crate::snapshot::{Origin, OriginId, Origins, Snapshot, Span, Spanned};

pub(crate) const FILE: &str = "tls.tlsserverciphers";
/// The code of the error that a service does not know its string.
pub(crate) const UNKNOWN: &str = "ciphers-unknown";
const VARIABLE: &str = "TLSCIPHERS";

/// The code of a string that OpenSSL refuses.
const REFUSED: &str = "ciphers-refused";

/// Why a refused string breaks nothing, where TLS 1.3 is offered alone.
const NO_SAY: &str = "TLS 1.3 is offered alone, so the string has no say";

/// Why a refused string breaks nothing.
const NO_SESSION: &str = "no session uses it: its rule denies, or no client is ever under it";

/// The cipher string of all services: the process environment, else `tls.tlsserverciphers`.
pub(crate) struct Global {
    environment: Option<String>,
    file: Result<Option<Joined>, UnusableFile>,
}

/// The lines of a file as one string.
struct Joined {
    text: String,
    /// How much of it is blanks in front.
    blanks: usize,
    lines: Vec<Line>,
    span: Span,
}

/// A line of a file, and which part of the string it is.
struct Line {
    start: usize,
    end: usize,
    span: Span,
}

/// Where the octets of a string that is in force stand.
enum Places<'g> {
    /// In lines that were joined.
    Lines(&'g Joined),
    /// In this part of a file, from this octet on, as they are.
    Plain(Span, usize),
    /// Somewhere in this part of a file.
    Within(Span),
    /// In no file.
    Nowhere,
}

/// A file that is there, and nobody knows what it was meant to say.
struct UnusableFile;

impl Global {
    pub(crate) fn read(gather: &mut Gather<'_>) -> Self {
        let environment = gather.loader.environment(VARIABLE);
        Self { environment, file: read_file(gather) }
    }

    /// Says which services have their string from a file that cannot be used.
    pub(crate) fn report_unknown(&self, gather: &mut Gather<'_>, services: &[Service]) {
        if self.file.is_ok() {
            return;
        }
        // The backend's default would be more than the file allowed.
        let needing = services.iter().filter(|service| self.service_needs_file(service));
        let names: Vec<_> = needing.map(|service| service.name).collect();
        if names.is_empty() {
            return;
        }
        let message = match &names[..] {
            [only] => format!("{only} does not know which ciphers it may use"),
            several => format!("{} do not know which ciphers they may use", several.join(", ")),
        };
        let said = Diagnostic::error(UNKNOWN, message).in_file(gather.loader.resolve(FILE));
        gather.say(names.into_iter().fold(said, Diagnostic::for_service));
    }

    /// Whether a service would have its cipher string from the file, if there is one.
    fn service_needs_file(&self, service: &Service) -> bool {
        speaks_tls(service) && service.exported_ciphers.is_none() && self.environment.is_none()
    }

    /// The cipher string of a service for clients without a rule of their own.
    pub(crate) fn of_service(
        &self,
        gather: &mut Gather<'_>,
        service: &Service,
    ) -> Setting<Option<String>> {
        let mut setting = gather.default(None, VARIABLE);
        if let Ok(Some(file)) = &self.file {
            let origin = gather.origins.id(Origin::File(file.span));
            setting = overridden(setting, &file.text, origin, &[]);
        }
        if let Some(value) = &self.environment {
            let origin = gather.origins.id(Origin::Environment(VARIABLE.to_owned()));
            setting = overridden(setting, value, origin, &[]);
        }
        if let Some(exported) = &service.exported_ciphers {
            setting = overridden(setting, &exported.value, exported.origin, &exported.replaced);
        }
        setting
    }

    fn places(&self, snapshot: &Snapshot, origin: &Origin) -> Places<'_> {
        match (origin, &self.file) {
            (Origin::File(span), Ok(Some(file))) if *span == file.span => Places::Lines(file),
            (Origin::File(span), _) => Places::of_value(snapshot, *span),
            _ => Places::Nowhere,
        }
    }
}

impl Joined {
    fn new(values: &[Spanned<String>]) -> Option<Self> {
        let span = values.first()?.span.to(values.last()?.span);
        let text = values.iter().map(|line| line.value.as_str()).collect::<Vec<_>>().join(":");
        let blanks = text.len() - text.trim_start().len();
        let mut start = 0;
        let lines = values.iter().map(|line| {
            let placed = Line { start, end: start + line.value.len(), span: line.span };
            start = placed.end + 1;
            placed
        });
        Some(Self { lines: lines.collect(), text, blanks, span })
    }

    /// The part of a line; a `:` that joins two lines is the end of the first.
    fn place(&self, range: &Range<usize>) -> Span {
        // What is in force has no blanks around it.
        let range = range.start + self.blanks..range.end + self.blanks;
        let line = self.lines.partition_point(|line| line.end < range.start);
        let Some(Line { start, end, span }) = self.lines.get(line) else { return self.span };
        let within = |offset: usize| span.start + offset.clamp(*start, *end) - start;
        Span::new(span.file, within(range.start), within(range.end))
    }
}

impl Places<'_> {
    /// Those of a value, which stands in its file as it is, with or without quotation marks around it, or
    /// in a way that its octets are not to be found.
    fn of_value(snapshot: &Snapshot, whole: Span) -> Self {
        let text = snapshot.text(whole);
        let trimmed = text.trim_start_matches(['"', '\'', ' ', '\t']);
        let start = whole.start + text.len() - trimmed.len();
        let plain =
            !trimmed.trim_end_matches(['"', '\'', ' ', '\t']).contains(['"', '\'', '\\', '$']);
        if plain { Self::Plain(whole, start) } else { Self::Within(whole) }
    }

    fn place(&self, range: &Range<usize>) -> Option<Span> {
        match *self {
            Self::Lines(file) => Some(file.place(range)),
            Self::Plain(whole, start) if start + range.end <= whole.end => {
                Some(Span::new(whole.file, start + range.start, start + range.end))
            }
            Self::Plain(whole, _) | Self::Within(whole) => Some(whole),
            Self::Nowhere => None,
        }
    }
}

fn read_file(gather: &mut Gather<'_>) -> Result<Option<Joined>, UnusableFile> {
    let file = match gather.find(FILE, None) {
        Found::File(file) => file,
        Found::Absent => return Ok(None),
        Found::Unreadable => return Err(UnusableFile),
    };
    let (lines, diagnostics) =
        gather.parse(file, |bytes, file| list::entries(bytes, file, Severity::Error));
    let lost = !diagnostics.is_empty();
    gather.say_all(diagnostics, None);
    if lost {
        return Err(UnusableFile);
    }
    Ok(Joined::new(&lines))
}

/// What was in force, with another string in its place. An empty one is the default of OpenSSL.
fn overridden(
    mut before: Setting<Option<String>>,
    text: &str,
    origin: OriginId,
    replaced: &[OriginId],
) -> Setting<Option<String>> {
    before.replaced.push(std::mem::replace(&mut before.origin, origin));
    before.replaced.extend_from_slice(replaced);
    before.value = Some(bounded(text.trim()).to_owned()).filter(|text| !text.is_empty());
    before
}

/// A string, or of one that is too long as much as shows that it is: every rule has a copy.
fn bounded(text: &str) -> &str {
    (MAX_CIPHER_STRING + 1..text.len()).find_map(|end| text.get(..end)).unwrap_or(text)
}

/// The cipher string in force under a rule.
pub(crate) fn under_rule(
    service: &Service,
    origins: &Origins,
    rule: Option<&Rule>,
) -> Setting<Option<String>> {
    let of_service = service.tls_ciphers.clone();
    let own = rule.and_then(|rule| rule.variable(VARIABLE));
    match own.map(|own| (own, origins.find(&Origin::File(own.span)))) {
        Some((own, Some(origin))) => {
            let written = rule.into_iter().flat_map(|rule| rule.replaced(VARIABLE));
            let replaced: Vec<_> =
                written.filter_map(|value| origins.find(&Origin::File(value.span))).collect();
            overridden(of_service, &own.value, origin, &replaced)
        }
        _ => of_service,
    }
}

pub(crate) fn has_own(rule: &Rule) -> bool {
    rule.variable(VARIABLE).is_some()
}

pub(crate) fn as_policy(setting: &Setting<Option<String>>) -> Option<CipherString> {
    let text = setting.value.clone()?;
    Some(CipherString { text, origin: Some(setting.origin) })
}

fn speaks_tls(service: &Service) -> bool {
    service.enabled.value && service.tls_mode.value != TlsMode::None
}

/// A string, and who has it.
struct Written {
    origin: OriginId,
    text: String,
    /// Whether a session can have it in force.
    used: bool,
    services: Vec<&'static str>,
}

/// Every string of the services that speak TLS and of their rules, each place once.
fn written(gather: &Gather<'_>, services: &[Service]) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    let mut known: HashMap<OriginId, usize> = HashMap::new();
    for service in services.iter().filter(|service| speaks_tls(service)) {
        let own = std::iter::once((service.tls_ciphers.clone(), true));
        let rules = service.rules().by_use().filter(|(rule, _)| has_own(rule));
        let of_rules =
            rules.map(|(rule, used)| (under_rule(service, &gather.origins, Some(rule)), used));
        for (setting, used) in own.chain(of_rules) {
            let Some(text) = setting.value else { continue };
            let origin = setting.origin;
            let at = *known.entry(origin).or_insert_with(|| {
                all.push(Written { origin, text, used, services: Vec::new() });
                all.len() - 1
            });
            if !all[at].services.contains(&service.name) {
                all[at].services.push(service.name);
            }
        }
    }
    all
}

/// Says what OpenSSL would refuse or pass over in every string, at each place once; what is refused, with
/// the services that it is in force for.
pub(crate) fn judge(gather: &mut Gather<'_>, global: &Global, services: &[Service]) {
    let strings = written(gather, services);
    let mut read: HashMap<&str, Vec<Finding>> = HashMap::new();
    for Written { origin, text, used, services } in &strings {
        let Some(origin) = gather.origins.get(*origin).cloned() else { continue };
        let findings = read.entry(text).or_insert_with(|| findings(text));
        let places = global.places(gather.loader.snapshot(), &origin);
        for Finding { range, diagnostic } in findings.iter() {
            let place = range.as_ref().and_then(|range| places.place(range));
            let said = diagnostic.clone();
            let said = match (place, &origin) {
                (Some(span), _) => said.at(span),
                (None, Origin::File(span)) => said.at(*span),
                (None, Origin::Environment(name)) => said.in_environment(name),
                (None, Origin::Default(_)) => said,
            };
            if said.severity < Severity::Error {
                gather.say(said);
            } else if !used {
                gather
                    .say(Diagnostic { severity: Severity::Warning, ..said }.with_help(NO_SESSION));
            } else {
                gather.say(services.iter().copied().fold(said, Diagnostic::for_service));
            }
        }
    }
}

/// What is refused where no string has a say is a warning.
pub(crate) fn without_say(diagnostics: &mut [Diagnostic]) {
    let errors = diagnostics.iter_mut().filter(|said| said.severity == Severity::Error);
    for refused in errors.filter(|said| said.code == REFUSED) {
        refused.severity = Severity::Warning;
        refused.help = Some(NO_SAY.to_owned());
    }
}

/// Something to be said of a string, and which part of it that is about; `None`: the whole.
struct Finding {
    range: Option<Range<usize>>,
    diagnostic: Diagnostic,
}

fn findings(text: &str) -> Vec<Finding> {
    if text.len() > MAX_CIPHER_STRING {
        let message =
            format!("this cipher string is longer than {MAX_CIPHER_STRING} octets: it is not read");
        return vec![Finding { range: None, diagnostic: Diagnostic::error(REFUSED, message) }];
    }
    match &cipher::parse(text) {
        Err(CipherError::Malformed { span, problem }) => {
            let message = format!("OpenSSL refuses this cipher string: {problem}");
            vec![Finding {
                range: Some(span.clone()),
                diagnostic: Diagnostic::error(REFUSED, message),
            }]
        }
        Err(CipherError::NoSuite { ignored }) => {
            let message = "OpenSSL refuses this cipher string: it leaves no suite of TLS 1.2";
            let mut diagnostic = Diagnostic::error(REFUSED, message);
            if !ignored.is_empty() && ignored.iter().all(|word| word.reason == Reason::Tls13) {
                let help =
                    "suites of TLS 1.3 are offered whatever the string says: name those of TLS 1.2";
                diagnostic = diagnostic.with_help(help);
            }
            let words = ignored.iter().filter_map(without_effect);
            std::iter::once(Finding { range: None, diagnostic }).chain(words).collect()
        }
        Ok(list) => {
            let mut found: Vec<_> = list.ignored.iter().filter_map(without_effect).collect();
            let level = list.security_level.unwrap_or(SecurityLevel::USUAL);
            let offered = list.at_level(level, (Version::Tls12, Version::Tls13)).tls12;
            if offered.is_empty() {
                let message = format!(
                    "at security level {level} OpenSSL negotiates none of this string's suites: a client \
                     needs TLS 1.3"
                );
                let diagnostic = Diagnostic::warning("ciphers-without-tls12", message);
                found.push(Finding { range: None, diagnostic });
            }
            found.extend(unprotected(&offered, level));
            found
        }
    }
}

/// What there is to say of suites that protect nothing, as far as the security level lets OpenSSL use them.
fn unprotected(offered: &[&'static Suite], level: SecurityLevel) -> impl Iterator<Item = Finding> {
    type Lacks = fn(&Suite) -> bool;
    let kinds: [(&str, &str, Lacks); 2] = [
        ("ciphers-without-encryption", "do not encrypt", |suite| {
            suite.encryption() == Encryption::Null
        }),
        ("ciphers-without-authentication", "do not authenticate the server", |suite| {
            suite.authentication() == Authentication::Anonymous
        }),
    ];
    let found = kinds.map(|(code, what, lacks)| {
        let mut lacking = offered.iter().filter(|suite| lacks(suite));
        let first = lacking.next()?.name();
        let message = format!(
            "at security level {level} OpenSSL may negotiate suites that {what}: {first} is the first of {}",
            lacking.count() + 1
        );
        Some(Finding { range: None, diagnostic: Diagnostic::warning(code, message) })
    });
    found.into_iter().flatten()
}

/// What there is to say of a word without effect; nothing where the string means the same without it.
fn without_effect(ignored: &Ignored) -> Option<Finding> {
    if ignored.is_harmless() {
        return None;
    }
    let word = quoted(&ignored.word);
    let reason = ignored.reason;
    let message = match ignored.operator {
        Operator::Add => format!("{word} adds no suite: {reason}"),
        Operator::Delete | Operator::Remove => format!("{word} takes out no suite: {reason}"),
        Operator::Last => format!("{word} moves no suite: {reason}"),
    };
    let diagnostic = Diagnostic::warning("cipher-word-without-effect", message);
    Some(Finding { range: Some(ignored.span.clone()), diagnostic })
}
