//! The value of a directive for one IP address and one recipient domain.
//!
//! Contexts that take part: `general { … }`, `ip_address NAME { … }`, `domain PATTERN { … }`, and
//! `domain` inside `ip_address`. Names and patterns may be comma lists; case does not matter.
//!
//! Documented, for throttling, in this order, and taken for every directive here:
//! 1. the IP address by name, the domain by name;
//! 2. the IP address by name, the domain by a wildcard;
//! 3. `ip_address *`, the domain by name;
//! 4. `ip_address *`, the domain by a wildcard.
//!
//! Wildcards for `foo.example.com` are tried as documented: `[*.]foo.example.com`, `*.example.com`,
//! `[*.]example.com`, `*.com`, `[*.]com`.
//!
//! Our reading, where the documents are silent:
//! - each directive is looked up on its own: a block that does not hold it hides no other block;
//! - `domain *` comes behind all other wildcards;
//! - a block that names no domain stands for every domain, directly behind `domain *`, and one that
//!   names no IP address for every address, directly behind `ip_address *` with the same domain;
//!   `general` comes last;
//! - of several equal places the last counts, which [`Lookup::overridden`] reports; the user's file
//!   comes behind the file of defaults;
//! - the domain is the recipient's, not that of the host which takes its mail; an IPv4 address
//!   matches with and without the brackets of an address literal.
//!
//! A pattern that no domain can match (`.example.com`, `a@b`) is a warning that names the forms there
//! are, not an error: an error would stop all mail for one block.
//!
//! A directive anywhere else (in a `relay_server`, in no block) takes no part; [`Lookup::elsewhere`]
//! lists it, so that nothing is left out in silence.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::Ipv4Addr;

use super::pattern::{asks_for_tls, matches_nothing, split_wildcard, why_no_domain};
use super::tree::{Argument, Directive, DirectiveId, Tree};
use crate::diagnostic::{Bounded, Diagnostic, Severity};
use crate::limits::MAX_SCOPES;

/// A directive that a lookup found.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Which one.
    pub id: DirectiveId,
    /// The directive.
    pub directive: &'a Directive,
}

/// A [`Tree`], indexed.
///
/// ```
/// use hvmail_control::conf::{lookup::Lookup, tree::Tree};
/// use hvmail_control::snapshot::Loader;
/// use hvmail_control::source::Memory;
///
/// let source = Memory::new().file(
///     "greenarrow.conf",
///     "general {\n starttls_use yes\n}\ndomain [*.]example.com {\n starttls_require yes\n}\n",
/// );
/// let (tree, _) = Tree::load(&mut Loader::new(&source));
/// let (lookup, _) = Lookup::new(tree);
/// let required = |domain| lookup.find("starttls_require", None, domain).is_some();
/// assert!(required("mail.example.com") && required("EXAMPLE.com") && !required("example.net"));
/// assert!(lookup.find("starttls_use", None, "mail.example.com").is_some());
/// ```
#[derive(Clone, Default)]
pub struct Lookup {
    tree: Tree,
    names: HashMap<String, Named>,
    addresses: HashMap<String, u32>,
    domains: HashMap<String, Patterns>,
    /// By the number of the directive: whether it stands where a lookup finds it.
    placed: Vec<bool>,
}

/// The directives of one name, each list in order.
#[derive(Clone, Default)]
struct Named {
    everywhere: Vec<DirectiveId>,
    places: HashMap<Place, Vec<DirectiveId>>,
}

/// The blocks that a directive stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    address: u32,
    domain: u32,
}

/// In one piece, which takes half the time of two.
impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.address) << 32 | u64::from(self.domain));
    }
}

/// No block of the kind.
const ANY: u32 = 0;
/// The block for `*`.
const STAR: u32 = 1;
/// The address of what stands in `general`.
const GENERAL: u32 = 2;
/// The first number for what has a name.
const NAMED: u32 = 3;

/// The patterns that end in one domain, by number.
#[derive(Clone, Copy, Debug, Default)]
struct Patterns {
    exact: Option<u32>,
    /// `[*.]domain`
    with_subdomains: Option<u32>,
    /// `*.domain`
    subdomains: Option<u32>,
}

/// As for [`Tree`], only numbers are shown.
impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup")
            .field("tree", &self.tree)
            .field("names", &self.names.len())
            .finish()
    }
}

