// SPDX-License-Identifier: Apache-2.0

//! What is known of the database's state: whether it takes commits, and whether it is whole.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sea_orm::sqlx;

use crate::desk::Manned;
use crate::error::{Trouble, trouble};
use crate::rule_book::RuleBook;
use crate::wakes::Wakes;

/// Shared by all connections of a store.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Why the last transaction could not be begun or committed.
    broken: Mutex<Option<String>>,
    /// What says that the database is damaged.
    damaged: Mutex<Option<String>>,
    /// Why a table cannot be read, when all were looked at last.
    unreadable: Mutex<Option<String>>,
    closed: AtomicBool,
    statements: AtomicU64,
    commits: AtomicU64,
    /// What is known of the rules in the database.
    pub(crate) rules: RuleBook,
    wakes: Wakes,
    /// Who takes deliveries over that commits make ready.
    pub(crate) desk: Manned,
    /// Every statement with its values, once a test listens.
    #[cfg(test)]
    heard: Mutex<Option<Vec<Put>>>,
}

fn read(slot: &Mutex<Option<String>>) -> Option<String> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn put(slot: &Mutex<Option<String>>, value: Option<String>) {
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = value;
}

/// Remembers what was found to be damaged, and says it once.
fn replace(slot: &Mutex<Option<String>>, damage: Option<String>) {
    let was = read(slot);
    match &damage {
        Some(damage) if was.is_none() => tracing::error!("the database is damaged; restore it from a copy: {damage}"),
        None if was.is_some() => tracing::info!("the database is whole again"),
        Some(_) | None => {}
    }
    put(slot, damage);
}

impl State {
    /// A commit was confirmed: the database takes them.
    pub(crate) fn committed(&self) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        if broken.take().is_some() {
            tracing::info!("the database takes commits again");
            metrics::gauge!("ticketbridge_writer_broken").set(0.0);
        }
    }

    /// How many commits were confirmed so far.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// A transaction could not be begun or committed.
    pub(crate) fn broke(&self, why: &str) {
        let was = self.writer_trouble();
        put(&self.broken, Some(why.to_owned()));
        metrics::gauge!("ticketbridge_writer_broken").set(1.0);
        metrics::counter!("ticketbridge_commits_failed_total").increment(1);
        if was.is_none() {
            tracing::error!("the database takes no commits; senders are asked to come again: {why}");
        }
    }

    /// Why the database takes no commits, as far as is known.
    pub(crate) fn writer_trouble(&self) -> Option<String> {
        read(&self.broken)
    }

    /// Looks whether an error says that the database is damaged.
    pub(crate) fn note(&self, error: &sqlx::Error) {
        if trouble(error) == Trouble::Damaged {
            let was = read(&self.damaged);
            put(&self.damaged, Some(error.to_string()));
            if was.is_none() {
                tracing::error!("the database is damaged; restore it from a copy: {error}");
            }
        }
    }

    /// What a look at the whole database has shown.
    pub(crate) fn looked(&self, damage: Option<String>) {
        replace(&self.damaged, damage);
    }

    /// What a look at every table has shown.
    pub(crate) fn looked_at_tables(&self, trouble: Option<String>) {
        replace(&self.unreadable, trouble);
    }

    pub(crate) fn damage(&self) -> Option<String> {
        read(&self.damaged).or_else(|| read(&self.unreadable))
    }

    /// Statements were run; `of` says on whose connections.
    pub(crate) fn count(&self, of: &'static str, statements: u64) {
        self.statements.fetch_add(statements, Ordering::Relaxed);
        metrics::counter!("ticketbridge_statements_total", "of" => of).increment(statements);
    }

    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Who is told of what commits leave to be done.
    pub(crate) fn wakes(&self) -> &Wakes {
        &self.wakes
    }

    /// A statement is put; for tests that ask for its plan.
    #[cfg(not(test))]
    pub(crate) fn hear(&self, _sql: &str, _values: &[sea_orm::Value]) {}

    #[cfg(test)]
    pub(crate) fn hear(&self, sql: &str, values: &[sea_orm::Value]) {
        if let Some(heard) = &mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            heard.push((sql.to_owned(), values.to_vec()));
        }
    }

    #[cfg(test)]
    pub(crate) fn listen_to_statements(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    #[cfg(test)]
    pub(crate) fn statements_heard(&self) -> Vec<(String, Vec<sea_orm::Value>)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A statement with its values.
#[cfg(test)]
type Put = (String, Vec<sea_orm::Value>);
