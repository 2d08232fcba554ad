// SPDX-License-Identifier: Apache-2.0

//! `products/*.toml`: vouchers and visits. What concerns one product alone is checked here, the rest in `cross.rs`.

use std::collections::BTreeMap;

use ticketbridge_core::limits::{AMOUNT_MAX, BOOKING_DAYS_AHEAD_MAX, QUANTITY_MAX, VISITORS_MAX};
use ticketbridge_core::personal::DocumentType;
use ticketbridge_core::product::{
    AdvanceRule, BackendTerms, BookingLimits, BookingProduct, CalendarRange, Cancellation, Confirmation, DateRange,
    Fee, FeeTier, GuestField, GuestRule, GuestsWho, OverduePolicy, RedeemWhen, Sex, Slot, StockFrom, Ticketing,
    VoucherProduct,
};
use ticketbridge_core::{BackendId, Millis, ProductCode};

use super::currency;
use super::finding::suggest;
use super::partner::BASIS_POINTS;
use super::read::{Table, Value};
use super::start_times::{self, Entry};

/// Days that one entry of a calendar may cover.
const CALENDAR_DAYS_MAX: i64 = 3_660;
/// Entries of one calendar.
const CALENDAR_ENTRIES_MAX: usize = 1_000;
/// Days of an advance rule, and of a cancellation rule.
const DAYS_BEFORE_MAX: u32 = 365;
const AGE_MAX: u32 = 150;
/// An upper limit of age that lets everybody in.
const AGE_OF_ALL: u32 = 120;
/// Minutes from the booking until tickets must exist, unless configured (DY-11).
const DEFAULT_DEADLINE: Millis = Millis::minutes(10);
const DEFAULT_WARNING: Millis = Millis::minutes(5);

const WEEKDAYS: [(&str, u8); 7] = [("mon", 0), ("tue", 1), ("wed", 2), ("thu", 3), ("fri", 4), ("sat", 5), ("sun", 6)];
const FIELDS: [(&str, GuestField); 3] =
    [("name", GuestField::Name), ("phone", GuestField::Phone), ("document", GuestField::Document)];

/// Reads one `[[voucher_product]]`.
pub(super) fn voucher(table: &Table<'_>) -> Option<VoucherProduct> {
    refuse_guest_details(table);
    let code = table.must("code", code);
    let name = table.opt("name", Value::text);
    let price = table.must("price", Value::amount);
    let currency = table.must("currency", currency::read);
    let stock = table.opt("stock", |value| value.count(0, u32::MAX));
    let booking_window = table.opt("booking_window", Value::date_range);
    let max_per_order = table.opt("max_per_order", |value| value.count(1, QUANTITY_MAX));
    let booking_product = table.must("booking_product", |value| match value.raw().is_array() {
        true => value.wrong("is a list; exactly one booking product is bound to a voucher", "name one booking product"),
        false => code_of(value),
    });
    let mut per_phone = None;
    if let Some(limits) = table.opt("limits", Value::table) {
        per_phone = limits.opt("per_phone", |value| value.count(1, u32::MAX));
        limits.finish();
    }
    table.finish();
    let code = code?;
    Some(VoucherProduct {
        name: name.unwrap_or_else(|| code.to_string()),
        code,
        price: price?,
        currency: currency?,
        stock,
        booking_window,
        max_per_order,
        booking_product: booking_product?,
        per_phone,
    })
}

/// The voucher's order carries the buyer's phone and nothing else (DY-02).
fn refuse_guest_details(table: &Table<'_>) {
    for key in ["guests", "fields", "documents", "visitors_per_unit"] {
        let Some(value) = table.get(key) else { continue };
        value.wrong::<()>(
            "stands in a voucher product; a voucher is sold with the buyer's phone only, and a channel that asked for more \
             would refuse every purchase (DY-02)",
            "move it to the booking product, which collects the guests' details",
        );
    }
}

fn code(value: Value<'_>) -> Option<ProductCode> {
    code_of(value)
}

