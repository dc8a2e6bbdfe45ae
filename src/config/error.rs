//! Complaints about a layer of the configuration, each naming the key and where it stands.

use figment::error::Kind;
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::Config;
use super::environment::PREFIX;
use crate::failure::{Usage, nearest};

/// Where a key was written.
pub(super) enum Place {
    /// In a file of this name.
    File(String),
    /// In the environment.
    Variables,
    /// On the command line.
    Flags,
}

impl Place {
    /// A key as it is written in this place.
    fn spell(&self, path: &[String]) -> String {
        match self {
            Self::File(_) | Self::Flags => path.join("."),
            Self::Variables => {
                let name = path.join("__").replace('.', "_").to_ascii_uppercase();
                format!("{PREFIX}{name}")
            }
        }
    }

    /// The key and where it stands.
    fn locate(&self, path: &[String]) -> String {
        let key = self.spell(path);
        match self {
            Self::File(name) => format!("{name}: key `{key}`"),
            Self::Variables => format!("variable {key}"),
            Self::Flags => format!("--set {key}"),
        }
    }
}

/// Reads one layer alone, so that whatever is wrong is known to be wrong there.
pub(super) fn check_layer<P: Provider>(layer: &P, place: &Place) -> Result<(), Usage> {
    let figment = Figment::from(layer);
    let read: Result<Config, _> = match place {
        Place::File(_) => figment.extract(),
        // Variables and flags are text: `true` and `4` are what the key expects.
        Place::Variables | Place::Flags => figment.extract_lossy(),
    };
    match read {
        Ok(_) => Ok(()),
        Err(errors) => {
            let lines: Vec<String> = errors
                .into_iter()
                .map(|error| describe(&error, place))
                .collect();
            Err(Usage::new(lines.join("\n")))
        }
    }
}

fn describe(error: &figment::Error, place: &Place) -> String {
    match &error.kind {
        Kind::UnknownField(field, expected) => {
            let mut path = error.path.clone();
            // The path may or may not end in the key itself.
            if path.last() != Some(field) {
                path.push(field.clone());
            }
            let hint = hint(&path, field, expected, place);
            format!("{} is unknown{hint}", place.locate(&path))
        }
        kind if error.path.is_empty() => match place {
            Place::File(name) => format!("{name}: {kind}"),
            Place::Variables => format!("environment: {kind}"),
            Place::Flags => format!("--set: {kind}"),
        },
        kind => format!("{}: {kind}", place.locate(&error.path)),
    }
}

/// The variable that was meant by one with a single underscore between its levels.
fn with_single_underscores(path: &[String], place: &Place) -> Option<String> {
    let (Place::Variables, [key]) = (place, path) else {
        return None;
    };
    let Ok(Value::Dict(_, sections)) = Value::serialize(Config::default()) else {
        return None;
    };
    known_paths(&sections)
        .into_iter()
        .find(|known| known.join("_") == *key)
        .map(|known| place.spell(&known))
}

/// Every key below a section.
fn known_paths(section: &Dict) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (name, value) in section {
        match value.as_dict() {
            Some(below) => paths.extend(known_paths(below).into_iter().map(|mut path| {
                path.insert(0, name.clone());
                path
            })),
            None => paths.push(vec![name.clone()]),
        }
    }
    paths
}

fn hint(path: &[String], field: &str, expected: &[&str], place: &Place) -> String {
    let sibling = |name: &str| {
        let mut sibling = path.to_vec();
        sibling.pop();
        sibling.push(name.to_owned());
        place.spell(&sibling)
    };
    if let Some(meant) = with_single_underscores(path, place) {
        return format!("; did you mean `{meant}`?");
    }
    if let Some(name) = nearest(field, expected.iter().copied()) {
        return format!("; did you mean `{}`?", sibling(name));
    }
    let known: Vec<String> = expected.iter().map(|name| sibling(name)).collect();
    format!("; known here: {}", known.join(", "))
}
