// SPDX-License-Identifier: Apache-2.0

//! What a supplier's words mean here. Pure functions; no addresses.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use ticketbridge_core::limits::EXTERNAL_ID_CHARS_MAX;
use ticketbridge_core::message::{Keeps, NewTicket};
use ticketbridge_core::order::{Booking, Order, TicketKind};
use ticketbridge_core::personal::{DocumentNumber, Person, Personal};
use ticketbridge_core::port::EncodeError;
use ticketbridge_core::product::{BackendTerms, Currency, RedeemWhen, Slot};
use ticketbridge_core::quoted::{ForeignNumber, FreeText};
use ticketbridge_core::time::{Date, TimeZone, UnixMillis};

use super::wire::{AvailabilityIn, BookingIn, ContactOut, PriceIn, ProductIn, TicketIn, UnitIn};
use crate::one_reading;
use crate::reading::{partner_text, unusable_code};

/// The id that a supplier gives the only option of a product, where nothing else is known.
const DEFAULT_OPTION: &str = "DEFAULT";
/// The word for guests who are on a list of names at the gate.
const MANIFEST: &str = "MANIFEST";

/// How a booking stands. The booking's own status rules; that of a unit is not kept up by every server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its place is kept for a while.
    Held,
    /// Somebody else has still to say yes.
    Pending,
    /// Sold; the tickets may be there, or follow.
    Confirmed,
    /// The supplier refused it.
    Rejected,
    /// Run out, released or cancelled.
    Over,
    /// Used; when, if it is told.
    Redeemed(Option<UnixMillis>),
    /// A word that nobody knows.
    Unknown(FreeText),
}

impl Standing {
    /// Whether nothing can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Standing::Rejected | Standing::Over | Standing::Redeemed(_) => true,
            Standing::Held | Standing::Pending | Standing::Confirmed | Standing::Unknown(_) => false,
        }
    }
}

pub(super) fn standing(booking: &BookingIn) -> Standing {
    match booking.status.as_str() {
        "ON_HOLD" => Standing::Held,
        "PENDING" => Standing::Pending,
        "CONFIRMED" => Standing::Confirmed,
        "REJECTED" => Standing::Rejected,
        "EXPIRED" | "CANCELLED" => Standing::Over,
        "REDEEMED" => Standing::Redeemed(redemptions(booking).into_iter().max()),
        other => Standing::Unknown(partner_text(other)),
    }
}

/// What the supplier keeps of the price of a sale that is cancelled.
pub(super) fn keeps(booking: &BookingIn) -> Option<Keeps> {
    let is_cancelled = booking.status == "CANCELLED";
    match booking.cancellation.as_ref().filter(|_| is_cancelled)?.get("refund")?.as_str()? {
        "NONE" => Some(Keeps::All),
        "PARTIAL" => Some(Keeps::Part),
        _ => None,
    }
}

/// What a booking costs us, in the minor unit of `currency`; `None` where the supplier does not say, or says it in another currency.
pub(super) fn cost(booking: &BookingIn, currency: &Currency) -> Option<i64> {
    cost_of(PriceIn::deserialize(booking.pricing.as_ref()?).ok()?, currency)
}

/// The lowest of what one of a unit costs us on any day.
pub(super) fn cost_from(unit: &UnitIn, currency: &Currency) -> Option<i64> {
    let all = Vec::<PriceIn>::deserialize(unit.pricing_from.as_ref()?).ok()?;
    all.into_iter().filter_map(|price| cost_of(price, currency)).min()
}

fn cost_of(price: PriceIn, currency: &Currency) -> Option<i64> {
    let told = price.net.filter(|_| price.currency.eq_ignore_ascii_case(&currency.0))?;
    currency.of_decimals(told, price.currency_precision)
}

/// Whether the hold runs out before `at`.
pub(super) fn ends_before(booking: &BookingIn, at: UnixMillis) -> bool {
    booking.utc_expires_at.as_deref().and_then(UnixMillis::parse_rfc3339).is_some_and(|ends| ends < at)
}

/// The times of use that a booking and its units tell.
fn redemptions(booking: &BookingIn) -> BTreeSet<UnixMillis> {
    let of_units = booking.unit_items.iter().flatten().filter_map(|unit| unit.utc_redeemed_at.as_deref());
    of_units.chain(booking.utc_redeemed_at.as_deref()).filter_map(UnixMillis::parse_rfc3339).collect()
}

