// SPDX-License-Identifier: Apache-2.0

//! Whether a sale may be taken on: quantity, price, stock, the buyer's share and the distributor's credit.

use crate::limits::{AMOUNT_MAX, QUANTITY_MAX};
use crate::message::{Counts, Sale};
use crate::order::money::Money;
use crate::product::{BookingProduct, Currency, GuestField, GuestsWho, RuleSnapshot};
use crate::rejection::{Rejection, Why};
use crate::rules::phone;
use crate::time::Date;
use crate::words::{units, units_are};

/// Checks a sale against the rules in force and against what is left. The price of a direct order depends on its date:
/// see [`check_direct_price`].
pub fn check_sale(rules: &RuleSnapshot, sale: &Sale, counts: &Counts) -> Result<(), Rejection> {
    check_quantity(rules, sale.quantity)?;
    check_amounts(sale)?;
    check_sale_price(rules, sale)?;
    check_window(rules, sale)?;
    check_phone(sale)?;
    check_stock(sale.quantity, counts)?;
    check_phone_share(rules, sale.quantity, counts)?;
    check_credit(sale, counts)
}

/// What can be said of a sale that another has made already: its quantity and its price.
pub(crate) fn check_terms(rules: &RuleSnapshot, sale: &Sale) -> Result<(), Rejection> {
    check_quantity(rules, sale.quantity)?;
    check_amounts(sale)?;
    check_sale_price(rules, sale)
}

/// The price check of a direct order (DY-03): `gross`, its price before discounts in minor units, must be the calendar's
/// price of the visit date times the units; where the date comes later, with the demand for the tickets, it must be that of some day.
/// Nothing is refused where the check is off, or the calendar names no price.
pub fn check_direct_price(
    rules: &RuleSnapshot,
    quantity: u32,
    gross: i64,
    visit_date: Option<Date>,
) -> Result<(), Rejection> {
    if !rules.channel.price_check || rules.voucher.is_some() {
        return Ok(());
    }
    let Some(date) = visit_date else { return check_price_of_some_day(&rules.booking, quantity, gross) };
    match rules.booking.calendar_on(date).and_then(|day| day.price) {
        Some(price) => check_price(quantity, gross, price),
        None => Ok(()),
    }
}

/// Of a visit whose day is not known yet, at least one day must have the price. A day without a price may be the one.
fn check_price_of_some_day(product: &BookingProduct, quantity: u32, gross: i64) -> Result<(), Rejection> {
    let mut refusal = Ok(());
    for day in &product.calendar {
        let Some(price) = day.price else { return Ok(()) };
        refusal = check_price(quantity, gross, price);
        if refusal.is_ok() {
            return refusal;
        }
    }
    refusal
}

/// The price of a voucher that only its booking tells of (DY-03): the sale itself would have been refused, and so is the booking.
pub(crate) fn check_price_as_booked(rules: &RuleSnapshot, quantity: u32, money: &Money) -> Result<(), Rejection> {
    check_paid_price(rules, quantity, (money.gross, money.due), &money.currency)
}

/// Whether a product may be sold by resellers that reserve first: they bring one contact for each unit, and no documents, and pay our
/// price.
pub fn check_reservable(product: &BookingProduct) -> Result<(), Rejection> {
    let refuse = |sentence: &'static str| Err(Rejection::new(Why::OffSale, sentence).at("productId"));
    if product.guests.fields.contains(&GuestField::Document) {
        return refuse("this product needs guests' documents, which resellers do not bring");
    }
    if product.guests.who == GuestsWho::Each && product.visitors_per_unit > 1 {
        return refuse("this product needs the name of every visitor, and a unit of it admits several");
    }
    if !product.calendar.iter().any(|range| range.price.is_some()) {
        return refuse("the calendar of this product names no price");
    }
    Ok(())
}

/// What one unit costs whoever reserves first, minor units.
pub fn reserved_price(product: &BookingProduct, visit_date: Option<Date>) -> Result<i64, Rejection> {
    check_reservable(product)?;
    let day = visit_date.and_then(|date| product.calendar_on(date));
    day.and_then(|day| day.price).ok_or_else(|| {
        Rejection::new(Why::DateNotBookable, "this date is not in the product's calendar, or has no price")
            .at("availabilityId")
    })
}

