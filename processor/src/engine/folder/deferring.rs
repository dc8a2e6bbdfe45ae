//! Deferral: scopes of a partition that are not folded now, each with a lane of its own, which stands still
//! until the scope may catch up.
//!
//! While a scope is deferred, the partition passes over its records and its timers. To catch up, the lane of
//! the scope takes the place of the live one ([`Folder::enter`]), and its records and timers are folded by the
//! same functions, each at its own clock and under the definitions of then. So nothing of the deferral is left
//! in what is stored about its customers.

use tidemark_projections::evaluated::EVALUATION_VERSION;
use tidemark_schemas::{CustomerKey, TenantId};

use super::deferrals::{Deferral, Deferrals, MAX_QUARANTINED_OF_TENANT, Written, binary_version};
use super::{Folder, Lane};
use crate::engine::timers::Timers;
use crate::engine::tracking::TrackedLeaves;
use crate::store::{DeferralReason, DeferralRow, Reevaluation, Scope};

impl Folder {
    /// Returns the deferred scopes.
    pub(crate) const fn deferrals(&self) -> &Deferrals {
        &self.deferrals
    }

    /// Returns whether the lane in place folds a customer; another does otherwise.
    pub(crate) fn folds(&self, key: &CustomerKey) -> bool {
        let scope = self.lane.scope.as_ref();
        self.deferrals.are_folded(scope, key)
    }

    /// Returns whether the lane in place folds a tenant as a whole.
    pub(crate) fn folds_tenant(&self, tenant: &TenantId) -> bool {
        match &self.lane.scope {
            None => !self.deferrals.cover_tenant(tenant),
            Some(scope) => scope.customer.is_none() && scope.tenant == *tenant,
        }
    }

    /// Returns whether the lane in place is that of a deferred scope.
    pub(crate) const fn is_catching_up(&self) -> bool {
        self.lane.scope.is_some()
    }

    /// Returns the scopes that may be folded again, with the first offset that each has not folded.
    pub(crate) fn ready_scopes(&self) -> Vec<(Scope, i64)> {
        let ready = self.deferrals.ready(&self.lane.definitions);
        ready
            .filter_map(|scope| {
                let row = &self.deferrals.by_scope.get(scope)?.row;
                Some((scope.clone(), row.next_offset))
            })
            .collect()
    }

    /// Puts the lane of a scope in the place of the live one.
    pub(crate) fn enter(&mut self, scope: &Scope) {
        debug_assert!(self.lane.scope.is_none(), "one lane at a time");
        self.switch(scope);
    }

    /// Puts the live lane back in its place.
    pub(crate) fn leave(&mut self, scope: &Scope) {
        self.switch(scope);
        debug_assert!(self.lane.scope.is_none(), "one lane at a time");
    }

    fn switch(&mut self, scope: &Scope) {
        if let Some(deferral) = self.deferrals.by_scope.get_mut(scope) {
            std::mem::swap(&mut self.lane, &mut deferral.lane);
        }
    }

    /// Notes how far the lane in place has caught up.
    pub(crate) fn note_position(&mut self, next_offset: i64) {
        let lane = &self.lane;
        let Some(scope) = &lane.scope else { return };
        let Some(deferral) = self.deferrals.by_scope.get_mut(scope) else {
            return;
        };
        let row = &mut deferral.row;
        let before = (row.next_offset, row.clock, row.fired_to, row.definitions);
        let tenant = &scope.tenant;
        row.next_offset = next_offset;
        row.clock = lane.clock;
        row.fired_to = lane.fired_to;
        row.definitions = lane.definitions_version;
        if scope.customer.is_some() {
            row.tracked = lane.tracked.tenant(tenant).iter().collect();
            row.redefined_at = lane.reevaluations.get(tenant).map(|it| it.activated_at);
        }
        let now = (row.next_offset, row.clock, row.fired_to, row.definitions);
        if before != now {
            deferral.touch();
        }
    }

    /// Returns whether the scope of the lane in place was last evaluated by an older version, and notes that
    /// it is not any more.
    pub(super) fn take_older_evaluation(&mut self) -> bool {
        let scope = self.lane.scope.as_ref();
        let deferral = scope.and_then(|scope| self.deferrals.by_scope.get_mut(scope));
        deferral.is_some_and(|deferral| {
            let is_older = deferral.row.evaluation < EVALUATION_VERSION;
            deferral.row.evaluation = EVALUATION_VERSION;
            if is_older {
                deferral.touch();
            }
            is_older
        })
    }

