//! Isolation of tenants: by token, query and cursor, and by row-level security in the database.

mod database;
mod requests;
