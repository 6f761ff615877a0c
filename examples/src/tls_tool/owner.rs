//! `USER:GROUP` on a command line.

use std::str::FromStr;

use hvmail_control::write::Owner;
use nix::unistd::{Group, User};

/// An owner that the host knows, or whose numbers were given.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnerArgument(pub(super) Owner);

impl FromStr for OwnerArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, group) = text
            .split_once(':')
            .filter(|(user, group)| !user.is_empty() && !group.is_empty())
            .ok_or("expected USER:GROUP, each a name or a number")?;
        let user = number(user, "user", |name| {
            User::from_name(name).map(|found| found.map(|user| user.uid.as_raw()))
        })?;
        let group = number(group, "group", |name| {
            Group::from_name(name).map(|found| found.map(|group| group.gid.as_raw()))
        })?;
        Ok(Self(Owner { user, group }))
    }
}

/// As chown does: a name that the host knows comes before a number.
fn number(
    text: &str,
    what: &str,
    look_up: impl FnOnce(&str) -> nix::Result<Option<u32>>,
) -> Result<u32, String> {
    // The highest number means "as it is" to the system.
    let numeric = || text.parse().ok().filter(|number| *number != u32::MAX);
    match look_up(text) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => numeric().ok_or_else(|| format!("no {what} {text:?} on this host")),
        // Where the host's lists cannot be asked, a number needs none.
        Err(error) => numeric().ok_or_else(|| format!("cannot look up {what} {text:?}: {error}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_taken_and_nothing_by_halves() {
        let owner = |text: &str| text.parse::<OwnerArgument>().map(|owner| owner.0);
        assert_eq!(owner("0:0").unwrap(), Owner { user: 0, group: 0 });
        assert_eq!(owner("root:12345").unwrap(), Owner { user: 0, group: 12345 });
        for text in
            ["", "root", "root:", ":root", "0:-1", "0:4294967295", "no such user:0", "0:0:0"]
        {
            assert!(owner(text).is_err(), "{text:?}");
        }
    }
}
