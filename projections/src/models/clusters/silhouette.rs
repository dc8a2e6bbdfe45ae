//! The silhouette: a measure of the separation of clusters (Rousseeuw 1987).

use super::{Point, squared_distance};
use crate::models::special::double;

/// The mean silhouette of points with their clusters. One alone in its cluster counts as 0.
pub(super) fn mean(points: &[(Point, usize)], clusters: usize) -> f64 {
    let mut sizes = vec![0_u64; clusters];
    for (_, cluster) in points {
        sizes[*cluster] += 1;
    }
    let mut sum = 0.0;
    let mut distances = vec![0.0; clusters];
    for (point, own) in points {
        distances.fill(0.0);
        for (other, cluster) in points {
            distances[*cluster] += squared_distance(point, other).sqrt();
        }
        if sizes[*own] < 2 {
            continue;
        }
        let within = distances[*own] / double(sizes[*own] - 1);
        let to_others = distances
            .iter()
            .zip(&sizes)
            .enumerate()
            .filter(|(cluster, (_, size))| cluster != own && **size > 0)
            .map(|(_, (distance, size))| distance / double(*size));
        let Some(between) = to_others.min_by(f64::total_cmp) else {
            continue;
        };
        let larger = within.max(between);
        if larger > 0.0 {
            sum += (between - within) / larger;
        }
    }
    if points.is_empty() {
        0.0
    } else {
        sum / double(points.len())
    }
}
