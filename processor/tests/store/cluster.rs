//! A private Postgres, made of the server found on this machine and gone with this process. The
//! tests of the whole include this file too, for servers that are to crash.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server of its own, reached through a socket in its own folder. Stopped and removed when
/// dropped, and also when this process dies without dropping it.
#[derive(Debug)]
pub(crate) struct Cluster {
    home: PathBuf,
    programs: PathBuf,
    user: Option<(u32, u32)>,
    /// Stops the server when the pipe to it breaks.
    guard: Child,
}

/// Waits for the end of its input, which comes at the latest with the end of this process.
const GUARD: &str = r#"
    trap '' INT TERM HUP
    cat > /dev/null
    "$1/pg_ctl" --pgdata "$2/data" --mode immediate stop > /dev/null 2>&1
    rm -rf "$2"
"#;

impl Cluster {
    /// Makes and starts one. `settings` are lines of `postgresql.conf`.
    pub(crate) fn start(settings: &str) -> Self {
        let programs = find_programs();
        let home = tempfile::Builder::new()
            .prefix("tidemark-store-")
            .tempdir()
            .unwrap()
            .keep();
        // The server refuses to run as root.
        let user = (fs::metadata(&home).unwrap().uid() == 0).then(unprivileged_user);
        if let Some((uid, gid)) = user {
            chown(&home, Some(uid), Some(gid)).unwrap();
        }
        let guard = command("/bin/sh", user, &home)
            .arg("-c")
            .arg(GUARD)
            .args([OsStr::new("guard"), programs.as_os_str(), home.as_os_str()])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let cluster = Self {
            home,
            programs,
            user,
            guard,
        };
        let data = cluster.data();
        cluster.run(
            "initdb",
            &[
                "--pgdata",
                &data,
                "--username",
                "postgres",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--no-locale",
                "--no-sync",
            ],
        );
        cluster.append(
            "data/postgresql.conf",
            &format!(
                "listen_addresses = ''\nunix_socket_directories = '{}'\nmax_connections = 200\n\
             fsync = off\n{settings}\n",
                cluster.home.display()
            ),
        );
        // One login that must show its password; the first line that matches counts.
        let hba = cluster.home.join("data/pg_hba.conf");
        let rest = fs::read_to_string(&hba).unwrap();
        fs::write(&hba, format!("local all guarded scram-sha-256\n{rest}")).unwrap();
        cluster.start_again();
        cluster
    }

    /// Starts the server after [`Cluster::kill`].
    pub(crate) fn start_again(&self) {
        let log = self.home.join("log");
        let log = log.to_str().unwrap();
        self.run(
            "pg_ctl",
            &["--pgdata", &self.data(), "--log", log, "--wait", "start"],
        );
    }

    /// Stops the server as a crash would.
    pub(crate) fn kill(&self) {
        self.stop("immediate");
    }

    /// Stops the server in one of `pg_ctl`'s modes.
    pub(crate) fn stop(&self, mode: &str) {
        self.run(
            "pg_ctl",
            &["--pgdata", &self.data(), "--mode", mode, "--wait", "stop"],
        );
    }

    /// The URL of a database.
    pub(crate) fn url(&self, login: &str, database: &str) -> String {
        format!(
            "postgres://{login}@localhost/{database}?host={}",
            self.home.display()
        )
    }

    /// The server's address.
    pub(crate) fn socket(&self) -> PathBuf {
        self.home.join(".s.PGSQL.5432")
    }

    fn data(&self) -> String {
        self.home.join("data").to_str().unwrap().to_owned()
    }

    fn append(&self, file: &str, text: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.home.join(file))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = command(self.programs.join(program), self.user, &self.home)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(fs::File::create(self.home.join("output")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .and_then(|mut child| child.wait())
            .unwrap();
        let said = |file| fs::read_to_string(self.home.join(file)).unwrap_or_default();
        assert!(
            output.success(),
            "{program} failed: {}\n{}",
            said("output"),
            said("log")
        );
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Nothing to do about a guard that fails.
        self.guard.wait().ok();
    }
}

fn command(program: impl AsRef<OsStr>, user: Option<(u32, u32)>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(home).env("LC_ALL", "C");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

/// `postgres` if there is one, else `nobody`: the user and group ids.
fn unprivileged_user() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .expect("a user to run Postgres as")
}

/// The folder of `initdb` and `postgres`: on the PATH, or the newest where distributions put it.
#[expect(
    clippy::disallowed_methods,
    reason = "where programs are is nothing to configure"
)]
fn find_programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr", "/opt/homebrew/opt"]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin")))
        .collect();
    versions.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    std::env::split_paths(&path)
        .chain(versions)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .expect("Postgres 15 or newer: `apt-get install postgresql`, or put initdb on the PATH")
}

fn version(folder: &Path) -> u32 {
    let text = folder.to_string_lossy();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
