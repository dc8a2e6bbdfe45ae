//! The definitions in force: what all accepted bundles add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemark_schemas::{CustomerEvent, EventId, Instant, TenantId};

use super::bundle::Bundle;
use super::source::TenantSource;
use super::{NotApplied, Rejected, TenantDefinitions, format};
use crate::state::{CustomerState, Folded, Late};

/// The definitions in force: the sum of all accepted bundles. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// Version (offset) of the newest accepted bundle.
    pub version: Option<i64>,
    /// Each tenant's, by id.
    pub tenants: Arc<BTreeMap<TenantId, Arc<TenantDefinitions>>>,
    /// Late events to be folded nevertheless.
    accepted_late: Arc<AcceptedLate>,
    /// The last offboarding of each tenant that was ever offboarded.
    offboarded: Arc<BTreeMap<TenantId, Offboarded>>,
}

/// The offboarding of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offboarded {
    /// The version (offset) of the bundle.
    pub version: i64,
    /// The append time of the bundle: no event of the tenant that was appended by then is folded any more.
    pub appended_at: Instant,
}

type AcceptedLate = BTreeMap<TenantId, BTreeSet<EventId>>;

impl Definitions {
    /// Applies one more record of the topic to these definitions.
    ///
    /// `version` is the record's offset, `appended_at` its append time. The result is the same in every
    /// version of Tidemark that knows the record's format.
    pub fn apply(
        &self,
        version: i64,
        appended_at: Instant,
        record: &[u8],
    ) -> Result<Self, NotApplied> {
        format::check_envelope(record, version, self.version)?;
        let bundle = Bundle::from_record(record)?;
        Ok(self.with(bundle, version, appended_at)?)
    }

    fn with(&self, bundle: Bundle, version: i64, appended_at: Instant) -> Result<Self, Rejected> {
        let accepted = bundle.accepted()?;
        let leaving = bundle.offboarded()?;
        let mut tenants = BTreeMap::clone(&self.tenants);
        for tenant in &leaving {
            if tenants.remove(tenant).is_none() {
                let message = format!("offboarded: tenant {tenant} is not defined");
                return Err(Rejected::Invalid(message));
            }
        }
        let mut named = BTreeSet::new();
        for source in bundle.tenants {
            let source = self.with_models(source);
            let mut defined = TenantDefinitions::from_source(source, version, appended_at)?;
            let id = defined.id.clone();
            if let Some(before) = self.tenants.get(&id) {
                before.refuse_other_rules(&defined)?;
                if before.is_renamed(&defined) {
                    // Its customers need not be evaluated again.
                    (defined.version, defined.appended_at) = (before.version, before.appended_at);
                }
            }
            if !named.insert(id.clone()) {
                return Err(Rejected::Invalid(format!("tenant {id} stands twice")));
            }
            if leaving.contains(&id) {
                let message = format!("tenant {id} is defined and offboarded at once");
                return Err(Rejected::Invalid(message));
            }
            tenants.insert(id, Arc::new(defined));
        }
        let (mut accepted_late, mut offboarded) = (
            Arc::clone(&self.accepted_late),
            Arc::clone(&self.offboarded),
        );
        let last = Offboarded {
            version,
            appended_at,
        };
        for tenant in leaving {
            Arc::make_mut(&mut accepted_late).remove(&tenant);
            Arc::make_mut(&mut offboarded).insert(tenant, last);
        }
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
            offboarded,
        })
    }

    /// Returns the definitions as they were kept: the newest version, each tenant's newest definitions,
    /// the late events accepted since its last offboarding, and the last offboardings.
    pub fn restore(
        version: Option<i64>,
        tenants: impl IntoIterator<Item = TenantDefinitions>,
        accepted_late: impl IntoIterator<Item = (TenantId, EventId)>,
        offboarded: impl IntoIterator<Item = (TenantId, Offboarded)>,
    ) -> Self {
        let tenants = tenants
            .into_iter()
            .map(|tenant| (tenant.id.clone(), Arc::new(tenant)))
            .collect();
        let mut accepted = AcceptedLate::new();
        for (tenant, event) in accepted_late {
            accepted.entry(tenant).or_default().insert(event);
        }
        Self {
            version,
            tenants: Arc::new(tenants),
            accepted_late: Arc::new(accepted),
            offboarded: Arc::new(offboarded.into_iter().collect()),
        }
    }

    /// Returns the version of the first offboarding after a version, of those that are the last of their
    /// tenant.
    pub fn next_offboarding(&self, after: i64) -> Option<i64> {
        let versions = self.offboarded.values().map(|last| last.version);
        versions.filter(|version| *version > after).min()
    }

    /// Returns the last offboarding of a tenant, if there was any.
    pub fn last_offboarding(&self, tenant: &TenantId) -> Option<Offboarded> {
        self.offboarded.get(tenant).copied()
    }

    /// Returns the tenants that were offboarded after a version.
    pub fn offboarded_after(&self, version: i64) -> impl Iterator<Item = &TenantId> {
        let offboarded = self.offboarded.iter();
        let later = offboarded.filter(move |(_, last)| last.version > version);
        later.map(|(tenant, _)| tenant)
    }

    /// Returns whether a record of a tenant was appended before the tenant was offboarded: it is not folded
    /// any more, also if the tenant is defined again.
    pub fn is_offboarded(&self, tenant: &TenantId, appended_at: Instant) -> bool {
        !self.offboarded.is_empty()
            && self
                .last_offboarding(tenant)
                .is_some_and(|last| appended_at <= last.appended_at)
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

    /// Returns the late events that these definitions accept and earlier ones did not.
    pub fn newly_accepted(&self, before: &Self) -> Vec<(TenantId, EventId)> {
        let all = self.accepted_late.iter();
        all.flat_map(|(tenant, events)| events.iter().map(move |event| (tenant, *event)))
            .filter(|(tenant, event)| !before.accepts_late(tenant, *event))
            .map(|(tenant, event)| (tenant.clone(), event))
            .collect()
    }

    /// Returns the tenants that have another name than in earlier definitions, and nothing else that
    /// differs.
    pub fn renamed<'d>(
        &'d self,
        before: &'d Self,
    ) -> impl Iterator<Item = &'d Arc<TenantDefinitions>> + 'd {
        let renamed = |now: &&Arc<TenantDefinitions>| {
            let before = before.tenant(&now.id);
            before.is_some_and(|before| before.is_renamed(now))
        };
        self.tenants.values().filter(renamed)
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
