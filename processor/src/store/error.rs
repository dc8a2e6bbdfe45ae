//! Errors of Postgres, classified by remedy: waiting, an operator, none.

use std::borrow::Cow;

/// An error of Postgres.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is down, restarting, or out of resources: waiting helps. Never parks an event.
    #[error("Postgres is unavailable: {}", plain(.0))]
    Unavailable(#[source] sqlx::Error),
    /// Postgres refuses the statement, now and later: a bug, or tables changed by other means.
    #[error("Postgres refused: {}", plain(.0))]
    Refused(#[source] sqlx::Error),
    /// Postgres refuses rows of a batch for what they hold: none of the batch is written.
    #[error("{0}")]
    RefusedRows(#[source] RefusedRows),
    /// The stored bytes are not bytes that this version writes.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// The user or password is wrong, or the server's `pg_hba.conf` refuses the login.
    #[error("Postgres does not accept the login: {}", plain(.0))]
    Authentication(#[source] sqlx::Error),
    /// The server runs, but the database does not exist.
    #[error("no such database: {}", plain(.0))]
    NoDatabase(#[source] sqlx::Error),
    /// The database, its version, its roles or the URL must be put right by an operator.
    #[error("the database cannot be used: {0}")]
    Setup(String),
    /// Migrations have not run, or no generation is active yet.
    #[error("the database has no active generation of projections: run `tidemark migrate` first")]
    NoGeneration,
    /// Another fold version wrote the generation: this binary must not write it.
    #[error(
        "generation {generation} is folded by fold version {found}, this binary has {ours}: \
         start a binary of version {found}, or rebuild"
    )]
    FoldVersion {
        /// The generation.
        generation: i32,
        /// The version of the generation.
        found: i32,
        /// The version of this binary.
        ours: i32,
    },
    /// A newer binary has begun to evaluate the partition's customers otherwise.
    #[error(
        "partition {partition} is evaluated by evaluation version {found}, this binary has {ours}: \
         start the binary that folded it last, or a newer one"
    )]
    EvaluationVersion {
        /// The partition.
        partition: i32,
        /// The evaluation version of the partition.
        found: i32,
        /// The version of this binary.
        ours: i32,
    },
    /// The tables have another layout than the statements of this binary expect.
    #[error(
        "generation {generation} has layout {found} of its tables, this binary has {ours}: start \
         the binary that made it, or fold the topics from the beginning into a new database"
    )]
    LayoutVersion {
        /// The generation.
        generation: i32,
        /// The layout of its tables.
        found: i32,
        /// The layout that this binary reads and writes.
        ours: i32,
    },
    /// The active generation was folded from another log: continuing would mix the two.
    #[error(
        "generation {generation} has {what} {found}, but {configured} is configured: correct the \
         configuration, or fold the topics from the beginning into a new database"
    )]
    OtherLog {
        /// The generation.
        generation: i32,
        /// `topic`, `partitions` or `partitioner`.
        what: &'static str,
        /// The generation's value.
        found: String,
        /// The configured value.
        configured: String,
    },
}

/// Rows of one kind that Postgres refused.
#[derive(Debug, thiserror::Error)]
#[error("Postgres refused rows of {kind}: {}", plain(.error))]
pub struct RefusedRows {
    /// The kind of row, by its name in a batch.
    pub kind: &'static str,
    #[source]
    error: sqlx::Error,
}

impl StoreError {
    /// Classifies the error of a statement that writes rows of one kind.
    pub(super) fn of_rows(kind: &'static str, error: sqlx::Error) -> Self {
        if Fault::from_error(&error) == Fault::Permanent && concerns_rows(&error) {
            return Self::RefusedRows(RefusedRows { kind, error });
        }
        error.into()
    }