impl Lookup {
    /// Indexes `tree`. The diagnostics are about blocks whose names cannot match anything; an error
    /// among them means that the index is not whole.
    #[must_use]
    pub fn new(tree: Tree) -> (Self, Vec<Diagnostic>) {
        let mut builder = Builder::default();
        builder.index(&tree);
        builder.lookup.tree = tree;
        (builder.lookup, builder.diagnostics.finish())
    }

    /// What was indexed.
    #[must_use]
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The directive `name` that counts for mail from the IP address called `address` to `domain`;
    /// without an address, and for one that no block names, `ip_address *` and blocks of no address
    /// count. An empty domain matches `domain *` alone.
    #[must_use]
    pub fn find(&self, name: &str, address: Option<&str>, domain: &str) -> Option<Found<'_>> {
        self.matching(address, domain).find(name)
    }

    /// Every directive `name` of the place that [`find`](Self::find) takes it from, in order: for
    /// directives that accumulate.
    pub fn find_all(
        &self,
        name: &str,
        address: Option<&str>,
        domain: &str,
    ) -> impl DoubleEndedIterator<Item = Found<'_>> {
        self.matching(address, domain).find_all(name)
    }

    /// What counts for an IP address and a domain, to be asked for one directive after the other:
    /// the blocks are matched once.
    #[must_use]
    pub fn matching(&self, address: Option<&str>, domain: &str) -> Matching<'_> {
        let domains = self.candidates(domain);
        let named = address.and_then(|address| self.addresses.get(&*folded(address)).copied());
        // Two for each candidate, twice when an address is named, and what comes last.
        let mut places = Vec::with_capacity(4 * domains.len() + 4);
        if let Some(address) = named {
            let own = domains.iter().chain(&[STAR, ANY]);
            places.extend(own.map(|domain| Place { address, domain: *domain }));
        }
        let named = places.len();
        for domain in domains.into_iter().chain([STAR]) {
            places.extend([STAR, ANY].map(|address| Place { address, domain }));
        }
        places.extend([STAR, GENERAL].map(|address| Place { address, domain: ANY }));
        Matching { lookup: self, places, named }
    }

    /// The directive `name` in `general`, wherever else it may stand.
    #[must_use]
    pub fn general(&self, name: &str) -> Option<Found<'_>> {
        let ids = self.names.get(name)?.places.get(&Place { address: GENERAL, domain: ANY })?;
        self.found(*ids.last()?)
    }

    /// Every directive `name`, wherever it stands, in order.
    pub fn occurrences(&self, name: &str) -> impl Iterator<Item = Found<'_>> {
        let ids = self.names.get(name).map_or(&[][..], |named| &named.everywhere);
        ids.iter().filter_map(|id| self.found(*id))
    }

    /// Every directive `name` that no lookup finds, because of the place that it stands in.
    pub fn elsewhere(&self, name: &str) -> impl Iterator<Item = Found<'_>> {
        self.occurrences(name).filter(|found| !self.placed.get(found.id.index()).unwrap_or(&false))
    }

    /// A diagnostic about each directive `name` that has no effect because the same place holds
    /// another one behind it: a warning where the other says something else, a note where it says the
    /// same. For directives with one value; what accumulates overrides nothing. A default that the
    /// user's file overrides is no news.
    #[must_use]
    pub fn overridden(&self, name: &str) -> Vec<Diagnostic> {
        let mut pairs = Vec::new();
        for ids in self.names.get(name).into_iter().flat_map(|named| named.places.values()) {
            if let Some((last, earlier)) = ids.split_last() {
                pairs.extend(earlier.iter().map(|id| (*id, *last)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut said = Bounded::default();
        for (earlier, last) in pairs {
            let (Some(earlier), Some(last)) = (self.tree.get(earlier), self.tree.get(last)) else {
                continue;
            };
            if earlier.layer != last.layer {
                continue;
            }
            let severity =
                if texts(earlier).eq(texts(last)) { Severity::Note } else { Severity::Warning };
            said.push(severity, || {
                let name = &earlier.name.value;
                let message =
                    format!("this {name} has no effect: the same place holds another one");
                Diagnostic::new(severity, "overridden-directive", message)
                    .at(earlier.span)
                    .with_related(last.span, "the last one counts")
            });
        }
        said.finish()
    }

    fn found(&self, id: DirectiveId) -> Option<Found<'_>> {
        self.tree.get(id).map(|directive| Found { id, directive })
    }

    /// The patterns of the tree that match `domain`: the domain itself, and wildcards in their order.
    fn candidates(&self, domain: &str) -> Vec<u32> {
        let domain = normalized(domain);
        let mut candidates = Vec::new();
        if let Some(own) = self.domains.get(&*domain) {
            candidates.extend(own.exact);
            candidates.extend(own.with_subdomains);
        }
        let mut rest = &*domain;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(patterns) = self.domains.get(parent) {
                candidates.extend(patterns.subdomains);
                candidates.extend(patterns.with_subdomains);
            }
            rest = parent;
        }
        candidates
    }
}

/// The blocks of a [`Lookup`] that match one IP address and one domain.
#[derive(Clone, Debug)]
pub struct Matching<'l> {
    lookup: &'l Lookup,
    /// In the order of the module's documentation.
    places: Vec<Place>,
    /// How many of them name the IP address.
    named: usize,
}

