//! A poll thread that panics: the processor ends with an error, within its bound.

use std::fmt;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::support::processor;
use crate::support::site::Site;

/// A first offset that no other test of this process claims.
const OFFSET: i64 = 8_675_309;
/// The bound within which a processor ends, and some time to start.
const BOUND: Duration = Duration::from_secs(45);

/// Panics in the thread that logs a claim at that offset: it is the poll thread.
struct PanicAtClaim;

impl<S: Subscriber> Layer<S> for PanicAtClaim {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut claim = Claim(None);
        event.record(&mut claim);
        assert_ne!(claim.0, Some(OFFSET), "a panic that the test causes");
    }
}

/// The field `next_offset` of an event.
struct Claim(Option<i64>);

impl Visit for Claim {
    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "next_offset" {
            self.0 = Some(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[tokio::test]
async fn processor_whose_poll_thread_panics_ends_with_an_error() {
    // Given a processor with a poll thread that panics when it has claimed a partition
    let claims = Targets::new().with_target("tidemark_processor::engine", Level::INFO);
    let subscriber = tracing_subscriber::registry().with(PanicAtClaim.with_filter(claims));
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    let site = Site::new().await;
    sqlx::query(
        "insert into gen_1.progress (topic, partition, nonce, next_offset, clock, fired_to, evaluation)
         values ($1, 0, gen_random_uuid(), $2, 0, 0, 0)",
    )
    .bind(&site.topic)
    .bind(OFFSET)
    .execute(&site.database.pool)
    .await
    .unwrap();
    let processor = processor::start(&site, &site.database.url).await;

    // When it runs, then it ends by itself, and the error names the thread
    let running = processor.run(CancellationToken::new());
    let ended = tokio::time::timeout(BOUND, running).await;
    let error = ended.expect("it ends by itself").unwrap_err().to_string();
    assert!(error.contains("the poll thread panicked"), "{error}");
}