fn check_quantity(rules: &RuleSnapshot, quantity: u32) -> Result<(), Rejection> {
    let per_order = rules.voucher.as_ref().and_then(|v| v.max_per_order).unwrap_or(QUANTITY_MAX).min(QUANTITY_MAX);
    if (1..=per_order).contains(&quantity) {
        return Ok(());
    }
    let sentence = format!("an order has at least 1 unit and at most {per_order}; this one has {quantity}");
    Err(Rejection::new(Why::QuantityLimit, sentence).at("quantity"))
}

/// Nobody buys what can never be booked: the window of the voucher ends with its last day.
fn check_window(rules: &RuleSnapshot, sale: &Sale) -> Result<(), Rejection> {
    let Some(window) = rules.voucher.as_ref().and_then(|voucher| voucher.booking_window) else { return Ok(()) };
    if rules.channel.time_zone.date_of(sale.placed_at) <= window.to {
        return Ok(());
    }
    let sentence = format!("this product is sold no more: it can be booked until {} only", window.to);
    Err(Rejection::new(Why::OffSale, sentence).at("product_out_id"))
}

fn check_amounts(sale: &Sale) -> Result<(), Rejection> {
    for (field, amount) in [("gross", sale.gross), ("due", sale.due)] {
        if !(0..=AMOUNT_MAX).contains(&amount) {
            return Err(Rejection::new(Why::Invalid, format!("an amount is 0 to {AMOUNT_MAX}")).at(field));
        }
    }
    Ok(())
}

/// The price of a sale, as far as it does not depend on the date of a visit.
pub(crate) fn check_sale_price(rules: &RuleSnapshot, sale: &Sale) -> Result<(), Rejection> {
    check_paid_price(rules, sale.quantity, (sale.gross, sale.due), &sale.currency)
}

fn check_paid_price(
    rules: &RuleSnapshot,
    quantity: u32,
    (gross, due): (i64, i64),
    currency: &Currency,
) -> Result<(), Rejection> {
    // Discounts make a price lower.
    if rules.channel.price_check && due > gross {
        let sentence =
            format!("{due} is to be paid for what costs {gross} before discounts, in minor units; make the two agree");
        return Err(Rejection::new(Why::PriceMismatch, sentence).at("due"));
    }
    let Some(voucher) = &rules.voucher else { return Ok(()) };
    if *currency != voucher.currency {
        let sentence = format!(
            "the channel sells in {}, the product is priced in {}; make the two equal",
            currency.0, voucher.currency.0
        );
        return Err(Rejection::new(Why::PriceMismatch, sentence).at("currency"));
    }
    if rules.channel.price_check { check_price(quantity, gross, voucher.price) } else { Ok(()) }
}

/// Compares the price before discounts: a coupon of the platform is no mismatch (`docs/src/contract/configuration.md`).
fn check_price(quantity: u32, gross: i64, price: i64) -> Result<(), Rejection> {
    let ours = i128::from(price) * i128::from(quantity);
    if i128::from(gross) == ours {
        return Ok(());
    }
    let sentence = format!(
        "the channel's price for {} is {gross}, ours is {ours} ({price} each), in minor units; make the two equal",
        units(quantity)
    );
    Err(Rejection::new(Why::PriceMismatch, sentence).at("gross"))
}

/// Refuses a sale whose buyer gives no phone, where the product counts what a phone buys. A question before the sale may come
/// without (`adapters/douyin/README.md`: the buyer is optional in a question, and needed in a sale).
pub(crate) fn check_phone_is_there(rules: &RuleSnapshot, sale: &Sale) -> Result<(), Rejection> {
    let counts = rules.voucher.as_ref().is_some_and(|voucher| voucher.per_phone.is_some());
    if counts && sale.buyer.phone.as_ref().is_none_or(|phone| phone.is_empty()) {
        let sentence = "the product may be bought so many times by one phone; the buyer's phone is needed";
        return Err(Rejection::new(Why::PhoneMissing, sentence).at("buyer.phone"));
    }
    Ok(())
}

fn check_phone(sale: &Sale) -> Result<(), Rejection> {
    match &sale.buyer.phone {
        Some(number) if !number.is_empty() => phone::check(number, "buyer.phone"),
        _ => Ok(()),
    }
}

