// SPDX-License-Identifier: Apache-2.0

//! Acts of ops under an `Idempotency-Key`: the act and its answer are one commit, so that of two requests with the same key one acts.

use std::sync::Arc;

use ticketbridge_core::order::Order;
use ticketbridge_core::{Actor, Answering, Command, OrderId};
use ticketbridge_store::{Job, KnownAct, StoreError, Tx};

use crate::engine::{Change, Engine, EngineError, capacity};
use crate::recorder::course;

/// Under which key an act runs, and what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// 64 hex digits over the caller and the key.
    pub key_hash: String,
    /// 64 hex digits over what was asked.
    pub request_hash: String,
}

impl Once {
    /// The row that keeps an answer.
    pub fn answered(&self, status: u16, body: Vec<u8>) -> KnownAct {
        KnownAct { request_hash: self.request_hash.clone(), status, body }
    }
}

/// An act on an order.
pub struct Act {
    /// Which order.
    pub order: OrderId,
    /// What is to be done.
    pub command: Command,
    /// Who does it.
    pub actor: Actor,
    /// Only if the order is still at this version.
    pub expected_version: Option<u64>,
    /// At most once under this key.
    pub once: Option<Once>,
    /// What is kept for a repeat.
    pub keep: Keep,
}

/// What is kept of an answer for a repeat of its act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The answer.
    Answer,
    /// That the act was done. The answer shows guests' data in clear: a repeat is answered from what is known then, which may be nothing.
    Receipt,
}

/// What stands in the place of an answer that is not kept.
const RECEIPT: &[u8] = b"receipt";

/// Whether the act was done, and its answer is to be made anew.
pub fn is_receipt(known: &KnownAct) -> bool {
    known.body == RECEIPT
}

impl Keep {
    fn of(self, body: &[u8]) -> Vec<u8> {
        match self {
            Keep::Answer => body.to_vec(),
            Keep::Receipt => RECEIPT.to_vec(),
        }
    }
}

impl Engine {
    /// Carries an act out; `answer` writes what is told of the order afterwards, and is kept for repeats in the same commit. Where the
    /// act changed nothing, for it is under way already, it is given the deliveries that carry it out.
    ///
    /// # Errors
    /// As [`Engine::apply_at`]; [`EngineError::Known`] when somebody acted under the same key meanwhile.
    pub async fn act(
        &self,
        act: Act,
        answer: impl Fn(&Order, &[Job]) -> Vec<u8> + Send + Sync + 'static,
    ) -> Result<Vec<u8>, EngineError> {
        let order = act.order.clone();
        course::turn_of(order.as_str()).await;
        let (moment, running, name) = (self.moment(), self.running(), act.command.name());
        let work = Arc::new((running, act, answer));
        let (engine, decided) = (self.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let acted = self
            .store
            .write(name, move |tx: &Tx| {
                let (work, engine, decided) = (work.clone(), engine.clone(), decided.clone());
                Box::pin(async move {
                    let (running, act, answer) = &*work;
                    let actor = &act.actor;
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent: None };
                    if let Some(order) = tx.lock_order(&act.order).await? {
                        capacity::check(tx, running, &order, &act.command).await?;
                    }
                    let applied = change.on(tx, &act.order, &act.command, act.expected_version).await;
                    decided.note(engine.turn());
                    let applied = applied?;
                    let under_way = if applied.changed { Vec::new() } else { tx.under_way(&applied.order.id).await? };
                    let body = answer(&applied.order, &under_way);
                    keep(tx, act.once.as_ref(), 200, &act.keep.of(&body), moment.now).await?;
                    Ok::<_, EngineError>((applied, body))
                })
            })
            .await;
        course::decided(order.as_str(), turn.turn());
        let (applied, body) = acted?;
        self.announce(&applied);
        Ok(body)
    }

    /// Keeps the answer to an act that had no order, or that was refused; or only that it was done.
    ///
    /// # Errors
    /// [`EngineError::Known`] when somebody acted under the same key meanwhile; store errors.
    pub async fn keep_answer(&self, once: &Once, status: u16, body: &[u8], kept: Keep) -> Result<(), EngineError> {
        let (once, now, body) = (once.clone(), self.clock.now(), kept.of(body));
        self.store
            .write("keep_answer", move |tx: &Tx| {
                let (once, body) = (once.clone(), body.clone());
                Box::pin(async move { keep(tx, Some(&once), status, &body, now).await })
            })
            .await
    }
}

/// Keeps an answer inside the transaction of its act, where a key was given.
pub(crate) async fn keep(
    tx: &Tx,
    once: Option<&Once>,
    status: u16,
    body: &[u8],
    now: ticketbridge_core::UnixMillis,
) -> Result<(), EngineError> {
    let Some(once) = once else { return Ok(()) };
    match tx.put_act(&once.key_hash, &once.answered(status, body.to_vec()), now).await {
        Err(StoreError::Duplicate) => Err(EngineError::Known),
        other => Ok(other?),
    }
}
