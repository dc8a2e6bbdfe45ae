//! The database made ready, by several at once and by logins of all kinds; what is said when it
//! cannot be.

use sqlx::Connection;
use tidemark_processor::migrate::{GenerationSpec, ensure_generation, migrate};
use tidemark_processor::store::{Committed, StoreError};
use tidemark_schemas::Partitioner;

use crate::batches::{after, filled};
use crate::database::{Database, TOPIC, background, cluster, config, execute, open, spec};

#[tokio::test]
async fn concurrent_and_repeated_migrations_succeed() {
    let database = Database::empty().await;
    let prepare = || {
        let url = database.url.clone();
        background(async move {
            migrate(&url).await?;
            ensure_generation(&url, &spec()).await
        })
    };
    let tasks: Vec<_> = (0..6).map(|_| prepare()).collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    assert_eq!(prepare().await.unwrap().unwrap(), 1);
    assert_eq!(
        database
            .count("select count(*) from tidemark.generation")
            .await,
        1
    );
    assert_eq!(database.store().await.generation().schema(), "gen_1");
}

#[tokio::test]
async fn databases_of_one_cluster_share_roles() {
    let databases = [
        Database::empty().await,
        Database::empty().await,
        Database::empty().await,
    ];
    let tasks = databases.map(|database| {
        background(async move {
            migrate(&database.url).await?;
            ensure_generation(&database.url, &spec()).await
        })
    });
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn migration_needs_no_superuser() {
    let database = Database::empty().await;
    let name = &database.name;
    execute(
        &database.url,
        &format!(
            "create role {name}_ops login createrole; create role {name}_app login;
             grant create on database {name} to {name}_ops"
        ),
    )
    .await;
    let operator = cluster().url(&format!("{name}_ops"), name);
    for _ in 0..2 {
        migrate(&operator).await.unwrap();
        assert_eq!(ensure_generation(&operator, &spec()).await.unwrap(), 1);
    }
    // Another operator, with less.
    migrate(&database.url).await.unwrap();
    // The application may do nothing until it is let in.
    let application = config(&cluster().url(&format!("{name}_app"), name));
    check(
        open(&application).await,
        "may not take on the role tidemark_processor",
    );
    execute(
        &operator,
        &format!("grant tidemark_processor to {name}_app"),
    )
    .await;
    let store = open(&application).await.unwrap();
    let claim = store.claim(TOPIC, 0, "a").await.unwrap();
    let batch = filled(after(&claim, 0), "acme", "ada");
    assert_eq!(store.commit(TOPIC, &batch).await.unwrap(), Committed::Yes);
}

#[track_caller]
fn check<T: std::fmt::Debug>(result: Result<T, StoreError>, says: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(says), "{text:?} should contain {says:?}");
}

#[tokio::test]
async fn missing_privileges_are_named_with_the_statement_that_grants_them() {
    // Roles are there once any database was prepared, so CREATEROLE is not what is missed first.
    Database::ready().await;
    let database = Database::empty().await;
    let name = &database.name;
    execute(&database.url, &format!("create role {name}_none login")).await;
    let nobody = cluster().url(&format!("{name}_none"), name);
    let missing = format!("grant tidemark_owner to {name}_none");
    check(migrate(&nobody).await, &missing);
    execute(&database.url, &missing).await;
    check(
        migrate(&nobody).await,
        &format!("grant create on database {name} to {name}_none"),
    );
    check(
        migrate(&cluster().url("nobody_at_all", name)).await,
        "does not accept the login",
    );
}

#[tokio::test]
async fn a_cluster_without_the_roles_needs_createrole() {
    let cluster = crate::cluster::Cluster::start("");
    execute(
        &cluster.url("postgres", "postgres"),
        "create role plain login",
    )
    .await;
    check(
        migrate(&cluster.url("plain", "postgres")).await,
        "alter role plain createrole",
    );
}

