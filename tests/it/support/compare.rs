//! Comparisons of the tables with the fold in memory, and of the tables with each other.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgPool};
use tidemark_projections::digest::Digest;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerId, CustomerKey, TenantId};

use super::reference::{Reference, Sum};
use super::rollups::{EVENT_KINDS, Place, Sums};

/// The projections of one generation, read with a role that sees every tenant.
pub(crate) struct Projections {
    pool: PgPool,
    schema: String,
}

impl Projections {
    /// Returns the projections of the active generation.
    pub(crate) async fn active(pool: &PgPool) -> Self {
        let id: i32 =
            sqlx::query_scalar("select id from tidemark.generation where state = 'active'")
                .fetch_one(pool)
                .await
                .unwrap();
        Self {
            pool: pool.clone(),
            schema: format!("gen_{id}"),
        }
    }

    /// Returns the rows of a query in which `$gen` stands for the generation's schema.
    pub(crate) async fn rows<Row>(&self, query: &str) -> Vec<Row>
    where
        Row: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let query = query.replace("$gen", &self.schema);
        sqlx::query_as(AssertSqlSafe(query))
            .fetch_all(&self.pool)
            .await
            .unwrap()
    }

    /// Returns the single number that a query gives.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        let rows: Vec<(i64,)> = self.rows(query).await;
        rows[0].0
    }

    /// Returns core state by customer.
    pub(crate) async fn states(&self) -> BTreeMap<CustomerKey, Vec<u8>> {
        let rows: Vec<(String, String, Vec<u8>)> = self
            .rows("select tenant_id, customer_id, state from $gen.customer")
            .await;
        rows.into_iter()
            .map(|(tenant, customer, state)| (key(&tenant, &customer), state))
            .collect()
    }

    /// Returns the number of customers and the digest, by tenant and partition.
    pub(crate) async fn sums(&self) -> BTreeMap<(TenantId, i32), Sum> {
        let rows: Vec<(String, i32, i64, Vec<u8>)> = self
            .rows("select tenant_id, partition, customers, digest from $gen.digest")
            .await;
        rows.into_iter()
            .map(|(tenant, partition, customers, digest)| {
                let digest = Digest::from_bytes(digest.try_into().unwrap());
                (
                    (TenantId::new(tenant).unwrap(), partition),
                    Sum { customers, digest },
                )
            })
            .collect()
    }

    /// Returns the number of events that changed a state, by tenant and partition.
    pub(crate) async fn folded(&self) -> BTreeMap<(TenantId, i32), i64> {
        let rows: Vec<(String, i32, i64)> = self
            .rows("select tenant_id, partition, events from $gen.digest")
            .await;
        rows.into_iter()
            .map(|(tenant, partition, events)| {
                ((TenantId::new(tenant).unwrap(), partition), events)
            })
            .collect()
    }

    /// Asserts that states, digests and rollups equal those of the fold in memory, whatever the
    /// order of the events.
    pub(crate) async fn assert_equal(&self, expected: &Reference) {
        let (found, wanted) = (self.states().await, expected.states());
        let differing: Vec<String> = wanted
            .keys()
            .chain(found.keys().filter(|key| !wanted.contains_key(key)))
            .filter(|key| found.get(key) != wanted.get(key))
            .map(|key| difference(key, found.get(key), wanted.get(key)))
            .collect();
        assert!(
            differing.is_empty(),
            "{} of {} customers differ; the first:\n{}",
            differing.len(),
            wanted.len(),
            differing[0]
        );
        assert_eq!(
            self.sums().await,
            expected.sums(),
            "digests differ although states are equal"
        );
        let (found, wanted) = (self.rollups().await, expected.rollups());
        let differing = wanted
            .keys()
            .chain(found.keys())
            .find(|place| found.get(place) != wanted.get(place));
        assert!(
            differing.is_none(),
            "{differing:?}: found {:?}, expected {:?}",
            differing.and_then(|place| found.get(place)),
            differing.and_then(|place| wanted.get(place)),
        );
    }

    /// Returns the rollups that follow from events alone.
    async fn rollups(&self) -> Sums {
        let kinds: Vec<String> = EVENT_KINDS
            .iter()
            .map(|kind| format!("kind like '{kind}%'"))
            .collect();
        let query = format!(
            "select concat_ws(e'\\t', tenant_id, kind, subject, day, item, detail, currency, partition, value)
             from $gen.rollup where value <> 0 and ({})",
            kinds.join(" or ")
        );
        let rows: Vec<(String,)> = self.rows(&query).await;
        rows.into_iter().map(|(row,)| place(&row)).collect()
    }

    /// Asserts that the tables agree with each other. A delta written twice, or not at all, is
    /// found here.
    pub(crate) async fn assert_consistent(&self) {
        for (what, query) in CONTRADICTIONS {
            let found: Vec<(String,)> = self.rows(query).await;
            let found: Vec<String> = found.into_iter().map(|(row,)| row).collect();
            assert!(found.is_empty(), "{what}: {}", found.join(", "));
        }
    }
}

