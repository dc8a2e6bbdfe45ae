//! Groups of one to four processes, which join, are killed, paused and restarted.

use std::collections::BTreeSet;

use super::world::{RECOVERED_WITHIN, World};
use crate::support::wait::wait_for;

const SEED: u64 = 20_261_123;
const ROUNDS: usize = 8;
const MEMBERS: usize = 4;

#[tokio::test]
async fn processes_joined_and_killed_at_random_moments_fold_every_event_exactly_once() {
    // Given a stream of events, and processes that join one after the other until each has a
    // partition
    let mut world = World::shared(SEED, 500).await;
    world.publish(1_000);
    for members in 1..=MEMBERS {
        world.join();
        world
            .owned("each process to have a partition", |owners| {
                let distinct: BTreeSet<_> = owners.values().collect();
                distinct.len() == members
            })
            .await;
    }

    // When all of them are killed at once while they fold, several times
    let mut killed = 0;
    for _ in 0..ROUNDS {
        world.wait_for_progress().await;
        world.moment(250).await;
        killed += world.kill(MEMBERS);
    }
    assert_eq!(killed, ROUNDS * MEMBERS);

    // Then the tables equal a fold in memory
    let end = world.assert_end(0).await;
    println!("{killed} kills: {end:?}");
}

#[tokio::test]
async fn process_resumed_after_its_session_expired_writes_nothing() {
    // Given two processes
    let mut world = World::shared(SEED + 1, 500).await;
    world.join();
    world.join();
    world.publish(2_000);

    // When one is paused past its session, the other takes over, and the first one resumes with its
    // old memory, several times
    for _ in 0..4 {
        world.pause_one().await;
    }
    world.caught_up().await;

    // Then its writes were rejected; each epoch has writes of its claimant alone, and none after
    // the next epoch began (`witness`); and the tables equal a fold in memory
    let refused = refused(&world).await;
    assert!(refused > 0, "no paused process had anything to write");
    let end = world.assert_end(0).await;
    println!("{refused} writes rejected: {end:?}");
}

#[tokio::test]
async fn rebalance_every_second_does_not_stop_folding() {
    let mut world = World::shared(SEED + 2, 500).await;
    world.join();
    world.publish(500);
    world.all_owned().await;
    let before = world.folded().await;
    world.rebalance_storm(10).await;
    world.caught_up().await;
    assert!(world.folded().await > before);
    world.assert_end(0).await;
}

/// Returns the metrics of a process, without comments.
async fn metrics(port: u16) -> Result<String, String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let text = answer.map_err(|error| error.to_string())?.text().await;
    text.map_err(|error| error.to_string())
}

/// Returns the partitions for which the metrics of a process show a lag.
async fn shown(port: u16) -> Result<Vec<String>, String> {
    let mut partitions: Vec<String> = metrics(port)
        .await?
        .lines()
        .filter_map(|line| line.strip_prefix("tidemark_lag_records{partition=\""))
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    partitions.sort();
    Ok(partitions)
}

/// Returns how many writes of the running processes were rejected.
async fn refused(world: &World) -> u64 {
    let mut refused = 0;
    for member in &world.members {
        let text = metrics(member.metrics_port).await.unwrap();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix("tidemark_fenced_total "));
        refused += value.unwrap().parse::<u64>().unwrap();
    }
    refused
}

#[tokio::test]
async fn metrics_of_a_revoked_partition_are_removed() {
    // Given a process that owns every partition and shows its lag
    let mut world = World::shared(SEED + 3, 100).await;
    world.join();
    world.publish(100);
    world.all_owned().await;
    let port = world.members[0].metrics_port;
    let expected = ["0", "1", "2", "3"].map(str::to_owned).to_vec();
    shows(port, &expected).await;

    // When another takes half of them
    world.join();
    let first = world.members[0].name.clone();
    let owners = world
        .owned("half of the partitions to move", |owners| {
            owners.values().filter(|owner| **owner == first).count() == 2
        })
        .await;

    // Then the metrics of the first one show the other half alone
    let kept: Vec<String> = owners
        .iter()
        .filter(|(_, owner)| **owner == first)
        .map(|(partition, _)| partition.to_string())
        .collect();
    shows(port, &kept).await;
    world.assert_end(0).await;
}

async fn shows(port: u16, expected: &[String]) {
    let what = "the metrics to show the owned partitions";
    wait_for(RECOVERED_WITHIN, what, async || {
        let shown = shown(port).await?;
        if shown == expected {
            Ok(())
        } else {
            Err(format!("{shown:?}"))
        }
    })
    .await;
}

/// Returns the flags of a process with static group membership.
fn static_membership(name: &str) -> [String; 2] {
    [
        format!("kafka.properties.group.instance.id={name}"),
        // Longer than any restart.
        "kafka.properties.session.timeout.ms=60000".to_owned(),
    ]
}

#[tokio::test]
async fn process_with_static_membership_restarts_without_a_rebalance() {
    // Given two processes with a `group.instance.id`
    let mut world = World::shared(SEED + 4, 300).await;
    let (left, right) = (static_membership("left"), static_membership("right"));
    let flags = |[id, timeout]: &[String; 2]| ["--set", id, "--set", timeout].map(str::to_owned);
    let (left, right) = (flags(&left), flags(&right));
    world.join_with(&left.each_ref().map(String::as_str));
    world.join_with(&right.each_ref().map(String::as_str));
    world.publish(500);
    let names = [0, 1].map(|place| world.members[place].name.clone());
    let before = world
        .owned("both to have half of the partitions", |owners| {
            let of = |name| owners.values().filter(|owner| *owner == name).count();
            of(&names[0]) == 2 && of(&names[1]) == 2
        })
        .await;
    // The tables show a claim before its owner logs it; once it folds, it has logged it.
    world.caught_up().await;
    let right_heard = rebalances(&world, &names[1]);

    // When one of them is terminated and restarted, and then killed and restarted
    for killed in [false, true] {
        let member = world.members.remove(0);
        let stood = member.name.clone();
        if killed {
            member.running.kill();
        } else {
            member.running.terminate();
        }
        world.join_with(&left.each_ref().map(String::as_str));
        world.members.swap(0, 1);
        let name = world.members[0].name.clone();

        // Then it has its partitions back, and the other one saw no rebalance
        let after = world
            .owned("the process to have its partitions back", |owners| {
                owners.values().all(|owner| *owner != stood) && owners.values().any(|o| *o == name)
            })
            .await;
        for (partition, owner) in &before {
            let expected = if *owner == names[1] { owner } else { &name };
            assert_eq!(&after[partition], expected, "{before:?} {after:?}");
        }
        world.caught_up().await;
    }
    assert_eq!(rebalances(&world, &names[1]), right_heard);
    world.assert_end(0).await;
}

/// Returns how often a process was assigned partitions.
fn rebalances(world: &World, name: &str) -> usize {
    let member = world.members.iter().find(|member| member.name == name);
    let log = member.map(|member| member.running.log());
    log.unwrap_or_default().matches("owned partitions").count()
}