impl<'l> Matching<'l> {
    /// What [`Lookup::find`] finds.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Found<'l>> {
        self.find_all(name).next_back()
    }

    /// What [`Lookup::find_all`] finds.
    pub fn find_all(&self, name: &str) -> impl DoubleEndedIterator<Item = Found<'l>> + use<'l> {
        self.first_of(name, &self.places)
    }

    /// Every directive `name` in these blocks: the one that [`find`](Self::find) gives, then those that
    /// it hides, the strongest first.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<Found<'l>> {
        let Some(named) = self.lookup.names.get(name) else { return Vec::new() };
        let mut seen = HashSet::new();
        let ids = self.places.iter().filter_map(|place| named.places.get(place));
        let ids = ids.flat_map(|ids| ids.iter().rev()).filter(|id| seen.insert(**id));
        ids.filter_map(|id| self.lookup.found(*id)).collect()
    }

    /// The same as [`find`](Self::find) without the blocks that name the IP address.
    #[must_use]
    pub fn find_for_any_address(&self, name: &str) -> Option<Found<'l>> {
        self.first_of(name, &self.places[self.named..]).next_back()
    }

    /// The directives `name` in the first place that holds one.
    fn first_of(
        &self,
        name: &str,
        places: &[Place],
    ) -> impl DoubleEndedIterator<Item = Found<'l>> + use<'l> {
        let lookup = self.lookup;
        let named = lookup.names.get(name);
        let ids = named.and_then(|named| places.iter().find_map(|place| named.places.get(place)));
        ids.into_iter().flatten().filter_map(|id| lookup.found(*id))
    }
}

#[derive(Default)]
struct Builder {
    lookup: Lookup,
    diagnostics: Bounded,
    patterns: usize,
    places: usize,
}

