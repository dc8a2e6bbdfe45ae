//! Definitions: tenants, segments and journeys, as files people write and as records of a topic.
//!
//! A [`Bundle`] is one record of `tidemark.definitions`: for each tenant it names, the whole of
//! that tenant's definitions (what it leaves out is gone). [`Definitions`] is what all accepted
//! bundles add up to. The language is described in `docs/definitions.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemark_schemas::{Currency, CustomerEvent, EventId, Instant, Payload, TenantId};

use crate::models::{ChurnModel, Family, Thresholds, TrainedModels};
use crate::state::{CustomerState, FoldRules, Folded, Late, LeafId, LeafRole};

mod backfilling;
mod bundle;
mod difference;
mod draft;
pub mod expression;
mod fields;
mod journeys;
mod language;
mod order;
mod problems;
mod quantities;
mod reactions;
mod settings;
pub mod source;
mod tenant;
mod touching;
mod trained;
mod tree;
mod yaml;

pub use backfilling::Backfilling;
pub use bundle::{Bundle, MAX_BUNDLE_BYTES};
pub use difference::{Changed, Difference};
pub use expression::{Expression, TrackedLeaf};
pub use journeys::Journey;
pub use quantities::Rate;
pub(crate) use quantities::{Moment, date};
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

/// The definitions in force: the sum of all accepted bundles. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Version (offset) of the newest accepted bundle.
    pub version: Option<i64>,
    /// Each tenant's, by id.
    pub tenants: Arc<BTreeMap<TenantId, Arc<TenantDefinitions>>>,
    /// Late events to be folded nevertheless.
    accepted_late: Arc<AcceptedLate>,
}

type AcceptedLate = BTreeMap<TenantId, BTreeSet<EventId>>;

impl Definitions {
    /// Applies one more record of the topic to these definitions.
    ///
    /// `version` is the record's offset, `appended_at` its append time.
    pub fn apply(
        &self,
        version: i64,
        appended_at: Instant,
        record: &[u8],
    ) -> Result<Self, Rejected> {
        let bundle = Bundle::from_record(record)?;
        if bundle.based_on != self.version {
            return Err(Rejected::Conflict {
                based_on: bundle.based_on,
                newest: self.version,
            });
        }
        let accepted = bundle.accepted()?;
        let mut tenants = BTreeMap::clone(&self.tenants);
        for source in bundle.tenants {
            let source = self.with_models(source);
            let defined = TenantDefinitions::from_source(source, version, appended_at)?;
            let id = defined.id.clone();
            if let Some(before) = self.tenants.get(&id) {
                before.refuse_other_rules(&defined)?;
            }
            // Versions only grow: a tenant that has this one already stands twice in the bundle.
            let replaced = tenants.insert(id.clone(), Arc::new(defined));
            if replaced.is_some_and(|replaced| replaced.version == version) {
                return Err(Rejected::Invalid(format!("tenant {id} stands twice")));
            }
        }
        let mut accepted_late = Arc::clone(&self.accepted_late);
        for (tenant, events) in accepted {
            if !tenants.contains_key(&tenant) {
                let message = format!("accepted_late: tenant {tenant} is not defined");
                return Err(Rejected::Invalid(message));
            }
            let all = Arc::make_mut(&mut accepted_late).entry(tenant).or_default();
            all.extend(events);
        }
        Ok(Self {
            version: Some(version),
            tenants: Arc::new(tenants),
            accepted_late,
        })
    }

    /// Adds the models in force to a source that contains none, because authors of segments do
    /// not copy models.
    pub fn with_models(&self, mut source: TenantSource) -> TenantSource {
        if source.models.is_none() {
            let mut tenants = self.tenants.iter();
            let before = tenants.find(|(id, _)| id.as_str() == source.tenant.id);
            source.models = before.and_then(|(_, before)| before.source.models.clone());
        }
        source
    }

    /// Whether it was decided to fold this event of a tenant even if it is late.
    pub fn accepts_late(&self, tenant: &TenantId, event: EventId) -> bool {
        !self.accepted_late.is_empty()
            && self
                .accepted_late
                .get(tenant)
                .is_some_and(|events| events.contains(&event))
    }

    /// Returns the number of accepted late events of each tenant that has any.
    pub fn accepted_late(&self) -> impl Iterator<Item = (&TenantId, usize)> {
        self.accepted_late
            .iter()
            .map(|(tenant, events)| (tenant, events.len()))
    }

    /// Folds an event as these definitions have it; `None` for a tenant that is not defined.
    pub fn fold(
        &self,
        state: &mut CustomerState,
        event: &CustomerEvent,
    ) -> Option<Result<Folded, Late>> {
        let rules = &self.tenant(&event.tenant_id)?.rules;
        Some(if self.accepts_late(&event.tenant_id, event.event_id) {
            state.fold_accepted(event, rules)
        } else {
            state.fold(event, rules)
        })
    }

    /// A tenant's definitions, if it is defined.
    pub fn tenant(&self, id: &TenantId) -> Option<&Arc<TenantDefinitions>> {
        self.tenants.get(id)
    }

    /// Each tenant with the version that last defined it, by id.
    pub fn versions(&self) -> impl Iterator<Item = (&TenantId, i64)> {
        self.tenants
            .iter()
            .map(|(id, definitions)| (id, definitions.version))
    }

    /// Each tenant's definitions as data, by id.
    pub fn sources(&self) -> impl Iterator<Item = (&TenantId, &TenantSource)> {
        self.tenants
            .iter()
            .map(|(id, definitions)| (id, &definitions.source))
    }
}

/// One tenant's definitions, validated and ready to evaluate.
#[derive(Debug)]
pub struct TenantDefinitions {
    /// The tenant's id.
    pub id: TenantId,
    /// Version of the bundle that last defined this tenant.
    pub version: i64,
    /// Append time of that bundle.
    pub appended_at: Instant,
    /// The data it was made of.
    pub source: TenantSource,
    /// Zone and dedup horizon.
    pub rules: FoldRules,
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
    /// Validates one tenant's data, as the API reads it from the tables.
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
