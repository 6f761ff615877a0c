//! The rule language: a string, read from left to right, as moves in a ranking.
//!
//! Does: read what OpenSSL reads as it reads it, and note what has no effect. Does not: know what a
//! word selects ([`words`](super::words)). Fails: where OpenSSL calls the string an invalid command, with the place.

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

    /// Words joined by `+`, from `at`; where it ends. It may be followed by the next without a separator.
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
        let element = start..self.end_of_element(end);
        if end < element.end {
            self.note(element.clone(), end..element.end, Operator::Add, Reason::AfterCommand);
        }
        Ok(element.end)
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
        if at < self.text.len() {
            let rest = at..self.text.len();
            self.note(rest.clone(), rest, Operator::Add, Reason::AfterSuiteB);
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
