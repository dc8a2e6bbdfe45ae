//! Accepting late events: a decision to fold them all the same, kept as a definition, so that whoever
//! folds the log again takes the same one.
//!
//! The state cannot tell a late event from one folded long ago and forgotten. The log can: an event
//! is accepted only if every record that holds it is parked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use tidemark_processor::parking::Reason;
use tidemark_processor::refusal::Heard;
use tidemark_processor::store::{ParkedEvent, ParkedFilter, Store};
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::registry::RegistryClient;
use tidemark_schemas::{CustomerEvent, EventId, Payload, TenantId};
use tokio::runtime::Handle;

use super::Doing;
use super::which::{Position, Which};
use crate::config::{Config, user_name};
use crate::definitions_log::DefinitionsLog;
use crate::failure::Usage;
use crate::kafka::events::registry_config;
use crate::kafka::lookup_consumer;
use crate::output;

/// Rows read at once.
const PAGE: i64 = 500;
/// Ids in one record of the definitions topic: well below its limit.
const IDS_PER_BUNDLE: usize = 10_000;
/// How long the log may go without a record while it is read.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Between two looks at what is still parked.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// An event as the law of duplicates knows it.
type Key = (TenantId, EventId);

/// What would be done, or was.
#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    /// Parked `late` and asked for.
    matching: usize,
    /// To be folded, or folded.
    accepted: usize,
    /// Accepted, and not folded within the deadline.
    waiting: usize,
    /// Not accepted, and why.
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    position: String,
    why: String,
}

pub(super) async fn accept(
    store: &Store,
    config: &Config,
    which: &Which,
    doing: Doing,
) -> anyhow::Result<()> {
    let mut filter = which.filter();
    if filter.reason.is_some_and(|reason| reason != Reason::Late) {
        return Err(Usage::new("--accept-late is about events parked `late`").into());
    }
    filter.reason = Some(Reason::Late);
    let reader = Reader::new(config)?;
    let mut report = Report {
        dry_run: !doing.apply,
        ..Report::default()
    };
    let mut wanted: BTreeMap<Key, (i32, i64)> = BTreeMap::new();
    for parked in all(store, &filter).await? {
        report.matching += 1;
        match reader.acceptable(&parked).await {
            Ok(key) => {
                wanted.insert(key, (parked.partition, parked.event.offset));
            }
            Err(why) => report.refuse(parked.partition, parked.event.offset, why),
        }
    }
    for (key, position, folded_at) in folded_before(store, config, &reader, &wanted).await? {
        wanted.remove(&key);
        let why = format!("folded before, from offset {folded_at}: discard it");
        report.refuse(position.0, position.1, why);
    }
    report.accepted = wanted.len();
    if doing.apply && !wanted.is_empty() {
        decide(store, config, &wanted).await?;
        let positions: Vec<_> = wanted.into_values().collect();
        report.waiting = still_parked(store, positions, doing.deadline()).await?;
    }
    report.tell(doing.json)
}

impl Report {
    fn refuse(&mut self, partition: i32, offset: i64, why: String) {
        let position = Position { partition, offset }.to_string();
        self.refused.push(Refused { position, why });
    }

    fn tell(self, json: bool) -> anyhow::Result<()> {
        if json {
            output::json(&self)?;
        } else {
            for Refused { position, why } in &self.refused {
                output::line(format!("{position} is not accepted: {why}"));
            }
            output::line(match (self.matching, self.dry_run) {
                (0, _) => "nothing is parked that matches".to_owned(),
                (_, true) => format!("{} would be accepted; --apply does it", self.accepted),
                (_, false) => format!("{} accepted", self.accepted),
            });
        }
        if self.waiting > 0 {
            bail!(
                "{} events wait for the processor that owns their partition: they are folded when \
                 it runs",
                self.waiting
            );
        }
        if !self.dry_run && !self.refused.is_empty() {
            bail!("{} events are still parked", self.refused.len());
        }
        Ok(())
    }
}

async fn all(store: &Store, filter: &ParkedFilter) -> anyhow::Result<Vec<ParkedEvent>> {
    let mut events = Vec::new();
    let mut after = (-1, -1);
    loop {
        let page = store.list_parked(filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(events);
        };
        after = (last.partition, last.event.offset);
        events.extend(page);
    }
}

/// Reads records by their writers' schemas.
struct Reader {
    decoder: Decoder,
}

