//! Processes that end with the test process, however it ends.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::logs;

/// Runs the command beside a reader of the test's pipe. A word in the pipe is a signal to send. The
/// end of the pipe means that the test process ended, even by SIGKILL: the process is killed and
/// its folder removed.
const GUARD: &str = r#"
    trap '' HUP INT TERM
    log=$1; folder=$2; shift 2
    exec 3<&0
    (trap - HUP TERM; exec "$@") </dev/null >>"$log" 2>&1 3<&- &
    child=$!
    (
        while read -r word; do
            case $word in
                leave) exit ;;
                *) kill -s "$word" "$child" ;;
            esac
        done <&3
        kill -s KILL "$child" 2>/dev/null
        while kill -s 0 "$child" 2>/dev/null; do sleep 0.02; done
        rm -rf "$folder"
    ) >/dev/null 2>&1 &
    wait "$child"
"#;

/// The signal that ends a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGKILL, as in a crash.
    Kill,
    /// SIGTERM, for a graceful shutdown.
    Terminate,
}

/// A process that ends with the test process.
pub(crate) struct Guarded {
    guard: Child,
    log: PathBuf,
}

impl Guarded {
    /// Starts the command with its output appended to `log`. `folder` is removed when the test
    /// process ends.
    pub(crate) fn spawn(command: &Command, log: &Path, folder: &Path) -> Self {
        File::options().create(true).append(true).open(log).unwrap();
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).args([log, folder]);
        guard.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => guard.env(name, value),
                None => guard.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guard.current_dir(folder);
        }
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            guard,
            log: log.to_owned(),
        }
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.guard.try_wait().unwrap().is_none()
    }

    /// Returns the last lines of the process's output.
    pub(crate) fn log_tail(&self) -> String {
        logs::tail(&self.log)
    }

    /// Returns the anonymous resident memory of the process in bytes, 0 once it has ended.
    pub(crate) fn anonymous_bytes(&self) -> u64 {
        let guard = self.guard.id();
        let children = format!("/proc/{guard}/task/{guard}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        // The reader of the pipe is a shell, and smaller than any guarded process.
        let anonymous = |pid: &str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let kilobytes = children.split_whitespace().filter_map(anonymous).max();
        kilobytes.unwrap_or_default() * 1024
    }

    /// Sends the signal, unless the process has already ended, and waits until it is gone. Keeps
    /// its folder.
    pub(crate) fn end(mut self, signal: Signal) -> ExitStatus {
        self.end_by_reference(signal)
    }

    /// Pauses the process until [`Guarded::resume`].
    pub(crate) fn pause(&mut self) {
        self.send("STOP\n");
    }

    /// Resumes a paused process.
    pub(crate) fn resume(&mut self) {
        self.send("CONT\n");
    }

    fn send(&mut self, word: &str) {
        let pipe = self
            .guard
            .stdin
            .as_mut()
            .expect("the process was not ended");
        pipe.write_all(word.as_bytes()).unwrap();
    }

    /// Returns all output of the process so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn end_by_reference(&mut self, signal: Signal) -> ExitStatus {
        let words: &[u8] = match signal {
            Signal::Kill => b"KILL\nleave\n",
            Signal::Terminate => b"TERM\nleave\n",
        };
        if let Some(mut pipe) = self.guard.stdin.take() {
            pipe.write_all(words).unwrap();
        }
        self.guard.wait().unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.end_by_reference(Signal::Kill);
    }
}
