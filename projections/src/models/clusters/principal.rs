//! The two directions in which customers differ most: principal components of three features.

use super::Point;
use crate::models::special::double;

/// Jacobi's rotations converge by the square: far fewer are needed for three features.
const ROUNDS: u32 = 30;

/// Two directions of length 1, the first with the greatest variance; in each the greatest part is
/// positive, so that the picture never flips.
pub(super) fn components(points: &[Point]) -> [Point; 2] {
    let (values, vectors) = eigen(covariance(points));
    let mut order = [0, 1, 2];
    // Stable: of equal variances the earlier feature first.
    order.sort_by(|left, right| values[*right].total_cmp(&values[*left]));
    [order[0], order[1]].map(|column| upright([0, 1, 2].map(|row| vectors[row][column])))
}

fn covariance(points: &[Point]) -> [Point; 3] {
    let count = double(points.len().max(1));
    let mut sums = [[0.0; 3]; 3];
    for point in points {
        for row in 0..3 {
            for column in 0..3 {
                sums[row][column] += point[row] * point[column];
            }
        }
    }
    sums.map(|row| row.map(|sum| sum / count))
}

/// Eigenvalues and, column by column, eigenvectors of a symmetric matrix.
fn eigen(mut matrix: [Point; 3]) -> (Point, [Point; 3]) {
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..ROUNDS {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if matrix[p][q] == 0.0 {
                continue;
            }
            let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
            let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
            let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
            let sine = tangent * cosine;
            matrix = rotated(matrix, (p, q), cosine, sine);
            matrix = transposed(rotated(transposed(matrix), (p, q), cosine, sine));
            vectors = rotated(vectors, (p, q), cosine, sine);
        }
    }
    ([0, 1, 2].map(|at| matrix[at][at]), vectors)
}

/// Two columns turned into each other.
fn rotated(mut matrix: [Point; 3], (p, q): (usize, usize), cosine: f64, sine: f64) -> [Point; 3] {
    for row in &mut matrix {
        let (left, right) = (row[p], row[q]);
        row[p] = cosine * left - sine * right;
        row[q] = sine * left + cosine * right;
    }
    matrix
}

fn transposed(matrix: [Point; 3]) -> [Point; 3] {
    [0, 1, 2].map(|column| matrix.map(|row| row[column]))
}

fn upright(direction: Point) -> Point {
    let greatest = direction
        .iter()
        .copied()
        .reduce(|best, part| if part.abs() > best.abs() { part } else { best });
    if greatest.is_some_and(|part| part < 0.0) {
        direction.map(|part| -part)
    } else {
        direction
    }
}
