//! A tenant's definitions as data: what files say, what records carry, what `define show` prints.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::attribute_type::AttributeDeclaration;
use crate::models::TrainedModels;

/// The whole of one tenant's definitions as data, before validation.
///
/// Laid out like a definition file, so that printing it gives a file that defines the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSource {
    /// The tenant and its settings.
    pub tenant: TenantSettings,
    /// The segments, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentSource>,
    /// The journeys, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journeys: Vec<JourneySource>,
    /// The actions, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionSource>,
    /// The triggers, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerSource>,
    /// The models of `tidemark train`. If omitted, those in force stay; if empty, none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<TrainedModels>,
}

/// A tenant and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// The tenant's id, as in events.
    pub id: String,
    /// The name shown to people; omitted, the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// An IANA time zone, for example `Europe/Berlin`.
    pub zone: String,
    /// An ISO 4217 code: money is reported in this currency.
    pub currency: String,
    /// The dedup horizon: the age, behind the customer's newest event, up to which duplicates are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_horizon: Option<String>,
    /// The ids of no customer, such as `guest`; omitted, the ids that are placeholders everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placeholder_ids: Option<Vec<String>>,
    /// The size of a customer from which on its events are parked, in KiB; omitted, the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_customer_kib: Option<u32>,
    /// The conversion rates: the value of one unit in the tenant's currency, as a decimal number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, String>,
    /// The declarations of attributes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeDeclaration>,
    /// The churn model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub churn: Option<ChurnSettings>,
    /// The tenant's share of net revenue, for example `12.5%`; none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission: Option<String>,
    /// The attribution of orders to campaigns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<AttributionSettings>,
}

/// The attribution of orders to campaigns; omitted settings have their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributionSettings {
    /// The time before an order in which a touch is credited; 30 days by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

/// The settings of churn; omitted settings have their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnSettings {
    /// `mbg_nbd` or `bg_nbd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The least risk of the medium band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<f64>,
    /// The least risk of the high band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Bands of subscribers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<RenewalSettings>,
}

/// Bands of the risk that a subscription is cancelled at its next renewal.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalSettings {
    /// The least risk of the medium band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub medium: Option<f64>,
    /// The least risk of the high band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// A segment as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentSource {
    /// Unique in the tenant.
    pub name: String,
    /// The description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The condition, in the segment language.
    pub when: Value,
}

/// A journey as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JourneySource {
    /// Unique in the tenant.
    pub name: String,
    /// The description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// First to last.
    pub stages: Vec<StageSource>,
}

/// A stage as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StageSource {
    /// Entered by events alone.
    Named(String),
    /// Entered by events, and when its condition becomes true.
    Conditional(ConditionalStage),
}

impl StageSource {
    /// Unique in the journey.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Conditional(stage) => &stage.name,
        }
    }
}

/// A stage with a condition, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionalStage {
    /// Unique in the journey.
    pub name: String,
    /// The condition, in the segment language.
    pub when: Value,
}

/// An action as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionSource {
    /// Unique in the tenant; as events name it.
    pub name: String,
    /// The description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The condition of eligibility, in the segment language; absent: all customers are eligible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<Value>,
    /// The value of an accepted offer, in units of the tenant's currency, as a decimal number.
    pub value: String,
}

/// A trigger as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerSource {
    /// Unique in the tenant.
    pub name: String,
    /// The description.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The change that fires the trigger.
    pub on: Value,
    /// The action to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Whether it also fires where definitions made the change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_definition: bool,
}

impl TenantSource {
    /// A definition file that defines the same, in YAML.
    pub fn to_yaml(&self) -> String {
        // Maps with text keys, lists and scalars: all of them have a YAML form.
        serde_saphyr::to_string(self).unwrap_or_else(|_| self.to_json())
    }

    /// A definition file that defines the same, in JSON (which is YAML, too).
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
