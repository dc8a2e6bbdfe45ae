//! Faults of single customers: rows that Postgres refuses, and processing that panics. Each such customer is
//! quarantined, and catches up once the fault is over and an operator has resumed it.

use super::world::{DEFINITIONS, RECOVERED_WITHIN, World};
use crate::support::read;
use crate::support::wait::wait_for;

/// The number of customers that fail at once.
const FAILING: i64 = 3;
const STEPS: [&str; 4] = [
    "the encoding of its rows",
    "a timer",
    "an evaluation",
    "an evaluation before an event",
];

impl World {
    /// Lets Postgres refuse the rows of some customers until one is quarantined.
    pub(super) async fn refuse_rows(&mut self) -> usize {
        let failing = self.some_customers().await;
        let ids: Vec<String> = failing
            .iter()
            .map(|(tenant, customer)| format!("('{tenant}', '{customer}')"))
            .collect();
        self.execute(format!(
            "alter table gen_1.customer add constraint refused_by_a_test
             check ((tenant_id, customer_id) not in ({})) not valid",
            ids.join(", ")
        ))
        .await;
        self.wait_until_quarantined().await;
        self.execute("alter table gen_1.customer drop constraint refused_by_a_test".to_owned())
            .await;
        self.resume_all().await
    }

    /// Lets the processing of some customers panic, in every step that they take, until one is quarantined. New
    /// definitions let all customers be re-evaluated meanwhile.
    pub(super) async fn panic(&mut self) -> usize {
        let failing = self.some_customers().await;
        let steps = |(tenant, customer): &(String, String)| {
            STEPS.map(|step| format!("{step} of {tenant}/{customer}"))
        };
        let steps: Vec<String> = failing.iter().flat_map(steps).collect();
        self.site.inject(&steps);
        self.site.define(&DEFINITIONS.replace("gte: 3", "gte: 4"));
        self.wait_until_quarantined().await;
        self.site.inject(&[]);
        let quarantined = self.resume_all().await;
        self.site.define(DEFINITIONS);
        self.in_force().await;
        quarantined
    }

    /// Returns some customers, by tenant and id.
    async fn some_customers(&self) -> Vec<(String, String)> {
        let projections = self.site.projections().await;
        let some = format!(
            "select tenant_id, customer_id from $gen.customer order by random() limit {FAILING}"
        );
        projections.rows(&some).await
    }

    async fn execute(&self, statement: String) {
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&self.site.database.pool)
            .await
            .unwrap();
    }

    async fn wait_until_quarantined(&self) {
        let what = "a customer to be quarantined";
        wait_for(RECOVERED_WITHIN, what, async || {
            let deferred = "select count(*) from $gen.deferral where reason = 'quarantined'";
            match self.site.projections().await.number(deferred).await {
                0 => Err("none is".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
    }

    /// Resumes every quarantined customer, as often as it is necessary; returns how many they were at first.
    async fn resume_all(&self) -> usize {
        let quarantined = self.site.deferred().len();
        wait_for(RECOVERED_WITHIN, "the customers to catch up", async || {
            for scope in self.site.deferred() {
                let [tenant, customer] =
                    ["tenant", "customer"].map(|name| scope[name].as_str().unwrap().to_owned());
                let resume = ["deferred", "resume", "--apply", "--wait", "1"];
                let scope = ["--tenant", &tenant, "--customer", &customer];
                self.site.run(&[&resume[..], &scope[..]].concat());
            }
            match self.site.deferred() {
                left if left.is_empty() => Ok(()),
                left => Err(format!("{left:?}")),
            }
        })
        .await;
        quarantined
    }

    /// Waits until the newest definitions are in force everywhere, and every customer is evaluated by them.
    async fn in_force(&self) {
        let newest = read::definitions(self.site.kafka, &self.site.definitions_topic);
        let version = newest.version.unwrap();
        let behind = format!(
            "select (select count(*) from $gen.progress where definitions <> {version})
                  + (select count(*) from $gen.reevaluation where not done)"
        );
        let what = "the definitions to be in force";
        wait_for(RECOVERED_WITHIN, what, async || {
            match self.site.projections().await.number(&behind).await {
                0 => Ok(()),
                count => Err(count.to_string()),
            }
        })
        .await;
    }
}
