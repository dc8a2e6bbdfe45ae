//! Accepting late events: the decision to fold them all the same is kept as a definition, so that a
//! rebuild decides the same.
//!
//! The state cannot tell a late event from one that was folded before the dedup horizon. The log can:
//! an event is accepted only if every record of it is parked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use serde::Serialize;
use tidemark_kafka::diagnostics::LastError;
use tidemark_processor::parking::Reason;
use tidemark_processor::store::{OperatorStore, ParkedEvent, ParkedFilter};
use tidemark_projections::definitions::Bundle;
use tidemark_schemas::codec::{DecodeError, Decoder};
use tidemark_schemas::registry::RegistryClient;
use tidemark_schemas::{CustomerEvent, EventId, Payload, TenantId};
use tokio::runtime::Handle;

use super::ApplyOptions;
use super::request::POLL_EVERY;
use super::selection::{Position, Selection};
use crate::config::{Config, user_name};
use crate::definitions_log::DefinitionsLog;
use crate::failure::Usage;
use crate::kafka::events::registry_config;
use crate::output;

/// The number of rows read at once.
const PAGE: i64 = 500;
/// The number of ids in one record of the definitions topic: well below its limit.
const IDS_PER_BUNDLE: usize = 10_000;
/// The longest wait for the next record of the log.
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// The identity by which duplicates of an event are recognised.
type Key = (TenantId, EventId);

/// The effect that the command would have, or has had.
#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    /// The number of late events selected.
    matching: usize,
    /// The number of events that are or would be folded.
    accepted: usize,
    /// The number of accepted events not folded within the deadline.
    waiting: usize,
    /// The events not accepted.
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    position: String,
    why: String,
}

pub(super) async fn accept(
    store: &OperatorStore,
    config: &Config,
    selection: &Selection,
    options: ApplyOptions,
) -> anyhow::Result<()> {
    let mut filter = selection.filter();
    if filter.reason.is_some_and(|reason| reason != Reason::Late) {
        return Err(Usage::new(
            "--accept-late applies to events parked `late` only: leave out --parked-reason",
        )
        .into());
    }
    filter.reason = Some(Reason::Late);
    let reader = EventReader::new(config)?;
    let mut report = Report {
        dry_run: !options.apply,
        ..Report::default()
    };
    let mut wanted: BTreeMap<Key, (i32, i64)> = BTreeMap::new();
    for parked in list_all(store, &filter).await? {
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
        let why = format!("it was folded before, from offset {folded_at}: discard it");
        report.refuse(position.0, position.1, why);
    }
    report.accepted = wanted.len();
    if options.apply && !wanted.is_empty() {
        append_decisions(store, config, &wanted).await?;
        let positions: Vec<_> = wanted.into_values().collect();
        report.waiting = count_still_parked(store, positions, options.deadline()).await?;
    }
    report.print(options.json)
}

impl Report {
    fn refuse(&mut self, partition: i32, offset: i64, why: String) {
        let position = Position { partition, offset }.to_string();
        self.refused.push(Refused { position, why });
    }

    fn print(self, json: bool) -> anyhow::Result<()> {
        if json {
            output::json(&self)?;
        } else {
            for Refused { position, why } in &self.refused {
                output::line(format!("{position} is not accepted: {why}"));
            }
            output::line(match (self.matching, self.dry_run) {
                (0, _) => "no parked event matches".to_owned(),
                (_, true) => format!(
                    "{} events would be accepted; repeat the command with --apply",
                    self.accepted
                ),
                (_, false) => format!("{} events accepted", self.accepted),
            });
        }
        if self.waiting > 0 {
            bail!(
                "{} events wait for the processor that owns their partition: a running `tidemark \
                 process` folds them",
                self.waiting
            );
        }
        if !self.dry_run && !self.refused.is_empty() {
            bail!(
                "{} events are still parked: each is named above with its reason",
                self.refused.len()
            );
        }
        Ok(())
    }
}

