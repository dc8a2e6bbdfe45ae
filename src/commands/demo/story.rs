//! The summary that the demo prints when all events are folded, read from the API as clients read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde_json::Value;

use crate::database::{Projections, TenantProgress};
use crate::generate::Industry;
use crate::output::{self, grouped};
use crate::up_file::{UpFile, remove_file, write_private};

/// The role of the examples' tokens.
const ROLE: &str = "analyst";

/// The outcome of the demo's history.
#[derive(Debug, Clone)]
pub(super) struct Story {
    published: u64,
    tenants: Vec<TenantProgress>,
    parked: BTreeMap<String, i64>,
    pub(super) elapsed: Duration,
}

/// The outcome as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    events_published: u64,
    events_folded: i64,
    customers: i64,
    parked: i64,
    parked_by_reason: &'a BTreeMap<String, i64>,
    tenants: Vec<&'a str>,
    elapsed_seconds: f64,
}

impl Story {
    /// Reads what was folded.
    pub(super) async fn read(projections: &Projections, published: u64) -> anyhow::Result<Self> {
        let mut parked = BTreeMap::new();
        for found in projections.parked().await? {
            *parked.entry(found.reason).or_insert(0) += found.events;
        }
        Ok(Self {
            published,
            tenants: projections.tenants().await?,
            parked,
            elapsed: Duration::ZERO,
        })
    }

    fn customers(&self) -> i64 {
        self.tenants.iter().map(|tenant| tenant.customers).sum()
    }

    fn parked(&self) -> i64 {
        self.parked.values().sum()
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            events_published: self.published,
            events_folded: self.tenants.iter().map(|tenant| tenant.events).sum(),
            customers: self.customers(),
            parked: self.parked(),
            parked_by_reason: &self.parked,
            tenants: self
                .tenants
                .iter()
                .map(|found| found.tenant.as_str())
                .collect(),
            elapsed_seconds: (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    /// Prints the summary, with commands to paste unless the demo is about to end.
    pub(super) async fn print(
        &self,
        up: &UpFile,
        data_dir: &Path,
        once: bool,
    ) -> anyhow::Result<()> {
        output::line(format!(
            "\n{} events of {} customers published, folded and ready in {:.1} s ({} parked).",
            grouped(self.published),
            grouped(self.customers().unsigned_abs()),
            self.elapsed.as_secs_f64(),
            self.parked()
        ));
        for industry in Industry::ALL {
            self.print_tenant(&Api::new(up, industry)?, industry)
                .await?;
        }
        if !once {
            print_examples(up, data_dir).await?;
        }
        Ok(())
    }

    async fn print_tenant(&self, api: &Api, industry: Industry) -> anyhow::Result<()> {
        let tenant = industry.tenant();
        let found = self.tenants.iter().find(|found| found.tenant == tenant);
        let (customers, events) = found.map_or((0, 0), |found| (found.customers, found.events));
        output::line(format!(
            "\n{tenant} ({industry}): {} customers, {} events",
            grouped(customers.unsigned_abs()),
            grouped(events.unsigned_abs())
        ));
        let response = api.get("/v1/segments").await?;
        for segment in list(&response) {
            let size = segment
                .get("size")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            output::line(format!(
                "  {:<24} {size:>5}  {}",
                text(segment, "name"),
                match text(segment, "not_scored_because") {
                    "" => text(segment, "description"),
                    not_scored => not_scored,
                }
            ));
        }
        Ok(())
    }
}

/// Returns the file of the header that the commands to paste send for a tenant.
fn header_file(data_dir: &Path, industry: Industry) -> PathBuf {
    data_dir.join(format!("{}.header", industry.tenant()))
}

/// Removes the header files.
pub(super) fn remove_headers(data_dir: &Path) {
    for industry in Industry::ALL {
        remove_file(&header_file(data_dir, industry));
    }
}

struct Api {
    url: String,
    token: String,
}

impl Api {
    fn new(up: &UpFile, industry: Industry) -> anyhow::Result<Self> {
        let token = up
            .tokens
            .get(industry.tenant())
            .and_then(|roles| roles.get(ROLE))
            .ok_or_else(|| anyhow!("up.json has no token for {}", industry.tenant()))?;
        Ok(Self {
            url: up.api_url.clone(),
            token: token.clone(),
        })
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url);
        let response = reqwest::Client::new()
            .get(&url)
            .bearer_auth(&self.token)
            .send()
            .await?;
        let response = response
            .error_for_status()
            .with_context(|| format!("GET {path}"))?;
        Ok(response.json().await?)
    }

    /// Returns the first member of a segment.
    async fn first_member(&self, segment: &str) -> anyhow::Result<Option<String>> {
        let response = self
            .get(&format!("/v1/segments/{segment}/members?limit=1"))
            .await?;
        let first = list(&response).first();
        Ok(first.map(|member| text(member, "customer_id").to_owned()))
    }
}

/// Returns the list in a response, under whatever name.
fn list(response: &Value) -> &[Value] {
    let inside = response
        .as_object()
        .and_then(|object| object.values().find_map(Value::as_array));
    response
        .as_array()
        .or(inside)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Prints a command to paste for each tenant, and one to train the models.
async fn print_examples(up: &UpFile, data_dir: &Path) -> anyhow::Result<()> {
    output::line("\nCommands to try, as they are:");
    for industry in Industry::ALL {
        let api = Api::new(up, industry)?;
        write_private(
            &header_file(data_dir, industry),
            format!("Authorization: Bearer {}\n", api.token).as_bytes(),
        )?;
        let path = match industry {
            Industry::RealEstate => "/v1/journeys/purchase/stages".to_owned(),
            Industry::Saas => "/v1/segments/paying_but_dormant/members?limit=5".to_owned(),
            Industry::Ecommerce => match api.first_member("slipping_regulars").await? {
                Some(customer) => format!("/v1/customers/{customer}"),
                None => "/v1/customers?band=high&limit=5".to_owned(),
            },
            Industry::FinancialServices => "/v1/status".to_owned(),
        };
        output::line(format!(
            "  curl -s -H @'{}' '{}{path}'",
            header_file(data_dir, industry).display(),
            up.api_url
        ));
    }
    output::line("\nFit the models to these customers, for scores and the segments that use them:");
    output::line("  tidemark train --up");
    Ok(())
}
