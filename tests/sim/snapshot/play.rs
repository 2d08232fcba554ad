// SPDX-License-Identifier: Apache-2.0

//! One simulation of platforms that tell whole orders: a world, what was sold and told in it, and the carrying out of steps.

use serde_json::{Value, json};
use ticketbridge::engine::EngineError;
use ticketbridge::housekeeping::reconcile::{Scope, reconcile};
use ticketbridge_adapters::standard_webhooks::Secrets;
use ticketbridge_core::message::{Actor, ActorKind, Command, NewTicket, Redeem, RedeemedBy};
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::{Millis, TimeZone, UnixMillis, invariants};
use ticketbridge_store::StoreError;

use super::check;
use super::op::{Act, Census, Op, next};
use super::reproductions;
use super::tripstore::Booking;
use super::world::{BY_HAND, COUNTED, DATE_STOCK, KAKAO, TRIP, TRIPS, UNCOUNTED, VISITS};
use super::{books, kakao};
use crate::bench::{Bench, Failure, Fate};
use crate::dice::{Dice, Post, post};
use crate::partners::{GateState, How, Reservation, issued};
use crate::run::{Play, Reproduction};
use crate::world::{EVENTS_SECRET, World};

/// Sales of one world at most; later ones are not made.
const SALES_MAX: usize = 300;
/// Messages that one step can be named by.
const MESSAGES_OF_STEP: usize = 64;
/// Times that everything is worked off until nothing new may be told any more.
const ROUNDS_MAX: usize = 40;

/// A sale of a platform's.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    /// The step that made it.
    step: usize,
    pub(crate) number: String,
    pub(crate) is_trip: bool,
    pub(crate) product: usize,
    /// Money that people of ours had returned while the booking stayed, won.
    pub(crate) returned: i64,
    /// Units that people of ours cancelled; all of them where it was the whole.
    pub(crate) cancelled: i64,
    /// Payment links that people of ours sent.
    pub(crate) links: i64,
    /// Whether an act's commit failed, so that nobody knows whether it counts.
    pub(crate) unsure: bool,
    /// Whether a delivery that was given up was not tried again.
    pub(crate) dropped: bool,
}

impl Sale {
    pub(crate) fn channel(&self) -> &'static str {
        if self.is_trip { TRIP } else { KAKAO }
    }
    pub(crate) fn has_gate(&self) -> bool {
        if self.is_trip { TRIPS[self.product].gate } else { VISITS[self.product].gate }
    }
}

/// Whose message it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    /// An event of a platform's, with the revision that it tells.
    Channel(u64),
    Gate,
}

/// A message that was sent to us.
#[derive(Clone, Debug)]
struct Message {
    /// By which steps name it.
    id: usize,
    to: To,
    /// Its own number.
    event: String,
    sale: usize,
    body: Value,
    /// It waits on the way.
    waits: bool,
    /// It was lost on the way.
    lost: bool,
    /// What was answered, once something was.
    result: Option<String>,
    /// We asked for it to be sent again.
    again: bool,
}

/// A simulation.
pub(crate) struct Sim {
    pub(crate) bench: Bench,
    pub(crate) sales: Vec<Sale>,
    pub(crate) variant: &'static str,
    messages: Vec<Message>,
    secrets: Secrets,
    /// The step that is carried out, and how many numbers and messages it has made.
    step: usize,
    numbers: usize,
    sent: usize,
}

impl Play for Sim {
    type Op = Op;
    const NAME: &'static str = "snapshot";
    const QUIET: Op = Op::Quiet;

    fn variant(seed: u64) -> &'static str {
        match seed % 4 {
            2 => BY_HAND,
            3 => UNCOUNTED,
            _ => COUNTED,
        }
    }

    fn reproductions() -> Vec<Reproduction<Op>> {
        reproductions::all()
    }

    async fn new(variant: &'static str) -> Self {
        Self {
            bench: Bench::new(World::snapshot(variant).await),
            sales: Vec::new(),
            variant,
            messages: Vec::new(),
            secrets: Secrets::parse([EVENTS_SECRET]).expect("a secret"),
            step: 0,
            numbers: 0,
            sent: 0,
        }
    }

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn into_bench(self) -> Bench {
        self.bench
    }

    fn next(&self, dice: &mut Dice) -> Op {
        let census = Census {
            sales: self.sales.iter().map(|sale| (sale.step, sale.is_trip)).collect(),
            messages: self.messages.iter().map(|message| message.id).collect(),
            hanging: self.bench.hanging(),
        };
        next(dice, &census)
    }

    async fn carry_out(&mut self, step: usize, op: &Op) -> Result<(), Failure> {
        (self.step, self.numbers, self.sent) = (step, 0, 0);
        self.do_it(op).await?;
        // What the bridge had done at a platform is told by it, in whatever way the network chooses.
        self.tell_news(None).await
    }

    async fn named_orders(&self, failure: &Failure) -> Vec<Order> {
        let mut named = Vec::new();
        for (index, sale) in self.sales.iter().enumerate() {
            let Some(order) = self.order(index).await else { continue };
            if failure.0.contains(order.id.as_str()) || failure.0.contains(&sale.number) {
                named.push(order);
            }
        }
        named
    }
}

