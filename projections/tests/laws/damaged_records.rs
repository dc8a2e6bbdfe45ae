//! Decoding refuses damaged subscriptions, tickets, campaigns, offers and consents.

use crate::damage::{ID_1, ID_2, check_accepted, check_refused};

/// The version with records, first seen at the epoch, last seen four microseconds later, and nothing
/// of what comes before records.
const HEAD: &str = "85000400000000000000000000";

/// Subscriptions, tickets, campaigns, offers and consents.
#[track_caller]
fn check(records: [&str; 5], refused: Option<&str>) {
    let records = records.concat();
    let parts = [HEAD, &records];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

const OUT_OF_ORDER: Option<&str> = Some("a list is out of order");
const TOO_LARGE: Option<&str> = Some("a count is larger than what follows");
const TOO_NEW: Option<&str> = Some("an instant lies after the newest event");

#[test]
fn encoded_empty_records_are_refused() {
    let none = Some("records are written out though there is none");
    check(["00"; 5], none);
    check_refused(&["85"], "ends too early");
    // Said to be without records, but with them.
    let consent = ["01", "0161", "00", ID_1, "01"].concat();
    let without = HEAD.replacen("85", "05", 1);
    check_refused(&[&without, "00000000", &consent], "bytes are left over");
}

#[test]
fn record_counts_beyond_the_input_are_refused_before_allocation() {
    for place in 0..5 {
        let mut records = ["00"; 5];
        records[place] = "ffffffffff0f";
        check(records, TOO_LARGE);
    }
}

/// `s`, at first seen by event 1: active, plan `p`, 0.01 EUR; then what is said of the statuses.
fn subscription(stamp: &str, status: &str, statuses: &str) -> String {
    let version = [stamp, ID_1, status, "0170", "02", "455552"].concat();
    ["0173", &version, statuses].concat()
}

#[track_caller]
fn check_subscriptions(subscriptions: &[&str], refused: Option<&str>) {
    let all = format!("{:02x}{}", subscriptions.len(), subscriptions.concat());
    check([&all, "00", "00", "00", "00"], refused);
}

#[test]
fn damaged_subscriptions_are_refused() {
    let good = subscription("04", "01", "000101000000");
    check_subscriptions(&[&good], None);
    check_subscriptions(&[&good, &good], OUT_OF_ORDER);
    // A trial from the first to the third microsecond.
    let trial_first = subscription("04", "01", "0100030104000000");
    check_subscriptions(&[&trial_first], None);
    let too_new = subscription("05", "01", "000101000000");
    check_subscriptions(&[&too_new], TOO_NEW);
    let after_newest = subscription("03", "01", "0100040103000000");
    check_subscriptions(&[&after_newest], TOO_NEW);
    let begins_after_newest = subscription("03", "01", "000104000000");
    check_subscriptions(&[&begins_after_newest], TOO_NEW);
    let never = Some("the newest status was never heard of");
    check_subscriptions(&[&subscription("04", "01", "0100000000000000")], never);
    let neither = Some("neither a status nor none");
    check_subscriptions(&[&subscription("04", "01", "000201000000")], neither);
    let word = Some("a word that does not exist");
    check_subscriptions(&[&subscription("04", "05", "000101000000")], word);
    let currency = good.replace("455552", "585858");
    check_subscriptions(&[&currency], Some("an unknown currency"));
}

#[test]
fn damaged_tickets_are_refused() {
    let ticket =
        |id: &str, first: &str, newest: &str| [id, first, newest, ID_1, "016f", "0168"].concat();
    let check_tickets = |tickets: &[String], refused| {
        let all = format!("{:02x}{}", tickets.len(), tickets.concat());
        check(["00", &all, "00", "00", "00"], refused);
    };
    let [one, two] = ["0174", "0175"].map(|id| ticket(id, "01", "03"));
    check_tickets(&[one.clone(), two.clone()], None);
    check_tickets(&[two.clone(), one], OUT_OF_ORDER);
    check_tickets(&[two.clone(), two], OUT_OF_ORDER);
    check_tickets(&[ticket("0174", "01", "04")], TOO_NEW);
}

#[test]
fn damaged_campaigns_are_refused() {
    // Campaign `c` by `e`: once, at once, on day 1, not kept to the instant; then what it cost.
    let line = |costs: &str| ["0163", "0165", "010000", "010201", "00", costs].concat();
    let check_costs = |costs: &str, refused| {
        check(
            ["00", "00", &["01", &line(costs)].concat(), "00", "00"],
            refused,
        );
    };
    check_costs("00", None);
    // On day 1 0.01 EUR; on the same day 1 JPY.
    let euro = "0245555202";
    check_costs(&["01", euro].concat(), None);
    check_costs(&["02", euro, "004a505902"].concat(), None);
    check_costs(&["02", euro].concat(), TOO_LARGE);
    check_costs(&["02", "024a505902", "0045555202"].concat(), OUT_OF_ORDER);
    check_costs(&["02", euro, "0045555202"].concat(), OUT_OF_ORDER);
    check_costs("010245555200", Some("a cost of nothing is written out"));
    check_costs("010245555201", Some("a cost of nothing is written out"));
    check_costs("01ffffffffff1f45555202", Some("a day out of range"));
    let twice = ["02", &line("00"), &line("00")].concat();
    check(["00", "00", &twice, "00", "00"], OUT_OF_ORDER);
}

#[test]
fn damaged_offers_are_refused() {
    let offer = |known: &str, rest: &[&str]| ["01", "0178", known, &rest.concat()].concat();
    let check_offer = |offer: &str, refused| check(["00", "00", "00", offer, "00"], refused);
    let offered = ["00", ID_1, "0161"].concat();
    let answered = ["04", ID_2].concat();
    check_offer(&offer("01", &[&offered]), None);
    check_offer(&offer("02", &[&answered]), None);
    check_offer(&offer("04", &[&answered]), None);
    check_offer(&offer("05", &[&offered, &answered]), None);
    let neither = Some("neither an offer nor an answer");
    check_offer(&offer("00", &[&offered]), neither);
    check_offer(&offer("06", &[&answered]), neither);
    check_offer(&offer("09", &[&offered, &answered]), neither);
    check_offer(&offer("01", &["05", ID_1, "0161"]), TOO_NEW);
    check_offer(&offer("02", &["05", ID_1]), TOO_NEW);
}

#[test]
fn damaged_consents_are_refused() {
    let check_consents =
        |consents: &str, refused| check(["00", "00", "00", "00", consents], refused);
    let consent = |purpose: &str, granted: &str| [purpose, "04", ID_1, granted].concat();
    let [a, b] = ["0161", "0162"].map(|purpose| consent(purpose, "00"));
    check_consents(&["02", &a, &b].concat(), None);
    check_consents(&["02", &b, &a].concat(), OUT_OF_ORDER);
    let neither = Some("neither given nor withdrawn");
    check_consents(&["01", &consent("0161", "02")].concat(), neither);
}
