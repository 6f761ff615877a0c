//! What one octet of message text costs, received and sent, beside a bare scan, a bare copy, and
//! the receiver of the registry's `smtp-proto`.
//!
//! Whoever is compared takes turns, read by read of the same size, and the least time of each
//! counts: what else the machine does falls on all alike.
//!
//! What is timed is held to its result, in the very code that is timed: that the receivers, ours and
//! the peer's, give out the octets of the body; that ours finds each bare LF that is planted in it,
//! and none in a round that counts; that what is sent is the message line by line with CRLF and
//! stuffed dots; and that a NUL planted in it is refused. The peer looks for no bare LF.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hvmail_benches::message;
use memchr::memmem;
use peer_smtp_proto::request::receiver::DataReceiver;
use smtp_proto::wire::{
    BareLf, ChunkDecoder, ChunkEncoder, ChunkStatus, DataDecoder, DataEncoder, DataStatus,
    LongLines, MessageFault, MessagePolicy,
};

/// The text of one TLS record, which is what one read gives at most.
const READ: usize = 16 * 1024;
const OCTETS: usize = 1 << 20;
const ROUNDS: usize = 200;

fn main() {
    // Under `cargo test` the work is done once, to see that it can be done.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let plain = received(76, false);
    receive(rounds, "receive, 76 columns", &plain, &message::text(OCTETS, 76));
    let text = received(76, true);
    receive(rounds, "receive, 76 columns, a dot in 20 lines", &text, &unstuffed(&text));
    receive(rounds, "receive, 20 columns", &received(20, false), &message::text(OCTETS, 20));
    let text = received(20, true);
    receive(rounds, "receive, 20 columns, a dot in 20 lines", &text, &unstuffed(&text));
    receive_chunks(rounds, &message::text(OCTETS, 76));
    for columns in [76, 20] {
        let text = message::text(OCTETS, columns);
        send(rounds, &format!("send, {columns} columns, CRLF"), &text);
        let text: Vec<u8> = text.into_iter().filter(|octet| *octet != b'\r').collect();
        send(rounds, &format!("send, {columns} columns, LF"), &text);
        let text = dotted(&text, b".");
        send(rounds, &format!("send, {columns} columns, LF, a dot in 20 lines"), &text);
    }
    worst(rounds);
}

/// Message text as it comes behind DATA, with a stuffed dot at the start of one line in twenty.
fn received(columns: usize, dots: bool) -> Vec<u8> {
    let mut text = message::text(OCTETS, columns);
    if dots {
        text = dotted(&text, b"..");
    }
    text.extend_from_slice(b".\r\n");
    text
}

/// The text with dots at the start of one line in twenty.
fn dotted(text: &[u8], dots: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|octet| *octet == b'\n').enumerate();
    let lines = lines.flat_map(|(number, line)| {
        let dots = if number % 20 == 1 { dots } else { b"" };
        [dots, line].concat()
    });
    lines.collect()
}

/// The body of what was received, line by line.
fn unstuffed(wire: &[u8]) -> Vec<u8> {
    let body = wire.strip_suffix(b".\r\n").expect("it has an end");
    let lines = body.split_inclusive(|octet| *octet == b'\n');
    lines.flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect()
}

/// What reads each slice's ends.
fn consume(slice: &[u8]) {
    black_box((slice.first(), slice.last()));
}

/// A name and the work of one round.
type Work<'a> = (&'a str, Box<dyn FnMut() + 'a>);

/// Times works in turn, and says what an octet costs, beside the first of them.
fn compare(rounds: usize, title: &str, octets: usize, mut works: Vec<Work<'_>>) {
    let mut least = vec![Duration::MAX; works.len()];
    for _ in 0..rounds {
        for ((_, work), least) in works.iter_mut().zip(&mut least) {
            let start = Instant::now();
            work();
            *least = start.elapsed().min(*least);
        }
    }
    println!("{title}");
    for ((name, _), time) in works.iter().zip(&least) {
        let each = time.as_secs_f64() * 1e9 / octets as f64;
        let ratio = time.as_secs_f64() / least[0].as_secs_f64();
        println!("  {name:34} {each:8.4} ns/octet {ratio:6.2} x");
    }
}

