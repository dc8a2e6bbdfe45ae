//! Bounds of quarantine: a fault that many customers have quarantines their tenant, and one that all have ends
//! the processor.

use serde_json::Value;
use tidemark_processor::clock::WallClock;
use tidemark_schemas::{CustomerEvent, CustomerId, CustomerKey, Partitioner, TenantId};

use super::{SOON, assert_never_quarantined, event, execute, order, publish, resume};
use crate::support::publish::Publisher;
use crate::support::site::{PARTITIONS, Site};
use crate::support::wait::{wait_for, wait_until};

const DEFINITIONS: &str = "tenant: { id: acme, zone: Europe/Berlin, currency: EUR }
segments:
  - name: buyers
    when: { orders: { count: { gte: 2 } } }
---
tenant: { id: globex, zone: Europe/Berlin, currency: EUR }
";
/// The customers of one tenant in one partition: more than are quarantined one by one.
const CROWD: usize = 120;
const ONE_BY_ONE: usize = 100;

/// Returns customers of a tenant that belong to the first partition.
fn crowd(tenant: &str) -> Vec<CustomerKey> {
    let key = |number| CustomerKey {
        tenant: TenantId::new(tenant).unwrap(),
        customer: CustomerId::new(format!("crowd-{number}")).unwrap(),
    };
    let is_first = |key: &CustomerKey| {
        let bytes = key.record_key().into_bytes();
        Partitioner::Murmur2.partition(&bytes, PARTITIONS) == 0
    };
    (0..).map(key).filter(is_first).take(CROWD).collect()
}

/// Publishes an order of each of these customers.
fn publish_of(publisher: &Publisher, customers: &[CustomerKey]) {
    for key in customers {
        publisher.event(&CustomerEvent {
            tenant_id: key.tenant.clone(),
            customer_id: key.customer.clone(),
            ..event(0, WallClock::System.now(), order("EUR"))
        });
    }
    publisher.flush();
}

/// Damages the rows of customers, and keeps what they were.
async fn damage(site: &Site, which: &str) {
    for statement in [
        "create table if not exists public.undamaged as select * from gen_1.customer limit 0"
            .to_owned(),
        format!("insert into public.undamaged select * from gen_1.customer where {which}"),
        format!("update gen_1.customer set state = 'damaged' where {which}"),
    ] {
        execute(site, statement).await;
    }
}

async fn mend(site: &Site) {
    let mend = "update gen_1.customer set state = undamaged.state from public.undamaged
        where customer.tenant_id = undamaged.tenant_id and customer.customer_id = undamaged.customer_id";
    execute(site, mend.to_owned()).await;
}

#[tokio::test]
async fn tenant_with_too_many_failing_customers_is_quarantined_as_a_whole_until_it_is_resumed() {
    // Given two tenants with many customers in one partition; the rows of all these of one are damaged
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let [acme, globex] = ["acme", "globex"].map(crowd);
    let processor = site.process(&[]);
    publish(&publisher, 1);
    publish_of(&publisher, &acme);
    publish_of(&publisher, &globex);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    damage(&site, "tenant_id = 'acme' and customer_id like 'crowd-%'").await;

    // When events of all of them come
    let processor = site.process(&[]);
    publish_of(&publisher, &acme);
    publish_of(&publisher, &globex);
    site.wait_until_folded(SOON).await;

    // Then the tenant is quarantined after a bounded number of its customers, and the other one is folded
    let found = site.deferred();
    let is_whole = |it: &&Value| it["customer"].is_null();
    let whole: Vec<_> = found.iter().filter(is_whole).collect();
    assert_eq!(found.len(), ONE_BY_ONE + 1, "{:?}", found.last());
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert_eq!(whole[0]["tenant"], "acme");
    assert_eq!(whole[0]["reason"], "quarantined");
    let detail = whole[0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("100 customers of tenant acme"),
        "{detail}"
    );
    let folded = "select events from $gen.digest where tenant_id = 'globex'";
    let folded = site.projections().await.number(folded).await;
    assert_eq!(folded, i64::try_from(2 * CROWD).unwrap());

    // And once the rows are mended, resuming the tenant resumes its customers, and nothing is left of it
    mend(&site).await;
    let resumed = site.run(&["deferred", "resume", "--tenant", "acme", "--apply"]);
    assert!(resumed.status.success(), "{resumed:?}");
    assert!(site.deferred().is_empty());
    publish_of(&publisher, &acme);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}

#[tokio::test]
async fn processor_ends_when_so_many_customers_fail_that_the_fault_is_not_theirs() {
    // Given a quarantined customer, and a thousand others that this version could not process
    let site = Site::new().await;
    site.define(DEFINITIONS);
    let publisher = site.publisher().await;
    let processor = site.process(&[]);
    publish(&publisher, 1);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    damage(&site, "customer_id = 'customer-7'").await;
    let processor = site.process(&[]);
    publish(&publisher, 1);
    wait_for(
        SOON,
        "the customer to be quarantined",
        async || match site.deferred().len() {
            1 => Ok(()),
            count => Err(count.to_string()),
        },
    )
    .await;
    processor.terminate();
    let others = "insert into gen_1.deferral (partition, tenant_id, customer_id, reason, detail, from_offset,
            next_offset, clock, fired_to, definitions, evaluation, events, tracked, binary_version)
        select other, 'globex', 'other-' || number, reason, detail, from_offset,
            next_offset, clock, fired_to, definitions, evaluation, events, tracked, binary_version
        from gen_1.deferral, generate_series(0, 3) as other, generate_series(1, 1000) as number";
    execute(&site, others.to_owned()).await;

    // When one more fails
    damage(&site, "customer_id = 'customer-8'").await;
    let mut processor = site.process(&[]);
    publish(&publisher, 1);

    // Then the processor ends, and says that it is not the customer's fault and what to do
    wait_until(SOON, "the processor to end", || !processor.is_running());
    let log = processor.log();
    for word in [
        "acme/customer-8 cannot be processed (its row is damaged",
        "this version of tidemark",
        "Start the version that ran before",
    ] {
        assert!(log.contains(word), "without {word:?}: {log}");
    }

    // And nothing is lost: it goes on once the rows are mended
    let others = "delete from gen_1.deferral where tenant_id = 'globex'";
    execute(&site, others.to_owned()).await;
    mend(&site).await;
    let processor = site.process(&[]);
    resume(&site);
    site.wait_until_folded(SOON).await;
    processor.terminate();
    assert_never_quarantined(&site).await;
}
