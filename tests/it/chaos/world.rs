//! A site with processes that come and go, a stream of events, and the assertions at its end.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tidemark_processor::clock::WallClock;
use tidemark_projections::outputs::derive;
use tidemark_projections::state::CustomerState;
use tidemark_schemas::{CustomerId, CustomerKey, Partitioner, TenantId};

use super::small_disk::SmallDisk;
use super::traffic::{Sent, Traffic};
use super::witness;
use crate::support::cluster::Cluster;
use crate::support::generate::{Generator, Population};
use crate::support::kafka::{Kafka, OwnKafka};
use crate::support::ports::free_port;
use crate::support::postgres::Database;
use crate::support::read;
use crate::support::reference::Reference;
use crate::support::site::{PARTITIONS, Running, Site};
use crate::support::wait::wait_for;

const DAY_MICROS: i64 = 86_400_000_000;
/// The most processes in the group: one for each partition.
pub(super) const MEMBERS: usize = 4;
/// The longest recovery from a fault, on a busy machine.
pub(super) const RECOVERED_WITHIN: Duration = Duration::from_mins(3);

pub(super) const DEFINITIONS: &str = "
tenant: { id: acme, zone: Europe/Berlin, currency: EUR, rates: { USD: \"0.92\" } }
segments:
  - name: buyers
    when: { orders: { count: { gte: 3 } } }
  - name: paying_buyers
    when:
      all:
        - segment: buyers
        - attribute: { name: plan, eq: pro }
        - not: { churn: { band: high } }
journeys:
  - name: sales
    stages: [lead, trial, customer]
---
tenant: { id: globex, zone: America/New_York, currency: USD }
segments:
  - name: customers
    when: { stage: { journey: sales, is: customer } }
journeys:
  - name: sales
    stages: [lead, trial, customer]
";

/// Events of six days, so that the dedup horizon of seven days recognises every duplicate.
pub(super) fn population(customers: u32) -> Population {
    Population {
        tenants: ["acme", "globex"]
            .map(|id| TenantId::new(id).unwrap())
            .to_vec(),
        customers,
        begin: WallClock::System.now().plus_micros(-10 * DAY_MICROS),
        days: 6,
    }
}

/// A processor of a world.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) running: Running,
    pub(super) metrics_port: u16,
}

/// Servers that one world stops, crashes and fills.
pub(super) struct Servers {
    pub(super) kafka: OwnKafka,
    pub(super) postgres: Cluster,
    pub(super) disk: SmallDisk,
    /// The disk of the first broker.
    pub(super) broker_disk: SmallDisk,
}

impl Servers {
    pub(super) fn start(brokers: u16) -> Self {
        let postgres = Cluster::start("");
        let of_postgres = fs::metadata(postgres.socket()).unwrap();
        // Brokers run as the user of the tests.
        let ours = fs::metadata(tempfile::tempdir().unwrap()).unwrap();
        let broker_disk = SmallDisk::mount(&ours);
        Self {
            kafka: OwnKafka::start(brokers, broker_disk.folder()),
            disk: SmallDisk::mount(&of_postgres),
            postgres,
            broker_disk,
        }
    }
}

/// A site with its processes, its stream of events and, for some tests, its own servers.
pub(super) struct World {
    pub(super) members: Vec<Member>,
    pub(super) site: Site,
    pub(super) random: StdRng,
    /// `None` while the stream is running.
    sent: Option<Sent>,
    traffic: Option<Traffic>,
    joined: usize,
    /// Dropped last.
    pub(super) servers: Option<Servers>,
}

/// The totals of a run.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) events: usize,
    pub(super) records: usize,
    pub(super) customers: usize,
    pub(super) claims: i64,
    pub(super) commits: i64,
}

impl World {
    /// Creates a world on the servers that all tests share.
    pub(super) async fn shared(seed: u64, customers: u32) -> Self {
        let site = Site::on(Kafka::shared(), Database::fresh().await).await;
        Self::with_site(site, None, seed, customers, Partitioner::Murmur2).await
    }