    /// Returns whether the scope of the lane in place was stopped again in the batch under construction.
    pub(crate) fn stands(&self) -> bool {
        let scope = self.lane.scope.as_ref();
        let deferral = scope.and_then(|scope| self.deferrals.by_scope.get(scope));
        deferral.is_some_and(|deferral| deferral.written == Written::Stop)
    }

    /// Counts an event of a deferred scope that the lane in place passes over.
    pub(crate) fn pass_over(&mut self, key: &CustomerKey) {
        let whole = Scope::tenant(key.tenant.clone());
        let is_whole_here = self.lane.scope.as_ref() == Some(&whole);
        let by_scope = &mut self.deferrals.by_scope;
        let scope = if !is_whole_here && by_scope.contains_key(&whole) {
            whole
        } else {
            Scope::customer(key.clone())
        };
        if let Some(deferral) = by_scope.get_mut(&scope) {
            deferral.row.events += 1;
            deferral.touch();
        }
    }

    /// Lets a scope catch up, because an operator resumed it; `false` if it does already.
    pub(crate) fn resume(&mut self, scope: &Scope) -> bool {
        let deferral = self.deferrals.by_scope.get_mut(scope);
        // One that stands still again has to be resumed again.
        let deferral = deferral.filter(|deferral| deferral.written != Written::Stop);
        deferral.is_some_and(|it| !std::mem::replace(&mut it.is_resumed, true))
    }

    /// Ends the deferral of a scope that stands where the live lane stands: that folds it from here on.
    pub(crate) fn end_deferral(&mut self, scope: &Scope) {
        let Some(deferral) = self.deferrals.remove(scope) else {
            return;
        };
        if scope.customer.is_none() {
            self.lane.tracked.put(deferral.lane.tracked);
            self.lane.reevaluations.extend(deferral.lane.reevaluations);
        }
        // Its rows are among those that were passed over.
        self.lane.timers = Timers::unread();
        let partition = self.partition;
        tracing::info!(partition, %scope, "caught up: folded with the partition again");
        self.pending.rows.deferrals.end(scope.clone());
    }

    /// Returns whether the batch under construction would write more than the position.
    pub(crate) fn has_rows(&self) -> bool {
        let mut deferrals = self.deferrals.by_scope.values();
        !self.pending.is_empty() || deferrals.any(|deferral| deferral.written != Written::Nothing)
    }

    /// Writes the deferrals that have changed into the batch.
    pub(super) fn flush_deferrals(&mut self) {
        debug_assert!(self.lane.scope.is_none(), "a batch ends in the live lane");
        let rows = &mut self.pending.rows.deferrals;
        for deferral in self.deferrals.by_scope.values_mut() {
            let row = || deferral.row.clone();
            match deferral.written {
                Written::Nothing => {}
                Written::Progress => rows.set(row()),
                Written::Beginning => rows.begin(row()),
                Written::Stop => rows.stand(row()),
            }
            deferral.written = Written::Nothing;
        }
    }

    /// Takes in a deferral that the database holds.
    pub(super) fn restore(&mut self, row: DeferralRow, is_resumed: bool) {
        let mut lane = self.new_lane(&row.scope);
        lane.clock = row.clock;
        lane.fired_to = row.fired_to;
        lane.definitions_version = row.definitions;
        if row.scope.customer.is_some() {
            let tenant = row.scope.tenant.clone();
            lane.tracked = TrackedLeaves::from_leaves(&tenant, row.tracked.iter().copied());
            let begun = |at| Reevaluation::begin(tenant.clone(), row.definitions, at);
            let begun = row.redefined_at.map(begun).into_iter();
            lane.reevaluations = begun.map(|it| (it.tenant.clone(), it)).collect();
        }
        let mut deferral = Deferral::new(row, lane);
        deferral.is_resumed = is_resumed;
        self.deferrals.add(deferral);
    }

    /// Defers a tenant that is not defined, from an offset on; `false` if too many are.
    pub(crate) fn defer_undefined(&mut self, tenant: &TenantId, offset: i64) -> bool {
        if self.is_catching_up() || self.deferrals.are_full() {
            return false;
        }
        let scope = Scope::tenant(tenant.clone());
        let detail = format!("tenant {tenant} is not defined");
        self.defer(scope, DeferralReason::Undefined, detail, offset);
        true
    }

