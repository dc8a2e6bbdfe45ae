//! Groups of customers alike: k-means on standardised log RFM features, and their picture.
//!
//! The same customers give the same clusters, whatever their order: rows are put in the order of
//! their ids, everything is summed in that order by one thread, and what k-means++ draws comes from
//! a generator with a fixed seed.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::rfm::Rfm;
use super::special::double;

mod kmeans;
mod principal;
mod silhouette;

/// A customer in the space of features.
pub(super) type Point = [f64; 3];

/// The numbers of clusters that training tries.
const CLUSTERS: std::ops::RangeInclusive<usize> = 2..=8;
/// Silhouettes take time by the square: as many customers, chosen by the hash of their id.
const MOST_IN_SILHOUETTE: usize = 5_000;

/// Features are logarithms of numbers below 2^63, and lie well within this.
const MOST_FEATURE: f64 = 64.0;
/// The deviations of features.
const DEVIATIONS: std::ops::RangeInclusive<f64> = 1e-9..=MOST_FEATURE;
/// Directions are unit vectors, but for rounding.
const MOST_COMPONENT: f64 = 1.001;
/// Minor units in a unit, of the currencies that there are.
const MINOR_UNITS: [i64; 5] = [1, 10, 100, 1_000, 10_000];
/// More clusters than training tries, and few enough to compare each customer with all.
const MOST_CLUSTERS: usize = 64;

/// Trained clusters, best customers first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterModel {
    /// Means of (ln(1 + recency days), ln(1 + purchase days), ln(1 + units spent)).
    pub means: [f64; 3],
    /// Their standard deviations; 1 where all customers are alike.
    pub deviations: [f64; 3],
    /// The centre of each cluster, in standard deviations from the means.
    pub centroids: Vec<[f64; 3]>,
    /// The number of customers in the training data.
    pub sizes: Vec<u64>,
    /// Two directions, first the one in which customers differ most.
    pub components: [[f64; 3]; 2],
    /// Mean silhouette, from -1 to 1: how well the clusters are apart.
    pub silhouette: f64,
    /// Minor units in a unit of the currency.
    pub minor_units: i64,
}

/// The cluster of a customer and its place in the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Assignment {
    /// The cluster, from 0.
    pub cluster: usize,
    /// 0 halfway to the second nearest cluster, 1 at the centre of its own.
    pub confidence: f64,
    /// The position in the picture.
    pub coordinates: [f64; 2],
}

/// The centre of a cluster, in the units of the features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Centre {
    /// Days since the last purchase.
    pub recency_days: f64,
    /// Days with a purchase.
    pub frequency: f64,
    /// The amount, in minor units of the tenant's currency.
    pub monetary_minor: f64,
    /// The position in the picture.
    pub coordinates: [f64; 2],
}

impl ClusterModel {
    /// Fits clusters to customers by id; `None` for too few for two clusters. Ids are distinct.
    pub fn fit(customers: &[(String, Rfm)], minor_units: i64) -> Option<Self> {
        let mut ordered: Vec<&(String, Rfm)> = customers.iter().collect();
        ordered.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let raw: Vec<Point> = ordered
            .iter()
            .map(|(_, rfm)| features(*rfm, minor_units))
            .collect();
        let (means, deviations) = moments(&raw)?;
        let points: Vec<Point> = raw
            .iter()
            .map(|raw| standardised(raw, &means, &deviations))
            .collect();
        let sample = sample(&ordered);
        let (silhouette, clustering) = CLUSTERS
            .filter_map(|k| kmeans::cluster(&points, k))
            .map(|found| {
                let chosen: Vec<(Point, usize)> = sample
                    .iter()
                    .map(|index| (points[*index], found.members[*index]))
                    .collect();
                (silhouette::mean(&chosen, found.centroids.len()), found)
            })
            // Of equals the fewest clusters: later ones must be better.
            .reduce(|best, other| if other.0 > best.0 { other } else { best })?;
        let clustering = clustering.best_first();
        Some(Self {
            means,
            deviations,
            centroids: clustering.centroids,
            sizes: clustering.sizes,
            components: principal::components(&points),
            silhouette,
            minor_units,
        })
    }

    /// The centre of each cluster, as people know the features.
    pub fn centres(&self) -> Vec<Centre> {
        let centre = |point: &Point| {
            let raw: Point =
                std::array::from_fn(|axis| point[axis] * self.deviations[axis] + self.means[axis]);
            let [recency_days, frequency, units] = raw.map(libm::expm1);
            Centre {
                recency_days,
                frequency,
                monetary_minor: units * double(self.minor_units),
                coordinates: self.components.map(|direction| dot(&direction, point)),
            }
        };
        self.centroids.iter().map(centre).collect()
    }