/// When a booking that is not called used was used all the same, as far as `when` asks.
pub(super) fn used_at(booking: &BookingIn, when: RedeemWhen) -> Option<UnixMillis> {
    let whole = booking.utc_redeemed_at.as_deref().and_then(UnixMillis::parse_rfc3339);
    let units = booking.unit_items.as_deref().unwrap_or_default();
    let used = || units.iter().filter(|unit| unit.utc_redeemed_at.is_some()).count();
    let enough = match when {
        RedeemWhen::All => !units.is_empty() && used() == units.len(),
        RedeemWhen::Any => used() > 0,
    };
    whole.or_else(|| if enough { redemptions(booking).into_iter().max() } else { None })
}

/// What the supplier's people know the booking by.
pub(super) fn reference(booking: &BookingIn) -> Option<ForeignNumber> {
    let named = booking.supplier_reference.as_deref().filter(|text| !text.is_empty());
    let text = named.or(booking.id.as_deref()).filter(|text| !text.is_empty())?;
    let shown = text.chars().filter(|c| !c.is_control()).take(EXTERNAL_ID_CHARS_MAX);
    Some(ForeignNumber::new(shown.collect::<String>()))
}

/// The tickets of a confirmed booking; `None` until every one that is expected can be shown.
///
/// Where there is a ticket for each unit and one for the booking as well, the ones for units are taken when they can be dealt to the
/// order's copies.
pub(super) fn tickets(booking: &BookingIn, formats: &[String], copies: u32) -> Option<Vec<NewTicket>> {
    let methods = booking.delivery_methods.as_deref().unwrap_or_default();
    let says = |method: &str| methods.iter().any(|known| known == method);
    let units = booking.unit_items.as_deref().unwrap_or_default();
    let of_units = || -> Option<Vec<NewTicket>> {
        let all: Option<Vec<_>> = units.iter().map(|unit| ticket(booking, unit.ticket.as_ref()?, formats)).collect();
        all.filter(|all| !all.is_empty()).map(once)
    };
    let of_booking = || ticket(booking, booking.voucher.as_ref()?, formats).map(|ticket| vec![ticket]);
    let deals = u32::try_from(units.len()).is_ok_and(|units| units > 0 && units.is_multiple_of(copies.max(1)));
    match (says("TICKET"), says("VOUCHER")) {
        (true, true) if deals => of_units().or_else(of_booking),
        (_, true) => of_booking(),
        (true, false) => of_units(),
        // Not said: whatever is there.
        (false, false) => of_units().or_else(of_booking),
    }
}

/// A list at the gate has one number for all of its names, one file may hold everybody's ticket, and a group one code: that is one ticket for
/// all copies, not one code for each. Where some of them share a code and others do not, nobody knows whose is whose, and nothing is said of it.
fn once(mut all: Vec<NewTicket>) -> Vec<NewTicket> {
    if all.iter().all(|ticket| ticket.code == all[0].code) {
        all.truncate(1);
    }
    all
}

/// The ticket of guests who are on a list at the gate: no code is made for them, and the number that its people know stands for it. Only what
/// the product or the booking calls a list is one; everywhere else codes that are not there come later.
pub(super) fn on_the_list(booking: &BookingIn, product: Option<&ProductIn>) -> Option<Vec<NewTicket>> {
    let of_product = product.and_then(|product| product.redemption_method.as_deref());
    let is_list = booking.redemption_method.as_deref().or(of_product) == Some(MANIFEST);
    if !is_list || !has_number_alone(booking) {
        return None;
    }
    number_at_gate(booking).map(|ticket| vec![ticket])
}

/// The number that the supplier's people know, in the place of a code.
fn number_at_gate(booking: &BookingIn) -> Option<NewTicket> {
    let code = DocumentNumber::new(reference(booking)?.reveal());
    Some(NewTicket { code, kind: TicketKind::Code, project_id: None, name: None })
}

/// Whether a sale may be complete as it is, which its product tells.
pub(super) fn is_perhaps_on_a_list(booking: &BookingIn) -> bool {
    booking.redemption_method.is_none() && has_number_alone(booking)
}

