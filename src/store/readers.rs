// SPDX-License-Identifier: Apache-2.0

//! Connections that read. Each question runs in a task of its own: who asked may go away at any moment, and the connection is
//! never put back in the middle of something.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{QueryResult, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connection::{Address, Connection, executing};
use crate::error::{StoreError, Trouble, is_gone, trouble};
use crate::state::State;

struct Inner {
    address: Address,
    state: Arc<State>,
    /// One permit for each connection that there may be.
    room: Arc<Semaphore>,
    /// The one that rested the shortest is taken first, so that few are open when little is asked.
    resting: Mutex<Vec<Connection>>,
}

/// The connections that read. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Readers(Arc<Inner>);

impl Readers {
    /// Readers of an address, `most` at a time.
    pub(crate) fn new(address: Address, state: Arc<State>, most: u32) -> Self {
        let room = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1).max(1)));
        Self(Arc::new(Inner { address, state, room, resting: Mutex::default() }))
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.0.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows of a SELECT.
    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let (readers, sql) = (self.clone(), sql.to_owned());
        let asking = tokio::spawn(async move { readers.ask(&sql, values).await });
        asking.await.map_err(|_| StoreError::Panicked)?
    }

    /// Makes sure that a connection can be had, and keeps it.
    pub(crate) async fn open_one(&self) -> Result<(), StoreError> {
        let connection = self.0.address.open().await?;
        self.resting().push(connection);
        Ok(())
    }

    async fn ask(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let room = match timeout(self.0.address.limits().acquire, self.0.room.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(StoreError::Closed),
            Err(_) => return Err(StoreError::TryLater),
        };
        let rested = self.resting().pop();
        let result = match rested {
            // The database may have gone away meanwhile, and what only reads can be asked twice.
            Some(connection) => match self.on(connection, sql, values.clone()).await {
                Err((_, Lost::Gone)) => self.on_new(sql, values).await,
                other => other.map_err(|(error, _)| error),
            },
            None => self.on_new(sql, values).await,
        };
        drop(room);
        result
    }

    async fn on_new(&self, sql: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let connection = self.0.address.open().await?;
        self.on(connection, sql, values).await.map_err(|(error, _)| error)
    }

    async fn on(
        &self,
        mut connection: Connection,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, (StoreError, Lost)> {
        self.0.state.count("readers", 1);
        self.0.state.hear(sql, &values);
        let asked = timeout(self.0.address.limits().patience(), connection.rows(sql, values)).await;
        let error = match asked {
            Ok(Ok(rows)) => {
                self.put_back(connection).await;
                return Ok(rows);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                // Dropped, not closed: it would not answer to that either.
                drop(connection);
                return Err((StoreError::TryLater, Lost::Hangs));
            }
        };
        self.0.state.note(&error);
        match trouble(&error) {
            Trouble::Clean => self.put_back(connection).await,
            Trouble::Conflict | Trouble::Broken | Trouble::Damaged => {
                let gone = is_gone(&error);
                connection.close().await;
                let lost = if gone { Lost::Gone } else { Lost::Refused };
                return Err((StoreError::Statement(executing(error)), lost));
            }
        }
        Err((StoreError::Statement(executing(error)), Lost::Refused))
    }

    async fn put_back(&self, connection: Connection) {
        if self.0.state.is_closed() {
            return connection.close().await;
        }
        self.resting().push(connection);
    }

    /// Closes what rests; what is under way is closed when it comes back.
    pub(crate) async fn close(&self) {
        self.0.room.close();
        let all: Vec<Connection> = self.resting().drain(..).collect();
        for connection in all {
            connection.close().await;
        }
    }
}

/// How a question was lost.
enum Lost {
    /// The connection is gone: it may have been gone before the question.
    Gone,
    /// It does not answer.
    Hangs,
    /// The database said no.
    Refused,
}
