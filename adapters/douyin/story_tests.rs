// SPDX-License-Identifier: Apache-2.0

//! The adapter and the core together: a sale, its booking, tickets, and a refund, each message as Douyin sends it.

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use ticketbridge_core::id::{ChannelId, Seed};
use ticketbridge_core::message::{
    Actor, ActorKind, Command, Counts, Effect, NewTicket, Notification, PlaceOrder, TicketFacts,
};
use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::personal::DocumentNumber;
use ticketbridge_core::port::{Answer, Channel, Context, Inbound, Message, RawRequest, Verified};
use ticketbridge_core::product::{CalendarRange, DateRange, GuestsWho};
use ticketbridge_core::shared_rules::SharedRules;
use ticketbridge_core::time::{Date, Moment};
use ticketbridge_core::{Answering, run};

use crate::fixture;

struct Story {
    channel: Box<dyn Channel>,
    order: Option<Order>,
    effects: Vec<Effect>,
    step: u128,
}

impl Story {
    fn new() -> Self {
        let settings = json!({ "account_id": "7", "apps": [{ "client_key": "aw", "client_secret": "s" }] });
        let channel = (super::KIND.build)("douyin-main", &settings).unwrap();
        Self { channel, order: None, effects: Vec::new(), step: 0 }
    }

    fn rules(&self) -> SharedRules {
        let mut rules = fixture::order().rules;
        rules.channel = self.channel.rules();
        rules.booking.guests.who = GuestsWho::One;
        let (from, to) = (Date::parse("2026-11-01").unwrap(), Date::parse("2027-03-31").unwrap());
        let range = DateRange { from, to };
        rules.booking.calendar = vec![CalendarRange { range, weekdays: (0..7).collect(), stock: None, price: None }];
        rules
    }

    fn apply(&mut self, command: &Command, kind: ActorKind) {
        self.step += 1;
        let moment = Moment { now: fixture::NOW, seed: Seed(self.step) };
        let answering = if kind == ActorKind::Channel { Answering::InAnswer } else { Answering::Nobody };
        let outcome = run(self.order.as_ref(), command, &Actor::new(kind, "test"), moment, answering).unwrap();
        self.order = Some(outcome.order);
        self.effects = outcome.effects;
    }

    /// Sends a message and returns the `data` of the answer.
    fn send(&mut self, endpoint: &str, body: Value) -> Value {
        let (body, headers) = (body.to_string(), HeaderMap::new());
        let query = "timestamp=1795226400000";
        let raw = RawRequest { endpoint, method: &Method::POST, query, headers: &headers, body: body.as_bytes() };
        let inbound = self.channel.decode(&Verified::attest(raw, 0)).unwrap();
        let Inbound::Message(envelope) = &inbound else { panic!("{inbound:?}") };
        let place = |sale: &ticketbridge_core::message::Sale, rules| {
            let channel = ChannelId::new("douyin-main");
            let placed = PlaceOrder { channel, sale: sale.clone(), rules, is_stub: false };
            Command::PlaceOrder(Box::new(placed), Counts::default())
        };
        match &envelope.message {
            Message::Sale(sale) => self.apply(&place(sale, self.rules()), ActorKind::Channel),
            Message::Booking { sale, request } => {
                if self.order.is_none() {
                    self.apply(&place(sale, self.rules()), ActorKind::Channel);
                }
                self.apply(&Command::RequestBooking(request.clone()), ActorKind::Channel);
            }
            Message::Act(command) => self.apply(command, ActorKind::Channel),
            Message::Snapshot(_) | Message::Listing(_) | Message::Note { .. } => panic!("Douyin tells no whole orders"),
        }
        let answer = Answer::Accepted(self.order.as_ref().unwrap());
        let reply = self.channel.reply(endpoint, Some(&inbound), &answer);
        let mut body: Value = serde_json::from_slice(&reply.body).unwrap();
        body["data"].take()
    }

    fn issued(&mut self, codes: &[&str]) {
        let ticket = |code: &&str| NewTicket {
            code: DocumentNumber::new(*code),
            kind: TicketKind::Code,
            project_id: None,
            name: None,
        };
        let facts = TicketFacts::Issued { backend_ref: None, tickets: codes.iter().map(ticket).collect() };
        let booking = self.order.as_ref().unwrap().booking.as_ref().unwrap().id.clone();
        self.apply(&Command::RecordTicketFacts { booking, facts }, ActorKind::Backend);
    }

    /// The notification that is owed, with the body of its call.
    fn reported(&self) -> (Notification, Value) {
        let told = self.effects.iter().find_map(|effect| match effect {
            Effect::TellChannel { notification, .. } => Some(notification.clone()),
            _ => None,
        });
        let notification = told.unwrap_or_else(|| panic!("nothing is told: {:?}", self.effects));
        let cx = Context { access_token: Some("clt"), ..fixture::context() };
        let call = self.channel.notify(&notification, self.order.as_ref().unwrap(), &cx).unwrap();
        (notification, serde_json::from_slice(&call.body).unwrap())
    }