#[tokio::test]
async fn failed_connections_name_the_cause() {
    let database = Database::ready().await;
    execute(
        &database.url,
        "create role guarded login password 'right'; \
        grant tidemark_processor to guarded",
    )
    .await;
    let url = |password: &str| cluster().url(&format!("guarded{password}"), &database.name);
    for wrong in ["", ":wrong"] {
        let error = open(&config(&url(wrong))).await.unwrap_err();
        assert!(matches!(error, StoreError::Authentication(_)), "{error:?}");
        check(
            migrate(&url(wrong)).await,
            "password authentication failed for user \"guarded\"",
        );
    }
    open(&config(&url(":right"))).await.unwrap();

    let missing = cluster().url("postgres", "nowhere");
    let error = open(&config(&missing)).await.unwrap_err();
    assert!(matches!(error, StoreError::NoDatabase(_)), "{error:?}");
    check(
        migrate(&missing).await,
        "database \"nowhere\" does not exist",
    );

    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = format!("postgres://x@127.0.0.1:{port}/x");
    let error = open(&config(&closed)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    check(
        migrate(&closed).await,
        &format!("cannot connect to 127.0.0.1:{port}"),
    );
    check(
        migrate("mysql://x").await,
        "does not begin with postgres://",
    );
    check(migrate("postgres://x:y").await, "its URL is not one");
}

#[tokio::test]
async fn an_unmigrated_database_is_refused() {
    let empty = Database::empty().await;
    check(
        open(&config(&empty.url)).await,
        "run `tidemark migrate` first",
    );
    check(
        ensure_generation(&empty.url, &spec()).await,
        "run `tidemark migrate` first",
    );
    migrate(&empty.url).await.unwrap();
    check(
        open(&config(&empty.url)).await,
        "run `tidemark migrate` first",
    );
    let mut strange = config(&empty.url);
    strange.role = Some("no_such_role".to_owned());
    check(open(&strange).await, "there is no role no_such_role");
}

#[tokio::test]
async fn another_fold_or_another_log_is_refused() {
    let database = Database::ready().await;
    let other = |topic: &str, partitions, partitioner| GenerationSpec {
        topic: topic.to_owned(),
        partitions,
        partitioner,
    };
    for (spec, says) in [
        (
            other("events", 4, Partitioner::Murmur2),
            "topic customer-events, but events",
        ),
        (other(TOPIC, 8, Partitioner::Murmur2), "partitions 4, but 8"),
        (
            other(TOPIC, 4, Partitioner::Crc32),
            "partitioner murmur2, but crc32",
        ),
    ] {
        check(ensure_generation(&database.url, &spec).await, says);
    }
    execute(
        &database.url,
        "update tidemark.generation set fold_version = 99",
    )
    .await;
    check(
        open(&config(&database.url)).await,
        "folded by fold version 99",
    );
    check(
        ensure_generation(&database.url, &spec()).await,
        "folded by fold version 99",
    );
}

#[tokio::test]
async fn a_generation_of_another_layout_is_refused_with_the_next_step() {
    let database = Database::ready().await;
    execute(
        &database.url,
        "update tidemark.generation set layout_version = 1",
    )
    .await;
    let says = "generation 1 has layout 1 of its tables";
    check(open(&config(&database.url)).await, says);
    check(ensure_generation(&database.url, &spec()).await, says);
    check(
        ensure_generation(&database.url, &spec()).await,
        "fold the topics from the beginning into a new database",
    );
}

#[tokio::test]
async fn a_schema_from_before_a_migration_is_refused_with_the_next_step() {
    let database = Database::ready().await;
    execute(
        &database.url,
        "alter table tidemark.generation drop column layout_version",
    )
    .await;
    check(
        open(&config(&database.url)).await,
        "run `tidemark migrate` first",
    );
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let database = Database::ready().await;
    execute(
        &database.url,
        "insert into tidemark.migration
         select 9999, description, installed_on, success, checksum, execution_time
         from tidemark.migration limit 1",
    )
    .await;
    check(
        migrate(&database.url).await,
        "a newer Tidemark migrated it (version 9999)",
    );
}

#[tokio::test]
async fn views_are_repointed_around_their_readers() {
    let database = Database::ready().await;
    // The views as an older version made them, while a session reads them.
    execute(&database.url, "comment on schema tidemark_views is null").await;
    let mut reader = database.admin().await;
    let mut reading = reader.begin().await.unwrap();
    sqlx::raw_sql("select * from tidemark_views.customer")
        .execute(&mut *reading)
        .await
        .unwrap();
    let url = database.url.clone();
    let repointing = background(async move { ensure_generation(&url, &spec()).await });
    crate::database::eventually(
        &database,
        "select exists (select from pg_locks where not granted \
         and relation = 'tidemark_views.customer'::regclass)",
    )
    .await;
    reading.rollback().await.unwrap();
    assert_eq!(repointing.await.unwrap().unwrap(), 1);
    let marked = "select count(*) from pg_namespace \
                  where obj_description(oid, 'pg_namespace') like 'Stable views of gen_1%'";
    assert_eq!(database.count(marked).await, 1);
}

#[tokio::test]
async fn a_role_that_reads_past_policies_is_refused() {
    // In a cluster of its own: roles are shared.
    let cluster = crate::cluster::Cluster::start("");
    let url = cluster.url("postgres", "postgres");
    execute(&url, "create role tidemark_api bypassrls").await;
    check(
        migrate(&url).await,
        "role tidemark_api reads past row-level security",
    );
}
