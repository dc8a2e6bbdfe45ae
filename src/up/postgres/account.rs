//! The user that runs Postgres: the current one, unless that is root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, bail};

/// Users that may run Postgres in place of root, in the order of preference.
const CANDIDATES: &[&str] = &["postgres", "nobody"];

/// A user of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Returns the user that runs Postgres in place of root; `None` for any other current user.
    pub(super) fn for_postgres() -> anyhow::Result<Option<Self>> {
        if !is_root()? {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        match CANDIDATES.iter().find_map(|name| find(&users, name)) {
            Some(account) => Ok(Some(account)),
            None => bail!(
                "Postgres does not run as root, and there is no user {} to run it as: run \
                 tidemark as another user",
                CANDIDATES.join(" or ")
            ),
        }
    }
}

/// Whether the process runs as root: a new file has the process's user.
fn is_root() -> anyhow::Result<bool> {
    let own = tempfile::tempfile().and_then(|file| file.metadata());
    Ok(own
        .context("cannot create a file in the system's temporary directory")?
        .uid()
        == 0)
}

/// Finds a user by name in lines of the form `name:x:uid:gid:…`.
fn find(users: &str, name: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Account { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "postgres2:x:1:2::/:/bin/sh\npostgres:x:114:119:PG:/var:/bin/bash\n";
        assert_eq!(
            find(users, "postgres").unwrap(),
            Account { uid: 114, gid: 119 }
        );
        assert_eq!(find(users, "nobody"), None);
    }
}
