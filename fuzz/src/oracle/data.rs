//! Message text, line by line (RFC 5321, 4.5.2).

use smtp_proto::wire::{
    BareLf, LineEnds, LongLines, MessageFault, MessagePolicy, MessageRule, Nul,
};

/// What a wire text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The message text as far as it came: dots removed, lines ended with CRLF.
    pub body: Vec<u8>,
    /// Octets of the wire text up to the end of the message, its CRLF included.
    pub end: Option<usize>,
    /// Octets before the first LF that is refused.
    pub refused: Option<usize>,
}

/// Reads the text behind DATA's line end.
#[must_use]
pub fn decode(wire: &[u8], bare_lf: BareLf) -> Message {
    let mut message = Message::default();
    let mut line = Vec::new();
    let mut begins_behind_crlf = true;
    for (at, octet) in wire.iter().enumerate() {
        line.push(*octet);
        if *octet != b'\n' {
            continue;
        }
        let bare = !line.ends_with(b"\r\n");
        if bare && bare_lf == BareLf::Reject {
            // It ends no line.
            if message.refused.is_none() {
                message.refused = Some(at);
                line.pop();
                message.body.extend(unstuffed(&line));
                line.push(b'\n');
            }
            continue;
        }
        let text = &line[..line.len() - if bare { 1 } else { 2 }];
        if text == b"." && begins_behind_crlf && !bare {
            message.end = Some(at + 1);
            return message;
        }
        if text != b"." && message.refused.is_none() {
            message.body.extend(unstuffed(text));
            message.body.extend(b"\r\n");
        }
        begins_behind_crlf = !bare;
        line.clear();
    }
    // The CR of a line with a dot alone is not yet known to be text.
    if message.refused.is_none() && line != b".\r" {
        message.body.extend(unstuffed(&line));
    }
    message
}

/// Reads the octets of all chunks of a message; `None` takes them as they are.
#[must_use]
pub fn chunks(octets: &[u8], bare_lf: Option<BareLf>) -> Message {
    let mut message = Message { end: Some(octets.len()), ..Message::default() };
    let mut before = None;
    for (at, octet) in octets.iter().enumerate() {
        let bare = *octet == b'\n' && before != Some(b'\r');
        match bare_lf {
            Some(BareLf::Reject) if bare => {
                message.refused = Some(at);
                return message;
            }
            Some(BareLf::Normalize) if bare => message.body.push(b'\r'),
            _ => {}
        }
        message.body.push(*octet);
        before = Some(*octet);
    }
    message
}

fn unstuffed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b".").unwrap_or(line)
}

/// A message as text of CRLF lines, as a policy wants it: LF becomes CRLF, any other CR a space,
/// and the last line is ended. Its end, and whether dots are stuffed, is not said here.
///
/// # Errors
/// The first octet that the policy refuses.
pub fn sent(message: &[u8], policy: MessagePolicy) -> Result<Vec<u8>, MessageFault> {
    let fault = |rule, at: usize| Err(MessageFault { rule, at: at as u64 });
    let (mut out, mut column) = (Vec::new(), 0);
    for (at, octet) in message.iter().enumerate() {
        let octet = match octet {
            b'\r' if message.get(at + 1) == Some(&b'\n') => continue,
            b'\r' if policy.line_ends == LineEnds::Refuse => return fault(MessageRule::BareCr, at),
            b'\r' => b' ',
            b'\n' => {
                let bare = at == 0 || message[at - 1] != b'\r';
                if bare && policy.line_ends == LineEnds::Refuse {
                    return fault(MessageRule::BareLf, at);
                }
                out.extend(b"\r\n");
                column = 0;
                continue;
            }
            0 if policy.nul == Nul::Refuse => return fault(MessageRule::Nul, at),
            octet => *octet,
        };
        match policy.long_lines {
            LongLines::Refuse if column == 998 => return fault(MessageRule::LongLine, at),
            LongLines::Fold if column + character(octet) > 998 => {
                out.extend(b"\r\n ");
                column = 1;
            }
            _ => {}
        }
        out.push(octet);
        column += 1;
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend(b"\r\n");
    }
    Ok(out)
}

/// Octets of the character that begins with this one.
fn character(first: u8) -> usize {
    match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    }
}

/// How a text of CRLF lines stands on the wire behind DATA, the final dot included.
#[must_use]
pub fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend(line);
    }
    out.extend(b".\r\n");
    out
}
