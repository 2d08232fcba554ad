// SPDX-License-Identifier: Apache-2.0

//! What stories can do and see at platforms that tell whole orders.

use serde_json::{Value, json};

use super::script::{Broken, LOOK_EVERY, Script, text_at};
use super::stage::Channel;
use crate::SimBackend;
use crate::backend::{Reservation, ReservationState as AtBackend};
use crate::journal::Party;
use crate::ops::OpsError;
use crate::platform::money::{self, CancelStatus, Payment};
use crate::platform::{Kept, Platform, Told, Trade};

/// A channel with a platform that tells whole orders.
pub trait TellsWhole: Channel {
    /// What it sells.
    type Trade: Trade;
    /// The platform.
    fn platform(&self) -> &Platform<Self::Trade>;
}

impl<C: TellsWhole> Script<C> {
    pub(super) fn platform(&self) -> Platform<C::Trade> {
        self.stage.channel.platform().clone()
    }

    /// An event must be taken, with this result.
    pub(super) fn taken(&mut self, told: Option<&Told>, result: &str) {
        let said = told.map_or("nothing", |told| told.answer.result());
        let kind = told.map_or("an event", |told| told.event.kind);
        self.check(said == result, format!("{kind} is answered {result} (it says {said})"));
    }

    /// A member of the staff does something with an order; `what` is for the timeline.
    pub(super) async fn staff(&mut self, number: &str, what: &str, act: &str, body: Value) -> Result<Value, Broken> {
        self.platform().note(Party::Ops, number, what);
        let path = format!("orders/{}:{number}/{act}", self.stage.channel.id());
        let done = self.stage.ops.post(&path, &body).await;
        self.check(done.is_ok(), format!("the staff can {act}"));
        done.map_err(|error| Broken(format!("{error}")))
    }

    /// The same, and the bridge must refuse it with this code, before anything leaves it.
    pub(super) async fn staff_cannot(&mut self, number: &str, act: &str, body: Value, code: &str) {
        let path = format!("orders/{}:{number}/{act}", self.stage.channel.id());
        let said = match self.stage.ops.post(&path, &body).await {
            Err(OpsError::Refused { body, .. }) => text_at(&body, "code").to_owned(),
            Err(error) => error.to_string(),
            Ok(_) => "done".to_owned(),
        };
        self.check(said == code, format!("{act} is refused with {code} (it says {said})"));
    }

    /// Waits for something in the platform's books about a trade.
    pub(super) async fn there(
        &mut self,
        number: &str,
        should: &str,
        look: impl Fn(&C::Trade) -> bool,
    ) -> Result<Kept<C::Trade>, Broken> {
        let find =
            |books: &crate::platform::Books<C::Trade>| books.trades.get(number).filter(|kept| look(&kept.it)).cloned();
        let found = self.platform().until(self.stage.patience, find).await;
        self.check(found.is_some(), format!("at the platform: {should}"));
        found.ok_or_else(|| Broken(format!("the platform waited in vain: {should}")))
    }

    /// Waits until the bridge has made this call about a trade, so many times and no more.
    pub(super) async fn called(&mut self, call: &str, number: &str, times: usize) -> Result<(), Broken> {
        let find = |books: &crate::platform::Books<C::Trade>| (books.done(call, number).count() >= times).then_some(());
        let found = self.platform().until(self.stage.patience, find).await;
        let made = self.platform().books().done(call, number).count();
        self.check(made == times, format!("{call} is called {times} times (it was {made})"));
        found.ok_or_else(|| Broken(format!("{call} never came")))
    }

    /// Waits until an event of this kind was told, which it is soon after the call that caused it.
    pub(super) async fn told(&mut self, kind: &str, number: &str) -> Result<(), Broken> {
        let find = |books: &crate::platform::Books<C::Trade>| (!books.results(kind, number).is_empty()).then_some(());
        let found = self.platform().until(self.stage.patience, find).await;
        found.ok_or_else(|| Broken(format!("{kind} was never answered")))
    }

    /// Waits until a person is asked for something about the order.
    pub(super) async fn attention_is(&mut self, number: &str, kind: &str) -> Result<Value, Broken> {
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        loop {
            let order = self.order(number).await?;
            let all = order.get("attentions").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(found) = all.into_iter().find(|attention| text_at(attention, "kind") == kind) {
                self.check(true, format!("a person is asked: {kind}"));
                return Ok(found);
            }
            if self.stage.channel.time().elapsed() > deadline {
                self.check(false, format!("a person is asked: {kind}"));
                return Err(Broken(format!("nobody was asked: {kind}")));
            }
            self.stage.channel.time().pass_really(LOOK_EVERY).await;
        }
    }