fn check_stock(quantity: u32, counts: &Counts) -> Result<(), Rejection> {
    match counts.voucher_left {
        Some(left) if left < i64::from(quantity) => {
            let sentence = format!("{} left, wanted: {quantity}", units_are(left.max(0)));
            Err(Rejection::new(Why::OutOfStock, sentence).at("quantity"))
        }
        _ => Ok(()),
    }
}

fn check_phone_share(rules: &RuleSnapshot, quantity: u32, counts: &Counts) -> Result<(), Rejection> {
    match rules.voucher.as_ref().and_then(|v| v.per_phone) {
        Some(limit) if counts.phone_units.saturating_add(quantity) > limit => {
            let sentence = format!(
                "one phone may buy {} of this product; bought: {}, wanted: {quantity} more",
                units(limit),
                counts.phone_units
            );
            Err(Rejection::new(Why::PhoneLimit, sentence).at("buyer.phone"))
        }
        _ => Ok(()),
    }
}

fn check_credit(sale: &Sale, counts: &Counts) -> Result<(), Rejection> {
    match counts.credit_available {
        Some(available) if available < sale.due => {
            let sentence = format!(
                "the distributor's credit covers {available}, the order takes {} minor units; deposit first",
                sale.due
            );
            Err(Rejection::new(Why::CreditTooLow, sentence))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personal::Phone;
    use crate::product::{CalendarRange, Currency, DateRange};
    use crate::rules::samples;
    use crate::time::UnixMillis;

    fn why(edit: impl FnOnce(&mut RuleSnapshot, &mut Sale, &mut Counts)) -> Option<Why> {
        let (mut rules, mut sale, mut counts) = (samples::rules(), samples::sale(2), Counts::default());
        edit(&mut rules, &mut sale, &mut counts);
        check_sale(&rules, &sale, &counts).err().map(|r| r.why)
    }

    #[test]
    fn quantity_is_one_to_the_products_limit() {
        let of = |quantity, limit| {
            why(|rules, sale, _| {
                let voucher = rules.voucher.as_mut().unwrap();
                (voucher.max_per_order, voucher.per_phone) = (limit, None);
                *sale = samples::sale(quantity);
            })
        };
        for (quantity, limit, expected) in [
            (0, Some(5), Some(Why::QuantityLimit)),
            (1, Some(5), None),
            (5, Some(5), None),
            (6, Some(5), Some(Why::QuantityLimit)),
            (QUANTITY_MAX, None, None),
            (QUANTITY_MAX + 1, None, Some(Why::QuantityLimit)),
            (QUANTITY_MAX + 1, Some(u32::MAX), Some(Why::QuantityLimit)),
        ] {
            assert_eq!(of(quantity, limit), expected, "{quantity} of {limit:?}");
        }
    }

    #[test]
    fn nothing_is_sold_that_can_never_be_booked() {
        let last = Date::parse("2026-12-31").unwrap();
        let sold = |at: &str| {
            why(|rules, sale, _| {
                let from = Date::parse("2026-11-01").unwrap();
                rules.voucher.as_mut().unwrap().booking_window = Some(DateRange { from, to: last });
                sale.placed_at = UnixMillis::parse_rfc3339(at).unwrap();
            })
        };
        assert_eq!(sold("2026-12-31T23:59:59+08:00"), None);
        assert_eq!(sold("2027-01-01T00:00:00+08:00"), Some(Why::OffSale));
        assert_eq!(sold("2026-10-01T10:00:00+08:00"), None, "it may be bought before");
    }

    #[test]
    fn price_must_equal_ours_when_checked() {
        for (check, gross, due, expected) in [
            (true, 39_800, 39_800, None),
            (true, 39_800, 30_000, None),
            (true, 39_799, 39_799, Some(Why::PriceMismatch)),
            (true, 39_801, 39_801, Some(Why::PriceMismatch)),
            (true, 39_800, 39_801, Some(Why::PriceMismatch)),
            (false, 39_800, 39_801, None),
            (false, 39_799, 39_799, None),
            (false, -1, 0, Some(Why::Invalid)),
            (false, 0, -1, Some(Why::Invalid)),
            (false, AMOUNT_MAX, AMOUNT_MAX, None),
            (false, AMOUNT_MAX + 1, 0, Some(Why::Invalid)),
        ] {
            let found = why(|rules, sale, _| {
                rules.channel.price_check = check;
                (sale.gross, sale.due) = (gross, due);
            });
            assert_eq!(found, expected, "{check} {gross} {due}");
        }
        assert_eq!(why(|_, sale, _| sale.currency = Currency("KRW".into())), Some(Why::PriceMismatch));
    }

    #[test]
    fn a_price_mismatch_names_both_prices() {
        let (rules, mut sale) = (samples::rules(), samples::sale(2));
        sale.gross = 39_000;
        let sentence = check_sale(&rules, &sale, &Counts::default()).unwrap_err().sentence;
        assert!(sentence.contains("39000") && sentence.contains("39800"), "{sentence}");
    }

    #[test]
    fn a_direct_order_has_the_price_of_its_date() {
        let mut rules = samples::rules();
        rules.voucher = None;
        let mut sale = samples::sale(2);
        sale.gross += 1;
        assert_eq!(check_sale(&rules, &sale, &Counts::default()), Ok(()));
        let date = Date::parse("2026-12-01");
        let ask = |rules: &RuleSnapshot, gross, date| check_direct_price(rules, 2, gross, date).err().map(|r| r.why);
        assert_eq!(ask(&rules, 39_800, date), None);
        assert_eq!(ask(&rules, 39_801, date), Some(Why::PriceMismatch));
        assert_eq!(ask(&rules, 39_799, date), Some(Why::PriceMismatch));
        assert_eq!(ask(&samples::rules(), 39_801, date), None);
        // The day comes later: some day must have the price.
        assert_eq!(ask(&rules, 39_800, None), None);
        assert_eq!(ask(&rules, 39_801, None), Some(Why::PriceMismatch));
        let dearer = CalendarRange { price: Some(30_000), ..rules.booking.calendar[0].clone() };
        rules.booking.calendar.push(dearer);
        assert_eq!((ask(&rules, 60_000, None), ask(&rules, 39_800, None)), (None, None));
        assert_eq!(ask(&rules, 60_001, None), Some(Why::PriceMismatch));
        rules.booking.calendar[1].price = None;
        assert_eq!(ask(&rules, 60_001, None), None);
        rules.booking.calendar.pop();
        rules.booking.calendar[0].price = None;
        assert_eq!(ask(&rules, 39_801, date), None);
        rules.booking.calendar[0].price = Some(19_900);
        rules.channel.price_check = false;
        assert_eq!(ask(&rules, 39_801, date), None);
    }

    #[test]
    fn stock_phone_share_and_credit_hold_to_the_last_unit() {
        for (counts, expected) in [
            (Counts { voucher_left: Some(2), ..Counts::default() }, None),
            (Counts { voucher_left: Some(1), ..Counts::default() }, Some(Why::OutOfStock)),
            (Counts { voucher_left: Some(-3), ..Counts::default() }, Some(Why::OutOfStock)),
            (Counts { phone_units: 3, ..Counts::default() }, None),
            (Counts { phone_units: 4, ..Counts::default() }, Some(Why::PhoneLimit)),
            (Counts { phone_units: u32::MAX, ..Counts::default() }, Some(Why::PhoneLimit)),
            (Counts { credit_available: Some(39_800), ..Counts::default() }, None),
            (Counts { credit_available: Some(39_799), ..Counts::default() }, Some(Why::CreditTooLow)),
        ] {
            let found = why(|_, _, c| *c = counts.clone());
            assert_eq!(found, expected, "{counts:?}");
        }
        for (left, says) in [(1, "1 unit is left"), (-3, "0 units are left")] {
            let refusal = check_stock(2, &Counts { voucher_left: Some(left), ..Counts::default() }).unwrap_err();
            assert!(refusal.sentence.contains(says), "{}", refusal.sentence);
        }
    }

    #[test]
    fn the_buyers_phone_is_checked_when_it_can_be_read() {
        for (phone, expected) in [
            (None, None),
            (Some(""), None),
            (Some("Enc.AAAA"), None),
            (Some("13800000001"), None),
            (Some("1380000000"), Some(Why::PhoneMalformed)),
        ] {
            assert_eq!(why(|_, sale, _| sale.buyer.phone = phone.map(Phone::new)), expected, "{phone:?}");
        }
    }
}
