//! The keys that `up` sets itself: a `--set` of one of them would have no effect.

use crate::failure::Usage;

/// Sections and keys, and what to use instead.
const FIXED: [(&str, &str); 10] = [
    ("kafka.bootstrap_servers", "use --kafka"),
    ("registry.", "use --registry for its URL"),
    ("database.url", "`up` has a Postgres of its own"),
    ("database.password", "`up` has a Postgres of its own"),
    ("api.listen", "use --port"),
    ("api.metrics_listen", "`up` chooses the port: see up.json"),
    (
        "processor.metrics_listen",
        "`up` chooses the port: see up.json",
    ),
    ("api.auth.hs256", "`up` has a key of its own"),
    ("api.auth.jwks", "`up` has a key of its own"),
    (
        "kafka.propert",
        "the embedded broker takes none; name a real one with --kafka",
    ),
];

/// Refuses flags that set such a key. `broker`: whether a real broker is used, with properties of its
/// own.
pub(crate) fn refuse(set: &[String], broker: bool) -> Result<(), Usage> {
    for flag in set {
        let key = flag.split('=').next().unwrap_or_default();
        let fixed = FIXED.iter().find(|(fixed, _)| key.starts_with(fixed));
        match fixed {
            Some(("kafka.propert", _)) if broker => {}
            Some((_, advice)) => {
                return Err(Usage::new(format!(
                    "--set {key} has no effect here: {advice}"
                )));
            }
            None => {}
        }
    }
    Ok(())
}
