// SPDX-License-Identifier: Apache-2.0

//! Calls that fetch a token for all that follows. A recording that begins while one is held, or in which it was fetched for an order that is not
//! in it, would have none to give: so these calls belong to no order, and the last ones before the beginning go with it.

use std::collections::BTreeMap;

use serde_json::Value;
use ticketbridge_core::{Millis, OrderId, UnixMillis};
use ticketbridge_store::{Store, StoreError};

use super::mask::is_secret;
use super::pieces::read;
use super::tape::{Back, Piece, Went};

/// Longest time for which a token is held.
const HELD: Millis = Millis::hours(3);

/// Whether a call was made to get a token: it tells a secret, or was told one. One that was refused is asked in another way afterwards.
fn is_one(went: &Went) -> bool {
    match &went.back {
        Back::Answered { body, .. } => [&went.body, body].into_iter().any(|text| tells_a_secret(text)),
        Back::NotSent | Back::Interrupted => false,
    }
}

fn tells_a_secret(text: &str) -> bool {
    match serde_json::from_str(text) {
        Ok(value) => has_a_secret(&value),
        Err(_) => text.contains("client_secret="),
    }
}

fn has_a_secret(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.iter().any(|(key, inner)| is_secret(key) && inner.is_string() || has_a_secret(inner))
        }
        Value::Array(items) => items.iter().any(has_a_secret),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn is_nobodys(went: &mut Went) {
    // Whoever needs it first fetches it.
    (went.order, went.of, went.decided) = (None, None, None);
}

/// Takes tokens that were fetched for orders which are missing from those: others used them too.
pub(super) fn keep(pieces: &mut [(UnixMillis, Piece)], is_missing: impl Fn(&OrderId) -> bool) {
    for (_, piece) in pieces {
        match piece {
            Piece::Out(went) if went.order.as_ref().is_some_and(&is_missing) && is_one(went) => is_nobodys(went),
            Piece::Out(_) | Piece::In(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => {}
        }
    }
}

/// Adds what was held when the recording began, as if it were fetched then.
pub(super) async fn of_before(
    store: &Store,
    from: UnixMillis,
    pieces: &mut Vec<(UnixMillis, Piece)>,
) -> Result<(), StoreError> {
    let mut last: BTreeMap<(String, String), Box<Went>> = BTreeMap::new();
    for (_, piece) in read(store, (from - HELD, from)).await? {
        match piece {
            Piece::Out(went) if is_one(&went) => {
                last.insert((went.url.clone(), went.body.clone()), went);
            }
            Piece::Out(_) | Piece::In(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => {}
        }
    }
    let held = last.into_values().map(|mut went| {
        is_nobodys(&mut went);
        went.took = Millis(0);
        (from, Piece::Out(went))
    });
    pieces.splice(..0, held);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_for_a_token_is_known_by_the_secret_in_it_or_in_its_answer() {
        for (text, is) in [
            (r#"{"client_key":"k","client_secret":"s"}"#, true),
            (r#"{"data":{"access_token":"t","expires_in":7200}}"#, true),
            ("grant_type=client_credentials&client_secret=s", true),
            (r#"{"data":{"order_id":"V1"}}"#, false),
            ("", false),
        ] {
            assert_eq!(tells_a_secret(text), is, "{text}");
        }
    }
}
