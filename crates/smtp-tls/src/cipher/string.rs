//! The rule language: a string, read from left to right, as moves in a ranking.
//!
//! Does: read what OpenSSL reads as it reads it, and note what has no effect. Does not: know what a
//! word selects ([`words`](super::words)). Fails: where OpenSSL calls the string an invalid
//! command, with the place.

use std::ops::Range;

use super::ranking::Ranking;
use super::table::SUITES;
use super::words::{Criteria, Word, word};
use super::{
    CipherError, Ignored, Malformed, Operator, Reason, Release, SecurityLevel, Suite, SuiteB,
};

/// What `DEFAULT` stands for.
const DEFAULT: &str = "ALL:!COMPLEMENTOFDEFAULT:!eNULL";

/// What a string says.
pub(super) struct Read {
    pub(super) suites: Vec<&'static Suite>,
    pub(super) security_level: Option<SecurityLevel>,
    pub(super) suite_b: Option<SuiteB>,
    pub(super) ignored: Vec<Ignored>,
}

pub(super) fn read(text: &str, release: Release) -> Result<Read, CipherError> {
    if let Some(at) = text.find('\0') {
        return Err(malformed(at..at + 1, Malformed::Nul));
    }
    let mut ranking = Ranking::new(release);
    let suite_b = SuiteB::at_start_of(text);
    let mut begin = 0;
    if let Some((suite_b, _)) = suite_b {
        Reader::new(suite_b.cipher_string(), release, &mut ranking).rules(0)?;
    } else if let Some(rest) = text.strip_prefix("DEFAULT") {
        Reader::new(DEFAULT, release, &mut ranking).rules(0)?;
        begin = text.len() - rest.strip_prefix(':').unwrap_or(rest).len();
    }
    let mut reader = Reader::new(text, release, &mut ranking);
    match suite_b {
        Some((_, word)) => reader.pass_over_all_behind(word),
        None => reader.rules(begin)?,
    }
    let Reader { security_level, ignored, .. } = reader;
    let suite_b = suite_b.map(|(suite_b, _)| suite_b);
    Ok(Read { suites: ranking.into_list(), security_level, suite_b, ignored })
}

struct Reader<'a> {
    text: &'a str,
    release: Release,
    ranking: &'a mut Ranking,
    security_level: Option<SecurityLevel>,
    ignored: Vec<Ignored>,
}

impl<'a> Reader<'a> {
    const fn new(text: &'a str, release: Release, ranking: &'a mut Ranking) -> Self {
        Self { text, release, ranking, security_level: None, ignored: Vec::new() }
    }

    fn rules(&mut self, mut at: usize) -> Result<(), CipherError> {
        while let Some(&octet) = self.text.as_bytes().get(at) {
            if is_separator(octet) {
                at += 1;
                continue;
            }
            at = match octet {
                b'@' => self.command(at)?,
                b'-' => self.rule(at, at + 1, Operator::Delete)?,
                b'+' => self.rule(at, at + 1, Operator::Last)?,
                b'!' => self.rule(at, at + 1, Operator::Remove)?,
                _ => self.rule(at, at, Operator::Add)?,
            };
        }
        Ok(())
    }

    /// Words joined by `+`, from `at`; where it ends. It may be followed by the next without a
    /// separator.
    fn rule(
        &mut self,
        start: usize,
        mut at: usize,
        operator: Operator,
    ) -> Result<usize, CipherError> {
        let words = at;
        let mut criteria = Criteria::default();
        loop {
            let end = self.end_of_word(at)?;
            let joined = self.text.as_bytes().get(end) == Some(&b'+');
            let next = if joined { end + 1 } else { end };
            let selects = match word(&self.text[at..end], self.release) {
                Word::Selects(selects) => selects,
                Word::Unknown(reason) => {
                    return Ok(self.pass_over(start, at, operator, reason));
                }
            };
            match criteria.and(&selects) {
                Some(both) => criteria = both,
                None => {
                    let element = start..self.end_of_element(next);
                    let span = words..end;
                    self.note(element.clone(), span, operator, Reason::SelectsNothing);
                    return Ok(element.end);
                }
            }
            if !joined {
                self.apply(start..end, words..end, operator, &criteria);
                return Ok(end);
            }
            at = next;
        }
    }

    fn apply(
        &mut self,
        element: Range<usize>,
        words: Range<usize>,
        operator: Operator,
        criteria: &Criteria,
    ) {
        let spoken_of = self.ranking.apply(operator, criteria)
            || SUITES.iter().any(|suite| criteria.admit(suite, self.release));
        if !spoken_of {
            let reason =
                if criteria.is_not_built() { Reason::NotBuilt } else { Reason::SelectsNothing };
            self.note(element, words, operator, reason);
        }
    }

