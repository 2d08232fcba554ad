//! The ops interface.
