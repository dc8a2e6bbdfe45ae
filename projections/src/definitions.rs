//! Definitions: tenants, segments and journeys, as files people write and as records of a topic.
//!
//! A [`Bundle`] is one record of `tidemark.definitions`: for each tenant it names, the whole of
//! that tenant's definitions (what it leaves out is gone). [`Definitions`] is what all accepted
//! bundles add up to. The language is described in `docs/definitions.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemark_schemas::{Currency, CustomerEvent, Instant, Payload, TenantId};

use crate::models::{ChurnModel, Family, Thresholds, TrainedModels};
use crate::state::{FoldRules, LeafId, LeafRole};

mod attribute_type;
mod backfilling;
mod bundle;
mod derived;
mod difference;
mod draft;
pub mod expression;
mod fields;
mod format;
mod in_force;
mod journeys;
mod language;
mod moment;
mod order;
mod placeholders;
mod problems;
mod quantities;
mod reactions;
mod scored;
mod settings;
pub mod source;
mod tenant;
mod touching;
mod trained;
mod tree;
mod yaml;

pub use attribute_type::{AttributeType, DecimalSign, EpochUnit};
pub use backfilling::Backfilling;
pub use bundle::Bundle;
pub use derived::DerivedOutputs;
pub use difference::{Changed, Difference};
pub use expression::{Expression, TrackedLeaf};
pub use format::{MAX_BUNDLE_BYTES, NEWEST_FORMAT, UnknownFormat};
pub use in_force::{Definitions, Offboarded};
pub use journeys::Journey;
pub use moment::PointInTime;
pub(crate) use moment::{Moment, date};
pub use placeholders::Placeholders;
pub use quantities::Rate;
pub use reactions::{Action, Trigger};
pub(crate) use settings::MAX_ATTRIBUTION_DAYS;
pub use source::{AttributeDeclaration, TenantSource};
pub(crate) use touching::TouchedOutputs;

/// One wrong place in a definition file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DefinitionError {
    /// The file as the user named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The mistake, what was expected, and the nearest valid name if there is one.
    pub message: String,
}

/// The reason why a record of the definitions topic was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Another bundle was applied in between.
    #[error("based on version {based_on:?}, but the newest was {newest:?}")]
    Conflict {
        /// The version that the bundle is based on.
        based_on: Option<i64>,
        /// The version in force.
        newest: Option<i64>,
    },
    /// A tenant's zone or dedup horizon changed, which means a rebuild.
    #[error("tenant {tenant}: {field} is fixed when the tenant is created")]
    Fixed {
        /// The tenant.
        tenant: TenantId,
        /// `zone` or `dedup_horizon`.
        field: &'static str,
    },
    /// The record is not a valid bundle.
    #[error("not a valid bundle: {0}")]
    Invalid(String),
}

/// The reason why a record of the definitions topic does not change the definitions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// It is rejected, by every version of Tidemark.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// This version of Tidemark cannot tell.
    #[error(transparent)]
    UnknownFormat(#[from] UnknownFormat),
}

/// One tenant's definitions, validated and ready to evaluate.
#[derive(Debug)]
pub struct TenantDefinitions {
    /// The tenant's id.
    pub id: TenantId,
    /// Version of the bundle that last defined this tenant otherwise than by its name.
    pub version: i64,
    /// Append time of that bundle.
    pub appended_at: Instant,
    /// The data it was made of.
    pub source: TenantSource,
    /// Zone and dedup horizon.
    pub rules: FoldRules,
    /// The ids of no customer.
    pub placeholders: Placeholders,
    /// The size of a customer, in bytes, from which on its events are not folded.
    pub max_customer_bytes: usize,
    /// The currency of reports.
    pub currency: Currency,
    /// The conversion rates; amounts of a currency without a rate are left out.
    pub rates: BTreeMap<Currency, Rate>,
    /// The tenant's share of net revenue, in millionths.
    pub commission_millionths: u32,
    /// The number of days before an order in which touches are credited with it.
    pub attribution_days: i32,
    /// The declarations of attributes, by name.
    pub attributes: BTreeMap<Arc<str>, AttributeDeclaration>,
    /// The churn model.
    pub churn: ChurnModel,
    /// The thresholds of the bands of renewal risk.
    pub renewal: Thresholds,
    /// The family of churn models the definition names; without one training chooses.
    pub churn_family: Option<Family>,
    /// The models trained on the tenant's customers.
    pub models: TrainedModels,
    /// The segments in evaluation order (a segment after those it refers to).
    pub segments: Vec<Segment>,
    /// The journeys, by name.
    pub journeys: BTreeMap<Arc<str>, Journey>,
    /// The actions, in the author's order.
    pub actions: Vec<Action>,
    /// The triggers, in the author's order.
    pub triggers: Vec<Trigger>,
    /// The tracked counters that segments and actions need.
    pub tracked: BTreeMap<LeafId, TrackedLeaf>,
    /// The places of segments of which `member_for`, or a stage, asks since when a customer has been
    /// in them.
    pub(crate) lasting: BTreeSet<usize>,
    /// The segments that each kind of event can touch.
    readers: touching::Readers,
    /// The journeys with conditions on some of their stages.
    conditional: Vec<Arc<str>>,
}

