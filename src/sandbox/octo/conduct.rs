// SPDX-License-Identifier: Apache-2.0

//! What the supplier holds against a reseller: what `adapters/octo/README.md` asks of the caller, seen from the other side.

use serde_json::Value;

use super::books::{Asked, Booked, Books};
use super::status::Status;

impl Books {
    /// Looks at a call before it is answered. `late` says that it is a call of before that was held up on its way.
    pub(super) fn judge(&mut self, asked: &Asked<'_>, late: bool) {
        let steps: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        let mut held = Vec::new();
        if !asked.has_capabilities {
            held.push(format!("{} {} came without Octo-Capabilities", asked.method, asked.path));
        }
        match (asked.method, steps.as_slice()) {
            ("POST", ["bookings"]) => held.extend(self.judge_reserve(asked.body, late)),
            ("POST", ["bookings", uuid, "confirm"]) => held.extend(self.judge_confirm(uuid, asked.body, late)),
            ("POST", ["bookings", _, "cancel"]) | ("DELETE", ["bookings", _]) if !asked.body["force"].is_null() => {
                held.push("a cancellation was forced".to_owned());
            }
            _ => {}
        }
        for sentence in held {
            if !self.violations.contains(&sentence) {
                self.violations.push(sentence);
            }
        }
    }

    fn judge_reserve(&self, body: &Value, late: bool) -> Vec<String> {
        let Some(uuid) = body["uuid"].as_str() else {
            return vec!["a reserve came without a uuid: its answer, lost, could not be looked up".to_owned()];
        };
        let mut held = Vec::new();
        if body["unitItems"].as_array().into_iter().flatten().any(|unit| unit["uuid"].is_null()) {
            held.push(format!("{uuid}: a unit came without a uuid of its own"));
        }
        let reference = body["resellerReference"].as_str().unwrap_or_default();
        if reference.is_empty() {
            held.push(format!("{uuid}: a reserve came without the reseller's reference"));
        }
        match self.booking(uuid) {
            Some(known) if known.request != *body => {
                held.push(format!("{uuid}: the same uuid was reserved again with other content"));
            }
            _ => {}
        }
        let other = |(other, booked): &(&str, &Booked)| {
            *other != uuid && booked.reference == reference && !reference.is_empty() && booked.status.takes_place()
        };
        if let Some((other, _)) = self.all().find(other).filter(|_| !late) {
            held.push(format!("{uuid}: a second booking was asked for {reference}, while {other} still lives"));
        }
        held
    }

    fn judge_confirm(&self, uuid: &str, body: &Value, late: bool) -> Vec<String> {
        let mut held = Vec::new();
        if !body["contact"].is_object() {
            held.push(format!("{uuid}: a confirm came without a contact"));
        }
        if body["emailReceipt"] != false {
            held.push(format!("{uuid}: a confirm left the mail to the guest to the supplier"));
        }
        let Some(booked) = self.booking(uuid) else { return held };
        if body["unitItems"].as_array().is_some_and(|units| units.len() != booked.units.len()) {
            held.push(format!("{uuid}: a confirm would change the number of units"));
        }
        let is_sold = matches!(booked.status, Status::Confirmed | Status::Pending | Status::Redeemed);
        if is_sold && !late && !booked.confirmed_unknown {
            held.push(format!("{uuid}: a confirm was sent again for what is sold, as was read before"));
        }
        held
    }
}
