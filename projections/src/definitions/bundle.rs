//! Bundles: from files to one record, and from a record to definitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemark_schemas::{EventId, TenantId};

use super::fields::Fields;
use super::format::{self, MAX_BUNDLE_BYTES};
use super::problems::Problems;
use super::source::TenantSource;
use super::tenant::{self, Parts, Tenant};
use super::tree::{Content, Node, Place};
use super::{DefinitionError, Rejected, settings, yaml};

/// The largest definition file; comments and indentation do not travel.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
/// The keys of a definition.
const KEYS: [&str; 6] = [
    "tenant", "segments", "journeys", "actions", "triggers", "models",
];
/// The longest name of an author.
const MAX_AUTHOR_BYTES: usize = 255;
/// The longest reason of an offboarding.
const MAX_REASON_BYTES: usize = 1_000;

/// One record of the definitions topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The format: [`NEWEST_FORMAT`] at most.
    pub format: u32,
    /// The version (offset) of the last accepted bundle the author saw; null before the first.
    pub based_on: Option<i64>,
    /// The author, for the audit.
    pub author: String,
    /// The version of Tidemark that wrote the record; from format 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// Each tenant's whole definitions.
    #[serde(default)]
    pub tenants: Vec<TenantSource>,
    /// The ids of accepted late events, by tenant. Decisions add up: an accepted event stays accepted,
    /// whatever later bundles contain.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accepted_late: BTreeMap<String, BTreeSet<String>>,
    /// The tenants that are offboarded, each with the reason; from format 3 on. They are not defined any
    /// more: all that was folded of them is erased.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offboarded: BTreeMap<String, String>,
}

impl Bundle {
    /// Reads definition files (YAML or JSON) and validates them: every error, not just the first.
    ///
    /// A file holds one document or several; a document names its tenant by the `tenant:` block
    /// or, where the block stands in another document, by the tenant's id alone. The bundle is
    /// based on nothing: set [`Bundle::based_on`].
    pub fn from_files(
        files: &[(String, String)],
        author: &str,
    ) -> Result<Self, Vec<DefinitionError>> {
        let mut problems = Problems::default();
        let mut documents = Vec::new();
        for (file, text) in files {
            documents.extend(documents_of(file, text, &mut problems));
        }
        let tenants = tenants_of(&documents, &mut problems);
        let problems = problems.0.into_iter();
        let mut errors: Vec<DefinitionError> = problems
            .map(|problem| located(problem.place, problem.message))
            .collect();
        let bundle = Self::from_sources(tenants, author);
        if errors.is_empty() {
            errors.extend(bundle.too_large(files));
        }
        if errors.is_empty() {
            return Ok(bundle);
        }
        let place_of_file = |name: &str| files.iter().position(|(file, _)| file == name);
        errors.sort_by_key(|error| (place_of_file(&error.file), error.line, error.column));
        Err(errors)
    }

    /// Returns a bundle without content.
    fn new(author: &str) -> Self {
        Self {
            format: 1,
            based_on: None,
            author: author.to_owned(),
            writer: None,
            tenants: Vec::new(),
            accepted_late: BTreeMap::new(),
            offboarded: BTreeMap::new(),
        }
    }

    /// Returns the bundle in the oldest format that holds its content.
    fn in_oldest_format(mut self) -> Self {
        self.format = format::needed(&self.tenants, !self.offboarded.is_empty());
        let names_writer = self.format >= format::WRITER;
        self.writer = names_writer.then(|| env!("CARGO_PKG_VERSION").to_owned());
        self
    }

    /// Returns a bundle of validated definitions. Set [`Bundle::based_on`].
    pub fn from_sources(tenants: Vec<TenantSource>, author: &str) -> Self {
        let bundle = Self {
            tenants,
            ..Self::new(author)
        };
        bundle.in_oldest_format()
    }

    /// The decision to offboard a tenant. Set [`Bundle::based_on`].
    pub fn offboarding(tenant: &TenantId, reason: &str, author: &str) -> Self {
        let bundle = Self {
            offboarded: BTreeMap::from([(tenant.as_str().to_owned(), reason.to_owned())]),
            ..Self::new(author)
        };
        bundle.in_oldest_format()
    }

    /// The decision to fold late events of a tenant nevertheless. Set [`Bundle::based_on`].
    pub fn accepting_late(
        tenant: &TenantId,
        events: impl IntoIterator<Item = EventId>,
        author: &str,
    ) -> Self {
        let ids = events.into_iter().map(|id| id.to_string()).collect();
        let bundle = Self {
            accepted_late: BTreeMap::from([(tenant.as_str().to_owned(), ids)]),
            ..Self::new(author)
        };
        bundle.in_oldest_format()
    }

