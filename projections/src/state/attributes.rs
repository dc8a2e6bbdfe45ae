//! Attributes: last writer wins by (`occurred_at`, event id), with enough history to say since when
//! the current value has held.
//!
//! Per attribute a sorted set of points. Points within the dedup horizon are all kept. Of the older
//! ones three say everything: the last one ("end"), the first of its run of equal values ("start")
//! and the one in front of that ("before"). A write older than the horizon can be placed exactly
//! against these three: between before and start it moves one of them, in front of before it says
//! nothing any more, and within the run an equal value says nothing either. Only a *different*
//! value within the run cannot be placed, because the points it would stand between were dropped:
//! such an event is [`Late`](super::Late).
//!
//! So the set kept is a function of the set of all points written and the horizon, whatever the
//! order they arrived in. [`Attributes::merge`] unites points and drops none, which keeps it
//! commutative, associative and idempotent; reading works on any such set.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_schemas::event::AttributeMap;
use tidemark_schemas::{AttributeValue, Instant};

use super::{Stamp, price};

mod encoding;

/// A value written at an instant by an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    stamp: Stamp,
    value: AttributeValue,
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Attributes {
    by_name: BTreeMap<Arc<str>, Vec<Point>>,
    /// The horizon up to which nothing can be dropped: saves most folds the search.
    prune_after: Instant,
    text_bytes: usize,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            prune_after: Instant::MAX,
            text_bytes: 0,
        }
    }
}

/// `prune_after` may be too early, which is harmless, and is no part of the state.
impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name && self.text_bytes == other.text_bytes
    }
}

impl Eq for Attributes {}

/// An attribute as it now is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurrentValue<'a> {
    /// The value written last; null where it was set to null.
    pub value: &'a AttributeValue,
    /// Returns the start of the run of the current value: a repeated equal value does
    /// not restart the run.
    pub since: Instant,
}

impl Attributes {
    /// The current value, unless it was never set.
    pub fn get(&self, name: &str) -> Option<CurrentValue<'_>> {
        self.by_name.get(name).and_then(|points| current(points))
    }

    /// Returns the stamp of the newest event that wrote the current value.
    pub fn written(&self, name: &str) -> Option<Stamp> {
        Some(self.by_name.get(name)?.last()?.stamp)
    }

    /// Every attribute ever set (those set to null included), by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, CurrentValue<'_>)> {
        self.by_name
            .iter()
            .filter_map(|(name, points)| Some((name, current(points)?)))
    }

    /// Whether one of these writes cannot be placed. `horizon` is where the dedup horizon ends.
    pub(super) fn refuses(
        &self,
        attributes: &AttributeMap,
        stamp: Stamp,
        horizon: Instant,
    ) -> bool {
        stamp.at < horizon
            && attributes.iter().any(|(name, value)| {
                self.by_name.get(name).is_some_and(|points| {
                    splits_a_run(
                        points,
                        &Point {
                            stamp,
                            value: value.clone(),
                        },
                        horizon,
                    )
                })
            })
    }

    /// Folds writes in that [`Self::refuses`] does not refuse. False when they change nothing.
    pub(super) fn write(
        &mut self,
        attributes: &AttributeMap,
        stamp: Stamp,
        horizon: Instant,
    ) -> bool {
        let mut changed = false;
        for (name, value) in attributes {
            let point = Point {
                stamp,
                value: value.clone(),
            };
            if stamp.at < horizon {
                // What is written before the horizon may say nothing: look whether it was kept.
                changed |= self.insert(name, point.clone()) && {
                    self.prune(horizon);
                    self.by_name
                        .get(name)
                        .is_some_and(|kept| kept.binary_search(&point).is_ok())
                };
            } else {
                changed |= self.insert(name, point);
            }
        }
        changed
    }

    fn insert(&mut self, name: &Arc<str>, point: Point) -> bool {
        let text_bytes = value_text_bytes(&point.value);
        let Some(points) = self.by_name.get_mut(name) else {
            self.text_bytes += name.len() + text_bytes;
            self.by_name.insert(Arc::clone(name), vec![point]);
            return true;
        };
        let place = match points.last() {
            Some(last) if *last >= point => match points.binary_search(&point) {
                Ok(_) => return false,
                Err(place) => place,
            },
            _ => points.len(),
        };
        points.insert(place, point);
        self.text_bytes += text_bytes;
        self.prune_after = self.prune_after.min(prunable_after(points));
        true
    }

    /// Drops what an advanced horizon made superfluous.
    pub(super) fn prune(&mut self, horizon: Instant) {
        if horizon <= self.prune_after {
            return;
        }
        let mut prune_after = Instant::MAX;
        for points in self.by_name.values_mut() {
            if horizon > prunable_after(points) {
                self.text_bytes -= drop_superfluous(points, horizon);
            }
            prune_after = prune_after.min(prunable_after(points));
        }
        self.prune_after = prune_after;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (name, points) in &other.by_name {
            for point in points {
                self.insert(name, point.clone());
            }
        }
    }

    /// Returns the size, by fixed prices.
    pub(super) fn size_bytes(&self) -> usize {
        let points = self.by_name.values().flatten();
        let names = self.by_name.keys();
        names.map(|name| price::text(name)).sum::<usize>()
            + points
                .map(|point| price::point(&point.value))
                .sum::<usize>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let points: usize = self.by_name.values().map(Vec::capacity).sum();
        self.text_bytes
            + super::map_bytes::<Arc<str>, Vec<Point>>(self.by_name.len())
            + self.by_name.len() * super::ARC_BYTES
            + points * size_of::<Point>()
    }
}

