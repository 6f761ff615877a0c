//! The text of a transcript to its steps.

use super::lines::{self, Line};
use super::{FormatError, Step, Transcript};

pub(super) fn transcript(name: &str, text: &str) -> Result<Transcript, FormatError> {
    let read = lines::read(name, text, None)?;
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (line, what) in read.lines {
        let fail = |reason: String| FormatError { name: name.to_owned(), line, reason };
        if let Some((_, Step::Close)) = steps.last() {
            return Err(fail("a step behind CLOSE".to_owned()));
        }
        let step = match what {
            Line::Client(octets) => Step::Client(octets),
            Line::Server(octets) => Step::Server(octets),
            Line::Other(word) => step(&word).ok_or_else(|| fail(format!("no step: {word:?}")))?,
        };
        steps.push((line, step));
    }
    Ok(Transcript { name: name.to_owned(), settings: read.settings, steps })
}

fn step(line: &str) -> Option<Step> {
    Some(match line {
        "TLS" => Step::Tls,
        "TLS FAILED" => Step::TlsFailed,
        "EOF" => Step::Eof,
        "TIMEOUT" => Step::Timeout,
        "SHUTDOWN" => Step::Shutdown,
        "CLOSE" => Step::Close,
        "GLUE" => Step::Glue,
        _ => {
            let event = line.strip_prefix("E:")?;
            Step::Event(event.strip_prefix(' ').unwrap_or(event).to_owned())
        }
    })
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
        assert_eq!(steps(r"C: \{3:a\n}b\"), [Step::Client(b"a\na\na\nb".to_vec())]);
        assert_eq!(steps(r"C: \{0:a}"), [Step::Client(b"\r\n".to_vec())]);
    }

    #[test]
    fn what_is_no_transcript_is_named_with_its_line() {
        for (text, line) in [
            ("S: 220\nnonsense\n", 2),
            ("C: \\q", 1),
            ("C: \\x4", 1),
            ("C: \\x+4", 1),
            ("C: \\{3:a", 1),
            ("C: \\{a}", 1),
            ("C: \\{size:a}", 1),
            ("C: \\{3:}", 1),
            ("C: \\{99999999:a}", 1),
            ("C: a\n#! late: 1", 2),
            ("#! no colon", 1),
            ("CLOSE\nEOF", 2),
            ("ä", 1),
        ] {
            assert_eq!(transcript("t", text).unwrap_err().line, line, "{text:?}");
        }
    }
}
