//! Whose a new file is, and who may read it.
//!
//! Does: give an open file its owner and its mode. Does not: name a file, for who may write in its
//! directory could put another one under the name. Fails: with what the host says.

use std::fmt;
use std::fs::{File, Metadata, Permissions};
use std::io;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone (0600): private keys.
    Private,
    /// Everybody (0644).
    Public,
}

/// A user and a group, by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

impl Owner {
    /// Whose a file is; `None` where files belong to nobody.
    #[cfg(unix)]
    pub(super) fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        Some(Self { user: file.uid(), group: file.gid() })
    }

    /// Whose a file is; `None` where files belong to nobody.
    #[cfg(not(unix))]
    pub(super) const fn of(_file: &Metadata) -> Option<Self> {
        None
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.user, self.group)
    }
}

/// Whose a new file is, and who may read it.
#[derive(Clone, Copy)]
pub(super) enum Rights<'a> {
    /// The process's, for whom `access` says.
    New(Access),
    /// As those of the file that it replaces, as far as the process can have them so.
    Kept(&'a Metadata),
    /// The owner's alone: this one's, or the process's.
    Private(Option<Owner>),
}

impl Rights<'_> {
    /// Gives an open file the mode, and the owner of one that it is to replace as far as may be.
    pub(super) fn set_mode(self, file: &File) -> io::Result<()> {
        match self {
            Self::New(access) => set_access(file, access),
            Self::Kept(before) => keep_owner_and_mode(file, before),
            Self::Private(_) => set_access(file, Access::Private),
        }
    }
}

#[cfg(unix)]
pub(super) fn give(file: &File, owner: Owner) -> io::Result<()> {
    use std::os::unix::fs::fchown;
    if Owner::of(&file.metadata()?) == Some(owner) {
        return Ok(());
    }
    let given = fchown(file, Some(owner.user), Some(owner.group));
    given.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let message = format!("only a privileged process may give a file to {owner}");
            io::Error::new(io::ErrorKind::PermissionDenied, message)
        }
        _ => error,
    })
}

#[cfg(not(unix))]
pub(super) fn give(_file: &File, _owner: Owner) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn set_access(file: &File, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_access(_file: &File, _access: Access) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, before: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        // Only a privileged process may give a file away; its group it may be able to keep.
        if fchown(file, Some(before.uid()), Some(before.gid())).is_err() {
            let _ = fchown(file, None, Some(before.gid()));
        }
    }
    let mut permissions = before.permissions();
    if file.metadata()?.gid() != before.gid() {
        // The group's rights were given to another group.
        permissions.set_mode(permissions.mode() & !0o070);
    }
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn keep_owner_and_mode(file: &File, before: &Metadata) -> io::Result<()> {
    file.set_permissions(before.permissions())
}
