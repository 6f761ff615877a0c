//! RFC 5321, section 4.1.2 and 4.1.3, one production a function, without any regard for speed.
//!
//! Each takes a production from the front of a text, as long a one as there is, and gives the rest.

use smtp_proto::wire::Verb;

type Rest<'a> = Option<&'a str>;

/// Where the path begins in a line of MAIL or RCPT: `"FROM:<"`, with one space before the `<` for
/// those who have always written it.
pub(super) fn path_start(verb: Verb, line: &str) -> Option<usize> {
    let word = if verb == Verb::Mail { "FROM:" } else { "TO:" };
    let start = "MAIL ".len();
    let argument = line.get(start..)?;
    let is_word = argument.get(..word.len())?.eq_ignore_ascii_case(word);
    let rest = &argument[word.len()..];
    let space = usize::from(rest.starts_with(' '));
    (is_word && rest[space..].starts_with('<')).then_some(start + word.len() + space)
}

/// What stands behind the path of MAIL or RCPT.
pub(super) fn behind_path(verb: Verb, line: &str) -> Rest<'_> {
    path(verb, &line[path_start(verb, line)?..])
}

/// The keywords of the parameters behind a path: `*(SP keyword ["=" value])`.
pub(super) fn keywords(line: &str) -> Option<impl Iterator<Item = &str>> {
    let verb = if line.get(..1)?.eq_ignore_ascii_case("M") { Verb::Mail } else { Verb::Rcpt };
    let rest = behind_path(verb, line)?;
    let parameters: Vec<(&str, Option<&str>)> = match rest.strip_prefix(' ') {
        Some(rest) => rest
            .split(' ')
            .map(|word| match word.split_once('=') {
                Some((keyword, value)) => (keyword, Some(value)),
                None => (word, None),
            })
            .collect(),
        None if rest.is_empty() => Vec::new(),
        None => return None,
    };
    let good = parameters.iter().all(|(keyword, value)| {
        keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && value.is_none_or(|value| !value.is_empty() && !value.contains('='))
    });
    good.then(|| parameters.into_iter().map(|(keyword, _)| keyword))
}

/// Whether a parameter of the command is one of an extension that this crate knows.
pub(super) fn knows(verb: Verb, keyword: &str) -> bool {
    let known: &[&str] = match verb {
        Verb::Mail => &[
            "SIZE",
            "BODY",
            "SMTPUTF8",
            "RET",
            "ENVID",
            "AUTH",
            "REQUIRETLS",
            "MT-PRIORITY",
            "HOLDFOR",
            "HOLDUNTIL",
            "BY",
        ],
        Verb::Rcpt => &["NOTIFY", "ORCPT", "RRVS"],
        // Attributes of XCLIENT and XFORWARD have any name.
        _ => return true,
    };
    known.iter().any(|known| known.eq_ignore_ascii_case(keyword))
}

/// Whether a line begins with a word that is a verb, alone or before a space.
pub(super) fn begins_with_verb(line: &str) -> bool {
    Verb::from_word(line.split(' ').next().unwrap_or_default()).is_some()
}

/// `BDAT SP chunk-size [SP LAST]`, the size of 20 digits at most (RFC 3030, 2).
pub(super) fn is_bdat(line: &str) -> bool {
    let mut words = line.split(' ').skip(1);
    let size = words.next().unwrap_or_default();
    let is_size = (1..=20).contains(&size.len()) && size.bytes().all(|c| c.is_ascii_digit());
    let is_last = words.next().is_none_or(|word| word.eq_ignore_ascii_case("LAST"));
    is_size && is_last && words.next().is_none()
}

/// Whether a number has so many digits that it does not fit, or hardly fits, 64 bits.
pub(super) fn has_long_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 9)
}

/// `Path = "<" [ A-d-l ":" ] Mailbox ">"`; `<>` for MAIL, `<postmaster>` for RCPT.
fn path(verb: Verb, text: &str) -> Rest<'_> {
    let inner = text.strip_prefix('<')?;
    if verb == Verb::Mail {
        if let Some(rest) = inner.strip_prefix('>') {
            return Some(rest);
        }
    } else if inner.get(..11).is_some_and(|name| name.eq_ignore_ascii_case("postmaster>")) {
        return Some(&inner[11..]);
    }
    let inner = if inner.starts_with('@') { route(inner)? } else { inner };
    mailbox(inner)?.strip_prefix('>')
}

fn route(text: &str) -> Rest<'_> {
    let mut rest = domain(text.strip_prefix('@')?)?;
    while let Some(next) = rest.strip_prefix(",@") {
        rest = domain(next)?;
    }
    rest.strip_prefix(':')
}

fn mailbox(text: &str) -> Rest<'_> {
    let rest = if text.starts_with('"') { quoted(text)? } else { dot_string(text)? };
    let rest = rest.strip_prefix('@')?;
    if rest.starts_with('[') { literal(rest) } else { domain(rest) }
}

fn dot_string(text: &str) -> Rest<'_> {
    let mut rest = atom(text)?;
    while let Some(next) = rest.strip_prefix('.') {
        rest = atom(next)?;
    }
    Some(rest)
}

fn atom(text: &str) -> Rest<'_> {
    let rest = text.trim_start_matches(|c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
    });
    (rest.len() < text.len()).then_some(rest)
}

/// `Quoted-string = DQUOTE *QcontentSMTP DQUOTE`
fn quoted(text: &str) -> Rest<'_> {
    let mut characters = text.strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some(characters.as_str()),
            '\\' if matches!(characters.next()?, ' '..='~') => {}
            ' '..='[' | ']'..='~' => {}
            _ => return None,
        }
    }
}

/// `String = Atom / Quoted-string`
pub(super) fn is_string(text: &str) -> bool {
    atom(text) == Some("") || quoted(text) == Some("")
}

/// `Domain / address-literal`
pub(super) fn is_client_name(text: &str) -> bool {
    domain(text) == Some("") || literal(text) == Some("")
}

/// `Domain = sub-domain *("." sub-domain)`, `sub-domain = Let-dig [Ldh-str]`
fn domain(text: &str) -> Rest<'_> {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    name.split('.').all(label).then_some(rest)
}

/// `address-literal`
fn literal(text: &str) -> Rest<'_> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    let is_v6 =
        inner.len() > 5 && inner.is_char_boundary(5) && inner[..5].eq_ignore_ascii_case("IPv6:");
    let good = if is_v6 {
        v6(&inner[5..])
    } else if let Some((tag, content)) = inner.split_once(':') {
        let ldh = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_tag = !tag.is_empty() && !tag.ends_with('-') && tag.chars().all(ldh);
        let dcontent = |c: char| matches!(c, '!'..='Z' | '^'..='~');
        is_tag && !content.is_empty() && content.chars().all(dcontent)
    } else {
        v4(inner)
    };
    good.then_some(rest)
}

/// Four numbers up to 255, without leading zeros.
fn v4(text: &str) -> bool {
    text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// The standard library takes `::` for one group of zeros too; the RFC wants two at least.
fn v6(text: &str) -> bool {
    let Ok(_) = text.parse::<std::net::Ipv6Addr>() else { return false };
    let groups = text.split(':').filter(|group| !group.is_empty());
    let count: usize = groups.map(|group| if group.contains('.') { 2 } else { 1 }).sum();
    !text.contains("::") || count <= 6
}

/// Whether a text may hold a label of more than 63 octets, or a local-part of more than 64.
pub(super) fn is_long(text: &str) -> bool {
    text.len() > 63
}