    /// The tenants that this bundle offboards.
    pub(super) fn offboarded(&self) -> Result<BTreeSet<TenantId>, Rejected> {
        let invalid = |message: String| Rejected::Invalid(format!("offboarded: {message}"));
        let read = |(tenant, reason): (&String, &String)| {
            let tenant = TenantId::new(tenant.as_str())
                .map_err(|error| invalid(format!("the id of a tenant {error}")))?;
            if reason.trim().is_empty() {
                return Err(invalid(format!("tenant {tenant} has no reason")));
            }
            if reason.len() > MAX_REASON_BYTES || reason.chars().any(char::is_control) {
                return Err(invalid(format!(
                    "the reason of tenant {tenant} is longer than {MAX_REASON_BYTES} bytes or holds control \
                     characters"
                )));
            }
            Ok(tenant)
        };
        self.offboarded.iter().map(read).collect()
    }

    /// The late events this bundle accepts, by tenant.
    pub(super) fn accepted(&self) -> Result<Vec<(TenantId, BTreeSet<EventId>)>, Rejected> {
        let invalid = |message: String| Rejected::Invalid(format!("accepted_late: {message}"));
        let of_tenant = |(tenant, ids): (&String, &BTreeSet<String>)| {
            let tenant = TenantId::new(tenant.as_str())
                .map_err(|error| invalid(format!("the id of a tenant {error}")))?;
            let ids = ids.iter().map(|id| {
                let read = uuid::Uuid::try_parse(id).map(EventId);
                read.map_err(|_| invalid(format!("{id:?} is not the id of an event")))
            });
            Ok((tenant, ids.collect::<Result<_, _>>()?))
        };
        self.accepted_late.iter().map(of_tenant).collect()
    }

    /// The record's bytes.
    pub fn to_record(&self) -> Vec<u8> {
        // Texts, numbers, lists and maps with text keys: all of them have a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Parses a record with a checked envelope. Tenants are not validated yet.
    pub(super) fn from_record(record: &[u8]) -> Result<Self, Rejected> {
        let invalid = |reason: String| Err(Rejected::Invalid(reason));
        let bundle: Self = match serde_json::from_slice(record) {
            Ok(bundle) => bundle,
            Err(error) => return invalid(error.to_string()),
        };
        let needed = format::needed(&bundle.tenants, !bundle.offboarded.is_empty())
            .max(u32::from(bundle.writer.is_some()) * format::WRITER);
        if bundle.format < needed {
            return invalid(format!("its content needs format {needed}"));
        }
        if bundle.author.len() > MAX_AUTHOR_BYTES || bundle.author.chars().any(char::is_control) {
            return invalid("the author's name is too long or holds control characters".to_owned());
        }
        if bundle.tenants.is_empty()
            && bundle.accepted_late.is_empty()
            && bundle.offboarded.is_empty()
        {
            return invalid("defines no tenant".to_owned());
        }
        Ok(bundle)
    }

    fn too_large(&self, files: &[(String, String)]) -> Option<DefinitionError> {
        // The version it will be based on is not known yet: leave room for any.
        let size = self.to_record().len() + 20;
        let (file, _) = files.first()?;
        (size > MAX_BUNDLE_BYTES).then(|| DefinitionError {
            file: file.clone(),
            line: 1,
            column: 1,
            message: format!(
                "the definitions take {size} bytes, more than {MAX_BUNDLE_BYTES}: apply fewer \
                 tenants at a time"
            ),
        })
    }
}

fn documents_of(file: &str, text: &str, problems: &mut Problems) -> Vec<Node> {
    let start = Place::File {
        file: Arc::from(file),
        line: 1,
        column: 1,
    };
    if text.len() > MAX_FILE_BYTES {
        problems.add(
            &start,
            format!("{} bytes are more than {MAX_FILE_BYTES}", text.len()),
        );
        return Vec::new();
    }
    let before = problems.0.len();
    let documents = yaml::documents(file, text, problems);
    if documents.is_empty() && problems.0.len() == before {
        problems.add(&start, "defines nothing");
    }
    documents
}

fn located(place: Place, message: String) -> DefinitionError {
    match place {
        Place::File { file, line, column } => DefinitionError {
            file: String::from(&*file),
            line,
            column,
            message,
        },
        Place::Record(path) => DefinitionError {
            file: path,
            line: 1,
            column: 1,
            message,
        },
    }
}

/// One tenant's documents.
struct Draft<'n> {
    id: Option<TenantId>,
    named_at: &'n Place,
    parts: Parts<'n>,
}

