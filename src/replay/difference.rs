// SPDX-License-Identifier: Apache-2.0

//! Something that is other than it was.

use serde::{Deserialize, Serialize};
use ticketbridge_core::UnixMillis;

use super::values::steady;

/// Characters below which a number of an order may stand in a text by chance.
const NUMBER_CHARS_MIN: usize = 3;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The answer to a request.
    Answer,
    /// What an order had become.
    Order,
    /// A call that was not made then, or otherwise, or is not made now.
    Call,
}

impl What {
    pub(super) fn word(self) -> &'static str {
        match self {
            What::Answer => "answer",
            What::Order => "order",
            What::Call => "call",
        }
    }
}

/// When something was found, among everything that was played: by the clock, and by its turn where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When {
    /// The time.
    pub at: UnixMillis,
    /// Its turn.
    pub turn: u64,
}

impl When {
    /// After everything that was played.
    pub(super) const LAST: When = When { at: UnixMillis(i64::MAX), turn: u64::MAX };
}

/// Something that is other than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: What,
    /// Of which: a partner's call, a part of an order, a call's address.
    pub place: String,
    /// What of it, and how.
    pub change: String,
    /// The order, as its channel and its number there.
    pub order: Option<String>,
    /// When it was found.
    pub when: When,
}

impl Difference {
    /// What is the same for all differences of this kind: what is one order's alone is left out.
    pub(super) fn cause(&self) -> (What, String, String) {
        let number = self.order.as_deref().and_then(|order| order.split_once(':')).map(|(_, number)| number);
        let parts = self.change.split("; ").map(|part| {
            let part = without_ids(part);
            match number {
                Some(number) if number.len() >= NUMBER_CHARS_MIN => part.replace(number, "…"),
                Some(_) | None => part,
            }
        });
        (self.what, self.place.clone(), steady(&parts.collect::<Vec<_>>().join("; ")))
    }
}

/// A change of a field that holds an id, without the id: `/event_id "evt-1" -> null` is the same for every event.
fn without_ids(part: &str) -> String {
    let Some((field, values)) = part.split_once(' ').filter(|(field, _)| field.starts_with('/')) else {
        return part.to_owned();
    };
    let name = field.rsplit('/').next().unwrap_or_default();
    let is_id = name == "id" || ["_id", "_no", "Id", "uuid", "reference"].iter().any(|end| name.ends_with(end));
    let Some((before, after)) = values.split_once(" -> ").filter(|_| is_id) else { return part.to_owned() };
    let shown = |value| if value == "null" { "null" } else { "…" };
    format!("{field} {} -> {}", shown(before), shown(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_one_orders_alone_keeps_no_causes_apart() {
        let of = |number: &str, event: &str| Difference {
            what: What::Answer,
            place: "kakao/events".to_owned(),
            change: format!(
                "status 200 -> 422; /event_id \"{event}\" -> null; /detail null -> \"{number} names no product\"; /errors 1 -> 2"
            ),
            order: Some(format!("kakao:{number}")),
            when: When::LAST,
        };
        assert_eq!(of("KA-3", "evt-KA-3-1").cause(), of("KA-77", "evt-KA-77-1").cause());
        let other = Difference { change: "/event_id null -> \"evt-1\"".to_owned(), ..of("KA-3", "evt-1") };
        assert_eq!(other.cause().2, "/event_id null -> …");
        let count = Difference { change: "/errors 1 -> 3".to_owned(), ..of("KA-3", "evt-1") };
        assert_eq!(count.cause().2, "/errors 1 -> 3");
    }
}
