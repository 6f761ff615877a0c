//! A file of shell assignments, as far as it holds nothing else: octet by octet, as a shell reads it.

use std::collections::BTreeMap;

/// The last value of a variable, and whether it is exported.
pub type Variables = BTreeMap<String, (Option<String>, bool)>;

/// A word, its quoting undone.
#[derive(Default)]
struct Word {
    /// Each octet, and whether it was quoted.
    octets: Vec<(u8, bool)>,
    /// How many octets stand in front of the first quote, where there is one.
    quoted_from: Option<usize>,
    /// The same of the last quote.
    last_quoted: Option<usize>,
}

impl Word {
    /// Something in quotes begins here, be it nothing.
    fn quote(&mut self) -> &mut Vec<(u8, bool)> {
        self.last_quoted = Some(self.octets.len());
        self.quoted_from = self.quoted_from.or(self.last_quoted);
        &mut self.octets
    }

    /// The text, where it is one that a variable can hold.
    fn text(&self, from: usize) -> Option<String> {
        let octets = self.octets[from..].iter().map(|(octet, _)| *octet).collect();
        String::from_utf8(octets).ok().filter(|text| !text.contains('\0'))
    }

    /// How long the name of `NAME=value` is: nothing in front of the `=` is quoted.
    fn name(&self) -> Option<usize> {
        let equals = self.octets.iter().position(|(octet, _)| *octet == b'=')?;
        let name = self.octets[..equals].iter().map(|(octet, _)| char::from(*octet));
        let plain = self.quoted_from.is_none_or(|from| from > equals);
        (plain && is_name(&name.collect::<String>())).then_some(equals)
    }

    /// The name and the value of `NAME=value`.
    fn assignment(&self) -> Option<(String, String)> {
        let equals = self.name()?;
        let name = self.octets[..equals].iter().map(|(octet, _)| char::from(*octet)).collect();
        Some((name, self.text(equals + 1)?))
    }
}

/// The variables of a text; `None` where a shell would do anything but assign and export, or where
/// shells differ, or where the text seems to be cut short.
#[must_use]
pub fn read(text: &[u8]) -> Option<Variables> {
    let mut variables = Variables::new();
    let mut last_export = None;
    let (statements, goes_on) = statements(text)?;
    for statement in statements {
        if statement.iter().any(|word| word.text(0).is_none()) {
            return None;
        }
        let assigned = statement.iter().take_while(|word| word.name().is_some()).count();
        let (front, command) = statement.split_at(assigned);
        let mut exported = Vec::new();
        if let [verb, arguments @ ..] = command {
            let is_export = verb.quoted_from.is_none() && verb.text(0)? == "export";
            if !is_export || arguments.is_empty() {
                return None;
            }
            for word in arguments {
                let name = word.assignment().map(|(name, _)| name).or(word.text(0))?;
                exported.push(is_name(&name).then_some(name)?);
            }
            // What stands in front of `export` stays everywhere only for a name that is exported.
            if front
                .iter()
                .any(|w| w.assignment().is_some_and(|(name, _)| !exported.contains(&name)))
            {
                return None;
            }
        }
        for (name, value) in statement.iter().filter_map(Word::assignment) {
            variables.entry(name).or_default().0 = Some(value);
        }
        let ends_in_name = statement.last().is_some_and(|word| word.name().is_none());
        last_export = exported.last().filter(|_| ends_in_name).cloned();
        for name in exported {
            variables.entry(name).or_default().1 = true;
        }
    }
    // What was never assigned may be a part of a name, where nothing ends it.
    let is_cut = last_export.is_some_and(|name| variables[&name].0.is_none());
    (goes_on || text.ends_with(b"\n") || !is_cut).then_some(variables)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The words of each statement, quoting undone, and whether more than blanks is behind the last word;
/// `None` where there is more than words.
fn statements(text: &[u8]) -> Option<(Vec<Vec<Word>>, bool)> {
    let mut goes_on = false;
    let (mut all, mut words, mut word): (Vec<Vec<Word>>, Vec<Word>, Option<Word>) =
        (Vec::new(), Vec::new(), None);
    let mut at = 0;
    let ends_line =
        |at: usize| text.get(at) == Some(&b'\r') && matches!(text.get(at + 1), Some(b'\n') | None);
    while let Some(&octet) = text.get(at) {
        goes_on &= word.is_none();
        // A comment, or a line that is continued.
        goes_on |= word.is_none() && matches!(octet, b'#' | b'\\');
        at += 1;
        match octet {
            b' ' | b'\t' => words.extend(word.take()),
            b'\r' if ends_line(at - 1) => words.extend(word.take()),
            b'\n' | b';' => {
                words.extend(word.take());
                if octet == b';' && words.is_empty() {
                    return None;
                }
                all.push(std::mem::take(&mut words));
            }
            b'#' if word.is_none() => {
                while text.get(at).is_some_and(|octet| *octet != b'\n') {
                    at += 1;
                }
            }
            b'|' | b'&' | b'<' | b'>' | b'(' | b')' | b'`' => return None,
            b'$' if expands(text.get(at), false) => return None,
            b'\\' if text.get(at) == Some(&b'\n') => at += 1,
            b'\\' if ends_line(at) => at += 2,
            b'\\' => {
                // A backslash that ends the file stands for itself.
                let escaped = *text.get(at).unwrap_or(&b'\\');
                word.get_or_insert_default().quote().push((escaped, true));
                at += 1;
            }
            b'\'' => {
                let length = text[at..].iter().position(|octet| *octet == b'\'')?;
                let quoted = text[at..at + length].iter().map(|octet| (*octet, true));
                // What is empty still makes a word that is quoted.
                word.get_or_insert_default().quote().extend(quoted);
                at += length + 1;
            }
            b'"' => {
                let word = word.get_or_insert_default().quote();
                loop {
                    match (*text.get(at)?, text.get(at + 1)) {
                        (b'"', _) => break at += 1,
                        (b'`', _) => return None,
                        (b'$', next) if expands(next, true) => return None,
                        (b'\\', Some(b'\n')) => at += 2,
                        (b'\\', Some(b'\r')) if ends_line(at + 1) => at += 3,
                        (b'\\', Some(next @ (b'$' | b'`' | b'"' | b'\\'))) => {
                            word.push((*next, true));
                            at += 2;
                        }
                        (other, _) => {
                            word.push((other, true));
                            at += 1;
                        }
                    }
                }
            }
            b'~' if begins_home(word.as_ref()) => return None,
            other => word.get_or_insert_default().octets.push((other, false)),
        }
    }
    goes_on &= word.is_none();
    words.extend(word);
    all.push(words);
    Some((all, goes_on))
}

/// Whether a `$` in front of this octet is more than itself.
fn expands(next: Option<&u8>, within_quotes: bool) -> bool {
    match next {
        None => false,
        Some(b'\'' | b'"') => !within_quotes,
        Some(octet) => octet.is_ascii_alphanumeric() || b"_@*#?-$!({".contains(octet),
    }
}

/// Whether a `~` behind this stands for somebody's home: first in a word, and in the value of an
/// assignment first or behind a colon, nothing of it quoted.
fn begins_home(word: Option<&Word>) -> bool {
    let Some(word) = word else { return true };
    let Some(equals) = word.name() else { return false };
    let length = word.octets.len();
    let behind = length == equals + 1 || word.octets.last() == Some(&(b':', false));
    behind && word.last_quoted != Some(length)
}
