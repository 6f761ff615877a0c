//! What one octet of message text costs, received and sent, beside a bare scan, a bare copy, and
//! the receiver of the registry's `smtp-proto`.
//!
//! Whoever is compared takes turns, read by read of the same size, and the least time of each
//! counts: what else the machine does falls on all alike. Before anything is timed, each work is
//! held to its result: the octets of the body, and the bare LF that is planted in it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use hvmail_benches::message;
use memchr::memmem;
use peer_smtp_proto::request::receiver::DataReceiver;
use smtp_proto::wire::{
    BareLf, ChunkDecoder, ChunkEncoder, ChunkStatus, DataDecoder, DataEncoder, DataStatus,
    MessagePolicy,
};

/// The text of one TLS record, which is what one read gives at most.
const READ: usize = 16 * 1024;
const OCTETS: usize = 1 << 20;
const ROUNDS: usize = 200;

fn main() {
    // Under `cargo test` the work is done once, to see that it can be done.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { ROUNDS } else { 1 };
    let plain = received(73, None);
    receive(rounds, "receive, 73 columns", &plain, &message::text(OCTETS, 73));
    let text = received(73, Some(20));
    receive(rounds, "receive, 73 columns, a dot in 20 lines", &text, &unstuffed(&text));
    receive(rounds, "receive, 20 columns", &received(20, None), &message::text(OCTETS, 20));
    let text = received(20, Some(20));
    receive(rounds, "receive, 20 columns, a dot in 20 lines", &text, &unstuffed(&text));
    receive_chunks(rounds, &message::text(OCTETS, 73));
    for columns in [73, 20] {
        let text = message::text(OCTETS, columns);
        send(rounds, &format!("send, {columns} columns, CRLF"), &text);
        let text: Vec<u8> = text.into_iter().filter(|octet| *octet != b'\r').collect();
        send(rounds, &format!("send, {columns} columns, LF"), &text);
    }
    worst(rounds);
}

/// Message text as it comes behind DATA, with a stuffed dot at the start of one line in so many.
fn received(columns: usize, dots: Option<usize>) -> Vec<u8> {
    let mut text = message::text(OCTETS, columns);
    if let Some(every) = dots {
        let lines: Vec<&[u8]> = text.split_inclusive(|octet| *octet == b'\n').collect();
        let stuffed = lines.iter().enumerate().map(|(number, line)| {
            if number % every == 1 { [b"..", *line].concat() } else { line.to_vec() }
        });
        text = stuffed.collect::<Vec<_>>().concat();
    }
    text.extend_from_slice(b".\r\n");
    text
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

fn receive(rounds: usize, title: &str, wire: &[u8], expected: &[u8]) {
    let mut buffer = vec![0; READ];
    let mut body = Vec::new();
    let found =
        decode(BareLf::Reject, wire, READ, &mut buffer, |part| body.extend_from_slice(part));
    assert!(body == expected && !found, "{title}: the body is another one");
    // Planted where the text has its last octet, and where each read has its first and its last.
    for planted in [expected.len() - 3, READ - 1, READ, 2 * READ - 1, 2 * READ] {
        let mut wire = wire.to_vec();
        wire[planted] = b'\n';
        let found = decode(BareLf::Reject, &wire, READ, &mut buffer, |_| {});
        assert!(found || wire[planted - 1] == b'\r', "{title}: bare LF at {planted}");
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
        black_box(decode(BareLf::Reject, black_box(wire), READ, &mut copied, consume));
    };
    let mut peers_buffer = vec![0; READ];
    let peer = || {
        let mut receiver = DataReceiver::new();
        for read in black_box(wire).chunks(READ) {
            let buffer = &mut peers_buffer[..read.len()];
            buffer.copy_from_slice(read);
            given.clear();
            black_box(receiver.ingest(&mut buffer.iter(), &mut given));
            consume(&given);
        }
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
        let scan = || {
            for read in black_box(wire).chunks(READ) {
                black_box(finder.find(read));
            }
        };
        let ours = || {
            let mut decoder = DataDecoder::new(BareLf::Reject);
            let mut status = DataStatus::More;
            for read in black_box(reads.as_mut_slice()).chunks_mut(READ) {
                let decoded = decoder.decode(read);
                consume(&read[..decoded.body]);
                status = decoded.status;
            }
            assert_eq!(status, DataStatus::EndOfData);
        };
        let mut given = Vec::new();
        let peer = || {
            let mut receiver = DataReceiver::new();
            for read in black_box(wire).chunks(READ) {
                given.clear();
                black_box(receiver.ingest(&mut read.iter(), &mut given));
                consume(&given);
            }
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
    let chunk = || {
        let mut decoder = ChunkDecoder::text(BareLf::Reject);
        decoder.begin(text.len() as u64);
        let mut status = ChunkStatus::More;
        for read in black_box(text).chunks(READ) {
            let decoded = decoder.decode(read);
            consume(&read[..decoded.body]);
            status = decoded.status;
        }
        assert_eq!(status, ChunkStatus::EndOfChunk);
    };
    compare(
        rounds,
        "receive a chunk, 73 columns",
        text.len(),
        vec![
            ("scan for CRLF and a dot", Box::new(scan)),
            ("ChunkDecoder, bare LF refused", Box::new(chunk)),
        ],
    );
}

fn send(rounds: usize, title: &str, text: &[u8]) {
    let policy = MessagePolicy::default();
    let mut sent = Vec::new();
    let mut encoder = DataEncoder::new(policy);
    text.chunks(READ).for_each(|part| encoder.encode(part, &mut sent).expect("it can be sent"));
    encoder.finish(&mut sent).expect("it can be sent");
    let crlf = sent.iter().enumerate().all(|(at, octet)| match octet {
        b'\r' => sent[at + 1] == b'\n',
        b'\n' => sent[at - 1] == b'\r',
        _ => true,
    });
    assert!(crlf, "{title}: a line end that is not CRLF leaves");
    let (mut data, mut chunks, mut plain) =
        (Vec::with_capacity(2 * READ), Vec::with_capacity(2 * READ), Vec::with_capacity(2 * READ));
    let copy = || {
        for part in black_box(text).chunks(READ) {
            plain.clear();
            plain.extend_from_slice(part);
            consume(&plain);
        }
    };
    let ours = || {
        let mut encoder = DataEncoder::new(policy);
        for part in black_box(text).chunks(READ) {
            data.clear();
            encoder.encode(part, &mut data).expect("it can be sent");
            consume(&data);
        }
    };
    let chunk = || {
        let mut encoder = ChunkEncoder::new(policy);
        for part in black_box(text).chunks(READ) {
            chunks.clear();
            encoder.encode(part, &mut chunks).expect("it can be sent");
            consume(&chunks);
        }
    };
    compare(
        rounds,
        title,
        text.len(),
        vec![
            ("copy", Box::new(copy)),
            ("DataEncoder", Box::new(ours)),
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
    for (name, octets) in
        [("LFs alone", &b"\n"[..]), ("dots alone", b"."), (".LF", b".\n"), ("CRs alone", b"\r")]
    {
        let text = octets.repeat(SOME / octets.len());
        let mut out = Vec::with_capacity(2 * READ);
        let work = || {
            let mut encoder = DataEncoder::new(MessagePolicy::default());
            for part in black_box(&text).chunks(READ) {
                out.clear();
                encoder.encode(part, &mut out).expect("it can be sent");
                consume(&out);
            }
        };
        compare(
            rounds,
            &format!("worst: send {name}"),
            SOME,
            vec![("DataEncoder", Box::new(work))],
        );
    }
}
