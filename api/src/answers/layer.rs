//! The cache as a layer: what is kept is answered here, before anything is spent on it. Who waits
//! for a position waits here too, without a place among the requests under way.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use super::conditional::Condition;
use super::kept::Key;
use super::wait::Wanted;
use crate::Service;
use crate::auth::Caller;
use crate::problem::Problem;

/// Middleware of every route that depends on who asks, after the limits and before the guard.
pub(crate) async fn from_cache(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let condition = Condition::of(request.headers());
    if let Some(wanted) = Wanted::of(request.headers())? {
        wanted.reached(&service).await?;
    }
    let response = match find(&service, &request) {
        Some(kept) => kept,
        None => next.run(request).await,
    };
    Ok(condition.apply(response))
}

fn find(service: &Service, request: &Request) -> Option<Response> {
    // The router empties the answer to a HEAD, which it takes for a GET.
    if request.method() != Method::GET || Wanted::is_in(request.headers()) {
        return None;
    }
    let caller = request.extensions().get::<Caller>()?;
    let question = request.uri().path_and_query()?;
    service.answers().find(&Key::new(caller, question.as_str()))
}
