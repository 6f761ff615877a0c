//! A message to send, in memory or in a file.
//!
//! Does: survey it once (its size on the wire, octets above 127, what a policy refuses), and give
//! it in parts. Does not: understand its header, or change it. Fails: a file that cannot be read, or
//! that is not the one, or not as it was, when it was surveyed; a message that is to be kept in
//! memory and is larger than the caller lets it be.

mod survey;

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use smtp_proto::client::MessageFacts;
use smtp_proto::limits::BODY_CHUNK;
use smtp_proto::wire::{BodyType, LongLines, MessageFault, MessagePolicy};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt};

use self::survey::Survey;

/// The most octets of a message that [`Message::from_file`] keeps in memory: what is no regular
/// file can be read once alone.
pub const KEPT_IN_MEMORY: u64 = 128 * 1024 * 1024;

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

    /// A message that is read to its end and kept in memory, where it has at most so many octets.
    ///
    /// # Errors
    /// It cannot be read, or has more octets ([`io::ErrorKind::FileTooLarge`]).
    pub async fn from_reader(reader: impl AsyncRead + Unpin, most: u64) -> io::Result<Self> {
        let mut bytes = Vec::new();
        reader.take(most.saturating_add(1)).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > most {
            let text = format!("the message has more than {most} octets");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        Ok(Self::from_bytes(bytes))
    }

    /// A message in a file, which is read once here and once each time that it is sent. What is no
    /// regular file, as a pipe, can be read once alone: its message is kept in memory, where it has
    /// at most [`KEPT_IN_MEMORY`] octets.
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
            return Self::from_reader(File::open(&path).await?, KEPT_IN_MEMORY).await;
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
    /// (RFC 1870, 5). [`LongLines::Fold`] adds to it, and under BINARYMIME no line end does.
    pub const fn wire_size(&self) -> u64 {
        self.survey.octets() + self.survey.added()
    }

    /// Whether it holds an octet above 127.
    pub const fn is_eight_bit(&self) -> bool {
        self.survey.eight_bit()
    }

    /// Whether its header holds UTF-8 outside ASCII, and no other octets above 127: what SMTPUTF8
    /// declares (RFC 6531, 3.1).
    pub const fn has_utf8_header(&self) -> bool {
        self.survey.utf8_header()
    }

    /// The first place that a policy refuses, as sending it would find.
    pub fn fault(&self, policy: &MessagePolicy) -> Option<MessageFault> {
        self.survey.fault(policy)
    }

    /// What a session is told of it before it is sent.
    pub(crate) fn facts(&self, body: Option<BodyType>, policy: &MessagePolicy) -> MessageFacts {
        let size = match body {
            Some(BodyType::BinaryMime) => Some(self.survey.octets()),
            // How long it becomes is found when it is folded.
            _ if policy.long_lines == LongLines::Fold && self.survey.has_long_line() => None,
            _ => Some(self.wire_size()),
        };
        MessageFacts {
            size,
            eight_bit: Some(self.survey.eight_bit()),
            utf8_header: Some(self.survey.utf8_header()),
        }
    }

    pub(crate) async fn reader(&self) -> io::Result<Reader> {
        match &self.source {
            Source::Memory(bytes) => Ok(Reader::Memory { bytes: bytes.clone(), at: 0 }),
            Source::File(path, stamp) => Reader::file(path, Some(stamp)).await,
        }
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
    async fn what_is_kept_in_memory_is_bounded() {
        let message = Message::from_reader(&b"12345"[..], 5).await.unwrap();
        assert_eq!(message.wire_size(), 7);
        let error = Message::from_reader(&b"123456"[..], 5).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "the message has more than 5 octets");
        // Without end, too.
        let error = Message::from_reader(tokio::io::repeat(b'x'), 5).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(Message::from_reader(&b""[..], u64::MAX).await.is_ok());
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
