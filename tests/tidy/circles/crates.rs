//! The crates of the project as modules with what each of them uses.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, declared, paths};
use crate::files::File;
use crate::source::code;

/// The greatest number of re-exports that lead from a name to its item.
const MAX_RE_EXPORTS: usize = 8;

/// A crate: its modules by their paths.
pub(super) struct Crate {
    /// The folder of its source, such as `api/src`.
    source: String,
    modules: BTreeMap<Vec<String>, Module>,
}

/// A file of a crate.
pub(super) struct Module {
    /// The path from the crate's root, which is empty itself.
    pub(super) path: Vec<String>,
    pub(super) file: String,
    paths: Vec<Path>,
    declared: BTreeSet<String>,
}

/// The use of a module of the same crate.
pub(super) struct Use {
    pub(super) module: Vec<String>,
    pub(super) line: usize,
    /// The path as it is written.
    pub(super) written: String,
}

/// Reads all crates, without their tests.
pub(super) fn read(files: &[File]) -> Vec<Crate> {
    let mut crates = BTreeMap::<String, Crate>::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some((source, path)) = split(&file.path) else {
            continue;
        };
        let one = crates.entry(source.to_owned()).or_insert_with(|| Crate {
            source: source.to_owned(),
            modules: BTreeMap::new(),
        });
        let code = without_tests(&code(&file.text));
        let module = Module {
            path: path.clone(),
            file: file.path.clone(),
            paths: paths(&code),
            declared: declared(&code).into_iter().collect(),
        };
        one.modules.insert(path, module);
    }
    crates.into_values().collect()
}

/// Splits the path of a file into the folder of its crate's source and the module's path; nothing
/// for tests, benches and programs.
fn split(file: &str) -> Option<(&str, Vec<String>)> {
    let at = if file.starts_with("src/") {
        0
    } else {
        file.find("/src/")? + 1
    };
    let source = file.get(..at + 3)?;
    let inside = file.get(at + 4..)?.strip_suffix(".rs")?;
    let path: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if path.iter().any(|name| name == "tests") || inside == "main" || inside.starts_with("bin/") {
        return None;
    }
    let path = if inside == "lib" { Vec::new() } else { path };
    Some((source, path))
}

/// Cuts modules of tests out of code. rustfmt puts the last brace of one alone on a line.
fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            let Some(next) = lines.next() else { break };
            kept.push_str("\n\n");
            if next.ends_with('{') {
                for line in lines.by_ref() {
                    kept.push('\n');
                    if line == "}" {
                        break;
                    }
                }
            }
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

impl Crate {
    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.values()
    }

    /// Returns the folder of the modules below a module.
    pub(super) fn folder(&self, path: &[String]) -> String {
        [std::slice::from_ref(&self.source), path]
            .concat()
            .join("/")
    }

    /// Returns what a module uses of the crate.
    pub(super) fn uses(&self, module: &Module) -> Vec<Use> {
        let mut uses = Vec::new();
        for path in &module.paths {
            let Some(absolute) = self.absolute(module, &path.segments) else {
                continue;
            };
            uses.push(Use {
                module: self.resolve(absolute, MAX_RE_EXPORTS),
                line: path.line,
                written: path.segments.join("::"),
            });
        }
        uses
    }

    /// Returns a path from the crate's root; nothing for paths into other crates.
    fn absolute(&self, module: &Module, segments: &[String]) -> Option<Vec<String>> {
        let mut base = module.path.clone();
        let mut rest = segments;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = rest.get(1..)?;
            }
            "self" => rest = rest.get(1..)?,
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = rest.get(1..)?;
                }
            }
            child => {
                base.push(child.to_owned());
                self.modules.get(&base)?;
                rest = rest.get(1..)?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// Returns the module that a path leads to, through re-exports.
    fn resolve(&self, path: Vec<String>, re_exports: usize) -> Vec<String> {
        let mut known = path.len();
        while known > 0 && !self.modules.contains_key(&path[..known]) {
            known -= 1;
        }
        let (here, rest) = path.split_at(known);
        let (Some(name), Some(module)) = (rest.first(), self.modules.get(here)) else {
            return path;
        };
        if re_exports > 0
            && !module.declared.contains(name)
            && let Some(origin) = self.origin(module, name)
        {
            let path = [&origin, &rest[1..]].concat();
            return self.resolve(path, re_exports - 1);
        }
        here.to_vec()
    }

    /// Returns the path that a module imports under a name, by itself or with a whole module.
    fn origin(&self, module: &Module, name: &str) -> Option<Vec<String>> {
        let imports = || module.paths.iter().filter(|path| path.imported);
        if let Some(path) = imports().find(|path| path.name == name) {
            return self.absolute(module, &path.segments);
        }
        imports().filter(|path| path.name == "*").find_map(|path| {
            let (_, segments) = path.segments.split_last()?;
            let target = self.absolute(module, segments)?;
            let declares = self.modules.get(&target)?.declared.contains(name);
            declares.then(|| [target, vec![name.to_owned()]].concat())
        })
    }
}