/// Queries that return a row for each contradiction.
const CONTRADICTIONS: &[(&str, &str)] = &[
    (
        "the numbers of change sets have a gap or do not begin at 1",
        "select partition::text from $gen.change_set
         where partition not in (select partition from $gen.offboarding) group by partition
         having min(seq) <> 1 or max(seq) <> count(*)",
    ),
    (
        "the progress row does not name the last change set",
        "select p.partition::text from $gen.progress p
         where p.change_seq <>
             (select count(*) from $gen.change_set c where c.partition = p.partition)
           and p.partition not in (select partition from $gen.offboarding)",
    ),
    (
        "a change is stored twice",
        "select id::text from $gen.change group by id having count(*) > 1",
    ),
    (
        "a segment's size is not the number of its members",
        "select coalesce(c.tenant_id, m.tenant_id) || '/' || coalesce(c.name, m.segment)
         from (select tenant_id, name, sum(value)::bigint as size from $gen.counter
               where kind = 'segment' group by tenant_id, name having sum(value) <> 0) c
         full join (select tenant_id, segment, count(*) as size from $gen.membership
                    group by tenant_id, segment) m
             on m.tenant_id = c.tenant_id and m.segment = c.name
         where c.size is distinct from m.size",
    ),
    (
        "a stage's size is not the number of customers in it",
        "select coalesce(c.tenant_id, p.tenant_id) || '/' || coalesce(c.name, p.name)
         from (select tenant_id, name, sum(value)::bigint as size from $gen.counter
               where kind = 'stage' group by tenant_id, name having sum(value) <> 0) c
         full join (select tenant_id, journey || '/' || stage as name, count(*) as size
                    from $gen.position group by tenant_id, journey, stage) p
             on p.tenant_id = c.tenant_id and p.name = c.name
         where c.size is distinct from p.size",
    ),
    (
        "a band's size is not the number of customers in it",
        "select coalesce(c.tenant_id, b.tenant_id) || '/' || coalesce(c.name, b.name)
         from (select tenant_id, name, sum(value)::bigint as size from $gen.counter
               where kind = 'band' group by tenant_id, name having sum(value) <> 0) c
         full join (select tenant_id, (array['low', 'medium', 'high'])[band + 1] as name,
                           count(*) as size
                    from $gen.customer where band is not null group by tenant_id, band) b
             on b.tenant_id = c.tenant_id and b.name = c.name
         where c.size is distinct from b.size",
    ),
    (
        "entries less exits of a segment are not its members",
        "select coalesce(f.tenant_id, m.tenant_id) || '/' || coalesce(f.subject, m.segment)
         from (select tenant_id, subject,
                      sum(case kind when 'segment.entered' then value else -value end) as size
               from $gen.rollup where kind in ('segment.entered', 'segment.left')
               group by tenant_id, subject) f
         full join (select tenant_id, segment, count(*) as size from $gen.membership
                    group by tenant_id, segment) m
             on m.tenant_id = f.tenant_id and m.segment = f.subject
         where coalesce(f.size, 0) <> coalesce(m.size, 0)",
    ),
    (
        "the last change of a membership contradicts the membership table",
        "select l.tenant_id || '/' || l.customer_id || '/' || l.name
         from (select distinct on (tenant_id, customer_id, name) *
               from $gen.change where kind = 'segment'
               order by tenant_id, customer_id, name, partition, seq desc, step desc) l
         left join $gen.membership m on m.tenant_id = l.tenant_id
             and m.customer_id = l.customer_id and m.segment = l.name
         where (l.to_value is not null) <> (m.segment is not null)",
    ),
];

/// Parses a row of rollups. Columns are separated by tabs, which no id and no name contains.
fn place(row: &str) -> (Place, i128) {
    let columns: [&str; 9] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
    let [
        tenant,
        kind,
        subject,
        day,
        item,
        detail,
        currency,
        partition,
        value,
    ] = columns;
    let place = (
        tenant.to_owned(),
        kind.to_owned(),
        subject.to_owned(),
        day.parse().unwrap(),
        item.to_owned(),
        detail.to_owned(),
        currency.to_owned(),
        partition.parse().unwrap(),
    );
    (place, value.parse().unwrap())
}

fn key(tenant: &str, customer: &str) -> CustomerKey {
    CustomerKey {
        tenant: TenantId::new(tenant).unwrap(),
        customer: CustomerId::new(customer).unwrap(),
    }
}

fn difference(key: &CustomerKey, found: Option<&Vec<u8>>, wanted: Option<&Vec<u8>>) -> String {
    let shown = |state: Option<&Vec<u8>>| {
        state.map_or_else(
            || "nothing".to_owned(),
            |bytes| format!("{:?}", CustomerState::decode(bytes)),
        )
    };
    format!(
        "{}\n  found {}\n  expected {}",
        key.record_key(),
        shown(found),
        shown(wanted)
    )
}
