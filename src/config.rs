//! The configuration: `tidemark.toml`, then `TIDEMARK_…` variables, then flags.
//!
//! Keys are grouped by concern in sections:
//!
//! | section | content |
//! |---|---|
//! | `[kafka]` | bootstrap servers, topics, group, partitioner |
//! | `[kafka.properties]` | any librdkafka property, by its own name |
//! | `[kafka.property_files]` | the same, each value read from the named file |
//! | `[registry]` | the schema registry |
//! | `[database]` | Postgres |
//! | `[processor]` | limits of folding |
//! | `[api]`, `[api.auth]`, `[api.limits]`, `[api.cache]` | the read API: sockets, authentication, limits, response cache |
//! | `[log]` | format and filter |
//!
//! The variable of `kafka.topic` is `TIDEMARK_KAFKA__TOPIC` (two underscores between levels); that
//! of librdkafka's `sasl.password` is `TIDEMARK_KAFKA__PROPERTIES__SASL_PASSWORD`. `TIDEMARK_CONFIG`
//! names the file, as `--config` does. An unknown key is an error that names the key.
//!
//! This module is the only reader of the environment.

mod environment;
mod error;
mod layer;
mod secret;
mod sections;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use figment::Figment;
use figment::providers::{Format, Toml};

use crate::failure::Usage;
use layer::Layer;

pub use environment::{color_is_unwanted, search_path, user_name};
pub use secret::Secret;
pub use sections::{
    Api, ApiLimits, Auth, Config, Database, Kafka, Log, LogFormat, Processor, Registry,
};

/// The file read if neither `--config` nor `TIDEMARK_CONFIG` names one, and it exists.
const DEFAULT_FILE: &str = "tidemark.toml";

/// The flags that configure every command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigFlags {
    /// The configuration file [default: tidemark.toml, if it exists and --up is not given]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use a running `tidemark up` by the up.json in its data directory
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ".tidemark/up.json"
    )]
    pub up: Option<PathBuf>,
    /// Set one key, for example --set kafka.topic=events (may be repeated; not for secrets)
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Config {
    /// Reads every layer. An error names the key and its layer.
    pub fn load(flags: &ConfigFlags) -> anyhow::Result<Self> {
        Self::from_layers(flags, environment::variables())
    }

    fn from_layers(flags: &ConfigFlags, variables: Vec<(String, String)>) -> anyhow::Result<Self> {
        let (variables, file_variable) = environment::split_config_file(variables);
        let mut figment = Figment::new();
        let file = file_to_read(flags, file_variable.as_deref())?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| Usage::new(format!("cannot read {}: {error}", path.display())))?;
            let file = Toml::string(&text);
            error::check_layer(&file, &error::Place::File(path.display().to_string()))?;
            figment = figment.merge(file);
        }
        let variables = Layer::from_variables(&variables)?;
        error::check_layer(&variables, &error::Place::Variables)?;
        figment = figment.merge(variables);
        if let Some(path) = &flags.up {
            figment = figment.merge(Layer::from_up_file(path)?);
        }
        let set = Layer::from_flags(&flags.set)?;
        error::check_layer(&set, &error::Place::Flags)?;
        figment = figment.merge(set);
        let mut config: Self = figment
            .extract_lossy()
            .map_err(|error| Usage::new(format!("the configuration is not valid: {error}")))?;
        config.read_secret_files()?;
        Ok(config)
    }

    /// Reads the files that `…_file` keys name into the keys without that ending.
    fn read_secret_files(&mut self) -> anyhow::Result<()> {
        fn read(
            name: &str,
            file: Option<&Path>,
            secret: &mut Option<Secret>,
        ) -> anyhow::Result<()> {
            let Some(path) = file else { return Ok(()) };
            if secret.is_some() {
                return Err(Usage::new(format!(
                    "both {name} and {name}_file are set: remove one of them"
                ))
                .into());
            }
            *secret = Some(Secret::read(path).with_context(|| format!("reading {name}_file"))?);
            Ok(())
        }
        let Self {
            kafka,
            registry,
            database,
            api,
            ..
        } = self;
        read(
            "registry.password",
            registry.password_file.as_deref(),
            &mut registry.password,
        )?;
        read(
            "database.password",
            database.password_file.as_deref(),
            &mut database.password,
        )?;
        let auth = &mut api.auth;
        read(
            "api.auth.hs256_secret",
            auth.hs256_secret_file.as_deref(),
            &mut auth.hs256_secret,
        )?;
        for (property, path) in &kafka.property_files {
            let secret = Secret::read(path)
                .with_context(|| format!("reading kafka.property_files.\"{property}\""))?;
            kafka
                .properties
                .insert(property.clone(), secret.reveal().to_owned());
        }
        Ok(())
    }
}

/// Returns the file that is named, or the one in the folder: not with `--up`, because what it says of
/// other servers does not fit those of an `up`.
fn file_to_read(flags: &ConfigFlags, variable: Option<&str>) -> anyhow::Result<Option<PathBuf>> {
    let named = flags.config.clone().or_else(|| variable.map(PathBuf::from));
    match named {
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => {
            let reason = format!("the configuration file {} does not exist", path.display());
            Err(Usage::new(reason).into())
        }
        None if flags.up.is_some() => Ok(None),
        None => Ok(Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.is_file())),
    }
}

#[cfg(test)]
mod tests;
