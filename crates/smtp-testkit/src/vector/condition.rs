//! What must, or must not, have happened behind the point of a vector.
//!
//! Does: read one condition, and tell whether it holds of what a run showed. Does not: run.
//! Fails: a text that is no condition is named.

use super::Role;
use super::run::Seen;
use crate::transcript::lines::unescape;

/// Before or after the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Both.
    Any,
    /// In clear.
    Clear,
    /// Under TLS.
    Tls,
}

impl Scope {
    fn has(self, under_tls: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Clear => !under_tls,
            Self::Tls => under_tls,
        }
    }
}

/// One or more reply codes: `x`, `y` and `z` stand for any digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes(Vec<[u8; 3]>);

impl Codes {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        text.split('/')
            .map(|code| {
                <[u8; 3]>::try_from(code.as_bytes())
                    .ok()
                    .filter(|code| {
                        code.iter().all(|octet| matches!(octet, b'0'..=b'9' | b'x' | b'y' | b'z'))
                    })
                    .ok_or_else(|| format!("no reply code: {code:?}"))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(Self)
    }

    /// Whether one of them is this code.
    pub fn fit(&self, code: [u8; 3]) -> bool {
        self.0.iter().any(|pattern| {
            pattern
                .iter()
                .zip(code)
                .all(|(&wanted, digit)| wanted == digit || !wanted.is_ascii_digit())
        })
    }
}

/// A line's form: `*` stands for any octets, letters for both cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether a line, without its line end, has this form.
    pub fn fits(&self, line: &[u8]) -> bool {
        fn fits(pattern: &[u8], line: &[u8]) -> bool {
            match (pattern.split_first(), line.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) => (0..=line.len()).any(|at| fits(rest, &line[at..])),
                (Some((wanted, rest)), Some((octet, tail))) => {
                    wanted.eq_ignore_ascii_case(octet) && fits(rest, tail)
                }
                _ => false,
            }
        }
        fits(self.0.as_bytes(), line)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Messages,
    Replies(Scope),
    Lines(Scope),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Is,
    AtMost,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Is,
    Holds,
    Lacks,
}

/// One condition of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Count(Counted, Relation, usize),
    Reply(Scope, Option<usize>, Codes),
    Says(Scope, Glob),
    Offers(Scope, String),
    Echoes(Vec<u8>),
    Handshake,
    Message(Content, Vec<u8>),
    Outcome(String),
    TextIsTransparent,
    Text(Content, Vec<u8>),
}

const OUTCOMES: [&str; 5] = ["delivered", "deferred", "doubtful", "rejected", "none"];

impl Condition {
    pub(super) fn parse(text: &str, side: Role, size: Option<usize>) -> Result<Self, String> {
        let unknown = || format!("no condition: {text:?}");
        let (scope, rest) = match text.split_once(' ') {
            Some(("clear", rest)) => (Scope::Clear, rest),
            Some(("tls", rest)) => (Scope::Tls, rest),
            _ => (Scope::Any, text),
        };
        let octets = |text: &str| unescape(text, size).map(|(octets, _)| octets);
        let (word, argument) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match (word, side) {
            ("messages", Role::Server) if scope == Scope::Any => count(Counted::Messages, argument),
            ("replies", Role::Server) => count(Counted::Replies(scope), argument),
            ("lines", Role::Client) => count(Counted::Lines(scope), argument),
            ("reply", Role::Server) => match argument.split_once(" is ") {
                Some((position, codes)) => {
                    let position: usize = position.parse().map_err(|_| unknown())?;
                    let position = position.checked_sub(1).ok_or_else(unknown)?;
                    Some(Kind::Reply(scope, Some(position), Codes::parse(codes)?))
                }
                None => Some(Kind::Reply(scope, None, Codes::parse(argument)?)),
            },
            ("says", Role::Client) => Some(Kind::Says(scope, Glob::new(argument))),
            ("offers", Role::Server) if !argument.is_empty() => {
                Some(Kind::Offers(scope, argument.to_owned()))
            }
            ("echoes", Role::Server) if !argument.is_empty() => {
                Some(Kind::Echoes(octets(argument)?))
            }
            ("handshake", _) if rest == text && argument.is_empty() => Some(Kind::Handshake),
            ("outcome", Role::Client) if OUTCOMES.contains(&argument) => {
                Some(Kind::Outcome(argument.to_owned()))
            }
            ("text", Role::Client) if argument == "is transparent" => Some(Kind::TextIsTransparent),
            ("text", Role::Client) | ("message", Role::Server) => {
                let (verb, what) = argument.split_once(' ').unwrap_or((argument, ""));
                let content = match verb {
                    "is" => Content::Is,
                    "holds" => Content::Holds,
                    "lacks" => Content::Lacks,
                    _ => return Err(unknown()),
                };
                let what = octets(what)?;
                Some(match word {
                    "text" => Kind::Text(content, what),
                    _ => Kind::Message(content, what),
                })
            }
            _ => None,
        };
        kind.map(Self).ok_or_else(unknown)
    }

