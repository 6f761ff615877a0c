//! `rcpthosts`: the domains for which mail is taken from everybody.
//!
//! An entry is a domain, or `.` and a domain for every name below it; letter case does not matter.
//! An address literal is taken if it is listed as written, brackets included.
//!
//! qmail takes mail for every domain where the file is absent. Here an absent file lists nothing,
//! with a warning: an open relay is never the consequence of a file that was lost.

use std::collections::HashSet;

use crate::diagnostic::{Bounded, Diagnostic, Severity, quoted};
use crate::read::list;
use crate::setting::{Found, Gather};

/// The domains of `rcpthosts`.
#[derive(Clone, Debug, Default)]
pub struct Recipients {
    entries: HashSet<String>,
}

impl Recipients {
    /// Whether mail for an address with this domain is taken. An address without a domain is taken,
    /// as by qmail: it is a local one. One outside ASCII is looked for by its A-labels.
    #[must_use]
    pub fn accepts(&self, domain: Option<&str>) -> bool {
        let Some(domain) = domain else { return true };
        let domain = match domain.is_ascii() {
            true => domain.to_ascii_lowercase(),
            false => match idna::domain_to_ascii(domain) {
                Ok(ascii) => ascii,
                Err(_) => return false,
            },
        };
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

/// Reads the file; `None` where it is there and cannot be read, or not to its end, which is said.
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
            let whole = diagnostics.iter().all(|said| said.severity < Severity::Error);
            gather.say_all(diagnostics, None);
            if !whole {
                return None;
            }
            let mut said = Bounded::default();
            for entry in &entries {
                if let Some(help) = why_no_recipient(&entry.value) {
                    said.push(Severity::Warning, || {
                        Diagnostic::warning(
                            "entry-without-effect",
                            format!("no recipient has the domain {}", quoted(&entry.value)),
                        )
                        .at(entry.span)
                        .with_help(help)
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

/// What to write instead, where no recipient's domain can be this entry.
pub(crate) fn why_no_recipient(entry: &str) -> Option<&'static str> {
    let literal = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name =
        |text: &str| text.split('.').all(|label| !label.is_empty() && label.chars().all(good));
    if name(entry.strip_prefix('.').unwrap_or(entry))
        || literal.is_some_and(|inner| inner.chars().all(|c| good(c) || matches!(c, '.' | ':')))
    {
        return None;
    }
    Some(if !entry.is_ascii() {
        "write the domain as recipients have it: in ASCII, its labels as xn--..."
    } else if entry.contains([',', ' ', '\t', ':']) {
        "write one domain a line, and nothing else on it"
    } else if entry.ends_with('.') {
        "write the domain without a dot at its end"
    } else {
        "write a domain, or `.` and a domain for every name below it"
    })
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
    fn an_entry_that_no_recipient_has_is_told() {
        for (entry, told) in [
            ("b.com.", true),
            ("foo:bar", true),
            ("c.com,d.com", true),
            (" c.com", true),
            ("*.c.com", true),
            ("@c.com", true),
            ("a..b", true),
            (".", true),
            ("b\u{fc}cher.example", true),
            ("[192.0.2.1", true),
            ("xn--bcher-kva.example", false),
            (".c.com", false),
            ("a_b.c-d.e", false),
            ("[192.0.2.1]", false),
            ("[IPv6:2001:db8::1]", false),
            ("localhost", false),
        ] {
            let source = Memory::new().file("rcpthosts", format!("a.com\n{entry}\n"));
            let mut gather = Gather::new(Loader::new(&source));
            assert!(read(&mut gather).unwrap().accepts(Some("a.com")));
            let codes: Vec<_> = gather.diagnostics.so_far().iter().map(|said| said.code).collect();
            assert_eq!(codes, vec!["entry-without-effect"; usize::from(told)], "{entry}");
        }
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
    fn a_domain_outside_ascii_is_its_a_labels() {
        let recipients = recipients("xn--bcher-kva.example\n.xn--bcher-kva.example\n");
        for listed in ["b\u{fc}cher.example", "B\u{dc}CHER.example", "mx.b\u{fc}cher.example"] {
            assert!(recipients.accepts(Some(listed)), "{listed}");
        }
        for other in
            ["bucher.example", "b\u{fc}cher.test", "b\u{fc}.cher.example", "\u{378}.example"]
        {
            assert!(!recipients.accepts(Some(other)), "{other}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_empty_file() {
        let source = Memory::new().unreadable("rcpthosts");
        let mut gather = Gather::new(Loader::new(&source));
        assert!(read(&mut gather).is_none());
        assert_eq!(gather.diagnostics.so_far()[0].code, "unreadable-file");
    }
}
