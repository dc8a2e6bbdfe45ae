//! What an error of Postgres means: try once more, ask to come back, or own up.

use sqlx::Error;

use crate::http::Problem;

/// The ways reading can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another generation is active than the one this connection's plans were made for.
    StalePlan,
    /// The connection died, perhaps long ago: another may live.
    ConnectionLost,
    /// Away, restarting, out of connections, or too slow: waiting helps.
    Unavailable,
    /// A bug, or a foreign hand: waiting does not help.
    Refused,
}

impl Failure {
    /// Of a problem that an error of Postgres caused; `None` for any other.
    pub(crate) fn from_problem(problem: &Problem) -> Option<Self> {
        problem.cause()?.downcast_ref::<Error>().map(Self::classify)
    }

    fn classify(error: &Error) -> Self {
        match error {
            // Protocol: a proxy without a server behind it hangs up in the middle of a word.
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

    /// By SQLSTATE.
    fn classify_state(code: &str) -> Self {
        match code {
            // feature_not_supported is how "cached plan must not change result type" comes; a
            // table or schema can be missing when its generation was dropped under a plan.
            "0A000" | "3F000" | "42P01" => Self::StalePlan,
            // admin_shutdown, crash_shutdown, idle_in_transaction_session_timeout
            "57P01" | "57P02" | "25P03" => Self::ConnectionLost,
            // cannot_connect_now, query_canceled (the statement timeout), lock_not_available,
            // serialization_failure, deadlock_detected; and a login refused: we were let in at the
            // start, so a password is being changed
            "57P03" | "57014" | "55P03" | "40001" | "40P01" | "28000" | "28P01" => {
                Self::Unavailable
            }
            _ if code.starts_with("08") => Self::ConnectionLost,
            _ if code.starts_with("53") => Self::Unavailable, // insufficient resources
            _ => Self::Refused,
        }
    }
}

/// Whether Postgres is not there, or not yet.
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
            Failure::StalePlan | Failure::Refused => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        let table = [
            ("0A000", Failure::StalePlan),
            ("42P01", Failure::StalePlan),
            ("57P01", Failure::ConnectionLost),
            ("08006", Failure::ConnectionLost),
            ("53300", Failure::Unavailable),
            ("57014", Failure::Unavailable),
            ("28P01", Failure::Unavailable),
            ("42501", Failure::Refused),
            ("22021", Failure::Refused),
        ];
        for (code, failure) in table {
            assert_eq!(Failure::classify_state(code), failure, "{code}");
        }
    }

    #[test]
    fn a_server_that_hangs_up_in_the_middle_of_a_word_is_unavailable() {
        let hung_up = Error::Protocol("unexpected response from SSLRequest: 0x00".to_owned());
        assert!(is_unavailable(&hung_up));
        let problem = Problem::from(hung_up);
        assert!(problem.is_unavailable());
    }

    #[test]
    fn a_pool_without_a_free_connection_is_no_internal_error() {
        let problem = Problem::from(Error::PoolTimedOut);
        assert!(problem.is_unavailable());
        assert_eq!(Failure::from_problem(&problem), Some(Failure::Unavailable));
    }
}
