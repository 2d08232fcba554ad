// SPDX-License-Identifier: Apache-2.0

//! Guests' data from end to end: where it is found by a phone or a name, what is known of one guest, and how it is forgotten.
//!
//! An order forgets all of its guests at once, and only when it is over: until then they are needed at the gate, for a refund, and
//! for limits. What was sold, when and for how much stays, and so does the fact that guests' data was erased.

use std::collections::BTreeSet;
use std::sync::Arc;

use ticketbridge_core::order::Order;
use ticketbridge_core::personal::Personal;
use ticketbridge_core::quoted::Guests;
use ticketbridge_core::rules::names::{name_text, name_texts};
use ticketbridge_core::rules::purchase_limits::phone_digits;
use ticketbridge_core::{Actor, ActorKind, Answering, Command, OrderId};
use ticketbridge_store::{StoreError, Tx, Within};

use crate::engine::purchase_limits::{name_hash, phone_hash, phone_key};
use crate::engine::{Change, Engine, EngineError, owned};

/// Orders that one look takes up.
const BATCH_MAX: u32 = 200;
/// The name of the look through orders that are older than the index of guests.
const INDEX: &str = "index_guests";

/// The phones and names in clear that an order knows, as keyed hashes.
fn known_by(tx: &Tx, order: &Order) -> BTreeSet<String> {
    let phones = order.people().filter_map(|(_, person)| person.phone.as_ref());
    let phones = phones
        .filter(|phone| !phone.is_empty() && !phone.is_remote_cipher())
        .map(Personal::reveal)
        .map(|phone| phone_key(tx, phone));
    let names = order.people().filter_map(|(_, person)| person.name.as_ref());
    let names = names
        .filter(|name| !name.is_remote_cipher())
        .map(|name| name_text(name.reveal()))
        .filter(|text| !text.is_empty())
        .map(|text| name_hash(tx.sealer(), &text));
    phones.chain(names).collect()
}

/// Notes the phones and names that a change brought.
pub(crate) async fn follow(tx: &Tx, before: Option<&Order>, after: &Order) -> Result<(), StoreError> {
    if before.is_some_and(|order| order.people().eq(after.people())) {
        return Ok(());
    }
    if after.is_over() && before.is_some_and(|order| !order.knows_guests()) {
        tx.note_known_again(&after.id).await?;
    }
    let known = before.map(|order| known_by(tx, order)).unwrap_or_default();
    let new: Vec<String> = known_by(tx, after).difference(&known).cloned().collect();
    tx.note_guests(&after.id, &new).await
}

/// What became of a wish to be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Orders that know the guest no more.
    pub erased: Vec<OrderId>,
    /// Orders that still need the data, and why.
    pub kept: Vec<(OrderId, String)>,
}

