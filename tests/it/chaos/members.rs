//! One to four processes in one group: they join, are killed, paused and restarted.

use std::collections::BTreeSet;

use super::world::{RECOVERED_WITHIN, World};
use crate::support::wait::wait_for;

const SEED: u64 = 20_261_123;
const ROUNDS: usize = 8;
const MEMBERS: usize = 4;

#[tokio::test]
async fn joined_and_killed_at_random_moments_nothing_is_lost_and_nothing_counts_twice() {
    // Given events that go on coming, and one process after the other until each has a partition
    let mut world = World::shared(SEED, 500).await;
    world.publish(1_000);
    for members in 1..=MEMBERS {
        world.join();
        world
            .owned("each process to have a share", |owners| {
                let distinct: BTreeSet<_> = owners.values().collect();
                distinct.len() == members
            })
            .await;
    }

    // When all of them are killed at once while they fold, again and again
    let mut killed = 0;
    for _ in 0..ROUNDS {
        world.folds_on().await;
        world.moment(250).await;
        killed += world.kill(MEMBERS);
    }
    assert_eq!(killed, ROUNDS * MEMBERS);

    // Then the tables hold what a fold in memory holds
    let end = world.assert_end(0).await;
    println!("{killed} kills: {end:?}");
}

#[tokio::test]
async fn a_process_that_wakes_up_late_writes_nothing() {
    // Given two processes
    let mut world = World::shared(SEED + 1, 500).await;
    world.join();
    world.join();
    world.publish(2_000);

    // When one is stopped past its session, the other takes over, and the first one wakes up with
    // what it had in its memory, several times
    for _ in 0..4 {
        world.pause_one().await;
    }
    world.caught_up().await;

    // Then it tried to write, and was refused; no epoch holds a write of anybody but who claimed
    // it, none came back after the next had begun (`witness`), and the tables hold what a fold in
    // memory holds
    let refused = refused(&world).await;
    assert!(refused > 0, "nobody woke up with anything to write");
    let end = world.assert_end(0).await;
    println!("{refused} writes refused: {end:?}");
}

#[tokio::test]
async fn members_coming_and_going_every_second_stop_nothing() {
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

/// What the metrics of a process say, without the comments.
async fn metrics(port: u16) -> Result<String, String> {
    let answer = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await;
    let text = answer.map_err(|error| error.to_string())?.text().await;
    text.map_err(|error| error.to_string())
}

/// The partitions for which the metrics of a process show a lag.
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

/// How often the processes that run now were refused a write.
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
async fn who_gives_a_partition_away_shows_it_no_more() {
    // Given a process that owns and shows every partition
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
        .owned("half to move", |owners| {
            owners.values().filter(|owner| **owner == first).count() == 2
        })
        .await;

    // Then the first shows the other half alone
    let kept: Vec<String> = owners
        .iter()
        .filter(|(_, owner)| **owner == first)
        .map(|(partition, _)| partition.to_string())
        .collect();
    shows(port, &kept).await;
    world.assert_end(0).await;
}

async fn shows(port: u16, expected: &[String]) {
    let what = "the metrics to show what is owned";
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

/// Flags of a process that the group is to know again.
fn place(name: &str) -> [String; 2] {
    [
        format!("kafka.properties.group.instance.id={name}"),
        // Longer than any restart.
        "kafka.properties.session.timeout.ms=60000".to_owned(),
    ]
}

#[tokio::test]
async fn a_process_with_a_place_restarts_without_a_rebalance() {
    // Given two processes that the group knows by `group.instance.id`
    let mut world = World::shared(SEED + 4, 300).await;
    let (left, right) = (place("left"), place("right"));
    let flags = |[id, timeout]: &[String; 2]| ["--set", id, "--set", timeout].map(str::to_owned);
    let (left, right) = (flags(&left), flags(&right));
    world.join_with(&left.each_ref().map(String::as_str));
    world.join_with(&right.each_ref().map(String::as_str));
    world.publish(500);
    let names = [0, 1].map(|place| world.members[place].name.clone());
    let before = world
        .owned("both to have a half", |owners| {
            let of = |name| owners.values().filter(|owner| *owner == name).count();
            of(&names[0]) == 2 && of(&names[1]) == 2
        })
        .await;
    // A claim is seen in the tables before its owner says what it owns; when it folds, it has.
    world.caught_up().await;
    let right_heard = rebalances(&world, &names[1]);

    // When one of them ends in good order and comes back, and is killed and comes back
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

        // Then it has the partitions that it had, and the other one has heard of nothing
        let after = world
            .owned("it to have its partitions back", |owners| {
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

/// How often a process was told what it owns.
fn rebalances(world: &World, name: &str) -> usize {
    let member = world.members.iter().find(|member| member.name == name);
    let log = member.map(|member| member.running.log());
    log.unwrap_or_default().matches("owned partitions").count()
}