    /// `@STRENGTH` or `@SECLEVEL=`; where its element ends.
    fn command(&mut self, start: usize) -> Result<usize, CipherError> {
        let end = self.end_of_word(start + 1)?;
        match &self.text.as_bytes()[start + 1..end] {
            b"STRENGTH" => self.ranking.sort_by_strength(),
            [level @ .., digit] if level == b"SECLEVEL=" => {
                let level = digit.checked_sub(b'0').and_then(SecurityLevel::new);
                let Some(level) = level else {
                    return Err(malformed(start..end, Malformed::SecurityLevel));
                };
                self.security_level = Some(level);
            }
            _ => return Err(malformed(start..end, Malformed::Command)),
        }
        let rest = end..self.end_of_element(end);
        if !rest.is_empty() {
            self.note(rest.clone(), rest.clone(), Operator::Add, Reason::AfterCommand);
        }
        Ok(rest.end)
    }

    /// Passes over the element that begins at `start` for its word at `at`; where it ends.
    fn pass_over(&mut self, start: usize, at: usize, operator: Operator, reason: Reason) -> usize {
        let element = start..self.end_of_element(at);
        // The word as a person reads it: before 3.2 OpenSSL ends it at a `_`.
        let long = self.text[at..element.end]
            .bytes()
            .take_while(|&octet| is_in_word(octet, Release::V3_2))
            .count();
        let span = at..at + long;
        let reason = match (reason, word(&self.text[span.clone()], self.release)) {
            (Reason::Unknown, Word::Unknown(better)) => better,
            (reason, _) => reason,
        };
        self.note(element.clone(), span, operator, reason);
        element.end
    }

    fn pass_over_all_behind(&mut self, at: usize) {
        let separator = |char| u8::try_from(char).is_ok_and(is_separator);
        let rest = self.text[at..].trim_end_matches(separator);
        let end = at + rest.len();
        let start = end - rest.trim_start_matches(separator).len();
        if start < end {
            self.note(start..end, start..end, Operator::Add, Reason::AfterSuiteB);
        }
    }

    fn note(
        &mut self,
        element: Range<usize>,
        span: Range<usize>,
        operator: Operator,
        reason: Reason,
    ) {
        let word = self.text[span.clone()].to_owned();
        self.ignored.push(Ignored { word, span, element, operator, reason });
    }

    fn end_of_word(&self, at: usize) -> Result<usize, CipherError> {
        let rest = &self.text[at..];
        let length = rest.bytes().take_while(|&octet| is_in_word(octet, self.release)).count();
        if length == 0 {
            let wide = rest.chars().next().map_or(0, char::len_utf8);
            return Err(malformed(at..at + wide, Malformed::MissingWord));
        }
        Ok(at + length)
    }

    fn end_of_element(&self, at: usize) -> usize {
        let rest = &self.text.as_bytes()[at..];
        at + rest.iter().take_while(|&&octet| !is_separator(octet)).count()
    }
}

const fn is_separator(octet: u8) -> bool {
    matches!(octet, b':' | b',' | b';' | b' ')
}

const fn is_in_word(octet: u8, release: Release) -> bool {
    match octet {
        b'-' | b'.' | b'=' => true,
        b'_' => matches!(release, Release::V3_2),
        _ => octet.is_ascii_alphanumeric(),
    }
}

const fn malformed(span: Range<usize>, problem: Malformed) -> CipherError {
    CipherError::Malformed { span, problem }
}

#[cfg(test)]
mod tests {
    use super::super::{parse, parse_as};
    use super::*;

    fn ignored(text: &str) -> Vec<Ignored> {
        match parse(text) {
            Ok(list) => list.ignored,
            Err(CipherError::NoSuite { ignored }) => ignored,
            Err(error) => panic!("{text}: {error}"),
        }
    }

    #[track_caller]
    fn one(text: &str) -> (String, Reason, Range<usize>) {
        let ignored = ignored(text);
        let [it] = &*ignored else { panic!("{text}: {ignored:?}") };
        assert_eq!(text[it.span.clone()], it.word);
        (it.word.clone(), it.reason, it.element.clone())
    }

    #[test]
    fn a_word_without_effect_is_reported_with_its_place_and_why() {
        let cases = [
            ("AES:FOO", "FOO", Reason::Unknown, 4..7),
            ("AES: !FOO*bar!baz :SHA", "FOO", Reason::Unknown, 5..17),
            ("AES+FOO+*:SHA", "FOO", Reason::Unknown, 0..9),
            ("AES:aes", "aes", Reason::Unknown, 4..7),
            ("AES!RC4", "RC4", Reason::NotBuilt, 3..7),
            ("AES:3DES", "3DES", Reason::NotBuilt, 4..8),
            ("AES:EDH-RSA-DES-CBC3-SHA", "EDH-RSA-DES-CBC3-SHA", Reason::NotBuilt, 4..24),
            ("AES:DES-CBC3-SHA", "DES-CBC3-SHA", Reason::NotBuilt, 4..16),
            ("AES:RC4+RSA", "RC4", Reason::NotBuilt, 4..11),
            ("AES:-EXP", "EXP", Reason::Removed, 4..8),
            ("AES:!SSLv2", "SSLv2", Reason::Removed, 4..10),
            ("AES:TLSv1.3", "TLSv1.3", Reason::Tls13, 4..11),
            ("AES:TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", Reason::Tls13, 4..26),
            ("AES:DEFAULT", "DEFAULT", Reason::DefaultNotFirst, 4..11),
            (" DEFAULT", "DEFAULT", Reason::DefaultNotFirst, 1..8),
            ("PROFILE=SYSTEM", "PROFILE=SYSTEM", Reason::SystemProfile, 0..14),
            ("AES:+LOW", "LOW", Reason::SelectsNothing, 4..8),
            ("AES:SSLv3+AESGCM", "SSLv3+AESGCM", Reason::SelectsNothing, 4..16),
            ("AES:!kRSA+kDHE+SHA*", "kRSA+kDHE", Reason::SelectsNothing, 4..19),
            ("AES:@STRENGTH@SECLEVEL=1", "@SECLEVEL=1", Reason::AfterCommand, 13..24),
            ("SUITEB128: ALL;AES ", "ALL;AES", Reason::AfterSuiteB, 11..18),
        ];
        for (text, word, reason, element) in cases {
            assert_eq!(one(text), (word.to_owned(), reason, element), "{text}");
        }
    }