/// One message off the wire, its bodies handed on; whether a bare LF was found.
fn decode(
    bare_lf: BareLf,
    wire: &[u8],
    read: usize,
    buffer: &mut [u8],
    mut body: impl FnMut(&[u8]),
) -> bool {
    let mut decoder = DataDecoder::new(bare_lf);
    let mut found = false;
    for read in wire.chunks(read) {
        let buffer = &mut buffer[..read.len()];
        buffer.copy_from_slice(read);
        let mut at = 0;
        loop {
            let decoded = decoder.decode(&mut buffer[at..]);
            body(&buffer[at..at + decoded.body]);
            at += decoded.consumed;
            match decoded.status {
                DataStatus::More => break,
                DataStatus::Insert(octets) => body(octets),
                DataStatus::BareLf { .. } => found = true,
                DataStatus::EndOfData => return found,
            }
        }
    }
    panic!("the message has no end");
}

/// One message, given out where it was read. It has no dots, so that it is not written to.
fn decode_in_place(reads: &mut [u8], mut body: impl FnMut(&[u8])) -> bool {
    let mut decoder = DataDecoder::new(BareLf::Reject);
    let mut found = false;
    for read in reads.chunks_mut(READ) {
        let mut at = 0;
        loop {
            let decoded = decoder.decode(&mut read[at..]);
            body(&read[at..at + decoded.body]);
            at += decoded.consumed;
            match decoded.status {
                DataStatus::More => break,
                DataStatus::BareLf { .. } => found = true,
                DataStatus::EndOfData => return found,
                DataStatus::Insert(_) => panic!("an octet of a dot line was read before"),
            }
        }
    }
    panic!("the message has no end");
}

/// The message with an LF in places of it, one at a time, that have no CR before them: where the
/// text has its last octets, and where each read has its first and its last ones.
fn with_bare_lf(wire: &[u8]) -> Vec<Vec<u8>> {
    let end = wire.len() - b"?\r\n.\r\n".len();
    let places = [end - 1, end, READ - 2, READ - 1, READ, READ + 1, 2 * READ - 1, 2 * READ];
    let places = places
        .into_iter()
        .filter(|&at| !matches!(wire[at - 1], b'\r' | b'\n') && !matches!(wire[at], b'\r' | b'\n'));
    let planted = places.map(|at| {
        let mut wire = wire.to_vec();
        wire[at] = b'\n';
        wire
    });
    let planted: Vec<_> = planted.collect();
    assert!(planted.len() >= 4, "too few places for a bare LF");
    planted
}

fn receive(rounds: usize, title: &str, wire: &[u8], expected: &[u8]) {
    let mut buffer = vec![0; READ];
    let mut body = Vec::new();
    let found =
        decode(BareLf::Reject, wire, READ, &mut buffer, |part| body.extend_from_slice(part));
    assert!(body == expected && !found, "{title}: the body is another one");
    for wire in with_bare_lf(wire) {
        assert!(decode(BareLf::Reject, &wire, READ, &mut buffer, consume), "{title}: a bare LF");
    }
    let mut peers = Vec::with_capacity(wire.len());
    assert!(DataReceiver::new().ingest(&mut wire.iter(), &mut peers) && peers == expected);

    let finder = memmem::Finder::new(b"\r\n.");
    let (mut scanned, mut copied, mut given) = (vec![0; READ], vec![0; READ], Vec::new());
    let scan = || {
        for read in black_box(wire).chunks(READ) {
            let buffer = &mut scanned[..read.len()];
            buffer.copy_from_slice(read);
            let mut from = 0;
            while let Some(place) = finder.find(&buffer[from..]) {
                from += black_box(place) + 3;
            }
        }
    };
    let ours = || {
        let found = decode(BareLf::Reject, black_box(wire), READ, &mut copied, consume);
        assert!(!found);
    };
    let mut peers_buffer = vec![0; READ];
    let peer = || {
        let mut receiver = DataReceiver::new();
        let mut ended = false;
        for read in black_box(wire).chunks(READ) {
            let buffer = &mut peers_buffer[..read.len()];
            buffer.copy_from_slice(read);
            given.clear();
            ended = receiver.ingest(&mut buffer.iter(), &mut given);
            consume(&given);
        }
        assert!(ended);
    };
    compare(
        rounds,
        &format!("{title} (each read copied in)"),
        wire.len(),
        vec![
            ("scan for CRLF and a dot", Box::new(scan)),
            ("DataDecoder, bare LF refused", Box::new(ours)),
            ("peer, bare LF not looked for", Box::new(peer)),
        ],
    );

    // Without the copy that stands for the read: text that has no dots is not written to.
    if wire[..wire.len() - 3] == *expected {
        let mut reads = wire.to_vec();
        body.clear();
        let found = decode_in_place(&mut reads, |part| body.extend_from_slice(part));
        assert!(body == expected && reads == wire && !found, "{title}: the body is another one");
        for mut wire in with_bare_lf(wire) {
            assert!(decode_in_place(&mut wire, consume), "{title}: a bare LF");
        }
        let scan = || {
            for read in black_box(wire).chunks(READ) {
                black_box(finder.find(read));
            }
        };
        let ours = || {
            let found = decode_in_place(black_box(reads.as_mut_slice()), consume);
            assert!(!found);
        };
        let mut given = Vec::new();
        let peer = || {
            let mut receiver = DataReceiver::new();
            let mut ended = false;
            for read in black_box(wire).chunks(READ) {
                given.clear();
                ended = receiver.ingest(&mut read.iter(), &mut given);
                consume(&given);
            }
            assert!(ended);
        };
        compare(
            rounds,
            &format!("{title} (from where it was read)"),
            wire.len(),
            vec![
                ("scan for CRLF and a dot", Box::new(scan)),
                ("DataDecoder, bare LF refused", Box::new(ours)),
                ("peer, bare LF not looked for", Box::new(peer)),
            ],
        );
    }
}