impl Engine {
    /// The orders that know a phone, oldest first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn orders_of_guest(&self, phone: &str) -> Result<Vec<OrderId>, EngineError> {
        Ok(self.store.orders_of_guest(&self.guest_hash(phone)).await?)
    }

    /// What a phone is found by.
    pub fn guest_hash(&self, phone: &str) -> String {
        phone_hash(self.store.sealer(), phone)
    }

    /// What a name is found by, in whatever order its words stand.
    pub fn name_hashes(&self, name: &str) -> Vec<String> {
        name_texts(name).iter().map(|text| name_hash(self.store.sealer(), text)).collect()
    }

    /// Whether this person's phone is the one that is asked about.
    pub fn is_phone(person: &ticketbridge_core::personal::Person, phone: &str) -> bool {
        person.phone.as_ref().is_some_and(|known| phone_digits(known.reveal()) == phone_digits(phone))
    }

    /// Makes what an older version stored findable and mortal: notes the phones of orders that were placed before phones were noted,
    /// and since when messages wait that were kept before their time was. Done once, at the start of the service.
    ///
    /// # Errors
    /// Store errors.
    pub async fn index_old_guests(&self) -> Result<(), EngineError> {
        self.store.seal_what_was_clear(self.clock.now()).await?;
        self.store.keep_rules_apart(self.clock.now()).await?;
        if self.store.is_done_once(INDEX).await? {
            return Ok(());
        }
        let (now, mut after, mut orders) = (self.clock.now(), String::new(), 0_u64);
        loop {
            let ids = Arc::new(self.store.orders_with_guests(&after, BATCH_MAX).await?);
            let Some(last) = ids.last() else { break };
            (after, orders) = (last.to_string(), orders + ids.len() as u64);
            self.store
                .write("index_guests", move |tx: &Tx| {
                    let ids = ids.clone();
                    Box::pin(async move {
                        for id in ids.iter() {
                            if let Some(order) = tx.lock_order(id).await? {
                                follow(tx, None, &order).await?;
                            }
                        }
                        Ok::<_, EngineError>(())
                    })
                })
                .await?;
        }
        self.store
            .write("index_guests", move |tx: &Tx| {
                Box::pin(async move {
                    tx.date_remembered(now).await?;
                    tx.note_done_once(INDEX, now).await
                })
            })
            .await
            .map_err(EngineError::Store)?;
        if orders > 0 {
            tracing::info!(orders, "the guests of older orders can be found by their phones");
        }
        Ok(())
    }

    /// Forgets a guest in every order of a scope that is over. In the others that is noted, and done when they are.
    ///
    /// # Errors
    /// Store errors.
    pub async fn forget_guest(
        &self,
        phone: &str,
        within: &Within,
        reason: &str,
        actor: &Actor,
    ) -> Result<Erased, EngineError> {
        let mut result = Erased::default();
        for id in self.orders_of_guest(phone).await? {
            let known = self.store.load_order(&id).await?;
            if !known.is_some_and(|order| within.has(&order.channel)) {
                continue;
            }
            match self.forget_order(&id, reason, actor).await {
                Ok(()) => result.erased.push(id),
                Err(EngineError::Rejected(rejection)) => {
                    self.note_wish(&id, actor).await?;
                    result.kept.push((id, rejection.sentence.into_owned()));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(result)
    }

    async fn note_wish(&self, id: &OrderId, actor: &Actor) -> Result<(), EngineError> {
        let (wish, now) = (Arc::new((id.clone(), actor.name.clone())), self.clock.now());
        let noted = self.store.write("wish_erasure", move |tx: &Tx| {
            let wish = wish.clone();
            Box::pin(async move { tx.wish_erasure(&wish.0, &wish.1, now).await })
        });
        Ok(noted.await?)
    }

    /// Forgets the guests who asked for it while their order was not over, and now it is; in how many orders.
    ///
    /// # Errors
    /// Store errors.
    pub async fn forget_as_wished(&self) -> Result<u64, EngineError> {
        let (mut after, mut forgotten) = (String::new(), 0);
        loop {
            let wishes = self.store.wished_erasures(&after, BATCH_MAX).await?;
            let Some((last, _)) = wishes.last() else { return Ok(forgotten) };
            after = last.to_string();
            for (id, asked_by) in &wishes {
                let actor = Actor::new(ActorKind::Ops, asked_by.as_str());
                match self.forget_order(id, "asked for while the order was not over", &actor).await {
                    Ok(()) => forgotten += 1,
                    // A refund that is not settled yet, for example: the next turn looks again.
                    Err(EngineError::Rejected(_)) => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }

    /// Forgets the guests of orders that have been over for as long as the configuration says; how many orders.
    ///
    /// # Errors
    /// Store errors.
    pub async fn forget_old_guests(&self) -> Result<u64, EngineError> {
        let Some(kept_for) = self.running().config.retention.guests else { return Ok(0) };
        let before = self.clock.now() - kept_for;
        let (mut after, mut forgotten) = (String::new(), 0);
        loop {
            let ids = self.store.orders_to_forget(before, &after, BATCH_MAX).await?;
            let Some(last) = ids.last() else { return Ok(forgotten) };
            after = last.to_string();
            for id in &ids {
                match self.forget_order(id, "kept for as long as the configuration says", &Actor::policy()).await {
                    Ok(()) => forgotten += 1,
                    // A refund that is not settled yet, for example: the next turn looks again.
                    Err(EngineError::Rejected(_)) => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }

    /// Forgets the guests of one order, and what is kept beside it, in one commit.
    async fn forget_order(&self, id: &OrderId, reason: &str, actor: &Actor) -> Result<(), EngineError> {
        if let Some(order) = self.store.load_order(id).await?.filter(|order| order.is_over()) {
            self.forget_on_tape(&order).await?;
        }
        let (moment, running) = (self.moment(), self.running());
        let command = Command::EraseGuests { reason: reason.to_owned().into() };
        let work = Arc::new((running, id.clone(), command, actor.clone()));
        let applied = self
            .store
            .write("erase_guests", move |tx: &Tx| {
                let work = work.clone();
                Box::pin(async move {
                    let (running, id, command, actor) = &*work;
                    let change = Change { running, actor, moment, answering: Answering::Nobody, traceparent: None };
                    // Afterwards nobody knows any more whom partners and colleagues have named in their own words.
                    let named = tx.lock_order(id).await?.as_ref().map(Guests::of).unwrap_or_default();
                    let applied = change.on(tx, id, command, None).await?;
                    // Where a repeat is answered from the present state, the kept answer may hold guests' documents.
                    let channel = running.registry.channel(&applied.order.channel);
                    let calls: Vec<&str> = channel.as_ref().map_or_else(Vec::new, |channel| {
                        let endpoints = channel.channel.spec().endpoints.iter();
                        endpoints.filter(|endpoint| endpoint.answers_from_state).map(|endpoint| endpoint.name).collect()
                    });
                    tx.forget_guests(id, &named, &calls, moment.now).await?;
                    // What its reseller calls it is no guest's.
                    owned::name(tx, None, &applied.order).await?;
                    Ok::<_, EngineError>(applied)
                })
            })
            .await?;
        self.announce(&applied);
        Ok(())
    }
}
