// SPDX-License-Identifier: Apache-2.0

//! Stories of the agency behind the marketplace: its money, its number, its books.

use serde_json::{Value, json};

use super::script::Script;
use crate::stories::script::Broken;
use crate::tripstore::{Owner, Way, Wish};

pub(super) async fn read_only(s: &mut Script) -> Result<(), Broken> {
    let (later, trip) = (s.stage.in_days(40), s.stage.channel.clone());
    let wish = Wish { owner: Owner::Agency, ..s.stage.trip(Way::Full, later) };
    let number = s.booked(&wish).await?;
    s.order_is(&number, "label", "예약접수·여행사결제").await?;
    let reason = || json!({ "reason": "x" });
    let acts = [
        ("confirm", json!({})),
        ("decline", reason()),
        ("cancel", reason()),
        ("return-payment", reason()),
        ("payment-links", json!({})),
    ];
    for (act, body) in acts {
        s.staff_cannot(&number, act, body, "read_only_order").await;
    }
    let calls = trip.market.books().calls.iter().filter(|call| call.number == number).count();
    s.check(calls == 0, "nothing left the bridge for the marketplace");
    Ok(())
}

pub(super) async fn renumbers(s: &mut Script) -> Result<(), Broken> {
    let (later, trip) = (s.stage.in_days(40), s.stage.channel.clone());
    let number = s.booked(&s.stage.trip(Way::Partial, later)).await?;
    let old = s.agency_knows(&number).await?;
    let renumbered = trip.agency_renumbers(&number).await;
    let (new, told) = renumbered.ok_or_else(|| Broken("the agency has no such booking".to_owned()))?;
    s.taken(Some(&told), "accepted");
    let order = s.order_is(&number, "channel_view.partner_number", &new).await?;
    let held = order.pointer("/channel_view/partner_numbers").and_then(Value::as_array).cloned().unwrap_or_default();
    let numbers: Vec<&Value> = held.iter().filter_map(|entry| entry.get("number")).collect();
    s.check(numbers == [&json!(old), &json!(new)], "the history has both numbers");
    s.completed(&number).await?;
    let books = trip.market.books();
    let sent = books.done("bookings/complete", &number).next().map(|call| call.body["agency_booking_no"].clone());
    s.check(sent == Some(json!(new)), "the newest number goes out");
    Ok(())
}

pub(super) async fn knows_already(s: &mut Script) -> Result<(), Broken> {
    let (later, trip) = (s.stage.in_days(40), s.stage.channel.clone());
    // The first answer is lost after the booking was entered: the agency is told again, and has it.
    trip.agency.set_faults(|faults| faults.api_drop_answers = 1);
    let number = s.booked(&s.stage.trip(Way::Partial, later)).await?;
    let entered = trip.agency.books().trades.contains_key(&number);
    let tried = trip.agency.books().calls.iter().filter(|call| call.number == number).count();
    s.check(entered && tried >= 2, format!("the agency was told again ({tried} times), and has it once"));
    let order = s.order(&number).await?;
    s.check(order["attention"].get("kind") != Some(&json!("report_refused")), "nobody is troubled with it");
    // Nobody accepts it in this story.
    s.leaves(&number, "waits_for_confirmation");
    Ok(())
}