    /// Returns whether the error may be one of a single row: other rows may be read.
    pub(crate) fn concerns_rows(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Refused(error) => concerns_rows(error),
            _ => false,
        }
    }

    /// Returns whether waiting helps.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::from_error(&error) {
            Fault::Lost | Fault::Busy => Self::Unavailable(error),
            Fault::Login => Self::Authentication(error),
            Fault::NoDatabase => Self::NoDatabase(error),
            Fault::Permanent => Self::Refused(error),
        }
    }
}

/// The consequence of an error for its connection and for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is lost; its statement may or may not have taken effect.
    Lost,
    /// The server runs but cannot execute the statement now; it had no effect.
    Busy,
    /// The server refuses the login.
    Login,
    /// The database does not exist.
    NoDatabase,
    /// The server will not execute the statement, now or later.
    Permanent,
}

impl Fault {
    pub(super) fn from_error(error: &sqlx::Error) -> Self {
        match error {
            // A TLS failure counts as lost: certificates are renewed under a running processor. So
            // does a protocol error: a proxy without a server behind it closes mid-message.
            sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Lost,
            sqlx::Error::Database(error) => error
                .code()
                .map_or(Self::Permanent, |code| Self::from_sql_state(&code)),
            _ => Self::Permanent,
        }
    }

    /// Sorts the codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    fn from_sql_state(code: &str) -> Self {
        match code {
            // Query cancelled (statement_timeout), lock not available (lock_timeout);
            // serialization failure and deadlock, where the other one got through;
            // I/O errors of the server's own disk.
            "57014" | "55P03" | "40001" | "40P01" | "58000" | "58030" => Self::Busy,
            // Read-only: a standby not promoted yet, or a primary just demoted, and a new
            // connection finds the new primary. Idle in a transaction for too long: the server
            // hung up.
            "25006" | "25P03" => Self::Lost,
            "28000" | "28P01" => Self::Login,
            "3D000" => Self::NoDatabase,
            _ if code.starts_with("08") || code.starts_with("57") => Self::Lost,
            // Out of disk, memory or connections.
            _ if code.starts_with("53") => Self::Busy,
            _ => Self::Permanent,
        }
    }
}

/// Returns whether Postgres may accept the statement with other rows: not where a table, a column or a
/// privilege is missing, or the session is in the wrong state.
fn concerns_rows(error: &sqlx::Error) -> bool {
    const OF_ALL_ROWS: [&str; 5] = ["0A", "25", "26", "3F", "42"];
    match sql_state(error) {
        Some(state) => !OF_ALL_ROWS.iter().any(|class| state.starts_with(class)),
        None => matches!(error, sqlx::Error::Encode(_)),
    }
}

/// Returns the SQL state of the error, for example `42P01`.
pub(crate) fn sql_state(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// Returns whether another session held a lock for longer than `lock_timeout`.
pub(crate) fn lock_timed_out(error: &sqlx::Error) -> bool {
    sql_state(error).as_deref() == Some("55P03")
}

/// Returns the message without the driver's preamble, with the server's detail and hint.
fn plain(error: &sqlx::Error) -> String {
    let sqlx::Error::Database(database) = error else {
        return match error {
            sqlx::Error::Io(error) => error.to_string(),
            other => other.to_string(),
        };
    };
    let mut text = database.message().to_owned();
    if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        for more in [postgres.detail(), postgres.hint()].into_iter().flatten() {
            text.push_str(" (");
            text.push_str(more);
            text.push(')');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_cannot_be_encoded_are_refused_rows_and_lost_connections_are_not() {
        let too_large = sqlx::Error::Encode("too large".into());
        let refused = StoreError::of_rows("customers", too_large);
        assert!(matches!(refused, StoreError::RefusedRows(_)), "{refused}");
        let lost = StoreError::of_rows("customers", sqlx::Error::WorkerCrashed);
        assert!(lost.is_transient(), "{lost}");
    }

    #[test]
    fn a_connection_cut_inside_a_message_is_unavailable() {
        let hung_up = sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert!(StoreError::from(hung_up).is_transient());
    }
}
