//! Persistence: the one place that speaks SQL.
