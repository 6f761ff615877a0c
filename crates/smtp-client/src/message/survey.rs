//! What one pass over a message finds.
//!
//! Does: count, and note the first place of each kind that a [`MessagePolicy`] may refuse, as the
//! encoders would find it. Does not: keep or judge the message. Fails: never.

use smtp_proto::limits::TEXT_LINE;
use smtp_proto::wire::{LineEnds, LongLines, MessageFault, MessagePolicy, MessageRule, Nul};

/// Most octets of a line, without its CRLF.
const LINE_TEXT: u64 = TEXT_LINE as u64 - 2;

/// A survey, complete when [`finish`](Self::finish) was called.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Survey {
    octets: u64,
    /// Octets that CRLF line ends add; a space for a CR adds none.
    added: u64,
    eight_bit: bool,
    header: Header,
    bare: Option<MessageFault>,
    nul: Option<u64>,
    long_line: Option<u64>,
    /// Octets of the line so far.
    column: u64,
    /// The last octet was a CR: the next one says what it is.
    cr: bool,
}

impl Survey {
    pub(super) const fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) const fn added(&self) -> u64 {
        self.added
    }

    pub(super) const fn eight_bit(&self) -> bool {
        self.eight_bit
    }

    pub(super) const fn utf8_header(&self) -> bool {
        self.header.outside_ascii && !self.header.broken
    }

    pub(super) const fn has_long_line(&self) -> bool {
        self.long_line.is_some()
    }

    /// The first place that a policy refuses.
    pub(super) fn fault(&self, policy: &MessagePolicy) -> Option<MessageFault> {
        let at = |rule, at: Option<u64>| at.map(|at| MessageFault { rule, at });
        let bare = self.bare.filter(|_| policy.line_ends == LineEnds::Refuse);
        let nul = at(MessageRule::Nul, self.nul).filter(|_| policy.nul == Nul::Refuse);
        let long = at(MessageRule::LongLine, self.long_line)
            .filter(|_| policy.long_lines == LongLines::Refuse);
        // Of two in one place the first here is the encoder's.
        [bare, nul, long].into_iter().flatten().min_by_key(|fault| fault.at)
    }

    pub(super) fn take(&mut self, part: &[u8]) {
        self.eight_bit |= !part.is_ascii();
        for &octet in part {
            self.header.take(octet);
            let behind_cr = std::mem::take(&mut self.cr);
            match octet {
                b'\n' if behind_cr => self.column = 0,
                _ => {
                    if behind_cr {
                        self.bare_cr();
                    }
                    match octet {
                        b'\r' => self.cr = true,
                        b'\n' => {
                            let fault = MessageFault { rule: MessageRule::BareLf, at: self.octets };
                            self.bare.get_or_insert(fault);
                            self.added += 1;
                            self.column = 0;
                        }
                        _ => {
                            if octet == 0 {
                                self.nul.get_or_insert(self.octets);
                            }
                            self.text(self.octets);
                        }
                    }
                }
            }
            self.octets += 1;
        }
    }

    /// An octet of a line.
    fn text(&mut self, at: u64) {
        if self.column == LINE_TEXT {
            self.long_line.get_or_insert(at);
        }
        self.column += 1;
    }

    /// The octet before was a CR that no LF follows: it goes out as a space.
    fn bare_cr(&mut self) {
        let at = self.octets - 1;
        self.bare.get_or_insert(MessageFault { rule: MessageRule::BareCr, at });
        self.text(at);
    }

    pub(super) fn finish(mut self) -> Self {
        if std::mem::take(&mut self.cr) {
            self.bare_cr();
        }
        if self.column > 0 {
            self.added += 2;
        }
        self.header.end();
        self
    }
}

/// The header of a message, which its first empty line ends: are its octets above 127 UTF-8?
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    ended: bool,
    outside_ascii: bool,
    broken: bool,
    /// The line has an octet besides its line end.
    text: bool,
    /// How many octets the character still has, and the bounds of the next of them (RFC 3629, 4).
    rest: u8,
    next: (u8, u8),
}

