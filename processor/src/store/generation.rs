//! A generation of projections, and which of them is active.

use sqlx::Row;
use sqlx::postgres::PgConnection;
use tidemark_projections::LAYOUT_VERSION;
use tidemark_projections::state::FOLD_VERSION;
use tidemark_schemas::Instant;

use super::decode::instant;
use super::error::{StoreError, sql_state};

/// A generation of projections: one schema of tables, folded from one log by one fold version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Identifies the generation; its tables are in schema `gen_<id>`.
    pub id: i32,
    /// The fold version of the binaries that may write it.
    pub fold_version: i32,
    /// The layout of its tables.
    pub layout_version: i32,
    /// The topic that it is folded from.
    pub topic: String,
    /// The number of partitions of that topic.
    pub partitions: i32,
    /// The name of the partitioner by which that topic's events have expected partitions.
    pub partitioner: String,
    /// The time of its creation, by the database's clock.
    pub created_at: Instant,
}

impl Generation {
    /// Returns the name of the schema that holds its tables.
    pub fn schema(&self) -> String {
        format!("gen_{}", self.id)
    }

    /// Finds the active generation: [`StoreError::NoGeneration`] where none is active, also before
    /// the first migration.
    pub async fn active(connection: &mut PgConnection) -> Result<Self, StoreError> {
        Self::find_active(connection)
            .await?
            .ok_or(StoreError::NoGeneration)
    }

    /// Finds the active generation of a migrated database, if there is one.
    pub(crate) async fn find_active(
        connection: &mut PgConnection,
    ) -> Result<Option<Self>, StoreError> {
        let found = sqlx::query(include_str!("active_generation.sql"))
            .fetch_optional(connection)
            .await;
        let row = match found {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(None),
            Err(error) => {
                return Err(match sql_state(&error).as_deref() {
                    Some("42P01") => StoreError::NoGeneration,
                    Some("42703") => StoreError::Setup(
                        "its shared schema is older than this binary: run `tidemark migrate` first"
                            .to_owned(),
                    ),
                    _ => error.into(),
                });
            }
        };
        Ok(Some(Self {
            id: row.try_get("id")?,
            fold_version: row.try_get("fold_version")?,
            layout_version: row.try_get("layout_version")?,
            topic: row.try_get("topic")?,
            partitions: row.try_get("partitions")?,
            partitioner: row.try_get("partitioner")?,
            created_at: instant(&row, "created_at")?,
        }))
    }

    /// Returns an error unless this binary can read and write the generation.
    pub(crate) const fn check_versions(&self) -> Result<(), StoreError> {
        if self.fold_version != FOLD_VERSION {
            return Err(StoreError::FoldVersion {
                generation: self.id,
                found: self.fold_version,
                ours: FOLD_VERSION,
            });
        }
        self.check_layout()
    }

    /// Returns an error unless this binary knows the layout of the tables.
    pub const fn check_layout(&self) -> Result<(), StoreError> {
        if self.layout_version == LAYOUT_VERSION {
            return Ok(());
        }
        Err(StoreError::LayoutVersion {
            generation: self.id,
            found: self.layout_version,
            ours: LAYOUT_VERSION,
        })
    }
}
