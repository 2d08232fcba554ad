// SPDX-License-Identifier: Apache-2.0

//! Instances that share PostgreSQL tell each other what their commits have left to be done (`LISTEN`/`NOTIFY`).
//!
//! They do so after the commit and together for everything of a short while: a note inside the transaction would have all commits wait for
//! one lock. Notes can be lost, so whoever waits for them looks by itself now and then as well; where nobody is told of others' commits,
//! more often.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use ticketbridge_core::{Millis, UnixMillis};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::ahead::Ahead;
use crate::connect::Store;
use crate::connection::executing;
use crate::dialect::values;
use crate::error::StoreError;
use crate::limits::TimeLimits;
use crate::readers::Readers;
use crate::seal::random_token;
use crate::state::State;

/// Under which name instances on one PostgreSQL database tell each other.
const CHANNEL: &str = "ticketbridge_due";
/// The notes of so long go out together.
const TELL_AT_MOST_EVERY: Duration = Duration::from_millis(50);
/// What others are told of is left to its maker for so long: it has been woken already, and most of the time it has room.
const LEFT_TO_ITS_MAKER: Millis = Millis(100);
/// Pause between two attempts to listen.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// A listener that does not hear itself within this does not hear the others either; a pooler between is the usual reason.
const HEARS_ITSELF_WITHIN: Duration = Duration::from_secs(2);

impl Store {
    /// Waits until a commit, here or elsewhere, has left something to be done; from when. For one who waits. Notes can be lost: whoever
    /// waits looks by itself now and then as well.
    pub async fn next_due(&self) -> Ahead {
        self.0.state.wakes().here.next().await
    }

    /// Whether the commits of all other instances are told here: then a look by itself is needed seldom.
    pub fn hears_others(&self) -> bool {
        self.0.state.wakes().hears_others()
    }

    /// Tells the other instances, and listens to them, until the store is closed or gone. Only PostgreSQL passes notes on.
    pub fn hear_others(&self) {
        let Some(options) = self.0.address.postgres() else { return };
        let (state, readers) = (self.0.state.clone(), self.0.readers.clone());
        let line = Line { name: random_token().into(), options, limits: *self.0.address.limits(), state, readers };
        let mut ears = self.0.ears.lock().unwrap_or_else(PoisonError::into_inner);
        ears.spawn(line.clone().keep_telling());
        ears.spawn(line.keep_listening());
    }

    /// Ends listening.
    pub(crate) fn hear_nobody(&self) {
        self.0.ears.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.0.state.wakes().set_hears_others(false);
    }
}

/// What one instance needs to tell the others and to listen to them; not the store, which ends this when it goes.
#[derive(Clone)]
struct Line {
    /// By which it knows its own notes.
    name: Arc<str>,
    options: PgConnectOptions,
    limits: TimeLimits,
    state: Arc<State>,
    readers: Readers,
}

impl Line {
    async fn tell(&self, ahead: Ahead) -> Result<(), StoreError> {
        let sql = "SELECT CAST(pg_notify(?, ?) AS TEXT) AS told";
        self.readers.rows(sql, values![CHANNEL, written(&self.name, ahead)]).await.map(drop)
    }

    async fn keep_telling(self) {
        let mut pace = interval(TELL_AT_MOST_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let elsewhere = &self.state.wakes().elsewhere;
        loop {
            let first = elsewhere.next().await;
            pace.tick().await;
            if let Err(error) = self.tell(first.or_sooner(elsewhere.take())).await {
                tracing::debug!(
                    "the other instances could not be told of what is due; they look by themselves: {error}"
                );
            }
        }
    }

    async fn keep_listening(self) {
        let mut pace = interval(LISTEN_AGAIN_AFTER);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let ended = self.listen().await;
            self.state.wakes().set_hears_others(false);
            if let Err(error) = ended {
                tracing::debug!("the other instances are not heard; this one looks by itself more often: {error}");
            }
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self) -> Result<(), StoreError> {
        // The pool serves the listener alone.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(self.limits.connect)
            .connect_lazy_with(self.options.clone());
        let failed = |error| StoreError::Statement(executing(error));
        let mut listener = PgListener::connect_with(&pool).await.map_err(failed)?;
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await.map_err(failed)?;
        self.tell(Ahead::NOTHING).await?;
        let wakes = self.state.wakes();
        let mut hears_itself = false;
        loop {
            let next = match hears_itself {
                true => listener.try_recv().await.map_err(failed)?,
                false => match timeout(HEARS_ITSELF_WITHIN, listener.try_recv()).await {
                    Ok(next) => next.map_err(failed)?,
                    Err(_) => return Ok(()),
                },
            };
            let Some(note) = next else { return Ok(()) };
            match read(note.payload()) {
                Some((from, _)) if *from == *self.name && hears_itself => {}
                Some((from, _)) if *from == *self.name => {
                    hears_itself = true;
                    wakes.set_hears_others(true);
                    // What was told while nobody listened is looked for once.
                    wakes.here.tell(Ahead { job: Some(UnixMillis(0)), deadline: Some(UnixMillis(0)) });
                }
                Some((_, ahead)) => wakes.here.tell(ahead),
                None => {}
            }
        }
    }
}

/// A note: from whom, and from when what is to be done.
fn written(name: &str, ahead: Ahead) -> String {
    let text = |at: Option<UnixMillis>| at.map_or("-".to_owned(), |at| (at + LEFT_TO_ITS_MAKER).0.to_string());
    format!("{name} {} {}", text(ahead.job), text(ahead.deadline))
}

fn read(note: &str) -> Option<(&str, Ahead)> {
    let mut parts = note.split(' ');
    let name = parts.next()?;
    let mut time = || match parts.next()? {
        "-" => Some(None),
        ms => Some(Some(UnixMillis(ms.parse().ok()?))),
    };
    Some((name, Ahead { job: time()?, deadline: time()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_says_who_and_from_when() {
        let ahead = Ahead { job: Some(UnixMillis(7)), deadline: None };
        let note = written("me", ahead);
        assert_eq!(read(&note), Some(("me", Ahead { job: Some(UnixMillis(107)), deadline: None })));
        for bad in ["", "me", "me 1", "me x -", "me - 1x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