    /// Waits until a person was asked for something about the order, which may be settled by itself within moments: it stands in its history.
    /// How it was said.
    pub(super) async fn attention_was(&mut self, number: &str, kind: &str) -> Result<String, Broken> {
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        loop {
            let order = self.order(number).await?;
            let path = format!("orders/{}/events", text_at(&order, "id"));
            let events = self.stage.ops.get(&path).await.map_err(|error| Broken(format!("{error}")))?;
            let asked = events.get("items").and_then(Value::as_array).into_iter().flatten().find(|event| {
                text_at(event, "data.event") == "attention_raised" && text_at(event, "data.kind") == kind
            });
            let is_over = self.stage.channel.time().elapsed() > deadline;
            if asked.is_some() || is_over {
                self.check(asked.is_some(), format!("a person was asked: {kind}"));
                let sentence = asked.map(|event| text_at(event, "data.sentence").to_owned());
                return sentence.ok_or_else(|| Broken(format!("nobody was asked: {kind}")));
            }
            self.stage.channel.time().pass_really(LOOK_EVERY).await;
        }
    }
}

/// Where the bridge's money differs from the platform's payments. `due` is what is to be paid, `fee` what was kept.
pub(super) fn money_differences(order: &Value, payments: &[Payment], due: i64, fee: i64) -> Vec<String> {
    let cancels = || payments.iter().flat_map(|payment| &payment.cancels);
    let (paid, returned) = (money::paid(payments), money::returned(payments));
    let state = if cancels().any(|cancel| cancel.status == CancelStatus::Failed) {
        "refund_failed"
    } else if cancels().any(|cancel| cancel.status == CancelStatus::Pending) {
        "refund_pending"
    } else if paid == 0 {
        if due == 0 { "paid" } else { "unpaid" }
    } else if returned == paid {
        "refunded"
    } else if returned > 0 {
        "partially_refunded"
    } else if paid >= due {
        "paid"
    } else {
        "partial"
    };
    let wanted = [
        ("payment.total", json!(due)),
        ("payment.received", json!(paid)),
        ("payment.refunded", json!(returned)),
        ("payment.fee", json!(fee)),
        ("payment.state", json!(state)),
    ];
    // With a fee kept, what went back is a part of what was paid, and all of what was to go back: either name is right.
    let is_settled = |field: &str, wanted: &Value| {
        let shown = order.pointer("/payment/state").and_then(Value::as_str);
        field == "payment.state" && fee > 0 && *wanted == "partially_refunded" && shown == Some("refunded")
    };
    let differing = wanted.into_iter().filter(|(field, wanted)| !is_settled(field, wanted));
    differing.filter_map(|(field, wanted)| difference(order, field, &wanted)).collect()
}

/// A field of the order that is not what the platform's books say.
pub(super) fn difference(order: &Value, field: &str, wanted: &Value) -> Option<String> {
    let pointer = format!("/{}", field.replace('.', "/"));
    let shown = order.pointer(&pointer).unwrap_or(&Value::Null);
    (shown != wanted).then(|| format!("the bridge shows {field} {shown}, the platform's books say {wanted}"))
}

/// What of the order's tickets at the back-end admits somebody.
pub(super) fn live_tickets(order: &Value, backend: &SimBackend) -> Vec<Reservation> {
    let id = text_at(order, "id");
    let of_order = |r: &Reservation| r.request.get("order_id").and_then(Value::as_str) == Some(id);
    let books = backend.books();
    books.live().filter(|r| of_order(r)).cloned().collect()
}

/// Tickets admit exactly when the visit stands.
pub(super) fn ticket_differences(order: &Value, backend: &SimBackend, stands: Option<bool>) -> Vec<String> {
    let live = live_tickets(order, backend);
    let unused = live.iter().filter(|r| r.state == AtBackend::Issued).count();
    match stands {
        Some(true) if live.len() != 1 => vec![format!("one set of tickets lives at the back-end ({} do)", live.len())],
        Some(false) if unused > 0 => vec!["tickets live at the back-end behind what was cancelled".to_owned()],
        _ => Vec::new(),
    }
}
