//! The redrive of parked events: those that wait for nothing any more, and those that operators name.

use std::collections::VecDeque;
use std::sync::Arc;

use rdkafka::Timestamp;
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::{CustomerKey, TenantId};
use uuid::Uuid;

use super::admission::{Admission, Admitted};
use super::classification::{Classification, Classifier, Item, park_undecoded};
use super::context::{Context, TaskExit};
use super::folder::Folder;
use super::projector::Projector;
use super::retry::Retry;
use super::schema_lookups::SchemaLookups;
use crate::parking::Reason;
use crate::record::Record;
use crate::store::{Outcome, ParkedRow, SettledRequest, StoreError};

/// The largest number of parked events retried in one batch.
const REDRIVEN_PER_BATCH: i64 = 500;

/// The parked events of a partition that wait for nothing any more, tenant by tenant: their tenant is
/// defined, or late events are accepted.
#[derive(Debug)]
pub(super) struct Redrives {
    shared: Arc<Context>,
    partition: i32,
    retry: Retry,
    waiting: VecDeque<Waiting>,
}

/// Parked events of a tenant to be retried.
#[derive(Debug, Clone)]
struct Waiting {
    tenant: TenantId,
    reason: Reason,
    /// The offset up to which events were retried.
    after: i64,
}

impl Redrives {
    /// Loads the events of a partition just claimed that may wait for nothing any more: those of tenants
    /// that were unknown.
    pub(super) async fn load(
        shared: Arc<Context>,
        partition: i32,
        retry: Retry,
    ) -> Result<Self, StoreError> {
        let (store, topic) = (&shared.store, &shared.topic);
        let reason = Reason::UnknownTenant;
        let tenants = store.load_parked_tenants(topic, partition, reason).await?;
        let waiting = tenants
            .into_iter()
            .map(|tenant| Waiting::new(tenant, reason));
        Ok(Self {
            waiting: waiting.collect(),
            shared,
            partition,
            retry,
        })
    }

    /// Returns whether no parked event is known to wait for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a tenant's events that were parked for a reason.
    pub(super) fn add(&mut self, tenant: TenantId, reason: Reason) {
        self.waiting.push_back(Waiting::new(tenant, reason));
    }

    /// Reads the next events back, in the order of the log; none once all of them were.
    pub(super) async fn take(
        &mut self,
        projector: &mut Projector,
        classifier: &Classifier,
    ) -> Result<Vec<Redriven>, TaskExit> {
        let is_careful = projector.commits.is_careful();
        let most = if is_careful { 1 } else { REDRIVEN_PER_BATCH };
        let mut rows = Vec::new();
        while let Some(waiting) = self.waiting.front_mut() {
            let folder = &projector.folder;
            let tenant = &waiting.tenant;
            // Those of a deferred tenant are added again once it has caught up.
            if folder.tenant(tenant).is_some() && folder.folds_tenant(tenant) {
                // Rows parked by a commit under way would be missed.
                projector.settle().await?;
                let (store, topic) = (&self.shared.store, &self.shared.topic);
                let Waiting {
                    tenant,
                    reason,
                    after,
                } = &*waiting;
                let load = || {
                    let (partition, limit) = (self.partition, most);
                    store.load_parked(topic, partition, *reason, tenant, *after, limit)
                };
                rows = self.retry.until_available(load).await?;
            }
            if let Some(last) = rows.last() {
                waiting.after = last.offset;
                break;
            }
            self.waiting.pop_front();
        }
        let mut redriven = Vec::with_capacity(rows.len());
        for row in rows {
            redriven.push(Redriven::classify(row, classifier).await?);
        }
        Ok(redriven)
    }
}

impl Waiting {
    const fn new(tenant: TenantId, reason: Reason) -> Self {
        let after = -1;
        Self {
            tenant,
            reason,
            after,
        }
    }
}

