//! The dependencies between crates, as `cargo tree` lists them.

use std::env;
use std::process::Command;

use crate::files::{assert_none, root};

/// Returns the names of all crates that `package` is built from.
fn crates_in(package: &str, features: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "--package", package])
        .args(features)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[track_caller]
fn assert_builds_without(package: &str, features: &[&str], forbidden: &[&str]) {
    let crates = crates_in(package, features);
    assert!(
        crates.iter().any(|name| name == package),
        "cargo tree does not list {package}"
    );
    let wrong: Vec<_> = crates
        .into_iter()
        .filter(|name| forbidden.contains(&name.as_str()))
        .collect();
    assert_none(&format!("{package} must be built without"), &wrong);
}

#[test]
fn arrows_point_one_way() {
    let outside = ["tokio", "rdkafka", "sqlx", "axum", "reqwest", "hyper"];
    assert_builds_without("tidemark-projections", &[], &outside);
    assert_builds_without("tidemark-schemas", &["--no-default-features"], &outside);
    let above = [
        "tidemark",
        "tidemark-api",
        "tidemark-processor",
        "tidemark-projections",
    ];
    assert_builds_without("tidemark-schemas", &["--all-features"], &above);
    assert_builds_without("tidemark-projections", &[], &above[..3]);
    assert_builds_without(
        "tidemark-kafka",
        &[],
        &[
            "tidemark",
            "tidemark-api",
            "tidemark-processor",
            "tidemark-projections",
            "sqlx",
        ],
    );
    assert_builds_without("tidemark-processor", &[], &["tidemark", "tidemark-api"]);
    assert_builds_without(
        "tidemark-api",
        &[],
        &[
            "tidemark",
            "tidemark-kafka",
            "tidemark-processor",
            "rdkafka",
        ],
    );
}
