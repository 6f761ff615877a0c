//! What the arguments of a directive say, as typed values.
//!
//! Documented: a boolean is `yes` or `no`; a duration is a sequence of decimal numbers, each with its
//! unit (`25h`, `300s`, `4h15m`). The units `h`, `m` and `s` are certain; `ms`, `us` and `ns` are our
//! reading. An argument that says something else is a [`ValueError`] with its place.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::tree::{Argument, Directive, Value};
use crate::diagnostic::{Diagnostic, quoted, shown};
use crate::snapshot::{Span, Spanned};

/// The arguments of a directive do not say what is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// The argument, or the whole directive where their number is wrong.
    pub span: Span,
    /// The name of the directive.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with the arguments of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not exactly one plain string, without a block.
    NotOneString,
    /// No string at all, or something that is no string among them.
    NotStrings,
    /// Neither `yes` nor `no`.
    NotBoolean(String),
    /// No integer of this range.
    NotInteger(String, RangeInclusive<u64>),
    /// No duration.
    NotDuration(String),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = shown(&self.name);
        match &self.problem {
            Problem::NotOneString => write!(f, "{name} takes one value"),
            Problem::NotStrings => write!(f, "{name} takes one or more values"),
            Problem::NotBoolean(found) => write!(f, "{name} is yes or no, not {}", quoted(found)),
            Problem::NotInteger(found, range) => {
                let (low, high) = (range.start(), range.end());
                write!(f, "{name} is a number from {low} to {high}, not {}", quoted(found))
            }
            Problem::NotDuration(found) => {
                write!(f, "{name} is a duration, not {}", quoted(found))
            }
        }
    }
}

impl std::error::Error for ValueError {}

impl From<ValueError> for Diagnostic {
    fn from(error: ValueError) -> Self {
        let name = shown(&error.name);
        let (code, found, help) = match &error.problem {
            Problem::NotOneString => ("wrong-arguments", "", format!("write {name} VALUE")),
            Problem::NotStrings => ("wrong-arguments", "", format!("write {name} VALUE, VALUE")),
            Problem::NotBoolean(found) => {
                let help = match boolean_meant(found) {
                    Some(meant) => format!("write {name} {meant}"),
                    None => format!("write {name} yes or {name} no"),
                };
                ("not-a-boolean", found.as_str(), help)
            }
            Problem::NotInteger(found, _) => {
                ("not-an-integer", found.as_str(), "write decimal digits alone".to_owned())
            }
            Problem::NotDuration(found) => (
                "not-a-duration",
                found.as_str(),
                "write numbers with units, as in 300s or 4h15m".to_owned(),
            ),
        };
        let help = if found.ends_with(';') {
            "`;` does not end a directive, it is part of the value; leave it out".to_owned()
        } else {
            help
        };
        Self::error(code, error.to_string()).at(error.span).with_help(help)
    }
}

/// The boolean that a word stands for elsewhere, though it may be none here.
pub(crate) fn boolean_meant(text: &str) -> Option<&'static str> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some("yes"),
        "no" | "false" | "off" | "0" => Some("no"),
        _ => None,
    }
}

impl Directive {
    /// The only argument, as text.
    ///
    /// # Errors
    /// There are none or several, it is a list, an option or a heredoc, or a block follows.
    pub fn text(&self) -> Result<Spanned<&str>, ValueError> {
        match (self.arguments.as_slice(), &self.block) {
            ([Argument::Value(value)], None) => Ok(Spanned::new(&value.text, value.span)),
            _ => Err(self.value_error(self.span, Problem::NotOneString)),
        }
    }

    /// Every string among the arguments, with commas or blanks between them.
    ///
    /// # Errors
    /// There is none, there is an option or a heredoc, or a block follows.
    pub fn texts(&self) -> Result<Vec<Spanned<&str>>, ValueError> {
        let mut texts = Vec::new();
        for argument in &self.arguments {
            let values = argument.values();
            if values.is_empty() {
                return Err(self.value_error(self.span, Problem::NotStrings));
            }
            texts.extend(values.iter().map(|value| Spanned::new(&*value.text, value.span)));
        }
        if texts.is_empty() || self.block.is_some() {
            return Err(self.value_error(self.span, Problem::NotStrings));
        }
        Ok(texts)
    }

    /// The value of the last `key=value` among the arguments.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&Value> {
        self.arguments.iter().rev().find_map(|argument| match argument {
            Argument::Option(option) if option.key.value == key => Some(&option.value),
            _ => None,
        })
    }

    /// The only argument, as `yes` or `no`.
    ///
    /// # Errors
    /// It is something else, or not the only one.
    pub fn boolean(&self) -> Result<Spanned<bool>, ValueError> {
        let text = self.text()?;
        match text.value {
            "yes" => Ok(text.map(|_| true)),
            "no" => Ok(text.map(|_| false)),
            other => Err(self.value_error(text.span, Problem::NotBoolean(other.to_owned()))),
        }
    }

    /// The only argument, as decimal digits whose value lies in `range`.
    ///
    /// # Errors
    /// It is something else, or not the only one.
    pub fn integer(&self, range: RangeInclusive<u64>) -> Result<Spanned<u64>, ValueError> {
        let text = self.text()?;
        let digits = text.value.bytes().all(|byte| byte.is_ascii_digit());
        match text.value.parse() {
            Ok(number) if digits && range.contains(&number) => Ok(text.map(|_| number)),
            _ => {
                let problem = Problem::NotInteger(text.value.to_owned(), range);
                Err(self.value_error(text.span, problem))
            }
        }
    }

    /// The only argument, as a duration.
    ///
    /// # Errors
    /// It is something else, or not the only one.
    pub fn duration(&self) -> Result<Spanned<Duration>, ValueError> {
        let text = self.text()?;
        match duration(text.value) {
            Some(duration) => Ok(text.map(|_| duration)),
            None => {
                let problem = Problem::NotDuration(text.value.to_owned());
                Err(self.value_error(text.span, problem))
            }
        }
    }

    fn value_error(&self, span: Span, problem: Problem) -> ValueError {
        ValueError { span, name: self.name.value.clone(), problem }
    }
}

