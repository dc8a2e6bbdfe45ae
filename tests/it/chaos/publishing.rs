//! Producers that send twice and in any order, and abort transactions.

use std::collections::VecDeque;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::world::World;

const SEED: u64 = 20_261_130;

#[tokio::test]
async fn aborted_transactions_are_never_folded() {
    // Given a process, and events of which many are sent twice and all in random order
    let mut world = World::shared(SEED, 500).await;
    world.join();
    let mut random = StdRng::seed_from_u64(SEED);
    let mut before = VecDeque::new();

    // When transactions are aborted between them and at the end
    for _ in 0..3 {
        world.quiet().burst(2_000, &mut before, &mut random);
        world.quiet().publisher.flush();
        world.abort_transaction().await;
    }

    // Then the position passes them, and the tables hold only committed events
    world.assert_end(0).await;
}