/// A product's code: no bar of any width, because the bar joins two of them in the channel's product id.
fn code_of(value: Value<'_>) -> Option<ProductCode> {
    /// Characters of a product's code.
    const CODE_CHARS_MAX: usize = 64;
    let text = value.clone().text()?;
    if text.contains(['｜', '│', '丨', '∣', '¦']) {
        return value.wrong(
            format_args!("is \"{text}\", which holds a full-width bar"),
            "leave the bar out here; on the channel's product write VOUCHER|BOOKING with the ASCII bar `|`",
        );
    }
    if text.contains('|') {
        return value.wrong(
            format_args!("is \"{text}\", which holds a bar"),
            "write one code here; the bar joins the two codes on the channel's product only",
        );
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) || text.chars().count() > CODE_CHARS_MAX {
        return value.wrong(
            format_args!("is \"{text}\", which is no product code"),
            format!("use at most {CODE_CHARS_MAX} characters without spaces"),
        );
    }
    Some(ProductCode(text))
}

/// Reads one `[[booking_product]]`: a product, or one for each of its start times.
pub(super) fn booking(table: &Table<'_>) -> Option<Vec<BookingProduct>> {
    check_kind(table);
    let code = table.must("code", code);
    let name = table.opt("name", Value::text);
    let visitors_max = u32::try_from(VISITORS_MAX).unwrap_or(u32::MAX);
    let visitors_per_unit = table.opt("visitors_per_unit", |value| value.count(1, visitors_max));
    let confirm =
        table.opt("confirm", |value| value.word(&[("auto", Confirmation::Auto), ("manual", Confirmation::Manual)]));
    let ticketing = table.must("ticketing", ticketing);
    let (ticketing_deadline, ticketing_warn_before) = deadline(table);
    let valid_days_after = table.opt("valid_days_after", |value| value.count(0, 3_660));
    let guests = table.opt("guests", guests);
    let advance = table.opt("advance", advance);
    let cancellation = table.opt("cancellation", cancellation);
    let refund_rule = table.opt("refund_rule", refund_rule);
    let limits = table.opt("limits", limits);
    let start_times = start_times::read(table);
    let calendar = table.must("calendar", calendar);
    let policies =
        [("manual", OverduePolicy::Manual), ("reissue", OverduePolicy::Reissue), ("approve", OverduePolicy::Approve)];
    check_uncheckable(table, guests.as_ref(), limits.as_ref());
    let never = cancellation == Some(Cancellation::Never) || !table.has("cancellation");
    if refund_rule.is_some() && never {
        table.findings().warning(
            table.place_of("refund_rule"),
            "`refund_rule` has no effect: the product cannot be cancelled",
            "write `cancellation = { kind = \"anytime\" }` or \"until\", or take `refund_rule` out (DY-15)",
        );
    }
    let overdue_policy = table.opt("overdue_policy", |value| value.word(&policies));
    let sources = [("calendar", StockFrom::Calendar), ("backend", StockFrom::Backend)];
    let stock_from = table.opt("stock_from", |value| {
        let from = value.clone().word(&sources)?;
        match (from, &ticketing) {
            (StockFrom::Backend, Some(Ticketing::CodePool { .. } | Ticketing::None)) => value.wrong(
                "is \"backend\", and no back-end issues the tickets of this product",
                "leave it out, or write ticketing = { mode = \"backend\", … } (DY-04)",
            ),
            (StockFrom::Backend, Some(Ticketing::Backend { .. }) | None) | (StockFrom::Calendar, _) => Some(from),
        }
    });
    table.finish();
    let code = code?;
    start_times::check_code(table, &code);
    let product = BookingProduct {
        name: name.unwrap_or_else(|| code.to_string()),
        code,
        start: None,
        visitors_per_unit: visitors_per_unit.unwrap_or(1),
        confirm: confirm.unwrap_or(Confirmation::Auto),
        ticketing: ticketing?,
        ticketing_deadline,
        ticketing_warn_before,
        valid_days_after: valid_days_after.unwrap_or(0),
        guests: guests.unwrap_or_else(one_guest),
        advance,
        cancellation: cancellation.unwrap_or(Cancellation::Never),
        refund_rule,
        limits: limits.unwrap_or_default(),
        calendar: Vec::new(),
        overdue_policy: overdue_policy.unwrap_or(OverduePolicy::Manual),
        stock_from: stock_from.unwrap_or_default(),
    };
    Some(start_times::expand(table, product, start_times, calendar?))
}

