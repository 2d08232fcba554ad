// SPDX-License-Identifier: Apache-2.0

//! Rules between files: names that must exist, names that must not exist twice, dates and prices that must fit together.

use std::collections::BTreeSet;

use ticketbridge_core::product::{
    BackendTerms, BookingProduct, DateRange, Fee, Slot, StockFrom, Ticketing, VoucherProduct,
};
use ticketbridge_core::variant::Parts;
use ticketbridge_core::{Date, Millis};

use super::finding::{Findings, Place};
use super::names::{Named, Names};
use super::partner::{ChannelConfig, Kinds};
use super::product::days_of;
use super::read::Table;
use super::service::{CreditAccount, Metrics};

/// The adapter whose back-ends are pools of codes (`docs/src/contract/configuration.md`).
const CODE_POOL: &str = "code_pool";

/// Time after which the channel of a voucher asks for the money of an order without tickets (`docs/src/contract/configuration.md`, DY-11).
const VOUCHER_TICKETING_MAX: Millis = Millis::minutes(10);

/// The adapter whose channels sell what is named in their files, or else everything (`docs/src/contract/configuration.md`).
const RESELLER: &str = "octo_reseller";

/// What a voucher is sold with, and on which day.
pub(super) struct Sold<'p, 'a> {
    pub(super) bookings: &'p [(BookingProduct, Table<'a>)],
    pub(super) channels: &'p [(ChannelConfig, Table<'a>)],
    /// `None` where nobody has asked a clock.
    pub(super) today: Option<Date>,
}

/// A channel's orders are charged to an account that must exist, and count the same money (DY-05).
pub(super) fn check_channel(
    channel: &ChannelConfig,
    file: &Table<'_>,
    accounts: &[CreditAccount],
    names: &Names,
    findings: &Findings,
) {
    let Some(wanted) = &channel.credit_account else { return };
    let place = file.place_of("settings.credit_account");
    if Names::find(&names.accounts, wanted).is_none() {
        return names.missing(findings, place, "the credit account", wanted, &names.accounts);
    }
    if let Some(account) = accounts.iter().find(|account| account.id == *wanted)
        && account.currency.0 != channel.currency
    {
        let (ours, theirs) = (&account.currency.0, &channel.currency);
        findings.problem(
            place,
            format!("the credit account \"{wanted}\" is in {ours}, the channel sells in {theirs}: every sale would be refused"),
            format!("name an account in {theirs} (DY-05)"),
        );
    }
}

/// Where partners see a part of the service each, its figures are everybody's as long as nothing keeps them from whoever reaches the address.
pub(super) fn check_metrics(metrics: &Metrics, names: &Names, findings: &Findings) {
    let has_partners = !names.organisation.institutions.is_empty() || !names.organisation.dealers.is_empty();
    if has_partners && metrics.are_open() {
        findings.warning(
            Place { file: "ticketbridge.toml".to_owned(), line: 0 },
            "partners are configured, and /metrics tells the figures of all of them to whoever reaches the service's address",
            "add `[metrics]` with a `token`, or a `listen` of its own",
        );
    }
}

