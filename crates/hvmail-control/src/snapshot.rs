//! Every file that was read, frozen, and where in it a value stands.
//!
//! A [`Loader`] pulls each file from its [`Source`] once, when a reader first asks for it, and keeps
//! the answer; [`Loader::finish`] freezes what was pulled. Two readers never see two states of one
//! file. Values point into the snapshot by [`Span`], which [`Snapshot::location`] turns into the
//! `path:line:column` that a person looks for.
//!
//! Nothing here fails on its own: what a source cannot read is handed on as it came.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use memchr::{memchr_iter, memmem};
pub use smtp_tls::OriginId;

use crate::diagnostic::printable;
use crate::error::ReadError;
use crate::source::{Source, below};

/// One file of a [`Snapshot`]. It means nothing in another snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(crate) u32);

/// A range of octets in one file: `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first octet, from 0.
    pub start: usize,
    /// The octet after the last.
    pub end: usize,
}

impl Span {
    /// The octets from `start` up to, and without, `end` of `file`.
    #[must_use]
    pub const fn new(file: FileId, start: usize, end: usize) -> Self {
        Self { file, start, end }
    }

    /// From the start of this span to the end of `last`, which stands behind it in the same file.
    #[must_use]
    pub const fn to(self, last: Self) -> Self {
        Self { file: self.file, start: self.start, end: last.end }
    }
}

/// A value together with the place that it was written at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// `value` as it was written at `span`.
    #[must_use]
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// The same place with the value that `change` makes of this one.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

/// A place as a person reads it; its `Display` is `path:line:column`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// The file, below the control directory or absolute.
    pub path: PathBuf,
    /// The line, from 1. Lines end with LF, with or without CR before it.
    pub line: u32,
    /// The column, from 1, in characters. Octets that are not UTF-8 count as the replacement
    /// characters shown for them.
    pub column: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", printable(&self.path), self.line, self.column)
    }
}

/// Where an effective value came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// No file and no variable says anything: the default, and what it is the default of.
    Default(&'static str),
    /// It stands in a file.
    File(Span),
    /// It is the value of this environment variable.
    Environment(String),
}

/// The origins that the values of one load name, each under an [`OriginId`] that a TLS policy can
/// carry without knowing files.
///
/// ```
/// use hvmail_control::snapshot::{Origin, Origins};
///
/// let mut origins = Origins::default();
/// let id = origins.id(Origin::Environment("TLSCIPHERS".into()));
/// assert_eq!(origins.id(Origin::Environment("TLSCIPHERS".into())), id);
/// assert_eq!(origins.get(id), Some(&Origin::Environment("TLSCIPHERS".into())));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Origins {
    by_id: Vec<Origin>,
    ids: HashMap<Origin, OriginId>,
}

impl Origins {
    /// The id of `origin`: the one it has, or a new one.
    pub fn id(&mut self, origin: Origin) -> OriginId {
        let next = OriginId(u32::try_from(self.by_id.len()).unwrap_or(u32::MAX));
        *self.ids.entry(origin).or_insert_with_key(|origin| {
            self.by_id.push(origin.clone());
            next
        })
    }

    /// The id that `origin` has, if it was ever given one.
    #[must_use]
    pub fn find(&self, origin: &Origin) -> Option<OriginId> {
        self.ids.get(origin).copied()
    }

    /// The origin behind `id`; `None` for an id of another table.
    #[must_use]
    pub fn get(&self, id: OriginId) -> Option<&Origin> {
        self.by_id.get(usize::try_from(id.0).ok()?)
    }
}

/// Pulls files and variables from a source, each once.
pub struct Loader<'s> {
    source: &'s dyn Source,
    snapshot: Snapshot,
    answers: HashMap<PathBuf, Result<Option<FileId>, ReadError>>,
    environment: HashMap<String, Option<String>>,
}

impl<'s> Loader<'s> {
    /// A loader that has pulled nothing yet.
    #[must_use]
    pub fn new(source: &'s dyn Source) -> Self {
        let snapshot = Snapshot { root: source.root().to_path_buf(), files: Vec::new() };
        Self { source, snapshot, answers: HashMap::new(), environment: HashMap::new() }
    }

    /// The file at `path`, absolute or relative to the control directory; `None` when it is absent.
    ///
    /// # Errors
    /// What the source said, each time that the file is asked for.
    pub fn read(&mut self, path: impl AsRef<Path>) -> Result<Option<FileId>, ReadError> {
        let path = path.as_ref();
        let resolved = self.source.resolve(path);
        if let Some(answer) = self.answers.get(&resolved) {
            return answer.clone();
        }
        let answer = self
            .source
            .read(path)
            .map(|content| content.map(|bytes| self.snapshot.add(resolved.clone(), &bytes)));
        self.answers.insert(resolved, answer.clone());
        answer
    }

    /// Keeps a file's content from everybody who draws what is said about it: it is no text of the control
    /// directory's own, but a key, a certificate, or whatever a setting takes for one.
    pub(crate) fn is_no_text(&mut self, file: FileId) {
        let index = usize::try_from(file.0).unwrap_or(usize::MAX);
        if let Some(file) = self.snapshot.files.get_mut(index) {
            file.is_no_text = true;
        }
    }

