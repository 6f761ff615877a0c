//! The commonest commands, in one go.
//!
//! Does: take DATA, RSET, QUIT, EHLO, MAIL and RCPT where nothing unusual stands in them, to the
//! same value as the grammar in [`super`]. Every octet is checked, by the class of what it stands
//! in. Does not: take anything else, or say what is wrong with a line. Fails: `None`, and then the
//! grammar is asked.

use super::{Command, Mail, Rcpt};
use crate::wire::address::{ForwardPath, ReversePath, plain};
use crate::wire::grammar::starts_with;
use crate::wire::syntax::{Syntax, UnknownParameters};

#[inline(always)]
pub(super) fn command<'a>(line: &'a [u8], syntax: &Syntax) -> Option<Command<'a>> {
    const MAIL: u32 = u32::from_le_bytes(*b"MAIL");
    const RCPT: u32 = u32::from_le_bytes(*b"RCPT");
    const DATA: u32 = u32::from_le_bytes(*b"DATA");
    const RSET: u32 = u32::from_le_bytes(*b"RSET");
    const QUIT: u32 = u32::from_le_bytes(*b"QUIT");
    const EHLO: u32 = u32::from_le_bytes(*b"EHLO");
    let (verb, rest) = line.split_first_chunk::<4>()?;
    // The mask makes letters capitals, and nothing else becomes a letter.
    match u32::from_le_bytes(*verb) & 0xdfdf_dfdf {
        MAIL => mail(rest, syntax).map(Command::Mail),
        RCPT => rcpt(rest, syntax).map(Command::Rcpt),
        DATA if rest.is_empty() => Some(Command::Data),
        RSET if rest.is_empty() => Some(Command::Rset),
        QUIT if rest.is_empty() => Some(Command::Quit),
        EHLO => plain::client_name(text(rest.strip_prefix(b" ")?)?).map(Command::Ehlo),
        _ => None,
    }
}

#[inline(always)]
fn mail<'a>(rest: &'a [u8], syntax: &Syntax) -> Option<Mail<'a>> {
    const FROM: &[u8; 7] = b" FROM:<";
    if !starts_with(rest, FROM) {
        return None;
    }
    let path = text(rest.get(FROM.len()..)?)?;
    let (reverse_path, list) = match path.strip_prefix('>') {
        Some(list) => (ReversePath::Null, list),
        None => {
            let (mailbox, list) = plain::path(path)?;
            (ReversePath::Mailbox(mailbox), list)
        }
    };
    let mut mail = Mail::new(reverse_path);
    if !list.is_empty() {
        mail.parameters.read(list, syntax.extensions, keeps_unknown(syntax)).ok()?;
        if !mail.declares_what_it_needs(syntax) {
            return None;
        }
    }
    Some(mail)
}

#[inline(always)]
fn rcpt<'a>(rest: &'a [u8], syntax: &Syntax) -> Option<Rcpt<'a>> {
    const TO: &[u8; 5] = b" TO:<";
    if !starts_with(rest, TO) {
        return None;
    }
    let (mailbox, list) = plain::path(text(rest.get(TO.len()..)?)?)?;
    let mut rcpt = Rcpt::new(ForwardPath::Mailbox(mailbox));
    if !list.is_empty() {
        rcpt.parameters.read(list, syntax.extensions, keeps_unknown(syntax)).ok()?;
    }
    Some(rcpt)
}

#[inline(always)]
fn text(octets: &[u8]) -> Option<&str> {
    core::str::from_utf8(octets).ok()
}

