// SPDX-License-Identifier: Apache-2.0

//! Which orders a request was about where the tape does not say: an act of a person names one in its path, an act on many has a list of them,
//! and the answer to a reseller's list names all that it shows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use ticketbridge_core::{ChannelId, ExternalId, OrderId, RefundCaseId, UnixMillis};
use ticketbridge_store::{Store, StoreError};

use super::tape::{Came, Piece};

/// Where acts of people have their paths.
const ACTS: &str = "/ops/v1/";
/// Where messages of channels have theirs.
const CHANNELS: &str = "/channels/";
/// Characters of what may be an order's number.
const NUMBER_CHARS: std::ops::RangeInclusive<usize> = 2..=100;

/// What a request was about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// The orders that it names beside the one that the tape says.
    pub(super) orders: Vec<OrderId>,
    /// It named something and was carried out, and what it named is not there any more.
    pub(super) is_gone: bool,
}

/// Finds what each request was about, in the order of the pieces; an act on one order is noted as being about it.
pub(super) async fn all(store: &Store, pieces: &mut [(UnixMillis, Piece)]) -> Result<Vec<About>, StoreError> {
    let mut numbers = Numbers { store, known: BTreeMap::new() };
    let mut found = Vec::with_capacity(pieces.len());
    for (_, piece) in pieces {
        found.push(match piece {
            Piece::In(came) if came.order.is_some() => About::default(),
            Piece::In(came) if came.path.starts_with(ACTS) => {
                let about = of_act(&mut numbers, came).await?;
                if let [order] = about.orders.as_slice()
                    && !is_on_many(came)
                {
                    came.order = Some(order.clone());
                }
                about
            }
            Piece::In(came) => of_message(&mut numbers, came).await?,
            Piece::Out(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => About::default(),
        });
    }
    Ok(found)
}

/// Whether it is an act on many.
pub(super) fn is_on_many(came: &Came) -> bool {
    came.path.strip_prefix(ACTS).is_some_and(|path| path.starts_with("bulk/"))
}

/// Orders by their channel's numbers, each looked up once.
struct Numbers<'s> {
    store: &'s Store,
    known: BTreeMap<(ChannelId, String), Option<OrderId>>,
}

impl Numbers<'_> {
    async fn order(&mut self, channel: &ChannelId, number: &str) -> Result<Option<OrderId>, StoreError> {
        let key = (channel.clone(), number.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let row = self.store.resolve_ref(channel, &ExternalId::from(number)).await?;
        let order = row.and_then(|row| row.order);
        self.known.insert(key, order.clone());
        Ok(order)
    }

    /// The order that people name so: by our id, or by its channel and its number there.
    async fn named(&mut self, name: &str) -> Result<Option<OrderId>, StoreError> {
        match name.split_once(':') {
            Some((channel, number)) => self.order(&ChannelId::from(channel), number).await,
            None => Ok(self.store.load_order(&OrderId::from(name)).await?.map(|order| order.id)),
        }
    }
}

/// What an act names in its path, or in its list.
async fn of_act(numbers: &mut Numbers<'_>, came: &Came) -> Result<About, StoreError> {
    let path = came.path.strip_prefix(ACTS).unwrap_or_default();
    let mut steps = path.split('/').map(|step| percent_encoding::percent_decode_str(step).decode_utf8_lossy());
    let (Some(kind), Some(name)) = (steps.next(), steps.next()) else { return Ok(About::default()) };
    let names = match &*kind {
        "bulk" => listed(&came.body),
        _ => vec![name.clone().into_owned()],
    };
    let store = numbers.store;
    let mut about = About::default();
    for named in names {
        let order = match &*kind {
            "orders" => numbers.named(&named).await?,
            "refunds" => store.order_of_case(&RefundCaseId(named)).await?,
            "deliveries" => store.job(&named).await?.map(|job| job.order),
            "bulk" if matches!(&*name, "retry" | "drop") => store.job(&named).await?.map(|job| job.order),
            "bulk" => numbers.named(&named).await?,
            // A message that is about no order has none, and is there all the same.
            "inbox" => match store.inbox_row(&named).await? {
                Some(row) if row.order.is_none() => continue,
                found => found.and_then(|row| row.order),
            },
            // Acts on everything else name no order.
            _ => return Ok(About::default()),
        };
        // What was not there then is not there now: that is compared.
        about.is_gone |= order.is_none() && (200..300).contains(&came.status);
        about.orders.extend(order);
    }
    Ok(about)
}

/// What an act on many lists.
fn listed(body: &str) -> Vec<String> {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let items = body["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |item: &Value| item.as_str().or_else(|| item["id"].as_str()).map(|name| name.trim().to_owned());
    items.iter().filter_map(name).collect()
}

/// The orders that a message without one names, and those that its answer names.
async fn of_message(numbers: &mut Numbers<'_>, came: &Came) -> Result<About, StoreError> {
    let Some(channel) = came.path.strip_prefix(CHANNELS).and_then(|rest| rest.split('/').next()) else {
        return Ok(About::default());
    };
    let channel = ChannelId::from(channel);
    let mut names = BTreeSet::new();
    for text in [&came.body, &came.answer] {
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            numbers_in(&value, false, &mut names);
        }
    }
    let mut about = About::default();
    for name in names {
        about.orders.extend(numbers.order(&channel, &name).await?);
    }
    Ok(about)
}

/// Texts that stand where partners write numbers of orders.
fn numbers_in(value: &Value, is_number: bool, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| numbers_in(inner, holds_numbers(key), into)),
        Value::Array(items) => items.iter().for_each(|inner| numbers_in(inner, is_number, into)),
        Value::String(text) => {
            if is_number && NUMBER_CHARS.contains(&text.len()) && !text.contains(char::is_whitespace) {
                into.insert(text.clone());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn holds_numbers(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["id", "ids", "_no", "uuid", "number", "reference"].iter().any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_looked_for_where_partners_write_them() {
        let said = serde_json::json!({
            "data": [{ "uuid": "u-1", "notes": "u-2", "unitItems": [{ "supplierReference": "s 1" }] }],
            "orderIds": ["o-1", "o-2"], "count": 3,
        });
        let mut found = BTreeSet::new();
        numbers_in(&said, false, &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["o-1", "o-2", "u-1"]);
    }

    #[test]
    fn what_an_act_on_many_lists_is_found() {
        assert_eq!(listed(r#"{"items":["a",{"id":" b ","expected_version":3}]}"#), ["a", "b"]);
        assert!(listed(r#"{"match":{"channel":"c"}}"#).is_empty());
    }
}
