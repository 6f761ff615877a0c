//! The access rules in use: each file read once, whichever services are under it.
//!
//! A file that is absent restricts nobody and lets nobody relay, with a warning. A file that cannot be
//! read, or with a line that is no rule, breaks every service under it: what it was meant to
//! refuse is not known.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity, shown};
use crate::read::tcprules::{self, Rules};
use crate::setting::{Found, Gather};
use crate::snapshot::{Origin, Span};

/// How many variables of a rule are named in one line.
const NAMED: usize = 8;

/// The access rules that are in use, each file read once.
#[derive(Default)]
pub(crate) struct AccessFiles(BTreeMap<&'static str, (Arc<Rules>, bool)>);

impl AccessFiles {
    /// The rules of `path` for a service; a file that cannot be used breaks the service.
    pub(crate) fn get(
        &mut self,
        gather: &mut Gather<'_>,
        path: &'static str,
        service: &str,
    ) -> Arc<Rules> {
        let (rules, usable) =
            self.0.entry(path).or_insert_with(|| read_access(gather, path)).clone();
        if !usable {
            gather.say(
                Diagnostic::error(
                    "access-rules-unusable",
                    format!("the access rules of {service} cannot be used"),
                )
                .in_file(gather.loader.resolve(path))
                .for_service(service),
            );
        }
        rules
    }
}

/// A note about the rules of a service that are there while it is told to use those of the first.
pub(crate) fn report_unused(gather: &mut Gather<'_>, path: &'static str, service: &str) {
    if !matches!(gather.loader.read(path), Ok(None)) {
        let message = "not used: TCPRULES_INHERIT puts this service under smtp.tcp";
        gather.say(
            Diagnostic::note("file-not-in-force", message)
                .in_file(gather.loader.resolve(path))
                .for_service(service),
        );
    }
}

fn read_access(gather: &mut Gather<'_>, path: &'static str) -> (Arc<Rules>, bool) {
    match gather.find(path, None) {
        Found::Unreadable => (Arc::default(), false),
        Found::Absent => {
            gather.say(
                Diagnostic::warning(
                    "no-access-rules",
                    "this file is absent: every client may connect, and none may relay",
                )
                .in_file(gather.loader.resolve(path)),
            );
            (Arc::default(), true)
        }
        Found::File(file) => {
            let (rules, diagnostics) = gather.parse(file, tcprules::parse);
            let usable = diagnostics.iter().all(|d| d.severity < Severity::Error);
            gather.say_all(diagnostics, None);
            report_rule_variables(gather, &rules);
            for rule in rules.all() {
                gather.origins.id(Origin::File(rule.span));
                for (_, value) in &rule.variables {
                    gather.origins.id(Origin::File(value.span));
                }
            }
            (Arc::new(rules), usable)
        }
    }
}

/// One warning for each rule that denies and sets variables; of the others one for each variable that has no
/// effect here, and for each that a rule sets again: the last one counts.
fn report_rule_variables(gather: &mut Gather<'_>, rules: &Rules) {
    for rule in rules.all().iter().filter(|rule| !rule.allow) {
        let (Some((first, _)), Some((_, last))) = (rule.variables.first(), rule.variables.last())
        else {
            continue;
        };
        let mut names: Vec<_> = rule.names().take(NAMED + 1).map(shown).collect();
        let verb = if names.len() == 1 { "has" } else { "have" };
        if names.len() > NAMED {
            names[NAMED] = format!("and {} more", rule.names().count() - NAMED);
        }
        let names = names.join(", ");
        let message = format!("{names} {verb} no effect: the rule denies, so there is no session");
        gather.say(Diagnostic::warning("not-honoured", message).at(first.span.to(last.span)));
    }
    let rules = || rules.all().iter().filter(|rule| rule.allow);
    for rule in rules() {
        let mut later: HashMap<&str, Span> = HashMap::new();
        for (name, _) in rule.variables.iter().rev() {
            let Some(in_force) = later.get(name.value.as_str()) else {
                later.insert(&name.value, name.span);
                continue;
            };
            let message = format!("a later {} of this rule replaces this one", shown(&name.value));
            let said = Diagnostic::warning("replaced", message).at(name.span);
            gather.say(said.with_related(*in_force, "the one that counts"));
        }
    }
    let mut first: BTreeMap<&str, _> = BTreeMap::new();
    for (name, _) in rules().flat_map(|rule| &rule.variables) {
        if !matches!(name.value.as_str(), "RELAYCLIENT" | "TLSCIPHERS") {
            first.entry(name.value.as_str()).or_insert(name.span);
        }
    }
    for (name, span) in first {
        let message = format!("{} in an access rule is kept, and has no effect", shown(name));
        gather.say(Diagnostic::warning("not-honoured", message).at(span));
    }
}
