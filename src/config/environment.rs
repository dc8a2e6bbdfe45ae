//! The only reader of the process environment.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one reader of the environment"
)]

use std::path::PathBuf;

/// The beginning of the names of Tidemark's variables.
pub(super) const PREFIX: &str = "TIDEMARK_";

/// The variable for the path of the configuration file.
const CONFIG_FILE: &str = "TIDEMARK_CONFIG";

/// Returns Tidemark's variables. A value that is not valid UTF-8 is passed on lossily, so that an error
/// names the variable rather than ignoring it.
pub(super) fn variables() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            (name.starts_with(PREFIX) && !is_service_link(&name))
                .then(|| (name, value.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Splits off the variable that names the configuration file.
pub(super) fn split_config_file(
    variables: Vec<(String, String)>,
) -> (Vec<(String, String)>, Option<String>) {
    let (mut file, others): (Vec<_>, Vec<_>) = variables
        .into_iter()
        .partition(|(name, _)| name == CONFIG_FILE);
    (others, file.pop().map(|(_, value)| value))
}

/// Whether Kubernetes set a variable to describe a service called `tidemark`, such as
/// `TIDEMARK_SERVICE_HOST` or `TIDEMARK_PORT_8080_TCP_ADDR`. These are no settings.
pub(super) fn is_service_link(name: &str) -> bool {
    !name.contains("__")
        && (name.ends_with("_SERVICE_HOST")
            || name.contains("_SERVICE_PORT")
            || name.ends_with("_PORT")
            || name.contains("_PORT_"))
}

/// Returns the directories of PATH.
pub fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

/// Returns the name of the user that runs the command, for audit rows and authors of definitions.
pub fn user_name() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// Whether the user asked for output without colours (<https://no-color.org>).
pub fn color_is_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
