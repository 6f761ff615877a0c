//! First lines that no SMTP client sends: those of other protocols, which somebody lets a browser
//! or a proxy send here.
//!
//! Does: tell an HTTP request line and a header field from a mistyped command. Does not: read
//! them. Fails: nothing here fails.

use crate::error::PeerMisbehaved;

/// The methods of HTTP (RFC 9110 section 9.3, RFC 5789), and the first word of an HTTP/2
/// connection (RFC 9113 section 3.4).
const METHODS: [&[u8]; 10] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI",
];

/// What a line is, that holds no command and may be cut off at its end.
///
/// `request-line = method SP request-target SP HTTP-version` (RFC 9112 section 3);
/// `field = field-name ":" unstructured` (RFC 5322 section 2.2), with a space behind the colon.
pub(super) fn foreign(line: &[u8]) -> Option<PeerMisbehaved> {
    if is_request_line(line) {
        Some(PeerMisbehaved::HttpRequest)
    } else if is_header_field(line) {
        Some(PeerMisbehaved::HeaderField)
    } else {
        None
    }
}

fn is_request_line(line: &[u8]) -> bool {
    let mut words = line.split(|octet| *octet == b' ');
    let method = words.next().unwrap_or_default();
    words.next_back().is_some_and(|last| last.starts_with(b"HTTP/") || METHODS.contains(&method))
}

fn is_header_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|octet| octet.is_ascii_graphic() && **octet != b':').count();
    name > 0
        && line.get(name) == Some(&b':')
        && matches!(line.get(name + 1), None | Some(b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_told_from_mistyped_commands() {
        use PeerMisbehaved::{HeaderField, HttpRequest};
        let cases: [(&[u8], Option<PeerMisbehaved>); 16] = [
            (b"GET / HTTP/1.1", Some(HttpRequest)),
            (b"POST /x", Some(HttpRequest)),
            (b"CONNECT mx.example:25 HTTP/1.1", Some(HttpRequest)),
            (b"PUT ", Some(HttpRequest)),
            (b"PRI * HTTP/2.0", Some(HttpRequest)),
            (b"PROPFIND / HTTP/1.0", Some(HttpRequest)),
            (b"GET", None),
            (b"GETX / x", None),
            (b"HTTP/1.1", None),
            (b"Host: a", Some(HeaderField)),
            (b"X-\x7e:\ta", Some(HeaderField)),
            (b"Subject:", Some(HeaderField)),
            (b": a", None),
            (b"MAIL FROM: <a@b>", None),
            (b"Host:a", None),
            (b"", None),
        ];
        for (line, expected) in cases {
            assert_eq!(foreign(line), expected, "{}", line.escape_ascii());
        }
    }
}