impl Sim {
    pub(crate) fn world(&self) -> &World {
        &self.bench.world
    }

    fn now(&self) -> UnixMillis {
        self.world().now()
    }

    /// The place of the sale that a step made.
    fn sale_of(&self, step: usize) -> usize {
        self.sales.iter().position(|sale| sale.step == step).unwrap_or(usize::MAX)
    }

    fn message_of(&self, id: usize) -> usize {
        self.messages.iter().position(|message| message.id == id).unwrap_or(usize::MAX)
    }

    pub(crate) async fn order(&self, sale: usize) -> Option<Order> {
        let sale = self.sales.get(sale)?;
        self.world().order_of(sale.channel(), &sale.number).await
    }

    async fn do_it(&mut self, op: &Op) -> Result<(), Failure> {
        match op {
            Op::Visit { product, by_manager, paid, free, days, post } => {
                let visit = TimeZone::SEOUL.date_of(self.now()).plus_days(i64::from(*days));
                let product = usize::from(*product) % VISITS.len();
                let code = VISITS[product].code;
                let wish = kakao::Wish { product: code, by_manager: *by_manager, visit, paid: *paid, free: *free };
                let Some(number) = self.sell(false, product) else { return Ok(()) };
                let now = self.now();
                self.world().partners.kakao(|books| books.book(&number, &wish, now));
                self.tell_news(Some(*post)).await
            }
            Op::Trip { product, pays, days, post } => {
                let departure = TimeZone::SEOUL.date_of(self.now()).plus_days(i64::from(*days));
                let product = usize::from(*product) % TRIPS.len();
                let Some(number) = self.sell(true, product) else { return Ok(()) };
                let now = self.now();
                let it = Booking::new(&number, TRIPS[product].code, *pays, departure, now);
                self.world().partners.trip(|books, _| books.book(&number, it, now));
                self.tell_news(Some(*post)).await
            }
            Op::ThereVisit { sale, what, waits, post } => {
                let Some(sale) = self.sales.get(self.sale_of(*sale)).filter(|sale| !sale.is_trip) else {
                    return Ok(());
                };
                let (number, now) = (sale.number.clone(), self.now());
                self.world().partners.kakao(|books| books.happens(&number, *what, *waits, now));
                self.tell_news(Some(*post)).await
            }
            Op::ThereTrip { sale, what, waits, post } => {
                let Some(sale) = self.sales.get(self.sale_of(*sale)).filter(|sale| sale.is_trip) else { return Ok(()) };
                let (number, now) = (sale.number.clone(), self.now());
                self.world().partners.trip(|books, agency| books.happens(&number, *what, *waits, agency, now));
                self.tell_news(Some(*post)).await
            }
            Op::AskLeft { product, days } => self.ask_left(usize::from(*product), i64::from(*days)).await,
            Op::Arrive { message } => {
                let index = self.message_of(*message);
                match self.messages.get(index) {
                    Some(known) if known.waits || known.again => self.arrive(index, true).await,
                    _ => Ok(()),
                }
            }
            Op::Repeat { message, times } => self.repeat(self.message_of(*message), *times).await,
            Op::Contradict { message } => self.contradict(self.message_of(*message)).await,
            Op::Enter { sale, early, post } => self.enter(self.sale_of(*sale), *early, *post).await,
            Op::Decide { sale, well, post } => self.decide(self.sale_of(*sale), *well, *post).await,
            Op::Act { sale, act } => self.act(self.sale_of(*sale), *act).await,
            Op::Advance { ms } => {
                self.bench.advance(*ms);
                Ok(())
            }
            Op::Work { instance, many, hows } => {
                self.world().partners.plan(hows);
                self.bench.work(usize::from(*instance), *many).await.map(|_| ())
            }
            Op::Deadlines { instance } => self.bench.deadlines(usize::from(*instance)).await,
            Op::Reconcile { instance, closed, hows } => self.reconcile(usize::from(*instance), *closed, hows).await,
            Op::GoOn { hanging } => self.bench.go_on(*hanging).await,
            Op::Kill { hanging } => {
                self.bench.kill(*hanging);
                Ok(())
            }
            Op::FailCommit { after } => {
                self.bench.fail_commit(*after);
                Ok(())
            }
            Op::Restart => {
                self.bench.restart().await;
                Ok(())
            }
            Op::Quiet => self.quiet().await,
        }
    }

