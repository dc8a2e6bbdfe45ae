//! Migrations of the database: roles, the shared schema, and the first generation of projections.
//!
//! Everything here is idempotent and may run concurrently. It needs a login that
//! may create roles and schemas (a superuser may, but `createrole` and `create on database` are
//! enough); the processor and the API need neither.

mod generation;

use sqlx::Row;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnection;

pub use self::generation::{GenerationSpec, ensure_generation};
use crate::store::StoreError;
use crate::store::connections::{connect, parse_url};

/// The first version with views that run with the caller's privileges (`security_invoker`).
const OLDEST_POSTGRES: i32 = 15;

/// Brings the shared schema up to date. Idempotent; concurrent runs wait for each other.
pub async fn migrate(url: &str) -> Result<(), StoreError> {
    let mut connection = connect(&parse_url(url)?).await?;
    check_privileges(&mut connection).await?;
    sqlx::raw_sql(include_str!("store/prepare.sql"))
        .execute(&mut connection)
        .await?;
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.dangerous_set_table_name("tidemark.migration");
    migrator
        .run_direct(None, &mut connection, false)
        .await
        .map_err(explain)
}

/// Names the privilege that the login lacks, before a statement fails with a less specific error.
async fn check_privileges(connection: &mut PgConnection) -> Result<(), StoreError> {
    let row = sqlx::query(include_str!("store/privileges.sql"))
        .fetch_one(connection)
        .await?;
    let login: String = row.try_get("login")?;
    let database: String = row.try_get("database")?;
    if row.try_get::<i32, _>("version_number")? / 10_000 < OLDEST_POSTGRES {
        let version: String = row.try_get("version")?;
        return Err(StoreError::Setup(format!(
            "it is Postgres {version}; Tidemark needs {OLDEST_POSTGRES} or newer"
        )));
    }
    let may_create_roles: bool = row.try_get("may_create_roles")?;
    if !row.try_get::<bool, _>("has_roles")? && !may_create_roles {
        return Err(StoreError::Setup(format!(
            "the login {login} may not create the roles tidemark_owner, tidemark_processor and \
             tidemark_api: `alter role {login} createrole`, or create them (nologin) and grant \
             tidemark_owner to {login}"
        )));
    }
    if !row.try_get::<bool, _>("is_owner")? && !may_create_roles {
        return Err(StoreError::Setup(format!(
            "the login {login} is not a member of tidemark_owner: \
             `grant tidemark_owner to {login}`"
        )));
    }
    if !row.try_get::<bool, _>("may_create_schemas")? {
        return Err(StoreError::Setup(format!(
            "the login {login} may not create schemas: \
             `grant create on database {database} to {login}`"
        )));
    }
    Ok(())
}

fn explain(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(version) => StoreError::Setup(format!(
            "a newer Tidemark migrated it (version {version}): use that one or a newer one"
        )),
        other => StoreError::Setup(other.to_string()),
    }
}
