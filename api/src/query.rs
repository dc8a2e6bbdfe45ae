//! Queries: reads of one tenant's rows, as data, and how they are answered.
//!
//! A route makes a [`Query`] of its parameters. The [`Reader`] reads it in a snapshot of the
//! caller's tenant, or takes the answer from the response cache.

mod context;
mod reader;

use serde::Serialize;

pub(crate) use self::context::RequestContext;
pub(crate) use self::reader::Reader;
use crate::auth::Caller;
pub(crate) use crate::database::ReadMode;
use crate::database::Snapshot;
use crate::http::Problem;
use crate::response_cache::Dependency;

/// A read of one tenant's rows.
pub(crate) trait Query: Sync {
    /// The body of the response.
    type Answer: Serialize + Send;

    /// Returns the dependency that invalidates a cached answer; `None` if the answer must not be
    /// cached.
    fn dependency(&self) -> Option<Dependency>;

    /// Returns true if reading this answer wrote an audit row.
    fn is_audited(_answer: &Self::Answer) -> bool {
        false
    }

    /// Returns the access that the query needs on behalf of this caller.
    fn access(&self, _caller: &Caller) -> ReadMode {
        ReadMode::Read
    }

    /// Reads the answer. The call is repeated in another snapshot if the first one turns out to be
    /// stale.
    fn read(
        &self,
        snapshot: &mut Snapshot<'_>,
    ) -> impl Future<Output = Result<Self::Answer, Problem>> + Send;
}
