//! The database schema, in portable DDL.