    /// The permission bits that a file which was read has now, where the source knows of such.
    #[must_use]
    pub fn permissions(&self, file: FileId) -> Option<u32> {
        self.source.permissions(self.snapshot.path(file))
    }

    /// The value of an environment variable; the first answer stands.
    pub fn environment(&mut self, name: &str) -> Option<String> {
        if let Some(answer) = self.environment.get(name) {
            return answer.clone();
        }
        let answer = self.source.environment(name);
        self.environment.insert(name.to_owned(), answer.clone());
        answer
    }

    /// `path` below the control directory, as messages show it.
    #[must_use]
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.source.resolve(path.as_ref())
    }

    /// What was pulled until now.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What was pulled, frozen.
    #[must_use]
    pub fn finish(self) -> Snapshot {
        self.snapshot
    }
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

/// Files as they were when they were read.
#[derive(Clone)]
pub struct Snapshot {
    root: PathBuf,
    files: Vec<Frozen>,
}

#[derive(Clone)]
struct Frozen {
    path: PathBuf,
    bytes: Arc<[u8]>,
    is_no_text: bool,
    /// Where each line but the first starts; made when a place in the file is first asked for.
    line_starts: OnceLock<Vec<usize>>,
}

impl Snapshot {
    /// The control directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every file, in the order in which they were read.
    pub fn files(&self) -> impl Iterator<Item = (FileId, &Path, &[u8])> {
        (0..).map(FileId).zip(&self.files).map(|(id, file)| (id, &*file.path, &*file.bytes))
    }

    /// The file that was read from `path`, absolute or relative to the control directory.
    #[must_use]
    pub fn find(&self, path: impl AsRef<Path>) -> Option<FileId> {
        let path = below(&self.root, path.as_ref());
        self.files().find(|(_, candidate, _)| *candidate == path).map(|(id, ..)| id)
    }

    /// Where `file` was read from; empty for a file of another snapshot.
    #[must_use]
    pub fn path(&self, file: FileId) -> &Path {
        self.get(file).map_or(Path::new(""), |file| &file.path)
    }

    /// What stands in `file`, without a byte order mark; empty for a file of another snapshot. In the snapshot of a
    /// [`Control`](crate::Control) the text of files with a private key is blanked out, and that of every file that was
    /// read as a certificate, key, revocation list or group, whatever it holds.
    #[must_use]
    pub fn bytes(&self, file: FileId) -> &[u8] {
        self.get(file).map_or(&[], |file| &file.bytes)
    }

    /// Blanks out every file with a private key, so that the only copy is the one in use, and every one that is
    /// [no text](Loader::is_no_text): a setting may name any file of the host, and what is in that is nobody's to
    /// read here. Lines keep their places and lengths.
    pub(crate) fn blank_secrets(&mut self) {
        let key = memmem::Finder::new("PRIVATE KEY-----");
        let secret = |file: &&mut Frozen| file.is_no_text || key.find(&file.bytes).is_some();
        for file in self.files.iter_mut().filter(secret) {
            let blank = |byte: &u8| if matches!(byte, b'\n' | b'\r') { *byte } else { b' ' };
            file.bytes = file.bytes.iter().map(blank).collect();
        }
    }

    /// The same, to keep while more files are read.
    pub(crate) fn shared(&self, file: FileId) -> Arc<[u8]> {
        self.get(file).map_or_else(|| Arc::from([]), |file| Arc::clone(&file.bytes))
    }

    /// The text of `span`, what is not UTF-8 in it replaced; empty where it lies outside its file.
    #[must_use]
    pub fn text(&self, span: Span) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(span.file).get(span.start..span.end).unwrap_or(&[]))
    }

    /// The place at which `span` starts.
    #[must_use]
    pub fn location(&self, span: Span) -> Location {
        self.location_at(span.file, span.start)
    }

    /// The place of one octet. An offset behind the end of the file is its end.
    ///
    /// Costs one pass over the file the first time, and one pass over its line each time.
    #[must_use]
    pub fn location_at(&self, file: FileId, offset: usize) -> Location {
        let Some(file) = self.get(file) else {
            return Location { path: PathBuf::new(), line: 1, column: 1 };
        };
        let offset = offset.min(file.bytes.len());
        let line_starts = file
            .line_starts
            .get_or_init(|| memchr_iter(b'\n', &file.bytes).map(|end| end + 1).collect());
        let line = line_starts.partition_point(|start| *start <= offset);
        let line_start = line.checked_sub(1).map_or(0, |line| line_starts[line]);
        let before = &file.bytes[line_start..offset];
        // Most lines are text, and text is counted many times faster.
        let characters: usize = match str::from_utf8(before) {
            Ok(text) => text.chars().count(),
            Err(_) => before
                .utf8_chunks()
                .map(|part| part.valid().chars().count() + usize::from(!part.invalid().is_empty()))
                .sum(),
        };
        let one_based = |count: usize| u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1);
        Location { path: file.path.clone(), line: one_based(line), column: one_based(characters) }
    }

    /// Every file passes here, so that a byte order mark is a part of no value in any of them.
    fn add(&mut self, path: PathBuf, bytes: &[u8]) -> FileId {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let id = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let (bytes, line_starts) = (bytes.into(), OnceLock::new());
        self.files.push(Frozen { path, bytes, is_no_text: false, line_starts });
        FileId(id)
    }

    fn get(&self, file: FileId) -> Option<&Frozen> {
        self.files.get(usize::try_from(file.0).ok()?)
    }
}