fn receive_chunks(rounds: usize, text: &[u8]) {
    let finder = memmem::Finder::new(b"\r\n.");
    let scan = || {
        for read in black_box(text).chunks(READ) {
            black_box(finder.find(read));
        }
    };
    let chunk = |text: &[u8], body: &mut dyn FnMut(&[u8])| {
        let mut decoder = ChunkDecoder::text(BareLf::Reject);
        decoder.begin(text.len() as u64);
        let (mut found, mut ended) = (false, false);
        for read in text.chunks(READ) {
            let mut at = 0;
            while at < read.len() {
                let decoded = decoder.decode(&read[at..]);
                body(&read[at..at + decoded.body]);
                at += decoded.consumed;
                found |= matches!(decoded.status, ChunkStatus::BareLf { .. });
                ended = decoded.status == ChunkStatus::EndOfChunk;
            }
        }
        assert!(ended);
        found
    };
    let mut body = Vec::new();
    let found = chunk(text, &mut |part| body.extend_from_slice(part));
    assert!(body == text && !found, "the chunk is another one");
    for text in with_bare_lf(text) {
        assert!(chunk(&text, &mut consume), "a bare LF in a chunk");
    }
    let chunk = || {
        let found = chunk(black_box(text), &mut consume);
        assert!(!found);
    };
    compare(
        rounds,
        "receive a chunk, 76 columns",
        text.len(),
        vec![
            ("scan for CRLF and a dot", Box::new(scan)),
            ("ChunkDecoder, bare LF refused", Box::new(chunk)),
        ],
    );
}

