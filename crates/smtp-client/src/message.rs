//! A message to send, in memory or in a file.
//!
//! Does: survey it once (its size on the wire, octets above 127, bare line ends), and give it in
//! parts. Does not: look into its headers, or change it. Fails: a file that cannot be read, or that
//! is not as long as it was when it was surveyed.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use smtp_proto::client::MessageFacts;
use smtp_proto::limits::BODY_CHUNK;
use smtp_proto::wire::BareLineEnd;
use tokio::fs::File;
use tokio::io::AsyncReadExt;

/// A message. Cheap to clone; it can be sent any number of times.
///
/// Line ends may be CRLF or LF: what is sent has CRLF, and a space for each CR that ends no line,
/// unless [`Config::session`](crate::Config) refuses what is not CRLF.
#[derive(Clone, Debug)]
pub struct Message {
    source: Source,
    survey: Survey,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File(PathBuf),
}

impl Message {
    /// A message in memory; a `Vec`, a `String` or a `'static` text is taken as it is, not copied.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let mut survey = Survey::default();
        survey.take(&bytes);
        Self { source: Source::Memory(bytes), survey: survey.finish() }
    }

    /// A message in a file, which is read once here and once each time that it is sent. What is no
    /// regular file, as a pipe, can be read once alone: its message is kept in memory.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_path_buf();
        if !tokio::fs::metadata(&path).await?.is_file() {
            return tokio::fs::read(&path).await.map(Self::from_bytes);
        }
        let mut survey = Survey::default();
        let mut reader = Reader::file(&path, None).await?;
        loop {
            match reader.part().await? {
                [] => break,
                part => survey.take(part),
            }
        }
        Ok(Self { source: Source::File(path), survey: survey.finish() })
    }

    /// Its size in octets on the wire, with CRLF line ends, without dots and the end that DATA adds
    /// (RFC 1870, 5).
    pub const fn wire_size(&self) -> u64 {
        self.survey.octets + self.survey.added
    }

    /// Whether it holds an octet above 127.
    pub const fn is_eight_bit(&self) -> bool {
        self.survey.eight_bit
    }

    /// The first CR or LF that is no part of a CRLF.
    pub const fn bare_line_end(&self) -> Option<BareLineEnd> {
        self.survey.bare
    }

    pub(crate) const fn facts(&self) -> MessageFacts {
        MessageFacts { size: Some(self.wire_size()), eight_bit: self.survey.eight_bit }
    }

    pub(crate) async fn reader(&self) -> io::Result<Reader> {
        match &self.source {
            Source::Memory(bytes) => Ok(Reader::Memory { bytes: bytes.clone(), at: 0 }),
            Source::File(path) => Reader::file(path, Some(self.survey.octets)).await,
        }
    }
}

/// What one pass over a message finds.
#[derive(Clone, Copy, Debug, Default)]
struct Survey {
    octets: u64,
    /// Octets that CRLF line ends add; a space for a CR adds none.
    added: u64,
    eight_bit: bool,
    bare: Option<BareLineEnd>,
    /// The last octet was a CR: the next one says what it is.
    cr: bool,
    /// The last line has no end yet.
    open: bool,
}

impl Survey {
    fn take(&mut self, part: &[u8]) {
        self.eight_bit |= !part.is_ascii();
        for &octet in part {
            let behind_cr = std::mem::take(&mut self.cr);
            match octet {
                b'\n' if behind_cr => self.open = false,
                _ => {
                    if behind_cr {
                        self.bare_cr();
                    }
                    match octet {
                        b'\r' => self.cr = true,
                        b'\n' => {
                            self.bare.get_or_insert(BareLineEnd { at: self.octets });
                            self.added += 1;
                            self.open = false;
                        }
                        _ => self.open = true,
                    }
                }
            }
            self.octets += 1;
        }
    }

    /// The octet before was a CR that no LF follows: it goes out as a space.
    fn bare_cr(&mut self) {
        self.bare.get_or_insert(BareLineEnd { at: self.octets - 1 });
        self.open = true;
    }

