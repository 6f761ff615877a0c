//! Cipher strings against OpenSSL: tables of its answers, and the installed program.
//!
//! `scripts/cipher-tables` makes the tables anew from the installed OpenSSL, under its version's
//! name.
#![allow(clippy::unwrap_used)]

mod grammar;
mod installed;
mod tables;

use smtp_tls::Version;
use smtp_tls::cipher::{
    CipherError, CipherList, Release, SecurityLevel, Suite, parse_as, tls13_suites,
};

/// What OpenSSL answers: the numbers of suites, or its words for the error.
type Answer = Result<Vec<u16>, String>;

/// What `openssl ciphers` answers, by our reading.
fn listed(text: &str, release: Release) -> Answer {
    let list = read(text, release)?;
    Ok(ids(tls13_suites().iter().chain(list.suites.iter().copied())))
}

/// What `openssl ciphers -s` answers, by our reading.
fn offered(
    text: &str,
    release: Release,
    level: SecurityLevel,
    versions: (Version, Version),
) -> Answer {
    let list = read(text, release)?;
    let offer = list.at_level(level, versions);
    let count = offer.tls13.len() + offer.tls12.len() + offer.withheld.len();
    assert_eq!(count, tls13_suites().len() + list.suites.len(), "{text:?}");
    Ok(ids(offer.tls13.into_iter().chain(offer.tls12)))
}

/// Reads a string, and holds what it reports to be about this string.
fn read(text: &str, release: Release) -> Result<CipherList, String> {
    let read = parse_as(text, release);
    let ignored = match &read {
        Ok(CipherList { ignored, .. }) | Err(CipherError::NoSuite { ignored }) => ignored,
        Err(CipherError::Malformed { span, .. }) => {
            assert!(text.get(span.clone()).is_some(), "{text:?} {span:?}");
            return Err("invalid command".into());
        }
    };
    let mut behind = 0;
    for it in ignored {
        assert_eq!(text.get(it.span.clone()), Some(&*it.word), "{text:?} {it:?}");
        assert!(behind <= it.element.start && it.element.start <= it.span.start, "{text:?} {it:?}");
        assert!(it.span.end <= it.element.end, "{text:?} {it:?}");
        assert!(text.get(it.element.clone()).is_some(), "{text:?} {it:?}");
        behind = it.element.end;
    }
    let list = read.map_err(|_| "no cipher match".to_owned())?;
    let again = parse_as(&list.to_string(), release).unwrap();
    assert_eq!((again.suites, again.ignored), (list.suites.clone(), Vec::new()), "{text:?}");
    Ok(list)
}

fn ids<'a>(suites: impl Iterator<Item = &'a Suite>) -> Vec<u16> {
    suites.map(Suite::id).collect()
}

fn names(answer: &Answer) -> String {
    let name = |&id: &u16| smtp_tls::cipher::suite(id).map_or("?", Suite::name);
    match answer {
        Ok(ids) => ids.iter().map(name).collect::<Vec<_>>().join(":"),
        Err(error) => format!("error: {error}"),
    }
}