fn keeps_unknown(syntax: &Syntax) -> bool {
    syntax.unknown_parameters == UnknownParameters::Keep
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::limits;
    use crate::wire::extension::Extension;
    use crate::wire::syntax::ClientNames;

    const LABEL: &str = "an-unpleasantly-long-label-of-some-sixty-three-octets-in-a-name";
    const DOMAINS: &[&str] = &["example.org", "a.b-c.d", "a", "xn--a.example", "192.0.2.1", LABEL];
    const LOCAL_PARTS: &[&str] = &["a", "first.last", "news-bounces+47", "!#$%&'*/=?^_`{|}~"];
    const OF_MAIL: &[&str] =
        &[" SIZE=0", " size=48213", " SIZE=9999999999999999999", " BODY=8BITMIME", " body=7Bit"];
    const OF_RCPT: &[&str] = &[
        " NOTIFY=SUCCESS",
        " notify=delay,Failure",
        " ORCPT=rfc822;someone@example.com",
        " orcpt=x-400;a/b=",
        " ORCPT=x=400;a/b",
        " ORCPT=utf-8;a@b",
    ];
    /// What the grammar alone knows, and what is wrong.
    const ODD: &[&str] = &[
        "a..b",
        "a.",
        ".a",
        "-a",
        "a-",
        "a.-b",
        "a_b",
        "\"a b\"",
        "[192.0.2.1]",
        "@a.b:c",
        "jos\u{e9}",
        "<",
        ">",
        "@",
        "@@",
        ".",
        " ",
        "  ",
        "\0",
        "\r",
        "\x7f",
        "+2B",
        "+2",
        "=",
        ";",
        ",",
        ",DELAY",
        "X",
        "9",
        "99999999999999999999",
        "SIZE=1",
        " SIZE=1",
        " SIZE=",
        " SIZE=x",
        " BODY=BINARYMIME",
        " BODY=7BITS",
        " NOTIFY=NEVER",
        " NOTIFY=DELAY,DELAY",
        " RET=FULL",
        " X-Y=z",
        " X-Y=\u{e9}",
        " AUTH=jos+C3+A9@b",
        " SMTPUTF8",
    ];

    fn syntax() -> impl Strategy<Value = Syntax> {
        (any::<[bool; 5]>(), any::<bool>(), any::<bool>()).prop_map(|(on, keep, lenient)| Syntax {
            extensions: [
                Extension::Size,
                Extension::EightBitMime,
                Extension::Dsn,
                Extension::SmtpUtf8,
                Extension::Auth,
            ]
            .into_iter()
            .zip(on)
            .filter_map(|(extension, on)| on.then_some(extension))
            .collect(),
            unknown_parameters: if keep {
                UnknownParameters::Keep
            } else {
                UnknownParameters::Refuse
            },
            client_names: if lenient { ClientNames::Lenient } else { ClientNames::Strict },
        })
    }

    /// The parts of a line, as far as nothing was done to it.
    fn line() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let list = |of: &'static [&str]| proptest::collection::vec(select(of), 0..4);
        let path = (select(LOCAL_PARTS), proptest::collection::vec(select(DOMAINS), 1..6));
        let mail = (select(&["MAIL FROM:<", "mail From:<"][..]), path.clone(), list(OF_MAIL));
        let rcpt = (select(&["RCPT TO:<", "rcpt to:<"][..]), path, list(OF_RCPT));
        let transaction = prop_oneof![mail, rcpt].prop_map(|(verb, (local_part, labels), list)| {
            let mut parts = alloc::vec![verb, local_part, "@"];
            parts.extend(labels.iter().flat_map(|label| [*label, "."]));
            parts.pop();
            parts.push(">");
            parts.extend(list);
            parts
        });
        let hello = select(DOMAINS).prop_map(|name| alloc::vec!["EHLO ", name]);
        let alone = select(&["DATA", "rset", "Quit", "MAIL FROM:<>", "MAIL FROM:<> SIZE=1"][..])
            .prop_map(|line| alloc::vec![line]);
        prop_oneof![6 => transaction, 2 => hello, 1 => alone]
            .prop_map(|parts| parts.iter().map(|part| part.as_bytes().to_vec()).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 20 } else { 8_000 }))]

        #[test]
        fn what_is_taken_at_once_is_what_the_grammar_takes(
            mut parts in line(),
            odd in proptest::option::of(select(ODD)),
            place in any::<prop::sample::Index>(),
            octet in proptest::option::weighted(0.2, any::<(prop::sample::Index, u8)>()),
            syntax in syntax(),
        ) {
            if let Some(odd) = odd {
                parts.insert(place.index(parts.len()), odd.as_bytes().to_vec());
            }
            let mut line = parts.concat();
            if let Some((place, octet)) = octet {
                let place = place.index(line.len());
                line[place] = octet;
            }
            if let Some(at_once) = command(&line, &syntax) {
                prop_assert_eq!(Command::parse_any(&line, &syntax), Ok(at_once));
            }
        }
    }

    /// Whether each is taken at once, as the grammar says it is to be.
    fn assert_taken(line: &str, taken: bool) {
        let by_the_grammar = Command::parse_any(line.as_bytes(), &Syntax::STRICT);
        assert_eq!(by_the_grammar.is_ok(), taken, "{line}");
        assert_eq!(command(line.as_bytes(), &Syntax::STRICT), by_the_grammar.ok(), "{line}");
    }

    #[test]
    fn the_limits_are_those_of_the_grammar() {
        let some = |count: usize| "a".repeat(count);
        // Labels of 9 octets, the last perhaps shorter, and the dots between them.
        let domain = |count: usize| {
            let labels: Vec<_> =
                (0..count).step_by(10).map(|at| some((count - at).min(9))).collect();
            labels.join(".")
        };
        for over in 0..3 {
            let taken = over == 0;
            assert_taken(&format!("MAIL FROM:<{}@b>", some(limits::LOCAL_PART + over)), taken);
            assert_taken(&format!("RCPT TO:<b@{}>", some(limits::DOMAIN_LABEL + over)), taken);
            assert_taken(&format!("EHLO b.{}", some(limits::DOMAIN_LABEL + over)), taken);
            let (name, path) = (domain(limits::DOMAIN + over), domain(limits::PATH - 4 + over));
            assert_eq!((name.len(), path.len()), (limits::DOMAIN + over, limits::PATH - 4 + over));
            assert_taken(&format!("EHLO {name}"), taken);
            assert_taken(&format!("RCPT TO:<b@{path}>"), taken);
        }
    }

    #[test]
    fn what_is_common_is_taken_at_once() {
        let syntax =
            Syntax { extensions: Syntax::STRICT.extensions.with(Extension::Dsn), ..Syntax::STRICT };
        for line in [
            "DATA",
            "rset",
            "QUIT",
            "EHLO client_1.example.org",
            "MAIL FROM:<>",
            "MAIL FROM:<> BODY=7BIT",
            "MAIL FROM:<first.last@example.org>",
            "mail from:<a@b> size=1 body=8bitmime",
            "RCPT TO:<a@example.org>",
            "RCPT TO:<a@b> NOTIFY=FAILURE,DELAY ORCPT=rfc822;a@b",
        ] {
            assert!(command(line.as_bytes(), &syntax).is_some(), "{line}");
        }
    }

    #[test]
    fn what_stands_at_an_edge_is_what_the_grammar_takes() {
        let dsn =
            Syntax { extensions: Syntax::STRICT.extensions.with(Extension::Dsn), ..Syntax::STRICT };
        let keeping = Syntax { unknown_parameters: UnknownParameters::Keep, ..dsn };
        let edges = [
            "DATA",
            "RSET",
            "QUIT",
            "EHLO a",
            "MAIL FROM:<a@b> SIZE=",
            "MAIL FROM:<a@b> SIZE=1",
            "MAIL FROM:<a@b> SIZE=9999999999999999999",
            "MAIL FROM:<a@b> SIZE=99999999999999999999",
            "MAIL FROM:<a@b> SIZE= BODY=7BIT",
            "MAIL FROM:<a@b> BODY=8BITMIME",
            "MAIL FROM:<a@b> X=y SIZE=1",
            "MAIL FROM:<a@b> SIZE=1 X=y",
            "RCPT TO:<a@b> NOTIFY=DELAY",
            "RCPT TO:<a@b> NOTIFY=DELAY,SUCCESS",
            "RCPT TO:<a@b> NOTIFY=FAILURE ORCPT=rfc822;a@b",
            "RCPT TO:<a@b> NOTIFY=FAILURE X=y",
            "RCPT TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a",
            "RCPT TO:<a@b> ORCPT=rfc822;a+2Bb",
        ];
        for line in edges {
            let mut lines = alloc::vec![line.as_bytes().to_vec()];
            for octet in 0..=u8::MAX {
                lines.push([line.as_bytes(), &[octet]].concat());
                // In place of each octet, and before it.
                for place in 0..line.len() {
                    if cfg!(miri) {
                        continue;
                    }
                    let mut other = line.as_bytes().to_vec();
                    other[place] = octet;
                    lines.push(other.clone());
                    other[place] = line.as_bytes()[place];
                    other.insert(place, octet);
                    lines.push(other);
                }
            }
            for (line, syntax) in lines.iter().flat_map(|line| [(line, dsn), (line, keeping)]) {
                if let Some(at_once) = command(line, &syntax) {
                    let whole = Command::parse_any(line, &syntax);
                    assert_eq!(whole, Ok(at_once), "{:?}", line.escape_ascii());
                }
            }
        }
    }
}
