//! No tenant sees another: not by token, query or cursor, and not under them in the database.

mod database;
mod requests;
