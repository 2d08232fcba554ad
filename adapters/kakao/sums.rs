// SPDX-License-Identifier: Apache-2.0

//! Every sum and count of a reservation that does not add up, for an answer that tells all of them: the reader stops at the first.

use serde_json::Value;
use ticketbridge_core::port::FieldError;

/// The same rules as `wire` has, over whatever can be read; what cannot be is told by the schema.
pub(super) fn wrong(body: &Value) -> Vec<FieldError> {
    let mut found = Vec::new();
    let reservation = &body["reservation"];
    let (lines, payments) = (list(&reservation["lines"]), list(&reservation["payments"]));
    for (index, line) in lines.iter().enumerate() {
        if let (Some(unit), Some(units), Some(amount)) =
            (whole(&line["unit_price_krw"]), whole(&line["quantity"]), whole(&line["amount_krw"]))
            && unit.checked_mul(units) != Some(amount)
        {
            tell(&mut found, format!("/lines/{index}/amount_krw"), "must be quantity times unit_price_krw");
        }
        if let (Some(units), Some(gone), Some(used)) =
            (whole(&line["quantity"]), whole(&line["canceled_quantity"]), whole(&line["used_quantity"]))
            && gone.saturating_add(used) > units
        {
            let detail = "and canceled_quantity together are more than quantity";
            tell(&mut found, format!("/lines/{index}/used_quantity"), detail);
        }
    }
    for (index, payment) in payments.iter().enumerate() {
        if whole(&payment["cancelable_krw"]).zip(whole(&payment["amount_krw"])).is_some_and(|(left, paid)| left > paid)
        {
            tell(&mut found, format!("/payments/{index}/cancelable_krw"), "must not be more than amount_krw");
        }
    }
    amounts(&reservation["amounts"], (lines, payments), &mut found);
    found
}

fn amounts(of: &Value, (lines, payments): (&[Value], &[Value]), found: &mut Vec<FieldError>) {
    let [gross, discount, net, paid] =
        ["gross_krw", "discount_krw", "net_krw", "paid_krw"].map(|name| whole(&of[name]));
    if gross.zip(sum(lines)).is_some_and(|(gross, sum)| gross != sum) {
        tell(found, "/amounts/gross_krw".to_owned(), "must be the sum of the lines' amount_krw");
    }
    if let (Some(gross), Some(discount), Some(net)) = (gross, discount, net)
        && gross.checked_sub(discount) != Some(net)
    {
        tell(found, "/amounts/net_krw".to_owned(), "must be gross_krw less discount_krw");
    }
    if paid.zip(sum(payments)).is_some_and(|(paid, sum)| paid != sum) {
        tell(found, "/amounts/paid_krw".to_owned(), "must be the sum of the payments");
    } else if paid.zip(net).is_some_and(|(paid, net)| paid > net) {
        tell(found, "/amounts/paid_krw".to_owned(), "must not be more than net_krw");
    }
}

fn tell(found: &mut Vec<FieldError>, below: String, detail: &str) {
    found.push(FieldError { pointer: format!("/reservation{below}"), detail: detail.to_owned() });
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn whole(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from)
}

/// The sum of their amounts, where each has one.
fn sum(of: &[Value]) -> Option<i128> {
    of.iter().map(|one| whole(&one["amount_krw"])).sum()
}
