//! Reading the `tenant:` block.

mod attributes;
mod bound;
mod names;
mod reports;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use tidemark_schemas::{Currency, TenantId};

pub(crate) use self::reports::{MAX_ATTRIBUTION_DAYS, Reports};
use super::fields::{self, Fields};
use super::language::decimal_text;
use super::placeholders::{Placeholders, placeholders};
use super::problems::{Problems, unknown};
use super::quantities::{self, Rate};
use super::source::{AttributeDeclaration, ChurnSettings, RenewalSettings, TenantSettings};
use super::tree::Node;
use crate::models::{ChurnModel, Family, Thresholds};
use crate::state::FoldRules;

/// Seven days, in microseconds.
const DEFAULT_HORIZON_MICROS: i64 = 7 * 86_400 * 1_000_000;
const KEYS: [&str; 12] = [
    "id",
    "name",
    "zone",
    "currency",
    "dedup_horizon",
    "placeholder_ids",
    "max_customer_kib",
    "rates",
    "attributes",
    "churn",
    "commission",
    "attribution",
];

/// A validated `tenant:` block beside the data it was made of.
pub(crate) struct Settings {
    pub(crate) id: TenantId,
    pub(crate) rules: FoldRules,
    pub(crate) placeholders: Placeholders,
    pub(crate) max_customer_bytes: usize,
    pub(crate) currency: Currency,
    pub(crate) rates: BTreeMap<Currency, Rate>,
    pub(crate) attributes: BTreeMap<Arc<str>, AttributeDeclaration>,
    /// The defaults.
    pub(crate) churn: ChurnModel,
    /// The thresholds of the bands of renewal risk.
    pub(crate) renewal: Thresholds,
    /// The one the block names.
    pub(crate) churn_family: Option<Family>,
    pub(crate) reports: Reports,
    pub(crate) source: TenantSettings,
}

/// A tenant's id.
pub(crate) fn tenant_id(node: &Node, problems: &mut Problems) -> Option<TenantId> {
    fields::parsed(node, "the id of a tenant", problems, |text| {
        TenantId::new(text).map_err(|error| format!("the id of a tenant {error}"))
    })
}

/// The `tenant:` block. Reads all of it, whatever is wrong with its parts.
pub(crate) fn settings(node: &Node, problems: &mut Problems) -> Option<Settings> {
    let fields = Fields::read(node, "a tenant", &KEYS, problems)?;
    let id = fields
        .require("id", problems)
        .and_then(|node| tenant_id(node, problems));
    let name = names::tenant_name(fields.get("name"), problems);
    let rules = rules(&fields, problems);
    let placeholders = placeholders(fields.get("placeholder_ids"), problems);
    let bound = bound::bound(fields.get("max_customer_kib"), problems);
    let currency = fields
        .require("currency", problems)
        .and_then(|node| fields::parsed(node, "a currency, like EUR", problems, currency));
    let rates = rates(fields.get("rates"), currency, problems);
    let attributes = attributes::attributes(fields.get("attributes"), problems);
    let churn = match fields.get("churn") {
        Some(node) => churn(node, problems).map(|(churn, source)| (churn, Some(source))),
        None => Some((shipped_churn(), None)),
    };
    let reports = reports::reports(&fields, problems);
    let (id, currency, attributes, reports) = (id?, currency?, attributes?, reports?);
    let ((rules, zone, dedup_horizon), (placeholders, placeholder_ids)) = (rules?, placeholders?);
    let (max_customer_bytes, max_customer_kib) = bound?;
    let ((rates, rate_texts), ((churn, renewal), churn_source)) = (rates?, churn?);
    let named = churn_source.as_ref().and_then(|of| of.model.as_deref());
    let churn_family = named.and_then(Family::named);
    let source = TenantSettings {
        id: id.as_str().to_owned(),
        name: name?,
        zone,
        currency: currency.code().to_owned(),
        dedup_horizon,
        placeholder_ids,
        max_customer_kib,
        rates: rate_texts,
        attributes: attributes
            .iter()
            .map(|(name, what)| (name.as_ref().into(), *what))
            .collect(),
        churn: churn_source,
        commission: reports.commission_text.clone(),
        attribution: reports.attribution_source.clone(),
    };
    Some(Settings {
        id,
        rules,
        placeholders,
        max_customer_bytes,
        currency,
        rates,
        attributes,
        churn,
        renewal,
        churn_family,
        reports,
        source,
    })
}

/// The churn model and the thresholds of renewal risk of a tenant that names none.
fn shipped_churn() -> (ChurnModel, Thresholds) {
    let model = ChurnModel::shipped(Family::MbgNbd, Thresholds::default());
    (model, Thresholds::of_renewals())
}

