//! A private `PostgreSQL` for the run, and a fresh, migrated database for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use tidemark::up::postgres::{Keep, PrivatePostgres};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::cluster::Cluster;
use super::shared;

const TEMPLATE: &str = "tidemark_template";

/// A migrated database for one test.
pub(crate) struct Database {
    /// The address, with a superuser.
    pub(crate) url: String,
    /// Connections as that superuser.
    pub(crate) pool: PgPool,
}

impl Database {
    /// Copies the migrated template, which is several times faster than the migrations.
    pub(crate) async fn fresh() -> Self {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
        let server = server();
        let name = format!("test_{}", Uuid::new_v4().simple());
        let held = ONE_AT_A_TIME.lock().await;
        let mut connection = PgConnection::connect(&server.url("postgres"))
            .await
            .unwrap();
        let statement = format!("create database {name} template {TEMPLATE}");
        connection
            .execute(sqlx::AssertSqlSafe(statement))
            .await
            .unwrap();
        connection.close().await.unwrap();
        drop(held);
        Self::at(server.url(&name)).await
    }

    /// Creates and migrates a database with its files in this empty folder, which belongs to the
    /// server's user.
    pub(crate) async fn in_folder(cluster: &Cluster, folder: &str) -> Self {
        let mut connection = PgConnection::connect(&cluster.url("postgres", "postgres"))
            .await
            .unwrap();
        for statement in [
            format!("create tablespace small location '{folder}'"),
            "create database tidemark tablespace small".to_owned(),
        ] {
            connection
                .execute(sqlx::AssertSqlSafe(statement))
                .await
                .unwrap();
        }
        connection.close().await.unwrap();
        let url = cluster.url("postgres", "tidemark");
        tidemark_processor::migrate::migrate(&url).await.unwrap();
        Self::at(url).await
    }

    async fn at(url: String) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect(&url)
            .await
            .unwrap();
        Self { url, pool }
    }
}

struct Server {
    running: PrivatePostgres,
}

impl Server {
    fn url(&self, database: &str) -> String {
        let (server, _) = self.running.url().rsplit_once('/').unwrap();
        format!("{server}/{database}")
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        shared::block_on(async {
            let folder = fresh_folder();
            let running = PrivatePostgres::start(&folder, Keep::Nothing, &[])
                .await
                .unwrap();
            let server = Server { running };
            let mut connection = PgConnection::connect(&server.url("postgres"))
                .await
                .unwrap();
            let statement = format!("create database {TEMPLATE}");
            connection
                .execute(sqlx::AssertSqlSafe(statement))
                .await
                .unwrap();
            connection.close().await.unwrap();
            tidemark_processor::migrate::migrate(&server.url(TEMPLATE))
                .await
                .unwrap();
            server
        })
    })
}

/// Returns a folder for this run and removes the empty ones of earlier runs. The server's guard
/// removes its content, however the run ends.
fn fresh_folder() -> PathBuf {
    let runs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
    fs::create_dir_all(&runs).unwrap();
    for earlier in fs::read_dir(&runs).unwrap() {
        // Fails where a concurrent run has its data.
        drop(fs::remove_dir(earlier.unwrap().path()));
    }
    let folder = runs.join(std::process::id().to_string());
    fs::create_dir_all(&folder).unwrap();
    folder
}