fn value_text_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::String(text) => text.len() + super::ARC_BYTES,
        AttributeValue::Null
        | AttributeValue::Boolean(_)
        | AttributeValue::Long(_)
        | AttributeValue::Double(_) => 0,
    }
}

fn current(points: &[Point]) -> Option<CurrentValue<'_>> {
    let value = &points.last()?.value;
    Some(CurrentValue {
        value,
        since: points[run_start(points)].stamp.at,
    })
}

/// Returns the start of the run of equal values that ends with the last point.
fn run_start(points: &[Point]) -> usize {
    let Some(last) = points.last() else { return 0 };
    let run = points
        .iter()
        .rev()
        .take_while(|point| point.value == last.value)
        .count();
    points.len() - run
}

/// Returns the number of points before the horizon.
fn older(points: &[Point], horizon: Instant) -> usize {
    points.partition_point(|point| point.stamp.at < horizon)
}

/// Whether a point older than the horizon falls strictly within the last older run, with another
/// value.
fn splits_a_run(points: &[Point], point: &Point, horizon: Instant) -> bool {
    let older = &points[..older(points, horizon)];
    let (Some(start), Some(end)) = (older.get(run_start(older)), older.last()) else {
        return false;
    };
    point.value != end.value && start < point && point < end
}

/// The instant up to which the horizon may advance before [`drop_superfluous`] has work.
///
/// Two points are never too many. Three are needed only as before, start and end; four never.
fn prunable_after(points: &[Point]) -> Instant {
    let superfluous = match points {
        [before, start, end, rest @ ..] => {
            if before.value != start.value && start.value == end.value {
                rest.first()
            } else {
                Some(end)
            }
        }
        _ => None,
    };
    superfluous.map_or(Instant::MAX, |point| point.stamp.at)
}

/// Keeps before, start and end of the points older than the horizon, and all others. Returns how
/// many bytes of text went.
fn drop_superfluous(points: &mut Vec<Point>, horizon: Instant) -> usize {
    let older = older(points, horizon);
    if older < 3 {
        return 0;
    }
    let end = older - 1;
    let start = run_start(&points[..older]);
    let within = points.drain((start + 1).min(end)..end);
    let mut text_bytes: usize = within.map(|point| value_text_bytes(&point.value)).sum();
    let ahead = points.drain(..start.saturating_sub(1));
    text_bytes += ahead
        .map(|point| value_text_bytes(&point.value))
        .sum::<usize>();
    text_bytes
}