/// Whether a booking has the supplier's number, and neither codes nor a word that there are other ones than those of a list.
fn has_number_alone(booking: &BookingIn) -> bool {
    let of_units = booking.unit_items.iter().flatten().filter_map(|unit| unit.ticket.as_ref());
    let is_bare = |ticket: &TicketIn| {
        ticket.delivery_options.iter().flatten().count() == 0
            && ticket.redemption_method.as_deref().is_none_or(|method| method == MANIFEST)
    };
    let has_number = booking.supplier_reference.as_deref().is_some_and(|number| !number.is_empty());
    has_number && of_units.chain(&booking.voucher).all(is_bare)
}

fn ticket(booking: &BookingIn, ticket: &TicketIn, formats: &[String]) -> Option<NewTicket> {
    if ticket.redemption_method.as_deref() == Some(MANIFEST) && ticket.delivery_options.iter().flatten().count() == 0 {
        // A list of names at the gate.
        return number_at_gate(booking);
    }
    let mut options = ticket.delivery_options.iter().flatten().filter_map(|option| {
        let format = option.delivery_format.as_deref()?;
        let value = option.delivery_value.as_deref().filter(|value| unusable_code(kind_of(format), value).is_none())?;
        formats.iter().any(|known| known == format).then_some((format, value))
    });
    // In the supplier's order of preference, of those that the channel can show.
    let (format, value) = options.next()?;
    Some(NewTicket { code: DocumentNumber::new(value), kind: kind_of(format), project_id: None, name: None })
}

fn kind_of(format: &str) -> TicketKind {
    match format {
        "QRCODE" => TicketKind::Qr,
        _ if format.ends_with("_URL") => TicketKind::Url,
        _ => TicketKind::Code,
    }
}

/// In which zone a product's days are counted: the supplier's word, or else what is configured.
pub(super) fn zone_of(product: Option<&ProductIn>, configured: TimeZone) -> TimeZone {
    product.and_then(|product| TimeZone::parse(product.time_zone.as_deref()?)).unwrap_or(configured)
}

/// The option: the configured one, the product's default, or what an only option is called.
pub(super) fn option_id<'a>(terms: &'a BackendTerms, product: Option<&'a ProductIn>) -> &'a str {
    if let Some(option) = &terms.option {
        return option;
    }
    let options = product.map(|product| product.options.as_slice()).unwrap_or_default();
    let default = options.iter().find(|option| option.default).or_else(|| options.first());
    default.map_or(DEFAULT_OPTION, |option| option.id.as_str())
}

/// The unit that a visitor is: the only one configured, or the only one that the option has.
pub(super) fn unit_id(terms: &BackendTerms, product: Option<&ProductIn>, option: &str) -> Result<String, EncodeError> {
    // No channel tells kinds of guests yet: the only entry applies, or the one for adults.
    let configured = match terms.units.len() {
        0 => None,
        1 => terms.units.values().next(),
        _ => Some(terms.units.get("adult").ok_or(EncodeError::Missing("kinds of guests; `units` needs `adult`"))?),
    };
    if let Some(unit) = configured {
        return Ok(unit.clone());
    }
    let options = product.map(|product| product.options.as_slice()).unwrap_or_default();
    let units = options.iter().find(|known| known.id == option).map(|option| option.units.as_slice());
    match units.unwrap_or_default() {
        [only] => Ok(only.id.clone()),
        _ => Err(EncodeError::Missing("unit at this supplier; name one in `units`")),
    }
}

/// The time that was chosen of those on offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// This one: its id, and when it begins.
    One(String, Option<String>),
    /// What was meant has no room.
    Full,
    /// What was meant has room, and can no longer be booked.
    Closed,
    /// What was meant does not exist.
    NoneAt,
    /// The configuration says that there is one, and there are more.
    Several,
    /// The channel was to say which one, and said nothing.
    Untold,
}

/// Chooses for a day, which is counted in this zone, at `now`, by the supplier's clock; `told` is the time that the channel named.
pub(super) fn choose(
    offered: &[AvailabilityIn],
    (day, zone): (Date, TimeZone),
    slot: &Slot,
    told: Option<&str>,
    now: UnixMillis,
) -> Chosen {
    let mut offered = of_day(offered, day, zone);
    offered.sort_by_key(|one| one.local_date_time_start.clone());
    let meant: Vec<&AvailabilityIn> = match slot {
        Slot::Only | Slot::First => offered,
        Slot::At(time) => offered.into_iter().filter(|one| begins_at(one, time)).collect(),
        Slot::Channel => match told {
            Some(time) => offered.into_iter().filter(|one| begins_at(one, time)).collect(),
            None => return Chosen::Untold,
        },
    };
    if meant.is_empty() {
        return Chosen::NoneAt;
    }
    let is_one = meant.len() == 1;
    let has_room = |one: &&AvailabilityIn| has_room(one);
    let free = meant.iter().copied().find(|one| has_room(one) && !is_closed(one, now));
    match (slot, free) {
        (Slot::Only, _) if !is_one => Chosen::Several,
        (_, Some(free)) => match free.id.clone() {
            Some(id) => Chosen::One(id, free.local_date_time_start.clone()),
            None => Chosen::NoneAt,
        },
        (_, None) if meant.iter().any(has_room) => Chosen::Closed,
        (_, None) => Chosen::Full,
    }
}

