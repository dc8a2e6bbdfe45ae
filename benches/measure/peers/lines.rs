//! Lines of code for the same work, without blank lines and comments.

use std::fs;
use std::path::Path;

use crate::measure::events;

/// Returns the lines for Tidemark: the definitions of the bench's tenants, and the configuration.
pub(super) fn ours() -> usize {
    let hash = |line: &str| line.starts_with('#');
    count(&events::definitions(), hash) + count(CONFIGURATION, hash)
}

/// The configuration, as `Place::folder` writes it.
const CONFIGURATION: &str = "[kafka]\nbootstrap_servers = ''\ntopic = ''\ndefinitions_topic = ''\n\
     group = ''\npartitioner = ''\n[registry]\nurl = ''\n[database]\nurl = ''\n\
     [processor]\nmemory_mib = 512\n";

/// Returns the lines of the application: Java, SQL and the schema of its changes, without tests and
/// build.
pub(super) fn theirs() -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/kafka-streams/src/main");
    let mut folders = vec![root];
    let mut lines = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                lines += count(&fs::read_to_string(&path).unwrap(), is_comment);
            }
        }
    }
    lines
}

/// Whether a line of Java or SQL is code: in this project, comments have lines of their own.
fn is_comment(line: &str) -> bool {
    ["//", "/*", "*", "--"]
        .iter()
        .any(|begin| line.starts_with(begin))
}

fn count(text: &str, is_comment: impl Fn(&str) -> bool) -> usize {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_comment(line))
        .count()
}
