//! The cache as a layer: what is kept is answered here, before anything is spent on it. Who waits
//! for a position waits here too, without a place among the requests under way.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;

use super::kept::Key;
use super::wait::Wanted;
use crate::Service;
use crate::auth::Caller;
use crate::problem::Problem;

/// The kept answer, if there is one that holds. Behind the limits and before the guard, for every
/// route that depends on who asks.
pub(crate) async fn from_cache(
    service: &Service,
    request: &mut Request,
    caller: &Caller,
) -> Result<Option<Response>, Problem> {
    if let Some(wanted) = Wanted::of(request.headers())? {
        wanted.reached(service).await?;
        return Ok(None);
    }
    // The router empties the answer to a HEAD, which it takes for a GET.
    if request.method() != Method::GET {
        return Ok(None);
    }
    let question = request.uri().path_and_query();
    let key = question.map(|question| Key::new(caller, question.as_str()));
    Ok(key.and_then(|key| service.answers().find(&key)))
}
