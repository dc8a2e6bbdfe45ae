//! No tenant sees another: under the API's role, whatever is asked of whatever relation there is.
//! Relations are listed from the catalog, so that a new one is checked without being named here.

use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, PgConnection};
use tidemark_processor::store::{Batch, BundleEffect, ChangeSet, Reevaluation};
use tidemark_projections::evaluated::{Cause, Change, ChangeKind};
use tidemark_schemas::{CustomerKey, EventId, Instant, TenantId};
use uuid::Uuid;

use crate::batches::{after, at, bundle, deferred, filled, key, late, redrive, tenant, tracked};
use crate::database::{Database, TOPIC, number};

const TENANTS: [&str; 2] = ["acme", "globex"];

/// A table or view of ours.
#[derive(Debug, sqlx::FromRow)]
struct Relation {
    name: String,
    first_column: String,
    is_view: bool,
    has_tenant: bool,
    /// Whether the API can read at least one column.
    readable: bool,
}

const RELATIONS: &str = "
    select pg_class.oid::regclass::text as name,
           (select quote_ident(attname) from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and attidentity = ''
            order by attnum limit 1) as first_column,
           relkind = 'v' as is_view,
           exists (select from pg_attribute
                   where attrelid = pg_class.oid and attname = 'tenant_id') as has_tenant,
           has_any_column_privilege('tidemark_api', pg_class.oid, 'select') as readable
    from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace
    where (nspname like 'tidemark%' or nspname like 'gen%')
      and relkind in ('r', 'p', 'v', 'm', 'f')
    order by nspname, relname";

/// The relations that the API reads although they belong to no tenant.
const OF_NOBODY: &str =
    "gen_1.progress gen_1.heartbeat gen_1.invalidation tidemark.bundle tidemark.generation";

async fn relations(database: &Database) -> Vec<Relation> {
    let found = sqlx::query_as(RELATIONS)
        .fetch_all(&mut database.admin().await)
        .await
        .unwrap();
    // All that were there when this was written.
    assert!(found.len() >= 21, "{found:?}");
    found
}

/// A database in which both tenants have a row in each table, with the same customer id.
async fn populated() -> Database {
    let database = Database::ready().await;
    let store = database.store().await;
    let operators = database.operators().await;
    let since = at("2024-05-01T12:00:00.000001Z");
    for (partition, tenant_id) in (0..).zip(TENANTS) {
        let claim = store.claim(TOPIC, partition, "a").await.unwrap();
        let mut batch = filled(after(&claim, partition), tenant_id, "ada");
        let (tenant, ada) = (tenant(tenant_id), key(tenant_id, "ada"));
        a_row_everywhere(&mut batch, &tenant, &ada, since);
        store.commit(TOPIC, &batch).await.unwrap();
        let requested = operators.request(&redrive(), &[(partition, 1)]).await;
        assert_eq!(requested.unwrap(), 1);
        let bundle = bundle(i64::from(partition), None);
        let effect = BundleEffect {
            tenants: vec![(tenant.clone(), "{}".to_owned())],
            accepted_late: vec![(tenant, EventId(Uuid::from_u128(1)))],
            ..BundleEffect::default()
        };
        let shared = store.database();
        shared.record_bundle(&bundle, &effect).await.unwrap();
        let mut api = database.api().await;
        be(&mut api, tenant_id).await;
        audit(&mut api, tenant_id).await.unwrap();
    }
    for relation in relations(&database)
        .await
        .iter()
        .filter(|relation| relation.has_tenant)
    {
        let query = format!("select count(distinct tenant_id) from {}", relation.name);
        let tenants = number(&mut database.admin().await, query).await.unwrap();
        assert_eq!(tenants, 2, "put rows of both into {} here", relation.name);
    }
    database
}

/// A row of the customer in every table that [`filled`] leaves empty.
fn a_row_everywhere(batch: &mut Batch, tenant: &TenantId, ada: &CustomerKey, since: Instant) {
    batch.rows.offboardings.begin(tenant.clone(), 0);
    batch.rows.timers.set(ada.clone(), Some(since));
    let position = (ada.clone(), Arc::from("sales"), Arc::from("lead"), since);
    batch.rows.positions.entered.push(position);
    batch.rows.checkpoint = Some(batch.rows.counts.digests.clone());
    batch.rows.activation = Some((1, since));
    batch.rows.tracked.push(tracked(tenant, 7, Some(since)));
    let reevaluation = Reevaluation::begin(tenant.clone(), 1, since);
    batch.rows.reevaluations.set(reevaluation);
    let change = Change {
        kind: ChangeKind::Stage,
        name: Arc::from("sales"),
        from: None,
        to: Some(Arc::from("lead")),
        effective_at: since,
        cause: Cause::Timer,
        definition_version: 1,
    };
    batch.rows.changes.push(ChangeSet {
        seq: 1,
        key: ada.clone(),
        definition_version: change.definition_version,
        changes: vec![change],
    });
    batch.rows.deferrals.set(deferred(tenant, since));
    batch.rows.parked.parked.push(late(tenant, since));
}

