//! Publishing events from the command line: encoding, and the pace of the embedded broker.

pub mod events;
pub mod pace;
