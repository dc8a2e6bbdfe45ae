//! The contents of the development registry, and the compatibility rules by which it refuses.

use std::collections::BTreeMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema_compatibility::{Compatibility, SchemaCompatibility};
use serde_json::Value;

/// A refused request; the text is the protocol's message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Subject '{0}' not found.")]
    NoSubject(String),
    #[error("Version {0} not found.")]
    NoVersion(String),
    #[error("Schema not found")]
    NoSchema,
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    NoLevel(String),
    #[error("Invalid schema: {0}")]
    InvalidSchema(String),
    #[error(
        "The specified version '{0}' is not a valid version id. Allowed values are between \
         [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    #[error(
        "Invalid compatibility level {0:?}. Valid values are none, backward, forward, full, \
         backward_transitive, forward_transitive, and full_transitive"
    )]
    InvalidLevel(String),
    #[error("Schema being registered is incompatible with an earlier schema: {0}")]
    Incompatible(String),
}

/// A schema as a version of a subject.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) id: u32,
    pub(super) schema: Arc<str>,
    parsed: Arc<Schema>,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    name: &'static str,
    backward: bool,
    forward: bool,
    transitive: bool,
}

const LEVELS: [Level; 7] = [
    level("NONE", false, false, false),
    level("BACKWARD", true, false, false),
    level("BACKWARD_TRANSITIVE", true, false, true),
    level("FORWARD", false, true, false),
    level("FORWARD_TRANSITIVE", false, true, true),
    level("FULL", true, true, false),
    level("FULL_TRANSITIVE", true, true, true),
];

/// The compatibility level that the event's schema promises: see the contract tests.
const DEFAULT_LEVEL: Level = LEVELS[2];

const fn level(name: &'static str, backward: bool, forward: bool, transitive: bool) -> Level {
    Level {
        name,
        backward,
        forward,
        transitive,
    }
}

#[derive(Debug)]
pub(super) struct Store {
    /// The schemas by id, counted from 1. A schema has the same id under every subject.
    schemas: Vec<Arc<str>>,
    subjects: BTreeMap<String, Vec<Version>>,
    level: Level,
    subject_levels: BTreeMap<String, Level>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            schemas: Vec::new(),
            subjects: BTreeMap::new(),
            level: DEFAULT_LEVEL,
            subject_levels: BTreeMap::new(),
        }
    }
}

impl Store {
    pub(super) fn subjects(&self) -> Vec<&str> {
        self.subjects.keys().map(String::as_str).collect()
    }

    pub(super) fn versions(&self, subject: &str) -> Result<&[Version], Refusal> {
        let versions = self.subjects.get(subject);
        versions
            .map(Vec::as_slice)
            .ok_or_else(|| Refusal::NoSubject(subject.to_owned()))
    }

    pub(super) fn version(&self, subject: &str, version: &str) -> Result<Version, Refusal> {
        let versions = self.versions(subject)?;
        let found = match version {
            "latest" | "-1" => versions.last(),
            number => {
                let number: u32 = number
                    .parse()
                    .map_err(|_| Refusal::InvalidVersion(number.to_owned()))?;
                versions.iter().find(|known| known.number == number)
            }
        };
        found
            .cloned()
            .ok_or_else(|| Refusal::NoVersion(version.to_owned()))
    }

    pub(super) fn by_id(&self, id: u32) -> Result<Arc<str>, Refusal> {
        let index = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        index
            .and_then(|index| self.schemas.get(index))
            .cloned()
            .ok_or(Refusal::NoSchema)
    }

    /// Returns the subjects and versions under which a schema is registered.
    pub(super) fn uses(&self, schema: &str) -> Vec<(String, u32)> {
        let all = self
            .subjects
            .iter()
            .flat_map(|(subject, versions)| versions.iter().map(move |version| (subject, version)));
        all.filter(|(_, version)| *version.schema == *schema)
            .map(|(subject, version)| (subject.clone(), version.number))
            .collect()
    }

    pub(super) fn look_up(&self, subject: &str, text: &str) -> Result<Version, Refusal> {
        let (text, _) = parse(text)?;
        let versions = self.versions(subject)?;
        let found = versions.iter().find(|version| *version.schema == *text);
        found.cloned().ok_or(Refusal::NoSchema)
    }

