//! Classifies errors of Postgres: retry, answer 503, or answer 500.

use sqlx::Error;

use crate::http::Problem;

/// The class of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another generation is active than the one that the plans of this connection were made for.
    StalePlan,
    /// The connection is lost. A retry on another one may succeed.
    ConnectionLost,
    /// Postgres is unavailable, restarting, out of connections or too slow. A later retry may succeed.
    Unavailable,
    /// Postgres refuses the statement. A retry fails too.
    Refused,
}

impl Failure {
    /// Returns the class of the error behind a problem; `None` if it is not an error of Postgres.
    pub(crate) fn from_problem(problem: &Problem) -> Option<Self> {
        problem.cause()?.downcast_ref::<Error>().map(Self::classify)
    }

    fn classify(error: &Error) -> Self {
        match error {
            // Protocol: a proxy without a server behind it closes the connection within a message.
            Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed | Error::BeginFailed => {
                Self::ConnectionLost
            }
            Error::PoolTimedOut | Error::PoolClosed | Error::Tls(_) => Self::Unavailable,
            Error::Database(error) => error
                .code()
                .map_or(Self::Refused, |code| Self::classify_state(&code)),
            _ => Self::Refused,
        }
    }

    /// Classifies a SQLSTATE.
    fn classify_state(code: &str) -> Self {
        match code {
            // "cached plan must not change result type" is a feature_not_supported; a table or schema
            // is missing if its generation was dropped after the plan was made.
            "0A000" | "3F000" | "42P01" => Self::StalePlan,
            // admin_shutdown, crash_shutdown, idle_in_transaction_session_timeout
            "57P01" | "57P02" | "25P03" => Self::ConnectionLost,
            // invalid_catalog_name (the database was dropped), cannot_connect_now, query_canceled (the statement timeout), lock_not_available,
            // serialization_failure, deadlock_detected; and a refused login: the first login succeeded,
            // so the password is being changed
            "3D000" | "57P03" | "57014" | "55P03" | "40001" | "40P01" | "28000" | "28P01" => {
                Self::Unavailable
            }
            _ if code.starts_with("08") => Self::ConnectionLost,
            _ if code.starts_with("53") => Self::Unavailable, // insufficient resources
            _ => Self::Refused,
        }
    }
}

/// Returns true if Postgres is unavailable.
pub(crate) fn is_unavailable(error: &Error) -> bool {
    matches!(
        Failure::classify(error),
        Failure::ConnectionLost | Failure::Unavailable
    )
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match Failure::classify(&error) {
            Failure::ConnectionLost | Failure::Unavailable => {
                Self::unavailable("the database is not available").with_cause(error)
            }
            // Not cured by the retry: the tables are gone.
            Failure::StalePlan => {
                Self::unavailable("the database has no projections").with_cause(error)
            }
            Failure::Refused => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_classified() {
        let table = [
            ("0A000", Failure::StalePlan),
            ("42P01", Failure::StalePlan),
            ("57P01", Failure::ConnectionLost),
            ("08006", Failure::ConnectionLost),
            ("53300", Failure::Unavailable),
            ("57014", Failure::Unavailable),
            ("3D000", Failure::Unavailable),
            ("28P01", Failure::Unavailable),
            ("42501", Failure::Refused),
            ("22021", Failure::Refused),
        ];
        for (code, failure) in table {
            assert_eq!(Failure::classify_state(code), failure, "{code}");
        }
    }

    #[test]
    fn a_connection_closed_within_a_message_is_unavailable() {
        let closed = Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert!(is_unavailable(&closed));
        let problem = Problem::from(closed);
        assert!(problem.is_unavailable());
    }

    #[test]
    fn a_timeout_of_the_pool_is_unavailable() {
        let problem = Problem::from(Error::PoolTimedOut);
        assert!(problem.is_unavailable());
        assert_eq!(Failure::from_problem(&problem), Some(Failure::Unavailable));
    }
}