/// Of the times on offer those of one day. A supplier may answer about other days than it was asked about, and whoever is booked for one of
/// those stands before the gate in vain. A time that names no day is of the day that was asked about.
fn of_day(offered: &[AvailabilityIn], day: Date, zone: TimeZone) -> Vec<&AvailabilityIn> {
    let on = |day_of: &dyn Fn(&AvailabilityIn) -> Option<Date>| -> Vec<&AvailabilityIn> {
        let is_meant = |one: &&AvailabilityIn| one.id.is_some() && day_of(one).is_none_or(|named| named == day);
        offered.iter().filter(is_meant).collect()
    };
    let there = on(&|one| day_in(one, zone));
    // Some write the time of the place as if it were UTC.
    if there.is_empty() { on(&written_day) } else { there }
}

/// The day of a time as it is written.
fn written_day(slot: &AvailabilityIn) -> Option<Date> {
    let day = |text: &String| Date::parse(text.get(..10)?);
    slot.local_date_time_start.as_ref().and_then(day).or_else(|| slot.local_date.as_ref().and_then(day))
}

/// The day of a time at the place: one that is told in UTC may be of the day beside the one that is written.
fn day_in(slot: &AvailabilityIn, zone: TimeZone) -> Option<Date> {
    let in_utc = slot.local_date_time_start.as_deref().filter(|start| start.ends_with('Z'));
    let moment = in_utc.and_then(UnixMillis::parse_rfc3339);
    moment.map(|at| zone.date_of(at)).or_else(|| written_day(slot))
}

/// Whether the last moment has passed at which a slot can be booked.
fn is_closed(slot: &AvailabilityIn, now: UnixMillis) -> bool {
    slot.utc_cutoff_at.as_deref().and_then(UnixMillis::parse_rfc3339).is_some_and(|last| last < now)
}

fn begins_at(slot: &AvailabilityIn, time: &str) -> bool {
    let start = slot.local_date_time_start.as_deref().and_then(|start| start.split_once('T'));
    start.is_some_and(|(_, clock)| clock.starts_with(time))
}

/// Whether there is room for the party that was asked for. Null means "not told", not none.
pub(super) fn has_room(slot: &AvailabilityIn) -> bool {
    let is_shut = matches!(slot.status.as_deref(), Some("SOLD_OUT" | "CLOSED"));
    slot.available.unwrap_or(true) && !is_shut
}

/// The visit that is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit<'a> {
    pub(super) date: Option<Date>,
    /// The time of day that the configuration or the channel names.
    pub(super) time: Option<&'a str>,
    /// The slot that was chosen in this conversation: its id, and when it begins.
    pub(super) chosen: Option<(&'a str, Option<&'a str>)>,
}

/// Whether a booking is for another day or time, as far as it says for which.
pub(super) fn is_another_visit(found: &BookingIn, visit: Visit<'_>) -> bool {
    // What was chosen is held against the day, too: that the supplier booked it says nothing of the guest's day.
    if visit.chosen.and_then(|(_, begins)| begins).is_some_and(|begins| is_another_day(begins, visit.date)) {
        return true;
    }
    let slot = found.availability.as_ref();
    let Some(start) = slot.and_then(|slot| slot.local_date_time_start.as_deref().or(slot.local_date.as_deref())) else {
        let id = found.availability_id.as_deref();
        return visit.chosen.is_some_and(|(chosen, _)| id.is_some_and(|id| id != chosen));
    };
    if let Some((_, Some(chosen))) = visit.chosen {
        return !same_start(chosen, start);
    }
    let clock = start.split_once('T').map(|(_, clock)| clock);
    let is_another_time = |time| clock.is_some_and(|clock| !start.ends_with('Z') && !clock.starts_with(time));
    is_another_day(start, visit.date) || visit.time.is_some_and(is_another_time)
}