    fn sell(&mut self, is_trip: bool, product: usize) -> Option<String> {
        if self.sales.len() >= SALES_MAX {
            return None;
        }
        let number = self.number(if is_trip { "TS" } else { "R" });
        self.sales.push(Sale {
            step: self.step,
            number: number.clone(),
            is_trip,
            product,
            returned: 0,
            cancelled: 0,
            links: 0,
            unsure: false,
            dropped: false,
        });
        Some(number)
    }

    fn number(&mut self, prefix: &str) -> String {
        self.numbers += 1;
        format!("{prefix}{:05}{:02}", self.step, self.numbers)
    }

    /// The events that have happened since the last time go on their way.
    async fn tell_news(&mut self, given: Option<Post>) -> Result<(), Failure> {
        loop {
            let mut news: Vec<books::Event> = self.world().partners.kakao(books::Books::events);
            news.extend(self.world().partners.trip(|books, _| books.events()));
            if news.is_empty() {
                return Ok(());
            }
            for event in news {
                let sale = self.sales.iter().position(|sale| sale.number == event.number).unwrap_or(usize::MAX);
                let id = event.body["event_id"].as_str().unwrap_or_default().to_owned();
                let fate = match given {
                    Some(post) => post,
                    // The same, whatever other steps were left out.
                    None => post(&mut Dice::new(u64::try_from(self.step * MESSAGES_OF_STEP + self.sent).unwrap_or(0))),
                };
                self.send(To::Channel(event.revision), id, sale, event.body, fate).await?;
            }
        }
    }

    async fn send(&mut self, to: To, event: String, sale: usize, body: Value, post: Post) -> Result<(), Failure> {
        let id = self.step.saturating_mul(MESSAGES_OF_STEP).saturating_add(self.sent.min(MESSAGES_OF_STEP - 1));
        self.sent += 1;
        let (waits, lost) = (post == Post::Later, post == Post::Never);
        self.messages.push(Message { id, to, event, sale, body, waits, lost, result: None, again: false });
        match post {
            Post::Now => self.arrive(self.messages.len() - 1, true).await,
            Post::AnswerLost => self.arrive(self.messages.len() - 1, false).await,
            Post::Later | Post::Never => Ok(()),
        }
    }

    async fn tell(&self, message: &Message) -> (u16, Value) {
        match message.to {
            To::Gate => self.world().event(&message.event, &message.body).await,
            To::Channel(_) => {
                let channel = self.sales.get(message.sale).map_or(KAKAO, Sale::channel);
                let path = format!("/channels/{channel}/events");
                self.world().signed_event(&path, &self.secrets, &message.event, &message.body).await
            }
        }
    }

    /// A message arrives; its answer is heard, or lost on the way back.
    async fn arrive(&mut self, index: usize, heard: bool) -> Result<(), Failure> {
        let message = self.messages[index].clone();
        let (status, body) = self.tell(&message).await;
        let result = body["result"].as_str().unwrap_or_default().to_owned();
        let known = &mut self.messages[index];
        (known.waits, known.lost) = (false, false);
        // A commit that failed, or a reservation whose issue was not noted yet.
        known.again = status >= 500 || (status == 404 && known.to == To::Gate);
        if known.again {
            return Ok(());
        }
        let fine = match (&known.to, status) {
            (To::Channel(_), 200) => matches!(result.as_str(), "accepted" | "stale" | "duplicate"),
            (To::Channel(_), 202) => result == "parked",
            (To::Gate, 200 | 202) => true,
            _ => false,
        };
        if !fine {
            return Err(Failure(format!("an event was answered {status}: {} {body} {}", message.event, message.body)));
        }
        match (&message.result, &message.to) {
            (Some(first), To::Channel(_)) if first != "parked" && result != "duplicate" => {
                return Err(Failure(format!("a repeat was answered {result}, and first {first}: {}", message.event)));
            }
            (Some(_), To::Gate) if result != "duplicate" => {
                return Err(Failure(format!("a repeat of a gate's event was answered {body}: {}", message.event)));
            }
            _ => {}
        }
        known.result.get_or_insert_with(|| result.clone());
        // Who got no answer comes again.
        known.again = !heard;
        if let (To::Channel(revision), true) = (&message.to, result != "parked")
            && let Some(sale) = self.sales.get(message.sale)
        {
            let (partners, number) = (&self.world().partners, sale.number.as_str());
            match sale.is_trip {
                true => partners.trip(|books, _| books.heard(number, *revision)),
                false => partners.kakao(|books| books.heard(number, *revision)),
            }
        }
        self.look(message.sale).await
    }

