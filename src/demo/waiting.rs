// SPDX-License-Identifier: Apache-2.0

//! What waits for a person while the demo stays up: the stories have all ended, and a console on which nothing is to be done shows nothing.
//!
//! A booking to accept and one to decline, a refund at each kind of channel, a missed deadline whose tickets can be supplied by hand, a
//! balance to ask for, guests to let in, and reports that a partner refuses.

use std::time::Duration;

use serde_json::{Value, json};
use ticketbridge_sandbox::Stage;
use ticketbridge_sandbox::backend::IssueMode;
use ticketbridge_sandbox::kakao::Accepts;
use ticketbridge_sandbox::stories::Channel;
use ticketbridge_sandbox::tripstore::Way;

use super::cast::Cast;

/// How often the bridge is asked whether it is so far.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longest time for one step; the longest is Douyin's ten minutes, which pass in ten seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a guest tries what does not work.
const TRIES_MAX: usize = 5;

/// What could not be brought about.
type Told = Result<(), String>;

/// Brings it about.
///
/// # Errors
/// What never came to be.
pub(super) async fn leave(cast: &Cast) -> Told {
    // Its deadline passes while the others book.
    let late = without_tickets(cast).await?;
    kakao(cast).await?;
    tripstore(cast).await?;
    comes_to(&cast.douyin, &late, "/refund_case/state", "under_review").await
}

/// A visit whose tickets the back-end promises and does not make: the voucher's number.
async fn without_tickets(cast: &Cast) -> Result<String, String> {
    let stage = &cast.douyin;
    stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let mut tries = Vec::new();
    // On a machine with much else to do a call may take too long; the guest tries again, as guests do.
    while tries.len() < TRIES_MAX {
        let sale = stage.channel.buy(&stage.purchase(1)).await;
        let booking = stage.channel.reserve(&sale.order_id, stage.in_days(7), &stage.visitors(1)).await;
        if sale.is_good() && booking.is_good() {
            comes_to(stage, &sale.order_id, "/booking/ticketing/state", "requested").await?;
            stage.backend.set_issue_mode(IssueMode::Immediate);
            return Ok(sale.order_id);
        }
        tries.push((sale.outcome, booking.outcome));
    }
    Err(format!("a guest of Douyin's gets no voucher and no day: {tries:?}"))
}

/// Two bookings that wait for the manager, and two guests who are expected today.
async fn kakao(cast: &Cast) -> Told {
    let (stage, today, later) = (&cast.kakao, cast.kakao.today(), cast.kakao.in_days(7));
    for _ in 0..2 {
        let (number, _) = stage.channel.book(&stage.wish(Accepts::Manager, later)).await;
        asks_for(stage, &number, "waits_for_confirmation").await?;
        let (number, _) = stage.channel.book(&stage.wish(Accepts::Platform, today)).await;
        comes_to(stage, &number, "/booking/ticketing/state", "issued").await?;
    }
    Ok(())
}

/// A trip whose balance is open, two that are to be cancelled, and two of which the agency refuses to hear.
async fn tripstore(cast: &Cast) -> Told {
    let (stage, later) = (&cast.trip, cast.trip.in_days(40));
    for wants_out in [false, true, true] {
        let (number, _) = stage.channel.market.book(&stage.trip(Way::Partial, later)).await;
        comes_to(stage, &number, "/booking/state", "requested").await?;
        let call = format!("orders/{}:{number}/confirm", stage.channel.id());
        stage.ops.post(&call, &json!({})).await.map_err(|error| error.to_string())?;
        comes_to(stage, &number, "/booking/state", "confirmed").await?;
        if wants_out {
            stage.channel.market.asks_to_cancel(&number, "plans have changed").await;
            comes_to(stage, &number, "/refund_case/state", "under_review").await?;
        }
    }
    for _ in 0..2 {
        stage.channel.agency.set_faults(|faults| faults.api_refuses = 1);
        let (number, _) = stage.channel.market.book(&stage.trip(Way::Full, later)).await;
        asks_for(stage, &number, "report_refused").await?;
    }
    Ok(())
}

/// Waits until a field of the order is so.
async fn comes_to<C: Channel>(stage: &Stage<C>, number: &str, field: &str, wanted: &str) -> Told {
    let is_so = |order: &Value| order.pointer(field).and_then(Value::as_str) == Some(wanted);
    until(stage, number, &format!("{field} {wanted}"), is_so).await
}

/// Waits until the order asks for a person because of this.
async fn asks_for<C: Channel>(stage: &Stage<C>, number: &str, kind: &str) -> Told {
    let all = |order: &Value| order["attentions"].as_array().cloned().unwrap_or_default();
    until(stage, number, kind, |order| all(order).iter().any(|it| it["kind"] == kind)).await
}

async fn until<C: Channel>(stage: &Stage<C>, number: &str, wanted: &str, is_so: impl Fn(&Value) -> bool) -> Told {
    let time = stage.channel.time();
    let end = time.elapsed() + PATIENCE;
    loop {
        let order = stage.ops.order(stage.channel.id(), number).await.map_err(|error| error.to_string())?;
        if order.as_ref().is_some_and(&is_so) {
            return Ok(());
        }
        if time.elapsed() > end {
            let seen = order.unwrap_or_default();
            return Err(format!("{number} never came to be {wanted}: {seen}"));
        }
        time.pass_really(LOOK_EVERY).await;
    }
}
