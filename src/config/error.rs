//! Errors in a layer of the configuration, each with the key and its place.

use figment::error::Kind;
use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::Config;
use super::layer::variable_name;
use crate::failure::{Usage, nearest};

/// The place of a key.
pub(super) enum Place {
    /// A file of this name.
    File(String),
    /// The environment.
    Variables,
    /// The command line.
    Flags,
}

impl Place {
    /// Returns a key as it is written in this place.
    fn spell(&self, path: &[String]) -> String {
        match self {
            Self::File(_) | Self::Flags => path.join("."),
            Self::Variables => variable_name(path),
        }
    }

    /// Returns the key with its place.
    fn locate(&self, path: &[String]) -> String {
        let key = self.spell(path);
        match self {
            Self::File(name) => format!("{name}: key `{key}`"),
            Self::Variables => format!("variable {key}"),
            Self::Flags => format!("--set {key}"),
        }
    }
}

/// Checks one layer alone, so that an error is known to be in it.
pub(super) fn check_layer<P: Provider>(layer: &P, place: &Place) -> Result<(), Usage> {
    let figment = Figment::from(layer);
    let read: Result<Config, _> = match place {
        Place::File(_) => figment.extract(),
        // Variables and flags are text: `true` and `4` become the type of the key.
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

/// Returns the variable meant by one with a single underscore between its levels.
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

/// Returns the paths of all keys below a section.
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