impl Reader {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let client = RegistryClient::new(&registry_config(&config.registry))?;
        Ok(Self {
            decoder: Decoder::new(Arc::new(client)),
        })
    }

    async fn read(&self, value: &[u8]) -> Result<CustomerEvent, DecodeError> {
        match self.decoder.decode(value) {
            Err(DecodeError::SchemaNeeded { id }) => {
                self.decoder.fetch(id).await?;
                self.decoder.decode(value)
            }
            read => read,
        }
    }

    /// The event, if a decision can help it.
    async fn acceptable(&self, parked: &ParkedEvent) -> Result<Key, String> {
        let value = parked.event.value.as_deref().unwrap_or_default();
        let event = self.read(value).await.map_err(|error| error.to_string())?;
        if matches!(event.payload, Payload::ProfileUpdated(_)) {
            return Err("a profile update cannot be placed so late: send a newer one".to_owned());
        }
        Ok((event.tenant_id, event.event_id))
    }
}

/// Those of the events that a record holds which is not parked: such a record was folded.
async fn folded_before(
    store: &Store,
    config: &Config,
    reader: &Reader,
    wanted: &BTreeMap<Key, (i32, i64)>,
) -> anyhow::Result<Vec<(Key, (i32, i64), i64)>> {
    let partitions: BTreeSet<i32> = wanted.values().map(|(partition, _)| *partition).collect();
    let mut folded = Vec::new();
    for partition in partitions {
        let of_partition = ParkedFilter {
            partition: Some(partition),
            ..ParkedFilter::default()
        };
        let parked = all(store, &of_partition).await?;
        let parked: BTreeSet<i64> = parked.iter().map(|parked| parked.event.offset).collect();
        let consumer = from_the_beginning(config, partition)?;
        let handle = Handle::current();
        tokio::task::block_in_place(|| {
            each_record(&consumer, |offset, value| {
                if parked.contains(&offset) {
                    return;
                }
                // What cannot be read was not folded.
                let Ok(event) = handle.block_on(reader.read(value)) else {
                    return;
                };
                let key = (event.tenant_id, event.event_id);
                if let Some(position) = wanted.get(&key) {
                    folded.push((key, *position, offset));
                }
            })
        })
        .with_context(|| format!("partition {partition} could not be looked through"))?;
    }
    folded.dedup_by(|one, other| one.0 == other.0);
    Ok(folded)
}

fn from_the_beginning(config: &Config, partition: i32) -> anyhow::Result<BaseConsumer<Heard>> {
    let consumer = lookup_consumer(&config.kafka)?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&config.kafka.topic, partition, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// Tells of every record up to the end of the partition. Blocks.
fn each_record(
    consumer: &BaseConsumer<Heard>,
    mut tell: impl FnMut(i64, &[u8]),
) -> anyhow::Result<()> {
    let mut deadline = Instant::now() + READ_TIMEOUT;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                tell(message.offset(), message.payload().unwrap_or_default());
                deadline = Instant::now() + READ_TIMEOUT;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => tracing::debug!(%error, "while looking through the log"),
        }
    }
    bail!("no record came within {READ_TIMEOUT:?}")
}

/// Writes the decision down.
async fn decide(
    store: &Store,
    config: &Config,
    wanted: &BTreeMap<Key, (i32, i64)>,
) -> anyhow::Result<()> {
    let mut by_tenant: BTreeMap<&TenantId, Vec<EventId>> = BTreeMap::new();
    for (tenant, event) in wanted.keys() {
        by_tenant.entry(tenant).or_default().push(*event);
    }
    let kafka = config.kafka.clone();
    let mut log = tokio::task::spawn_blocking(move || DefinitionsLog::read(&kafka)).await??;
    let subject = user_name();
    for (tenant, events) in by_tenant {
        for events in events.chunks(IDS_PER_BUNDLE) {
            let target = format!("{} events", events.len());
            store
                .audit_operator(tenant.as_str(), &subject, "parked.accept_late", &target)
                .await?;
            let mut bundle = Bundle::accepting_late(tenant, events.iter().copied(), &subject);
            bundle.based_on = log.definitions.version;
            (log, _) = log.append(&bundle).await?;
        }
    }
    Ok(())
}

/// How many are still parked when the deadline has passed.
async fn still_parked(
    store: &Store,
    positions: Vec<(i32, i64)>,
    deadline: Duration,
) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let filter = ParkedFilter {
        positions,
        ..ParkedFilter::default()
    };
    loop {
        let left = all(store, &filter).await?.len();
        if left == 0 || begun.elapsed() >= deadline {
            return Ok(left);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