    pub(super) fn register(&mut self, subject: &str, text: &str) -> Result<Version, Refusal> {
        if let Ok(known) = self.look_up(subject, text) {
            return Ok(known);
        }
        let (text, parsed) = parse(text)?;
        self.check_parsed(subject, &parsed)?;
        let schema: Arc<str> = text.into();
        let id = self.id_of(&schema);
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        let number = versions.last().map_or(1, |last| last.number + 1);
        let registered = Version {
            number,
            id,
            schema,
            parsed: Arc::new(parsed),
        };
        versions.push(registered.clone());
        Ok(registered)
    }

    fn id_of(&mut self, schema: &Arc<str>) -> u32 {
        let known = self.schemas.iter().position(|known| known == schema);
        let index = known.unwrap_or_else(|| {
            self.schemas.push(Arc::clone(schema));
            self.schemas.len() - 1
        });
        u32::try_from(index + 1).expect("memory ends before four billion schemas")
    }

    pub(super) fn level(&self) -> &'static str {
        self.level.name
    }

    pub(super) fn subject_level(&self, subject: &str) -> Result<&'static str, Refusal> {
        let level = self.subject_levels.get(subject);
        level
            .map(|level| level.name)
            .ok_or_else(|| Refusal::NoLevel(subject.to_owned()))
    }

    /// Returns the level of the subject, or the global one for a subject without its own.
    pub(super) fn set_level(
        &mut self,
        subject: Option<&str>,
        name: &str,
    ) -> Result<&'static str, Refusal> {
        let level = LEVELS
            .iter()
            .find(|level| level.name.eq_ignore_ascii_case(name));
        let level = *level.ok_or_else(|| Refusal::InvalidLevel(name.to_owned()))?;
        match subject {
            Some(subject) => drop(self.subject_levels.insert(subject.to_owned(), level)),
            None => self.level = level,
        }
        Ok(level.name)
    }

    /// Whether a schema may become the next version.
    pub(super) fn check(&self, subject: &str, text: &str) -> Result<(), Refusal> {
        let (_, parsed) = parse(text)?;
        self.check_parsed(subject, &parsed)
    }

    /// Whether a schema is compatible with one version.
    pub(super) fn check_version(
        &self,
        subject: &str,
        version: &str,
        text: &str,
    ) -> Result<(), Refusal> {
        let (_, parsed) = parse(text)?;
        let earlier = self.version(subject, version)?;
        self.level_of(subject).check(&parsed, &earlier)
    }

    fn check_parsed(&self, subject: &str, parsed: &Schema) -> Result<(), Refusal> {
        let level = self.level_of(subject);
        let versions = self.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let relevant = match versions {
            [.., _] if level.transitive => versions,
            [.., last] => std::slice::from_ref(last),
            [] => versions,
        };
        relevant
            .iter()
            .rev()
            .try_for_each(|earlier| level.check(parsed, earlier))
    }

    fn level_of(&self, subject: &str) -> Level {
        self.subject_levels
            .get(subject)
            .copied()
            .unwrap_or(self.level)
    }
}

impl Level {
    fn check(self, newer: &Schema, earlier: &Version) -> Result<(), Refusal> {
        let refuse = |direction: &str, reason: String| {
            let version = earlier.number;
            Err(Refusal::Incompatible(format!(
                "{direction} version {version}: {reason}"
            )))
        };
        if self.backward
            && let Err(reason) = can_read(&earlier.parsed, newer)
        {
            return refuse("the new schema cannot read", reason);
        }
        if self.forward
            && let Err(reason) = can_read(newer, &earlier.parsed)
        {
            return refuse("the new schema cannot be read by", reason);
        }
        Ok(())
    }
}

/// Everything that was written, not only some of it.
fn can_read(writer: &Schema, reader: &Schema) -> Result<(), String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => Ok(()),
        Ok(Compatibility::Partial) => {
            Err("some values of a union or symbols of an enum cannot be read".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The schema, and its text without the whitespace and order of keys that mean nothing.
fn parse(text: &str) -> Result<(String, Schema), Refusal> {
    let invalid = |reason: String| Refusal::InvalidSchema(reason);
    // The short way to write a primitive type, `string` for `"string"`, is not JSON.
    let value: Value =
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let parsed = Schema::parse(&value).map_err(|error| invalid(error.to_string()))?;
    Ok((value.to_string(), parsed))
}
