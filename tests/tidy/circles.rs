//! The uses between the modules of a crate: no circle ties the modules of a folder together.
//!
//! A module is a file together with the folder of its name. An arrow leads from one module to
//! another of the same folder when code below the first names a thing below the second, through
//! re-exports too. Tests do not count, nor does the use between a folder's own file and what is in
//! the folder.

mod crates;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::files::{assert_none, files};
use crates::{Crate, Module};

/// The arrows among the modules of one folder, each with the places that make it.
#[derive(Default)]
struct Graph {
    modules: BTreeSet<String>,
    arrows: BTreeMap<(String, String), BTreeSet<String>>,
}

impl Graph {
    /// Returns the groups of modules that reach each other, sorted.
    fn circles(&self) -> BTreeSet<Vec<&str>> {
        let reached: BTreeMap<&str, BTreeSet<&str>> = self
            .modules
            .iter()
            .map(|module| (module.as_str(), self.reached_from(module)))
            .collect();
        let mut circles = BTreeSet::new();
        for (module, others) in &reached {
            if others.contains(module) {
                let circle = others
                    .iter()
                    .filter(|other| reached[*other].contains(module));
                circles.insert(circle.copied().collect());
            }
        }
        circles
    }

    fn reached_from(&self, module: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut from = vec![module];
        while let Some(module) = from.pop() {
            for (source, target) in self.arrows.keys() {
                if source == module && reached.insert(target.as_str()) {
                    from.push(target);
                }
            }
        }
        reached
    }

    /// Names the places of all arrows within a circle.
    fn describe(&self, circle: &[&str]) -> String {
        let mut text = String::new();
        for ((source, target), places) in &self.arrows {
            if circle.contains(&source.as_str()) && circle.contains(&target.as_str()) {
                writeln!(text, "    {source} → {target}").unwrap();
                for place in places {
                    writeln!(text, "      {place}").unwrap();
                }
            }
        }
        text
    }
}

/// Returns the graph of every folder that holds modules, by the folder's path.
fn graphs(crates: &[Crate]) -> BTreeMap<String, Graph> {
    let mut graphs = BTreeMap::<String, Graph>::new();
    for one in crates {
        for module in one.modules() {
            for depth in 0..module.path.len() {
                let graph = graphs.entry(one.folder(&module.path[..depth])).or_default();
                graph.modules.insert(module.path[depth].clone());
            }
            for used in one.uses(module) {
                add_arrow(&mut graphs, one, module, &used);
            }
        }
    }
    graphs
}

fn add_arrow(
    graphs: &mut BTreeMap<String, Graph>,
    one: &Crate,
    module: &Module,
    used: &crates::Use,
) {
    let shared = module
        .path
        .iter()
        .zip(&used.module)
        .take_while(|(here, there)| here == there)
        .count();
    let (Some(source), Some(target)) = (module.path.get(shared), used.module.get(shared)) else {
        return;
    };
    let graph = graphs
        .entry(one.folder(&module.path[..shared]))
        .or_default();
    let arrow = (source.clone(), target.clone());
    let place = format!("{}:{}: {}", module.file, used.line, used.written);
    graph.arrows.entry(arrow).or_default().insert(place);
}

/// Returns the name of every circle, such as `api/src: answers, database`, with its description.
fn circles(graphs: &BTreeMap<String, Graph>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (folder, graph) in graphs {
        for circle in graph.circles() {
            found.insert(
                format!("{folder}: {}", circle.join(", ")),
                graph.describe(&circle),
            );
        }
    }
    found
}

/// Prints the arrows between the modules of every folder, and the circles.
#[test]
#[allow(clippy::print_stdout, reason = "the report of scripts/arrows")]
fn arrows_report() {
    let crates = crates::read(&files());
    let graphs = graphs(&crates);
    for (folder, graph) in &graphs {
        let (modules, arrows) = (graph.modules.len(), graph.arrows.len());
        println!("{folder}: {modules} modules, {arrows} arrows");
        for module in &graph.modules {
            let targets = graph.arrows.keys().filter(|(source, _)| source == module);
            let targets: Vec<_> = targets.map(|(_, target)| target.as_str()).collect();
            if !targets.is_empty() {
                println!("  {module} → {}", targets.join(", "));
            }
        }
    }
    let circles = circles(&graphs);
    for (name, arrows) in &circles {
        println!("circle {name}\n{arrows}");
    }
    let count = |of: fn(&Graph) -> usize| graphs.values().map(of).sum::<usize>();
    println!(
        "{} modules, {} arrows, {} circles",
        count(|graph| graph.modules.len()),
        count(|graph| graph.arrows.len()),
        circles.len()
    );
}

#[test]
fn no_circle_ties_modules_together() {
    let crates = crates::read(&files());
    let found = circles(&graphs(&crates));
    let ties: Vec<String> = found
        .iter()
        .map(|(circle, arrows)| format!("{circle}\n{arrows}"))
        .collect();
    assert_none("modules that use each other", &ties);
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let file = |path: &str, text: &str| crate::files::File {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let crates = crates::read(&[
        file(
            "one/src/lib.rs",
            "mod a;\nmod b;\nmod c;\npub use b::{B, inner::*};\n",
        ),
        file(
            "one/src/a.rs",
            "use crate::{\n    Deep,\n};\n// crate::c::C\n",
        ),
        file(
            "one/src/b.rs",
            "pub mod inner;\npub struct B;\nconst C: &str = \"crate::c\";\n",
        ),
        file(
            "one/src/b/inner.rs",
            "pub enum Deep {}\nfn f() {\n    super::super::a::g();\n}\n",
        ),
        file(
            "one/src/c.rs",
            "use crate::B;\n#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n",
        ),
    ]);
    let graphs = graphs(&crates);
    let circles = circles(&graphs);
    assert_eq!(circles.keys().collect::<Vec<_>>(), ["one/src: a, b"]);
    assert_eq!(
        circles["one/src: a, b"],
        "    a → b\n      one/src/a.rs:2: crate::Deep\n    b → a\n      \
         one/src/b/inner.rs:3: super::super::a::g\n"
    );
    assert_eq!(graphs["one/src"].arrows.len(), 3);
}