/// A parked event that is retried.
#[derive(Debug)]
pub(super) struct Redriven {
    before: ParkedRow,
    item: Item,
    /// The request of the operator command, if there is one.
    request: Option<Uuid>,
}

impl Redriven {
    /// Classifies an event again that waits for nothing any more.
    async fn classify(before: ParkedRow, classifier: &Classifier) -> Result<Self, TaskExit> {
        let record = record(&before);
        let item = classifier.reclassify(record, before.appended_at).await?;
        Ok(Self {
            before,
            item,
            request: None,
        })
    }

    /// Classifies an event again that an operator named, with the cached schemas. Returns `None` where
    /// a schema is missing that the registry, as far as is known, may have.
    pub(super) fn command(
        before: ParkedRow,
        request: Uuid,
        classifier: &Classifier,
        lookups: &mut SchemaLookups,
    ) -> Option<Self> {
        let unread = [
            Reason::Undecodable,
            Reason::UnknownSchema,
            Reason::Incompatible,
        ];
        let id = before.value.as_deref().and_then(Decoder::schema_id);
        // The registry may have returned a wrong schema.
        if unread.contains(&before.reason)
            && id.is_some_and(|id| !lookups.is_answered((request, id)))
        {
            return None;
        }
        let item = match classifier.reclassify_cached(record(&before), before.appended_at) {
            Ok(item) => item,
            Err(id) if lookups.is_answered((request, id)) => Item {
                record: record(&before),
                appended_at: before.appended_at,
                is_redriven: true,
                classification: Classification::Park(park_undecoded(DecodeError::UnknownSchema {
                    id,
                })),
            },
            Err(_) => return None,
        };
        Some(Self {
            before,
            item,
            request: Some(request),
        })
    }

    /// Returns the classified event, to be forwarded if it is misrouted.
    pub(super) const fn item_mut(&mut self) -> &mut Item {
        &mut self.item
    }

    /// Returns the customer of the event, if the event is folded.
    pub(super) fn customer(&self) -> Option<CustomerKey> {
        self.item.customer()
    }

    /// Folds or forwards the event, or leaves it parked; answers the operator.
    pub(super) fn fold(
        &self,
        shared: &Context,
        admission: &Admission,
        folder: &mut Folder,
    ) -> Result<(), TaskExit> {
        let before = &self.before;
        let admitted = admission.try_fold(folder, &self.item)?;
        let pending = folder.pending_mut();
        let (outcome, reason, detail) = match admitted {
            Admitted::Folded | Admitted::Known | Admitted::Forwarded => {
                shared.metrics.redriven.inc();
                pending.unpark(before);
                let outcome = match admitted {
                    Admitted::Folded => Outcome::Folded,
                    Admitted::Forwarded => Outcome::Republished,
                    _ => Outcome::Known,
                };
                (outcome, before.reason, None)
            }
            Admitted::Offboarded => {
                pending.discard(before);
                (Outcome::Discarded, before.reason, None)
            }
            Admitted::Deferred => {
                let detail =
                    "its tenant or customer is deferred: redrive it again once that has caught up";
                (Outcome::Parked, before.reason, Some(detail.to_owned()))
            }
            Admitted::Parked(park) => {
                let now = park.row(&self.item.record, self.item.appended_at);
                let (reason, detail) = (now.reason, now.detail.clone());
                if reason != before.reason {
                    pending.repark(before, now);
                }
                (Outcome::Parked, reason, Some(detail))
            }
        };
        if let Some(request) = self.request {
            pending.rows.settled.push(SettledRequest {
                request,
                offset: before.offset,
                outcome,
                reason: Some(reason),
                detail,
            });
        }
        Ok(())
    }
}

/// Returns the record of a parked event, as it came.
fn record(parked: &ParkedRow) -> Record {
    Record {
        offset: parked.offset,
        timestamp: Timestamp::NotAvailable,
        key: parked.key.clone(),
        value: parked.value.clone(),
        headers: parked.headers.clone(),
    }
}