async fn list_all(
    store: &OperatorStore,
    filter: &ParkedFilter,
) -> anyhow::Result<Vec<ParkedEvent>> {
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

/// Decodes records by their writers' schemas.
struct EventReader {
    decoder: Decoder,
}

impl EventReader {
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

    /// Returns the identity of a parked event that can be accepted, or why it cannot.
    async fn acceptable(&self, parked: &ParkedEvent) -> Result<Key, String> {
        let value = parked.event.value.as_deref().unwrap_or_default();
        let event = self.read(value).await.map_err(|error| error.to_string())?;
        if matches!(event.payload, Payload::ProfileUpdated(_)) {
            return Err(
                "a profile update cannot be ordered so late: publish a newer one".to_owned(),
            );
        }
        Ok((event.tenant_id, event.event_id))
    }
}

/// Returns the wanted events of which the log holds a record that is not parked: that one was folded.
async fn folded_before(
    store: &OperatorStore,
    config: &Config,
    reader: &EventReader,
    wanted: &BTreeMap<Key, (i32, i64)>,
) -> anyhow::Result<Vec<(Key, (i32, i64), i64)>> {
    let partitions: BTreeSet<i32> = wanted.values().map(|(partition, _)| *partition).collect();
    let mut folded = Vec::new();
    for partition in partitions {
        let filter = ParkedFilter {
            partition: Some(partition),
            ..ParkedFilter::default()
        };
        let parked = list_all(store, &filter).await?;
        let parked: BTreeSet<i64> = parked.iter().map(|parked| parked.event.offset).collect();
        let consumer = consumer_from_beginning(config, partition)?;
        let handle = Handle::current();
        tokio::task::block_in_place(|| {
            each_record(&consumer, |offset, value| {
                if parked.contains(&offset) {
                    return;
                }
                // A record that cannot be decoded was not folded.
                let Ok(event) = handle.block_on(reader.read(value)) else {
                    return;
                };
                let key = (event.tenant_id, event.event_id);
                if let Some(position) = wanted.get(&key) {
                    folded.push((key, *position, offset));
                }
            })
        })
        .with_context(|| format!("cannot read the log of partition {partition}"))?;
    }
    folded.dedup_by(|one, other| one.0 == other.0);
    Ok(folded)
}

fn consumer_from_beginning(
    config: &Config,
    partition: i32,
) -> anyhow::Result<BaseConsumer<LastError>> {
    let consumer = config.kafka.connection().lookup_consumer()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&config.kafka.topic, partition, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    Ok(consumer)
}

/// Passes on every record up to the end of the partition. Blocks.
fn each_record(
    consumer: &BaseConsumer<LastError>,
    mut handle: impl FnMut(i64, &[u8]),
) -> anyhow::Result<()> {
    let mut deadline = Instant::now() + READ_TIMEOUT;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                handle(message.offset(), message.payload().unwrap_or_default());
                deadline = Instant::now() + READ_TIMEOUT;
            }
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => tracing::debug!(%error, "reading the log"),
        }
    }
    bail!("the broker sent no record within {READ_TIMEOUT:?}")
}

/// Appends the decisions to the definitions, with an audit row for each record.
async fn append_decisions(
    store: &OperatorStore,
    config: &Config,
    wanted: &BTreeMap<Key, (i32, i64)>,
) -> anyhow::Result<()> {
    let mut by_tenant: BTreeMap<&TenantId, Vec<EventId>> = BTreeMap::new();
    for (tenant, event) in wanted.keys() {
        by_tenant.entry(tenant).or_default().push(*event);
    }
    let kafka = config.kafka.connection();
    let mut log = tokio::task::spawn_blocking(move || DefinitionsLog::read(&kafka)).await??;
    let subject = user_name();
    for (tenant, events) in by_tenant {
        for events in events.chunks(IDS_PER_BUNDLE) {
            let target = format!("{} events", events.len());
            store
                .database()
                .audit_operator(tenant.as_str(), &subject, "parked.accept_late", &target)
                .await?;
            let mut bundle = Bundle::accepting_late(tenant, events.iter().copied(), &subject);
            bundle.based_on = log.definitions.version;
            (log, _) = log.append(&bundle).await?;
        }
    }
    Ok(())
}

/// Waits until the events are folded, and returns how many are still parked at the deadline.
async fn count_still_parked(
    store: &OperatorStore,
    positions: Vec<(i32, i64)>,
    deadline: Duration,
) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let filter = ParkedFilter {
        positions,
        ..ParkedFilter::default()
    };
    loop {
        let left = list_all(store, &filter).await?.len();
        if left == 0 || begun.elapsed() >= deadline {
            return Ok(left);
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
