//! The demo directory: what stands in each of its files.
//!
//! Does: make what is missing of it. Does not: overwrite a file. Fails: as
//! [`create`](super::create) does, and where half of the certificate's pair is there.

use std::io;
use std::path::{Path, PathBuf};

use super::{Access, WriteError, create, failed, make_directory};

/// The files of a demo directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demo {
    /// The files that were made.
    pub made: Vec<PathBuf>,
    /// The files that were there before and are untouched.
    pub kept: Vec<PathBuf>,
}

/// The certificate of a demo directory, below it.
pub const DEMO_CERTIFICATE: &str = "tls.demo.crt.pem";
/// The private key of a demo directory, below it.
pub const DEMO_KEY: &str = "tls.demo.key.pem";
/// The name of the host of a demo directory, in its `me`.
pub const DEMO_HOST: &str = "mail.demo.example";
/// The domain for which a demo directory takes mail.
pub const DEMO_DOMAIN: &str = "demo.example";

/// Makes a control directory for loopback alone, on ports that need no privilege: `smtp` on 2525 with
/// STARTTLS, `smtp2` on 2587 with STARTTLS, `smtp3` on 2465 with TLS from the first byte. It takes
/// mail for [`DEMO_DOMAIN`], lets 127.0.0.1 relay, and routes mail for that domain to itself.
///
/// A file that is there already is never overwritten, so a second call changes nothing.
///
/// # Errors
/// [`WriteError`] if the directory or a file cannot be made, or if one of certificate and key is
/// there without the other: a new half would not match it.
pub fn write_demo(
    directory: &Path,
    certificate_pem: &str,
    key_pem: &str,
) -> Result<Demo, WriteError> {
    make_directory(directory)?;
    let there = |name: &str| directory.join(name).symlink_metadata().is_ok();
    for (half, other) in [(DEMO_CERTIFICATE, DEMO_KEY), (DEMO_KEY, DEMO_CERTIFICATE)] {
        if there(half) && !there(other) {
            let error = io::Error::new(io::ErrorKind::NotFound, "its other half is there");
            return Err(failed(&directory.join(other), "make half of a pair")(error));
        }
    }
    let mut demo = Demo::default();
    let pair =
        [(DEMO_KEY, key_pem, Access::Private), (DEMO_CERTIFICATE, certificate_pem, Access::Public)];
    let plain = DEMO_FILES.into_iter().map(|(name, content)| (name, content, Access::Public));
    for (name, content, access) in pair.into_iter().chain(plain) {
        let path = directory.join(name);
        if create(&path, content.as_bytes(), access)? {
            demo.made.push(path);
        } else {
            demo.kept.push(path);
        }
    }
    Ok(demo)
}

const DEMO_FILES: [(&str, &str); 11] = [
    ("me", "mail.demo.example\n"),
    ("smtp.ipaddr", "127.0.0.1\n"),
    ("smtp.port", "2525\n"),
    ("smtp.starttls", "1\n"),
    ("smtp.auth", "0\n"),
    (
        "smtp.tcp",
        "\
# Who may connect, and who may relay: send mail to any domain.
# The most specific address counts, wherever its line stands.
127.0.0.1:allow,RELAYCLIENT=\"\"
:allow
",
    ),
    (
        "smtp2",
        "\
# The second service: submission with STARTTLS.
ENABLED=1
IPADDR=127.0.0.1
PORT=2587
TCPRULES_INHERIT=1
GREENARROW_STARTTLS=1
",
    ),
    (
        "smtp3",
        "\
# The third service: TLS from the first byte.
# SMTPS has no effect without the line that exports it.
ENABLED=1
IPADDR=127.0.0.1
PORT=2465
TCPRULES_INHERIT=1
SMTPS=1
export SMTPS
",
    ),
    (
        "rcpthosts",
        "\
# Domains for which mail is taken from everybody.
demo.example
# A leading dot stands for every name below a domain.
.demo.example
",
    ),
    (
        "smtproutes",
        "\
# Where mail for a domain goes: domain:host:port.
demo.example:127.0.0.1:2525
.demo.example:127.0.0.1:2525
",
    ),
    (
        "greenarrow.conf",
        "\
general {
    # The certificate of every service, and its key. Which is which is told by what they hold.
    tls_certificate_files tls.demo.key.pem tls.demo.crt.pem

    # Outgoing mail uses STARTTLS where it is offered; starttls_require would insist on it.
    starttls_use yes
}
",
    ),
];