    /// What must hold for an order at any time.
    async fn look(&self, sale: usize) -> Result<(), Failure> {
        let Some(order) = self.order(sale).await else { return Ok(()) };
        match invariants::violations(&order).first() {
            Some(broken) => Err(Failure(format!("an invariant is broken, {broken}: {}", order.id))),
            None => Ok(()),
        }
    }

    async fn repeat(&mut self, index: usize, times: u8) -> Result<(), Failure> {
        let Some(message) = self.messages.get(index) else { return Ok(()) };
        if message.result.is_none() || message.result.as_deref() == Some("parked") {
            return Ok(());
        }
        let sale = message.sale;
        // A fault of the database that is still to come is no matter of repetition.
        self.world().commit_faults.clear();
        let before = self.order(sale).await.map(|order| order.version);
        for _ in 0..times {
            self.arrive(index, true).await?;
        }
        let after = self.order(sale).await.map(|order| order.version);
        if before != after {
            let event = &self.messages[index].event;
            return Err(Failure(format!("a repeat changed an order: {event} {before:?} {after:?}")));
        }
        Ok(())
    }

    /// The same number again with another meaning, which is no repeat.
    async fn contradict(&mut self, index: usize) -> Result<(), Failure> {
        let Some(message) = self.messages.get(index).cloned() else { return Ok(()) };
        if message.result.is_none() || message.result.as_deref() == Some("parked") || message.to == To::Gate {
            return Ok(());
        }
        self.world().commit_faults.clear();
        let before = self.order(message.sale).await;
        let mut other = message.clone();
        let amounts = if message.body["booking"].is_object() { "booking" } else { "reservation" };
        other.body[amounts]["booked_at"] = json!("2026-11-20T10:00:00+09:00");
        let (status, body) = self.tell(&other).await;
        if status != 409 || body["code"] != "event_id_reused" {
            return Err(Failure(format!("another event under a known number was taken: {status} {body}")));
        }
        let bare = |order: Option<Order>| {
            order.map(|order| Order { attention: Vec::new(), version: 0, updated_at: UnixMillis(0), ..order })
        };
        if bare(before) != bare(self.order(message.sale).await) {
            return Err(Failure(format!("another event under a known number changed an order: {}", message.event)));
        }
        Ok(())
    }

    async fn ask_left(&mut self, product: usize, days: i64) -> Result<(), Failure> {
        let date = TimeZone::SEOUL.date_of(self.now()).plus_days(days);
        let body =
            json!({ "product_id": VISITS[product % VISITS.len()].code, "date": date.to_string(), "quantity": 1 });
        let id = self.number("ask-");
        let (status, answer) =
            self.world().signed_event(&format!("/channels/{KAKAO}/availability"), &self.secrets, &id, &body).await;
        let left = answer["remaining"].as_i64();
        let fine = match answer["available"].as_bool() {
            Some(true) => left.is_some_and(|left| (1..=i64::from(DATE_STOCK)).contains(&left)),
            Some(false) => answer["reason"].is_string(),
            None => false,
        };
        if status == 200 && fine {
            Ok(())
        } else {
            Err(Failure(format!("what is left is answered {status}: {answer}")))
        }
    }

    /// The youngest reservation of a sale that stands like this.
    async fn reservation(&self, sale: usize, stands: &[GateState]) -> Option<(String, Reservation)> {
        let order = self.order(sale).await?;
        let all = self.world().partners.reservations();
        all.into_iter().rev().find(|(_, r)| r.order == order.id.as_str() && stands.contains(&r.state))
    }

