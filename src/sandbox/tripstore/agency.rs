// SPDX-License-Identifier: Apache-2.0

//! The agency's own books (`adapters/tripstore/README.md`): told of every booking, once, and of its changes under the agency's own number.

use serde_json::{Value, json};

use crate::journal::Party;
use crate::platform::money::with_commas;
use crate::platform::{Asked, Desk, Said, Trade};

/// Stands for every traveller whose number the marketplace keeps.
pub const MASKED_PHONE: &str = "010-0000-0000";

/// A booking in the agency's books.
#[derive(Clone, Debug)]
pub struct AgencyBooking {
    /// The agency's number; it changes.
    pub agency_number: String,
    /// What it was told last.
    pub body: Value,
    /// How often it was told of a change.
    pub changes: u32,
}

impl Trade for AgencyBooking {
    const PARTY: Party = Party::Agency;
    const WHOLE: &'static str = "booking";
    const PREFIX: &'static str = "YB";

    fn name_of(asked: &Asked) -> &'static str {
        match asked.method.as_str() {
            "POST" => "bookings/enter",
            "PUT" => "bookings/change",
            _ => "unknown call",
        }
    }

    fn came_to(asked: &Asked, _answer: &Value) -> &'static str {
        match asked.body["phone_masked"].as_bool() {
            Some(true) => "entered, phone masked",
            _ => "entered",
        }
    }

    fn number_of(asked: &Asked) -> String {
        asked.text("/external_no").to_owned()
    }

    fn told(&self) -> Value {
        self.body.clone()
    }

    fn carry_out(desk: &mut Desk<'_, Self>, asked: &Asked) -> Said {
        if let Some(wrong) = wrong_in(&asked.body) {
            desk.violation(&asked.number, format!("{}: {wrong}", Self::name_of(asked)));
        }
        let known = desk.books.trades.get(&asked.number).map(|kept| kept.it.agency_number.clone());
        match (Self::name_of(asked), known) {
            ("bookings/enter", Some(number)) => {
                let error = json!({ "code": "already_exists", "message": "already exists" });
                Said::With(409, json!({ "error": error, "agency_booking_no": number }))
            }
            ("bookings/enter", None) => enter(desk, asked),
            ("bookings/change", Some(number)) => change(desk, asked, &number),
            _ => Said::No(404, "not_found"),
        }
    }
}

fn enter(desk: &mut Desk<'_, AgencyBooking>, asked: &Asked) -> Said {
    if asked.key != format!("erp-{}", asked.number) {
        desk.violation(&asked.number, "bookings/enter: the key is not erp- and the booking's number");
    }
    let agency_number = desk.number(AgencyBooking::PREFIX);
    let answer = json!({ "agency_booking_no": agency_number });
    desk.enter(&asked.number, AgencyBooking { agency_number, body: asked.body.clone(), changes: 0 });
    Said::With(201, answer)
}

fn change(desk: &mut Desk<'_, AgencyBooking>, asked: &Asked, number: &str) -> Said {
    if asked.part(1) != number {
        desk.violation(&asked.number, "bookings/change: under a number that the agency has changed");
        return Said::No(404, "not_found");
    }
    if let Some(kept) = desk.books.trades.get_mut(&asked.number) {
        kept.it.body = asked.body.clone();
        kept.it.changes += 1;
    }
    Said::With(200, json!({ "agency_booking_no": number }))
}

/// What a booking must not bring here: a traveller's number that the marketplace keeps, or a memo without the gross amount.
fn wrong_in(body: &Value) -> Option<&'static str> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let amount = |name: &str| body.get(name).and_then(Value::as_i64);
    let is_masked = body.get("phone_masked").and_then(Value::as_bool)?;
    if !is_masked {
        return (text("booker_phone") == MASKED_PHONE).then_some("the stand-in number where the real one belongs");
    }
    if text("booker_phone") != MASKED_PHONE {
        return Some("a traveller's own number");
    }
    if amount("collect_from_customer_krw") != Some(0) {
        return Some("the agency is asked to collect what the marketplace collects");
    }
    let head =
        format!("트립결제 / 트립스토어 / 총 판매금액 {}원 / ", with_commas(amount("total_sale_krw").unwrap_or(0)));
    let tail = text("memo").strip_prefix(head.as_str()).unwrap_or_default();
    tail.is_empty().then_some("a memo without the channel, the gross amount and where to look")
}
