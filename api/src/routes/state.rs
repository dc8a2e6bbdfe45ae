//! The state of the routes: each handler extracts the part that it needs.

use axum::extract::FromRef;

use crate::query::Reader;
use crate::readiness::ReadinessCheck;

/// The state of all routes. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RouteState {
    /// Answers queries.
    pub(crate) reader: Reader,
    /// Checks whether requests can be answered.
    pub(crate) readiness: ReadinessCheck,
}

impl FromRef<RouteState> for Reader {
    fn from_ref(state: &RouteState) -> Self {
        state.reader.clone()
    }
}

impl FromRef<RouteState> for ReadinessCheck {
    fn from_ref(state: &RouteState) -> Self {
        state.readiness.clone()
    }
}