    fn label(&self) -> String {
        self.channel.label(self.order.as_ref().unwrap())
    }

    fn sale(&mut self) -> Value {
        self.send("create-order", sale_body("V100", None))
    }
    fn booking(&mut self) -> Value {
        self.send("create-order", sale_body("R100", Some("V100")))
    }
    fn demand(&mut self) -> Value {
        let body = json!({ "order_id": "R100", "copies": 2, "count": 2, "ticket_rule": { "code_sending_info": [2] } });
        self.send("issue-voucher", body)
    }
    fn refund(&mut self, source: i64) -> Value {
        let body = json!({
            "order_id": "R100", "biz_uniq_key": "B1", "after_sale_type": 1, "apply_source": source,
            "refund_fee_amount": 0, "apply_refund_time_unix": 1_795_226_401,
        });
        self.send("refund-apply", body)
    }
}

fn sale_body(order_id: &str, source: Option<&str>) -> Value {
    json!({
        "order_id": order_id, "source_order_id": source, "order_type": if source.is_some() { 2 } else { 1 }, "biz_type": 3,
        "product_out_id": "LP-V2|LP-B2", "count": 2, "create_order_time_unix": 1_795_226_390,
        "amount": { "origin_amount": 39_800, "pay_amount": 39_800 },
        "buyer": { "phone": "13800000001" }, "book_start_day": source.map(|_| "2026-12-01"),
    })
}

fn accepted() -> Value {
    json!({ "confirm_mode": 1, "confirm_result": 1 })
}

#[test]
fn tickets_that_come_late_go_by_callback() {
    let mut story = Story::new();
    assert_eq!(story.sale()["confirm_info"], accepted());
    assert_eq!(story.label(), "待预约");
    let booked = story.booking();
    assert_eq!((&booked["error_code"], &booked["confirm_info"]), (&json!(0), &accepted()));
    assert_eq!(story.demand()["result"], json!(0));
    assert_eq!(story.label(), "已预约未出票");
    story.issued(&["C1", "C2"]);
    let (notification, body) = story.reported();
    assert!(matches!(notification, Notification::TicketsIssued { .. }));
    assert_eq!((&body["order_id"], &body["result"]), (&json!("R100"), &json!(1)));
    assert_eq!(body["vouchers"].as_array().unwrap().len(), 2);
    // The demand again, now from the present state: the same codes under the same numbers.
    assert_eq!(story.demand()["vouchers"], body["vouchers"]);
    assert_eq!(story.label(), "已出票");
}

#[test]
fn a_booking_without_a_known_sale_is_taken_all_the_same() {
    let mut story = Story::new();
    assert_eq!(story.booking()["confirm_info"], accepted());
    assert_eq!(story.order.as_ref().unwrap().channel_order_id.as_str(), "V100");
    assert_eq!(story.label(), "已预约未出票");
}

#[test]
fn a_refund_for_late_tickets_is_rejected_with_the_tickets() {
    let mut story = Story::new();
    story.sale();
    story.booking();
    story.demand();
    assert_eq!(story.refund(301)["audit_refund_result"], json!(3));
    assert_eq!(story.label(), "退款审核中");
    story.issued(&["C1", "C2"]);
    let case = story.order.as_ref().unwrap().refund_case.as_ref().unwrap().id.clone();
    story.apply(&Command::RejectRefund { case, reason: "here they are".into() }, ActorKind::Ops);
    let (_, body) = story.reported();
    assert_eq!((&body["biz_uniq_key"], &body["audit_result"]), (&json!("B1"), &json!(2)));
    assert_eq!(body["vouchers"].as_array().unwrap().len(), 2);
    // Had Douyin asked again instead of waiting, the answer would be the same.
    let again = story.refund(301);
    assert_eq!((&again["audit_refund_result"], &again["vouchers"]), (&json!(2), &body["vouchers"]));
}

#[test]
fn a_used_order_is_not_refunded() {
    let mut story = Story::new();
    story.sale();
    story.booking();
    story.demand();
    story.issued(&["C1", "C2"]);
    let later = Moment {
        now: ticketbridge_core::TimeZone::SHANGHAI.start_of(Date::parse("2026-12-01").unwrap()),
        seed: Seed(99),
    };
    let redeem = Command::Redeem(ticketbridge_core::message::Redeem {
        booking: None,
        at: later.now,
        by: ticketbridge_core::message::RedeemedBy::Gate,
        count: None,
    });
    let gate = Actor::new(ActorKind::Backend, "gate");
    let outcome = run(story.order.as_ref(), &redeem, &gate, later, Answering::Nobody).unwrap();
    (story.order, story.effects) = (Some(outcome.order), outcome.effects);
    let (notification, body) = story.reported();
    assert!(matches!(notification, Notification::Redeemed { .. }));
    assert_eq!(body["verify_token"], json!("v-R100"));
    assert_eq!(story.label(), "已核销");
    assert_eq!(story.refund(101)["audit_refund_result"], json!(2));
}
