//! The funnel: progress, dwell times and losses of a journey, from the sums of all paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::buckets;
use crate::definitions::Journey;
use crate::models::double;
use crate::rollups::JourneyRollup;

/// A journey, as the sums of its paths show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Funnel {
    /// First to last.
    pub stages: Vec<FunnelStage>,
    /// The moves that were made: those into the journey first, then by stage left and entered.
    pub links: Vec<Link>,
}

/// A stage: how many came, and how many went on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FunnelStage {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// The number of customers in the stage now.
    pub customers: i64,
    /// The number of customers that ever entered the stage.
    pub entered: i64,
    /// The number of customers of `entered` that entered any later stage afterwards.
    pub advanced: i64,
    /// The number of customers of `entered` that entered the last stage afterwards.
    pub completed: i64,
    /// The ratio of `advanced` to `entered`; null for the last stage, and if no customer entered
    /// the stage.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub conversion_to_next: Option<f64>,
    /// The ratio of `completed` to `entered`; null for the last stage, and if no customer entered
    /// the stage.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub conversion_to_last: Option<f64>,
    /// The dwell times of all completed stays.
    pub dwell: Dwell,
}

/// Dwell times of completed stays in a stage. Times are kept in buckets: a percentile is at most a
/// quarter too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dwell {
    /// The number of completed stays.
    pub stays: u64,
    /// The median dwell time in seconds; null if there are no completed stays.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub median_seconds: Option<u64>,
    /// The 75th percentile in seconds; null if there are no completed stays.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub p75_seconds: Option<u64>,
    /// The 90th percentile in seconds; null if there are no completed stays.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub p90_seconds: Option<u64>,
    /// The 95th percentile in seconds; null if there are no completed stays.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub p95_seconds: Option<u64>,
}

/// The moves from one stage to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Link {
    /// The stage left; null for entries into the journey.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub from: Option<Arc<str>>,
    /// The stage entered.
    pub to: Arc<str>,
    /// The number of moves. A customer that moves back and forth counts each time.
    pub moves: i64,
}

/// A stage with the completions lost in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Bottleneck {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// The number of customers that ever entered the stage.
    pub entered: i64,
    /// The number of customers of `entered` that have entered no later stage.
    pub lost: i64,
    /// The ratio of `lost` to `entered`.
    pub drop_off: f64,
    /// The probability that a customer that advances completes the journey: the ratio of
    /// `completed` to `advanced`; 1 if no customer advanced.
    pub completion_after: f64,
    /// The number of completions expected had all customers advanced: `lost` times
    /// `completion_after`. Bottlenecks are ranked by it.
    pub expected_completions_lost: f64,
    /// The dwell times of completed stays.
    pub dwell: Dwell,
}

/// The rollups of one journey, added up over days and partitions.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    flows: BTreeMap<(String, String), i64>,
    stays: BTreeMap<String, BTreeMap<u8, u64>>,
    entered: BTreeMap<String, i64>,
    advanced: BTreeMap<String, i64>,
    completed: BTreeMap<String, i64>,
}

impl Sums {
    /// Adds a rollup by its kind and dimensions.
    pub fn add(&mut self, kind: JourneyRollup, item: &str, detail: &str, value: i64) {
        let of_stage = match kind {
            JourneyRollup::Entered => &mut self.entered,
            JourneyRollup::Advanced => &mut self.advanced,
            JourneyRollup::Completed => &mut self.completed,
            JourneyRollup::Flow => {
                let moves = self.flows.entry((item.to_owned(), detail.to_owned()));
                *moves.or_default() += value;
                return;
            }
            JourneyRollup::Stay => {
                let way = item.split_once('>').zip(detail.parse().ok());
                if let Some(((from, _), bucket)) = way {
                    let stays = self.stays.entry(from.to_owned()).or_default();
                    *stays.entry(bucket).or_default() += u64::try_from(value).unwrap_or(0);
                }
                return;
            }
        };
        *of_stage.entry(item.to_owned()).or_default() += value;
    }

