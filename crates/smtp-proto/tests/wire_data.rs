//! Message text, against an oracle that reads it whole, at every cut.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::wire::{
    BareLf, DataDecoder, DataEncoder, DataStatus, LineEnds, LongLines, MessageFault, MessagePolicy,
    MessageRule, Nul,
};

/// What became of an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    body: Vec<u8>,
    /// Where the next command starts.
    end: Option<usize>,
    /// Where the bare LF stands for which the message was refused.
    bare_lf: Option<usize>,
}

/// Decodes an input cut into pieces.
fn decode(policy: BareLf, input: &[u8], cuts: &[usize]) -> Outcome {
    let mut decoder = DataDecoder::new(policy);
    let mut outcome = Outcome::default();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        let mut piece = input[start..end].to_vec();
        let mut at = 0;
        loop {
            let decoded = decoder.decode(&mut piece[at..]);
            assert!(decoded.body <= decoded.consumed, "a body larger than what was read");
            outcome.body.extend_from_slice(&piece[at..at + decoded.body]);
            let behind = at + decoded.consumed;
            assert_eq!(piece[behind..], input[start + behind..end], "octets behind were touched");
            match decoded.status {
                DataStatus::More => {
                    assert_eq!(behind, piece.len());
                    break;
                }
                DataStatus::Insert(octets) => outcome.body.extend_from_slice(octets),
                DataStatus::BareLf { at: lf } => {
                    assert_eq!(outcome.bare_lf, None, "refused twice");
                    outcome.bare_lf = Some(start + at + lf);
                    assert_eq!(decoded.consumed, lf + 1);
                    assert!(decoder.is_skipping());
                }
                DataStatus::EndOfData => {
                    outcome.end = Some(start + behind);
                    return outcome;
                }
            }
            at = behind;
        }
        start = end;
    }
    outcome
}

/// The same, from the rules as they are written, on the whole input.
fn oracle(policy: BareLf, input: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut rest = input;
    let mut behind_bare_lf = false;
    while !rest.is_empty() {
        let lf = rest.iter().position(|octet| *octet == b'\n');
        let at = input.len() - rest.len();
        // Under Reject a bare LF is no line end: the line goes on to the next CRLF.
        let (line, bare) = match (lf, policy) {
            (None, _) => (rest, None),
            (Some(lf), BareLf::Normalize) => (&rest[..=lf], None),
            (Some(_), BareLf::Reject) => {
                let crlf = rest.windows(2).position(|pair| pair == b"\r\n");
                let len = crlf.map_or(rest.len(), |crlf| crlf + 2);
                let bare = (0..len)
                    .find(|i| rest[*i] == b'\n' && (*i == 0 || rest[i - 1] != b'\r'))
                    .map(|i| at + i);
                (&rest[..len], bare)
            }
        };
        if let (None, Some(lf)) = (outcome.bare_lf, bare) {
            outcome.bare_lf = bare;
            // What stands before the bare LF was given out already.
            let before = &rest[..lf - at];
            outcome.body.extend_from_slice(before.strip_prefix(b".").unwrap_or(before));
        }
        rest = &rest[line.len()..];
        let crlf = line.ends_with(b"\r\n");
        let bare_end = !crlf && line.ends_with(b"\n");
        if line == b".\r\n" && !behind_bare_lf {
            outcome.end = Some(input.len() - rest.len());
            return outcome;
        }
        let dropped = matches!(line, b".\r\n" | b".\n" | b".\r");
        if !dropped && outcome.bare_lf.is_none() {
            let text = line.strip_prefix(b".").unwrap_or(line);
            if policy == BareLf::Normalize && bare_end {
                outcome.body.extend_from_slice(&text[..text.len() - 1]);
                outcome.body.extend_from_slice(b"\r\n");
            } else {
                outcome.body.extend_from_slice(text);
            }
        }
        behind_bare_lf = bare_end && policy == BareLf::Normalize;
    }
    outcome
}

const POLICIES: [BareLf; 2] = [BareLf::Reject, BareLf::Normalize];

