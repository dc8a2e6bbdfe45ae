//! Attribution: four models, each of which credits campaigns with the whole value of an order.

use std::cmp::Reverse;

/// The rule that divides the value of an order among the touches before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribution {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// Equal shares for all touches.
    Linear,
    /// Two fifths to the first, two fifths to the last, the rest to those between; halves of two.
    PositionBased,
}

impl Attribution {
    /// All four.
    pub const ALL: [Self; 4] = [Self::First, Self::Last, Self::Linear, Self::PositionBased];

    /// Returns the name in responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Linear => "linear",
            Self::PositionBased => "position_based",
        }
    }

    /// The share of each of so many touches, out of [`Self::whole`].
    fn shares(self, touches: usize) -> Vec<i128> {
        let whole = Self::whole(touches);
        let mut shares = vec![0; touches];
        match (self, touches) {
            (_, 0) => {}
            (Self::First, _) | (_, 1) => shares[0] = whole,
            (Self::Last, _) => shares[touches - 1] = whole,
            (Self::Linear, _) => shares.fill(whole / i128::try_from(touches).unwrap_or(1)),
            (Self::PositionBased, 2) => shares.fill(whole / 2),
            (Self::PositionBased, _) => {
                let between = i128::try_from(touches - 2).unwrap_or(1);
                shares.fill(whole / 5 / between);
                shares[0] = whole / 5 * 2;
                shares[touches - 1] = whole / 5 * 2;
            }
        }
        shares
    }

    /// Divisible by all that shares are divided by.
    fn whole(touches: usize) -> i128 {
        let touches = i128::try_from(touches).unwrap_or(1);
        10 * touches.max(1) * (touches - 2).max(1)
    }

    /// Returns the credit of each touch, in minor units, from the first touch to the last.
    ///
    /// Whole minor units that add up to the amount: what rounding leaves goes to those it took most
    /// from, the earlier of equals first.
    pub fn credit(self, amount_minor: i64, touches: usize) -> Vec<i64> {
        let whole = Self::whole(touches);
        let amount = i128::from(amount_minor);
        let exact: Vec<i128> = self
            .shares(touches)
            .iter()
            .map(|share| share * amount.abs())
            .collect();
        let mut credits: Vec<i128> = exact.iter().map(|exact| exact / whole).collect();
        let mut by_rest: Vec<usize> = (0..touches).collect();
        by_rest.sort_by_key(|touch| (Reverse(exact[*touch] % whole), *touch));
        let missing = amount.abs() - credits.iter().sum::<i128>();
        for touch in by_rest
            .into_iter()
            .take(usize::try_from(missing).unwrap_or(0))
        {
            credits[touch] += 1;
        }
        credits
            .into_iter()
            .map(|credit| i64::try_from(credit * amount.signum()).unwrap_or(amount_minor))
            .collect()
    }
}
