//! A disk that can be made full: a file system of a few megabytes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Unmounts the file system when the test process ends.
const GUARD: &str = r#"
    trap '' INT TERM HUP
    cat > /dev/null
    $2 umount -l "$1"
    rmdir "$1"
"#;

const HELP: &str = "a disk that is full is shown on a small file system, which takes root or a \
                    password-less sudo to mount";
/// More than any run needs.
const AMPLE: u64 = 8 << 30;

/// A mounted file system, unmounted on drop.
pub(super) struct SmallDisk {
    folder: PathBuf,
    sudo: &'static str,
    guard: Child,
}

impl SmallDisk {
    /// Mounts a file system with ample space, owned by the owner of this file.
    pub(super) fn mount(server: &Metadata) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tidemark-small-disk-")
            .tempdir()
            .unwrap()
            .keep();
        let us = fs::metadata(&folder).unwrap().uid();
        let sudo = if us == 0 { "" } else { "sudo -n" };
        let (user, group) = (server.uid(), server.gid());
        let options = format!("size={AMPLE},uid={user},gid={group},mode=0755");
        mount(sudo, &["-t", "tmpfs", "-o", &options, "tmpfs"], &folder);
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .arg(sudo)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            folder,
            sudo,
            guard,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves this many bytes of space, so that larger writes fail with "no space left on device".
    pub(super) fn fill(&self, leave: u64) {
        let output = Command::new("df")
            .args(["--block-size=1", "--output=used"])
            .arg(&self.folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let used: u64 = text.lines().last().unwrap().trim().parse().unwrap();
        self.resize(used + leave);
    }

    /// Makes the space ample again.
    pub(super) fn free(&self) {
        self.resize(AMPLE);
    }

    fn resize(&self, bytes: u64) {
        let options = format!("remount,size={bytes}");
        mount(self.sudo, &["-o", &options], &self.folder);
    }
}

fn mount(sudo: &str, arguments: &[&str], folder: &Path) {
    let mut words = sudo.split_whitespace().chain(["mount"]);
    let mounted = Command::new(words.next().unwrap_or("mount"))
        .args(words)
        .args(arguments)
        .arg(folder)
        .status()
        .unwrap();
    assert!(mounted.success(), "{HELP}");
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // A failure of the guard cannot be handled here.
        self.guard.wait().ok();
    }
}
