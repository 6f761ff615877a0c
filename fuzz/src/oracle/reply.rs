//! Replies, line by line (RFC 5321, 4.2).

/// One reply as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code.
    pub code: u16,
    /// What stands behind code and separator, line by line.
    pub lines: Vec<Vec<u8>>,
    /// Octets of the whole reply.
    pub octets: usize,
}

/// The first reply of a text: `None` where it is not whole, an error where it is none.
///
/// # Errors
/// A line ends in LF without CR, has no code, or another than the line before.
pub fn first(text: &[u8]) -> Result<Option<Reply>, &'static str> {
    let mut reply = Reply { code: 0, lines: Vec::new(), octets: 0 };
    for line in text.split_inclusive(|octet| *octet == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        reply.octets += line.len();
        let Some(line) = line.strip_suffix(b"\r\n") else { return Err("a bare LF") };
        if line.len() < 3 || !line[..3].iter().all(u8::is_ascii_digit) {
            return Err("no code");
        }
        let code = line[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        if !(200..600).contains(&code) {
            return Err("no code of a reply");
        }
        if reply.code != 0 && reply.code != code {
            return Err("another code");
        }
        reply.code = code;
        let (more, text) = match &line[3..] {
            [] => (false, &[][..]),
            [b' ', text @ ..] => (false, text),
            [b'-', text @ ..] => (true, text),
            _ => return Err("no separator"),
        };
        reply.lines.push(text.to_vec());
        if !more {
            return Ok(Some(reply));
        }
    }
    Ok(None)
}
