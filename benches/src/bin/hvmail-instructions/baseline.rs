//! The counts of before, in a file that is kept with the code.
//!
//! Does: read and write it, and say what became more. Does not: count. Fails: a line that is none
//! of its own is named with its number.

use std::fmt::Write as _;

/// What a connection through TLS is counted by.
pub(crate) const CONNECTION: &str = "connection";

/// What a count may be above the one of before, in percent. The same code counts the same; code
/// around it, laid out anew by the compiler, moves a count by a little.
///
/// What a connection takes over the library alone is the difference of two counts that are up to a
/// hundred times as large, and that vary by a thousandth: keys, nonces and signatures are made anew.
/// The steps that it takes to verify a signature, which a client does without a session to resume and
/// a server that is shown a certificate, vary by two.
fn tolerance(count: &Count) -> f64 {
    let verifies = count.name.ends_with("-shown")
        || count.name.starts_with("client-") && count.name.ends_with("-full");
    match (count.per == CONNECTION, verifies) {
        (false, _) => 3.0,
        (true, false) => 10.0,
        (true, true) => 20.0,
    }
}

const COMPILER: &str = "# compiler: ";
const OPENSSL: &str = "# openssl: ";

/// What is in the name of a count that another OpenSSL makes another one.
const ON_OPENSSL: &str = "-openssl-";

/// Instructions for one unit of a piece of work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) name: String,
    pub(crate) instructions: f64,
    pub(crate) per: String,
}

/// All counts, and what compiled the code that was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) compiler: String,
    /// The OpenSSL that connections were counted on; empty where there was none.
    pub(crate) openssl: String,
    pub(crate) counts: Vec<Count>,
}

impl Counts {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parsed = Self::default();
        for (number, line) in text.lines().enumerate() {
            if let Some(compiler) = line.strip_prefix(COMPILER) {
                parsed.compiler = compiler.into();
            } else if let Some(openssl) = line.strip_prefix(OPENSSL) {
                parsed.openssl = openssl.into();
            } else if !line.starts_with('#') && !line.is_empty() {
                let mut words = line.split_whitespace();
                let (Some(name), Some(count), Some("per"), Some(per), None) =
                    (words.next(), words.next(), words.next(), words.next(), words.next())
                else {
                    return Err(format!("line {}: not NAME COUNT per UNIT", number + 1));
                };
                let instructions = count
                    .parse()
                    .map_err(|_| format!("line {}: {count} is no number", number + 1))?;
                parsed.counts.push(Count { name: name.into(), instructions, per: per.into() });
            }
        }
        Ok(parsed)
    }

    pub(crate) fn print(&self) -> String {
        let mut text = format!("{COMPILER}{}\n{OPENSSL}{}\n", self.compiler, self.openssl);
        for count in &self.counts {
            // Writing to a String never fails.
            let _ = writeln!(text, "{count}");
        }
        text
    }

    /// The work that takes more than `before` and the tolerance, or is not there any more. What was
    /// counted on another OpenSSL is not compared.
    pub(crate) fn worse_than<'a>(&'a self, before: &'a Self) -> Vec<&'a str> {
        let now = |name: &str| self.counts.iter().find(|count| count.name == name);
        let worse = |before: &&Count| {
            now(&before.name).is_none_or(|now| {
                now.instructions > before.instructions * (1.0 + tolerance(before) / 100.0)
            })
        };
        let same_openssl = self.openssl == before.openssl;
        let compared = |before: &&Count| same_openssl || !before.name.contains(ON_OPENSSL);
        before
            .counts
            .iter()
            .filter(compared)
            .filter(worse)
            .map(|count| count.name.as_str())
            .collect()
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<29} {:>9.1} per {}", self.name, self.instructions, self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Counts};

    fn counts(of: &[(&str, f64)]) -> Counts {
        let count = |&(name, instructions): &(&str, f64)| Count {
            name: name.into(),
            instructions,
            per: "session".into(),
        };
        Counts {
            compiler: "rustc 1.88.0".into(),
            openssl: "OpenSSL 3.0.0".into(),
            counts: of.iter().map(count).collect(),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let written = counts(&[("server", 12_345.5), ("client", 0.1)]);
        let text = format!("# A comment.\n\n{}", written.print());
        assert_eq!(Counts::parse(&text), Ok(written));
        for (text, line) in [("server 12 session", 1), ("# x\nserver many per session", 2)] {
            assert!(Counts::parse(text).unwrap_err().starts_with(&format!("line {line}: ")));
        }
    }

    #[test]
    fn more_than_the_tolerance_is_worse_and_so_is_what_is_gone() {
        let before = counts(&[("a", 1000.0), ("b", 1000.0), ("c", 1000.0), ("d", 1000.0)]);
        let now = counts(&[("a", 1029.0), ("b", 1031.0), ("c", 1.0), ("e", 9000.0)]);
        assert_eq!(now.worse_than(&before), ["b", "d"]);
        assert!(before.worse_than(&before).is_empty());
    }

    #[test]
    fn a_connection_on_another_openssl_is_not_compared() {
        let before =
            counts(&[("server-openssl-1.3-full", 1000.0), ("server-rustls-1.3-full", 1000.0)]);
        let mut now =
            counts(&[("server-openssl-1.3-full", 2000.0), ("server-rustls-1.3-full", 2000.0)]);
        assert_eq!(now.worse_than(&before).len(), 2);
        now.openssl = "OpenSSL 3.0.1".into();
        assert_eq!(now.worse_than(&before), ["server-rustls-1.3-full"]);
    }

    #[test]
    fn a_connection_beside_a_library_may_vary_by_more() {
        let mut before = counts(&[("a", 1000.0)]);
        before.counts[0].per = super::CONNECTION.into();
        assert!(counts(&[("a", 1099.0)]).worse_than(&before).is_empty());
        assert_eq!(counts(&[("a", 1101.0)]).worse_than(&before), ["a"]);
        let mut before = counts(&[("client-rustls-1.3-full", 1000.0)]);
        before.counts[0].per = super::CONNECTION.into();
        assert!(counts(&[("client-rustls-1.3-full", 1199.0)]).worse_than(&before).is_empty());
        assert_eq!(counts(&[("client-rustls-1.3-full", 1201.0)]).worse_than(&before).len(), 1);
    }
}