/// Sightseeing on the mainland, and nothing else (DY-01). There is one value of each, so that none of them is kept.
fn check_kind(table: &Table<'_>) {
    for (key, allowed, refused) in [
        ("category", "sightseeing", "only sightseeing can be sold as a voucher with a later booking (DY-01)"),
        ("region", "mainland", "only products of the mainland can be sold as a voucher with a later booking (DY-01)"),
    ] {
        let Some(value) = table.get(key) else { continue };
        let Some(text) = value.clone().text() else { continue };
        if text != allowed {
            value.wrong::<()>(
                format_args!("is \"{text}\"; {refused}"),
                format!("write \"{allowed}\", or take the product out"),
            );
        }
    }
}

fn ticketing(value: Value<'_>) -> Option<Ticketing> {
    #[derive(Clone, Copy)]
    enum Mode {
        Backend,
        CodePool,
        None,
    }
    let modes = [("backend", Mode::Backend), ("code_pool", Mode::CodePool), ("none", Mode::None)];
    let table = value.table()?;
    let ticketing = match table.must("mode", |value| value.word(&modes)) {
        Some(Mode::Backend) => {
            let names = (table.must("backend", Value::text), table.must("product", Value::text));
            let terms = backend_terms(&table);
            let backend = |(backend, product)| Ticketing::Backend { backend: BackendId(backend), product, terms };
            names.0.zip(names.1).map(backend)
        }
        Some(Mode::CodePool) => {
            table.must("pool", Value::text).map(|pool| Ticketing::CodePool { pool: BackendId(pool) })
        }
        Some(Mode::None) => Some(Ticketing::None),
        None => {
            let known = ["backend", "product", "pool", "option", "units", "slot", "redeem_when"];
            known.into_iter().for_each(|key| table.expect_key(key));
            None
        }
    };
    table.finish();
    ticketing
}

/// How a booking becomes one of a back-end with options, kinds of units and times of its own.
fn backend_terms(table: &Table<'_>) -> BackendTerms {
    let option = table.opt("option", Value::text);
    let units = table.opt("units", |value| {
        let units = value.table()?;
        let read = |key: &str| Some((key.to_owned(), units.peek(key)?.text()?));
        units.keys().map(read).collect::<Option<BTreeMap<String, String>>>()
    });
    let slot = table.opt("slot", slot);
    let redeem_when =
        table.opt("redeem_when", |value| value.word(&[("all", RedeemWhen::All), ("any", RedeemWhen::Any)]));
    BackendTerms {
        option,
        units: units.unwrap_or_default(),
        slot: slot.unwrap_or_default(),
        redeem_when: redeem_when.unwrap_or_default(),
    }
}

fn slot(value: Value<'_>) -> Option<Slot> {
    let (again, text) = (value.clone(), value.text()?);
    match text.as_str() {
        "only" => Some(Slot::Only),
        "first" => Some(Slot::First),
        "channel" => Some(Slot::Channel),
        _ => {
            let minutes = again.minute_of_day()?;
            Some(Slot::At(format!("{:02}:{:02}", minutes / 60, minutes % 60)))
        }
    }
}

fn deadline(table: &Table<'_>) -> (Millis, Millis) {
    let deadline = table.opt("ticketing_deadline", Value::millis).unwrap_or(DEFAULT_DEADLINE);
    let warning = table.get("ticketing_warn_before");
    let Some(value) = warning else { return (deadline, DEFAULT_WARNING.min(Millis(deadline.0 / 2))) };
    let Some(before) = value.clone().millis() else { return (deadline, DEFAULT_WARNING) };
    if before >= deadline {
        value.wrong::<()>(
            "is not shorter than `ticketing_deadline`: the warning would come before the work begins",
            "make it shorter than `ticketing_deadline` (DY-11)",
        );
    }
    (deadline, before)
}

