// SPDX-License-Identifier: Apache-2.0

//! What a transaction does with the deliveries that it makes ready while somebody is at the [`Desk`].

use std::collections::BTreeSet;
use std::sync::Arc;

use ticketbridge_core::UnixMillis;

use crate::ahead::Ahead;
use crate::buffer::{JOB, Row};
use crate::connect::Store;
use crate::desk::{Desk, HandedOver, Place};
use crate::dialect::{text_of, whole_of};
use crate::error::StoreError;
use crate::jobs::job_of;
use crate::seal::random_token;
use crate::tx::Tx;

impl Store {
    /// From now on `desk` takes over what transactions make ready; `None`: nobody does, and all of it waits to be looked for.
    pub fn hand_over_to(&self, desk: Option<Arc<dyn Desk>>) {
        self.0.state.desk.set(desk);
    }
}

impl Tx {
    /// Leases what is ready and finds a place, before everything is written. What finds none is noted as left to be done.
    pub(crate) fn hand_over(&self) -> Result<(), StoreError> {
        let Some(desk) = self.state().desk.get().filter(|_| self.buffer().rows_under(&JOB).next().is_some()) else {
            return Ok(());
        };
        let (now, token) = (desk.now(), random_token());
        let mut handed_over = Vec::new();
        let mut left = Ahead::NOTHING;
        for row in self.buffer().rows_under(&JOB) {
            let ready = whole_of(row, JOB.at("ready_ms")).map(UnixMillis);
            if whole_of(row, JOB.at("lease_until_ms")) != Some(0) {
                continue;
            }
            let place = ready.filter(|ready| *ready <= now && is_fresh(row)).and_then(|_| {
                let destination = text_of(row, JOB.at("destination")).ok()?;
                desk.place(&destination)
            });
            let Some(Place { until, seat }) = place else {
                left = left.or_sooner(Ahead { job: ready, deadline: None });
                continue;
            };
            lease(row, &token, until);
            handed_over.push(HandedOver { job: job_of(self.sealer(), row)?, order: None, seat });
        }
        let mut given = BTreeSet::new();
        for it in &mut handed_over {
            if given.insert(it.job.order.clone()) {
                it.order = self.order_at_hand(&it.job.order);
            }
        }
        self.note_handed_over(handed_over, left);
        Ok(())
    }

    /// It is committed: whoever is there takes what was handed over. Nobody is there any more when the service ends; then the leases run out.
    pub(crate) fn is_committed(&self) {
        let handed_over = self.handed_over();
        if let Some(desk) = self.state().desk.get().filter(|_| !handed_over.is_empty()) {
            metrics::counter!("ticketbridge_deliveries_handed_over_total").increment(handed_over.len() as u64);
            desk.take(handed_over);
        }
    }
}

/// Whether nothing has gone wrong with it: what failed waits among those that failed.
fn is_fresh(row: &Row) -> bool {
    text_of(row, JOB.at("state")).is_ok_and(|state| state == "pending")
        && whole_of(row, JOB.at("failed_last")) != Some(1)
}

fn lease(row: &mut Row, token: &str, until: UnixMillis) {
    let attempts = whole_of(row, JOB.at("attempts")).unwrap_or_default();
    row[JOB.at("lease_token")] = Some(token.to_owned()).into();
    row[JOB.at("lease_until_ms")] = until.0.into();
    row[JOB.at("ready_ms")] = Some(until.0).into();
    row[JOB.at("attempts")] = (attempts + 1).into();
}
