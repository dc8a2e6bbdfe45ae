//! Row-level security: the rows that the API's role can reach with any statement.

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool, Row};

use super::requests::two_tenants;
use crate::routes::world::World;

/// Opens a connection as the API's role.
async fn api_role(world: &World) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    connection.execute("set role tidemark_api").await.unwrap();
    connection.execute("set search_path = gen_1").await.unwrap();
    connection
}

async fn name_tenant(connection: &mut PgConnection, tenant: &str) {
    sqlx::query("select set_config('tidemark.tenant', $1, false)")
        .bind(tenant)
        .execute(connection)
        .await
        .unwrap();
}

/// Returns every table and view with rows of tenants that the role may select from.
async fn readable(pool: &PgPool) -> Vec<String> {
    let rows = sqlx::query(
        "select format('%I.%I', nspname, relname)
         from pg_class
         join pg_namespace on pg_namespace.oid = relnamespace
         where nspname in ('gen_1', 'tidemark', 'tidemark_views')
           and relkind in ('r', 'p', 'v', 'm')
           and has_any_column_privilege('tidemark_api', pg_class.oid, 'select')
           and exists (
               select from pg_attribute
               where attrelid = pg_class.oid and attname = 'tenant_id'
           )
         order by 1",
    );
    let rows = rows.fetch_all(pool).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn tenants_in(connection: &mut PgConnection, relation: &str) -> Vec<String> {
    let statement = format!("select distinct tenant_id from {relation} order by 1");
    let rows = connection
        .fetch_all(AssertSqlSafe(statement))
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn connection_without_a_tenant_sees_no_rows() {
    let world = two_tenants().await;
    let relations = readable(&world.database.pool).await;
    assert!(
        relations.contains(&"gen_1.customer".to_owned()),
        "{relations:?}"
    );
    assert!(
        relations.contains(&"tidemark_views.customer".to_owned()),
        "{relations:?}"
    );
    let mut connection = api_role(&world).await;
    for relation in &relations {
        assert!(
            tenants_in(&mut connection, relation).await.is_empty(),
            "{relation}"
        );
    }
    // A connection that had a tenant returns '' afterwards, and '' gives no rows either.
    for nothing in ["acme", ""] {
        connection.execute("begin").await.unwrap();
        sqlx::query("select set_config('tidemark.tenant', $1, true)")
            .bind(nothing)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.execute("commit").await.unwrap();
        for relation in &relations {
            assert!(
                tenants_in(&mut connection, relation).await.is_empty(),
                "{relation}"
            );
        }
    }
}

#[tokio::test]
async fn connection_with_a_tenant_sees_its_rows_alone() {
    let world = two_tenants().await;
    let relations = readable(&world.database.pool).await;
    let mut connection = api_role(&world).await;
    for tenant in ["acme", "globex", "ACME", "acme' or true --", "%"] {
        name_tenant(&mut connection, tenant).await;
        for relation in &relations {
            let found = tenants_in(&mut connection, relation).await;
            assert!(found.iter().all(|id| id == tenant), "{relation}: {found:?}");
        }
        let customers = tenants_in(&mut connection, "gen_1.customer").await;
        assert_eq!(
            customers.len(),
            usize::from(["acme", "globex"].contains(&tenant))
        );
    }
}

#[tokio::test]
async fn api_role_writes_only_audit_rows_of_its_tenant() {
    let world = two_tenants().await;
    let mut connection = api_role(&world).await;
    name_tenant(&mut connection, "acme").await;
    let forbidden = [
        "update gen_1.customer set band = 0",
        "delete from gen_1.customer",
        "insert into gen_1.membership values ('acme', 'x', 'y', 0)",
        "update gen_1.progress set epoch = epoch + 1",
        "update tidemark.generation set state = 'retired'",
        "delete from tidemark.tenant_definition",
        "select * from tidemark.audit",
        "delete from tidemark.audit",
        "select * from gen_1.parked",
        "select owner from gen_1.progress",
        "insert into tidemark.audit (tenant_id, subject, role, action)
         values ('globex', 's', 'r', 'a')",
        "create table gen_1.mine (x int)",
        "create schema mine",
        "alter table gen_1.customer disable row level security",
        "truncate gen_1.customer",
    ];
    for statement in forbidden {
        let refused = connection.execute(statement).await;
        let error = refused.expect_err(statement);
        let code = error.as_database_error().and_then(DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
    let allowed = "insert into tidemark.audit (tenant_id, subject, role, action)
                   values ('acme', 's', 'r', 'a')";
    connection.execute(allowed).await.unwrap();
    let bundles = connection.execute("select * from tidemark.bundle").await;
    assert!(bundles.is_err());
}

/// Asserts that the policies bind the owner of the tables, too, so that its views cannot leak.
#[tokio::test]
async fn policies_bind_the_owner_of_the_tables() {
    let world = two_tenants().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&world.database.url)
        .await
        .unwrap();
    let mut connection = pool.acquire().await.unwrap();
    connection.execute("set role tidemark_owner").await.unwrap();
    let rows = connection
        .fetch_all("select * from gen_1.customer")
        .await
        .unwrap();
    assert!(rows.is_empty());
}
