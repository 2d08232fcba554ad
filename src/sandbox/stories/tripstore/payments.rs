// SPDX-License-Identifier: Apache-2.0

//! Stories of money: all at once, by parts, by link, too much, too little.

use serde_json::json;

use super::script::Script;
use crate::stories::script::Broken;
use crate::tripstore::{LinkState, Way};

/// What is open after the deposit, won.
const BALANCE: i64 = 2_880_000;

pub(super) async fn part_payment(s: &mut Script) -> Result<(), Broken> {
    let (today, market) = (s.stage.today(), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Partial, today)).await?;
    s.order_is(&number, "label", "예약접수").await?;
    s.completed(&number).await?;
    s.order_is(&number, "label", "예약완료·결제진행").await?;
    s.link_sent(&number, None).await?;
    let sent = market.books();
    let asked = sent.done("payment-links/send", &number).next().map(|call| call.body.clone()).unwrap_or_default();
    let is_balance = asked["purpose"] == "BALANCE" && asked["amount_krw"] == BALANCE;
    s.check(is_balance, format!("the link asks for the balance ({})", asked["amount_krw"]));
    market.pays_link(&number).await;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    s.staff_cannot(&number, "payment-links", json!({}), "link_not_needed").await;
    departs(s, &number).await?;
    s.order_is(&number, "payment.state", "paid").await?;
    s.called("payment-links/send", &number, 1).await
}

async fn departs(s: &mut Script, number: &str) -> Result<(), Broken> {
    let told = s.stage.channel.market.departs(number).await;
    s.taken(told.as_ref(), "accepted");
    s.order_is(number, "label", "출발완료").await?;
    s.order_is(number, "state", "completed").await?;
    Ok(())
}

pub(super) async fn full_payment(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let number = s.booked(&s.stage.trip(Way::Full, today)).await?;
    s.order_is(&number, "payment.state", "paid").await?;
    s.completed(&number).await?;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    s.staff_cannot(&number, "payment-links", json!({}), "link_not_needed").await;
    departs(s, &number).await
}

pub(super) async fn link_payment(s: &mut Script) -> Result<(), Broken> {
    let (later, market) = (s.stage.in_days(40), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Link, later)).await?;
    s.staff_cannot(&number, "payment-links", json!({}), "link_not_needed").await;
    s.completed(&number).await?;
    s.order_is(&number, "label", "예약완료·결제대기").await?;
    let first = s.link_sent(&number, Some(1_000_000)).await?;
    let second = s.link_sent(&number, None).await?;
    let live = market.kept(&number).map(|kept| {
        let live = kept.it.links.into_iter().filter(|link| link.state == LinkState::Sent);
        live.map(|link| link.id).collect::<Vec<_>>()
    });
    s.check(live == Some(vec![second]), "one link is live, the new one");
    s.check(market.books().done("payment-links/revoke", &number).count() == 1, format!("{first} was taken back"));
    market.pays_link(&number).await;
    s.order_is(&number, "payment.state", "paid").await?;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    Ok(())
}

pub(super) async fn overpayment(s: &mut Script) -> Result<(), Broken> {
    let (later, market) = (s.stage.in_days(40), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Partial, later)).await?;
    s.completed(&number).await?;
    s.link_sent(&number, None).await?;
    market.pays_link(&number).await;
    s.order_is(&number, "payment.state", "paid").await?;
    market.pays(&number, "BALANCE", BALANCE, None).await;
    let asked = s.attention_was(&number, "unexpected_payment").await?;
    s.check(!asked.is_empty(), "a person reads why");
    s.there(&number, "what was too much went back", |it| it.open() == 0).await?;
    s.called("payments/cancel", &number, 1).await?;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    Ok(())
}

pub(super) async fn dead_link(s: &mut Script) -> Result<(), Broken> {
    let (later, market) = (s.stage.in_days(40), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Partial, later)).await?;
    s.completed(&number).await?;
    let link = s.link_sent(&number, None).await?;
    s.staff(&number, "takes the payment link back", "payment-links/revoke", json!({})).await?;
    s.there(&number, "the link is taken back", |it| it.links.iter().all(|l| l.state == LinkState::Revoked)).await?;
    market.pays(&number, "BALANCE", BALANCE, Some(&link)).await;
    s.attention_was(&number, "unexpected_payment").await?;
    s.there(&number, "the money went back", |it| it.open() == BALANCE).await?;
    s.order_is(&number, "label", "예약완료·결제진행").await?;
    s.attention_is(&number, "payment_link_over").await?;
    s.link_sent(&number, None).await?;
    market.pays_link(&number).await;
    s.order_is(&number, "payment.state", "partially_refunded").await?;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    Ok(())
}

pub(super) async fn open_balance(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let number = s.booked(&s.stage.trip(Way::Partial, today)).await?;
    s.completed(&number).await?;
    departs(s, &number).await?;
    s.attention_is(&number, "open_balance").await?;
    s.leaves(&number, "open_balance");
    s.order_is(&number, "payment.state", "partial").await?;
    Ok(())
}