/// Limits that nothing which guests are asked for could check would let everybody in (DY-09).
fn check_uncheckable(table: &Table<'_>, guests: Option<&GuestRule>, limits: Option<&BookingLimits>) {
    let Some(limits) = limits else { return };
    let asked = guests.cloned().unwrap_or_else(one_guest);
    let wants_documents = asked.fields.contains(&GuestField::Document);
    if wants_documents && asked.documents.is_empty() {
        return;
    }
    let has_age = wants_documents && asked.documents.contains(&DocumentType::ResidentId);
    // Zero and a very old age are the limits of everybody.
    let ages = [
        ("min_age", limits.min_age.is_some_and(|age| age > 0)),
        ("max_age", limits.max_age.is_some_and(|age| age < AGE_OF_ALL)),
    ];
    for (key, matters) in ages.into_iter().chain([("sex", limits.sex.is_some())]) {
        if matters && !has_age {
            table.findings().warning(
                table.place_of(&format!("limits.{key}")),
                format!("`limits.{key}` can never be checked: it is read from the resident ID card, which no guest is asked for"),
                "add \"document\" to `guests.fields`, and \"resident_id\" to `guests.documents` (DY-09)",
            );
        }
    }
    if limits.per_document.is_some() && !wants_documents {
        table.findings().warning(
            table.place_of("limits.per_document"),
            "`limits.per_document` can never be checked: no guest is asked for a document",
            "add \"document\" to `guests.fields` (DY-09)",
        );
    }
}

fn one_guest() -> GuestRule {
    GuestRule { who: GuestsWho::One, fields: vec![GuestField::Name, GuestField::Phone], documents: Vec::new() }
}

fn guests(value: Value<'_>) -> Option<GuestRule> {
    let table = value.table()?;
    let who = table.must("who", |value| value.word(&[("one", GuestsWho::One), ("each", GuestsWho::Each)]));
    let fields = table.must("fields", |value| value.each(|value| value.word(&FIELDS)));
    let documents = table.get("documents");
    let accepted = documents.clone().and_then(|value| value.each(document_type));
    table.finish();
    let (who, fields) = (who?, fields?);
    let wants_documents = fields.contains(&GuestField::Document);
    if let (Some(value), false) = (&documents, wants_documents) {
        value.warn("has no effect: the guests' `fields` do not ask for a document", "add \"document\" to `fields`");
    }
    let accepted = match accepted {
        None if wants_documents => DocumentType::ALL.to_vec(),
        None => Vec::new(),
        Some(accepted) => accepted,
    };
    if wants_documents && accepted.is_empty() {
        table.findings().problem(
            table.place_of("documents"),
            "a document is asked for and no kind of document is accepted: nothing could be booked",
            "name at least one in `documents`, or take \"document\" out of `fields`",
        );
    }
    Some(GuestRule { who, fields, documents: accepted })
}

fn document_type(value: Value<'_>) -> Option<DocumentType> {
    let text = value.clone().text()?;
    match DocumentType::ALL.into_iter().find(|kind| kind.word() == text) {
        Some(kind) => Some(kind),
        None => {
            let words = DocumentType::ALL.map(DocumentType::word);
            value.wrong(format_args!("is \"{text}\", which is no kind of document (DY-08)"), suggest(&text, words))
        }
    }
}

fn advance(value: Value<'_>) -> Option<AdvanceRule> {
    let table = value.table()?;
    let days = table.opt("days", |value| match value.clone().count(0, DAYS_BEFORE_MAX)? {
        days if i64::from(days) > BOOKING_DAYS_AHEAD_MAX => value.wrong(
            format_args!(
                "is {days}, and nothing is booked more than {BOOKING_DAYS_AHEAD_MAX} days ahead: no day could be booked"
            ),
            format!("write {BOOKING_DAYS_AHEAD_MAX} or less (DY-07)"),
        ),
        days => Some(days),
    });
    let before_minute = table.opt("before", Value::minute_of_day);
    table.finish();
    Some(AdvanceRule { days: days.unwrap_or(0), before_minute: before_minute.unwrap_or(1_440) })
}

