//! One layer of the configuration: variables, an up.json, or flags.

use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::environment::PREFIX;
use super::secret::is_secret_key;
use crate::failure::Usage;
use crate::up_file::UpFile;

/// Values by path, all of them text: a value gets its type when the configuration is read.
#[derive(Debug)]
pub(super) struct Layer {
    name: &'static str,
    values: Dict,
}

impl Layer {
    /// Reads variables such as `TIDEMARK_KAFKA__TOPIC`.
    pub(super) fn from_variables(variables: &[(String, String)]) -> Result<Self, Usage> {
        let mut values = Dict::new();
        for (name, value) in variables {
            insert(&mut values, &variable_path(name), value)
                .map_err(|problem| Usage::new(format!("variable {name}: {problem}")))?;
        }
        Ok(Self {
            name: "environment",
            values,
        })
    }

    /// Reads flags such as `--set kafka.topic=events`.
    pub(super) fn from_flags(set: &[String]) -> Result<Self, Usage> {
        let mut values = Dict::new();
        for text in set {
            let Some((key, value)) = text.split_once('=') else {
                return Err(Usage::new(format!("--set {text}: expected KEY=VALUE")));
            };
            let path = flag_path(key);
            if is_secret_key(&path) {
                return Err(Usage::new(format!(
                    "--set {key}: secrets come from variables or files only, since every user of \
                     the machine can read the flags of a process; set the variable {} or a file",
                    variable_name(&path)
                )));
            }
            insert(&mut values, &path, value)
                .map_err(|problem| Usage::new(format!("--set {key}: {problem}")))?;
        }
        Ok(Self {
            name: "flags",
            values,
        })
    }

    /// Reads the up.json of a running `tidemark up`.
    pub(super) fn from_up_file(path: &Path) -> anyhow::Result<Self> {
        let up = UpFile::read_running(path)?;
        let mut values = Dict::new();
        let texts = [
            ("kafka.bootstrap_servers", up.kafka_bootstrap),
            ("kafka.topic", up.topic),
            ("kafka.definitions_topic", up.definitions_topic),
            ("registry.url", up.registry_url),
            ("database.url", up.database_url),
            ("api.auth.hs256_secret_file", up.hs256_secret_file),
        ];
        for (key, value) in texts {
            insert(&mut values, &flag_path(key), &value).map_err(Usage::new)?;
        }
        Ok(Self {
            name: "up.json",
            values,
        })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Returns the path of a variable: `TIDEMARK_KAFKA__PROPERTIES__SASL_PASSWORD` is `kafka`,
/// `properties`, `sasl.password`, since names of librdkafka's properties have dots, and names of
/// variables cannot.
fn variable_path(name: &str) -> Vec<String> {
    let lower = name
        .strip_prefix(PREFIX)
        .unwrap_or(name)
        .to_ascii_lowercase();
    let mut path: Vec<String> = lower.split("__").map(str::to_owned).collect();
    if let [kafka, properties, property] = path.as_mut_slice()
        && kafka == "kafka"
        && (properties == "properties" || properties == "property_files")
    {
        *property = property.replace('_', ".");
    }
    path
}

/// Returns the name of a key's variable, the inverse of [`variable_path`].
pub(super) fn variable_name(path: &[String]) -> String {
    let name = path.join("__").replace('.', "_").to_ascii_uppercase();
    format!("{PREFIX}{name}")
}

/// Returns the path of a flag: `kafka.properties.sasl.password` is `kafka`, `properties`,
/// `sasl.password`.
fn flag_path(key: &str) -> Vec<String> {
    for section in ["kafka.properties.", "kafka.property_files."] {
        if let Some(property) = key.strip_prefix(section) {
            let mut path: Vec<String> = section
                .trim_end_matches('.')
                .split('.')
                .map(str::to_owned)
                .collect();
            path.push(property.to_owned());
            return path;
        }
    }
    key.split('.').map(str::to_owned).collect()
}

fn insert(values: &mut Dict, path: &[String], text: &str) -> Result<(), String> {
    let Some((last, sections)) = path.split_last() else {
        return Ok(());
    };
    let mut place = values;
    for section in sections {
        let entry = place
            .entry(section.clone())
            .or_insert_with(|| Value::from(Dict::new()));
        match entry {
            Value::Dict(_, dict) => place = dict,
            Value::String(..)
            | Value::Char(..)
            | Value::Bool(..)
            | Value::Num(..)
            | Value::Empty(..)
            | Value::Array(..) => {
                return Err(format!("{section} has both a value and keys below it"));
            }
        }
    }
    place.insert(last.clone(), Value::from(text));
    Ok(())
}