    /// The nearest cluster, of equally near ones the first.
    pub fn assign(&self, of: Rfm) -> Assignment {
        let raw = features(of, self.minor_units);
        let point = standardised(&raw, &self.means, &self.deviations);
        let (cluster, nearest, second) = kmeans::nearest(&self.centroids, &point);
        let confidence = if second > 0.0 && second.is_finite() {
            1.0 - (nearest / second).sqrt()
        } else {
            0.0
        };
        Assignment {
            cluster,
            confidence,
            coordinates: self.components.map(|direction| dot(&direction, &point)),
        }
    }

    /// A recency, in days, not above the one at which the cluster changes next if nothing is
    /// bought; `None` if it never does.
    ///
    /// While recency grows a customer moves along a line, and the points as near to two centroids
    /// cut it once. What rounding could do there is one day early, never late.
    pub fn next_recency(&self, of: Rfm) -> Option<i64> {
        let raw = features(of, self.minor_units);
        let point = standardised(&raw, &self.means, &self.deviations);
        let (own, _, _) = kmeans::nearest(&self.centroids, &point);
        let mine = self.centroids.get(own)?;
        let crossing = |other: &Point| {
            // |p − other|² = |p − mine|², solved for the first feature.
            let mut needed = 0.0;
            for axis in 0..3 {
                needed += other[axis] * other[axis] - mine[axis] * mine[axis];
                if axis > 0 {
                    needed -= 2.0 * point[axis] * (other[axis] - mine[axis]);
                }
            }
            let approach = 2.0 * (other[0] - mine[0]);
            (approach > 0.0).then(|| needed / approach)
        };
        let first = self
            .centroids
            .iter()
            .filter_map(crossing)
            .min_by(f64::total_cmp)?;
        let ln_recency = first * self.deviations[0] + self.means[0];
        let exact = libm::expm1(ln_recency);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "casts from floats saturate"
        )]
        let day = exact.floor() as i64;
        // Beyond any age nothing changes.
        (day < super::MAX_AGE).then(|| day.max(of.recency_days.saturating_add(1)))
    }

    /// Whether it can assign any customer, to centres that lie where customers can.
    pub(super) fn is_sound(&self) -> bool {
        let is_feature = |number: f64| (-MOST_FEATURE..=MOST_FEATURE).contains(&number);
        let is_centre = |centroid: &Point| {
            let axes = centroid.iter().zip(&self.deviations).zip(&self.means);
            let mut raw = axes.map(|((of, deviation), mean)| of * deviation + mean);
            raw.all(is_feature)
        };
        let mut directions = self.components.iter().flatten();
        (1..=MOST_CLUSTERS).contains(&self.centroids.len())
            && self.sizes.len() == self.centroids.len()
            && self.means.iter().all(|mean| is_feature(*mean))
            && self.deviations.iter().all(|of| DEVIATIONS.contains(of))
            && self.centroids.iter().all(is_centre)
            && directions.all(|of| (-MOST_COMPONENT..=MOST_COMPONENT).contains(of))
            && (-1.0..=1.0).contains(&self.silhouette)
            && MINOR_UNITS.contains(&self.minor_units)
    }
}

fn features(of: Rfm, minor_units: i64) -> Point {
    let units = double(of.monetary_minor.max(0)) / double(minor_units.max(1));
    [
        libm::log1p(double(of.recency_days.max(0))),
        libm::log1p(f64::from(of.frequency)),
        libm::log1p(units),
    ]
}

fn standardised(raw: &Point, means: &Point, deviations: &Point) -> Point {
    std::array::from_fn(|axis| (raw[axis] - means[axis]) / deviations[axis])
}

/// Means and standard deviations; `None` of fewer than two.
fn moments(points: &[Point]) -> Option<(Point, Point)> {
    if points.len() < 2 {
        return None;
    }
    let count = double(points.len());
    let mean = |axis: usize| points.iter().map(|p| p[axis]).sum::<f64>() / count;
    let means: Point = std::array::from_fn(mean);
    let deviation = |axis: usize| {
        let squares = points.iter().map(|p| {
            let off = p[axis] - means[axis];
            off * off
        });
        let deviation = (squares.sum::<f64>() / count).sqrt();
        if deviation > 1e-9 { deviation } else { 1.0 }
    };
    Some((means, std::array::from_fn(deviation)))
}

/// The rows of those with the least hashes of their ids, in order.
fn sample(ordered: &[&(String, Rfm)]) -> Vec<usize> {
    let mut hashed: Vec<(u64, usize)> = ordered
        .iter()
        .enumerate()
        .map(|(index, (id, _))| (xxh3_64(id.as_bytes()), index))
        .collect();
    hashed.sort_unstable();
    hashed.truncate(MOST_IN_SILHOUETTE);
    let mut rows: Vec<usize> = hashed.into_iter().map(|(_, index)| index).collect();
    rows.sort_unstable();
    rows
}

pub(super) fn squared_distance(left: &Point, right: &Point) -> f64 {
    let mut sum = 0.0;
    for axis in 0..3 {
        let off = left[axis] - right[axis];
        sum += off * off;
    }
    sum
}

fn dot(left: &Point, right: &Point) -> f64 {
    left[0] * right[0] + left[1] * right[1] + left[2] * right[2]
}
