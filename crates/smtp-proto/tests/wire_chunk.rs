//! Message text in counted chunks, against an oracle that reads it octet by octet, at every cut.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use smtp_proto::wire::{
    BareLf, ChunkDecoder, ChunkEncoder, ChunkStatus, LineEnds, LongLines, MessageFault,
    MessagePolicy, MessageRule, Nul,
};

/// How the octets of a message are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Binary,
    Text(BareLf),
}

const BODIES: [Body; 3] = [Body::Binary, Body::Text(BareLf::Reject), Body::Text(BareLf::Normalize)];

impl Body {
    fn decoder(self) -> ChunkDecoder {
        match self {
            Self::Binary => ChunkDecoder::binary(),
            Self::Text(bare_lf) => ChunkDecoder::text(bare_lf),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Outcome {
    body: Vec<u8>,
    /// Octets of the message before the bare LF for which it was refused.
    bare_lf: Option<usize>,
}

/// Reads a message in chunks that end at `chunks`, whose octets come in reads that end at `reads`,
/// each with octets of something else behind them where the chunk is at its end.
fn decode(body: Body, message: &[u8], chunks: &[usize], reads: &[usize]) -> Outcome {
    let mut decoder = body.decoder();
    let mut outcome = Outcome::default();
    let mut at = 0;
    for chunk_end in chunks.iter().copied().chain([message.len()]) {
        decoder.begin((chunk_end - at) as u64);
        let ends = reads.iter().copied().filter(|end| (at..chunk_end).contains(end));
        let ends: Vec<usize> = ends.chain([chunk_end]).collect();
        for end in ends {
            let mut read = message[at..end].to_vec();
            if end == chunk_end {
                read.extend_from_slice(b"\nBDAT");
            }
            let mut rest = read.as_slice();
            loop {
                let decoded = decoder.decode(rest);
                assert!(decoded.body <= decoded.consumed);
                outcome.body.extend_from_slice(&rest[..decoded.body]);
                match decoded.status {
                    ChunkStatus::More => {
                        assert_eq!(decoded.consumed, rest.len());
                        assert!(end < chunk_end, "more is wanted behind the chunk's end");
                        at = end;
                        break;
                    }
                    ChunkStatus::Insert(octets) => outcome.body.extend_from_slice(octets),
                    ChunkStatus::BareLf { at: lf } => {
                        assert_eq!(outcome.bare_lf, None, "refused twice");
                        assert_eq!(decoded.consumed, lf + 1);
                        let before = end - at - (rest.len() - if end == chunk_end { 5 } else { 0 });
                        outcome.bare_lf = Some(at + before + lf);
                        assert!(decoder.is_skipping());
                    }
                    ChunkStatus::EndOfChunk => {
                        assert_eq!(&rest[decoded.consumed..], b"\nBDAT", "behind the chunk");
                        assert_eq!(end, chunk_end, "the end came early");
                        assert_eq!(decoder.remaining(), 0);
                        at = end;
                        break;
                    }
                }
                rest = &rest[decoded.consumed..];
            }
        }
    }
    outcome
}

/// The same, octet by octet, knowing nothing of chunks.
fn oracle(body: Body, message: &[u8]) -> Outcome {
    let mut outcome = Outcome::default();
    let mut before = None;
    for (at, octet) in message.iter().copied().enumerate() {
        let bare = octet == b'\n' && before != Some(b'\r');
        match body {
            Body::Text(BareLf::Reject) if bare => {
                outcome.bare_lf = Some(at);
                return outcome;
            }
            Body::Text(BareLf::Normalize) if bare => outcome.body.extend_from_slice(b"\r\n"),
            _ => outcome.body.push(octet),
        }
        before = Some(octet);
    }
    outcome
}

#[test]
fn every_short_message_in_every_two_chunks() {
    let alphabet = b".\r\na";
    for len in 0..=6u32 {
        for number in 0..4usize.pow(len) {
            let message: Vec<u8> =
                (0..len).map(|place| alphabet[number >> (2 * place) & 3]).collect();
            let each: Vec<usize> = (1..message.len()).collect();
            for body in BODIES {
                let expected = oracle(body, &message);
                for cut in 0..=message.len() {
                    for reads in [&[][..], &each] {
                        let outcome = decode(body, &message, &[cut], reads);
                        assert_eq!(
                            outcome,
                            expected,
                            "{body:?} {:?} chunk of {cut}",
                            message.escape_ascii()
                        );
                    }
                    assert_eq!(decode(body, &message, &[], &[cut]), expected);
                }
                assert_eq!(decode(body, &message, &each, &[]), expected);
            }
        }
    }
}

#[test]
fn dots_and_what_looks_like_an_end_are_text() {
    let cases: &[&[u8]] = &[
        b".\r\n",
        b"\r\n.\r\n",
        b"\r\n..\r\n.\r\nMAIL FROM:<b@x>\r\n",
        b"\r\n.\r",
        b"\r.\r",
        b"\r.\r\n",
        b"\0.\r\n\xff",
        b"\xe2\x80\xa8.\xe2\x80\xa8\x85.\x85\x0b.\x0c",
    ];
    for message in cases {
        for body in BODIES {
            for cut in 0..=message.len() {
                let outcome = decode(body, message, &[cut], &[]);
                assert_eq!(outcome, Outcome { body: message.to_vec(), bare_lf: None });
            }
        }
    }
}

#[test]
fn what_becomes_of_a_bare_lf() {
    /// The message, where it is refused, and what it is with its line ends normalised.
    type Case = (&'static [u8], usize, &'static [u8]);
    let cases: &[Case] = &[
        (b"\n", 0, b"\r\n"),
        (b"a\n.\n", 1, b"a\r\n.\r\n"),
        (b"\r\n\n", 2, b"\r\n\r\n"),
        (b"\r\r\n\n\n", 3, b"\r\r\n\r\n\r\n"),
        (b"a\r.\n", 3, b"a\r.\r\n"),
        (b"\n.\r\n", 0, b"\r\n.\r\n"),
        (b"\n\r", 0, b"\r\n\r"),
    ];
    for (message, at, normalised) in cases {
        for cut in 0..=message.len() {
            let refused = decode(Body::Text(BareLf::Reject), message, &[cut], &[]);
            let expected = Outcome { body: message[..*at].to_vec(), bare_lf: Some(*at) };
            assert_eq!(refused, expected, "{} at {cut}", message.escape_ascii());
            let taken = decode(Body::Text(BareLf::Normalize), message, &[cut], &[]);
            let expected = Outcome { body: normalised.to_vec(), bare_lf: None };
            assert_eq!(taken, expected, "{} at {cut}", message.escape_ascii());
            let binary = decode(Body::Binary, message, &[cut], &[]);
            assert_eq!(binary, Outcome { body: message.to_vec(), bare_lf: None });
        }
    }
}

/// What is nothing in one place of a block is something in every other.
#[test]
fn one_octet_anywhere_in_plain_text() {
    let lines = [[b'y'; 30].as_slice(), b"\r\n", &[b'z'; 61], b"\r\n"].concat().repeat(3);
    for octet in [b'\n', b'\r'] {
        for place in 0..lines.len() {
            let mut text = lines.clone();
            text[place] = octet;
            for body in BODIES {
                assert_eq!(decode(body, &text, &[], &[]), oracle(body, &text), "at {place}");
            }
        }
    }
}

#[test]
fn long_runs_of_bare_lfs_are_taken_whole() {
    for len in [63, 64, 65, 128, 129, 1000] {
        let message = vec![b'\n'; len];
        let outcome = decode(Body::Text(BareLf::Normalize), &message, &[], &[]);
        assert_eq!(outcome.body, b"\r\n".repeat(len));
        // The first of them ends a line with the CR of another read, the others do not.
        let message = [b"\r", message.as_slice()].concat();
        let outcome = decode(Body::Text(BareLf::Normalize), &message, &[], &[1]);
        assert_eq!(outcome.body, b"\r\n".repeat(len));
    }
}

#[test]
fn octets_of_a_refused_message_are_consumed() {
    for body in BODIES {
        let mut decoder = body.decoder();
        decoder.begin(10);
        decoder.skip();
        let decoded = decoder.decode(b"a\nb\r");
        assert_eq!((decoded.consumed, decoded.body, decoded.status), (4, 0, ChunkStatus::More));
        let decoded = decoder.decode(b"\n.\r\n\n\nRSET\r\n");
        assert_eq!(
            (decoded.consumed, decoded.body, decoded.status),
            (6, 0, ChunkStatus::EndOfChunk)
        );
        // So are those of the chunks behind it.
        decoder.begin(1);
        let decoded = decoder.decode(b"\nRSET");
        assert_eq!(
            (decoded.consumed, decoded.body, decoded.status),
            (1, 0, ChunkStatus::EndOfChunk)
        );
    }
    let mut decoder = ChunkDecoder::text(BareLf::Reject);
    decoder.begin(6);
    assert_eq!(decoder.decode(b"a\nb\ncdQUIT").status, ChunkStatus::BareLf { at: 1 });
    let decoded = decoder.decode(b"b\ncdQUIT");
    assert_eq!((decoded.consumed, decoded.body, decoded.status), (4, 0, ChunkStatus::EndOfChunk));
}

#[test]
fn an_empty_chunk_ends_at_once() {
    for body in BODIES {
        let mut decoder = body.decoder();
        for buffer in [&b""[..], b"\nQUIT"] {
            decoder.begin(0);
            let decoded = decoder.decode(buffer);
            assert_eq!(
                (decoded.consumed, decoded.body, decoded.status),
                (0, 0, ChunkStatus::EndOfChunk)
            );
        }
    }
    // And forgets nothing of the line that it stands in.
    let mut decoder = ChunkDecoder::text(BareLf::Reject);
    decoder.begin(1);
    assert_eq!(decoder.decode(b"\r").status, ChunkStatus::EndOfChunk);
    decoder.begin(0);
    assert_eq!(decoder.decode(b"").status, ChunkStatus::EndOfChunk);
    decoder.begin(1);
    assert_eq!(decoder.decode(b"\n").status, ChunkStatus::EndOfChunk);
}

#[test]
fn a_chunk_is_counted_to_the_largest_size() {
    let mut decoder = ChunkDecoder::text(BareLf::Reject);
    for size in [u64::MAX, u64::from(u32::MAX) + 3, 1 << 63] {
        decoder.begin(size);
        let decoded = decoder.decode(b"ab\r\n");
        assert_eq!((decoded.consumed, decoded.status), (4, ChunkStatus::More));
        assert_eq!(decoder.remaining(), size - 4);
    }
}

fn encode(policy: MessagePolicy, message: &[u8], cuts: &[usize]) -> Result<Vec<u8>, MessageFault> {
    let mut encoder = ChunkEncoder::new(policy);
    let mut out = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([message.len()]) {
        encoder.encode(&message[start..end], &mut out)?;
        start = end;
    }
    encoder.finish(&mut out)?;
    Ok(out)
}

#[test]
fn what_is_sent() {
    let cases: &[(&[u8], &[u8])] = &[
        (b"", b""),
        (b"a", b"a\r\n"),
        (b".", b".\r\n"),
        (b".\r\n..\n.", b".\r\n..\r\n.\r\n"),
        (b"a\r", b"a \r\n"),
        (b"a\r.\r\n\n", b"a .\r\n\r\n"),
        (b"\r\r\n", b" \r\n"),
    ];
    for (message, wire) in cases {
        for cut in 0..=message.len() {
            let sent = encode(MessagePolicy::default(), message, &[cut]).unwrap();
            assert_eq!(sent.escape_ascii().to_string(), wire.escape_ascii().to_string());
        }
    }
    assert_eq!(
        encode(LineEnds::Refuse.into(), b"a\r\n.\nb", &[2]),
        Err(MessageFault { rule: MessageRule::BareLf, at: 4 })
    );
    assert_eq!(encode(LineEnds::Refuse.into(), b"a\r\n.\r\nb", &[2]).unwrap(), b"a\r\n.\r\nb\r\n");
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
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            octet => out.push(octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Octets of which many are dots and line ends.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b".".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
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

/// Text of some hundred octets, most of it in plain lines, and then something else anywhere.
fn blocks() -> impl Strategy<Value = Vec<u8>> {
    let ends = prop_oneof![3 => Just(&b"\r\n"[..]), 2 => Just(&b"\n"[..])];
    let lines = (0..100usize, 1..8usize, ends).prop_map(|(columns, lines, end)| {
        [b"y".repeat(columns).as_slice(), end].concat().repeat(lines)
    });
    proptest::collection::vec(prop_oneof![3 => lines, 1 => text()], 1..6)
        .prop_map(|pieces| pieces.concat())
}

fn text_and_cuts() -> impl Strategy<Value = (Vec<u8>, Vec<usize>, Vec<usize>)> {
    prop_oneof![text(), blocks()].prop_flat_map(|text| {
        let (chunks, reads) = (cuts(text.len()), cuts(text.len()));
        (Just(text), chunks, reads)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn decoding_is_what_the_rules_say((message, chunks, reads) in text_and_cuts()) {
        for body in BODIES {
            prop_assert_eq!(decode(body, &message, &chunks, &reads), oracle(body, &message));
        }
    }

    #[test]
    fn what_was_sent_is_what_arrives((message, chunks, reads) in text_and_cuts()) {
        let wire = encode(AS_IS, &message, &chunks).unwrap();
        prop_assert_eq!(&wire, &normalised(&message));
        let places: Vec<usize> = reads.iter().map(|place| *place.min(&wire.len())).collect();
        for body in BODIES {
            let outcome = decode(body, &wire, &places, &[]);
            prop_assert_eq!(outcome, Outcome { body: wire.clone(), bare_lf: None });
        }
    }
}
