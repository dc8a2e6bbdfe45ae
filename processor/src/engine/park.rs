//! The decision to park a record, and the row that keeps it.

use std::sync::Arc;

use tidemark_projections::customer::Refused;
use tidemark_schemas::{CustomerEvent, CustomerId, CustomerKey, Instant, TenantId};

use crate::parking::Reason;
use crate::record::Record;
use crate::store::ParkedRow;

/// A decision to park, with what is known of the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Park {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) customer: Option<String>,
    pub(crate) source: Option<Arc<str>>,
}

impl Park {
    /// Parks a record of which nothing could be read.
    pub(crate) fn unread(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            field: None,
            tenant: None,
            customer: None,
            source: None,
        }
    }

    /// Parks an event.
    pub(crate) fn event(event: &CustomerEvent, reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
            field: None,
            tenant: Some(event.tenant_id.clone()),
            customer: Some(event.customer_id.as_str().to_owned()),
            source: Some(Arc::clone(&event.source)),
        }
    }

    /// Parks an event that its customer refuses.
    pub(crate) fn refused(event: &CustomerEvent, refused: Refused) -> Self {
        match refused {
            Refused::Late(late) => Self::event(event, Reason::Late, late.to_string()),
            Refused::TooLarge(too_large) => {
                let detail = format!("{too_large} (`max_customer_kib` of the tenant sets it)");
                Self::event(event, Reason::CustomerTooLarge, detail)
            }
        }
    }

    /// Parks an event of an id that is no customer's.
    pub(crate) fn placeholder(event: &CustomerEvent) -> Self {
        let detail = format!(
            "{:?} is a placeholder for an unknown customer (`placeholder_ids` of the tenant lists them)",
            event.customer_id.as_str()
        );
        Self::event(event, Reason::PlaceholderId, detail)
    }

    /// Takes tenant and customer from the key of a record whose value names no tenant, if that tenant
    /// is defined.
    pub(crate) fn or_of_key(
        mut self,
        record: &Record,
        is_defined: impl Fn(&TenantId) -> bool,
    ) -> Self {
        let keyed = record.key.as_deref().and_then(CustomerKey::from_record_key);
        if let (None, Some(key)) = (&self.tenant, keyed)
            && is_defined(&key.tenant)
        {
            self.tenant = Some(key.tenant);
            self.customer
                .get_or_insert_with(|| key.customer.as_str().to_owned());
        }
        self
    }

    /// Returns the customer, where it could be read.
    pub(crate) fn customer_key(&self) -> Option<CustomerKey> {
        Some(CustomerKey {
            tenant: self.tenant.clone()?,
            customer: CustomerId::new(self.customer.as_deref()?).ok()?,
        })
    }

    /// Returns the row that keeps the record.
    pub(crate) fn row(self, record: &Record, appended_at: Instant) -> ParkedRow {
        // Postgres text holds no NUL; the detail may quote what a producer sent.
        let clean = |text: String| text.replace('\0', "\u{fffd}");
        ParkedRow {
            offset: record.offset,
            tenant: self.tenant,
            customer: self.customer,
            source: self.source.map(|source| clean(source.to_string())),
            reason: self.reason,
            detail: clean(self.detail),
            field: self.field.map(clean),
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
            appended_at,
        }
    }
}
