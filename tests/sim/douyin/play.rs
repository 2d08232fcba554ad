// SPDX-License-Identifier: Apache-2.0

//! One simulation: a world, what was sold and said in it, and the carrying out of steps.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ticketbridge::engine::EngineError;
use ticketbridge_core::message::{Actor, ActorKind, Command, NewTicket, Redeem, RedeemedBy};
use ticketbridge_core::order::{BookingState, Order, TicketKind, TicketingState};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::{ExternalId, Millis, TimeZone, UnixMillis, invariants};
use ticketbridge_store::StoreError;

use super::check;
use super::op::{Act, Census, Op, next};
use super::reproductions;
use super::world::{PRICE, PRODUCTS};
use crate::bench::{Bench, Failure, Fate};
use crate::dice::{Dice, Post};
use crate::partners::{Case, GateState, How, Reservation, issued};
use crate::run::{Play, Reproduction};
use crate::world::World;

/// Sales of one world at most; later ones are not made.
const SALES_MAX: usize = 400;
/// Looks at a request until it must be answered, or be waiting for tickets.
const LOOKS_MAX: usize = 5_000_000;
/// What the bridge says to another message under a known number.
const OTHER_CONTENT: &str = "this number came before, with other content; it is refused";

/// A sale of the channel's.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    /// The step that made it.
    step: usize,
    pub(crate) number: String,
    pub(crate) product: usize,
    pub(crate) quantity: u32,
    /// Our number for it, once we have accepted anything of it.
    pub(crate) order: Option<String>,
    pub(crate) bookings: Vec<String>,
    pub(crate) accepted_bookings: BTreeSet<String>,
    pub(crate) cases: Vec<String>,
    /// A person approved a refund without waiting for the back-end.
    pub(crate) anyway: bool,
}

/// Whose message it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    Channel(&'static str),
    Gate(String),
}

/// A message that was sent to us.
#[derive(Clone, Debug)]
struct Message {
    /// The step that sent it.
    step: usize,
    to: To,
    body: Value,
    sale: usize,
    about: String,
    /// It waits on the way.
    waits: bool,
    /// The answer that every repeat must get.
    answer: Option<(u16, Value)>,
    /// We asked for it to be sent again.
    again: bool,
}

/// A simulation.
pub(crate) struct Sim {
    pub(crate) bench: Bench,
    pub(crate) sales: Vec<Sale>,
    messages: Vec<Message>,
    /// The step that is carried out, and how many numbers it has made.
    step: usize,
    numbers: usize,
    /// Cases whose money was said to be back.
    paid_back: BTreeSet<String>,
}

impl Play for Sim {
    type Op = Op;
    const NAME: &'static str = "douyin";
    const QUIET: Op = Op::Quiet;

    /// Whether the channel learns of acceptance in the answer or by a call.
    fn variant(seed: u64) -> &'static str {
        if seed.is_multiple_of(3) { "async" } else { "sync" }
    }

    fn reproductions() -> Vec<Reproduction<Op>> {
        reproductions::all()
    }

    async fn new(confirm: &'static str) -> Self {
        let bench = Bench::new(World::douyin(confirm).await);
        Self { bench, sales: Vec::new(), messages: Vec::new(), step: 0, numbers: 0, paid_back: BTreeSet::new() }
    }

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn into_bench(self) -> Bench {
        self.bench
    }

    fn next(&self, dice: &mut Dice) -> Op {
        next(dice, &self.census())
    }

    async fn carry_out(&mut self, step: usize, op: &Op) -> Result<(), Failure> {
        (self.step, self.numbers) = (step, 0);
        self.do_it(op).await
    }

    async fn named_orders(&self, failure: &Failure) -> Vec<Order> {
        let mut named = Vec::new();
        for (index, sale) in self.sales.iter().enumerate() {
            let Some(order) = self.order(index).await else { continue };
            let names = [order.id.as_str(), &sale.number].into_iter().chain(sale.bookings.iter().map(String::as_str));
            if names.into_iter().any(|name| failure.0.contains(name)) {
                named.push(order);
            }
        }
        named
    }
}

