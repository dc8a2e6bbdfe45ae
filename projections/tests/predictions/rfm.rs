//! Fifths, cells, and when a cell changes by itself.

use proptest::prelude::*;
use tidemark_projections::models::{Rfm, RfmCell, RfmModel};

fn measures(recency_days: i64, frequency: u32, monetary_minor: i64) -> Rfm {
    Rfm {
        recency_days,
        frequency,
        monetary_minor,
    }
}

#[test]
fn every_fifth_holds_a_fifth_of_the_customers() {
    let customers: Vec<Rfm> = (0..100)
        .map(|n| measures(n.into(), n, i64::from(n) * 100))
        .collect();
    let model = RfmModel::fit(&customers).unwrap();
    for fifth in 1..=5 {
        let count = |of_cell: fn(RfmCell) -> u8| {
            let cells = customers.iter().map(|of| of_cell(model.cell(*of)));
            cells.filter(|cell| *cell == fifth).count()
        };
        assert_eq!(count(|cell| cell.recency), 20);
        assert_eq!(count(|cell| cell.frequency), 20);
        assert_eq!(count(|cell| cell.monetary), 20);
    }
    // Bought today, often, for much.
    let best = RfmCell {
        recency: 5,
        frequency: 5,
        monetary: 5,
    };
    assert_eq!(model.cell(measures(0, 99, 9_900)), best);
    assert_eq!(RfmModel::fit(&[]), None);
}

fn customers() -> impl Strategy<Value = Vec<Rfm>> {
    let one = (0..50_i64, 1..10_u32, -500..500_i64).prop_map(|(r, f, m)| measures(r, f, m));
    prop::collection::vec(one, 1..60)
}

proptest! {
    #[test]
    fn the_order_of_customers_makes_no_difference(
        (customers, shuffled) in customers()
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        prop_assert_eq!(RfmModel::fit(&customers), RfmModel::fit(&shuffled));
    }

    #[test]
    fn the_cell_changes_only_at_the_predicted_recency(
        customers in customers(), recency in 0..60_i64, frequency in 1..10_u32
    ) {
        let model = RfmModel::fit(&customers).unwrap();
        let cell = |recency| model.cell(measures(recency, frequency, 0));
        let changes = (recency..200).find(|later| cell(*later) != cell(recency));
        prop_assert_eq!(model.next_recency(recency), changes);
    }
}