/// The sum of one or more decimal numbers, each with its unit; what is below a nanosecond is cut off.
fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(number);
        let unit = behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let nanoseconds: u128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60 * 1_000_000_000,
            "h" => 3_600 * 1_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        total = total.checked_add(u128::from(whole) * nanoseconds)?;
        let mut digit_worth = nanoseconds;
        for digit in fraction.bytes() {
            digit_worth /= 10;
            total = total.checked_add(u128::from(digit - b'0') * digit_worth)?;
        }
        rest = behind;
    }
    if text.is_empty() {
        return None;
    }
    let seconds = u64::try_from(total / 1_000_000_000).ok()?;
    let nanoseconds = u32::try_from(total % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::tree::Tree;
    use crate::snapshot::Loader;
    use crate::source::Memory;

    fn directive(line: &str) -> Directive {
        let source = Memory::new().file("f", line);
        let (tree, diagnostics) = Tree::load_file(&mut Loader::new(&source), "f");
        assert_eq!(diagnostics, [], "{line}");
        tree.roots().next().unwrap().1.clone()
    }

    fn help(error: ValueError) -> String {
        Diagnostic::from(error).help.unwrap()
    }

    #[test]
    fn booleans_are_yes_and_no() {
        assert!(directive("starttls_use yes").boolean().unwrap().value);
        assert!(directive("starttls_use \"yes\"").boolean().unwrap().value);
        assert!(!directive("starttls_use no").boolean().unwrap().value);
        for (line, start, wanted) in [
            ("starttls_use true", 13, "write starttls_use yes"),
            ("starttls_use 0", 13, "write starttls_use no"),
            ("starttls_use Yes", 13, "write starttls_use yes"),
            ("starttls_use maybe", 13, "write starttls_use yes or starttls_use no"),
            ("starttls_use \"\"", 13, "write starttls_use yes or starttls_use no"),
            ("starttls_use", 0, "write starttls_use VALUE"),
            ("starttls_use yes no", 0, "write starttls_use VALUE"),
            ("starttls_use yes, no", 0, "write starttls_use VALUE"),
            ("starttls_use x=yes", 0, "write starttls_use VALUE"),
            ("starttls_use yes { }", 0, "write starttls_use VALUE"),
        ] {
            let error = directive(line).boolean().unwrap_err();
            assert_eq!(error.span.start, start, "{line}");
            assert_eq!(help(error), wanted, "{line}");
        }
        let error = directive("starttls_use yes;").boolean().unwrap_err();
        assert_eq!(error.to_string(), "starttls_use is yes or no, not \"yes;\"");
        assert!(help(error).contains("`;` does not end a directive"));
    }

    #[test]
    fn integers_are_digits_within_a_range() {
        let integer = |line| directive(line).integer(1..=65535).map(|value| value.value);
        assert_eq!(integer("port 1"), Ok(1));
        assert_eq!(integer("port 065535"), Ok(65535));
        for line in ["port 0", "port 65536", "port +1", "port -1", "port 1x", "port \"\""] {
            assert!(
                matches!(integer(line).unwrap_err().problem, Problem::NotInteger(..)),
                "{line}"
            );
        }
        let line = "port 99999999999999999999999999";
        assert!(integer(line).unwrap_err().to_string().contains("from 1 to 65535"));
    }

    #[test]
    fn durations_are_numbers_with_units() {
        let duration = |text| duration(text);
        for (text, milliseconds) in [
            ("25h", 90_000_000),
            ("300s", 300_000),
            ("4h15m", 15_300_000),
            ("1.5s", 1_500),
            (".5s", 500),
            ("1.s", 1_000),
            ("250ms", 250),
            ("1s1s", 2_000),
            ("2000us", 2),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(duration("0.0000000019s"), Some(Duration::from_nanos(1)));
        assert_eq!(duration("18446744073709551615s"), Some(Duration::from_secs(u64::MAX)));
        for text in [
            "",
            "5",
            "s",
            ".s",
            "1..2s",
            "1.2.3s",
            "-1s",
            "1d",
            "1 s",
            "5m3",
            "1\u{e9}",
            "18446744073709551616s",
            "18446744073709551615h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(directive("t 90s").duration().unwrap().value, Duration::from_secs(90));
        assert!(help(directive("t 90").duration().unwrap_err()).contains("300s"));
    }

    #[test]
    fn lists_and_options() {
        let texts = |line| {
            let directive = directive(line);
            directive.texts().map(|texts| {
                texts.into_iter().map(|text| text.value.to_owned()).collect::<Vec<_>>().join("|")
            })
        };
        assert_eq!(texts("allow_from a, \"b c\" ,d").unwrap(), "a|b c|d");
        assert_eq!(texts("smtp_source 127.0.0.1 host.example").unwrap(), "127.0.0.1|host.example");
        assert!(texts("allow_from").is_err());
        assert!(texts("allow_from a=b").is_err());
        let directive = directive("database local table=a table=\"b c\"");
        assert_eq!(directive.option("table").map(|value| &*value.text), Some("b c"));
        assert_eq!(directive.option("local"), None);
    }
}