    /// Creates a world on its own servers, with the database on the small disk.
    pub(super) async fn own(servers: Servers, seed: u64, customers: u32) -> Self {
        let folder = servers.disk.folder().to_str().unwrap().to_owned();
        let database = Database::in_folder(&servers.postgres, &folder).await;
        let site = Site::on(servers.kafka.get(), database).await;
        // Most events are forwarded, whatever fails.
        Self::with_site(site, Some(servers), seed, customers, Partitioner::Crc32).await
    }

    async fn with_site(
        site: Site,
        servers: Option<Servers>,
        seed: u64,
        customers: u32,
        partitioner: Partitioner,
    ) -> Self {
        site.define(DEFINITIONS);
        witness::install(&site.database.pool).await;
        let sent = Sent {
            publisher: site.publisher_with(partitioner).await,
            generator: Generator::new(seed, population(customers)),
            expected: Reference::new(
                read::definitions(site.kafka, &site.definitions_topic),
                PARTITIONS,
                Partitioner::Murmur2,
            ),
            events: 0,
            records: 0,
        };
        Self {
            site,
            members: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            sent: Some(sent),
            traffic: None,
            joined: 0,
            servers,
        }
    }

    /// Starts the stream, until [`World::quiet`].
    pub(super) fn publish(&mut self, per_second: usize) {
        let sent = self.sent.take().expect("the stream is not running yet");
        self.traffic = Some(Traffic::start(sent, per_second, self.random.random()));
    }

    /// Returns the number of different events published so far.
    pub(super) fn published(&self) -> usize {
        self.traffic.as_ref().map_or(0, Traffic::events)
    }

    /// Stops the stream.
    pub(super) fn quiet(&mut self) -> &mut Sent {
        if let Some(traffic) = self.traffic.take() {
            self.sent = Some(traffic.stop());
        }
        self.sent.as_mut().expect("the stream has stopped")
    }

    /// Starts another processor.
    pub(super) fn join(&mut self) {
        self.join_with(&[]);
    }

    /// Starts another processor with these flags.
    pub(super) fn join_with(&mut self, flags: &[&str]) {
        let name = self.next_name();
        let metrics_port = free_port();
        let running = self.site.member(&name, metrics_port, flags);
        self.members.push(Member {
            name,
            running,
            metrics_port,
        });
    }

    /// Returns the name of the next process.
    pub(super) fn next_name(&mut self) -> String {
        self.joined += 1;
        format!("member-{:03}", self.joined)
    }

    /// Pauses for up to this many milliseconds, so that the next step comes at a random moment.
    pub(super) async fn moment(&mut self, up_to_millis: u64) {
        let millis = self.random.random_range(0..up_to_millis);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }

    /// Returns the number of offsets folded, over all partitions.
    pub(super) async fn folded(&self) -> i64 {
        self.site
            .projections()
            .await
            .number("select coalesce(sum(next_offset), 0)::bigint from $gen.progress")
            .await
    }

    /// Waits until all records that are now on the topic are folded, and asserts that every process
    /// runs.
    pub(super) async fn caught_up(&mut self) -> Duration {
        let begun = Instant::now();
        for member in &mut self.members {
            assert!(
                member.running.is_running(),
                "{} ended by itself",
                member.name
            );
        }
        self.all_joined().await;
        self.site.wait_until_folded(RECOVERED_WITHIN).await;
        begun.elapsed()
    }

    /// Waits until every process has joined the group: one that is starting ends where a server is
    /// unavailable, and is started again by whatever supervises it.
    pub(super) async fn all_joined(&self) {
        wait_for(RECOVERED_WITHIN, "every process to join", async || {
            let has_joined = |member: &&Member| member.running.log().contains("owned partitions");
            match self.members.iter().find(|member| !has_joined(member)) {
                None => Ok(()),
                Some(member) => Err(member.name.clone()),
            }
        })
        .await;
    }

    /// Returns the owner of each partition by the table.
    pub(super) async fn owners(&self) -> BTreeMap<i32, String> {
        let rows: Vec<(i32, String)> = self
            .site
            .projections()
            .await
            .rows("select partition, owner from $gen.progress")
            .await;
        rows.into_iter().collect()
    }

