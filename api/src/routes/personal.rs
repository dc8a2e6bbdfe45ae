//! Outputs that are derived from personal attributes: hidden from viewers, audited for other roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_projections::definitions::{DerivedOutputs, TenantDefinitions};

use crate::auth::Caller;
use crate::database::Snapshot;
use crate::http::{Problem, RequestId};
use crate::query::ReadMode;

/// Returns the access of a query whose answer may show outputs that are derived from personal attributes.
pub(super) fn access(caller: &Caller) -> ReadMode {
    if caller.role.sees_personal_attributes() {
        ReadMode::Audited
    } else {
        ReadMode::Read
    }
}

/// The outputs that are derived from personal attributes, and whether they are hidden from the caller.
#[derive(Debug)]
pub(super) struct PersonalOutputs {
    derived: DerivedOutputs,
    /// Whether the caller may not see them.
    is_hidden: bool,
}

impl PersonalOutputs {
    /// Returns the personal outputs of a tenant; none before its first definitions.
    pub(super) fn new(definitions: Option<&TenantDefinitions>, caller: &Caller) -> Self {
        let derived = definitions.map(|all| all.derived_from(|name| all.is_personal(name)));
        Self::from_derived(derived.unwrap_or_default(), caller)
    }

    /// Returns these outputs as the caller may see them.
    pub(super) fn from_derived(derived: DerivedOutputs, caller: &Caller) -> Self {
        Self {
            derived,
            is_hidden: !caller.role.sees_personal_attributes(),
        }
    }

    /// Returns whether there are any, and the caller may not see them.
    pub(super) fn are_hidden(&self) -> bool {
        self.is_hidden && !self.derived.attributes.is_empty()
    }

    /// Returns whether a segment is derived from personal attributes.
    pub(super) fn has_segment(&self, name: &str) -> bool {
        self.derived.segments.contains(name)
    }

    /// Returns whether a journey is derived from personal attributes.
    pub(super) fn has_journey(&self, name: &str) -> bool {
        self.derived.journeys.contains(name)
    }

    /// Returns whether a trigger is derived from personal attributes.
    pub(super) fn has_trigger(&self, name: &str) -> bool {
        self.derived.triggers.contains(name)
    }

    /// Returns whether the eligibility for an action is derived from personal attributes.
    pub(super) fn has_action(&self, name: &str) -> bool {
        self.derived.actions.contains(name)
    }

    /// Returns whether the caller may see a segment.
    pub(super) fn shows_segment(&self, name: &str) -> bool {
        !(self.is_hidden && self.has_segment(name))
    }

    /// Returns whether the caller may see a journey's stages.
    pub(super) fn shows_journey(&self, name: &str) -> bool {
        !(self.is_hidden && self.has_journey(name))
    }

    /// Returns whether the caller may see the eligibility for an action.
    pub(super) fn shows_action(&self, name: &str) -> bool {
        !(self.is_hidden && self.has_action(name))
    }

    /// Removes the journeys that the caller may not see; returns whether personal ones remain.
    pub(super) fn retain_journeys<T>(&self, journeys: &mut BTreeMap<Arc<str>, T>) -> bool {
        journeys.retain(|name, _| self.shows_journey(name));
        journeys.keys().any(|name| self.has_journey(name))
    }

    /// Returns a problem if the caller may not see a segment.
    pub(super) fn require_segment(&self, name: &str) -> Result<(), Problem> {
        if self.shows_segment(name) {
            return Ok(());
        }
        Err(forbidden("segment", name))
    }

    /// Returns a problem if the caller may not see a journey's stages.
    pub(super) fn require_journey(&self, name: &str) -> Result<(), Problem> {
        if self.shows_journey(name) {
            return Ok(());
        }
        Err(forbidden("journey", name))
    }

    /// Returns the kinds and the names of the changes that the caller may not see.
    pub(super) fn hidden_changes(&self) -> (Vec<&'static str>, Vec<&str>) {
        let changes = self.derived.changes().filter(|_| self.is_hidden);
        changes.map(|(kind, name)| (kind.name(), &**name)).unzip()
    }
}

fn forbidden(resource: &str, name: &str) -> Problem {
    Problem::forbidden(format!(
        "the {resource} {name:?} is derived from personal attributes, which the role viewer may not see: \
         use a token with the role analyst or admin"
    ))
}

/// Records the read of personal attributes, or of what is derived from them, in the transaction of the
/// read: no answer without its record. The target is a customer, segment or journey.
pub(super) async fn record(
    kind: &str,
    target: &str,
    request_id: &RequestId,
    snapshot: &mut Snapshot<'_>,
) -> Result<(), Problem> {
    let caller = snapshot.caller();
    sqlx::query(include_str!("../sql/audit.sql"))
        .bind(caller.tenant.as_str())
        .bind(&caller.subject)
        .bind(caller.role.as_str())
        .bind(format!("{kind}.personal_attributes"))
        .bind(target)
        .bind(request_id.as_str())
        .execute(snapshot.connection())
        .await?;
    Ok(())
}
