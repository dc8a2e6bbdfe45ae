//! Lloyd's k-means from the starting points of k-means++ (Arthur and Vassilvitskii 2007).

use super::{Point, squared_distance};
use crate::models::special::double;

/// Any number: it only has to stay.
const SEED: u64 = 0x7469_6465_6d61_726b;
/// The number of restarts of k-means++; the best result is kept.
const STARTS: u64 = 4;
/// Usually a dozen are enough.
const MOST_ROUNDS: u32 = 100;

/// The result of k-means.
#[derive(Debug, Clone)]
pub(super) struct Clustering {
    pub(super) centroids: Vec<Point>,
    pub(super) sizes: Vec<u64>,
    /// The cluster of each row.
    pub(super) members: Vec<usize>,
    inertia: f64,
}

impl Clustering {
    /// The same clusters, those first that bought lately, often and for much.
    pub(super) fn best_first(mut self) -> Self {
        let rank = |centroid: &Point| centroid[1] + centroid[2] - centroid[0];
        let mut order: Vec<usize> = (0..self.centroids.len()).collect();
        order.sort_by(|left, right| {
            let (left, right) = (&self.centroids[*left], &self.centroids[*right]);
            rank(right).total_cmp(&rank(left))
        });
        self.centroids = order.iter().map(|old| self.centroids[*old]).collect();
        self.sizes = order.iter().map(|old| self.sizes[*old]).collect();
        let mut place = vec![0; order.len()];
        for (new, old) in order.into_iter().enumerate() {
            place[old] = new;
        }
        for member in &mut self.members {
            *member = place[*member];
        }
        self
    }
}

/// The best of several starts; `None` where there are not as many distinct points.
pub(super) fn cluster(points: &[Point], k: usize) -> Option<Clustering> {
    (0..STARTS)
        .filter_map(|start| {
            let mut draw = Draw(SEED ^ (start << 8) ^ double_bits(k));
            Some(lloyd(points, starting_points(points, k, &mut draw)?))
        })
        .reduce(|best, other| {
            if other.inertia < best.inertia {
                other
            } else {
                best
            }
        })
}

fn double_bits(k: usize) -> u64 {
    double(k).to_bits()
}

/// The nearest centroid, of equals the first, with the squared distances of it and the second.
pub(super) fn nearest(centroids: &[Point], point: &Point) -> (usize, f64, f64) {
    let (mut found, mut least, mut second) = (0, f64::INFINITY, f64::INFINITY);
    for (index, centroid) in centroids.iter().enumerate() {
        let distance = squared_distance(centroid, point);
        if distance < least {
            second = least;
            (found, least) = (index, distance);
        } else if distance < second {
            second = distance;
        }
    }
    (found, least, second)
}

/// The first by lot, each later one with the chance of its squared distance to the nearest before.
fn starting_points(points: &[Point], k: usize, draw: &mut Draw) -> Option<Vec<Point>> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below the number of points"
    )]
    let first = (draw.next() * double(points.len())) as usize;
    let mut chosen = vec![*points.get(first)?];
    let mut distances = vec![f64::INFINITY; points.len()];
    while chosen.len() < k {
        let newest = chosen.last()?;
        for (distance, point) in distances.iter_mut().zip(points) {
            *distance = distance.min(squared_distance(point, newest));
        }
        let total: f64 = distances.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut left = draw.next() * total;
        let mut picked = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // What rounding leaves over falls to the last that can be chosen.
        picked = picked.or_else(|| distances.iter().rposition(|distance| *distance > 0.0));
        chosen.push(points[picked?]);
    }
    Some(chosen)
}

fn lloyd(points: &[Point], mut centroids: Vec<Point>) -> Clustering {
    let mut members = vec![usize::MAX; points.len()];
    let mut sizes = vec![0_u64; centroids.len()];
    let mut inertia = 0.0;
    for _ in 0..MOST_ROUNDS {
        let mut moved = false;
        inertia = 0.0;
        let mut sums = vec![[0.0; 3]; centroids.len()];
        sizes.fill(0);
        for (member, point) in members.iter_mut().zip(points) {
            let (cluster, distance, _) = nearest(&centroids, point);
            moved |= *member != cluster;
            *member = cluster;
            inertia += distance;
            sizes[cluster] += 1;
            for axis in 0..3 {
                sums[cluster][axis] += point[axis];
            }
        }
        if !moved {
            break;
        }
        for ((centroid, sum), size) in centroids.iter_mut().zip(&sums).zip(&sizes) {
            // An empty cluster keeps its centroid.
            if *size > 0 {
                *centroid = sum.map(|sum| sum / double(*size));
            }
        }
    }
    Clustering {
        centroids,
        sizes,
        members,
        inertia,
    }
}

/// Steele, Lea and Flood's `SplitMix64`: numbers that look random and are the same every time.
struct Draw(u64);

impl Draw {
    /// Returns the next number in [0, 1).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 53 bits, as many as a double holds.
        double(mixed >> 11) / 9_007_199_254_740_992.0
    }
}