fn cancellation(value: Value<'_>) -> Option<Cancellation> {
    #[derive(Clone, Copy)]
    enum Kind {
        Never,
        Until,
        Anytime,
    }
    let kinds = [("never", Kind::Never), ("until", Kind::Until), ("anytime", Kind::Anytime)];
    let table = value.table()?;
    let cancellation = match table.must("kind", |value| value.word(&kinds)) {
        Some(Kind::Never) => Some(Cancellation::Never),
        Some(Kind::Anytime) => Some(Cancellation::Anytime),
        Some(Kind::Until) => {
            let days_before = table.opt("days_before", |value| value.count(0, DAYS_BEFORE_MAX)).unwrap_or(0);
            let at_minute = table.must("at", Value::minute_of_day);
            at_minute.map(|at_minute| Cancellation::Until { days_before, at_minute })
        }
        None => {
            ["days_before", "at"].into_iter().for_each(|key| table.expect_key(key));
            None
        }
    };
    table.finish();
    cancellation
}

fn refund_rule(value: Value<'_>) -> Option<Vec<FeeTier>> {
    let table = value.table()?;
    let tiers = table.must("tiers", Value::list);
    table.finish();
    let tiers = tiers?;
    if tiers.is_empty() {
        table.findings().problem(
            table.place_of("tiers"),
            "`refund_rule.tiers` is empty",
            "add a tier such as { before_visit = \"0h\", fee_bp = 0 }, or leave `refund_rule` out: then a person decides",
        );
    }
    let mut read: Vec<FeeTier> = Vec::new();
    for value in tiers {
        let Some(tier) = tier(value.clone()) else { continue };
        if read.last().is_some_and(|last| last.before_visit <= tier.before_visit) {
            value.wrong::<()>(
                "has a `before_visit` that is not shorter than that of the tier before it",
                "order the tiers from the longest time before the visit to the shortest, each time once",
            );
        }
        if let Some(last) = read.last()
            && falls(last.fee, tier.fee)
        {
            value.warn(
                "costs less than the tier before it, although the visit is nearer",
                "let the fees rise towards the visit (DY-15)",
            );
        }
        read.push(tier);
    }
    Some(read)
}

fn falls(before: Fee, after: Fee) -> bool {
    match (before, after) {
        (Fee::Share(before), Fee::Share(after)) => after < before,
        (Fee::Amount(before), Fee::Amount(after)) => after < before,
        (Fee::Share(_), Fee::Amount(_)) | (Fee::Amount(_), Fee::Share(_)) => false,
    }
}

fn tier(value: Value<'_>) -> Option<FeeTier> {
    let table = value.clone().table()?;
    let before_visit = table.must("before_visit", Value::millis_or_zero);
    let share = table.opt("fee_bp", |value| value.count(0, BASIS_POINTS));
    let amount = table.opt("fee", |value| value.integer(0..=AMOUNT_MAX));
    table.finish();
    let fee = match (table.has("fee_bp"), table.has("fee")) {
        (true, true) => {
            value.wrong("has both `fee` and `fee_bp`", "keep one: an amount, or a share in ten-thousandths")
        }
        (false, false) => value.wrong("has no fee", "add `fee_bp = 0` (a share) or `fee = 0` (an amount)"),
        _ => share.map(Fee::Share).or(amount.map(Fee::Amount)),
    };
    Some(FeeTier { before_visit: before_visit?, fee: fee? })
}

