//! What keeps one request from hurting the others: admission, share, time, size, panics.
//!
//! Each request runs in a task of its own. A client that goes away, or a timeout, then drops only
//! the waiting: the work itself goes on to its end (soon, by the statement timeout) and gives its
//! connection back in order. See [`crate::database`].

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use prometheus::IntGauge;
use tokio::task::JoinError;
use tracing::{Instrument, Span};

use crate::Service;
use crate::auth::Caller;
use crate::http::Problem;

/// Middleware of every route that does work.
pub(crate) async fn guard(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let limits = service.limits();
    if declared_length(&request) > limits.body_bytes as u64 {
        return Err(Problem::TooLarge {
            limit: limits.body_bytes,
        });
    }
    let Ok(permit) = Arc::clone(service.admission()).try_acquire_owned() else {
        service.metrics().shed.inc();
        return Err(Problem::Overloaded);
    };
    let counted = Counted::new(&service.metrics().in_flight);
    let tenant = request.extensions().get::<Caller>();
    let tenant = tenant.map(|caller| caller.tenant.clone());
    let shares = service.clone();
    let work = async move {
        let place = match &tenant {
            Some(tenant) => Some(shares.shares().enter(tenant).await.inspect_err(|_| {
                shares.admission_metrics().limited("share");
            })?),
            None => None,
        };
        let response = next.run(request).await;
        drop((permit, place, counted)); // held by the work, not by whoever waits for it
        Ok(response)
    };
    let task = service.tasks().spawn(work.instrument(Span::current()));
    match tokio::time::timeout(limits.request_timeout, task).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(error)) => Err(Problem::internal(panic_message(error))),
        Err(_) => {
            service.metrics().timed_out.inc();
            Err(Problem::TimedOut)
        }
    }
}

/// A body of unknown length is limited where it is read, by [`axum::extract::DefaultBodyLimit`].
fn declared_length(request: &Request) -> u64 {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0)
}

fn panic_message(error: JoinError) -> String {
    let Ok(payload) = error.try_into_panic() else {
        return "the request's task was cancelled".to_owned();
    };
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
    format!("panicked: {}", message.unwrap_or("without a message"))
}

/// Counts the request as under way until dropped.
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
