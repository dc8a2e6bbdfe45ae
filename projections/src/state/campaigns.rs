//! Campaigns: how often each reached the customer by each channel, when, and at what cost.
//!
//! Touches are counted as [activities](super::activity) are: for life, by day, and to the instant
//! for the last hours. What they cost is summed by day and currency, for as long as the days are
//! kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::event::CampaignTouched;
use tidemark_schemas::{Currency, Instant};

use super::activity::{Counter, Kept, Oldest};
use super::encoding::{Reader, Span, Writer, ascending, damaged};
use super::{StateError, price};

/// A campaign and a channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CampaignLine {
    /// The campaign.
    pub campaign: Arc<str>,
    /// The channel, in the CRM's words.
    pub channel: Arc<str>,
}

/// The touches of a campaign by a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touches {
    /// The number of touches, and their times.
    pub counter: Counter,
    /// The cost in minor units, by day and currency; only costs other than zero.
    costs: BTreeMap<(i32, Currency), i64>,
}

impl Touches {
    /// Returns the cost of the touches of the days kept, in minor units, by day (since 1970-01-01) and
    /// currency, in order.
    pub fn costs(&self) -> impl Iterator<Item = (i32, Currency, i64)> {
        let costs = self.costs.iter();
        costs.map(|((day, currency), minor)| (*day, *currency, *minor))
    }

    fn add_cost(&mut self, day: i32, currency: Currency, minor: i64) {
        // Costs are not negative, so that sums that reach the end stay there in any order.
        if minor > 0 {
            let held = self.costs.entry((day, currency)).or_default();
            *held = held.saturating_add(minor);
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Campaigns {
    lines: BTreeMap<CampaignLine, Touches>,
    text_bytes: usize,
}

impl Campaigns {
    pub(super) const EMPTY: Self = Self {
        lines: BTreeMap::new(),
        text_bytes: 0,
    };

    /// Every campaign and channel.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&CampaignLine, &Touches)> {
        self.lines.iter()
    }

    /// The touches of a campaign by a channel; `None` without any.
    pub fn get(&self, campaign: &Arc<str>, channel: &Arc<str>) -> Option<&Touches> {
        let line = CampaignLine {
            campaign: Arc::clone(campaign),
            channel: Arc::clone(channel),
        };
        self.lines.get(&line)
    }

    /// Counts one touch, not counted before.
    pub(super) fn touch(&mut self, touch: &CampaignTouched, at: Instant, day: i32) {
        let line = CampaignLine {
            campaign: Arc::clone(&touch.campaign),
            channel: Arc::clone(&touch.channel),
        };
        let touches = if let Some(touches) = self.lines.get_mut(&line) {
            touches.counter.record(at, day);
            touches
        } else {
            self.text_bytes += line.text_bytes();
            self.lines.entry(line).or_insert(Touches {
                counter: Counter::first(at, day),
                costs: BTreeMap::new(),
            })
        };
        if let (Some(minor), Some(currency)) = (touch.cost_minor, touch.currency) {
            touches.add_cost(day, currency, minor);
        }
    }

    /// Forgets the days and instants that are out of every window.
    pub(super) fn prune(&mut self, kept: Kept, oldest: &mut Oldest) {
        for touches in self.lines.values_mut() {
            touches.counter.prune(kept, oldest);
            while let Some(cost) = touches.costs.first_entry()
                && cost.key().0 < kept.first_day
            {
                cost.remove();
            }
        }
    }

    /// Adds the events of another id of the same person.
    pub(super) fn merge(&mut self, other: &Self) {
        for (line, theirs) in &other.lines {
            if let Some(ours) = self.lines.get_mut(line) {
                ours.counter.merge(&theirs.counter);
                for (day, currency, minor) in theirs.costs() {
                    ours.add_cost(day, currency, minor);
                }
            } else {
                self.text_bytes += line.text_bytes();
                self.lines.insert(line.clone(), theirs.clone());
            }
        }
    }

    pub(super) fn encode(&self, span: Span, writer: &mut Writer) {
        writer.count(self.lines.len());
        for (line, touches) in &self.lines {
            writer.text(&line.campaign);
            writer.text(&line.channel);
            touches.counter.encode(span, writer);
            writer.count(touches.costs.len());
            let mut before = 0;
            for ((day, currency), minor) in &touches.costs {
                writer.signed(i64::from(*day) - i64::from(before));
                writer.currency(*currency);
                writer.signed(*minor);
                before = *day;
            }
        }
    }

    pub(super) fn decode(span: Span, reader: &mut Reader<'_>) -> Result<Self, StateError> {
        let mut campaigns = Self::EMPTY;
        for _ in 0..reader.count(3 + Counter::LEAST_BYTES)? {
            let line = CampaignLine {
                campaign: reader.name()?,
                channel: reader.name()?,
            };
            ascending(
                campaigns.lines.last_key_value().map(|(last, _)| last),
                &line,
            )?;
            campaigns.text_bytes += line.text_bytes();
            let counter = Counter::decode(span, reader)?;
            let costs = decode_costs(reader)?;
            campaigns.lines.insert(line, Touches { counter, costs });
        }
        Ok(campaigns)
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let within = self.lines.values().map(|touches| {
            let costs = touches.costs.len() * (price::DAY + price::MONEY);
            2 * price::TEXT + touches.counter.size_bytes() + costs
        });
        self.text_bytes + within.sum::<usize>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let within = self.lines.values().map(|touches| {
            touches.counter.memory_bytes()
                + super::map_bytes::<(i32, Currency), i64>(touches.costs.len())
        });
        self.text_bytes
            + super::map_bytes::<CampaignLine, Touches>(self.lines.len())
            + within.sum::<usize>()
    }
}

impl CampaignLine {
    fn text_bytes(&self) -> usize {
        self.campaign.len() + self.channel.len()
    }
}

fn decode_costs(reader: &mut Reader<'_>) -> Result<BTreeMap<(i32, Currency), i64>, StateError> {
    let mut costs: BTreeMap<(i32, Currency), i64> = BTreeMap::new();
    for _ in 0..reader.count(5)? {
        let last = costs.last_key_value().map(|(key, _)| *key);
        let day = reader.day(last.map_or(0, |(day, _)| day))?;
        let key = (day, reader.currency()?);
        ascending(last.as_ref(), &key)?;
        let minor = reader.signed()?;
        if minor <= 0 {
            return Err(damaged("a cost of nothing is written out"));
        }
        costs.insert(key, minor);
    }
    Ok(costs)
}
