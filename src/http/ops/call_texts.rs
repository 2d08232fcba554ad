// SPDX-License-Identifier: Apache-2.0

//! What was asked and answered in the calls of an order, guests masked for everybody who has not asked to see them: of messages that came in from what is kept of them, and of everything else
//! from the recording, as far as it goes back.

use serde_json::Value;
use ticketbridge_core::quoted::{Guests, without_persons};
use ticketbridge_core::{Order, UnixMillis};
use ticketbridge_store::{CallRecord, Direction, InboxFilter, InboxRow, PageRequest, StoreError};

use crate::http::Shared;
use crate::http::ops::answers::history::CallTexts;
use crate::http::ops::said;
use crate::recorder::tape::{Back, Piece};

/// Messages of an order that are looked through.
const MESSAGES_MAX: u32 = 1_000;
/// Pieces of a recording that are looked through for one call: as many as a busy service has in the time that a call takes.
const PIECES_MAX: u32 = 2_000;

/// The texts of these calls of an order, each at the place of its call.
pub(crate) async fn of(
    shared: &Shared,
    order: &Order,
    calls: &[CallRecord],
    sight: Sight,
) -> Result<Vec<CallTexts>, StoreError> {
    let store = shared.engine.store();
    let filter = InboxFilter { order: Some(order.id.clone()), ..InboxFilter::default() };
    let messages = store.list_inbox(&filter, &PageRequest { limit: MESSAGES_MAX, cursor: None }).await?.items;
    let looks = Looks { guests: Guests::of(order), sight };
    // What was recorded of guests who are forgotten by now is not shown: nobody knows any more what to mask in it.
    let is_recorded = shared.recorder.is_on() && (order.knows_guests() || !order.is_over());
    let mut found = Vec::with_capacity(calls.len());
    for call in calls {
        let message = messages.iter().find(|message| is_of(message, call));
        found.push(match message {
            Some(message) => received(shared, message, &looks).await?,
            None if is_recorded => recorded(shared, order, call, &looks).await?,
            None => looks.texts(None, None, None),
        });
    }
    Ok(found)
}

/// Whether a message is the one that came by this call: it was written down while the call was under way.
fn is_of(message: &InboxRow, call: &CallRecord) -> bool {
    let until = call.at + call.duration;
    call.direction == Direction::In
        && (message.channel.as_str(), message.call.as_str()) == (call.partner.as_str(), call.call.as_str())
        && (call.at..=until).contains(&message.received_at)
}

async fn received(shared: &Shared, message: &InboxRow, looks: &Looks) -> Result<CallTexts, StoreError> {
    let body = shared.engine.store().inbox_body(&message.id).await?;
    let answered = message.answer.as_ref().and_then(|answer| looks.text(&answer.body));
    Ok(looks.texts(None, body.and_then(|body| looks.text(&body)), answered))
}

/// The call as the recording has it.
async fn recorded(shared: &Shared, order: &Order, call: &CallRecord, looks: &Looks) -> Result<CallTexts, StoreError> {
    // It is noted when a call begins, which may be after the token for it was fetched.
    let until = UnixMillis(call.at.0 + call.duration.0 + 1);
    let pieces = shared.engine.store().read_tape((call.at, until), None, PIECES_MAX).await?;
    let pieces = pieces.iter().filter_map(|piece| serde_json::from_slice(&piece.content).ok());
    let mut texts = pieces.filter_map(|piece: Piece| match (piece, call.direction) {
        (Piece::Out(went), Direction::Out) if went.order.as_ref() == Some(&order.id) => {
            let (status, answered) = match &went.back {
                Back::Answered { status, body, .. } => (Some(*status), looks.text(body.as_bytes())),
                Back::NotSent | Back::Interrupted => (None, None),
            };
            let address = went.url.split(['?', '#']).next().unwrap_or_default();
            let asked = looks.text(went.body.as_bytes());
            let to = Some(without_persons(&format!("{} {address}", went.method)));
            (status == call.status).then(|| looks.texts(to, asked, answered))
        }
        (Piece::In(came), Direction::In)
            if came.order.as_ref() == Some(&order.id) && came.path.contains(&format!("/{}/", call.partner)) =>
        {
            let (asked, answered) = (looks.text(came.body.as_bytes()), looks.text(came.answer.as_bytes()));
            Some(looks.texts(None, asked, answered))
        }
        (
            Piece::Out(_) | Piece::In(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_),
            Direction::In | Direction::Out,
        ) => None,
    });
    // With a token that was refused a call is made twice; what counted is the last.
    Ok(texts.next_back().unwrap_or_else(|| looks.texts(None, None, None)))
}

/// Whether whoever looks sees the guests of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Masked,
    Clear,
}

/// How bodies are shown.
struct Looks {
    guests: Guests,
    sight: Sight,
}

impl Looks {
    /// A body as it may be shown; nothing where it was empty.
    fn text(&self, body: &[u8]) -> Option<Value> {
        if body.trim_ascii().is_empty() {
            return None;
        }
        Some(match self.sight {
            Sight::Masked => said::shown(body, &self.guests),
            Sight::Clear => said::in_clear(body),
        })
    }

    fn texts(&self, to: Option<String>, asked: Option<Value>, answered: Option<Value>) -> CallTexts {
        CallTexts { to, asked, answered, masked: self.sight == Sight::Masked }
    }
}