/// The settings that core state depends on, with zone and horizon as written.
fn rules(
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> Option<(FoldRules, String, Option<String>)> {
    let zone = fields.require("zone", problems).and_then(|node| {
        let expected = "a time zone, like Europe/Berlin";
        fields::parsed(node, expected, problems, |text| {
            zone(text).map(|zone| (zone, text.to_owned()))
        })
    });
    let horizon = match fields.get("dedup_horizon") {
        Some(node) => fields::parsed(node, "a duration, like 7d", problems, |text| {
            quantities::horizon(text).map(|micros| (micros, Some(text.to_owned())))
        }),
        None => Some((DEFAULT_HORIZON_MICROS, None)),
    };
    let ((zone, zone_name), (dedup_horizon_micros, horizon_text)) = (zone?, horizon?);
    Some((
        FoldRules {
            zone,
            dedup_horizon_micros,
        },
        zone_name,
        horizon_text,
    ))
}

/// Zones come from the copy built in: days must not depend on the machine's.
fn zone(name: &str) -> Result<TimeZone, String> {
    let database = TimeZoneDatabase::bundled();
    database.get(name).map_err(|_| {
        let known: Vec<_> = database
            .available()
            .map(|zone| zone.as_str().to_owned())
            .collect();
        unknown("time zone", name, known.iter().map(String::as_str))
    })
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::new(code).ok_or_else(|| {
        let upper = code.to_uppercase();
        let hint = if Currency::new(&upper).is_some() {
            format!(": did you mean {upper:?}?")
        } else {
            ": expected the three letters of ISO 4217, like EUR".to_owned()
        };
        format!("unknown currency {code:?}{hint}")
    })
}

type Rates = (BTreeMap<Currency, Rate>, BTreeMap<String, String>);

fn rates(node: Option<&Node>, own: Option<Currency>, problems: &mut Problems) -> Option<Rates> {
    let Some(node) = node else {
        return Some(Rates::default());
    };
    let expected = "rates by currency, like { USD: \"0.92\" }";
    let mut read = Rates::default();
    let mut sound = true;
    for (key, value) in fields::map(node, expected, problems)? {
        let from = currency(&key.text).and_then(|from| {
            if Some(from) == own {
                return Err(format!(
                    "{from} is the tenant's own currency: it has no rate"
                ));
            }
            Ok(from)
        });
        let from = from
            .map_err(|message| problems.add(&key.place, message))
            .ok();
        let text = decimal_text(value, problems);
        // Without a currency of its own any will do to find what else is wrong.
        let to = own.or(from);
        let rate = from
            .zip(to)
            .zip(text.as_ref())
            .and_then(|((from, to), text)| {
                let rate = Rate::new(text, from, to);
                rate.map_err(|message| problems.add(&value.place, message))
                    .ok()
            });
        if let (Some(from), Some(rate), Some(text)) = (from, rate, text) {
            read.0.insert(from, rate);
            read.1.insert(from.code().to_owned(), text);
        } else {
            sound = false;
        }
    }
    sound.then_some(read)
}

type Churn = ((ChurnModel, Thresholds), ChurnSettings);

fn churn(node: &Node, problems: &mut Problems) -> Option<Churn> {
    let known = ["model", "medium", "high", "renewal"];
    let fields = Fields::read(node, "churn", &known, problems)?;
    let family = match fields.get("model") {
        Some(node) => fields::parsed(node, "the name of a model", problems, |text| {
            Family::named(text)
                .ok_or_else(|| unknown("model", text, Family::ALL.iter().map(|f| f.name())))
        }),
        None => Some(Family::MbgNbd),
    };
    let bands = thresholds(&fields, node, Thresholds::default(), problems);
    let renewal = match fields.get("renewal") {
        Some(node) => {
            Fields::read(node, "renewal", &["medium", "high"], problems).and_then(|fields| {
                let read = thresholds(&fields, node, Thresholds::of_renewals(), problems)?;
                let source = RenewalSettings {
                    medium: fields.get("medium").map(|_| read.medium),
                    high: fields.get("high").map(|_| read.high),
                };
                Some((read, Some(source)))
            })
        }
        None => Some((Thresholds::of_renewals(), None)),
    };
    let (bands, (renewal, renewal_source)) = (bands?, renewal?);
    let source = ChurnSettings {
        model: fields
            .get("model")
            .and(family)
            .map(|family| family.name().to_owned()),
        medium: fields.get("medium").map(|_| bands.medium),
        high: fields.get("high").map(|_| bands.high),
        renewal: renewal_source,
    };
    Some(((ChurnModel::shipped(family?, bands), renewal), source))
}

/// Parses thresholds of bands; omitted ones keep their defaults.
fn thresholds(
    fields: &Fields<'_>,
    node: &Node,
    standard: Thresholds,
    problems: &mut Problems,
) -> Option<Thresholds> {
    let mut threshold = |name: &str, default: f64| match fields.get(name) {
        Some(node) => {
            let expected = "a risk between 0 and 1";
            let value = fields::double(node, expected, problems)?;
            if value > 0.0 && value < 1.0 {
                Some(value)
            } else {
                problems.expected(expected, node)
            }
        }
        None => Some(default),
    };
    let (medium, high) = (
        threshold("medium", standard.medium),
        threshold("high", standard.high),
    );
    let (medium, high) = (medium?, high?);
    if medium < high {
        return Some(Thresholds { medium, high });
    }
    let named = fields.get("medium").or(fields.get("high"));
    let place = named.map_or(&node.place, |node| &node.place);
    problems.add(
        place,
        format!("medium ({medium}) is not below high ({high})"),
    );
    None
}