    /// Waits until the owners satisfy a condition.
    pub(super) async fn owned(
        &self,
        what: &str,
        holds: impl Fn(&BTreeMap<i32, String>) -> bool,
    ) -> BTreeMap<i32, String> {
        wait_for(RECOVERED_WITHIN, what, async || {
            let owners = self.owners().await;
            let all = owners.len() == usize::try_from(PARTITIONS).unwrap();
            if all && holds(&owners) {
                Ok(owners)
            } else {
                Err(format!("{owners:?}"))
            }
        })
        .await
    }

    /// Waits until every partition has a running owner.
    pub(super) async fn all_owned(&self) -> BTreeMap<i32, String> {
        let running: Vec<&str> = self.members.iter().map(|m| m.name.as_str()).collect();
        self.owned("every partition to be owned", |owners| {
            owners
                .values()
                .all(|owner| running.contains(&owner.as_str()))
        })
        .await
    }

    /// Ends the run: waits until all records are folded, terminates the processes, and asserts that
    /// the tables equal a fold in memory and that this many events are parked.
    pub(super) async fn assert_end(&mut self, parked: i64) -> Summary {
        self.quiet();
        if self.members.is_empty() {
            self.join();
        }
        self.caught_up().await;
        for member in self.members.drain(..) {
            member.running.terminate();
        }
        let sent = self.sent.as_ref().unwrap();
        let (site, projections) = (&self.site, self.site.projections().await);
        projections.assert_equal(&sent.expected).await;
        projections.assert_consistent().await;
        assert_outputs(site, &sent.expected).await;
        witness::assert_one_chain(&projections).await;
        let count = "select count(*) from $gen.parked";
        assert_eq!(projections.number(count).await, parked);
        // The number of new events depends on the order; in that of the log it is the same.
        let in_log_order = Reference::from_topic(
            site.kafka,
            &site.topic,
            &site.definitions_topic,
            Partitioner::Murmur2,
        )
        .await;
        assert_eq!(&projections.folded().await, in_log_order.folded());
        let sum = |column: &str| format!("select sum({column})::bigint from $gen.progress");
        Summary {
            events: sent.events,
            records: sent.records,
            customers: sent.expected.states().len(),
            claims: projections.number(&sum("epoch")).await,
            commits: projections.number(&sum("commits")).await,
        }
    }
}

type Row = (String, String, i64, Vec<String>, Vec<String>);

/// Asserts that memberships and positions follow from the states of the fold in memory.
async fn assert_outputs(site: &Site, expected: &Reference) {
    let projections = site.projections().await;
    let rows: Vec<Row> = projections
        .rows(
            "select tenant_id, customer_id, evaluated_at,
                    array(select segment from $gen.membership m
                          where m.tenant_id = c.tenant_id and m.customer_id = c.customer_id
                          order by segment),
                    array(select stage from $gen.position p
                          where p.tenant_id = c.tenant_id and p.customer_id = c.customer_id)
             from $gen.customer c",
        )
        .await;
    let states = expected.states();
    assert_eq!(rows.len(), states.len());
    for (tenant, customer, evaluated_at, segments, stages) in rows {
        let key = CustomerKey {
            tenant: TenantId::new(tenant).unwrap(),
            customer: CustomerId::new(customer).unwrap(),
        };
        let state = CustomerState::decode(&states[&key]).unwrap();
        let tenant = expected.definitions().tenant(&key.tenant).unwrap();
        let at = tidemark_schemas::Instant::from_micros(evaluated_at).unwrap();
        let outputs = derive(&state, tenant, at);
        let name = key.record_key();
        assert!(
            segments
                .iter()
                .map(String::as_str)
                .eq(outputs.segments.iter().map(AsRef::as_ref)),
            "{name} is in {segments:?}, not in {:?}",
            outputs.segments
        );
        let journeys = outputs.journeys.values().map(|journey| &*journey.stage);
        assert!(
            stages.iter().map(String::as_str).eq(journeys),
            "{name} is in the stages {stages:?}, not in {:?}",
            outputs.journeys
        );
    }
}
