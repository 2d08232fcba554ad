// SPDX-License-Identifier: Apache-2.0

//! Our answers: results and problems for events, and yes or no for the question of availability, which has no third answer.

use http::StatusCode;
use serde_json::json;
use ticketbridge_core::port::{Answer, HttpReply, Inbound};
use ticketbridge_core::rejection::Why;

use super::endpoints::{AVAILABILITY, CHANNEL};
use crate::fat_events::answers::{self, Words};
use crate::fat_events::settings::Common;

pub(super) fn reply(settings: &Common, endpoint: &str, inbound: Option<&Inbound>, answer: &Answer<'_>) -> HttpReply {
    if endpoint == CHANNEL && !matches!(answer, Answer::Unauthenticated(_) | Answer::TryLater(_)) {
        // Only the status is read there, and anything but 200 switches the webhook off in the end.
        return HttpReply::json(StatusCode::OK, &json!({ "result": "accepted" }));
    }
    let is_question = endpoint == AVAILABILITY && !matches!(answer, Answer::Unauthenticated(_));
    if !is_question {
        let words = Words { unknown: "unknown_reservation", product: "reservation.product.product_id" };
        return answers::reply(settings.zone(), words, inbound, answer);
    }
    let no = |reason: &str| json!({ "available": false, "reason": reason });
    let body = match answer {
        Answer::Left(left) => match left {
            Some(left) => json!({ "available": true, "remaining": left }),
            None => json!({ "available": true }),
        },
        Answer::Refused(rejection) => no(match rejection.why {
            Why::OutOfStock => "sold_out",
            Why::DateNotBookable | Why::OffSale => "closed",
            _ => "unknown",
        }),
        // Who asked badly would take a plain no for a full house, for ever.
        Answer::Malformed(error) => json!({ "available": false, "reason": "unknown", "errors": error.every() }),
        _ => no("unknown"),
    };
    HttpReply::json(StatusCode::OK, &body)
}
