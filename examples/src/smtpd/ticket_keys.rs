//! `--ticket-keys`: the file that several hosts have.
//!
//! Does: read it whole, once for each reading of the control directory, and refuse one that others
//! can read. Does not: make it, or send it to other hosts. Fails: with what is wrong with the file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use smtp_tls::{MalformedTicketKeys, TicketKeys};
use thiserror::Error;
use zeroize::Zeroizing;

/// Permissions of anybody but the owner.
const OF_OTHERS: u32 = 0o077;

/// The user who may own anything.
const ROOT: u32 = 0;

/// Why a file holds no keys that could be used.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no regular file")]
    NotAFile,
    #[error("others may read or write it (mode {mode:03o}): chmod 600, and make new keys")]
    OfOthers { mode: u32 },
    #[error("it belongs to user {owner}: it must be of root, or of user {us}, as whom this runs")]
    Owner { owner: u32, us: u32 },
    #[error(transparent)]
    Malformed(#[from] MalformedTicketKeys),
}

/// The keys in a file; the one that was current before goes with a single one.
pub(super) fn read(path: &Path, before: Option<&TicketKeys>) -> Result<TicketKeys, Unusable> {
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    check(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(&file.metadata()?)?;
    // One octet more than two keys: what is longer is to be seen.
    let mut octets = Zeroizing::new(Vec::with_capacity(2 * TicketKeys::LENGTH + 1));
    let most = u64::try_from(octets.capacity()).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut octets)?;
    let keys = TicketKeys::from_octets(&octets)?;
    Ok(match before {
        Some(before) => keys.following(before),
        None => keys,
    })
}

fn check(file: &Metadata) -> Result<(), Unusable> {
    if !file.is_file() {
        return Err(Unusable::NotAFile);
    }
    let mode = file.mode() & 0o777;
    if mode & OF_OTHERS != 0 {
        return Err(Unusable::OfOthers { mode });
    }
    let (owner, us) = (file.uid(), nix::unistd::geteuid().as_raw());
    match owner == us || owner == ROOT {
        true => Ok(()),
        false => Err(Unusable::Owner { owner, us }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown};

    use super::*;

    const LENGTH: usize = TicketKeys::LENGTH;

    fn key(first: u8) -> Vec<u8> {
        (0..LENGTH).map(|n| first.wrapping_add(u8::try_from(n).unwrap())).collect()
    }

    fn file(octets: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), octets).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn one_key_follows_the_one_before_and_two_stand_alone() {
        let one = file(&key(1), 0o600);
        let first = read(one.path(), None).unwrap();
        assert_eq!((&first.current()[..], first.previous()), (&key(1)[..], None));
        fs::write(one.path(), key(2)).unwrap();
        let second = read(one.path(), Some(&first)).unwrap();
        assert_eq!(&second.current()[..], key(2));
        assert_eq!(second.previous().map(|key| &key[..]), Some(&key(1)[..]));
        let two = file(&[key(4), key(3)].concat(), 0o400);
        let pair = read(two.path(), Some(&second)).unwrap();
        assert_eq!(pair.previous().map(|key| &key[..]), Some(&key(3)[..]));
    }

    #[test]
    fn what_is_no_key_is_refused_by_its_reason() {
        let said =
            |octets: &[u8], mode| read(file(octets, mode).path(), None).unwrap_err().to_string();
        for mode in [0o604, 0o640, 0o602, 0o610, 0o644, 0o666] {
            let text = said(&key(1), mode);
            assert!(text.contains(&format!("mode {mode:o}")), "{text}");
        }
        for length in [0, 1, 79, 81, 159, 161, 400] {
            let octets: Vec<u8> = key(1).into_iter().cycle().take(length).collect();
            let text = said(&octets, 0o600);
            assert!(text.contains("80 octets, two are 160"), "{text}");
        }
        for octets in [vec![0; LENGTH], [key(1), vec![7; LENGTH]].concat()] {
            assert!(said(&octets, 0o600).contains("not random"));
        }
        let folder = tempfile::tempdir().unwrap();
        let absent = read(&folder.path().join("absent"), None).unwrap_err();
        assert!(matches!(absent, Unusable::Io(_)), "{absent}");
        assert!(matches!(read(folder.path(), None), Err(Unusable::NotAFile)));
    }

    #[test]
    fn a_pipe_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(read(&pipe, None), Err(Unusable::NotAFile)));
    }

    #[test]
    fn a_file_of_somebody_else_is_refused() {
        let file = file(&key(1), 0o600);
        if let Err(error) = chown(file.path(), Some(12345), None) {
            eprintln!("skipped: a_file_of_somebody_else_is_refused: cannot chown: {error}");
            return;
        }
        let refused = read(file.path(), None).unwrap_err();
        assert!(matches!(refused, Unusable::Owner { owner: 12345, .. }), "{refused}");
    }
}