impl Builder {
    fn index(&mut self, tree: &Tree) {
        self.lookup.placed = vec![false; tree.directives().count()];
        for (id, directive) in tree.directives() {
            let name = &directive.name.value;
            match self.lookup.names.get_mut(name) {
                Some(named) => named.everywhere.push(id),
                None => {
                    let named = Named { everywhere: vec![id], places: HashMap::new() };
                    self.lookup.names.insert(name.clone(), named);
                }
            }
        }
        for (id, context) in tree.roots().filter(|(_, directive)| directive.block.is_some()) {
            match context.name.value.as_str() {
                "general" => {
                    if !context.arguments.is_empty() {
                        self.diagnostics.push(Severity::Warning, || {
                            let message = "general takes no names: what stands in its block holds \
                                           for all mail";
                            Diagnostic::warning("context-parameter", message).at(context.span)
                        });
                    }
                    self.place(tree, id, &[GENERAL], &[ANY]);
                }
                "domain" => {
                    let domains = self.domains(tree, context);
                    self.place(tree, id, &[ANY], &domains);
                }
                "ip_address" => {
                    let addresses = self.addresses(context);
                    self.place(tree, id, &addresses, &[ANY]);
                    for (id, inner) in tree.children(id) {
                        if inner.name.value == "domain" && inner.block.is_some() {
                            let domains = self.domains(tree, inner);
                            self.place(tree, id, &addresses, &domains);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Places what stands in the block of `context`.
    fn place(&mut self, tree: &Tree, context: DirectiveId, addresses: &[u32], domains: &[u32]) {
        for (id, directive) in tree.children(context) {
            let before = self.places;
            self.places = addresses.len().saturating_mul(domains.len()).saturating_add(self.places);
            if self.places > MAX_SCOPES {
                if before <= MAX_SCOPES {
                    self.diagnostics.push(Severity::Error, || {
                        let message = format!(
                            "the blocks name more than {MAX_SCOPES} pairs of an IP address and a \
                             domain, counted for each directive in them"
                        );
                        Diagnostic::error("configuration-too-large", message).at(directive.span)
                    });
                }
                return;
            }
            let Some(named) = self.lookup.names.get_mut(&directive.name.value) else { continue };
            for (address, domain) in
                addresses.iter().flat_map(|a| domains.iter().map(move |d| (*a, *d)))
            {
                named.places.entry(Place { address, domain }).or_default().push(id);
            }
            if let Some(placed) = self.lookup.placed.get_mut(id.index()) {
                *placed = !addresses.is_empty() && !domains.is_empty();
            }
        }
    }

    fn addresses(&mut self, context: &Directive) -> Vec<u32> {
        let mut numbers = Vec::new();
        for value in self.parameters(context) {
            numbers.push(if value == "*" {
                STAR
            } else {
                let next = number(self.lookup.addresses.len());
                *self.lookup.addresses.entry(folded(value).into_owned()).or_insert(next)
            });
        }
        distinct(numbers)
    }

    fn domains(&mut self, tree: &Tree, context: &Directive) -> Vec<u32> {
        let mut numbers = Vec::new();
        let asks = asks_for_tls(tree, context);
        for value in self.parameters(context) {
            if value == "*" {
                numbers.push(STAR);
                continue;
            }
            let (wildcard, base) = split_wildcard(value);
            let kind: fn(&mut Patterns) -> &mut Option<u32> = match wildcard {
                "[*.]" => |patterns| &mut patterns.with_subdomains,
                "*." => |patterns| &mut patterns.subdomains,
                _ => |patterns| &mut patterns.exact,
            };
            if let Some(help) = why_no_domain(wildcard, base) {
                self.diagnostics.push(Severity::Warning, || {
                    matches_nothing(context, value, asks).with_help(help)
                });
                continue;
            }
            let base = normalized(base).into_owned();
            let slot = kind(self.lookup.domains.entry(base).or_default());
            numbers.push(*slot.get_or_insert_with(|| {
                let next = number(self.patterns);
                self.patterns += 1;
                next
            }));
        }
        distinct(numbers)
    }

    /// The names or patterns of a block.
    fn parameters<'t>(&mut self, context: &'t Directive) -> Vec<&'t str> {
        let name = &context.name.value;
        let mut warn = |message: String, help: Option<String>| {
            self.diagnostics.push(Severity::Warning, || {
                let warning = Diagnostic::warning("context-parameter", message).at(context.span);
                Diagnostic { help, ..warning }
            });
        };
        for argument in &context.arguments {
            if matches!(argument, Argument::Option(_) | Argument::Heredoc(_)) {
                warn(format!("{name} takes names; this one has no effect"), None);
            }
        }
        let values: Vec<_> = texts(context).collect();
        if values.is_empty() {
            let help = format!("write {name} NAME, or {name} * for all");
            warn(
                format!("{name} names nothing: what stands in its block has no effect"),
                Some(help),
            );
        } else if context.arguments.len() > 1 {
            let help = "write commas between names, and quotes around a name with blanks";
            warn(format!("the names of {name} are taken as a list"), Some(help.to_owned()));
        }
        values
    }
}

/// Every string of a directive, in order.
fn texts(directive: &Directive) -> impl Iterator<Item = &str> {
    directive.arguments.iter().flat_map(Argument::values).map(|value| value.text.as_str())
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX - NAMED).saturating_add(NAMED)
}

fn distinct(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// A name of an IP address, without regard to case.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

/// A domain without regard to case, to a dot at its end, to how its labels are written (in
/// Unicode or as A-labels), and to brackets around an IPv4 address.
fn normalized(domain: &str) -> Cow<'_, str> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let inner = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let domain = inner.filter(|inner| inner.parse::<Ipv4Addr>().is_ok()).unwrap_or(domain);
    if domain.is_ascii() {
        return folded(domain);
    }
    match idna::domain_to_ascii(domain) {
        Ok(ascii) => ascii.into(),
        Err(_) => domain.to_lowercase().into(),
    }
}

#[cfg(test)]
#[path = "lookup_tests.rs"]
mod tests;
