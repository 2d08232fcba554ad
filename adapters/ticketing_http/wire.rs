//! The JSON of `contract.md` 5, as it is on the wire. Never leaves this folder.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Body of `POST reservations`. Guests' data is in clear: it is what the back-end is asked to admit.
#[derive(Serialize)]
pub(super) struct ReservationRequest<'a> {
    pub(super) reservation_id: &'a str,
    pub(super) order_id: &'a str,
    pub(super) product: &'a str,
    pub(super) visit_date: Option<String>,
    pub(super) valid_until: Option<String>,
    pub(super) quantity: u32,
    pub(super) visitor_count: u32,
    pub(super) visitors: Vec<PersonOut<'a>>,
    pub(super) contact: Option<PersonOut<'a>>,
    pub(super) issue_by: Option<String>,
}

#[derive(Serialize)]
pub(super) struct PersonOut<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) phone: Option<&'a str>,
    pub(super) document: Option<DocumentOut<'a>>,
}

#[derive(Serialize)]
pub(super) struct DocumentOut<'a> {
    #[serde(rename = "type")]
    pub(super) kind: Option<&'static str>,
    pub(super) number: &'a str,
}

/// Body of `POST reservations/{id}/cancel`.
#[derive(Serialize)]
pub(super) struct CancelRequest {
    pub(super) reason: &'static str,
}

/// Answer to everything about a reservation; also `data` of the event `reservation.issued`.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct ReservationAnswer {
    pub(super) state: Option<String>,
    pub(super) backend_ref: Option<Text>,
    #[serde(default)]
    pub(super) tickets: Option<Vec<TicketIn>>,
    pub(super) reason: Option<String>,
    pub(super) redeemed_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct TicketIn {
    pub(super) code: Option<Text>,
    pub(super) kind: Option<String>,
    pub(super) project_id: Option<Text>,
    pub(super) name: Option<String>,
}

/// A text, which many systems write as a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text")]
pub(super) enum Text {
    Written(String),
    Number(u64),
}

impl Text {
    pub(super) fn into_string(self) -> String {
        match self {
            Text::Written(text) => text,
            Text::Number(number) => number.to_string(),
        }
    }
}

/// Answer to `GET availability`.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct AvailabilityAnswer {
    pub(super) days: Vec<DayIn>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct DayIn {
    pub(super) date: String,
    pub(super) remaining: Option<i64>,
    pub(super) price: i64,
}

/// Body of an event.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct EventIn {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) reservation_id: String,
    pub(super) occurred_at: Option<String>,
    #[serde(default)]
    pub(super) data: Value,
}

/// `data` of an event that carries a reason.
#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct ReasonIn {
    pub(super) reason: Option<String>,
}
