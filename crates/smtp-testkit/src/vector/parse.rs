//! The text of a vector to its steps and rules.

use super::condition::{Codes, Condition, Glob};
use super::{FormatError, Must, Reference, Role, Step, Vector};
use crate::transcript::lines::{self, Line, unescape};

/// The version of the format that is read here.
const FORMAT: &str = "1";

/// Every setting, and whether its value is octets.
const SETTINGS: [(&str, bool); 12] = [
    ("format", false),
    ("side", false),
    ("rule", false),
    ("tls", false),
    ("needs", false),
    ("sizes", false),
    ("from", false),
    ("to", false),
    ("message", true),
    ("credentials", false),
    ("messages", false),
    ("errors", false),
];

pub(super) fn vectors(name: &str, text: &str) -> Result<Vec<Vector>, FormatError> {
    let sizes = text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("#! sizes:")?)))
        .map(|(line, ranges)| {
            sizes(ranges).ok_or_else(|| FormatError {
                name: name.to_owned(),
                line,
                reason: "sizes are written `FIRST..LAST`, with spaces between".to_owned(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    if sizes.is_empty() {
        return vector(name, text, None).map(|vector| vec![vector]);
    }
    sizes.iter().map(|&size| vector(&format!("{name}@{size}"), text, Some(size))).collect()
}

fn sizes(ranges: &str) -> Option<Vec<usize>> {
    let mut sizes = Vec::new();
    for range in ranges.split_whitespace() {
        let (first, last) = range.split_once("..")?;
        sizes.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    (!sizes.is_empty()).then_some(sizes)
}

pub(super) fn setting_octets(text: &str) -> Result<Vec<u8>, String> {
    unescape(text, None).map(|(octets, _)| octets)
}

fn vector(name: &str, text: &str, size: Option<usize>) -> Result<Vector, FormatError> {
    let fault = |line: usize, reason: String| FormatError { name: name.to_owned(), line, reason };
    let read = lines::read(name, text, size)?;
    let value = |key: &str| {
        read.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    };
    if value("format") != Some(FORMAT) {
        return Err(fault(1, format!("the file does not say `#! format: {FORMAT}`")));
    }
    for (key, value) in &read.settings {
        match SETTINGS.iter().find(|(name, _)| name == key) {
            None => return Err(fault(1, format!("no such setting: {key}"))),
            Some((_, true)) => drop(setting_octets(value).map_err(|why| fault(1, why))?),
            Some((_, false)) => {}
        }
    }
    if value("rule").is_none() {
        return Err(fault(1, "the file names no rule".to_owned()));
    }
    let side = match value("side") {
        Some("server") => Role::Server,
        Some("client") => Role::Client,
        _ => return Err(fault(1, "the side is server or client".to_owned())),
    };
    let mut vector = Vector {
        name: name.to_owned(),
        side,
        settings: read.settings,
        steps: Vec::new(),
        musts: Vec::new(),
        references: Vec::new(),
    };
    for (line, what) in read.lines {
        take(&mut vector, line, what, size).map_err(|reason| fault(line, reason))?;
    }
    let points = vector.steps.iter().filter(|(_, step)| matches!(step, Step::Point)).count();
    if points != 1 {
        return Err(fault(1, format!("{points} lines say POINT, not one")));
    }
    if vector.musts.is_empty() {
        return Err(fault(1, "no line says MUST".to_owned()));
    }
    Ok(vector)
}

fn take(vector: &mut Vector, line: usize, what: Line, size: Option<usize>) -> Result<(), String> {
    let word = match what {
        Line::Client(octets) | Line::Server(octets) if octets.is_empty() => {
            return Err("a line without an octet".to_owned());
        }
        Line::Client(octets) if vector.side == Role::Server => {
            return step(vector, line, Step::Send(octets));
        }
        Line::Server(octets) if vector.side == Role::Client => {
            return step(vector, line, Step::Send(octets));
        }
        Line::Client(octets) => {
            let text = expected(&octets)?;
            return step(vector, line, Step::Line(text.split(" OR ").map(Glob::new).collect()));
        }
        Line::Server(octets) => {
            return step(vector, line, Step::Reply(Codes::parse(expected(&octets)?)?));
        }
        Line::Other(word) => word,
    };
    match word.as_str() {
        "TEXT" if vector.side == Role::Client => return step(vector, line, Step::Text),
        "TLS" => return step(vector, line, Step::Tls),
        "GLUE" => return step(vector, line, Step::Glue),
        "BORDER" => return step(vector, line, Step::Border),
        "POINT" => return step(vector, line, Step::Point),
        _ => {}
    }
    if let Some(text) = word.strip_prefix("MUST ") {
        let (not, text) = match text.strip_prefix("NOT ") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let conditions = text
            .split(" OR ")
            .map(|condition| Condition::parse(condition, vector.side, size))
            .collect::<Result<Vec<_>, _>>()?;
        vector.musts.push(Must { line, text: word.clone(), not, conditions });
        return Ok(());
    }
    if let Some((policy, words)) =
        word.strip_prefix("REFERENCE ").and_then(|rest| rest.split_once(':'))
    {
        let words = words.split_whitespace().filter(|word| *word != "-").map(str::to_owned);
        vector.references.push(Reference {
            line,
            policy: policy.to_owned(),
            words: words.collect(),
        });
        return Ok(());
    }
    Err(format!("no step and no rule: {word:?}"))
}

fn step(vector: &mut Vector, line: usize, step: Step) -> Result<(), String> {
    if !vector.musts.is_empty() || !vector.references.is_empty() {
        return Err("a step behind a rule".to_owned());
    }
    vector.steps.push((line, step));
    Ok(())
}

/// What the side under test is to say is a pattern: text without its line end.
fn expected(octets: &[u8]) -> Result<&str, String> {
    octets
        .strip_suffix(b"\r\n")
        .and_then(|text| std::str::from_utf8(text).ok())
        .ok_or_else(|| "what is waited for is one line of text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "#! format: 1\n#! side: server\n#! rule: RFC 5321 4.1.1.4\n";

    #[test]
    fn what_is_no_vector_is_named_with_its_line() {
        for (text, line) in [
            ("S: 220\nPOINT\nMUST replies = 0\nnonsense\n", 7),
            ("S: 22a\nPOINT\nMUST replies = 0\n", 4),
            ("POINT\nMUST replies = 0\nC: a\n", 6),
            ("POINT\nMUST replies ~ 0\n", 5),
            ("POINT\nMUST says MAIL*\n", 5),
            ("POINT\nMUST replies = 0 OR luck\n", 5),
            ("TEXT\n", 4),
            ("C: a\n", 1),
            ("POINT\n", 1),
            ("MUST replies = 0\n", 1),
            ("POINT\nPOINT\nMUST replies = 0\n", 1),
            ("#! sizes: 3\nPOINT\nMUST replies = 0\n", 4),
            ("#! colour: red\nPOINT\nMUST replies = 0\n", 1),
        ] {
            let error = vectors("t", &format!("{HEAD}{text}")).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
        }
        assert!(vectors("t", "#! side: server\nPOINT\nMUST replies = 0\n").is_err());
        assert!(vectors("t", "#! format: 2\n#! side: server\n#! rule: x\nPOINT\n").is_err());
    }

    #[test]
    fn sizes_make_several_of_one_file() {
        let text = format!(
            "{HEAD}#! sizes: 3..4 9..9\nPOINT\nC: \\{{size:x}}\\\nMUST replies = 0\nREFERENCE any: -\n"
        );
        let read = vectors("t", &text).unwrap();
        let names: Vec<&str> = read.iter().map(|vector| vector.name.as_str()).collect();
        assert_eq!(names, ["t@3", "t@4", "t@9"]);
        assert_eq!(read[2].sent(), b"xxxxxxxxx");
        assert!(read[0].references[0].words.is_empty());
    }
}
