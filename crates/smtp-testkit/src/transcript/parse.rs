//! The text of a transcript to its steps.

use super::{FormatError, Step, Transcript};

pub(super) fn transcript(name: &str, text: &str) -> Result<Transcript, FormatError> {
    let mut transcript =
        Transcript { name: name.to_owned(), settings: Vec::new(), steps: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let fail = |reason: String| FormatError { name: name.to_owned(), line: number, reason };
        if let Some((_, Step::Close)) = transcript.steps.last()
            && !(line.is_empty() || line.starts_with('#'))
        {
            return Err(fail("a step behind CLOSE".to_owned()));
        }
        if let Some(setting) = line.strip_prefix("#!") {
            if !transcript.steps.is_empty() {
                return Err(fail("a setting behind the first step".to_owned()));
            }
            let (key, value) = setting
                .split_once(':')
                .ok_or_else(|| fail("a setting is written `#! key: value`".to_owned()))?;
            transcript.settings.push((key.trim().to_owned(), value.trim().to_owned()));
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let step = step(line).map_err(fail)?;
        transcript.steps.push((number, step));
    }
    Ok(transcript)
}

fn step(line: &str) -> Result<Step, String> {
    match line {
        "TLS" => return Ok(Step::Tls),
        "TLS FAILED" => return Ok(Step::TlsFailed),
        "EOF" => return Ok(Step::Eof),
        "TIMEOUT" => return Ok(Step::Timeout),
        "SHUTDOWN" => return Ok(Step::Shutdown),
        "CLOSE" => return Ok(Step::Close),
        "GLUE" => return Ok(Step::Glue),
        _ => {}
    }
    let (kind, rest) = line.split_at_checked(2).ok_or_else(|| format!("no step: {line:?}"))?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    match kind {
        "C:" => octets(rest).map(Step::Client),
        "S:" => octets(rest).map(Step::Server),
        "E:" => Ok(Step::Event(rest.to_owned())),
        _ => Err(format!("no step: {line:?}")),
    }
}

fn octets(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len() + 2);
    let mut rest = text.as_bytes();
    while let Some((&octet, tail)) = rest.split_first() {
        rest = tail;
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let Some((&escape, tail)) = rest.split_first() else {
            return Ok(octets);
        };
        rest = tail;
        octets.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let octet = rest
                    .get(..2)
                    .and_then(|digits| std::str::from_utf8(digits).ok())
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                    .ok_or_else(|| "\\x needs two hexadecimal digits".to_owned())?;
                rest = &rest[2..];
                octet
            }
            other => return Err(format!("no escape: \\{}", char::from(other))),
        });
    }
    octets.extend_from_slice(b"\r\n");
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        transcript("t", text).unwrap().steps().cloned().collect()
    }

    #[test]
    fn lines_settings_and_marks() {
        let read = transcript(
            "t",
            "#! tls: starttls\n# a remark\n\nS: 220 a\nC: STARTTLS\nTLS\nE: under TLS\nEOF\nCLOSE\n# end\n",
        )
        .unwrap();
        assert_eq!(read.setting("tls"), Some("starttls"));
        assert_eq!(read.setting("none"), None);
        assert_eq!(
            read.steps().cloned().collect::<Vec<_>>(),
            [
                Step::Server(b"220 a\r\n".to_vec()),
                Step::Client(b"STARTTLS\r\n".to_vec()),
                Step::Tls,
                Step::Event("under TLS".to_owned()),
                Step::Eof,
                Step::Close,
            ]
        );
    }

    #[test]
    fn escapes_and_fragments() {
        assert_eq!(steps(r"C: a\r\n\0\x7f\\"), [Step::Client(b"a\r\n\0\x7f\\\r\n".to_vec())]);
        assert_eq!(steps(r"C: RS\"), [Step::Client(b"RS".to_vec())]);
        assert_eq!(steps(r"C: a\n\"), [Step::Client(b"a\n".to_vec())]);
        assert_eq!(steps("C:"), [Step::Client(b"\r\n".to_vec())]);
        assert_eq!(steps("C:  two"), [Step::Client(b" two\r\n".to_vec())]);
    }

    #[test]
    fn what_is_no_transcript_is_named_with_its_line() {
        for (text, line) in [
            ("S: 220\nnonsense\n", 2),
            ("C: \\q", 1),
            ("C: \\x4", 1),
            ("C: \\x+4", 1),
            ("C: a\n#! late: 1", 2),
            ("#! no colon", 1),
            ("CLOSE\nEOF", 2),
            ("ä", 1),
        ] {
            assert_eq!(transcript("t", text).unwrap_err().line, line, "{text:?}");
        }
    }
}