    fn links(&self, journey: &Journey) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for ((from, to), moves) in &self.flows {
            let from = Some(from).filter(|from| !from.is_empty());
            let from = from.map(|from| journey.position(from));
            // Of a stage that is not listed: an evaluation under newer definitions is under way.
            let (Some(to), false) = (journey.position(to), from == Some(None)) else {
                continue;
            };
            let stage = |place: usize| Arc::clone(&journey.stages[place]);
            if *moves != 0 {
                links.push(Link {
                    from: from.flatten().map(stage),
                    to: stage(to),
                    moves: *moves,
                });
            }
        }
        let place = |stage: &str| journey.position(stage);
        links.sort_by_key(|link| (link.from.as_deref().map(place), place(&link.to)));
        links
    }

    fn dwell(&self, stage: &str) -> Dwell {
        let stays = self.stays.get(stage);
        let stays = stays
            .into_iter()
            .flatten()
            .map(|(bucket, count)| (*bucket, *count));
        let quantile = |share| buckets::quantile(stays.clone(), share);
        Dwell {
            stays: stays.clone().map(|(_, count)| count).sum(),
            median_seconds: quantile(0.5),
            p75_seconds: quantile(0.75),
            p90_seconds: quantile(0.9),
            p95_seconds: quantile(0.95),
        }
    }
}

impl Funnel {
    /// Builds the funnel from sums and current sizes of stages. Counts of stages that are no longer listed,
    /// because a re-evaluation is in progress, are left out.
    pub fn from_sums(journey: &Journey, customers: impl Fn(&str) -> i64, sums: &Sums) -> Self {
        let stages = journey.stages.iter();
        let stages =
            stages.map(|stage| FunnelStage::from_sums(journey, stage, customers(stage), sums));
        Self {
            stages: stages.collect(),
            links: sums.links(journey),
        }
    }

    /// Returns every stage but the last with at least one customer, the greatest bottleneck first.
    pub fn bottlenecks(&self) -> Vec<Bottleneck> {
        let before_last = self.stages.len().saturating_sub(1);
        let stages = self.stages.iter().take(before_last);
        let mut found: Vec<_> = stages
            .filter(|stage| stage.entered > 0)
            .map(Bottleneck::from_stage)
            .collect();
        // Stable: of two alike the earlier stage first.
        found.sort_by(|left, right| {
            let by = |of: &Bottleneck| of.expected_completions_lost;
            by(right).total_cmp(&by(left))
        });
        found
    }
}

impl FunnelStage {
    fn from_sums(journey: &Journey, stage: &Arc<str>, customers: i64, sums: &Sums) -> Self {
        let sum = |of: &BTreeMap<String, i64>| of.get(&**stage).copied().unwrap_or(0);
        let entered = sum(&sums.entered);
        let (advanced, completed) = (sum(&sums.advanced), sum(&sums.completed));
        let is_last = journey.stages.last() == Some(stage);
        let rate = |of: i64| (!is_last && entered > 0).then(|| double(of) / double(entered));
        Self {
            stage: Arc::clone(stage),
            customers,
            entered,
            advanced,
            completed,
            conversion_to_next: rate(advanced),
            conversion_to_last: rate(completed),
            dwell: sums.dwell(stage),
        }
    }
}

impl Bottleneck {
    fn from_stage(stage: &FunnelStage) -> Self {
        let lost = stage.entered - stage.advanced;
        let completion_after = if stage.advanced > 0 {
            double(stage.completed) / double(stage.advanced)
        } else {
            1.0
        };
        Self {
            stage: Arc::clone(&stage.stage),
            entered: stage.entered,
            lost,
            drop_off: double(lost) / double(stage.entered),
            completion_after,
            expected_completions_lost: double(lost) * completion_after,
            dwell: stage.dwell,
        }
    }
}
