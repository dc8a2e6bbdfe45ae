//! The first build that a new user waits for: `scripts/build-progress`, as `make demo` runs it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Stands in for cargo: it reports one crate of four, is silent until a file appears, and fails.
const CARGO: &str = "#!/bin/sh
printf '   Compiling one v1.0.0\\n    Building [==>      ] 1/4: two, three    \\r' >&2
while [ ! -e \"$RELEASE\" ]; do sleep 0.05; done
printf 'error: could not compile `two`\\n' >&2
exit 101
";

#[test]
fn a_build_reports_its_progress_while_cargo_is_silent_and_passes_its_error_on() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    fs::write(&cargo, CARGO).unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let release = folder.path().join("release");
    let path = std::env::var("PATH").unwrap();

    let mut build = Command::new("scripts/build-progress")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("PATH", format!("{}:{path}", folder.path().display()))
        .env("RELEASE", &release)
        .env("TIDEMARK_PROGRESS_SECONDS", "1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(build.stderr.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();

    assert!(next().starts_with("building Tidemark"));
    for _ in 0..2 {
        let line = next();
        assert!(line.starts_with("building: 1 of 4 crates, "), "{line}");
        assert!(line.ends_with(" s (now two, three)"), "{line}");
    }
    fs::write(&release, "").unwrap();
    let mut rest = lines
        .map(Result::unwrap)
        .filter(|line| !line.starts_with("building: "));
    assert_eq!(
        rest.next().as_deref(),
        Some("error: could not compile `two`")
    );
    assert!(rest.next().unwrap().starts_with("the build failed after "));
    assert_eq!(rest.next(), None);
    assert_eq!(build.wait().unwrap().code(), Some(101));
}