    #[test]
    fn what_has_an_effect_is_not_reported() {
        for text in [
            "DEFAULT",
            "DEFAULT:!SHA",
            "ALL:!ALL:COMPLEMENTOFALL",
            "!ALL:ALL:!aNULL:eNULL",
            "AES:AES:+AES:-AES:AES",
            "AES@STRENGTH:@SECLEVEL=1",
            "::AES;,",
            "SUITEB192:",
        ] {
            assert_eq!(ignored(text), [], "{text}");
        }
    }

    #[test]
    fn taking_out_what_is_not_there_is_harmless_but_not_a_word_that_nobody_knows() {
        for (text, harmless) in [
            ("AES:!RC4", true),
            ("AES:-EXP", true),
            ("AES:+LOW", true),
            ("AES:!3DES", true),
            ("AES:!aNUL", false),
            ("AES:!TLSv1.3", false),
            ("AES:RC4", false),
            ("AES:LOW", false),
        ] {
            assert_eq!(ignored(text)[0].is_harmless(), harmless, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_place() {
        let cases = [
            ("AES:*", 4..5, Malformed::MissingWord),
            ("AES:é", 4..6, Malformed::MissingWord),
            ("AES*", 3..4, Malformed::MissingWord),
            ("AES:!", 5..5, Malformed::MissingWord),
            ("AES+:SHA", 4..5, Malformed::MissingWord),
            ("3DES+", 5..5, Malformed::MissingWord),
            ("AES_", 3..4, Malformed::MissingWord),
            ("DEFAULT:*", 8..9, Malformed::MissingWord),
            ("AES:@FOO:SHA", 4..8, Malformed::Command),
            ("AES:@SECLEVEL=12", 4..16, Malformed::Command),
            ("AES:@SECLEVEL=6", 4..15, Malformed::SecurityLevel),
            ("AES:@SECLEVEL=a", 4..15, Malformed::SecurityLevel),
            ("AES:SH\0A:*", 6..7, Malformed::Nul),
        ];
        for (text, span, problem) in cases {
            assert_eq!(parse(text), Err(CipherError::Malformed { span, problem }), "{text}");
        }
    }

    #[test]
    fn no_suite_left_is_an_error_that_says_what_was_passed_over() {
        for text in ["", ":", "ALL:!ALL", "@SECLEVEL=0"] {
            assert_eq!(parse(text), Err(CipherError::NoSuite { ignored: Vec::new() }), "{text}");
        }
        let name = "TLS_RSA_WITH_AES_128_CBC_SHA";
        assert_eq!(one(name).1, Reason::StandardName);
        let list = parse_as(name, Release::V3_2).unwrap();
        assert_eq!(list.to_string(), "AES128-SHA");
    }

    #[test]
    fn the_last_security_level_counts_and_suite_b_hides_it() {
        let level = |text| parse(text).unwrap().security_level.map(SecurityLevel::get);
        assert_eq!(level("AES"), None);
        assert_eq!(level("@SECLEVEL=5:AES:@SECLEVEL=0"), Some(0));
        assert_eq!(level("SUITEB128:@SECLEVEL=0"), None);
        let suite_b = |text| parse(text).unwrap().suite_b;
        assert_eq!(suite_b("AES:SUITEB128"), None);
        for (text, profile) in [
            ("SUITEB128", SuiteB::Bits128),
            ("SUITEB128ONLY", SuiteB::Bits128Only),
            ("SUITEB128C2", SuiteB::Bits128Combination2),
            ("SUITEB192", SuiteB::Bits192),
        ] {
            assert_eq!(suite_b(text), Some(profile));
        }
    }

    #[test]
    fn a_long_string_takes_no_more_than_its_length() {
        const LENGTH: usize = 64 << 10;
        for part in ["!a", "A:", "AES+", "AES!x", "-AES:+SHA:", "x+", "@STRENGTH:", "kRSA+kDHE:"] {
            let text = format!("ALL:{}AES", part.repeat(LENGTH / part.len()));
            let ignored = ignored(&text);
            let words: usize = ignored.iter().map(|it| it.word.len()).sum();
            assert!(words <= text.len() && ignored.len() <= text.len() / 2, "{part}");
        }
    }
}