async fn be(connection: &mut PgConnection, tenant: &str) {
    let be = sqlx::query("select set_config('tidemark.tenant', $1, false)").bind(tenant);
    be.execute(connection).await.unwrap();
}

async fn audit(connection: &mut PgConnection, tenant: &str) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into tidemark.audit (tenant_id, subject, role, action) \
        values ($1, 'somebody', 'viewer', 'customer.attributes')",
    )
    .bind(tenant)
    .execute(connection)
    .await
    .map(drop)
}

const DENIED: &str = "42501";
/// A view without write access.
const IMPOSSIBLE: &str = "55000";

/// The code of the error that it must have ended with.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, sqlx::Error>, what: &str) -> String {
    let error = result.expect_err(what);
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.expect(what).into_owned()
}

#[track_caller]
fn assert_denied<T: std::fmt::Debug>(result: Result<T, sqlx::Error>, what: &str) {
    assert_eq!(refusal(result, what), DENIED, "{what}");
}

#[tokio::test]
async fn a_session_without_a_tenant_sees_no_rows() {
    let database = populated().await;
    let mut api = database.api().await;
    for used in [false, true] {
        if used {
            // A connection that once served a tenant answers '' for the setting, not null.
            sqlx::raw_sql("begin; set local tidemark.tenant = 'acme'; commit")
                .execute(&mut api)
                .await
                .unwrap();
        }
        for relation in relations(&database).await {
            let rows = number(&mut api, format!("select count(*) from {}", relation.name)).await;
            match (relation.readable, relation.has_tenant) {
                (true, true) => assert_eq!(rows.unwrap(), 0, "{relation:?}"),
                (true, false) => assert!(
                    OF_NOBODY.split(' ').any(|name| name == relation.name),
                    "{relation:?}: must the API read what belongs to no tenant?"
                ),
                (false, _) => assert_denied(rows, &relation.name),
            }
        }
    }
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_only() {
    let database = populated().await;
    let mut api = database.api().await;
    for tenant in TENANTS {
        be(&mut api, tenant).await;
        for relation in relations(&database).await {
            if !relation.readable || !relation.has_tenant {
                continue;
            }
            let name = &relation.name;
            let own = format!("select count(*) from {name} where tenant_id = '{tenant}'");
            assert!(number(&mut api, own).await.unwrap() > 0, "{name}");
            let others = format!("select count(*) from {name} where tenant_id <> '{tenant}'");
            assert_eq!(number(&mut api, others).await.unwrap(), 0, "{name}");
        }
    }
    be(&mut api, "initech").await;
    assert_eq!(
        number(&mut api, "select count(*) from gen_1.customer".into())
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn the_api_reads_only_the_listed_relations() {
    let database = populated().await;
    let readable = relations(&database)
        .await
        .into_iter()
        .filter(|relation| relation.readable);
    let names: Vec<String> = readable.map(|relation| relation.name).collect();
    assert_eq!(
        names,
        [
            "gen_1.change",
            "gen_1.change_set",
            "gen_1.counter",
            "gen_1.customer",
            "gen_1.deferral",
            "gen_1.digest",
            "gen_1.heartbeat",
            "gen_1.invalidation",
            "gen_1.membership",
            "gen_1.offboarding",
            "gen_1.parked",
            "gen_1.\"position\"",
            "gen_1.progress",
            "gen_1.reevaluation",
            "gen_1.rollup",
            "gen_1.tracked_leaf",
            "tidemark.bundle",
            "tidemark.generation",
            "tidemark.tenant_definition",
            "tidemark_views.change",
            "tidemark_views.customer",
            "tidemark_views.membership",
            "tidemark_views.\"position\"",
            "tidemark_views.rollup",
        ]
    );
    let mut api = database.api().await;
    let position = "select max(next_offset + clock + epoch) from gen_1.progress";
    assert!(number(&mut api, position.to_owned()).await.is_ok());
    for (column, table) in [("owner", "gen_1.progress"), ("bundle", "tidemark.bundle")] {
        let read = number(&mut api, format!("select count({column}) from {table}")).await;
        assert_denied(read, column);
    }
}

#[tokio::test]
async fn the_api_inserts_only_audit_rows_of_its_tenant() {
    let database = populated().await;
    let mut api = database.api().await;
    be(&mut api, "acme").await;
    for Relation {
        name,
        first_column,
        is_view,
        ..
    } in relations(&database).await
    {
        let mut attempts = vec![
            format!("update {name} set {first_column} = {first_column}"),
            format!("delete from {name}"),
            format!("select {first_column} from {name} for update"),
        ];
        if !is_view {
            attempts.push(format!("truncate {name}"));
        }
        if name != "tidemark.audit" {
            attempts.push(format!(
                "insert into {name} ({first_column}) select null where false"
            ));
        }
        for attempt in attempts {
            let result = sqlx::raw_sql(AssertSqlSafe(attempt.clone()))
                .execute(&mut api)
                .await;
            let refusal = refusal(result, &attempt);
            let impossible = is_view && refusal == IMPOSSIBLE;
            assert!(impossible || refusal == DENIED, "{attempt}: {refusal}");
        }
        let other = "not has_table_privilege('tidemark_api', $1, 'references, trigger')";
        let query = format!("select {other}");
        let none: bool = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(&name)
            .fetch_one(&mut api)
            .await
            .unwrap();
        assert!(none, "{name}");
    }
    for schema in ["tidemark", "tidemark_views", "gen_1", "public"] {
        let create = format!("create table {schema}.mine (id int)");
        let result = sqlx::raw_sql(AssertSqlSafe(create.clone()))
            .execute(&mut api)
            .await;
        assert_denied(result, &create);
    }
    audit(&mut api, "acme").await.unwrap();
    assert_denied(
        audit(&mut api, "globex").await,
        "an audit row of another tenant",
    );
    be(&mut api, "").await;
    assert_denied(
        audit(&mut api, "acme").await,
        "an audit row without a tenant",
    );
    assert_denied(audit(&mut api, "").await, "an audit row of no tenant");
}

#[tokio::test]
async fn policies_bind_every_role() {
    let database = populated().await;
    let unforced = "select count(*) from pg_class
        join pg_attribute on attrelid = pg_class.oid and attname = 'tenant_id'
        join pg_namespace on pg_namespace.oid = relnamespace
        where (nspname like 'tidemark%' or nspname like 'gen%') and relkind in ('r', 'p')
          and not (relrowsecurity and relforcerowsecurity)";
    assert_eq!(database.count(unforced).await, 0);
    let with_owners_eyes = "select count(*) from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        where nspname = 'tidemark_views'
          and not coalesce(reloptions, '{}') @> array['security_invoker=true']";
    assert_eq!(database.count(with_owners_eyes).await, 0);
    let foreign = "select count(*) from pg_class
        join pg_namespace on pg_namespace.oid = relnamespace
        where (nspname like 'tidemark%' or nspname like 'gen%')
          and relowner <> 'tidemark_owner'::regrole";
    assert_eq!(database.count(foreign).await, 0);
    // The owner too, which has no policy.
    let mut owner = database.admin().await;
    sqlx::raw_sql("set role tidemark_owner")
        .execute(&mut owner)
        .await
        .unwrap();
    be(&mut owner, "acme").await;
    for relation in relations(&database)
        .await
        .iter()
        .filter(|relation| relation.has_tenant)
    {
        let rows = number(
            &mut owner,
            format!("select count(*) from {}", relation.name),
        )
        .await;
        assert_eq!(rows.unwrap(), 0, "{relation:?}");
    }
}

#[tokio::test]
async fn views_show_timestamps_and_names() {
    let database = populated().await;
    let mut api = database.api().await;
    be(&mut api, "acme").await;
    let shown: (String, String, String) = sqlx::query_as(
        "select churn_band, evaluated_at::text, since::text
         from tidemark_views.customer join tidemark_views.position using (tenant_id, customer_id)",
    )
    .fetch_one(&mut api)
    .await
    .unwrap();
    let expected = [
        "medium",
        "2024-05-01 10:00:00.000001+00",
        "2024-05-01 12:00:00.000001+00",
    ];
    assert_eq!([&*shown.0, &*shown.1, &*shown.2], expected);
    for (micros, text) in [
        (-1_i64, "1969-12-31 23:59:59.999999+00"),
        (253_402_207_200_000_000, "9999-12-30 22:00:00+00"),
        (253_402_207_199_999_999, "9999-12-30 21:59:59.999999+00"),
        (-210_866_803_200_000_000, "4714-11-24 00:00:00+00 BC"),
        (-377_705_023_201_000_000, "-infinity"),
    ] {
        let shown: String = sqlx::query_scalar("select tidemark.instant($1)::text")
            .bind(micros)
            .fetch_one(&mut api)
            .await
            .unwrap();
        assert_eq!(shown, text);
    }
    let undocumented = "select count(*) from pg_attribute
        join pg_class on attrelid = pg_class.oid
        where relnamespace = 'tidemark_views'::regnamespace and attnum > 0
          and col_description(attrelid, attnum) is null";
    assert_eq!(database.count(undocumented).await, 0);
}
