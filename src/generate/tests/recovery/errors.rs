//! Standard errors of a fit by maximum likelihood, from the data themselves.
//!
//! They follow from the curvature of the likelihood: the covariance of the parameters' logarithms is
//! the inverse of its negated second derivatives (Fisher's information). The error of a function of the
//! parameters follows from its slopes (the delta method).

/// The step of finite differences, in logarithms.
const STEP: f64 = 0.01;

/// Known parameters, with the covariance of their estimates.
pub(super) struct Errors<const N: usize> {
    at: [f64; N],
    covariance: [[f64; N]; N],
}

impl<const N: usize> Errors<N> {
    /// Computes the errors at parameters that are all positive.
    pub(super) fn new(at: [f64; N], log_likelihood: impl Fn([f64; N]) -> f64) -> Self {
        let moved = |steps: &[(usize, f64)]| {
            let mut parameters = at;
            for (place, step) in steps {
                parameters[*place] *= (STEP * step).exp();
            }
            log_likelihood(parameters)
        };
        let bend = |row: usize, column: usize| {
            let corner = |left: f64, right: f64| moved(&[(row, left), (column, right)]);
            corner(1.0, 1.0) - corner(1.0, -1.0) - corner(-1.0, 1.0) + corner(-1.0, -1.0)
        };
        let information = std::array::from_fn(|row| {
            std::array::from_fn(|column| -bend(row, column) / (4.0 * STEP * STEP))
        });
        Self {
            at,
            covariance: inverse(information),
        }
    }

    /// Returns one standard error of a function of the parameters.
    pub(super) fn of_function(&self, function: impl Fn([f64; N]) -> f64) -> f64 {
        let slopes: [f64; N] = std::array::from_fn(|place| {
            let moved = |step: f64| {
                let mut parameters = self.at;
                parameters[place] *= step.exp();
                function(parameters)
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        });
        let mut variance = 0.0;
        for (row, left) in self.covariance.iter().zip(slopes) {
            for (cell, right) in row.iter().zip(slopes) {
                variance += left * cell * right;
            }
        }
        variance.sqrt()
    }
}

/// Inverts a matrix by elimination with the greatest pivot.
fn inverse<const N: usize>(mut left: [[f64; N]; N]) -> [[f64; N]; N] {
    let mut right: [[f64; N]; N] =
        std::array::from_fn(|row| std::array::from_fn(|column| f64::from(u8::from(row == column))));
    for column in 0..N {
        let greatest = (column..N).max_by(|one, other| {
            let (one, other) = (left[*one][column].abs(), left[*other][column].abs());
            one.total_cmp(&other)
        });
        let pivot = greatest.unwrap_or(column);
        left.swap(column, pivot);
        right.swap(column, pivot);
        let scale = left[column][column];
        left[column] = left[column].map(|cell| cell / scale);
        right[column] = right[column].map(|cell| cell / scale);
        for row in (0..N).filter(|row| *row != column) {
            let times = left[row][column];
            for place in 0..N {
                left[row][place] -= times * left[column][place];
                right[row][place] -= times * right[column][place];
            }
        }
    }
    right
}

#[test]
fn a_matrix_times_its_inverse_is_one() {
    let matrix = [[4.0, 1.0, 0.0], [1.0, 3.0, -2.0], [0.5, -2.0, 5.0]];
    let inverse = inverse(matrix);
    let product = |row: usize, column: usize| -> f64 {
        (0..3).map(|k| matrix[row][k] * inverse[k][column]).sum()
    };
    for (row, column) in (0..9).map(|cell| (cell / 3, cell % 3)) {
        let one = f64::from(u8::from(row == column));
        assert!((product(row, column) - one).abs() < 1e-12);
    }
}