impl TenantDefinitions {
    /// Reads one tenant's definitions as the tables keep them: `definition` is the JSON of
    /// [`TenantSource`], `format` that of the bundle.
    pub fn from_stored(
        format: i32,
        definition: &str,
        version: i64,
        appended_at: Instant,
    ) -> Result<Self, NotApplied> {
        UnknownFormat::check(format, version)?;
        let source = serde_json::from_str(definition)
            .map_err(|error| Rejected::Invalid(error.to_string()))?;
        Ok(Self::from_source(source, version, appended_at)?)
    }

    /// Validates one tenant's data.
    pub fn from_source(
        source: TenantSource,
        version: i64,
        appended_at: Instant,
    ) -> Result<Self, Rejected> {
        let tenant::Tenant {
            settings,
            segments,
            journeys,
            actions,
            triggers,
            tracked,
            source: read,
        } = bundle::read_source(&source)?;
        let settings::Settings {
            id,
            rules,
            placeholders,
            max_customer_bytes,
            currency,
            rates,
            attributes,
            churn,
            renewal,
            churn_family,
            reports,
            ..
        } = settings;
        let lasting = touching::lasting(&segments, &actions, &journeys);
        let readers = touching::Readers::new(&segments, &journeys, &tracked);
        let conditional = journeys::conditional(&journeys);
        let models = read.models.unwrap_or_default();
        let churn = in_force(&models, churn, churn_family);
        Ok(Self {
            id,
            version,
            appended_at,
            source,
            rules,
            placeholders,
            max_customer_bytes,
            currency,
            rates,
            commission_millionths: reports.commission_millionths,
            attribution_days: reports.attribution_days,
            attributes,
            churn,
            renewal,
            churn_family,
            models,
            segments,
            journeys,
            actions,
            triggers,
            tracked,
            lasting,
            readers,
            conditional,
        })
    }

    /// The tracked leaves that ask for this event, and what it is to them.
    pub fn tracking<'d>(
        &'d self,
        event: &'d CustomerEvent,
    ) -> impl Iterator<Item = (LeafId, LeafRole)> + 'd {
        let activity = if let Payload::ActivityTracked(activity) = &event.payload {
            Some(activity)
        } else {
            None
        };
        let asked = move |(leaf, tracked): (&LeafId, &TrackedLeaf)| {
            Some((*leaf, tracked.asks(activity?, &self.rules.zone)?))
        };
        self.tracked.iter().filter_map(asked)
    }

    /// The day of the tenant's zone that an instant belongs to, since 1970-01-01.
    pub fn day_of(&self, at: Instant) -> i32 {
        crate::days::day_of(&self.rules.zone, at)
    }

    /// Whether the attribute holds personal data, hidden from viewers.
    pub fn is_personal(&self, attribute: &str) -> bool {
        self.attributes
            .get(attribute)
            .is_some_and(|declared| declared.personal)
    }

    /// An amount in the tenant's currency; `None` without a rate.
    pub fn convert(&self, amount_minor: i64, currency: Currency) -> Option<i128> {
        if currency == self.currency {
            return Some(i128::from(amount_minor));
        }
        let rate = self.rates.get(&currency)?;
        Some(rate.convert(amount_minor))
    }

    /// The segment of a name.
    pub fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|segment| &*segment.name == name)
    }

    /// Returns whether other definitions of the tenant have another name, and nothing else that differs.
    fn is_renamed(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.source, &other.source);
        if ours.tenant.name == theirs.tenant.name {
            return false;
        }
        let mut renamed = ours.clone();
        renamed.tenant.name.clone_from(&theirs.tenant.name);
        renamed == *theirs
    }

    /// Keeps the settings that core state depends on as they were when the tenant was created.
    fn refuse_other_rules(&self, new: &Self) -> Result<(), Rejected> {
        let fixed = |field| Rejected::Fixed {
            tenant: self.id.clone(),
            field,
        };
        if self.rules.zone != new.rules.zone {
            return Err(fixed("zone"));
        }
        if self.rules.dedup_horizon_micros != new.rules.dedup_horizon_micros {
            return Err(fixed("dedup_horizon"));
        }
        Ok(())
    }
}

/// The trained model; the shipped one where none is trained, or another family than is asked for.
fn in_force(models: &TrainedModels, shipped: ChurnModel, family: Option<Family>) -> ChurnModel {
    let trained = models.churn.as_ref();
    match trained.filter(|of| family.is_none_or(|asked| asked == of.model.family)) {
        Some(trained) => ChurnModel::trained(trained, shipped.thresholds),
        None => shipped,
    }
}

/// A segment: a name, a description and a condition.
#[derive(Debug)]
pub struct Segment {
    /// Unique in the tenant.
    pub name: Arc<str>,
    /// The description.
    pub description: String,
    /// The condition of membership.
    pub expression: Expression,
}