/// Whether a start is on another day than is meant, as far as it names one. Told in UTC it may stand under the day beside it.
fn is_another_day(start: &str, meant: Option<Date>) -> bool {
    let beside = i64::from(start.ends_with('Z'));
    let day = start.get(..10).and_then(Date::parse);
    meant.zip(day).is_some_and(|(meant, day)| day.days_since(meant).abs() > beside)
}

/// Whether two texts name one start: to the minute as they stand, by the day alone where one names no more, or the same moment.
fn same_start(a: &str, b: &str) -> bool {
    let minute = |text: &str| text.get(..16).map(str::to_owned);
    let moment = UnixMillis::parse_rfc3339;
    a == b
        || minute(a).is_some_and(|at| minute(b) == Some(at))
        || a.get(..10) == Some(b)
        || moment(a).is_some_and(|at| moment(b) == Some(at))
}

/// Whom the supplier may expect.
pub(super) fn contact(order: &Order, booking: &Booking) -> Result<ContactOut, EncodeError> {
    let people: Vec<&Person> = people(order, booking);
    if people.iter().any(|person| person.has_remote_cipher()) {
        return Err(EncodeError::Missing("guests' data in clear yet: the channel has still to decrypt it"));
    }
    Ok(told_of(people))
}

/// Everybody of an order, in the order in which they speak for it.
fn people<'a>(order: &'a Order, booking: &'a Booking) -> Vec<&'a Person> {
    booking.contact.iter().chain(&booking.visitors).chain([&order.buyer]).collect()
}

/// The first name and the first phone among these people.
fn told_of<'a>(people: impl IntoIterator<Item = &'a Person> + Clone) -> ContactOut {
    let name = people.clone().into_iter().find_map(|person| person.name.as_ref()).map(Personal::reveal).map(str::trim);
    let phone = people.into_iter().find_map(|person| person.phone.as_ref()).map(Personal::reveal).map(str::to_owned);
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return ContactOut { phone_number: phone, ..ContactOut::default() };
    };
    let (first, last) = parts(name);
    ContactOut { full_name: Some(name.to_owned()), first_name: Some(first), last_name: Some(last), phone_number: phone }
}

/// Who comes with each of `count` units, as far as a unit requires it: no guest's data goes out that nobody asks for. Of a guest of whom the
/// channel told nothing, whoever booked is told. `None` where nothing is required, or nobody's data is in clear yet.
pub(super) fn unit_contacts(
    order: &Order,
    booking: &Booking,
    required: &[String],
    count: usize,
) -> Option<Vec<ContactOut>> {
    let all = people(order, booking);
    if required.is_empty() || all.iter().any(|person| person.has_remote_cipher()) {
        return None;
    }
    let one = |index: usize| {
        let people: Vec<&Person> = booking.visitors.get(index).into_iter().chain(all.iter().copied()).collect();
        told_of(people).only(required)
    };
    Some((0..count).map(one).collect())
}

/// What a unit wants to know of each guest, as the product says it.
pub(super) fn required_of_guests<'a>(product: &'a ProductIn, option: &str, unit: &str) -> &'a [String] {
    let option = product.options.iter().find(|known| known.id == option);
    let unit = option.and_then(|option| option.units.iter().find(|known| known.id == unit));
    unit.map_or(&[], |unit| unit.required_contact_fields.as_slice())
}

/// First and last name. Names without a space are written family name first where they are written so.
fn parts(name: &str) -> (String, String) {
    if let Some((first, last)) = name.rsplit_once(char::is_whitespace) {
        return (first.trim().to_owned(), last.to_owned());
    }
    let mut chars = name.chars();
    match chars.next() {
        Some(family) if !family.is_ascii() && chars.clone().next().is_some() => (chars.collect(), family.to_string()),
        _ => (name.to_owned(), name.to_owned()),
    }
}

/// The booking that a push is about: its uuid, wherever the two generations of pushes write it. Nothing else of a push is believed.
pub(super) fn hinted(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = one_reading::json(body).ok()?;
    let found = ["/uuid", "/data/uuid", "/booking/uuid"].into_iter().find_map(|path| body.pointer(path)?.as_str());
    let is_uuid = |text: &&str| text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    found.filter(is_uuid).map(str::to_owned)
}
