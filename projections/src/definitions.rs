//! Definitions: tenants, segments and journeys, as files people write and as records of a topic.
//!
//! A [`Bundle`] is one record of `tidemark.definitions`: for each tenant it names, the whole of
//! that tenant's definitions (what it leaves out is gone). [`Definitions`] is what all accepted
//! bundles add up to.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidemark_schemas::{Currency, Instant, TenantId};

use crate::models::ChurnModel;
use crate::state::FoldRules;

/// One wrong place in a definition file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DefinitionError {
    /// The file as the user named it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong, what was expected, and the nearest valid name where there is one.
    pub message: String,
}

/// One record of the definitions topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// Version of this format: 1.
    pub format: u32,
    /// The version (offset) of the last accepted bundle the author saw; null before the first.
    pub based_on: Option<i64>,
    /// Who applied it, for people.
    pub author: String,
    /// Each tenant's whole definitions.
    pub tenants: Vec<TenantSource>,
}

/// The whole of one tenant's definitions as data, before validation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantSource {}

impl Bundle {
    /// Reads definition files (YAML or JSON) and validates them: every error, not just the first.
    pub fn from_files(
        files: &[(String, String)],
        author: &str,
    ) -> Result<Self, Vec<DefinitionError>> {
        let _ = (files, author);
        todo!()
    }
}

/// Why a record of the definitions topic was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Somebody else's bundle came in between.
    #[error("based on version {based_on:?}, but the newest was {newest:?}")]
    Conflict {
        /// What the author saw.
        based_on: Option<i64>,
        /// What was there.
        newest: Option<i64>,
    },
    /// A tenant's zone or dedup horizon changed, which means a rebuild.
    #[error("tenant {tenant}: {field} is fixed when the tenant is created")]
    Fixed {
        /// Which tenant.
        tenant: TenantId,
        /// `zone` or `dedup_horizon`.
        field: &'static str,
    },
    /// Not a valid bundle.
    #[error("not a valid bundle: {0}")]
    Invalid(String),
}

/// What all accepted bundles add up to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Version (offset) of the newest accepted bundle.
    pub version: Option<i64>,
    /// Each tenant's, by id.
    pub tenants: Arc<BTreeMap<TenantId, Arc<TenantDefinitions>>>,
}

impl Definitions {
    /// What one more record of the topic makes of these definitions.
    ///
    /// `version` is the record's offset, `appended_at` its append time.
    pub fn apply(
        &self,
        version: i64,
        appended_at: Instant,
        record: &[u8],
    ) -> Result<Self, Rejected> {
        let _ = (version, appended_at, record);
        todo!()
    }

    /// A tenant's definitions, if it is defined.
    pub fn tenant(&self, id: &TenantId) -> Option<&Arc<TenantDefinitions>> {
        self.tenants.get(id)
    }
}

/// One tenant's definitions, validated and ready to evaluate.
#[derive(Debug)]
pub struct TenantDefinitions {
    /// Which tenant.
    pub id: TenantId,
    /// Version of the bundle that last defined this tenant.
    pub version: i64,
    /// Append time of that bundle.
    pub appended_at: Instant,
    /// The data it was made of.
    pub source: TenantSource,
    /// Zone and dedup horizon.
    pub rules: FoldRules,
    /// In which money is reported.
    pub currency: Currency,
    /// Which model scores churn.
    pub churn: ChurnModel,
    /// In the order in which they can be evaluated (a segment after those it refers to).
    pub segments: Vec<Segment>,
    /// By name.
    pub journeys: BTreeMap<Arc<str>, Journey>,
}

impl TenantDefinitions {
    /// Validates one tenant's data, as the API reads it from the tables.
    pub fn from_source(
        source: TenantSource,
        version: i64,
        appended_at: Instant,
    ) -> Result<Self, Rejected> {
        let _ = (source, version, appended_at);
        todo!()
    }

    /// Whether the attribute holds personal data, hidden from viewers.
    pub fn is_personal(&self, attribute: &str) -> bool {
        let _ = attribute;
        todo!()
    }
}

/// A segment: who belongs together, and why.
#[derive(Debug)]
pub struct Segment {
    /// Unique in the tenant.
    pub name: Arc<str>,
    /// For people.
    pub description: String,
    /// Who is in it.
    pub expression: Expression,
}

/// A condition over one customer.
#[derive(Debug)]
pub enum Expression {}

/// An ordered list of stages.
#[derive(Debug)]
pub struct Journey {
    /// Unique in the tenant.
    pub name: Arc<str>,
    /// For people.
    pub description: String,
    /// First to last.
    pub stages: Vec<Arc<str>>,
}
