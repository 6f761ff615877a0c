//! The pieces of work whose instructions are counted.
//!
//! Does: name them, with what they are counted by. Does not: count. Fails: work that does not come
//! out as it must is a panic: a count over it would say nothing.

use std::hint::black_box;

use hvmail_benches::server::{KeepsEnvelope, Style};
use hvmail_benches::{client, control, message, server};
use hvmail_control::Control;
use smtp_proto::limits;
use smtp_proto::wire::{
    BareLf, ChunkDecoder, ChunkStatus, Command, DataDecoder, DataEncoder, DataStatus, Line,
    LineScanner, MessagePolicy, ReplyParser, ReplyStatus,
};

/// The text of one TLS record, which is what one read gives at most.
const READ: usize = 16 * 1024;
const LONG: usize = 1 << 20;
const RECIPIENTS: usize = 100;
const KEPT: usize = 20;

/// One kind of work.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    /// What the count is divided by.
    pub(crate) per: &'static str,
    /// How many of those one round has.
    pub(crate) units: usize,
    /// Makes what the work needs, and what does one round of it.
    pub(crate) prepare: fn() -> Box<dyn FnMut()>,
}

pub(crate) const WORKS: &[Work] = &[
    Work { name: "parse-group", per: "command", units: 6, prepare: || parse(GROUP) },
    Work { name: "parse-ehlo", per: "command", units: 1, prepare: || parse(&GROUP[0..1]) },
    Work { name: "parse-mail", per: "command", units: 1, prepare: || parse(&GROUP[1..2]) },
    Work { name: "parse-rcpt", per: "command", units: 1, prepare: || parse(&GROUP[2..3]) },
    Work { name: "parse-reply", per: "reply", units: 1, prepare: parse_reply },
    Work { name: "data-decode-76", per: "KiB", units: LONG / 1024, prepare: || decode(76, false) },
    Work { name: "data-decode-20", per: "KiB", units: LONG / 1024, prepare: || decode(20, false) },
    Work { name: "data-decode-dots", per: "KiB", units: LONG / 1024, prepare: || decode(76, true) },
    Work { name: "bdat-decode-76", per: "KiB", units: LONG / 1024, prepare: decode_chunks },
    Work { name: "data-encode-76", per: "KiB", units: LONG / 1024, prepare: || encode(76) },
    Work { name: "data-encode-20", per: "KiB", units: LONG / 1024, prepare: || encode(20) },
    Work {
        name: "server-pipelined",
        per: "session",
        units: 1,
        prepare: || serve(Style::Pipelined, 1, 1),
    },
    Work {
        name: "server-chunked",
        per: "session",
        units: 1,
        prepare: || serve(Style::Chunked, 1, 1),
    },
    Work {
        name: "server-lock-step",
        per: "session",
        units: 1,
        prepare: || serve(Style::LockStep, 1, 1),
    },
    Work {
        name: "server-recipients",
        per: "recipient",
        units: RECIPIENTS,
        prepare: || serve(Style::Pipelined, 1, RECIPIENTS),
    },
    Work {
        name: "server-kept",
        per: "message",
        units: KEPT,
        prepare: || serve(Style::Pipelined, KEPT, 1),
    },
    Work {
        name: "client-pipelined",
        per: "session",
        units: 1,
        prepare: || deliver(Style::Pipelined, 1, 1),
    },
    Work {
        name: "client-chunked",
        per: "session",
        units: 1,
        prepare: || deliver(Style::Chunked, 1, 1),
    },
    Work {
        name: "client-lock-step",
        per: "session",
        units: 1,
        prepare: || deliver(Style::LockStep, 1, 1),
    },
    Work {
        name: "client-recipients",
        per: "recipient",
        units: RECIPIENTS,
        prepare: || deliver(Style::Pipelined, 1, RECIPIENTS),
    },
    Work {
        name: "client-kept",
        per: "message",
        units: KEPT,
        prepare: || deliver(Style::Pipelined, KEPT, 1),
    },
    Work { name: "control-load", per: "block", units: control::DOMAINS, prepare: load_control },
    Work { name: "control-outgoing", per: "lookup", units: control::DOMAINS, prepare: look_up },
];

const GROUP: &[&str] = &[
    "EHLO client.example.org\r\n",
    "MAIL FROM:<newsletter-bounces+4711@example.org> SIZE=48213 BODY=8BITMIME\r\n",
    "RCPT TO:<first.last@example.net>\r\n",
    "RCPT TO:<\"quoted local\"@[192.0.2.1]>\r\n",
    "DATA\r\n",
    "RSET\r\n",
];

