// SPDX-License-Identifier: Apache-2.0

//! From a command to a call of the ops interface.

use serde_json::{Value, json};

use super::arguments::{Codes, Credit, Deliveries, Guests, Orders, PaymentLinks, Refunds, Tickets};
use super::question::{Question, act, escape, get, list};
use super::show::Shape;

pub(super) fn orders(command: Orders) -> Question {
    let path = |order: &str, what: &str| format!("orders/{}{what}", escape(order));
    match command {
        Orders::List { phone, name, reason, part, .. } if phone.is_some() || name.is_some() => {
            let at = list("orders/search", Shape::Orders, part, Vec::new()).path;
            let whom = [("phone", phone), ("name", name), ("reason", reason)];
            act(at, whom.into_iter().map(|(field, text)| (field, text.map(Value::from))).collect(), Shape::Orders)
        }
        Orders::List {
            channel,
            state,
            booking,
            ticketing,
            payment,
            refund,
            visit_date,
            attention,
            waiting,
            phone: _,
            name: _,
            reason: _,
            q,
            part,
        } => {
            let filters = vec![
                ("channel", channel),
                ("state", state),
                ("booking", booking),
                ("ticketing", ticketing),
                ("payment", payment),
                ("refund", refund),
                ("visit_date", visit_date),
                ("attention", attention),
                ("waiting", waiting.then(|| "true".to_owned())),
                ("q", q),
            ];
            list("orders", Shape::Orders, part, filters)
        }
        Orders::Show(one) => get(path(&one.order, ""), Shape::One),
        Orders::Events { one, part } => list(&path(&one.order, "/events"), Shape::Events, part, Vec::new()),
        Orders::Reveal { one, reason } => super::service::reveal(&one.order, &reason.reason),
        Orders::Calls { one, bodies, part } => {
            let wanted = vec![("bodies", bodies.then(|| "true".to_owned()))];
            list(&path(&one.order, "/calls"), Shape::Calls, part, wanted)
        }
        Orders::Confirm(one) => act(path(&one.order, "/confirm"), Vec::new(), Shape::One),
        Orders::Decline { one, reason } => {
            act(path(&one.order, "/decline"), vec![("reason", Some(json!(reason.reason)))], Shape::One)
        }
        Orders::Redeem { one, at } => act(path(&one.order, "/redeem"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::NoShow { one, at } => act(path(&one.order, "/no-show"), vec![("at", at.map(Value::from))], Shape::One),
        Orders::Cancel { one, reason, fee, lines, notify_text } => {
            let lines: Vec<Value> =
                lines.iter().map(|(detail, units)| json!({ "detail": detail, "quantity": units })).collect();
            let fields = vec![
                ("reason", Some(json!(reason.reason))),
                ("fee", fee.map(Value::from)),
                ("lines", (!lines.is_empty()).then(|| json!(lines))),
                ("notify_text", notify_text.map(Value::from)),
            ];
            act(path(&one.order, "/cancel"), fields, Shape::One)
        }
        Orders::Settle { one, kind, reason } => {
            let fields = vec![("kind", Some(json!(kind))), ("reason", Some(json!(reason.reason)))];
            act(path(&one.order, "/settle-attention"), fields, Shape::One)
        }
        Orders::ReturnPayment { one, reason, amount } => {
            let fields = vec![("reason", Some(json!(reason.reason))), ("amount", amount.map(Value::from))];
            act(path(&one.order, "/return-payment"), fields, Shape::One)
        }
        Orders::PaymentLinks(PaymentLinks::Send { one, amount, expires_at }) => {
            let fields = vec![("amount", amount.map(Value::from)), ("expires_at", expires_at.map(Value::from))];
            act(path(&one.order, "/payment-links"), fields, Shape::One)
        }
        Orders::PaymentLinks(PaymentLinks::Revoke(one)) => {
            act(path(&one.order, "/payment-links/revoke"), Vec::new(), Shape::One)
        }
        Orders::NextSteps(one) => get(path(&one.order, "/next-steps"), Shape::NextSteps),
        Orders::Reconcile { channel: _, last: true } => get("reconciliation".to_owned(), Shape::One),
        Orders::Reconcile { channel, last: false } => {
            let of = channel.map(|channel| format!("?channel={}", escape(&channel))).unwrap_or_default();
            act(format!("reconciliation{of}"), Vec::new(), Shape::One)
        }
    }
}

pub(super) fn refunds(command: Refunds) -> Question {
    match command {
        Refunds::List { state, channel, part } => {
            list("refunds", Shape::Refunds, part, vec![("state", state), ("channel", channel)])
        }
        Refunds::Approve { case, fee, without_backend, reason } => {
            let fields = vec![
                ("fee", fee.map(Value::from)),
                ("without_backend", Some(json!(without_backend))),
                ("reason", reason.map(Value::from)),
            ];
            act(format!("refunds/{}/approve", escape(&case)), fields, Shape::One)
        }
        Refunds::Reject { case, reason } => {
            let fields = vec![("reason", Some(json!(reason.reason)))];
            act(format!("refunds/{}/reject", escape(&case)), fields, Shape::One)
        }
    }
}

pub(super) fn tickets(command: Tickets) -> Question {
    let Tickets::Issue { one, codes, kind } = command;
    let tickets: Vec<Value> = codes.iter().map(|code| json!({ "code": code, "kind": kind })).collect();
    act(format!("orders/{}/tickets", escape(&one.order)), vec![("tickets", Some(json!(tickets)))], Shape::One)
}

pub(super) fn deliveries(command: Deliveries) -> Question {
    match command {
        Deliveries::List { state, destination, order, part } => {
            let filters = vec![("state", state), ("destination", destination), ("order", order)];
            list("deliveries", Shape::Deliveries, part, filters)
        }
        Deliveries::Retry { delivery } => {
            act(format!("deliveries/{}/retry", escape(&delivery)), Vec::new(), Shape::One)
        }
        Deliveries::Drop { delivery, reason } => {
            let fields = vec![("reason", Some(json!(reason.reason)))];
            act(format!("deliveries/{}/drop", escape(&delivery)), fields, Shape::One)
        }
    }
}

/// What a code command asks: one question, or as many as a long file needs.
pub(super) enum CodesAsked {
    /// One.
    One(Question),
    /// Parts of a file, in this order.
    File {
        /// Where to.
        path: String,
        /// Every code of the file.
        codes: Vec<String>,
    },
}

pub(super) fn codes(command: Codes) -> Result<CodesAsked, String> {
    let read = |file: &std::path::Path, column: Option<&str>| {
        let body =
            std::fs::read(file).map_err(|error| format!("the file {} cannot be read: {error}", file.display()))?;
        crate::http::ops::codes_of_csv(&body, column)
            .map_err(|problem| format!("{}: {}", file.display(), problem.detail))
    };
    Ok(match command {
        Codes::Show { pool } => CodesAsked::One(get(format!("codes/{}", escape(&pool)), Shape::One)),
        Codes::Hold { pool } => CodesAsked::One(act(format!("codes/{}/hold", escape(&pool)), Vec::new(), Shape::One)),
        Codes::Release { pool } => {
            CodesAsked::One(act(format!("codes/{}/release", escape(&pool)), Vec::new(), Shape::One))
        }
        Codes::Import { pool, file, column } => {
            CodesAsked::File { path: format!("codes/{}", escape(&pool)), codes: read(&file, column.as_deref())? }
        }
        Codes::Withdraw { pool, file, column } => {
            let path = format!("codes/{}/withdraw", escape(&pool));
            CodesAsked::File { path, codes: read(&file, column.as_deref())? }
        }
    })
}

pub(super) fn credit(command: Credit) -> Question {
    match command {
        Credit::Show { account } => get(format!("credit/{}", escape(&account)), Shape::One),
        Credit::Deposit { account, amount, reference } => {
            let fields = vec![("amount", Some(json!(amount))), ("reference", Some(json!(reference)))];
            act(format!("credit/{}/deposits", escape(&account)), fields, Shape::One)
        }
    }
}

pub(super) fn guests(command: Guests) -> Question {
    let (what, guest) = match command {
        Guests::Export(guest) => ("export", guest),
        Guests::Erase(guest) => ("erase", guest),
    };
    let fields = vec![("phone", Some(json!(guest.phone))), ("reason", Some(json!(guest.reason.reason)))];
    act(format!("guests/{what}"), fields, Shape::One)
}
