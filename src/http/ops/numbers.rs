// SPDX-License-Identifier: Apache-2.0

//! The channel's numbers of orders, by our ids: what a person can compare with the channel's own pages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use ticketbridge_core::OrderId;
use ticketbridge_core::quoted::Guests;
use ticketbridge_store::StoreError;

use crate::accounts::Holder;
use crate::accounts::scope::Reach;
use crate::config::Role;
use crate::http::Shared;

/// As `GET orders/{id}` shows them; of orders that the holder may not read there is none.
///
/// # Errors
/// Store errors.
pub(crate) async fn of(
    shared: &Shared,
    holder: &Holder,
    ids: BTreeSet<OrderId>,
) -> Result<BTreeMap<String, String>, StoreError> {
    match holder.role {
        Role::Admin | Role::Operator | Role::Viewer => {}
        Role::Settlement => return Ok(BTreeMap::new()),
    }
    let reach = Reach::of(&holder.scope, &shared.engine.running().config);
    let ids: Vec<OrderId> = ids.into_iter().collect();
    let orders = shared.engine.store().load_orders(&ids).await?;
    let readable = orders.iter().filter(|order| reach.has_channel(&order.channel));
    let number = |order: &ticketbridge_core::Order| {
        let shown = Guests::of(order).show(&json!({ "channel_order_id": order.channel_order_id }));
        Some((order.id.to_string(), shown["channel_order_id"].as_str()?.to_owned()))
    };
    Ok(readable.filter_map(number).collect())
}
