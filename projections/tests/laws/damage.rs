//! Decoding refuses every second encoding of a state, and damaged bytes.

use tidemark_projections::state::CustomerState;

/// The version, first seen at the epoch, last seen four microseconds later.
const HEAD: &str = "050004";
const NO_IDENTITY: &str = "0000";
const NO_ATTRIBUTES: &str = "0000";
const NO_ORDERS: &str = "000000";
/// Neither journeys nor activities nor conversations.
const NOTHING_ELSE: &str = "000000";
pub(crate) const ID_1: &str = "00000000000000000000000000000001";
pub(crate) const ID_2: &str = "00000000000000000000000000000002";

pub(crate) fn bytes(parts: &[&str]) -> Vec<u8> {
    let hex = parts.concat();
    let digits: Vec<u32> = hex
        .chars()
        .map(|digit| digit.to_digit(16).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

#[track_caller]
pub(crate) fn check_accepted(parts: &[&str]) {
    let bytes = bytes(parts);
    assert_eq!(CustomerState::decode(&bytes).unwrap().encode(), bytes);
}

#[track_caller]
pub(crate) fn check_refused(parts: &[&str], reason: &str) {
    let error = CustomerState::decode(&bytes(parts)).unwrap_err();
    assert_eq!(error.0, reason);
}

#[track_caller]
fn check_identity(identity: &[&str], refused: Option<&str>) {
    let identity = identity.concat();
    let parts = [HEAD, &identity, NO_ATTRIBUTES, NO_ORDERS, NOTHING_ELSE];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

#[track_caller]
fn check_attributes(attributes: &[&str], refused: Option<&str>) {
    let attributes = attributes.concat();
    let parts = [HEAD, NO_IDENTITY, &attributes, NO_ORDERS, NOTHING_ELSE];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

#[track_caller]
fn check_orders(orders: &[&str], refused: Option<&str>) {
    let orders = orders.concat();
    let parts = [HEAD, NO_IDENTITY, NO_ATTRIBUTES, &orders, NOTHING_ELSE];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

#[test]
fn numbers_have_one_encoding_of_64_bits() {
    let rest = ["00", NO_IDENTITY, NO_ATTRIBUTES, NO_ORDERS, NOTHING_ELSE].concat();
    check_accepted(&["05", "00", &rest]);
    check_refused(
        &["05", "8000", &rest],
        "a number is longer than it needs to be",
    );
    check_refused(
        &["05", "ffffffffffffffffff7f", &rest],
        "a number does not fit 64 bits",
    );
    check_refused(
        &["05", "ffffffffffffffffffff", &rest],
        "a number does not fit 64 bits",
    );
    check_refused(
        &["05", "ffffffffffffffffff01", &rest],
        "an instant out of range",
    );
}

#[test]
fn an_instant_after_the_newest_event_is_refused() {
    check_identity(&["0104", ID_1, "00"], None);
    check_identity(
        &["0105", ID_1, "00"],
        Some("an instant lies after the newest event"),
    );
    let farther_than_any = "01ffffffffffffffffff01";
    check_identity(
        &[farther_than_any, ID_1, "00"],
        Some("an instant lies after the newest event"),
    );
}

#[test]
fn unsorted_lists_are_refused() {
    let out_of_order = Some("a list is out of order");
    check_identity(&["02", "00", ID_1, "00", ID_2, "00"], None);
    check_identity(&["02", "00", ID_2, "00", ID_1, "00"], out_of_order);
    check_identity(&["02", "00", ID_1, "00", ID_1, "00"], out_of_order);
    check_identity(&["00", "02", ID_1, ID_2], None);
    check_identity(&["00", "02", ID_2, ID_1], out_of_order);
    check_attributes(
        &["0100", ID_1, "02", "0161", "010000", "0162", "010000"],
        None,
    );
    check_attributes(
        &["0100", ID_1, "02", "0162", "010000", "0161", "010000"],
        out_of_order,
    );
    check_attributes(&["0100", ID_1, "01", "0161", "02", "0000", "0001"], None);
    check_attributes(
        &["0100", ID_1, "01", "0161", "02", "0001", "0000"],
        out_of_order,
    );
    check_orders(
        &["02", "455552", "4a5059", "0000"],
        Some("a currency is listed but not used"),
    );
    check_orders(&["02", "4a5059", "455552", "0000"], out_of_order);
}

#[test]
fn a_count_beyond_the_input_is_refused_before_allocation() {
    let too_large = Some("a count is larger than what follows");
    check_identity(&["ffffffff0f"], too_large);
    check_identity(&["ffffffffffffffffff01"], too_large);
    check_attributes(&["ffffffffffff0f"], too_large);
    check_attributes(&["00", "ffffffffffff0f"], too_large);
    check_orders(&["00", "ffffffffffff0f"], too_large);
    check_orders(&["0000", "ffffffffffff0f"], too_large);
}

#[test]
fn encoded_empty_lists_are_refused() {
    let empty = Some("an empty list is written out");
    check_attributes(&["0001", "0161", "00", "00"], empty);
    check_orders(&["0000", "01", "026f31", "00"], empty);
    let journey = ["01", "0161", "00"].concat();
    check_refused(
        &[HEAD, NO_IDENTITY, NO_ATTRIBUTES, NO_ORDERS, &journey],
        "an empty list is written out",
    );
}

#[test]
fn unused_table_entries_are_refused() {
    check_attributes(
        &["0100", ID_1, "00"],
        Some("an event is listed but wrote nothing"),
    );
    check_attributes(&["0001", "0161", "010000"], Some("no such event"));
    check_orders(
        &["01", "455552", "0000"],
        Some("a currency is listed but not used"),
    );
    check_orders(
        &["0001", "016f", "00", ID_1, "000200", "00"],
        Some("no such currency"),
    );
    check_orders(&["01", "585858", "0000"], Some("an unknown currency"));
    check_orders(&["01", "ffffff", "0000"], Some("an unknown currency"));
}

#[test]
fn a_day_that_no_zone_gives_its_instant_is_refused() {
    let order = |day| ["01", "455552", "01", "016f", "00", ID_1, day, "0200", "00"].concat();
    check_orders(&[&order("01")], None);
    let nowhere = Some("a day is not the day of its instant in any zone");
    check_orders(&[&order("05")], nowhere);
    check_orders(&[&order("06")], nowhere);
}

#[track_caller]
fn check_activity(activity: &str, refused: Option<&str>) {
    let parts = [
        HEAD,
        NO_IDENTITY,
        NO_ATTRIBUTES,
        NO_ORDERS,
        "00",
        activity,
        "00",
    ];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

#[track_caller]
fn check_conversations(conversations: &str, refused: Option<&str>) {
    let parts = [
        HEAD,
        NO_IDENTITY,
        NO_ATTRIBUTES,
        NO_ORDERS,
        "0000",
        conversations,
    ];
    refused.map_or_else(
        || check_accepted(&parts),
        |reason| check_refused(&parts, reason),
    );
}

#[test]
fn incomplete_activity_counters_are_refused() {
    // Event `a`, twice: at once and four microseconds later; two days, two instants.
    check_activity("0101610200040200010201020004", None);
    let out_of_order = Some("a list is out of order");
    check_activity("0101610200040200010001020004", out_of_order);
    check_activity("02016201000000000161010000000000", out_of_order);
    let day = Some("a day out of range");
    check_activity("01016101000001ffffffffffffffffff010100", day);
    let newer = Some("an instant lies after the newest event");
    check_activity("0101610100050000", newer);
    check_activity("010161010000000105", newer);
}

#[test]
fn noncanonical_conversations_are_refused() {
    // By `k`, by e-mail, on day 1: one message to the company, and nothing else.
    check_conversations("0101016b01010201000000000000", None);
    check_conversations(
        "0101016b01000000000000000000",
        Some("an empty list is written out"),
    );
    check_conversations(
        "0102016b01010201000000000000",
        Some("neither an agent nor none"),
    );
    check_conversations(
        "0101016b07010201000000000000",
        Some("a word that does not exist"),
    );
    let bucket = Some("a bucket that holds nothing");
    check_conversations("0101016b0101020100000001f8010000", bucket);
}

#[test]
fn noncanonical_values_are_refused() {
    let value = |value| ["0100", ID_1, "01", "0161", "0100", value].concat();
    check_attributes(&[&value("04000000000000f03f")], None);
    let negative_zero = "040000000000000080";
    check_attributes(&[&value(negative_zero)], Some("a double is not canonical"));
    let not_a_number = "04000000000000f87f";
    check_attributes(&[&value(not_a_number)], Some("a double is not canonical"));
    check_attributes(&[&value("0501ff")], Some("a text is not UTF-8"));
    check_attributes(&[&value("06")], Some("a value of an unknown kind"));
}
