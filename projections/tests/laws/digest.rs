//! The digest of a set of customers: order-free, and a customer counted twice does not cancel.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tidemark_projections::digest::{Digest, state_hash};
use tidemark_schemas::{CustomerId, TenantId};

fn hash(tenant: &str, customer: &str, state: &[u8]) -> u128 {
    state_hash(
        &TenantId::new(tenant).unwrap(),
        &CustomerId::new(customer).unwrap(),
        state,
    )
}

fn sum(hashes: impl IntoIterator<Item = u128>) -> Digest {
    let mut digest = Digest::default();
    for hash in hashes {
        digest.replace(None, Some(hash));
    }
    digest
}

proptest! {
    #[test]
    fn the_digest_is_independent_of_order(
        (hashes, shuffled) in vec(any::<u128>(), 0..20)
            .prop_flat_map(|hashes| (Just(hashes.clone()), Just(hashes).prop_shuffle())),
        split in any::<prop::sample::Index>(),
    ) {
        let digest = sum(hashes.clone());
        prop_assert_eq!(digest, sum(shuffled));
        let (one, other) = hashes.split_at(split.index(hashes.len() + 1));
        let mut parts = sum(one.iter().copied());
        parts.add(sum(other.iter().copied()));
        prop_assert_eq!(digest, parts);
        prop_assert_eq!(Digest::from_bytes(digest.to_bytes()), digest);
    }

    #[test]
    fn incremental_replacement_gives_the_digest_of_the_last_states(
        steps in vec((0..5_usize, any::<Option<u128>>()), 0..40),
    ) {
        let mut held = [None; 5];
        let mut digest = Digest::default();
        for (customer, new) in steps {
            digest.replace(held[customer], new);
            held[customer] = new;
        }
        prop_assert_eq!(digest, sum(held.into_iter().flatten()));
    }

    #[test]
    fn a_different_state_changes_the_digest(
        customers in btree_map("[a-z]{1,8}", vec(any::<u8>(), 0..8), 1..10),
        chosen in any::<prop::sample::Index>(),
    ) {
        let hashes: Vec<u128> =
            customers.iter().map(|(customer, state)| hash("acme", customer, state)).collect();
        let (customer, state) = customers.iter().nth(chosen.index(customers.len())).unwrap();
        let mut changed = sum(hashes.clone());
        let other_state = [&state[..], &[0]].concat();
        changed.replace(
            Some(hash("acme", customer, state)),
            Some(hash("acme", customer, &other_state)),
        );
        prop_assert_ne!(changed, sum(hashes));
    }
}

#[test]
fn a_duplicate_customer_changes_the_digest() {
    let once = hash("acme", "c-1", b"state");
    assert_ne!(sum([once, once]), sum([]));
    assert_ne!(sum([once, once]), sum([once]));
}

#[test]
fn the_digest_separates_adjacent_fields() {
    assert_ne!(hash("acme", "c-1", b""), hash("acm", "ec-1", b""));
    assert_ne!(hash("acme", "c-12", b"3"), hash("acme", "c-1", b"23"));
}

/// Stored beside the states: the same on every machine and in every version.
#[test]
fn the_hash_equals_its_recorded_value() {
    assert_eq!(
        format!("{:032x}", hash("acme", "c-1", b"state")),
        "4816533b8af71e5084e45ef3559e1ba7"
    );
}