fn send(rounds: usize, title: &str, text: &[u8]) {
    let policy = MessagePolicy::default();
    let lines = text.split_inclusive(|octet| *octet == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\n").expect("a line ends"));
    let lines: Vec<_> = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    let wire = |dots: &[u8]| -> Vec<u8> {
        let lines = lines.iter().flat_map(|line| {
            let dot: &[u8] = if line.first() == Some(&b'.') { dots } else { b"" };
            [dot, line, b"\r\n"].concat()
        });
        lines.collect()
    };
    let data = |text: &[u8], out: &mut Vec<u8>, sent: &mut dyn FnMut(&[u8])| {
        let mut encoder = DataEncoder::new(policy);
        text.chunks(READ).try_for_each(|part| {
            out.clear();
            encoder.encode(part, out)?;
            sent(out);
            Ok::<_, MessageFault>(())
        })
    };
    let chunk = |text: &[u8], out: &mut Vec<u8>, sent: &mut dyn FnMut(&[u8])| {
        let mut encoder = ChunkEncoder::new(policy);
        text.chunks(READ).try_for_each(|part| {
            out.clear();
            encoder.encode(part, out)?;
            sent(out);
            Ok::<_, MessageFault>(())
        })
    };
    let [mut copied, mut stuffed, mut plain] = [(); 3].map(|()| Vec::with_capacity(3 * READ));
    let mut sent = Vec::new();
    data(text, &mut stuffed, &mut |part| sent.extend_from_slice(part)).expect("it can be sent");
    assert!(sent == wire(b"."), "{title}: another message is sent");
    sent.clear();
    chunk(text, &mut plain, &mut |part| sent.extend_from_slice(part)).expect("it can be sent");
    assert!(sent == wire(b""), "{title}: another message is sent in chunks");
    for place in [READ - 1, READ, OCTETS / 2, text.len() - 4] {
        let mut text = text.to_vec();
        text[place] = 0;
        assert!(data(&text, &mut stuffed, &mut consume).is_err(), "{title}: a NUL is sent");
        assert!(chunk(&text, &mut plain, &mut consume).is_err(), "{title}: a NUL is sent");
    }
    let copy = || {
        for part in black_box(text).chunks(READ) {
            copied.clear();
            copied.extend_from_slice(part);
            consume(&copied);
        }
    };
    let data = || data(black_box(text), &mut stuffed, &mut consume).expect("it can be sent");
    let chunk = || chunk(black_box(text), &mut plain, &mut consume).expect("it can be sent");
    compare(
        rounds,
        title,
        text.len(),
        vec![
            ("copy", Box::new(copy)),
            ("DataEncoder", Box::new(data)),
            ("ChunkEncoder", Box::new(chunk)),
        ],
    );
}

/// What a peer can make the most of: every octet does something.
fn worst(rounds: usize) {
    const SOME: usize = OCTETS / 16;
    let cases: [(&str, BareLf, usize, &[u8]); 7] = [
        ("LFs alone, normalised", BareLf::Normalize, READ, b"\n"),
        ("a\\n, normalised", BareLf::Normalize, READ, b"a\n"),
        (".\\n, normalised", BareLf::Normalize, READ, b".\n"),
        ("dots alone", BareLf::Reject, READ, b"."),
        ("..CRLF", BareLf::Reject, READ, b"..\r\n"),
        ("CRs alone", BareLf::Reject, READ, b"\r"),
        ("CRLF, an octet a read", BareLf::Reject, 1, b"..\r\n"),
    ];
    for (name, bare_lf, read, octets) in cases {
        let mut wires =
            [octets.repeat(SOME / octets.len()), octets.repeat(4 * SOME / octets.len())];
        for wire in &mut wires {
            wire.extend_from_slice(b"\r\n\r\n.\r\n");
        }
        let [short, long] = &wires;
        let mut buffers = [vec![0; READ], vec![0; READ]];
        let [first, second] = &mut buffers;
        let mut works: Vec<Work<'_>> = Vec::new();
        works.push((
            "DataDecoder",
            Box::new(move || {
                black_box(decode(bare_lf, black_box(short), read, first, consume));
            }),
        ));
        works.push((
            "four times as long",
            Box::new(move || {
                black_box(decode(bare_lf, black_box(long), read, second, consume));
            }),
        ));
        compare(rounds, &format!("worst: {name}"), SOME, works);
    }
    let default = MessagePolicy::default();
    let fold = MessagePolicy { long_lines: LongLines::Fold, ..default };
    let long_line = [[b'x'; 1000].as_slice(), b"\r\n"].concat();
    let cases: [(&str, MessagePolicy, usize, &[u8]); 6] = [
        ("LFs alone", default, READ, b"\n"),
        ("dots alone", default, READ, b"."),
        (".LF", default, READ, b".\n"),
        ("CRs alone", default, READ, b"\r"),
        ("LF CR", default, READ, b"\n\r"),
        ("long lines at once, folded", fold, usize::MAX, &long_line),
    ];
    for (name, policy, read, octets) in cases {
        let [short, long] = [1, 4].map(|times| octets.repeat(times * SOME / octets.len()));
        let works = [("DataEncoder", &short), ("four times as long", &long)].map(|(name, text)| {
            let mut out = Vec::with_capacity(2 * text.len());
            let work: Box<dyn FnMut()> = Box::new(move || {
                let mut encoder = DataEncoder::new(policy);
                for part in black_box(text).chunks(read) {
                    out.clear();
                    encoder.encode(part, &mut out).expect("it can be sent");
                    consume(&out);
                }
            });
            (name, work)
        });
        compare(rounds, &format!("worst: send {name}"), SOME, works.into());
    }
}