    async fn enter(&mut self, sale: usize, early: bool, post: Post) -> Result<(), Failure> {
        let Some((id, reservation)) = self.reservation(sale, &[GateState::Issued]).await else { return Ok(()) };
        let now = self.now();
        if !early && TimeZone::SEOUL.date_of(now).to_string() < reservation.visit_date {
            return Ok(());
        }
        self.world().partners.set(&id, GateState::Used);
        let at = now.rfc3339(TimeZone::SEOUL);
        let body = json!({ "type": "ticket.redeemed", "reservation_id": id, "occurred_at": at, "data": {} });
        self.gate_says(sale, body, if post == Post::Never { Post::Later } else { post }).await
    }

    async fn gate_says(&mut self, sale: usize, body: Value, post: Post) -> Result<(), Failure> {
        let event = self.number("gate-");
        self.send(To::Gate, event, sale, body, post).await
    }

    async fn decide(&mut self, sale: usize, well: bool, post: Post) -> Result<(), Failure> {
        let undecided = [GateState::Pending, GateState::CancelPending];
        let Some((id, reservation)) = self.reservation(sale, &undecided).await else { return Ok(()) };
        let (to, kind, data) = match (reservation.state, well) {
            (GateState::Pending, true) => (GateState::Issued, "reservation.issued", issued(&reservation)),
            (GateState::Pending, false) => (GateState::Refused, "reservation.refused", json!({ "reason": "sold out" })),
            (GateState::CancelPending, true) => (GateState::Cancelled, "reservation.cancelled", json!({})),
            (GateState::CancelPending, false) => {
                (GateState::Issued, "reservation.cancel_refused", json!({ "reason": "printed" }))
            }
            (GateState::Issued | GateState::Refused | GateState::Cancelled | GateState::Used, _) => return Ok(()),
        };
        self.world().partners.set(&id, to);
        let at = self.now().rfc3339(TimeZone::SEOUL);
        let body = json!({ "type": kind, "reservation_id": id, "occurred_at": at, "data": data });
        self.gate_says(sale, body, post).await
    }

    async fn act(&mut self, sale: usize, act: Act) -> Result<(), Failure> {
        let Some(order) = self.order(sale).await else { return Ok(()) };
        let now = self.now();
        let case = order.case_under_review().map(|case| case.id.clone());
        let reason = || "closed".into();
        let command = match (act, case) {
            (Act::RetryDead, _) => return self.bench.dead(&order, Fate::Retried).await,
            (Act::DropDead, _) => {
                self.sales[sale].dropped = true;
                return self.bench.dead(&order, Fate::Dropped).await;
            }
            (Act::Confirm, _) => Command::ConfirmBooking,
            (Act::Decline, _) => Command::RejectBooking { reason: reason() },
            (Act::SupplyTickets, _) => Command::SupplyTickets { tickets: self.tickets_by_hand(order.quantity) },
            (Act::Redeem, _) => Command::Redeem(Redeem { booking: None, at: now, by: RedeemedBy::Person, count: None }),
            (Act::NoShow, _) => Command::MarkNoShow { at: now },
            (Act::Cancel { free, part }, _) => {
                let number = &self.sales[sale].number;
                let detail = self.world().partners.kakao(|books| books.first_line_with_units(number));
                let parts = detail.filter(|_| part).map(|detail| (detail, 1)).into_iter().collect();
                Command::AskCancellation { fee: free.then_some(0), reason: reason(), parts, notify_text: None }
            }
            (Act::Approve { anyway }, Some(case)) => {
                Command::ApproveRefund { case, fee: None, without_backend: anyway, reason: None }
            }
            (Act::Reject, Some(case)) => Command::RejectRefund { case, reason: reason() },
            (Act::Approve { .. } | Act::Reject, None) => return Ok(()),
            (Act::Return { all }, _) => {
                Command::ReturnPayments { amount: if all { None } else { Some(1_000) }, reason: reason() }
            }
            (Act::SendLink { part }, _) => {
                let amount = part.then_some(50_000);
                Command::SendPaymentLink { amount, expires_at: now + Millis::hours(20) }
            }
            (Act::RevokeLink, _) => Command::RevokePaymentLink,
        };
        let asked = match &command {
            Command::ReturnPayments { amount, .. } => amount.unwrap_or_else(|| order.money.left()),
            Command::AskCancellation { parts, .. } if parts.is_empty() => i64::from(order.quantity),
            Command::AskCancellation { parts, .. } => parts.iter().map(|part| i64::from(part.1)).sum(),
            _ => 1,
        };
        if let Act::Return { .. } = act {
            let number = &self.sales[sale].number;
            self.world().partners.trip(|books, _| {
                if let Some(kept) = books.orders.get_mut(number) {
                    kept.it.return_decided = Some(now);
                }
            });
        }
        match self.world().engine().apply(&order.id, command, Actor::new(ActorKind::Ops, "ada")).await {
            Ok(_) => {
                let sale = &mut self.sales[sale];
                match act {
                    Act::Return { .. } => sale.returned += asked,
                    Act::Cancel { .. } => sale.cancelled += asked,
                    Act::SendLink { .. } => sale.links += asked,
                    Act::Confirm
                    | Act::Decline
                    | Act::SupplyTickets
                    | Act::Redeem
                    | Act::NoShow
                    | Act::Approve { .. }
                    | Act::Reject
                    | Act::RevokeLink
                    | Act::RetryDead
                    | Act::DropDead => {}
                }
            }
            Err(EngineError::Rejected(_)) => {}
            // A commit that was made to fail; it may have taken effect.
            Err(EngineError::Store(StoreError::Commit(_))) => self.sales[sale].unsure = true,
            Err(other) => return Err(Failure(format!("an act failed: {act:?} {other:?}"))),
        }
        self.look(sale).await
    }