#[test]
fn every_short_input_at_every_cut() {
    let alphabet = b".\r\na";
    for len in 0..=7u32 {
        for number in 0..4usize.pow(len) {
            let input: Vec<u8> =
                (0..len).map(|place| alphabet[number >> (2 * place) & 3]).collect();
            for policy in POLICIES {
                let expected = oracle(policy, &input);
                for cut in 0..=input.len() {
                    let outcome = decode(policy, &input, &[cut]);
                    assert_eq!(outcome, expected, "{policy:?} {:?} at {cut}", input.escape_ascii());
                }
                let each: Vec<usize> = (1..input.len()).collect();
                let outcome = decode(policy, &input, &each);
                assert_eq!(outcome, expected, "{policy:?} {:?}, by octets", input.escape_ascii());
            }
        }
    }
}

/// A message in which a sequence tries to pass for the end, and what follows for commands.
fn smuggle(sequence: &[u8]) -> Vec<u8> {
    let smuggled = b"MAIL FROM:<b@x>\r\nRCPT TO:<v@y>\r\nDATA\r\nSubject: s\r\n\r\nB";
    [b"H: x\r\n\r\nA", sequence, smuggled, b"\r\n.\r\nQUIT\r\n"].concat()
}

#[test]
fn what_looks_like_the_end_is_none() {
    /// The sequence, what Reject makes of it (None: refused), and what Normalize makes of it.
    type Case = (&'static [u8], Option<&'static [u8]>, &'static [u8]);
    let cases: &[Case] = &[
        (b"\n.\n", None, b"\r\n"),
        (b"\n.\r\n", None, b"\r\n"),
        (b"\r\n.\n", None, b"\r\n"),
        (b"\r.\r", Some(b"\r.\r"), b"\r.\r"),
        (b"\r.\n", None, b"\r.\r\n"),
        (b"\n.\r", None, b"\r\n\r"),
        (b"\r.\r\n", Some(b"\r.\r\n"), b"\r.\r\n"),
        (b"\r\n.\r", Some(b"\r\n\r"), b"\r\n\r"),
        (b"\r\n\0.\r\n", Some(b"\r\n\0.\r\n"), b"\r\n\0.\r\n"),
        (b"\r\n.\0\r\n", Some(b"\r\n\0\r\n"), b"\r\n\0\r\n"),
        (b"\r\n.\r\r\n", Some(b"\r\n\r\r\n"), b"\r\n\r\r\n"),
        (b"\r\r\n.\r\r\n", Some(b"\r\r\n\r\r\n"), b"\r\r\n\r\r\n"),
        (b"\r\n\r.\r\n", Some(b"\r\n\r.\r\n"), b"\r\n\r.\r\n"),
        (b"\r\n..\r\n", Some(b"\r\n.\r\n"), b"\r\n.\r\n"),
        (b" .\r\n", Some(b" .\r\n"), b" .\r\n"),
        (b"\r\n. \r\n", Some(b"\r\n \r\n"), b"\r\n \r\n"),
        (b"\r\n.\t\r\n", Some(b"\r\n\t\r\n"), b"\r\n\t\r\n"),
        (
            b"\xe2\x80\xa8.\xe2\x80\xa8",
            Some(b"\xe2\x80\xa8.\xe2\x80\xa8"),
            b"\xe2\x80\xa8.\xe2\x80\xa8",
        ),
        (b"\xc2\x85.\xc2\x85", Some(b"\xc2\x85.\xc2\x85"), b"\xc2\x85.\xc2\x85"),
        (b"\r\n\x0b.\x0c\r\n", Some(b"\r\n\x0b.\x0c\r\n"), b"\r\n\x0b.\x0c\r\n"),
        (b"\x85.\x85", Some(b"\x85.\x85"), b"\x85.\x85"),
        (b"\n\n.\n\n", None, b"\r\n\r\n\r\n"),
        (b"\r\n.\n.\r\n", None, b"\r\n"),
        (b"\n..x\n", None, b"\r\n.x\r\n"),
    ];
    for (sequence, reject, normalize) in cases {
        let input = smuggle(sequence);
        let end = input.len() - b"QUIT\r\n".len();
        for (policy, made) in [(BareLf::Reject, *reject), (BareLf::Normalize, Some(*normalize))] {
            for cut in 0..=input.len() {
                let outcome = decode(policy, &input, &[cut]);
                let context = format!("{policy:?} {} cut at {cut}", sequence.escape_ascii());
                assert_eq!(outcome.end, Some(end), "{context}");
                match made {
                    None => assert!(outcome.bare_lf.is_some(), "{context}"),
                    Some(made) => {
                        assert_eq!(outcome.bare_lf, None, "{context}");
                        let mut body = smuggle(made);
                        body.truncate(body.len() - b".\r\nQUIT\r\n".len());
                        assert_eq!(outcome.body, body, "{context}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_true_end_behind_bare_lines_is_one() {
    let input = b"a\n\n\r\n.\r\nQUIT";
    let outcome = decode(BareLf::Normalize, input, &[]);
    assert_eq!((outcome.body.as_slice(), outcome.end), (&b"a\r\n\r\n\r\n"[..], Some(8)));
    let outcome = decode(BareLf::Reject, input, &[]);
    assert_eq!((outcome.bare_lf, outcome.end), (Some(1), Some(8)));
}

#[test]
fn a_dot_at_once_is_an_empty_message() {
    for policy in POLICIES {
        for cut in 0..=3 {
            let outcome = decode(policy, b".\r\nQUIT\r\n", &[cut]);
            assert_eq!(outcome, Outcome { end: Some(3), ..Outcome::default() });
        }
    }
}

#[test]
fn the_end_is_found_at_the_edge_of_a_buffer() {
    for edge in [1023usize, 1024, 2048, 4096, 65_535] {
        for into in 0..=5 {
            let mut input = vec![b'x'; edge - into];
            input.extend_from_slice(b"\r\n.\r\n");
            let outcome = decode(BareLf::Reject, &input, &[edge]);
            assert_eq!(outcome.end, Some(input.len()), "{edge} {into}");
            assert_eq!(outcome.body.len(), edge - into + 2);
        }
        // A full buffer is not the end of a line.
        let mut input = vec![b'x'; edge];
        input.extend_from_slice(b".\r\nMAIL FROM:<>\r\n");
        let outcome = decode(BareLf::Reject, &input, &[edge]);
        assert_eq!((outcome.end, outcome.body), (None, input));
    }
}

/// What is nothing in one place of a block is something in every other.
#[test]
fn one_octet_or_two_anywhere_in_plain_text() {
    let lines = |end: &[u8]| [&[b'y'; 30], end, &[b'z'; 61], end].concat().repeat(3);
    let planted: [&[u8]; 9] =
        [b"\n", b"\r", b"\r\n.", b"\n.", b".", b"\0", b"\r\n.\r\n", b"\r\r\n", b"\n\n."];
    for (octets, lines) in planted.iter().flat_map(|o| [(*o, lines(b"\r\n")), (*o, lines(b"\n"))]) {
        for place in 0..=lines.len() - octets.len() {
            let mut text = lines.clone();
            text[place..place + octets.len()].copy_from_slice(octets);
            for bare_lf in POLICIES {
                assert_eq!(decode(bare_lf, &text, &[]), oracle(bare_lf, &text), "at {place}");
            }
            for policy in policies() {
                let sent = encode(policy, &text, &[]);
                assert_eq!(sent, encoding_oracle(policy, &text), "at {place}");
            }
        }
    }
}

#[test]
fn text_without_dots_stays_where_it_is() {
    let mut decoder = DataDecoder::new(BareLf::Reject);
    let mut buffer = b"Subject: x\r\n\r\none\rtwo\r\n".to_vec();
    let whole = buffer.clone();
    let decoded = decoder.decode(&mut buffer);
    assert_eq!((decoded.body, decoded.consumed), (whole.len(), whole.len()));
    assert_eq!(buffer, whole);
}

#[test]
fn a_message_that_is_passed_over_has_no_body_and_the_same_end() {
    for policy in POLICIES {
        let mut decoder = DataDecoder::new(policy);
        decoder.skip();
        let mut buffer = b"a\n.\r\n..b\r\n.\n\r\n.\r\nQUIT".to_vec();
        let decoded = decoder.decode(&mut buffer);
        assert_eq!((decoded.body, decoded.consumed), (0, buffer.len() - 4), "{policy:?}");
        assert_eq!(decoded.status, DataStatus::EndOfData);
        // Behind the end nothing is read.
        let decoded = decoder.decode(&mut buffer);
        assert_eq!((decoded.consumed, decoded.status), (0, DataStatus::EndOfData));
    }
}

/// Encodes a message cut into pieces, into a buffer with room for all of it, and into one that grows.
fn encode(policy: MessagePolicy, message: &[u8], cuts: &[usize]) -> Result<Vec<u8>, MessageFault> {
    let [growing, roomy] = [0, 4 * message.len() + 256].map(|room| {
        let mut encoder = DataEncoder::new(policy);
        let mut out = Vec::with_capacity(room);
        let mut start = 0;
        for end in cuts.iter().copied().chain([message.len()]) {
            encoder.encode(&message[start..end], &mut out)?;
            start = end;
        }
        encoder.finish(&mut out)?;
        Ok(out)
    });
    assert_eq!(growing, roomy);
    growing
}

/// The same, from the rules as they are written, octet by octet on the whole message.
fn encoding_oracle(policy: MessagePolicy, message: &[u8]) -> Result<Vec<u8>, MessageFault> {
    let fault = |rule, at: usize| Err(MessageFault { rule, at: at as u64 });
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while at < message.len() {
        let line = lines.last_mut().unwrap();
        if message[at..].starts_with(b"\r\n") {
            lines.push(Vec::new());
            at += 2;
            continue;
        }
        let octet = match (message[at], policy.line_ends, policy.nul) {
            (b'\n', LineEnds::Refuse, _) => return fault(MessageRule::BareLf, at),
            (b'\r', LineEnds::Refuse, _) => return fault(MessageRule::BareCr, at),
            (0, _, Nul::Refuse) => return fault(MessageRule::Nul, at),
            (b'\n', ..) => {
                lines.push(Vec::new());
                at += 1;
                continue;
            }
            (b'\r', ..) => b' ',
            (octet, ..) => octet,
        };
        let character = match octet {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        match policy.long_lines {
            LongLines::Refuse if line.len() == 998 => return fault(MessageRule::LongLine, at),
            LongLines::Fold if line.len() + character > 998 => lines.push(vec![b' ', octet]),
            _ => line.push(octet),
        }
        at += 1;
    }
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut out = Vec::new();
    for line in lines {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(&line);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    Ok(out)
}

fn policies() -> impl Iterator<Item = MessagePolicy> {
    let line_ends = [LineEnds::Normalize, LineEnds::Refuse];
    let nul = [Nul::Refuse, Nul::SendAsIs];
    let long_lines = [LongLines::SendAsIs, LongLines::Refuse, LongLines::Fold];
    line_ends.into_iter().flat_map(move |line_ends| {
        nul.into_iter().flat_map(move |nul| {
            long_lines.into_iter().map(move |long_lines| MessagePolicy {
                line_ends,
                nul,
                long_lines,
            })
        })
    })
}

const AS_IS: MessagePolicy = MessagePolicy {
    line_ends: LineEnds::Normalize,
    nul: Nul::SendAsIs,
    long_lines: LongLines::SendAsIs,
};

/// A message with every line end a CRLF, the last one included, and every other CR a space.
fn normalised(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = message.iter().copied().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' if octets.next_if_eq(&b'\n').is_none() => out.push(b' '),
            b'\r' => out.extend_from_slice(b"\r\n"),
            b'\n' => out.extend_from_slice(b"\r\n"),
            octet => out.push(octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[test]
fn what_is_sent() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\n", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a\r", b"a \r\n.\r\n"),
        (b"\n", b"\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\n..\n.a", b"..\r\n...\r\n..a\r\n.\r\n"),
        (b"a.\n.", b"a.\r\n..\r\n.\r\n"),
        (b"a\r.\r\nb", b"a .\r\nb\r\n.\r\n"),
        (b"\r.\n.\r", b" .\r\n.. \r\n.\r\n"),
        (b"a\r\r\nb", b"a \r\nb\r\n.\r\n"),
        (b"a\n\rb", b"a\r\n b\r\n.\r\n"),
        (b"Subject: a\rX-Injected: yes\n", b"Subject: a X-Injected: yes\r\n.\r\n"),
    ];
    for (message, wire) in cases {
        for cut in 0..=message.len() {
            let sent = encode(MessagePolicy::default(), message, &[cut]).unwrap();
            assert_eq!(sent.escape_ascii().to_string(), wire.escape_ascii().to_string());
        }
    }
}

#[test]
fn what_is_refused_is_named() {
    use MessageRule::{BareCr, BareLf, LongLine, Nul as NulRule};
    let strict = MessagePolicy {
        line_ends: LineEnds::Refuse,
        nul: Nul::Refuse,
        long_lines: LongLines::Refuse,
    };
    let long = [b"a\r\n", [b'x'; 999].as_slice(), b"\r\n"].concat();
    let long_in_nul = [[b'x'; 998].as_slice(), b"\0"].concat();
    let cases: &[(&[u8], MessageRule, u64)] = &[
        (b"a\nb", BareLf, 1),
        (b"\n", BareLf, 0),
        (b"a\r\nb\rc\r\n", BareCr, 4),
        (b"a\r\n\r", BareCr, 3),
        (b"a\r\r\n", BareCr, 1),
        (b"a\r\n\0\n", NulRule, 3),
        (b"\r\0", BareCr, 0),
        (&long, LongLine, 1001),
        (&long_in_nul, NulRule, 998),
    ];
    for (message, rule, at) in cases {
        for cut in 0..=message.len() {
            let refused = encode(strict, message, &[cut]);
            assert_eq!(refused, Err(MessageFault { rule: *rule, at: *at }), "cut at {cut}");
        }
    }
    let whole = [b".a\r\n", [b'x'; 998].as_slice(), b"\r\n"].concat();
    let wire = [b".", whole.as_slice(), b".\r\n"].concat();
    assert_eq!(encode(strict, &whole, &[]).unwrap(), wire);
    let fault = |rule| MessageFault { rule, at: 7 }.to_string();
    assert_eq!(fault(BareLf), "an LF without a CR before it at offset 7 of the message");
    assert_eq!(fault(BareCr), "a CR without an LF behind it at offset 7 of the message");
    assert_eq!(fault(NulRule), "a NUL at offset 7 of the message");
    assert_eq!(fault(LongLine), "a line longer than 998 octets at offset 7 of the message");
}

#[test]
fn the_default_refuses_a_nul_and_sends_long_lines_as_they_are() {
    let fault = MessageFault { rule: MessageRule::Nul, at: 1 };
    assert_eq!(encode(MessagePolicy::default(), b"a\0b", &[]), Err(fault));
    let long = vec![b'x'; 3000];
    let wire = [long.as_slice(), b"\r\n.\r\n"].concat();
    assert_eq!(encode(MessagePolicy::default(), &long, &[]).unwrap(), wire);
    assert_eq!(encode(AS_IS, b"a\0b", &[]).unwrap(), b"a\0b\r\n.\r\n");
}

#[test]
fn a_long_line_is_folded() {
    let fold = MessagePolicy { long_lines: LongLines::Fold, ..MessagePolicy::default() };
    let x = |octets| vec![b'x'; octets];
    let cases: &[(Vec<u8>, Vec<u8>)] = &[
        (x(998), [x(998), b"\r\n".into()].concat()),
        (x(999), [x(998), b"\r\n x\r\n".into()].concat()),
        // The space is one of the next line's 998, and a dot behind it is none at a line's start.
        (
            [x(998), vec![b'.'; 998]].concat(),
            [x(998), b"\r\n ".into(), vec![b'.'; 997], b"\r\n .\r\n".into()].concat(),
        ),
        // A stuffed dot is none of them.
        ([b".".into(), x(997)].concat(), [b"..".into(), x(997), b"\r\n".into()].concat()),
        ([x(998), b"\r".into()].concat(), [x(998), b"\r\n  \r\n".into()].concat()),
        ([x(998), b"\r\n".into()].concat(), [x(998), b"\r\n".into()].concat()),
        ([x(997), "\u{e9}y".into()].concat(), [x(997), "\r\n \u{e9}y\r\n".into()].concat()),
        ([x(996), "\u{20ac}".into()].concat(), [x(996), "\r\n \u{20ac}\r\n".into()].concat()),
        ([x(995), "\u{20ac}".into()].concat(), [x(995), "\u{20ac}\r\n".into()].concat()),
        ([x(995), "\u{1f600}".into()].concat(), [x(995), "\r\n \u{1f600}\r\n".into()].concat()),
        ([x(994), "\u{1f600}".into()].concat(), [x(994), "\u{1f600}\r\n".into()].concat()),
    ];
    // What begins a character and is none is folded alike, whatever plain text stands around it.
    let broken = [x(997), b"\xc3\r\n".into(), x(200), b"\r\n".into()].concat();
    let folded = [x(997), b"\r\n \xc3\r\n".into(), x(200), b"\r\n".into()].concat();
    for (message, wire) in cases.iter().chain(&[(broken, folded)]) {
        let wire = [wire.as_slice(), b".\r\n"].concat();
        for cut in (0..5).chain(990..=message.len()) {
            let cut = cut.min(message.len());
            assert_eq!(encode(fold, message, &[cut]).unwrap(), wire, "cut at {cut}");
        }
    }
}

/// Octets of which many are dots and line ends.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => Just(b"\r\n".to_vec()),
        2 => Just(b".".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n.\r\n".to_vec()),
        1 => Just(b"\r\n.".to_vec()),
        3 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn cuts(len: usize) -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(0..=len, 0..8).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

/// Text with some lines about as long as they may be.
fn lines_and_cuts() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let long = (990..1005usize, text()).prop_map(|(octets, text)| {
        let mut line = vec![b'x'; octets];
        line.extend_from_slice(&text);
        line
    });
    let wide = (240..260usize).prop_map(|characters| "\u{1f600}".repeat(characters).into_bytes());
    let piece =
        prop_oneof![4 => text(), 3 => blocks(), 2 => long, 1 => wide, 1 => Just(b"\0".to_vec())];
    proptest::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat()).prop_flat_map(
        |text| {
            let cuts = cuts(text.len());
            (Just(text), cuts)
        },
    )
}

/// Text of some hundred octets, most of it in plain lines, and then something else anywhere.
fn blocks() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![3 => Just(&b"\r\n"[..]), 2 => Just(&b"\n"[..])];
    let lines = (0..100usize, 1..8usize, ends).prop_map(|(columns, lines, end)| {
        [b"y".repeat(columns).as_slice(), end].concat().repeat(lines)
    });
    proptest::collection::vec(prop_oneof![3 => lines, 1 => text()], 1..6)
        .prop_map(|pieces| pieces.concat())
}

fn text_and_cuts() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    prop_oneof![text(), blocks()].prop_flat_map(|text| {
        let cuts = cuts(text.len());
        (Just(text), cuts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn decoding_is_what_the_rules_say((input, cuts) in text_and_cuts()) {
        for policy in POLICIES {
            prop_assert_eq!(decode(policy, &input, &cuts), oracle(policy, &input));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn encoding_is_what_the_rules_say((message, cuts) in lines_and_cuts()) {
        for policy in policies() {
            prop_assert_eq!(encode(policy, &message, &cuts), encoding_oracle(policy, &message));
        }
    }

    #[test]
    fn what_was_sent_is_what_arrives(
        (message, cuts) in lines_and_cuts(),
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        for policy in policies() {
            let Ok(wire) = encode(policy, &message, &cuts) else { continue };
            for (at, octet) in wire.iter().enumerate() {
                match octet {
                    b'\r' => prop_assert_eq!(wire[at + 1], b'\n'),
                    b'\n' => prop_assert_eq!(wire[at - 1], b'\r'),
                    _ => {}
                }
            }
            let places = places.iter().map(|place| place.index(wire.len()));
            let mut places: Vec<usize> = places.collect();
            places.sort_unstable();
            for bare_lf in POLICIES {
                let outcome = decode(bare_lf, &wire, &places);
                prop_assert_eq!(outcome.end, Some(wire.len()));
                prop_assert_eq!(outcome.bare_lf, None);
                match policy.long_lines {
                    LongLines::Fold => prop_assert!(
                        outcome.body.split(|octet| *octet == b'\n').all(|line| line.len() <= 999)
                    ),
                    _ => prop_assert_eq!(outcome.body, normalised(&message)),
                }
            }
        }
    }
}