/// A price has no currency of its own: whoever resells everything sells what another channel sells in won by the same number of its own money.
pub(super) fn check_resold(
    channel: &ChannelConfig,
    file: &Table<'_>,
    channels: &[(ChannelConfig, Table<'_>)],
    findings: &Findings,
) {
    if channel.adapter != RESELLER || channel.settings.expose().get("products").is_some_and(|named| !named.is_null()) {
        return;
    }
    let other = channels.iter().map(|(other, _)| other).find(|other| other.currency != channel.currency);
    if let Some(other) = other {
        let (ours, theirs) = (&channel.currency, &other.currency);
        findings.warning(
            file.place_of("settings.products"),
            format!(
                "`settings.products` is not there: every booking product is resold at its number in {ours}, and \"{}\" sells in {theirs}",
                other.id
            ),
            "name the products that are priced for this reseller",
        );
    }
}

/// Tickets come from a back-end or a pool that must exist and be one (DY-10).
pub(super) fn check_booking(
    booking: &BookingProduct,
    table: &Table<'_>,
    names: &Names,
    today: Option<Date>,
    findings: &Findings,
) {
    if let (Some(last), Some(today)) = (booking.calendar.iter().map(|entry| entry.range.to).max(), today)
        && last < today
    {
        let problem = format!("`calendar` ended on {last}: no day can be booked any more");
        findings.warning(table.place_of("calendar"), problem, "add days to come, or take the product out");
    }
    let (key, id, wants_pool) = match &booking.ticketing {
        Ticketing::Backend { backend, .. } => ("ticketing.backend", backend.as_str(), false),
        Ticketing::CodePool { pool } => ("ticketing.pool", pool.as_str(), true),
        Ticketing::None => return,
    };
    let place = table.place_of(key);
    let what = if wants_pool { "the code pool" } else { "the back-end" };
    let Some(found) = Names::find(&names.backends, id) else {
        return names.missing(findings, place, what, id, &names.backends);
    };
    let is_pool = found.adapter.as_deref() == Some(CODE_POOL);
    check_terms(booking, table, found, findings);
    if booking.start.is_some() && booking.stock_from == StockFrom::Backend {
        let problem = "`stock_from` is \"backend\", and back-ends say what is left of a day, not of a start time";
        findings.problem(table.place_of("stock_from"), problem, "leave it out, and write the `stock` in the calendar");
    }
    if wants_pool && !is_pool {
        let problem = format!("\"{id}\" at {} is a back-end, not a code pool", found.place);
        findings.problem(place, problem, "write ticketing = { mode = \"backend\", backend = …, product = … }");
    } else if !wants_pool && is_pool {
        let problem = format!("\"{id}\" at {} is a code pool, not a back-end", found.place);
        findings.problem(place, problem, "write ticketing = { mode = \"code_pool\", pool = … }");
    }
}

/// One code is sold by the day or by start times: who asks for its days would find both.
pub(super) fn check_days_and_times(bookings: &[(BookingProduct, Table<'_>)], findings: &Findings) {
    for (booking, table) in bookings.iter().filter(|(booking, _)| booking.start.is_some()) {
        let code = Parts { time: None, ..booking.code.parts() }.code();
        if bookings.iter().any(|(other, _)| other.code == code) {
            let problem = format!("\"{code}\" is sold by the day, and by start times here");
            findings.problem(table.place_of("code"), problem, "give the two different codes");
        }
    }
}

/// What of `ticketing` a back-end does not look at has no effect, and whoever wrote it believes otherwise.
fn check_terms(booking: &BookingProduct, table: &Table<'_>, backend: &Named, findings: &Findings) {
    let Ticketing::Backend { terms, .. } = &booking.ticketing else { return };
    let Some(adapter) = backend.adapter.as_deref() else { return };
    let kinds = Kinds::registered();
    let Some(kind) = kinds.backends.iter().find(|kind| kind.name == adapter) else { return };
    let plain = BackendTerms::default();
    // Of a start time the back-end is told, and this is nothing that the file says.
    let own_time = booking.clock().map(Slot::At);
    let written = [
        ("option", terms.option != plain.option),
        ("units", terms.units != plain.units),
        ("slot", terms.slot != plain.slot && Some(&terms.slot) != own_time.as_ref()),
        ("redeem_when", terms.redeem_when != plain.redeem_when),
    ];
    for (key, _) in written.into_iter().filter(|(key, is_written)| *is_written && !kind.terms.contains(key)) {
        let problem = format!(
            "`{key}` has no effect: \"{}\" is a back-end of the adapter \"{adapter}\", which does not look at it",
            backend.name
        );
        findings.warning(
            table.place_of(&format!("ticketing.{key}")),
            problem,
            "leave it out, or name another back-end",
        );
    }
}

/// A voucher is bound to exactly one booking product, whose calendar must open days of its window (DY-07).
pub(super) fn check_voucher(
    voucher: &VoucherProduct,
    table: &Table<'_>,
    around: &Sold<'_, '_>,
    names: &Names,
    findings: &Findings,
) {
    check_currency(voucher, table, around, names, findings);
    let wanted = voucher.booking_product.as_str();
    if Names::find(&names.bookings, wanted).is_none() {
        let place = table.place_of("booking_product");
        return names.missing(findings, place, "the booking product", wanted, &names.bookings);
    }
    let Some((booking, its_table)) =
        around.bookings.iter().find(|(booking, _)| booking.code == voucher.booking_product)
    else {
        return;
    };
    check_window(voucher, booking, table, findings);
    check_window_is_open(voucher, table, around.today, findings);
    check_prices(voucher, booking, table, findings);
    check_fees(voucher, booking, its_table, findings);
    if booking.ticketing_deadline > VOUCHER_TICKETING_MAX {
        findings.warning(
            its_table.place_of("ticketing_deadline"),
            "`ticketing_deadline` is longer than ten minutes: the channel of a voucher takes the money back after ten",
            "write \"10m\" or less (DY-11)",
        );
    }
}

/// A voucher in another currency than any channel's could never be sold.
fn check_currency(
    voucher: &VoucherProduct,
    table: &Table<'_>,
    around: &Sold<'_, '_>,
    names: &Names,
    findings: &Findings,
) {
    let all_known = !names.incomplete && names.channels.len() == around.channels.len();
    let used: BTreeSet<&str> = around.channels.iter().map(|(channel, _)| channel.currency.as_str()).collect();
    let ours = voucher.currency.0.as_str();
    if all_known && !used.is_empty() && !used.contains(ours) {
        let used = used.into_iter().collect::<Vec<_>>().join(", ");
        findings.warning(
            table.place_of("currency"),
            format!("`currency` is \"{ours}\", and no channel sells in it: every sale would be refused"),
            format!("write the currency of the channel that sells it: {used} (DY-03)"),
        );
    }
}

/// A window that is over leaves vouchers that nobody can use.
fn check_window_is_open(voucher: &VoucherProduct, table: &Table<'_>, today: Option<Date>, findings: &Findings) {
    if let (Some(window), Some(today)) = (voucher.booking_window, today)
        && window.to < today
    {
        findings.warning(
            table.place_of("booking_window"),
            format!("`booking_window` ended on {}: what is sold now can never be booked", window.to),
            "extend the window, or take the voucher out (DY-07)",
        );
    }
}

/// More than everything cannot be kept.
fn check_fees(voucher: &VoucherProduct, booking: &BookingProduct, table: &Table<'_>, findings: &Findings) {
    for (index, tier) in booking.refund_rule.iter().flatten().enumerate() {
        let Fee::Amount(fee) = tier.fee else { continue };
        if fee > voucher.price {
            let (price, code) = (voucher.price, &voucher.code);
            findings.warning(
                table.place_of(&format!("refund_rule.tiers.{index}.fee")),
                format!("the refund fee {fee} is above the price of \"{code}\", {price}: all of it would be kept"),
                "write a fee of the price or less, or a share: `fee_bp` (DY-15)",
            );
        }
    }
}

fn check_window(voucher: &VoucherProduct, booking: &BookingProduct, table: &Table<'_>, findings: &Findings) {
    let Some(window) = voucher.booking_window else { return };
    let opened = |range: DateRange| booking.calendar.iter().any(|entry| days_of(entry, range).next().is_some());
    let Some(first) = booking.calendar.iter().map(|entry| entry.range.from).min() else { return };
    let Some(last) = booking.calendar.iter().map(|entry| entry.range.to).max() else { return };
    let place = table.place_of("booking_window");
    let (from, to, code) = (window.from, window.to, &booking.code);
    if !opened(window) {
        findings.problem(
            place,
            format!(
                "no day can be booked: `booking_window` is {from} to {to}, the calendar of \"{code}\" {first} to {last}"
            ),
            "let the two overlap (DY-07)",
        );
    } else if from < first || to > last {
        findings.warning(
            place,
            format!(
                "`booking_window` {from} to {to} is partly outside the calendar of \"{code}\", {first} to {last}: \
                 those days cannot be booked"
            ),
            "shorten the window, or extend the calendar (DY-07)",
        );
    }
}

/// No difference is collected at booking, so that two prices for one visit are likely a mistake.
fn check_prices(voucher: &VoucherProduct, booking: &BookingProduct, table: &Table<'_>, findings: &Findings) {
    let other = booking.calendar.iter().filter_map(|entry| entry.price).find(|price| *price != voucher.price);
    if let Some(price) = other {
        findings.warning(
            table.place_of("price"),
            format!("`price` is {}, and the calendar of \"{}\" says {price}", voucher.price, booking.code),
            "make them equal: no price difference is collected at booking (DY-03)",
        );
    }
}