    /// Whether it holds; `None` where the run could not see it.
    pub(super) fn holds(&self, seen: &Seen) -> Option<bool> {
        Some(match &self.0 {
            Kind::Count(counted, relation, number) => {
                let count = match counted {
                    Counted::Messages => seen.messages(),
                    Counted::Replies(scope) => {
                        seen.replies.iter().filter(|reply| scope.has(reply.under_tls)).count()
                    }
                    Counted::Lines(scope) => {
                        seen.lines.iter().filter(|line| scope.has(line.under_tls)).count()
                    }
                };
                match relation {
                    Relation::Is => count == *number,
                    Relation::AtMost => count <= *number,
                    Relation::AtLeast => count >= *number,
                }
            }
            Kind::Reply(scope, position, codes) => {
                let mut replies = seen.replies.iter().filter(|reply| scope.has(reply.under_tls));
                match position {
                    Some(position) => {
                        replies.nth(*position).is_some_and(|reply| codes.fit(reply.code))
                    }
                    None => replies.any(|reply| codes.fit(reply.code)),
                }
            }
            Kind::Says(scope, glob) => {
                seen.lines.iter().any(|line| scope.has(line.under_tls) && glob.fits(&line.octets))
            }
            Kind::Offers(scope, keyword) => seen.replies.iter().any(|reply| {
                scope.has(reply.under_tls)
                    && reply.code == *b"250"
                    && reply.text.split(|&octet| octet == b'\n').any(|line| {
                        let word = line.split(|octet| b" \r".contains(octet)).next();
                        word.unwrap_or_default().eq_ignore_ascii_case(keyword.as_bytes())
                    })
            }),
            Kind::Echoes(what) => seen.replies.iter().any(|reply| contains(&reply.text, what)),
            Kind::Handshake => seen.handshake,
            Kind::Message(content, what) => {
                let messages = seen.inside.messages.as_ref()?;
                // Trace fields may stand in front of what was received (RFC 5321 section 4.4).
                messages.iter().all(|message| match content {
                    Content::Is => message.ends_with(what),
                    Content::Holds => contains(message, what),
                    Content::Lacks => !contains(message, what),
                })
            }
            Kind::Outcome(word) => seen.inside.outcomes.as_ref().map(|outcomes| {
                if word == "none" { outcomes.is_empty() } else { outcomes.contains(word) }
            })?,
            Kind::TextIsTransparent => seen.text.is_empty() || is_transparent(&seen.text),
            Kind::Text(content, what) => match content {
                Content::Is => seen.text == *what,
                Content::Holds => contains(&seen.text, what),
                Content::Lacks => !contains(&seen.text, what),
            },
        })
    }
}

fn count(counted: Counted, argument: &str) -> Option<Kind> {
    let (relation, number) = argument.split_once(' ')?;
    let relation = match relation {
        "=" => Relation::Is,
        "<=" => Relation::AtMost,
        ">=" => Relation::AtLeast,
        _ => return None,
    };
    Some(Kind::Count(counted, relation, number.parse().ok()?))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// Whether a message's text, as sent, can be read in one way only: CR and LF stand together, NUL
/// is nowhere, and no line but the last is a lone dot or begins with a dot that is not doubled.
/// A text that ends without its dot was given up, and no part of it counts as a message.
fn is_transparent(text: &[u8]) -> bool {
    let mut lines: Vec<&[u8]> = text.split(|&octet| octet == b'\n').collect();
    // What stands behind the last LF: nothing, or a fragment of a text that was given up.
    let fragment = lines.pop().unwrap_or_default();
    let mut ended = false;
    for line in &lines {
        let Some(line) = line.strip_suffix(b"\r") else { return false };
        let is_end = *line == *b".";
        let stuffed = !line.starts_with(b".") || line.starts_with(b"..") || is_end;
        if ended || !stuffed || line.contains(&b'\r') || line.contains(&0) {
            return false;
        }
        ended = is_end;
    }
    let fragment = fragment.strip_suffix(b"\r").unwrap_or(fragment);
    (fragment.is_empty() || !ended) && !fragment.contains(&b'\r') && !fragment.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_lines_have_patterns() {
        let codes = Codes::parse("250/5yz").unwrap();
        assert!(codes.fit(*b"250") && codes.fit(*b"554") && !codes.fit(*b"251"));
        assert!(Codes::parse("25").is_err() && Codes::parse("abc").is_err());
        assert!(Glob::new("MAIL FROM:*").fits(b"mail from:<>"));
        assert!(Glob::new("*BODY*").fits(b"MAIL FROM:<a@b> BODY=8BITMIME"));
        assert!(!Glob::new("DATA").fits(b"DATAX"));
    }

    #[test]
    fn a_transparent_text_has_one_reading() {
        for good in [&b".\r\n"[..], b"a\r\n..\r\n..b\r\n.\r\n", b"given up\r\nin the mid", b"a\r"] {
            assert!(is_transparent(good), "{good:?}");
        }
        for bad in [
            &b"a\n.\r\n"[..],
            b"a\r\n.b\r\n.\r\n",
            b"a\rb\r\n.\r\n",
            b"a\r\r\n.\r\n",
            b"a\0\r\n.\r\n",
            b"a\r\n.\r\nb\r\n.\r\n",
            b"a\r\n.\r\nb",
            b"a\rb",
        ] {
            assert!(!is_transparent(bad), "{bad:?}");
        }
    }
}