/// Files may be private keys, so only names and sizes are shown.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for file in &self.files {
            map.entry(&file.path, &format_args!("{} octets", file.bytes.len()));
        }
        map.finish()
    }
}

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Memory;
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    fn place(content: &[u8], offset: usize) -> (u32, u32) {
        let source = Memory::new().file("f", content);
        let mut loader = Loader::new(&source);
        let id = loader.read("f").unwrap().unwrap();
        let location = loader.finish().location_at(id, offset);
        (location.line, location.column)
    }

    #[test]
    fn octets_become_lines_and_columns() {
        for (content, offset, expected) in [
            (&b""[..], 0, (1, 1)),
            (b"", 9, (1, 1)),
            (b"ab\ncd", 0, (1, 1)),
            (b"ab\ncd", 2, (1, 3)),
            (b"ab\ncd", 3, (2, 1)),
            (b"ab\ncd", 5, (2, 3)),
            (b"ab\ncd\n", 6, (3, 1)),
            (b"ab\r\ncd", 4, (2, 1)),
            (b"a\rb", 2, (1, 3)),
            ("\u{e9}\u{4e2d}x".as_bytes(), 5, (1, 3)),
            (b"\xef\xbb\xbfab", 0, (1, 1)),
            (b"\xef\xbb\xbfab", 1, (1, 2)),
            (b"\n\xef\xbb\xbfab", 4, (2, 2)),
            (b"\xff\xfe!", 2, (1, 3)),
            (b"\x80\x80\x80!", 3, (1, 4)),
        ] {
            assert_eq!(place(content, offset), expected, "{content:?} at {offset}");
        }
    }

    #[test]
    fn a_location_reads_as_people_expect() {
        let source = Memory::new().file("smtp2", "PORT=587\nENABLED=x\n");
        let mut loader = Loader::new(&source);
        let file = loader.read("smtp2").unwrap().unwrap();
        let snapshot = loader.finish();
        let span = Span::new(file, 17, 18);
        let location = snapshot.location(span);
        assert_eq!(location.to_string(), "/var/hvmail/control/smtp2:2:9");
        assert_eq!(snapshot.text(span), "x");
        assert_eq!(snapshot.text(Span::new(file, 17, 999)), "");
        assert_eq!(snapshot.find("smtp2"), Some(file));
    }

    #[test]
    fn a_long_line_costs_linear_time() {
        let mut content = vec![b'a'; 10 * 1024 * 1024];
        content.extend_from_slice(b"\nb");
        let started = Instant::now();
        assert_eq!(place(&content, content.len() - 1), (2, 1));
        assert_eq!(place(&content, 10 * 1024 * 1024), (1, 10 * 1024 * 1024 + 1));
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    struct Counting(Memory, Cell<u32>);

    impl Source for Counting {
        fn root(&self) -> &Path {
            self.0.root()
        }
        fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
            self.1.set(self.1.get() + 1);
            self.0.read(path)
        }
        fn environment(&self, name: &str) -> Option<String> {
            self.1.set(self.1.get() + 1);
            self.0.environment(name)
        }
    }

    #[test]
    fn everything_is_pulled_once_whatever_the_answer() {
        let memory = Memory::new().file("me", "mx\n").unreadable("key").variable("A", "1");
        let source = Counting(memory, Cell::new(0));
        let mut loader = Loader::new(&source);
        for _ in 0..3 {
            let me = loader.read("me").unwrap().unwrap();
            assert_eq!(loader.read("./me").unwrap(), Some(me));
            assert_eq!(loader.read("/var/hvmail/control/me").unwrap(), Some(me));
            assert_eq!(loader.read("absent").unwrap(), None);
            assert!(loader.read("key").is_err());
            assert_eq!(loader.environment("A").as_deref(), Some("1"));
            assert_eq!(loader.environment("B"), None);
        }
        assert_eq!(source.1.get(), 5);
        assert_eq!(loader.finish().files().count(), 1);
    }

    #[test]
    fn an_id_of_elsewhere_finds_nothing() {
        let source = Memory::new();
        let snapshot = Loader::new(&source).finish();
        assert_eq!(snapshot.bytes(FileId(3)), b"");
        assert_eq!(snapshot.path(FileId(3)), Path::new(""));
        assert_eq!(snapshot.location_at(FileId(3), 7).line, 1);
        assert_eq!(Origins::default().get(OriginId(3)), None);
    }
}