    /// Defers a scope from an offset on, until an operator resumes it. In the lane of that scope, it stands still
    /// again there; a customer is split off the lane of its tenant.
    pub(crate) fn stop(
        &mut self,
        scope: Scope,
        reason: DeferralReason,
        detail: String,
        offset: i64,
    ) {
        let lane = self.lane.scope.clone();
        let is_part = |lane: &Scope| lane.customer.is_none() && scope.customer.is_some();
        let Some(scope) = lane.filter(|lane| !is_part(lane)) else {
            return self.defer(scope, reason, detail, offset);
        };
        self.note_position(offset);
        if let Some(deferral) = self.deferrals.by_scope.get_mut(&scope) {
            let partition = self.partition;
            tracing::error!(
                partition, %scope, reason = reason.as_str(), offset, "deferred again: {detail}"
            );
            deferral.stand(reason, detail);
        }
    }

    /// Defers a customer that could not be folded, from the position of its lane on; its tenant as a whole, if
    /// too many of its customers are. Just after a claim: no part of it is in memory.
    pub(crate) fn quarantine(&mut self, key: &CustomerKey, detail: String) {
        let scope = Scope::customer(key.clone());
        if let Some(deferral) = self.deferrals.by_scope.get_mut(&scope) {
            deferral.stand(DeferralReason::Quarantined, detail);
            return;
        }
        let quarantined = self.deferrals.count_quarantined(Some(&key.tenant));
        if quarantined >= MAX_QUARANTINED_OF_TENANT {
            let detail = format!(
                "{quarantined} customers of tenant {} could not be processed, and then {}: {detail}",
                key.tenant,
                key.customer.as_str()
            );
            self.quarantine_tenant(&key.tenant, detail);
            return;
        }
        let whole = Scope::tenant(key.tenant.clone());
        match self
            .deferrals
            .by_scope
            .get(&whole)
            .map(|it| it.row.next_offset)
        {
            None => self.defer(scope, DeferralReason::Quarantined, detail, self.next_offset),
            Some(offset) => {
                self.enter(&whole);
                self.defer(scope, DeferralReason::Quarantined, detail, offset);
                self.leave(&whole);
            }
        }
    }

    fn quarantine_tenant(&mut self, tenant: &TenantId, detail: String) {
        let (whole, reason) = (Scope::tenant(tenant.clone()), DeferralReason::Quarantined);
        match self.deferrals.by_scope.get_mut(&whole) {
            Some(deferral) => deferral.stand(reason, detail),
            None => self.defer(whole, reason, detail, self.next_offset),
        }
    }

    /// Splits a scope off the lane in place.
    fn defer(&mut self, scope: Scope, reason: DeferralReason, detail: String, offset: i64) {
        let mut lane = self.new_lane(&scope);
        if reason == DeferralReason::Undefined {
            lane.definitions_version = -1;
        }
        self.lane.timers.release(|key| scope.covers(key));
        let tenant = &scope.tenant;
        let is_whole = scope.customer.is_none();
        let tracked = lane.tracked.tenant(tenant).iter().collect();
        let redefined_at = lane.reevaluations.get(tenant).map(|it| it.activated_at);
        let row = DeferralRow {
            reason,
            detail,
            from_offset: offset,
            next_offset: offset,
            clock: lane.clock,
            fired_to: lane.fired_to,
            definitions: lane.definitions_version,
            evaluation: EVALUATION_VERSION,
            events: 0,
            tracked: if is_whole { Vec::new() } else { tracked },
            redefined_at: redefined_at.filter(|_| !is_whole),
            binary_version: binary_version(),
            scope,
        };
        tracing::error!(
            partition = self.partition, scope = %row.scope, reason = reason.as_str(), offset,
            "deferred: {}", row.detail
        );
        let mut deferral = Deferral::new(row, lane);
        deferral.written = Written::Beginning;
        self.deferrals.add(deferral);
    }

    /// Returns a lane for a scope that stands where the lane in place stands: of a whole tenant, its tracked
    /// leaves and its re-evaluation move there.
    fn new_lane(&mut self, scope: &Scope) -> Lane {
        let tenant = &scope.tenant;
        let live = &mut self.lane;
        let (tracked, reevaluation) = if scope.customer.is_none() {
            (live.tracked.take(tenant), live.reevaluations.remove(tenant))
        } else {
            let tracked = TrackedLeaves::from_leaves(tenant, live.tracked.tenant(tenant).iter());
            (tracked, live.reevaluations.get(tenant).cloned())
        };
        Lane {
            scope: Some(scope.clone()),
            clock: live.clock,
            fired_to: live.fired_to,
            definitions: live.definitions.clone(),
            definitions_version: live.definitions_version,
            timers: Timers::unread(),
            reevaluations: reevaluation
                .map(|it| (tenant.clone(), it))
                .into_iter()
                .collect(),
            tracked,
        }
    }
}
