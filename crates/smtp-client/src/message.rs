//! A message to send, in memory or in a file.
//!
//! Does: survey it once (its size on the wire, octets above 127, bare line ends), and give it in
//! parts. Does not: look into its headers, or change it. Fails: a file that cannot be read, or that
//! is not the one, or not as it was, when it was surveyed.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use smtp_proto::client::MessageFacts;
use smtp_proto::limits::BODY_CHUNK;
use smtp_proto::wire::{MessageFault, MessageRule};
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
    File(PathBuf, Stamp),
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
    /// The path must go on naming this file, and the file must stay as it is, until the last time
    /// that it is sent: what is found to be another file, of another length or of another time of
    /// modification is not sent. (A change within one tick of the file system's clock, a few
    /// milliseconds, can go unseen.)
    ///
    /// # Errors
    /// The file cannot be read, or changes while it is.
    pub async fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref().to_path_buf();
        let metadata = tokio::fs::metadata(&path).await?;
        // A regular file of no length may still have a content, which a kernel makes as it is read.
        if !metadata.is_file() || metadata.len() == 0 {
            return tokio::fs::read(&path).await.map(Self::from_bytes);
        }
        let mut survey = Survey::default();
        let mut reader = Reader::file(&path, None).await?;
        let Reader::File { stamp, .. } = &reader else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let stamp = stamp.clone();
        loop {
            match reader.part().await? {
                [] => break,
                part => survey.take(part),
            }
        }
        Ok(Self { source: Source::File(path, stamp), survey: survey.finish() })
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
    pub const fn bare_line_end(&self) -> Option<MessageFault> {
        self.survey.bare
    }

    pub(crate) const fn facts(&self) -> MessageFacts {
        MessageFacts {
            size: Some(self.wire_size()),
            eight_bit: self.survey.eight_bit,
            utf8_header: None,
        }
    }

    pub(crate) async fn reader(&self) -> io::Result<Reader> {
        match &self.source {
            Source::Memory(bytes) => Ok(Reader::Memory { bytes: bytes.clone(), at: 0 }),
            Source::File(path, stamp) => Reader::file(path, Some(stamp)).await,
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
    bare: Option<MessageFault>,
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
                            self.bare.get_or_insert(MessageFault {
                                rule: MessageRule::BareLf,
                                at: self.octets,
                            });
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
        self.bare.get_or_insert(MessageFault { rule: MessageRule::BareCr, at: self.octets - 1 });
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

/// What tells a file from another one, and from itself at another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    octets: u64,
    modified: Option<SystemTime>,
    /// Its device and its inode.
    #[cfg(unix)]
    place: (u64, u64),
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        Self {
            octets: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            place: {
                use std::os::unix::fs::MetadataExt as _;
                (metadata.dev(), metadata.ino())
            },
        }
    }
}

/// Gives a message in parts, from its beginning.
#[derive(Debug)]
pub(crate) enum Reader {
    Memory { bytes: Bytes, at: usize },
    File { file: File, buffer: Vec<u8>, read: u64, stamp: Stamp },
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is not what it was when it was first read")
}

impl Reader {
    /// Opens a file: the one that bears the stamp, where there is one.
    async fn file(path: &Path, expected: Option<&Stamp>) -> io::Result<Self> {
        let file = File::open(path).await?;
        let stamp = Stamp::new(&file.metadata().await?);
        if expected.is_some_and(|expected| *expected != stamp) {
            return Err(changed());
        }
        Ok(Self::File { file, buffer: vec![0; BODY_CHUNK], read: 0, stamp })
    }

    /// The next part, at most [`BODY_CHUNK`] octets; empty at the end.
    pub(crate) async fn part(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Memory { bytes, at } => {
                let start = *at;
                *at = bytes.len().min(start + BODY_CHUNK);
                Ok(&bytes[start..*at])
            }
            Self::File { file, buffer, read, stamp } => {
                let octets = file.read(buffer).await?;
                *read += octets as u64;
                // A message that was cut short, or written over, must not pass for a whole one.
                let ended = octets == 0;
                if *read > stamp.octets
                    || ended && *read < stamp.octets
                    || ended && Stamp::new(&file.metadata().await?) != *stamp
                {
                    return Err(changed());
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
        let mut encoder = DataEncoder::new(LineEnds::Normalize.into());
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
                let mut strict = DataEncoder::new(LineEnds::Refuse.into());
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
            let error = message.reader().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{content:?}");
        }
    }

    #[tokio::test]
    async fn another_file_of_the_same_length_is_not_sent_under_the_facts_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("message"), folder.path().join("other"));
        std::fs::write(&path, "one\n").unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        let message = Message::from_file(&path).await.unwrap();
        let mut reader = message.reader().await.unwrap();

        // With the same times as well.
        std::fs::write(&other, "two\n").unwrap();
        std::fs::File::options().append(true).open(&other).unwrap().set_modified(modified).unwrap();
        std::fs::rename(&other, &path).unwrap();
        let error = message.reader().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        // What was opened before is still the first one.
        assert_eq!(reader.part().await.unwrap(), b"one\n");
        assert_eq!(reader.part().await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_file_that_is_written_over_while_it_is_sent_does_not_come_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for content in ["two\n", "o\n", "one\ntwo\n"] {
            std::fs::write(file.path(), b"one\n").unwrap();
            file.as_file().set_modified(SystemTime::UNIX_EPOCH).unwrap();
            let message = Message::from_file(file.path()).await.unwrap();
            let mut reader = message.reader().await.unwrap();
            std::fs::write(file.path(), content).unwrap();
            let mut result = reader.part().await.map(<[u8]>::len);
            if result.as_ref().is_ok_and(|octets| *octets > 0) {
                result = reader.part().await.map(<[u8]>::len);
            }
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidData, "{content:?}");
        }
    }
}
