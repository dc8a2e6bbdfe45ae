//! The context of a request: an extractor for every handler that reads a tenant's tables.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::auth::Caller;
use crate::http::{Problem, RequestId};
use crate::response_cache::{AwaitedPositions, Key};

/// The caller of a request, its id, and its key in the response cache.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// The authenticated caller.
    pub(crate) caller: Caller,
    /// The id of the request.
    pub(crate) request_id: RequestId,
    /// The key of the response in the cache.
    pub(super) key: Key,
    /// The request waited for a position, which a cached response, or a read under way, may lack.
    pub(super) bypasses_cache: bool,
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let extensions = &parts.extensions;
        let (Some(caller), Some(request_id)) = (extensions.get(), extensions.get()) else {
            return Err(Problem::internal(
                "an authenticated route is not behind its layers",
            ));
        };
        let caller: &Caller = caller;
        let target = parts.uri.path_and_query();
        let target = target.map_or_else(|| parts.uri.path(), |target| target.as_str());
        Ok(Self {
            key: Key::new(caller, target),
            caller: caller.clone(),
            request_id: RequestId::clone(request_id),
            bypasses_cache: AwaitedPositions::is_in(&parts.headers),
        })
    }
}