    fn finish(mut self) -> Self {
        if std::mem::take(&mut self.cr) {
            self.bare_cr();
        }
        if std::mem::take(&mut self.open) {
            self.added += 2;
        }
        self
    }
}

/// Gives a message in parts, from its beginning.
#[derive(Debug)]
pub(crate) enum Reader {
    Memory { bytes: Bytes, at: usize },
    File { file: File, buffer: Vec<u8>, read: u64, expected: Option<u64> },
}

impl Reader {
    async fn file(path: &Path, expected: Option<u64>) -> io::Result<Self> {
        let file = File::open(path).await?;
        Ok(Self::File { file, buffer: vec![0; BODY_CHUNK], read: 0, expected })
    }

    /// The next part, at most [`BODY_CHUNK`] octets; empty at the end.
    pub(crate) async fn part(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Memory { bytes, at } => {
                let start = *at;
                *at = bytes.len().min(start + BODY_CHUNK);
                Ok(&bytes[start..*at])
            }
            Self::File { file, buffer, read, expected } => {
                let octets = file.read(buffer).await?;
                *read += octets as u64;
                // A message cut short, or grown, behind the survey must not pass for a whole one.
                if expected
                    .is_some_and(|expected| *read > expected || octets == 0 && *read < expected)
                {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the file changed while it was sent",
                    ));
                }
                Ok(&buffer[..octets])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::wire::{DataEncoder, LineEnds};

    /// What the encoder puts on the wire, less its dots and its end.
    fn encoded_size(bytes: &[u8]) -> u64 {
        let mut encoder = DataEncoder::new(LineEnds::Normalize);
        let mut out = Vec::new();
        encoder.encode(bytes, &mut out).unwrap();
        encoder.finish(&mut out).unwrap();
        let mut size = out.len() - 3;
        size -= out[..out.len() - 3]
            .split(|octet| *octet == b'\n')
            .filter(|l| l.starts_with(b"."))
            .count();
        size as u64
    }

    #[test]
    fn the_size_is_what_the_encoder_sends_whatever_the_line_ends_are() {
        let alphabet = [b'a', b'.', b'\r', b'\n'];
        for len in 0..=6 {
            for mut number in 0..4_usize.pow(len) {
                let bytes: Vec<u8> = (0..len)
                    .map(|_| {
                        let octet = alphabet[number % 4];
                        number /= 4;
                        octet
                    })
                    .collect();
                let whole = Message::from_bytes(bytes.clone());
                assert_eq!(whole.wire_size(), encoded_size(&bytes), "{bytes:?}");
                let mut strict = DataEncoder::new(LineEnds::Refuse);
                let mut out = Vec::new();
                let refused =
                    strict.encode(&bytes, &mut out).and_then(|()| strict.finish(&mut out)).err();
                assert_eq!(whole.bare_line_end(), refused, "{bytes:?}");
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_pipe_is_read_once_and_sent_any_number_of_times() {
        use std::io::Write as _;
        use std::os::fd::AsRawFd as _;
        let (pipe, mut writer) = io::pipe().unwrap();
        writer.write_all(b"one\n").unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
        let message = Message::from_file(path).await.unwrap();
        for _ in 0..2 {
            let mut reader = message.reader().await.unwrap();
            assert_eq!(reader.part().await.unwrap(), b"one\n");
            assert_eq!(reader.part().await.unwrap(), b"");
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_behind_the_survey_is_not_sent_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"one\ntwo\n").unwrap();
        let message = Message::from_file(file.path()).await.unwrap();
        assert_eq!(message.wire_size(), 10);
        for content in ["one\n", "one\ntwo\nthree\n"] {
            std::fs::write(file.path(), content).unwrap();
            let mut reader = message.reader().await.unwrap();
            let mut result = reader.part().await.map(<[u8]>::len);
            if result.as_ref().is_ok_and(|octets| *octets > 0) {
                result = reader.part().await.map(<[u8]>::len);
            }
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidData, "{content:?}");
        }
    }
}
