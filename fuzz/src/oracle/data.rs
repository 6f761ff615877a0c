//! Message text, line by line (RFC 5321, 4.5.2).

use smtp_proto::wire::BareLf;

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

/// A message as text with no line ends but CRLF: LF becomes CRLF, any other CR a space, and the
/// last line is ended.
#[must_use]
pub fn normalised(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = message.iter().peekable();
    while let Some(octet) = octets.next() {
        match octet {
            b'\r' if octets.peek() == Some(&&b'\n') => {}
            b'\r' => out.push(b' '),
            b'\n' => out.extend(b"\r\n"),
            octet => out.push(*octet),
        }
    }
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.extend(b"\r\n");
    }
    out
}

/// Octets before the first CR or LF that is no part of a CRLF.
#[must_use]
pub fn bare_line_end(message: &[u8]) -> Option<usize> {
    (0..message.len()).find(|at| match message[*at] {
        b'\r' => message.get(at + 1) != Some(&b'\n'),
        b'\n' => *at == 0 || message[at - 1] != b'\r',
        _ => false,
    })
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