/// Collects all documents by tenant.
fn tenants_of(documents: &[Node], problems: &mut Problems) -> Vec<TenantSource> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for document in documents {
        let known = KEYS;
        let Some(fields) = Fields::read(document, "a definition", &known, problems) else {
            continue;
        };
        let Some(named) = fields.require("tenant", problems) else {
            continue;
        };
        let (id, block) = tenant_of(named, problems);
        let draft = draft_of(&mut drafts, id, &named.place);
        if let Some(block) = block {
            if let Some(first) = draft.parts.settings {
                let message = format!("the tenant stands twice: first at {}", first.place);
                problems.add(&block.place, message);
            }
            draft.parts.settings.get_or_insert(block);
        }
        draft.parts.segments.extend(fields.get("segments"));
        draft.parts.journeys.extend(fields.get("journeys"));
        draft.parts.actions.extend(fields.get("actions"));
        draft.parts.triggers.extend(fields.get("triggers"));
        if let Some(block) = fields.get("models") {
            if let Some(first) = draft.parts.models {
                let message = format!("the models stand twice: first at {}", first.place);
                problems.add(&block.place, message);
            }
            draft.parts.models.get_or_insert(block);
        }
    }
    let mut tenants = BTreeMap::new();
    for draft in drafts {
        if let (None, Some(id)) = (draft.parts.settings, &draft.id) {
            let message = format!(
                "no document defines tenant {id}: expected one with `tenant:` and id, zone \
                 and currency"
            );
            problems.add(draft.named_at, message);
        }
        if let Some(Tenant {
            settings, source, ..
        }) = tenant::read(&draft.parts, problems)
        {
            tenants.insert(settings.id, source);
        }
    }
    tenants.into_values().collect()
}

/// The tenant a document names, and its block if the block stands here.
fn tenant_of<'n>(node: &'n Node, problems: &mut Problems) -> (Option<TenantId>, Option<&'n Node>) {
    match &node.content {
        Content::Map(entries) => {
            // What is wrong with the id is said when the block is read.
            let mut unsaid = Problems::default();
            let id = entries
                .iter()
                .find(|(key, _)| &*key.text == "id")
                .and_then(|(_, id)| settings::tenant_id(id, &mut unsaid));
            (id, Some(node))
        }
        Content::Null
        | Content::Boolean(_)
        | Content::Long(_)
        | Content::Double(_)
        | Content::Text(_)
        | Content::List(_) => (settings::tenant_id(node, problems), None),
    }
}

/// The draft of a tenant; documents of an unknown tenant are checked each on its own.
fn draft_of<'d, 'n>(
    drafts: &'d mut Vec<Draft<'n>>,
    id: Option<TenantId>,
    named_at: &'n Place,
) -> &'d mut Draft<'n> {
    let known = drafts
        .iter()
        .position(|draft| id.is_some() && draft.id == id);
    let index = known.unwrap_or(drafts.len());
    if known.is_none() {
        drafts.push(Draft {
            id,
            named_at,
            parts: Parts::default(),
        });
    }
    &mut drafts[index]
}

/// Validates a record's tenant.
pub(super) fn read_source(source: &TenantSource) -> Result<Tenant, Rejected> {
    let mut problems = Problems::default();
    let tree = serde_json::to_value(source)
        .map(|value| Node::of_record(String::new(), &value))
        .map_err(|error| Rejected::Invalid(error.to_string()))?;
    let known = KEYS;
    let tenant = Fields::read(&tree, "a definition", &known, &mut problems).and_then(|fields| {
        let parts = Parts {
            settings: fields.require("tenant", &mut problems),
            segments: fields.get("segments").into_iter().collect(),
            journeys: fields.get("journeys").into_iter().collect(),
            actions: fields.get("actions").into_iter().collect(),
            triggers: fields.get("triggers").into_iter().collect(),
            models: fields.get("models"),
        };
        tenant::read(&parts, &mut problems)
    });
    tenant.ok_or_else(|| {
        let id: Arc<str> = Arc::from(source.tenant.id.as_str());
        Rejected::Invalid(format!("tenant {id:?}: {}", problems.summary()))
    })
}
