//! Any octets behind DATA, cut anywhere: what is decoded is what an oracle decodes line by line,
//! no octet twice and none lost, and not an octet behind the end is touched. Any message, cut
//! anywhere: it is encoded as an oracle encodes it, and decodes to itself. The same in chunks of
//! any size, where dots and the ends of chunks mean nothing.
#![no_main]

use hvmail_fuzz::choices::{self, Choices};
use hvmail_fuzz::oracle::data::{self, stuffed};
use libfuzzer_sys::fuzz_target;
use smtp_proto::wire::{
    BareLf, ChunkDecoder, ChunkEncoder, ChunkStatus, DataDecoder, DataEncoder, DataStatus,
    LineEnds, LongLines, MessageFault, MessagePolicy, Nul,
};

fuzz_target!(|input: &[u8]| {
    let (text, mut choices) = choices::split(input);
    for bare_lf in [BareLf::Reject, BareLf::Normalize] {
        let expected = data::decode(text, bare_lf);
        assert_eq!(decode(text, bare_lf, &mut choices), expected, "{bare_lf:?}");
        passed_over(text, bare_lf, expected.end, &mut choices);
        let decoder = ChunkDecoder::text(bare_lf);
        let expected = data::chunks(text, Some(bare_lf));
        assert_eq!(chunks(text, decoder, &mut choices), expected, "{bare_lf:?}");
    }
    assert_eq!(chunks(text, ChunkDecoder::binary(), &mut choices), data::chunks(text, None));
    encode(text, &mut choices);
});

/// Decodes piece by piece, with the rest of a piece in front of the next, as a session does.
fn decode(wire: &[u8], bare_lf: BareLf, choices: &mut Choices<'_>) -> data::Message {
    let mut decoder = DataDecoder::new(bare_lf);
    let mut message = data::Message::default();
    let (mut start, mut end) = (0, 0);
    loop {
        let mut buffer = wire[start..end].to_vec();
        let decoded = decoder.decode(&mut buffer);
        assert!(decoded.body <= decoded.consumed && decoded.consumed <= buffer.len());
        assert_eq!(buffer[decoded.consumed..], wire[start + decoded.consumed..end]);
        message.body.extend(&buffer[..decoded.body]);
        match decoded.status {
            DataStatus::More => {
                assert_eq!(decoded.consumed, buffer.len());
                start = end;
                if end == wire.len() {
                    return message;
                }
                end += choices.cut(wire.len() - end);
            }
            DataStatus::Insert(octets) => {
                message.body.extend(octets);
                start += decoded.consumed;
            }
            DataStatus::BareLf { at } => {
                assert_eq!(message.refused, None, "refused twice");
                assert_eq!(wire[start + at], b'\n');
                message.refused = Some(start + at);
                start += decoded.consumed;
                let body = message.body.len();
                decoder.skip();
                assert_eq!(body, message.body.len());
            }
            DataStatus::EndOfData => {
                message.end = Some(start + decoded.consumed);
                return message;
            }
        }
    }
}

/// A message that is passed over ends at the same octet, and hands out none.
fn passed_over(wire: &[u8], bare_lf: BareLf, expected: Option<usize>, choices: &mut Choices<'_>) {
    let mut decoder = DataDecoder::new(bare_lf);
    decoder.skip();
    let mut at = 0;
    for piece in choices.pieces(wire) {
        let mut buffer = piece.to_vec();
        let decoded = decoder.decode(&mut buffer);
        assert_eq!(decoded.body, 0);
        at += decoded.consumed;
        match decoded.status {
            DataStatus::More => assert_eq!(decoded.consumed, piece.len()),
            DataStatus::EndOfData => {
                assert_eq!(Some(at), expected);
                return;
            }
            status => panic!("{status:?} of a message that is passed over"),
        }
    }
    assert_eq!(expected, None);
}

/// Decodes chunk by chunk, each piece by piece; the octets behind a chunk are the next one's.
fn chunks(wire: &[u8], mut decoder: ChunkDecoder, choices: &mut Choices<'_>) -> data::Message {
    let mut message = data::Message { end: Some(wire.len()), ..data::Message::default() };
    let mut start = 0;
    for chunk in choices.pieces(wire) {
        decoder.begin(chunk.len() as u64);
        let chunk_end = start + chunk.len();
        let mut end = start;
        loop {
            let buffer = &wire[start..end];
            let decoded = decoder.decode(buffer);
            assert!(decoded.body <= decoded.consumed && decoded.consumed <= buffer.len());
            message.body.extend(&buffer[..decoded.body]);
            start += decoded.consumed;
            assert_eq!(decoder.remaining(), (chunk_end - start) as u64);
            match decoded.status {
                ChunkStatus::More => {
                    assert_eq!(start, end);
                    end += choices.cut(wire.len() - end);
                }
                ChunkStatus::Insert(octets) => message.body.extend(octets),
                ChunkStatus::BareLf { at } => {
                    assert_eq!(message.refused, None, "refused twice");
                    assert_eq!(buffer[at], b'\n');
                    message.refused = Some(start - decoded.consumed + at);
                    assert!(decoder.is_skipping());
                }
                ChunkStatus::EndOfChunk => break,
            }
        }
        assert_eq!(start, chunk_end);
    }
    message
}

fn encode(message: &[u8], choices: &mut Choices<'_>) {
    let policy = policy(choices.octet());
    let expected = data::sent(message, policy);
    let wire = encoded(message, policy, choices);
    assert_eq!(wire, expected.clone().map(|text| stuffed(&text)));

    let mut encoder = ChunkEncoder::new(policy);
    let mut chunked = Ok(Vec::new());
    for piece in choices.pieces(message) {
        chunked = chunked.and_then(|mut out| encoder.encode(piece, &mut out).map(|()| out));
    }
    let chunked = chunked.and_then(|mut out| encoder.finish(&mut out).map(|()| out));
    assert_eq!(chunked, expected);

    if let (Ok(wire), Ok(text)) = (wire, expected) {
        let back = decode(&wire, BareLf::Reject, choices);
        let end = Some(wire.len());
        assert_eq!(back, data::Message { body: text, end, refused: None });
    }
}

fn policy(switches: u8) -> MessagePolicy {
    MessagePolicy {
        line_ends: if switches & 1 == 0 { LineEnds::Normalize } else { LineEnds::Refuse },
        nul: if switches & 2 == 0 { Nul::SendAsIs } else { Nul::Refuse },
        long_lines: match switches >> 2 & 3 {
            0 | 1 => LongLines::SendAsIs,
            2 => LongLines::Fold,
            _ => LongLines::Refuse,
        },
    }
}

fn encoded(
    message: &[u8],
    policy: MessagePolicy,
    choices: &mut Choices<'_>,
) -> Result<Vec<u8>, MessageFault> {
    let mut encoder = DataEncoder::new(policy);
    let mut wire = Vec::new();
    for piece in choices.pieces(message) {
        encoder.encode(piece, &mut wire)?;
    }
    encoder.finish(&mut wire)?;
    Ok(wire)
}
