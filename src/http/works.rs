// SPDX-License-Identifier: Apache-2.0

//! Work that may hang is done in a task of its own, and whoever waits for it waits for a stated time only.
//!
//! A request is answered in time whatever the database does; what was begun goes on to its end, and its truth is in the database, where a
//! repeat finds it. A future that may own a transaction is never dropped half-way, neither by a time limit nor by a caller who hangs up.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;

use crate::recorder::course;

/// Works under way at most: beyond this a request is answered at once, since its work could only wait behind all the others.
pub const WORKS_MAX: usize = 2_048;

/// How the time limits of works relate to the machine's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As they are stated.
    Real,
    /// Many times as long: for tests that own the clock, and are not to be judged by how busy the machine is.
    Unhurried,
}

/// Why nothing can be said of a work's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfinished {
    /// It was not begun: too many are under way.
    #[error("{WORKS_MAX} requests are being worked on, and no more are begun")]
    NoRoom,
    /// It is still under way.
    #[error("it was not done in time, and goes on by itself")]
    TooLate,
    /// It ended in a panic.
    #[error("it broke off")]
    Broken,
}

impl Unfinished {
    /// The word for it in metrics.
    fn word(self) -> &'static str {
        match self {
            Unfinished::NoRoom => "no_room",
            Unfinished::TooLate => "too_late",
            Unfinished::Broken => "broken",
        }
    }
}

/// The works under way. Cheap to clone.
#[derive(Clone)]
pub struct Works(Arc<Inner>);

struct Inner {
    room: Arc<Semaphore>,
    most: usize,
    pace: Pace,
    under_way: Mutex<BTreeMap<&'static str, usize>>,
}

impl Inner {
    fn under_way(&self) -> MutexGuard<'_, BTreeMap<&'static str, usize>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A work's place, given back at its end.
struct Held {
    works: Arc<Inner>,
    what: &'static str,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut under_way = self.works.under_way();
        if let Some(many) = under_way.get_mut(self.what) {
            *many -= 1;
            if *many == 0 {
                under_way.remove(self.what);
            }
        }
    }
}

impl Works {
    /// Room for `most` works at once.
    pub fn new(most: usize, pace: Pace) -> Self {
        let room = Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner { room, most, pace, under_way: Mutex::default() }))
    }

    /// Begins `work` and waits for it for `limit`. Whatever comes of the waiting, `work` runs to its end.
    ///
    /// # Errors
    /// [`Unfinished`]: nothing is known of the outcome then, except for [`Unfinished::NoRoom`].
    pub async fn within<T: Send + 'static>(
        &self,
        what: &'static str,
        limit: Duration,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Unfinished> {
        let outcome = match self.begin(what) {
            None => Err(Unfinished::NoRoom),
            Some(held) => {
                let work = course::carried(Box::pin(work));
                let task = async move {
                    let _held = held;
                    work.await
                };
                let task = tokio::spawn(task.in_current_span());
                match tokio::time::timeout(self.stretched(limit), task).await {
                    Ok(Ok(done)) => Ok(done),
                    Ok(Err(_)) => Err(Unfinished::Broken),
                    Err(_) => Err(Unfinished::TooLate),
                }
            }
        };
        if let Err(why) = &outcome {
            metrics::counter!("ticketbridge_unfinished_total", "work" => what, "why" => why.word()).increment(1);
        }
        outcome
    }

    fn stretched(&self, limit: Duration) -> Duration {
        match self.0.pace {
            Pace::Real => limit,
            Pace::Unhurried => limit * 20,
        }
    }

    fn begin(&self, what: &'static str) -> Option<Held> {
        let permit = self.0.room.clone().try_acquire_owned().ok()?;
        *self.0.under_way().entry(what).or_default() += 1;
        Some(Held { works: self.0.clone(), what, _permit: permit })
    }

    /// Returns when nothing is under way.
    pub async fn rest(&self) {
        let all = u32::try_from(self.0.most).unwrap_or(u32::MAX);
        // An error means that the room was closed, which nobody does.
        let _all = self.0.room.acquire_many(all).await;
    }

    /// What is under way, for people: `2 create-order, 1 events`.
    pub fn under_way(&self) -> UnderWay {
        UnderWay(self.0.under_way().clone())
    }
}

/// What is under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnderWay(BTreeMap<&'static str, usize>);

impl fmt::Display for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let parts: Vec<String> = self.0.iter().map(|(what, many)| format!("{many} {what}")).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_too_late_goes_on_and_what_has_no_room_is_answered_at_once() {
        let works = Works::new(1, Pace::Real);
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let began = tokio::time::Instant::now();
        let late = works.within("create-order", Duration::from_secs(3), async move {
            finished.await.unwrap();
            done.send(()).unwrap();
        });
        assert_eq!(late.await, Err(Unfinished::TooLate));
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert_eq!(works.under_way().to_string(), "1 create-order");
        assert_eq!(works.within("can-buy", Duration::from_secs(2), async {}).await, Err(Unfinished::NoRoom));
        assert_eq!(began.elapsed(), Duration::from_secs(3), "at once");
        finish.send(()).unwrap();
        is_done.await.unwrap();
        works.rest().await;
        assert_eq!(works.under_way().to_string(), "nothing");
        assert_eq!(works.within("can-buy", Duration::from_secs(2), async { 7 }).await, Ok(7));
    }

    #[tokio::test]
    async fn a_work_survives_a_caller_who_hangs_up_and_a_panic_is_no_panic_of_ours() {
        let works = Works::new(2, Pace::Real);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let caller = tokio::spawn({
            let works = works.clone();
            async move {
                let work = async move {
                    gone.await.unwrap();
                    done.send(()).unwrap();
                };
                works.within("events", Duration::from_secs(3), work).await
            }
        });
        while works.under_way() == UnderWay::default() {
            tokio::task::yield_now().await;
        }
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        is_done.await.expect("it ran to its end");
        let broken = works.within("events", Duration::from_secs(3), async { panic!("a test") });
        assert_eq!(broken.await, Err::<(), _>(Unfinished::Broken));
        works.rest().await;
    }
}