/// Frames and reads commands, every value decoded.
fn parse(commands: &[&str]) -> Box<dyn FnMut()> {
    let input = commands.concat().into_bytes();
    Box::new(move || {
        let mut left = black_box(&input[..]);
        let mut scanner = LineScanner::new(limits::COMMAND_LINE_EXTENDED);
        while let Line::Complete { len, end } = scanner.scan(left) {
            let line = &left[..len - end.octets()];
            black_box(Command::parse(line).expect("a valid command"));
            left = &left[len..];
        }
        assert!(left.is_empty(), "the commands were not read");
    })
}

fn parse_reply() -> Box<dyn FnMut()> {
    Box::new(|| {
        let reply = ReplyParser::new().feed(black_box(b"250 2.1.5 ok\r\n"));
        assert!(matches!(black_box(reply), Ok(ReplyStatus::Complete { .. })));
    })
}

fn decode(columns: usize, dots: bool) -> Box<dyn FnMut()> {
    let mut wire = message::text(LONG, columns);
    if dots {
        // One line in twenty begins with a stuffed dot, in the place of two octets of it.
        let starts = wire.iter().enumerate().filter(|(_, octet)| **octet == b'\n');
        let starts: Vec<_> = starts.map(|(at, _)| at + 1).step_by(20).collect();
        for start in starts.into_iter().filter(|start| start + 2 < LONG) {
            wire[start..start + 2].copy_from_slice(b"..");
        }
    }
    wire.extend_from_slice(b".\r\n");
    let mut buffer = vec![0; READ];
    Box::new(move || {
        let mut decoder = DataDecoder::new(BareLf::Reject);
        let mut status = DataStatus::More;
        for read in black_box(&wire).chunks(READ) {
            let buffer = &mut buffer[..read.len()];
            buffer.copy_from_slice(read);
            let decoded = decoder.decode(buffer);
            let body = &buffer[..decoded.body];
            black_box((body.first(), body.last()));
            status = decoded.status;
        }
        assert_eq!(status, DataStatus::EndOfData);
    })
}

fn decode_chunks() -> Box<dyn FnMut()> {
    let wire = message::text(LONG, 76);
    Box::new(move || {
        let mut decoder = ChunkDecoder::text(BareLf::Reject);
        decoder.begin(LONG as u64);
        let mut status = ChunkStatus::More;
        for read in black_box(&wire).chunks(READ) {
            let decoded = decoder.decode(read);
            let body = &read[..decoded.body];
            black_box((body.first(), body.last()));
            status = decoded.status;
        }
        assert_eq!(status, ChunkStatus::EndOfChunk);
    })
}

fn encode(columns: usize) -> Box<dyn FnMut()> {
    let text = message::text(LONG, columns);
    let mut out = Vec::with_capacity(2 * READ);
    Box::new(move || {
        let mut encoder = DataEncoder::new(MessagePolicy::default());
        for chunk in black_box(&text).chunks(READ) {
            out.clear();
            encoder.encode(chunk, &mut out).expect("nothing is refused");
            black_box((out.first(), out.last()));
        }
        encoder.finish(&mut out).expect("nothing is refused");
        assert!(out.ends_with(b"\r\n.\r\n"));
    })
}

fn serve(style: Style, messages: usize, recipients: usize) -> Box<dyn FnMut()> {
    let text = message::text(1024, 76);
    let conversation = server::Conversation::new(style, messages, recipients, &text);
    let config = server::config();
    Box::new(move || {
        let mut handler = KeepsEnvelope::default();
        black_box(black_box(&conversation).run(&config, &mut handler, READ));
        black_box(handler);
    })
}

fn deliver(style: Style, messages: usize, recipients: usize) -> Box<dyn FnMut()> {
    let text = message::text(1024, 76);
    let conversation = client::Conversation::new(style, messages, recipients, &text);
    let config = client::config();
    Box::new(move || {
        black_box(black_box(&conversation).run(&config));
    })
}

fn load_control() -> Box<dyn FnMut()> {
    let source = control::in_memory();
    Box::new(move || assert!(!Control::load(black_box(&source)).has_errors()))
}

fn look_up() -> Box<dyn FnMut()> {
    let control = Control::load(&control::in_memory());
    let domains: Vec<_> = (0..control::DOMAINS).map(control::domain).collect();
    Box::new(move || {
        for domain in &domains {
            let rule = control.outgoing_for(black_box(domain), None);
            assert!(rule.is_ok_and(|rule| rule.policy.level.required()));
        }
    })
}
