//! Control directories for tests: the fixtures, with certificates made on the spot.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

use hvmail_control::Control;
use hvmail_control::diagnostic::{Diagnostic, Place, Severity};
use hvmail_control::source::{Directory, Memory, Source};
use smtp_testkit::pki::{Authority, Leaf};

/// An intermediate authority.
pub(crate) fn authority() -> Authority {
    Authority::root("root").intermediate("issuing")
}

/// A leaf below an intermediate authority.
pub(crate) fn leaf() -> Leaf {
    authority().issue(&["mx.example.com"])
}

/// A copy of a fixture, to which files can be added.
pub(crate) struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn copy(name: &str) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let directory = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(&from).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), directory.path().join(entry.file_name())).unwrap();
        }
        Self { directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[must_use]
    pub(crate) fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        // As a directory in use has it for its private keys.
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        self
    }

    /// Adds `tls/key.pem` and `tls/chain.pem`, as the fixtures' `tls_certificate_files` name them.
    #[must_use]
    pub(crate) fn with_certificate(self) -> Self {
        let leaf = leaf();
        self.with("tls/key.pem", &leaf.key).with("tls/chain.pem", leaf.chain())
    }

    pub(crate) fn load(&self) -> Control {
        Control::load(&Directory::open(self.directory.path()).unwrap())
    }
}

/// What a fixture or a directory in memory says: `file:line:column severity[code] service`, sorted.
pub(crate) fn said(control: &Control, least: Severity) -> Vec<String> {
    let mut said: Vec<_> = control
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity >= least)
        .map(|diagnostic| line(control, diagnostic))
        .collect();
    said.sort();
    said
}

fn line(control: &Control, diagnostic: &Diagnostic) -> String {
    let root = control.snapshot.root();
    let below = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let place = match &diagnostic.place {
        Place::Directory => ".".to_owned(),
        Place::File(path) => below(path),
        Place::Span(span) => {
            let location = control.snapshot.location(*span);
            format!("{}:{}:{}", below(&location.path), location.line, location.column)
        }
        Place::Environment(name) => format!("${name}"),
    };
    let services: String = diagnostic.services.iter().map(|name| format!(" {name}")).collect();
    format!("{place} {}[{}]{services}", diagnostic.severity, diagnostic.code)
}

/// The names of the services that run.
pub(crate) fn running(control: &Control) -> Vec<&'static str> {
    control.services.iter().filter(|service| service.runs()).map(|service| service.name).collect()
}

/// A small good directory in memory.
pub(crate) fn memory() -> Memory {
    Memory::new()
        .file("me", "mx.example.com\n")
        .file("rcpthosts", "example.com\n")
        .file("smtp.tcp", "127.0.0.1:allow,RELAYCLIENT=\"\"\n:allow\n")
}

pub(crate) fn load(source: &dyn Source) -> Control {
    Control::load(source)
}