impl Header {
    fn take(&mut self, octet: u8) {
        const TAIL: (u8, u8) = (0x80, 0xbf);
        if self.ended {
            return;
        }
        if self.rest > 0 {
            self.broken |= !(self.next.0..=self.next.1).contains(&octet);
            (self.rest, self.next) = (self.rest - 1, TAIL);
        } else if octet >= 0x80 {
            self.outside_ascii = true;
            (self.rest, self.next) = match octet {
                0xc2..=0xdf => (1, TAIL),
                0xe0 => (2, (0xa0, 0xbf)),
                0xe1..=0xec | 0xee | 0xef => (2, TAIL),
                0xed => (2, (0x80, 0x9f)),
                0xf0 => (3, (0x90, 0xbf)),
                0xf1..=0xf3 => (3, TAIL),
                0xf4 => (3, (0x80, 0x8f)),
                _ => {
                    self.broken = true;
                    (0, TAIL)
                }
            };
        }
        match octet {
            b'\n' if !self.text => self.end(),
            b'\n' => self.text = false,
            b'\r' => {}
            _ => self.text = true,
        }
    }

    fn end(&mut self) {
        self.broken |= self.rest > 0;
        self.ended = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::wire::DataEncoder;

    fn survey(bytes: &[u8]) -> Survey {
        let mut survey = Survey::default();
        // Cut everywhere.
        bytes.chunks(1).for_each(|octet| survey.take(octet));
        survey.finish()
    }

    fn encode(bytes: &[u8], policy: MessagePolicy) -> Result<Vec<u8>, MessageFault> {
        let mut encoder = DataEncoder::new(policy);
        let mut out = Vec::new();
        encoder.encode(bytes, &mut out)?;
        encoder.finish(&mut out)?;
        Ok(out)
    }

    const POLICIES: [MessagePolicy; 8] = {
        let mut policies = [MessagePolicy {
            line_ends: LineEnds::Normalize,
            nul: Nul::SendAsIs,
            long_lines: LongLines::SendAsIs,
        }; 8];
        let mut at = 0;
        while at < 8 {
            if at & 1 > 0 {
                policies[at].line_ends = LineEnds::Refuse;
            }
            if at & 2 > 0 {
                policies[at].nul = Nul::Refuse;
            }
            if at & 4 > 0 {
                policies[at].long_lines = LongLines::Refuse;
            }
            at += 1;
        }
        policies
    };

    fn assert_as_the_encoder(bytes: &[u8]) {
        let survey = survey(bytes);
        for policy in POLICIES {
            let encoded = encode(bytes, policy);
            assert_eq!(survey.fault(&policy), encoded.as_ref().err().copied(), "{bytes:?}");
            if let Ok(out) = encoded {
                let text = &out[..out.len() - 3];
                let dots = text.split(|octet| *octet == b'\n').filter(|l| l.starts_with(b"."));
                let size = (text.len() - dots.count()) as u64;
                assert_eq!(survey.octets + survey.added, size, "{bytes:?}");
            }
        }
    }

    /// Every text of so many letters.
    fn each(alphabet: &[u8], len: u32, mut then: impl FnMut(&[u8])) {
        for mut number in 0..alphabet.len().pow(len) {
            let text: Vec<u8> = (0..len)
                .map(|_| {
                    let octet = alphabet[number % alphabet.len()];
                    number /= alphabet.len();
                    octet
                })
                .collect();
            then(&text);
        }
    }

    #[test]
    fn size_and_faults_are_what_the_encoder_finds_whatever_the_message_is() {
        for len in 0..=5 {
            each(b"a.\r\n\0", len, assert_as_the_encoder);
        }
        // Around the end of the longest line.
        for before in 994..=998 {
            each(b"a\r\n\0", 5, |text| {
                assert_as_the_encoder(&[&b"x".repeat(before)[..], text].concat());
            });
        }
    }

    #[test]
    fn a_header_is_utf8_as_the_standard_library_says() {
        let alphabet = [b'a', 0x80, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff];
        for len in 0..=4 {
            each(&alphabet, len, |text| {
                for end in ["", "\n", "\r\n\r\n", "\n\n\u{e9}\n"] {
                    let message = [text, end.as_bytes()].concat();
                    let expected = !text.is_ascii() && std::str::from_utf8(text).is_ok();
                    // Without an empty line all of it is header; with one, the body is none.
                    assert_eq!(survey(&message).utf8_header(), expected, "{message:x?}");
                }
            });
        }
        assert!(!survey("\n\u{e9}\n".as_bytes()).utf8_header());
        assert!(survey("a: b\n \u{e9}\n\nx".as_bytes()).utf8_header());
        assert!(!survey("a: b\n\n\u{e9}".as_bytes()).utf8_header());
        assert!(!survey("a: b\r\n\r\n\u{e9}".as_bytes()).utf8_header());
    }
}