impl Sim {
    fn census(&self) -> Census {
        Census {
            sales: self.sales.iter().map(|sale| sale.step).collect(),
            messages: self.messages.iter().map(|message| message.step).collect(),
            hanging: self.bench.hanging(),
        }
    }

    /// The place of the sale that a step made.
    fn sale_of(&self, step: usize) -> usize {
        self.sales.iter().position(|sale| sale.step == step).unwrap_or(usize::MAX)
    }

    /// The place of the message that a step sent.
    fn message_of(&self, step: usize) -> usize {
        self.messages.iter().position(|message| message.step == step).unwrap_or(usize::MAX)
    }

    async fn do_it(&mut self, op: &Op) -> Result<(), Failure> {
        match op {
            Op::Sell { product, quantity, post } => self.sell(usize::from(*product), u32::from(*quantity), *post).await,
            Op::Book { sale, days, post } => self.book(self.sale_of(*sale), i64::from(*days), *post).await,
            Op::Issue { sale, work, hows, post } => self.issue(self.sale_of(*sale), *work, hows, *post).await,
            Op::Apply { sale, source, cancels_booking, fee, for_sale, post } => {
                self.apply(self.sale_of(*sale), *source, *cancels_booking, *fee, *for_sale, *post).await
            }
            Op::CancelNotify { sale, kind, for_sale, post } => {
                let Some(about) = self.about(self.sale_of(*sale), *for_sale) else { return Ok(()) };
                let at = self.bench.world.now().seconds();
                let body = json!({ "order_id": about, "cancel_type": kind, "cancel_order_time_unix": at });
                self.post("cancel-notify", self.sale_of(*sale), about, body, *post).await
            }
            Op::RefundNotify { sale, share, expired, post } => {
                self.refund_notify(self.sale_of(*sale), *share, *expired, *post).await
            }
            Op::InfoSync { sale, kind, post } => {
                let Some(about) = self.about(self.sale_of(*sale), false) else { return Ok(()) };
                let id = self.number("AS");
                let body = json!({ "order_id": about, "after_sale_id": id, "after_sale_type": kind,
                    "notice_list": [{ "certificate_id": "C", "code": "c" }] });
                self.post("info-sync", self.sale_of(*sale), about, body, *post).await
            }
            Op::Pay { sale, post } => {
                let Some(about) = self.about(self.sale_of(*sale), true) else { return Ok(()) };
                let body =
                    json!({ "order_id": about, "order_out_id": "", "pay_time_unix": self.bench.world.now().seconds() });
                self.post("pay-notify", self.sale_of(*sale), about, body, *post).await
            }
            Op::Query { sale } => self.query(self.sale_of(*sale)).await,
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
                self.bench.world.partners.plan(hows);
                self.bench.work(usize::from(*instance), *many).await.map(|_| ())
            }
            Op::Deadlines { instance } => self.bench.deadlines(usize::from(*instance)).await,
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

    fn number(&mut self, prefix: &str) -> String {
        self.numbers += 1;
        format!("{prefix}{:05}{:02}", self.step, self.numbers)
    }

    /// The number that a message about a sale names: the last booking's, or the sale's own.
    fn about(&self, sale: usize, for_sale: bool) -> Option<String> {
        let sale = self.sales.get(sale)?;
        Some(if for_sale { &sale.number } else { sale.bookings.last().unwrap_or(&sale.number) }.clone())
    }

    async fn sell(&mut self, product: usize, quantity: u32, post: Post) -> Result<(), Failure> {
        if self.sales.len() >= SALES_MAX {
            return Ok(());
        }
        let number = self.number("V");
        let product = product % PRODUCTS.len();
        let body = self.order_body(&number, product, quantity, None);
        self.sales.push(Sale {
            step: self.step,
            number: number.clone(),
            product,
            quantity,
            order: None,
            bookings: Vec::new(),
            accepted_bookings: BTreeSet::new(),
            cases: Vec::new(),
            anyway: false,
        });
        self.post("create-order", self.sales.len() - 1, number, body, post).await
    }

    async fn book(&mut self, sale: usize, days: i64, post: Post) -> Result<(), Failure> {
        let Some(known) = self.sales.get(sale).cloned() else { return Ok(()) };
        let number = self.number("R");
        let date = TimeZone::SHANGHAI.date_of(self.bench.world.now()).plus_days(days).to_string();
        let mut body = self.order_body(&number, known.product, known.quantity, Some(&known.number));
        body["book_start_day"] = json!(date);
        body["book_end_day"] = json!(date);
        body["tourists"] = json!([{ "name": "Ada Example", "phone": "13900000001" }]);
        self.sales[sale].bookings.push(number.clone());
        self.post("create-order", sale, number, body, post).await
    }

    fn order_body(&self, number: &str, product: usize, quantity: u32, source: Option<&str>) -> Value {
        let product = PRODUCTS[product];
        let price = PRICE * i64::from(quantity);
        json!({
            "order_id": number, "source_order_id": source, "order_type": if source.is_some() { 2 } else { 1 }, "biz_type": 3,
            "product_out_id": format!("{}|{}", product.voucher, product.booking), "count": quantity,
            "create_order_time_unix": self.bench.world.now().seconds(),
            "amount": { "origin_amount": price, "pay_amount": price },
            "buyer": { "name": "Ada Example", "phone": "13800000001" },
        })
    }

    async fn apply(
        &mut self,
        sale: usize,
        source: i64,
        cancels_booking: bool,
        fee: i64,
        for_sale: bool,
        post: Post,
    ) -> Result<(), Failure> {
        let Some(about) = self.about(sale, for_sale) else { return Ok(()) };
        let key = self.number("RA");
        let fee = if cancels_booking { 0 } else { fee };
        let body = json!({
            "order_id": about, "biz_uniq_key": key, "after_sale_type": if cancels_booking { 2 } else { 1 }, "apply_source": source,
            "refund_fee_amount": fee, "apply_refund_time_unix": self.bench.world.now().seconds(),
        });
        let case = Case { booking: about.clone(), fee, late_tickets: source == 301, ..Case::default() };
        self.bench.world.partners.douyin(|douyin| douyin.cases.insert(key.clone(), case));
        self.sales[sale].cases.push(key);
        self.post("refund-apply", sale, about, body, post).await
    }

    async fn refund_notify(&mut self, sale: usize, share: u8, expired: bool, post: Post) -> Result<(), Failure> {
        let Some(known) = self.sales.get(sale).cloned() else { return Ok(()) };
        // The money of a case that was decided, or of a refund that nobody asked us about.
        let key = match known.cases.last() {
            Some(key) if share == 100 && self.paid_back.insert(key.clone()) => key.clone(),
            _ => self.number("RN"),
        };
        let amount = PRICE * i64::from(known.quantity) * i64::from(share) / 100;
        let body = json!({
            "order_id": known.number, "biz_uniq_key": key, "refund_amount": amount,
            "refund_time_unix": self.bench.world.now().seconds(), "refund_scene": if expired { 150 } else { 1 },
        });
        self.post("refund-notify", sale, known.number, body, post).await
    }

    /// Sends a new message of the channel's.
    async fn post(
        &mut self,
        call: &'static str,
        sale: usize,
        about: String,
        body: Value,
        post: Post,
    ) -> Result<(), Failure> {
        // Some things are said once for each number; saying them again is a repeat.
        let to = To::Channel(call);
        let is_once = matches!(call, "cancel-notify" | "pay-notify");
        let known = self
            .messages
            .iter()
            .position(|m| is_once && m.to == to && m.about == about && m.body["cancel_type"] == body["cancel_type"]);
        match known {
            Some(index) if post == Post::Now => self.arrive(index, true).await,
            Some(_) => Ok(()),
            None => self.send(to, sale, about, body, post).await,
        }
    }

    async fn send(&mut self, to: To, sale: usize, about: String, body: Value, post: Post) -> Result<(), Failure> {
        let waits = post == Post::Later;
        self.messages.push(Message { step: self.step, to, body, sale, about, waits, answer: None, again: false });
        match post {
            Post::Now => self.arrive(self.messages.len() - 1, true).await,
            Post::AnswerLost => self.arrive(self.messages.len() - 1, false).await,
            Post::Later | Post::Never => Ok(()),
        }
    }

    /// A message arrives; its answer is heard, or lost on the way back.
    async fn arrive(&mut self, index: usize, heard: bool) -> Result<(), Failure> {
        let message = self.messages[index].clone();
        let answer = match &message.to {
            To::Channel("issue-voucher") => {
                self.while_working(self.bench.world.call("issue-voucher", &message.body), &message.about, 0).await?
            }
            To::Channel(call) => self.bench.world.call(call, &message.body).await,
            To::Gate(id) => self.bench.world.event(id, &message.body).await,
        };
        self.answered(index, answer, heard).await
    }

    async fn answered(&mut self, index: usize, answer: (u16, Value), heard: bool) -> Result<(), Failure> {
        let message = &mut self.messages[index];
        message.waits = false;
        let (status, body) = &answer;
        let code = body["data"]["error_code"].as_i64();
        match &message.to {
            To::Channel(call) => {
                let Some(code) = code.filter(|_| *status == 200) else {
                    return Err(Failure(format!("{call} answered {status}: {body}")));
                };
                message.again = code == 100;
                if code == 100 {
                    return Ok(());
                }
            }
            To::Gate(_) => {
                // A reservation whose issue was not noted yet is unknown; the gate comes again.
                message.again = *status == 404 || *status >= 500;
                if message.again {
                    return Ok(());
                }
                if !matches!(status, 200 | 202) {
                    return Err(Failure(format!("an event of the gate was answered {status}: {body}")));
                }
            }
        }
        // Tickets that have come meanwhile, and a decision that fell after "waiting", are said to whoever asks again.
        let waited = message.answer.as_ref().is_some_and(|first| first.1["data"]["audit_refund_result"] == 3);
        let is_state =
            message.to == To::Channel("issue-voucher") || (message.to == To::Channel("refund-apply") && waited);
        match (&message.answer, &message.to) {
            (Some(first), To::Channel(call)) if !is_state && *first != answer => {
                let (was, is) = (&first.1, &answer.1);
                return Err(Failure(format!("a repeat of {call} was answered differently: {was} then {is}")));
            }
            (Some(_), To::Gate(_)) if body["result"] != "duplicate" => {
                return Err(Failure(format!("a repeat of a gate's event was answered {body}")));
            }
            _ => {}
        }
        message.answer.get_or_insert_with(|| answer.clone());
        // Who got no answer comes again.
        message.again = !heard;
        if heard { self.hear(index, &answer.1["data"]).await } else { Ok(()) }
    }

    /// What the channel makes of an answer.
    async fn hear(&mut self, index: usize, data: &Value) -> Result<(), Failure> {
        let Message { to, body, sale, about, .. } = self.messages[index].clone();
        let To::Channel(call) = to else { return self.look(sale).await };
        let is_good = data["error_code"] == 0;
        match call {
            "create-order" if is_good => self.accepted(sale, &about, data)?,
            "issue-voucher" if is_good => match data["result"].as_i64() {
                Some(0) => {}
                Some(1) => self.bench.world.partners.hear_vouchers(&about, &data["vouchers"], "answer"),
                other => return Err(Failure(format!("an issue call was answered with result {other:?}"))),
            },
            "refund-apply" if is_good => {
                let key = body["biz_uniq_key"].as_str().unwrap_or_default();
                match data["audit_refund_result"].as_i64() {
                    Some(3) => {}
                    Some(decision @ (1 | 2)) => self.bench.world.partners.hear_decision(key, decision, data, "answer"),
                    other => return Err(Failure(format!("a refund was answered with {other:?}"))),
                }
            }
            "cancel-notify" | "refund-notify" | "info-sync" if !is_good => {
                return Err(Failure(format!("a notice was refused: {call} {data}")));
            }
            _ => {}
        }
        self.look(sale).await
    }

    fn accepted(&mut self, sale: usize, about: &str, data: &Value) -> Result<(), Failure> {
        let id = data["order_out_id"].as_str().unwrap_or_default().to_owned();
        let known = &mut self.sales[sale];
        match &known.order {
            Some(order) if *order != id => {
                return Err(Failure(format!("two orders for one sale: {order} and {id}")));
            }
            _ => known.order = Some(id),
        }
        if known.number != about {
            known.accepted_bookings.insert(about.to_owned());
        }
        Ok(())
    }

    /// What must hold for an order at any time.
    async fn look(&self, sale: usize) -> Result<(), Failure> {
        let Some(order) = self.order(sale).await else { return Ok(()) };
        match invariants::violations(&order).first() {
            Some(broken) => Err(Failure(format!("an invariant is broken, {broken}: {}", order.id))),
            None => Ok(()),
        }
    }

    pub(crate) async fn order(&self, sale: usize) -> Option<Order> {
        match self.sales.get(sale) {
            Some(sale) => self.bench.world.order(&sale.number).await,
            None => None,
        }
    }

    async fn repeat(&mut self, index: usize, times: u8) -> Result<(), Failure> {
        let Some(message) = self.messages.get(index) else { return Ok(()) };
        if message.answer.is_none() {
            return Ok(());
        }
        let sale = message.sale;
        // A fault of the database that is still to come is no matter of repetition.
        self.bench.world.commit_faults.clear();
        let before = self.order(sale).await.map(|order| order.version);
        for _ in 0..times {
            self.arrive(index, true).await?;
        }
        let after = self.order(sale).await.map(|order| order.version);
        let is_issue = self.messages[index].to == To::Channel("issue-voucher");
        if before != after && !is_issue {
            let to = &self.messages[index].to;
            return Err(Failure(format!("a repeat changed an order: {to:?} {before:?} {after:?}")));
        }
        Ok(())
    }

    /// The same number again: with a field more that nobody reads, which is a repeat; then with another meaning, which is none.
    async fn contradict(&mut self, index: usize) -> Result<(), Failure> {
        let Some(message) = self.messages.get(index) else { return Ok(()) };
        let To::Channel(call) = message.to else { return Ok(()) };
        if message.answer.is_none() {
            return Ok(());
        }
        let (sale, mut body) = (message.sale, message.body.clone());
        let Some(field) = telling_field(call) else { return Ok(()) };
        body["remark"] = json!("said otherwise");
        self.bench.world.commit_faults.clear();
        let before = self.order(sale).await;
        let (status, answer) = self.bench.world.call(call, &body).await;
        if status != 200 || answer["data"]["description"] == OTHER_CONTENT {
            return Err(Failure(format!("{call} with a field more was no repeat: {status} {answer}")));
        }
        let between = self.order(sale).await;
        if call != "issue-voucher" && before.as_ref().map(|o| o.version) != between.as_ref().map(|o| o.version) {
            return Err(Failure(format!("{call} with a field more changed an order: {answer}")));
        }
        body[field] = json!(body[field].as_i64().unwrap_or_default() + 1);
        let (status, answer) = self.bench.world.call(call, &body).await;
        if status != 200 || answer["data"]["error_code"] == 0 {
            return Err(Failure(format!("{call} took other content under a known number: {status} {answer}")));
        }
        if between.map(without_attention) != self.order(sale).await.map(without_attention) {
            return Err(Failure(format!("{call} with other content changed an order: {answer}")));
        }
        Ok(())
    }

    async fn query(&mut self, sale: usize) -> Result<(), Failure> {
        let Some(about) = self.about(sale, false) else { return Ok(()) };
        let (status, answer) = self.bench.world.call("query-order", &json!({ "order_id": about })).await;
        let order = self.bench.world.order(&about).await;
        let (code, data) = (answer["data"]["error_code"].as_i64(), &answer["data"]);
        let Some(order) = order else {
            let fine = status == 200 && code == Some(2);
            return if fine { Ok(()) } else { Err(Failure(format!("query-order of nothing: {status} {answer}"))) };
        };
        let booking = order.booking_by_ref(&ExternalId::from(about.as_str())).or(order.booking.as_ref());
        let used = if booking.is_some_and(|b| b.state == BookingState::Used) { order.quantity } else { 0 };
        let fine = status == 200
            && code == Some(0)
            && data["order_out_id"] == json!(order.id)
            && data["total_voucher_quantity"] == json!(order.quantity)
            && data["used_voucher_quantity"] == json!(used);
        if fine { Ok(()) } else { Err(Failure(format!("query-order does not agree with the order: {answer}"))) }
    }

    async fn issue(&mut self, sale: usize, work: u8, hows: &[How], post: Post) -> Result<(), Failure> {
        let Some(known) = self.sales.get(sale) else { return Ok(()) };
        let Some(about) = known.bookings.last().cloned() else { return Ok(()) };
        let to = To::Channel("issue-voucher");
        let index = match self.messages.iter().position(|m| m.to == to && m.about == about) {
            Some(index) => index,
            None => {
                let body = json!({ "order_id": about, "copies": known.quantity, "count": 2 });
                self.messages.push(Message {
                    step: self.step,
                    to,
                    body,
                    sale,
                    about: about.clone(),
                    waits: true,
                    answer: None,
                    again: false,
                });
                self.messages.len() - 1
            }
        };
        if matches!(post, Post::Later | Post::Never) {
            return Ok(());
        }
        self.bench.world.partners.plan(hows);
        let call = self.bench.world.call("issue-voucher", &self.messages[index].body);
        let answer = self.while_working(call, &about, work).await?;
        self.answered(index, answer, post == Post::Now).await
    }

    /// Makes a request that may wait for tickets. Where it waits, a worker carries out some deliveries; then the channel's time is over.
    async fn while_working(
        &mut self,
        call: impl Future<Output = (u16, Value)>,
        about: &str,
        work: u8,
    ) -> Result<(u16, Value), Failure> {
        let mut call = std::pin::pin!(call);
        let clock = self.bench.world.clock.clone();
        let waits = async {
            for _ in 0..LOOKS_MAX {
                if clock.sleepers() > 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            answer = &mut call => return Ok(answer),
            () = waits => {}
        }
        for _ in 0..work {
            self.bench.work(0, 1).await?;
            if !self.is_on_the_way(about).await {
                break;
            }
        }
        if self.is_on_the_way(about).await {
            self.bench.world.advance(Millis::seconds(8));
        }
        Ok(call.await)
    }

    async fn is_on_the_way(&self, about: &str) -> bool {
        let order = self.bench.world.order(about).await;
        order.as_ref().and_then(|order| order.booking_by_ref(&ExternalId::from(about))).is_some_and(|b| {
            b.state == BookingState::Confirmed
                && matches!(
                    b.ticketing.state,
                    TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown
                )
        })
    }

    /// The youngest reservation of a sale that stands like this.
    fn reservation(&self, sale: usize, stands: &[GateState]) -> Option<(String, Reservation)> {
        let order = self.sales.get(sale)?.order.as_deref()?;
        let all = self.bench.world.partners.reservations();
        all.into_iter().rev().find(|(_, r)| r.order == order && stands.contains(&r.state))
    }

    async fn enter(&mut self, sale: usize, early: bool, post: Post) -> Result<(), Failure> {
        let Some((id, reservation)) = self.reservation(sale, &[GateState::Issued]) else { return Ok(()) };
        let now = self.bench.world.now();
        let today = TimeZone::SHANGHAI.date_of(now).to_string();
        if !early && today < reservation.visit_date {
            return Ok(());
        }
        self.bench.world.partners.set(&id, GateState::Used);
        let body = json!({ "type": "ticket.redeemed", "reservation_id": id,
            "occurred_at": now.rfc3339(TimeZone::SHANGHAI), "data": {} });
        let post = if post == Post::Never { Post::Later } else { post };
        self.gate_event(&reservation.order, body, post).await
    }

    async fn gate_event(&mut self, order: &str, body: Value, post: Post) -> Result<(), Failure> {
        let sale = self.sales.iter().position(|sale| sale.order.as_deref() == Some(order)).unwrap_or(usize::MAX);
        let id = self.number("evt-");
        self.send(To::Gate(id), sale, String::new(), body, post).await
    }

    async fn decide(&mut self, sale: usize, well: bool, post: Post) -> Result<(), Failure> {
        let undecided = [GateState::Pending, GateState::CancelPending];
        let Some((id, reservation)) = self.reservation(sale, &undecided) else { return Ok(()) };
        let (to, kind, data) = match (reservation.state, well) {
            (GateState::Pending, true) => (GateState::Issued, "reservation.issued", issued(&reservation)),
            (GateState::Pending, false) => (GateState::Refused, "reservation.refused", json!({ "reason": "sold out" })),
            (GateState::CancelPending, true) => (GateState::Cancelled, "reservation.cancelled", json!({})),
            (GateState::CancelPending, false) => {
                (GateState::Issued, "reservation.cancel_refused", json!({ "reason": "printed" }))
            }
            _ => return Ok(()),
        };
        self.bench.world.partners.set(&id, to);
        let now = self.bench.world.now().rfc3339(TimeZone::SHANGHAI);
        let body = json!({ "type": kind, "reservation_id": id, "occurred_at": now, "data": data });
        self.gate_event(&reservation.order, body, post).await
    }

    async fn act(&mut self, sale: usize, act: Act) -> Result<(), Failure> {
        let Some(order) = self.order(sale).await else { return Ok(()) };
        match act {
            Act::RetryDead => return self.bench.dead(&order, Fate::Retried).await,
            Act::DropDead => return self.bench.dead(&order, Fate::Dropped).await,
            _ => {}
        }
        let now = self.bench.world.now();
        let case = order.case_under_review().map(|case| case.id.clone());
        let command = match (act, case) {
            (Act::Confirm, _) => Command::ConfirmBooking,
            (Act::Decline, _) => Command::RejectBooking { reason: "closed".into() },
            (Act::SupplyTickets, _) => Command::SupplyTickets { tickets: self.tickets_by_hand(order.quantity) },
            (Act::Redeem, _) => Command::Redeem(Redeem { booking: None, at: now, by: RedeemedBy::Person, count: None }),
            (Act::NoShow, _) => Command::MarkNoShow { at: now },
            (Act::Cancel, _) => Command::CancelOrder { reason: "closed".into() },
            (Act::Approve | Act::ApproveAnyway, Some(case)) => {
                let without_backend = act == Act::ApproveAnyway;
                self.sales[sale].anyway |= without_backend;
                Command::ApproveRefund { case, fee: None, without_backend, reason: None }
            }
            (Act::Reject, Some(case)) => Command::RejectRefund { case, reason: "too late".into() },
            _ => return Ok(()),
        };
        match self.bench.world.engine().apply(&order.id, command, Actor::new(ActorKind::Ops, "ada")).await {
            Ok(_) | Err(EngineError::Rejected(_)) => self.look(sale).await,
            // A commit that was made to fail.
            Err(EngineError::Store(StoreError::Commit(_))) => Ok(()),
            Err(other) => Err(Failure(format!("an act failed: {act:?} {other:?}"))),
        }
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

    /// Nothing goes wrong any more; everything on the way arrives and is worked off. Then the world must be in order.
    async fn quiet(&mut self) -> Result<(), Failure> {
        self.bench.calm().await?;
        for _ in 0..3 {
            for index in 0..self.messages.len() {
                if self.messages[index].waits || self.messages[index].again {
                    self.arrive(index, true).await?;
                }
            }
            self.bench.work_off().await?;
        }
        check::all(self).await
    }
}

/// A number in a call's body that is part of what the call says; none where the call is only noted, or where all that it says is its
/// own number: of a cancellation only the time is left, which the channel writes anew each time.
fn telling_field(call: &str) -> Option<&'static str> {
    match call {
        "create-order" => Some("count"),
        "refund-apply" => Some("refund_fee_amount"),
        "refund-notify" => Some("refund_amount"),
        "pay-notify" => Some("pay_time_unix"),
        "issue-voucher" => Some("copies"),
        "cancel-notify" | "info-sync" => None,
        other => panic!("nobody has said which field of {other} counts"),
    }
}

/// An order as it is but for the doubt that a person is told of.
fn without_attention(mut order: Order) -> Order {
    order.attention.clear();
    order.version = 0;
    order.updated_at = UnixMillis(0);
    order
}