fn limits(value: Value<'_>) -> Option<BookingLimits> {
    let table = value.table()?;
    let limits = BookingLimits {
        per_phone: table.opt("per_phone", |value| value.count(1, u32::MAX)),
        per_document: table.opt("per_document", |value| value.count(1, u32::MAX)),
        min_age: table.opt("min_age", |value| value.count(0, AGE_MAX)),
        max_age: table.opt("max_age", |value| value.count(0, AGE_MAX)),
        sex: table.opt("sex", |value| value.word(&[("female", Sex::Female), ("male", Sex::Male)])),
    };
    table.finish();
    if let (Some(youngest), Some(oldest)) = (limits.min_age, limits.max_age)
        && youngest > oldest
    {
        table.findings().problem(
            table.place_of("min_age"),
            format!("`min_age` {youngest} is above `max_age` {oldest}: nobody could book"),
            "swap the two (DY-09)",
        );
    }
    Some(limits)
}

fn calendar(value: Value<'_>) -> Option<Vec<Entry>> {
    let entries = value.clone().list()?;
    if entries.len() > CALENDAR_ENTRIES_MAX {
        return value.wrong(
            format_args!("has {} entries", entries.len()),
            format!("use at most {CALENDAR_ENTRIES_MAX}; one entry can cover many days"),
        );
    }
    if entries.is_empty() {
        value.wrong::<()>("is empty: no day could be booked", "add { from = …, to = …, stock = … }");
    }
    let mut days_read: Vec<(Entry, Value<'_>)> = Vec::new();
    for entry in entries {
        let Some(days) = calendar_entry(entry.clone()) else { continue };
        if let Some((other, place)) = days_read.iter().find(|(other, _)| overlap(other, &days)) {
            entry.wrong::<()>(
                format_args!(
                    "covers days that the entry at {} covers too ({} to {})",
                    place.place(),
                    other.days.range.from,
                    other.days.range.to
                ),
                "each day belongs to one entry: change the dates or the `weekdays`",
            );
        }
        days_read.push((days, entry));
    }
    Some(days_read.into_iter().map(|(entry, _)| entry).collect())
}

fn calendar_entry(value: Value<'_>) -> Option<Entry> {
    let table = value.clone().table()?;
    let dates = table.must("from", Value::date).zip(table.must("to", Value::date));
    let weekdays = table.opt("weekdays", |value| {
        if value.elements().is_empty() && value.raw().is_array() {
            return value.wrong("is empty: no day could be booked", "leave it out for every day of the week");
        }
        value.each(|value| value.word(&WEEKDAYS))
    });
    let stock = table.opt("stock", |value| value.count(0, u32::MAX));
    let price = table.opt("price", Value::amount);
    let times = table.opt("start_times", start_times::times);
    table.finish();
    let mut weekdays = weekdays.unwrap_or_else(|| WEEKDAYS.map(|(_, day)| day).to_vec());
    weekdays.sort_unstable();
    weekdays.dedup();
    let range = value.ordered(dates)?;
    let days = range.to.days_since(range.from) + 1;
    if days > CALENDAR_DAYS_MAX {
        return value.wrong(format_args!("covers {days} days"), format!("cover at most {CALENDAR_DAYS_MAX}"));
    }
    let entry = CalendarRange { range, weekdays, stock, price };
    if days_of(&entry, entry.range).next().is_none() {
        value.wrong::<()>(
            format_args!("has none of its weekdays between {} and {}", entry.range.from, entry.range.to),
            "widen the dates or the `weekdays`",
        );
    }
    Some(Entry { days: entry, times })
}

fn overlap(one: &Entry, other: &Entry) -> bool {
    if !one.shares_a_time(other) {
        return false;
    }
    let (one, other) = (&one.days, &other.days);
    let (from, to) = (one.range.from.max(other.range.from), one.range.to.min(other.range.to));
    from <= to && days_of(one, DateRange { from, to }).any(|day| other.weekdays.contains(&day.weekday()))
}

/// The days that `entry` opens within `range`.
pub(super) fn days_of(entry: &CalendarRange, range: DateRange) -> impl Iterator<Item = ticketbridge_core::Date> {
    let (from, to) = (range.from.max(entry.range.from), range.to.min(entry.range.to));
    (0..=to.days_since(from))
        .map(move |offset| from.plus_days(offset))
        .filter(|day| entry.weekdays.contains(&day.weekday()))
}
