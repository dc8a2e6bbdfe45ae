//! The crates that the project is built from, held to deny.toml: their licences and sources, and no
//! wildcard for a version.
//!
//! `cargo deny check` does the same and more, but takes longer to install than all of these tests
//! to run. Advisories need the network: `cargo deny check advisories`.

use std::env;
use std::process::Command;

use serde_json::Value as Json;
use toml::Value as Toml;

use crate::files::{assert_none, root};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn read_toml(name: &str) -> Toml {
    let text = std::fs::read_to_string(root().join(name)).unwrap();
    toml::from_str(&text).unwrap()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the packages that this machine builds. Those of other platforms need not be here.
fn packages() -> Vec<Json> {
    let version = output("rustc", &["-vV"]);
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let arguments = ["metadata", "--offline", "--locked", "--format-version", "1"];
    let arguments = [&arguments[..], &["--filter-platform", host]].concat();
    let metadata: Json = serde_json::from_str(&output(env!("CARGO"), &arguments)).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn text<'a>(package: &'a Json, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

#[test]
fn every_licence_is_allowed() {
    let rules = read_toml("deny.toml");
    let allowed: Vec<&str> = rules["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Toml::as_str)
        .collect();
    let packages = packages();
    assert!(!packages.is_empty(), "cargo metadata lists no package");
    let wrong: Vec<String> = packages
        .iter()
        .filter(|package| !allows(&allowed, text(package, "license")))
        .map(|package| {
            let [name, version, licence] =
                ["name", "version", "license"].map(|field| text(package, field));
            format!("{name} {version}: {licence:?}")
        })
        .collect();
    assert_none("licences that deny.toml does not allow", &wrong);
}

#[test]
fn every_crate_comes_from_crates_io() {
    let rules = read_toml("deny.toml");
    for rule in ["unknown-registry", "unknown-git"] {
        assert_eq!(rules["sources"][rule].as_str(), Some("deny"), "{rule}");
    }
    let lock = read_toml("Cargo.lock");
    let wrong: Vec<String> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| {
            let source = package.get("source")?.as_str()?;
            (source != CRATES_IO).then(|| format!("{}: {source}", package["name"]))
        })
        .collect();
    assert_none("crates that come from elsewhere than crates.io", &wrong);
}

#[test]
fn no_dependency_takes_any_version() {
    let rules = read_toml("deny.toml");
    assert_eq!(rules["bans"]["wildcards"].as_str(), Some("deny"));
    let mut wrong = Vec::new();
    for package in packages()
        .iter()
        .filter(|package| package["source"].is_null())
    {
        for dependency in package["dependencies"].as_array().unwrap() {
            if text(dependency, "req") == "*" && dependency["path"].is_null() {
                let [package, name] = [package, dependency].map(|of| text(of, "name"));
                wrong.push(format!("{package} depends on any version of {name}"));
            }
        }
    }
    assert_none("wildcards for versions", &wrong);
}

/// Returns whether a licence expression (SPDX; `/` is an old form of `OR`) can be met by licences
/// that are allowed.
fn allows(allowed: &[&str], expression: &str) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    !words.is_empty() && any_of(allowed, &mut rest) && rest.is_empty()
}

fn any_of(allowed: &[&str], rest: &mut &[&str]) -> bool {
    let mut met = all_of(allowed, rest);
    while skip(rest, "OR") {
        met |= all_of(allowed, rest);
    }
    met
}

fn all_of(allowed: &[&str], rest: &mut &[&str]) -> bool {
    let mut met = licence(allowed, rest);
    while skip(rest, "AND") {
        met &= licence(allowed, rest);
    }
    met
}

fn licence(allowed: &[&str], rest: &mut &[&str]) -> bool {
    if skip(rest, "(") {
        let met = any_of(allowed, rest);
        return skip(rest, ")") && met;
    }
    let Some((name, after)) = rest.split_first() else {
        return false;
    };
    *rest = after;
    if skip(rest, "WITH") {
        let Some((exception, after)) = rest.split_first() else {
            return false;
        };
        *rest = after;
        return allowed.contains(&format!("{name} WITH {exception}").as_str());
    }
    allowed.contains(name)
}

fn skip(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

#[test]
fn licence_expressions_are_evaluated() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for met in [
        "MIT",
        "GPL-3.0/MIT",
        "ISC AND (GPL-3.0 OR MIT)",
        "GPL-3.0 OR MIT AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(allows(&allowed, met), "{met}");
    }
    for unmet in [
        "",
        "GPL-3.0",
        "Apache-2.0",
        "MIT AND GPL-3.0",
        "MIT AND (ISC",
        "GPL-3.0 OR Apache-2.0 WITH GCC-exception",
    ] {
        assert!(!allows(&allowed, unmet), "{unmet}");
    }
}
