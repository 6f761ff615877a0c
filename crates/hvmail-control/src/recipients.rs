//! `rcpthosts`: the domains for which mail is taken from everybody.
//!
//! An entry is a domain, or `.` and a domain for every name below it; letter case does not matter.
//! An address literal is taken if it is listed as written, brackets included.
//!
//! qmail takes mail for every domain where the file is absent. Here an absent file lists nothing,
//! with a warning: an open relay is never the consequence of a file that was lost.

use std::collections::HashSet;

use crate::diagnostic::{Bounded, Diagnostic, Severity};
use crate::read::list;
use crate::setting::{Found, Gather};

/// The domains of `rcpthosts`.
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    entries: HashSet<String>,
}

impl Recipients {
    /// Whether mail for an address with this domain is taken. An address without a domain is taken,
    /// as by qmail: it is a local one.
    #[must_use]
    pub fn accepts(&self, domain: Option<&str>) -> bool {
        let Some(domain) = domain else { return true };
        let domain = domain.to_ascii_lowercase();
        self.entries.contains(&domain)
            || domain.match_indices('.').any(|(dot, _)| self.entries.contains(&domain[dot..]))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Reads the file; `None` where it is there and cannot be read, which is said.
pub(crate) fn read(gather: &mut Gather<'_>) -> Option<Recipients> {
    let name = "rcpthosts";
    match gather.find(name, None) {
        Found::Unreadable => None,
        Found::Absent => {
            let path = gather.loader.resolve(name);
            gather.say(
                Diagnostic::warning(
                    "no-rcpthosts",
                    "this file is absent, so mail is taken from clients that may relay and from \
                     nobody else",
                )
                .in_file(path)
                .with_help("write the domains that this host receives mail for, one a line"),
            );
            Some(Recipients::default())
        }
        Found::File(file) => {
            let (entries, diagnostics) =
                gather.parse(file, |bytes, file| list::entries(bytes, file, Severity::Warning));
            gather.say_all(diagnostics, None);
            let mut said = Bounded::default();
            for entry in &entries {
                if entry.value.contains(['@', ' ', '\t', '*']) {
                    said.push(Severity::Warning, || {
                        Diagnostic::warning(
                            "entry-without-effect",
                            "no recipient has this domain: an entry is a domain, or `.` and a \
                             domain for every name below it",
                        )
                        .at(entry.span)
                    });
                }
            }
            gather.say_all(said.finish(), None);
            let entries =
                entries.into_iter().map(|entry| entry.value.to_ascii_lowercase()).collect();
            Some(Recipients { entries })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Loader;
    use crate::source::Memory;

    fn recipients(content: &str) -> Recipients {
        let source = Memory::new().file("rcpthosts", content);
        let mut gather = Gather::new(Loader::new(&source));
        read(&mut gather).unwrap()
    }

    #[test]
    fn a_domain_stands_for_itself_and_a_dot_for_what_is_below() {
        let recipients = recipients("# ours\nExample.com\n.b.example\n[192.0.2.1]\n");
        for (domain, taken) in [
            ("example.com", true),
            ("EXAMPLE.COM", true),
            ("mail.example.com", false),
            ("notexample.com", false),
            ("com", false),
            ("b.example", false),
            ("x.b.example", true),
            ("y.x.B.example", true),
            ("xb.example", false),
            ("[192.0.2.1]", true),
            ("[192.0.2.2]", false),
            ("", false),
        ] {
            assert_eq!(recipients.accepts(Some(domain)), taken, "{domain}");
        }
        assert!(recipients.accepts(None));
    }

    #[test]
    fn an_absent_or_empty_file_takes_mail_for_no_domain() {
        assert!(!recipients("\n#example.com\n").accepts(Some("example.com")));
        let source = Memory::new();
        let mut gather = Gather::new(Loader::new(&source));
        let absent = read(&mut gather).unwrap();
        assert!(!absent.accepts(Some("example.com")) && absent.is_empty());
        assert_eq!(gather.diagnostics.so_far()[0].code, "no-rcpthosts");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_empty_file() {
        let source = Memory::new().unreadable("rcpthosts");
        let mut gather = Gather::new(Loader::new(&source));
        assert!(read(&mut gather).is_none());
        assert_eq!(gather.diagnostics.so_far()[0].code, "unreadable-file");
    }
}