    fn tickets_by_hand(&mut self, many: u32) -> Vec<NewTicket> {
        let ticket = |code: String| NewTicket {
            code: DocumentNumber::new(code),
            kind: TicketKind::Code,
            project_id: None,
            name: None,
        };
        (0..many).map(|_| ticket(self.number("HAND-"))).collect()
    }

    async fn reconcile(&mut self, instance: usize, closed: bool, hows: &[How]) -> Result<(), Failure> {
        // Nothing goes on with a question that hangs, and the books are compared within the step.
        let hangs = |how: &&How| !matches!(how, How::HangsBefore | How::HangsAfter);
        let plan: Vec<How> = hows.iter().filter(hangs).copied().collect();
        self.world().partners.plan(&plan);
        let worker = self.world().worker(instance).clone();
        let scope = if closed { Scope::Closed } else { Scope::Followed };
        Bench::tolerate(reconcile(&worker, scope).await, "the books cannot be compared").map(|_| ())
    }

    /// Nothing goes wrong any more; everything on the way arrives and is worked off. Then the world must be in order.
    async fn quiet(&mut self) -> Result<(), Failure> {
        self.bench.calm().await?;
        for _ in 0..ROUNDS_MAX {
            self.tell_news(Some(Post::Now)).await?;
            self.find_lost();
            let open: Vec<usize> =
                (0..self.messages.len()).filter(|i| self.messages[*i].waits || self.messages[*i].again).collect();
            for index in &open {
                self.arrive(*index, true).await?;
            }
            self.bench.work_off().await?;
            let is_quiet = open.is_empty() && !self.has_news();
            if is_quiet {
                self.reconcile(0, false, &[]).await?;
                self.reconcile(0, true, &[]).await?;
                self.bench.work_off().await?;
                if !self.has_news() {
                    return check::all(self).await;
                }
            }
        }
        Err(Failure("the bridge and the platforms never come to an end".to_owned()))
    }

    fn has_news(&self) -> bool {
        let partners = &self.world().partners;
        partners.kakao(|books| books.has_news()) || partners.trip(|books, _| books.has_news())
    }

    /// An event that was lost is found, unless a later one of the same order has told all that it tells.
    fn find_lost(&mut self) {
        let newest = |messages: &[Message], sale: usize| {
            let of_it = messages.iter().filter(|message| message.sale == sale && !message.lost);
            of_it
                .filter_map(|message| match message.to {
                    To::Channel(revision) => Some(revision),
                    To::Gate => None,
                })
                .max()
                .unwrap_or(0)
        };
        for index in 0..self.messages.len() {
            let message = &self.messages[index];
            let is_needed = match message.to {
                To::Channel(revision) => revision > newest(&self.messages, message.sale),
                To::Gate => true,
            };
            if message.lost && is_needed {
                let message = &mut self.messages[index];
                (message.lost, message.waits) = (false, true);
            }
        }
    }
}
