//! Rules between files: names that must exist, names that must not exist twice, dates and prices that must fit together.

use std::collections::BTreeMap;

use ticketbridge_core::product::{BookingProduct, DateRange, Ticketing, VoucherProduct};

use super::finding::{Findings, Place, suggest};
use super::partner::ChannelConfig;
use super::product::days_of;
use super::read::Table;

/// The adapter whose back-ends are pools of codes (`contract.md` 8).
const CODE_POOL: &str = "code_pool";

/// Something with a name, whether or not the rest of it could be read.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) place: Place,
    /// The adapter, for a back-end.
    pub(super) adapter: Option<String>,
}

/// Everything with a name, and whether all files that could hold more of them were read.
#[derive(Default)]
pub(super) struct Names {
    pub(super) channels: Vec<Named>,
    pub(super) backends: Vec<Named>,
    pub(super) vouchers: Vec<Named>,
    pub(super) bookings: Vec<Named>,
    pub(super) accounts: Vec<Named>,
    /// A file is no TOML: what is not among the names may be in it.
    pub(super) incomplete: bool,
}

impl Names {
    /// Two things of a kind with one name, both places named.
    pub(super) fn check_duplicates(&self, findings: &Findings) {
        let kinds = [
            ("channels", "id", &self.channels),
            ("back-ends", "id", &self.backends),
            ("voucher products", "code", &self.vouchers),
            ("booking products", "code", &self.bookings),
            ("credit accounts", "id", &self.accounts),
        ];
        for (kind, key, named) in kinds {
            let mut first: BTreeMap<&str, &Place> = BTreeMap::new();
            for Named { name, place, .. } in named {
                if let Some(other) = first.get(name.as_str()) {
                    let problem = format!("two {kind} have the {key} \"{name}\", the other at {other}");
                    findings.problem(place.clone(), problem, "rename or remove one of them");
                } else {
                    first.insert(name, place);
                }
            }
        }
        for Named { name, place, .. } in &self.bookings {
            if let Some(voucher) = self.vouchers.iter().find(|voucher| voucher.name == *name) {
                let problem = format!("\"{name}\" is the code of a voucher product too, at {}", voucher.place);
                findings.warning(place.clone(), problem, "give the two different codes: people confuse them");
            }
        }
    }

    fn find<'n>(list: &'n [Named], name: &str) -> Option<&'n Named> {
        list.iter().find(|named| named.name == name)
    }

    /// Reports that `name` is not among `list`, unless it may be in a file that could not be read.
    fn missing(&self, findings: &Findings, place: Place, what: &str, name: &str, list: &[Named]) {
        if !self.incomplete {
            let known: Vec<&str> = list.iter().map(|named| named.name.as_str()).collect();
            findings.problem(place, format!("{what} \"{name}\" is not configured"), suggest(name, known));
        }
    }
}

/// A channel's orders are charged to an account that must exist (DY-05).
pub(super) fn check_channel(channel: &ChannelConfig, file: &Table<'_>, names: &Names, findings: &Findings) {
    if let Some(account) = &channel.credit_account
        && Names::find(&names.accounts, account).is_none()
    {
        let place = file.place_of("settings.credit_account");
        names.missing(findings, place, "the credit account", account, &names.accounts);
    }
}

/// Tickets come from a back-end or a pool that must exist and be one (DY-10).
pub(super) fn check_booking(booking: &BookingProduct, table: &Table<'_>, names: &Names, findings: &Findings) {
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
    if wants_pool && !is_pool {
        let problem = format!("\"{id}\" at {} is a back-end, not a code pool", found.place);
        findings.problem(place, problem, "write ticketing = { mode = \"backend\", backend = …, product = … }");
    } else if !wants_pool && is_pool {
        let problem = format!("\"{id}\" at {} is a code pool, not a back-end", found.place);
        findings.problem(place, problem, "write ticketing = { mode = \"code_pool\", pool = … }");
    }
}

/// A voucher is bound to exactly one booking product, whose calendar must open days of its window (DY-07).
pub(super) fn check_voucher(
    voucher: &VoucherProduct,
    table: &Table<'_>,
    bookings: &[(BookingProduct, Table<'_>)],
    names: &Names,
    findings: &Findings,
) {
    let wanted = voucher.booking_product.as_str();
    if Names::find(&names.bookings, wanted).is_none() {
        let place = table.place_of("booking_product");
        return names.missing(findings, place, "the booking product", wanted, &names.bookings);
    }
    let Some((booking, _)) = bookings.iter().find(|(booking, _)| booking.code == voucher.booking_product) else {
        return;
    };
    check_window(voucher, booking, table, findings);
    check_prices(voucher, booking, table, findings);
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
