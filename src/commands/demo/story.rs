//! What the demo tells when everything is folded, asked of the read API as anybody would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde_json::Value;

use super::TENANT;
use crate::output;
use crate::up::state_file::{UpFile, write_private};

/// Whose token the examples use.
const ROLE: &str = "analyst";
/// How many customers at risk are shown.
const SHOWN: usize = 3;

/// What happened.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) events_published: u64,
    pub(super) events_folded: i64,
    pub(super) customers: i64,
    pub(super) parked: i64,
    pub(super) tenants: Vec<String>,
    pub(super) elapsed: Duration,
}

/// The same for programs.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    events_published: u64,
    events_folded: i64,
    customers: i64,
    parked: i64,
    tenants: &'a [String],
    elapsed_seconds: f64,
}

impl Story {
    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            events_published: self.events_published,
            events_folded: self.events_folded,
            customers: self.customers,
            parked: self.parked,
            tenants: &self.tenants,
            elapsed_seconds: (self.elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
        }
    }

    /// Tells it, with lines to paste unless everything is about to end.
    pub(super) async fn tell(
        &self,
        up: &UpFile,
        data_dir: &Path,
        once: bool,
    ) -> anyhow::Result<()> {
        let token = up
            .tokens
            .get(TENANT)
            .and_then(|roles| roles.get(ROLE))
            .ok_or_else(|| anyhow!("up.json has no token for the demo"))?;
        let api = Api {
            url: up.api_url.clone(),
            token: token.clone(),
        };
        output::line(format!(
            "\n{} events of {} customers published, folded and ready in {:.1} s ({} parked).",
            self.events_published,
            self.customers,
            self.elapsed.as_secs_f64(),
            self.parked
        ));
        tell_segments(&api).await?;
        let example = tell_customers(&api).await?;
        if !once {
            let header = header_file(data_dir);
            write_private(
                &header,
                format!("Authorization: Bearer {token}\n").as_bytes(),
            )?;
            tell_where_to_look(&api.url, &header, example.as_deref());
        }
        Ok(())
    }
}

/// Holds the header that the lines to paste send.
pub(super) fn header_file(data_dir: &Path) -> PathBuf {
    data_dir.join("demo-analyst.header")
}

struct Api {
    url: String,
    token: String,
}

impl Api {
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
}

/// The list in an answer, whatever its envelope calls it.
fn list(answer: &Value) -> &[Value] {
    let inside = answer
        .as_object()
        .and_then(|object| object.values().find_map(Value::as_array));
    answer
        .as_array()
        .or(inside)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

async fn tell_segments(api: &Api) -> anyhow::Result<()> {
    let answer = api.get("/v1/segments").await?;
    output::line("\nSegments:");
    for segment in list(&answer) {
        let size = segment
            .get("size")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        let description = text(segment, "description");
        output::line(format!(
            "  {:<18} {size:>6}  {description}",
            text(segment, "name")
        ));
    }
    Ok(())
}

/// Shows some customers at risk and returns the first.
async fn tell_customers(api: &Api) -> anyhow::Result<Option<String>> {
    let answer = api
        .get(&format!(
            "/v1/segments/slipping_regulars/members?limit={SHOWN}"
        ))
        .await?;
    let members = list(&answer);
    output::line("\nRegulars who may be gone:");
    for member in members {
        let id = text(member, "customer_id");
        let customer = api.get(&format!("/v1/customers/{id}")).await?;
        let orders = customer.get("orders").unwrap_or(&Value::Null);
        let churn = customer.get("churn").unwrap_or(&Value::Null);
        output::line(format!(
            "  customer {id}: {} purchase days, the last on {}; {:.0} % likely gone",
            orders.get("purchase_days").unwrap_or(&Value::Null),
            text(orders, "last_purchase_on"),
            churn
                .get("risk")
                .and_then(Value::as_f64)
                .unwrap_or_default()
                * 100.0
        ));
    }
    Ok(members
        .first()
        .map(|member| text(member, "customer_id").to_owned()))
}

fn tell_where_to_look(url: &str, header: &Path, customer: Option<&str>) {
    output::line("\nLook around (each line works when pasted):");
    let customer = customer.unwrap_or("0001");
    for path in [
        "/v1/status".to_owned(),
        "/v1/segments".to_owned(),
        "/v1/customers?band=high&limit=5".to_owned(),
        format!("/v1/customers/{customer}"),
    ] {
        output::line(format!(
            "  curl -s -H @'{}' '{url}{path}'",
            header.display()
        ));
    }
}
