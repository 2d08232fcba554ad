// SPDX-License-Identifier: Apache-2.0

//! What can be asked of a supplier before the first sale: who it is, whether the key is good, and whether everything that the products
//! name is there. No question changes anything; a hold is made and released only where that is asked for.

use ticketbridge_core::port::{Call, Context, HttpResponse, LiveCheck, LiveFinding, LiveProduct};
use ticketbridge_core::product::{BackendTerms, Slot};
use ticketbridge_core::time::{Date, TimeZone};

use super::answer::{self, Heard};
use super::calls;
use super::map::{self, Standing};
use super::supplier::{Octo, split};
use super::wire::{AvailabilityIn, BookingIn, CapabilityIn, ContactOut, OptionIn, ProductIn, UnitIn};
use crate::uuids as ids;

/// Days that must not all be full.
const DAYS_AHEAD: i64 = 7;
/// Extensions whose fields are read, or do no harm where nobody reads them. With any other that a supplier requires, its bookings want
/// something that nobody here knows.
const KNOWN: [&str; 2] = ["octo/pricing", "octo/content"];
/// Times that a hold's release is asked for.
const RELEASES_MAX: u32 = 2;
/// How to mend what only the supplier can.
const ASK: &str = "ask the supplier";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Supplier,
    Capabilities,
    Product,
    Calendar,
    Slots,
    Hold,
    Release,
    Released,
    Over,
}

pub(super) struct Live<'a> {
    octo: &'a Octo,
    products: &'a [LiveProduct<'a>],
    /// Which of the products is looked at.
    index: usize,
    ask: Ask,
    product: Option<ProductIn>,
    /// The first day with room, and the time on it.
    free: Option<(Date, Option<String>)>,
    holds: bool,
    /// The booking that is held, for its release.
    uuid: String,
    /// How often its release was asked for.
    releases: u32,
    findings: Vec<LiveFinding>,
    done: Vec<String>,
}

impl<'a> Live<'a> {
    pub(super) fn new(octo: &'a Octo, products: &'a [LiveProduct<'a>], holds: bool, nonce: [u8; 16]) -> Self {
        let uuid = ids::booking(&octo.id, &format!("live-check-{}", hex::encode(nonce)), 1);
        let (product, free, releases, findings, done) = (None, None, 0, Vec::new(), Vec::new());
        Self { octo, products, index: 0, ask: Ask::Supplier, product, free, holds, uuid, releases, findings, done }
    }

    fn current(&self) -> Option<(&'a LiveProduct<'a>, &'a str, std::borrow::Cow<'a, BackendTerms>)> {
        let product = self.products.get(self.index)?;
        let (id, terms) = split(product.product, product.terms);
        Some((product, id, terms))
    }

    /// In which zone the product's days are counted.
    fn zone(&self) -> TimeZone {
        map::zone_of(self.product.as_ref(), self.octo.time_zone)
    }

    /// Something that does not work; a sentence, and how to mend it.
    fn wrong(&mut self, sentence: impl Into<String>, mend: impl Into<String>) {
        self.find(false, sentence.into(), mend.into());
    }
    /// Something that works, and should not stay.
    fn warn(&mut self, sentence: impl Into<String>, mend: impl Into<String>) {
        self.find(true, sentence.into(), mend.into());
    }
    fn find(&mut self, warning: bool, sentence: String, mend: String) {
        let product = match self.ask {
            Ask::Supplier | Ask::Capabilities | Ask::Over => None,
            Ask::Product | Ask::Calendar | Ask::Slots | Ask::Hold | Ask::Release | Ask::Released => {
                self.products.get(self.index).map(|product| product.code.to_owned())
            }
        };
        self.findings.push(LiveFinding { warning, product, sentence, mend });
    }

    /// The key is refused: nothing else can be asked.
    fn key_refused(&mut self, why: &str) {
        self.wrong(format!("the key is not accepted ({why})"), "replace `key`");
        self.ask = Ask::Over;
    }

    /// The next product, or the end.
    fn go_on(&mut self) {
        self.index += 1;
        (self.product, self.free) = (None, None);
        self.ask = if self.index < self.products.len() { Ask::Product } else { Ask::Over };
    }

    fn heard_supplier(&mut self, response: &HttpResponse) {
        match answer::read::<serde_json::Value>(response) {
            Heard::Said(_) => {}
            Heard::KeyRefused(why) => return self.key_refused(&why),
            Heard::Absent(_) => {
                let other = if self.octo.supplier_path == "supplier" { "suppliers" } else { "supplier" };
                let mend = format!("perhaps supplier_path = \"{other}\" is meant");
                self.warn(format!("there is no /{}", self.octo.supplier_path), mend);
            }
            other => self.warn(format!("the supplier does not say who it is ({})", said(&other)), ASK),
        }
        self.ask = Ask::Capabilities;
    }

    /// What the supplier cannot do without, and what is wanted of it.
    fn heard_capabilities(&mut self, response: &HttpResponse) {
        let asked = self.octo.capabilities.to_str().unwrap_or_default();
        let asked: Vec<String> =
            asked.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
        match answer::read::<Vec<CapabilityIn>>(response) {
            Heard::Said(offered) => self.compare_capabilities(&asked, &offered),
            Heard::KeyRefused(why) => return self.key_refused(&why),
            // It has none, or does not say which; where none is wanted, that is no fault.
            _ if asked.is_empty() => {}
            other => {
                let sentence = format!("the supplier does not say what it can do ({})", said(&other));
                self.warn(sentence, "ask it whether it knows what `capabilities` names");
            }
        }
        self.ask = if self.products.is_empty() { Ask::Over } else { Ask::Product };
    }

    fn compare_capabilities(&mut self, asked: &[String], offered: &[CapabilityIn]) {
        for CapabilityIn { id, .. } in offered.iter().filter(|capability| capability.required) {
            if !KNOWN.contains(&id.as_str()) {
                let sentence = format!("the supplier requires {id}, which is not known here");
                self.wrong(sentence, "ask it for bookings without that; its products cannot be sold otherwise");
            } else if !asked.contains(id) {
                let sentence = format!("the supplier requires {id}, and it is not asked for");
                self.wrong(sentence, format!("add \"{id}\" to `capabilities`"));
            }
        }
        for id in asked.iter().filter(|id| !offered.iter().any(|capability| capability.id == **id)) {
            let has = offered.iter().map(|capability| capability.id.as_str()).collect::<Vec<_>>().join(", ");
            let has = if has.is_empty() { "none".to_owned() } else { has };
            let sentence = format!("the supplier does not offer {id}, which is asked for; it has {has}");
            self.wrong(sentence, "take it out of `capabilities`");
        }
    }

    fn heard_product(&mut self, response: &HttpResponse) {
        let Some((configured, id, terms)) = self.current() else { return self.ask = Ask::Over };
        let product = match answer::read::<ProductIn>(response) {
            Heard::Said(product) if product.id == id => product,
            Heard::KeyRefused(why) => return self.key_refused(&why),
            Heard::Said(_) => {
                self.wrong(format!("the supplier answers about another product than {id}"), ASK);
                return self.go_on();
            }
            other @ (Heard::Absent(_) | Heard::Misconfigured(_) | Heard::Refused(_) | Heard::OtherWords(_)) => {
                let sentence = format!("the supplier does not know the product {id} ({})", said(&other));
                self.wrong(sentence, "write the id that it has for it into `ticketing`");
                return self.go_on();
            }
            other @ (Heard::Later(..) | Heard::Unclear(_) | Heard::SlotGone(_)) => {
                self.wrong(format!("the supplier does not tell of the product {id} ({})", said(&other)), ASK);
                return self.go_on();
            }
        };
        self.compare(configured, &terms, &product);
        let needs_calendar = product.availability_required;
        self.product = Some(product);
        if needs_calendar { self.ask = Ask::Calendar } else { self.go_on() }
    }

    /// What the product's file names, against what is on sale there.
    fn compare(&mut self, configured: &LiveProduct<'_>, terms: &BackendTerms, product: &ProductIn) {
        let option_id = map::option_id(terms, Some(product)).to_owned();
        let Some(option) = product.options.iter().find(|option| option.id == option_id) else {
            let sentence = format!("the supplier has no option {option_id}; it has {}", names(&product.options));
            return self.wrong(sentence, "name one of those in `ticketing`");
        };
        self.compare_units(configured, terms, product, option);
        self.compare_times(terms, option);
        let restrictions = option.restrictions.as_ref();
        let (low, high) = restrictions.map_or((None, None), |r| (r.min_units, r.max_units));
        let units = u64::from(configured.visitors_per_unit);
        if let Some(range) = not_among(units, low, high) {
            let sentence = format!("one copy books {units} units; the option takes {range}");
            self.wrong(sentence, "change visitors_per_unit, or name another option");
        }
        let missing = not_told(&option.required_contact_fields);
        if !missing.is_empty() {
            let sentence = format!("the option requires {} of the contact, which no channel tells", missing.join(", "));
            self.wrong(sentence, "ask the supplier to do without it, or name another option");
        }
        let formats = &product.delivery_formats;
        if !formats.is_empty() && !formats.iter().any(|format| self.octo.formats.contains(format)) {
            let sentence = format!("tickets come as {}, none of which is among `formats`", formats.join(", "));
            self.wrong(sentence, "add one of them");
        }
        let slow = "set a ticketing deadline that allows for it";
        if product.instant_confirmation == Some(false) {
            let sentence =
                "the supplier may confirm later (instantConfirmation is false): a risk for the ticketing deadline";
            self.warn(sentence, slow);
        }
        if product.instant_delivery == Some(false) {
            self.warn("tickets may come later (instantDelivery is false): a risk for the ticketing deadline", slow);
        }
    }

    fn compare_units(
        &mut self,
        configured: &LiveProduct<'_>,
        terms: &BackendTerms,
        product: &ProductIn,
        option: &OptionIn,
    ) {
        let chosen = map::unit_id(terms, Some(product), &option.id);
        let has = unit_names(option);
        let is_known = |unit: &str| option.units.is_empty() || option.units.iter().any(|known| known.id == unit);
        let name_one = "name one of those in `units`";
        match &chosen {
            Err(error) => self.wrong(format!("{error}; it has {has}"), name_one),
            Ok(unit) if !is_known(unit) => {
                self.wrong(format!("option {} has no unit {unit}; it has {has}", option.id), name_one);
            }
            Ok(_) => {}
        }
        for (kind, unit) in terms.units.iter().filter(|(_, unit)| !is_known(unit)) {
            self.wrong(format!("units.{kind} is {unit}, which option {} does not have", option.id), name_one);
        }
        // Every visitor is booked as one and the same unit: one that goes only beside another would be refused.
        let mut wanted: Vec<&str> = chosen.iter().chain(terms.units.values()).map(String::as_str).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for unit in wanted {
            let Some(known) = option.units.iter().find(|known| known.id == unit) else { continue };
            self.compare_unit(configured, known);
            let restrictions = known.restrictions.as_ref();
            let with = restrictions.and_then(|it| it.accompanied_by.as_deref()).unwrap_or_default();
            if !with.is_empty() && !with.iter().any(|other| other == unit) {
                let with = with.join(" or ");
                let sentence = format!("unit {unit} is sold together with {with} only, and would be booked alone");
                self.wrong(sentence, "name a unit in `units` that goes alone");
            }
        }
    }

    /// How many of a unit are sold at once, and what it wants of each guest.
    fn compare_unit(&mut self, configured: &LiveProduct<'_>, unit: &UnitIn) {
        let books = u64::from(configured.visitors_per_unit);
        let (low, high) = unit.restrictions.as_ref().map_or((None, None), |it| (it.min_quantity, it.max_quantity));
        if let Some(range) = not_among(books, low, high) {
            let sentence = format!("one copy books {books} of unit {}, which is sold {range} at once", unit.id);
            self.wrong(sentence, "change visitors_per_unit, or name another unit");
        }
        if let Some((price, currency)) = configured.sold_for
            && let Some(each) = map::cost_from(unit, currency)
            && let Some(cost) = each.checked_mul(i64::try_from(books).unwrap_or(i64::MAX))
            && cost > price
        {
            let (asks, price) = (currency.shown(cost), currency.shown(price));
            let sentence = format!("the supplier asks {asks} at least for one copy, which is sold for {price}");
            self.warn(sentence, "look at its price, there and here");
        }
        let missing = not_told(&unit.required_contact_fields);
        if !missing.is_empty() {
            let sentence =
                format!("unit {} requires {} of each guest, which no channel tells", unit.id, missing.join(", "));
            self.wrong(sentence, "ask the supplier to do without it, or name another unit");
        }
    }

    fn compare_times(&mut self, terms: &BackendTerms, option: &OptionIn) {
        let times = &option.availability_local_start_times;
        match &terms.slot {
            Slot::At(time) if !times.is_empty() && !times.iter().any(|known| known.starts_with(time.as_str())) => {
                let sentence = format!("slot is {time}, and visits begin at {}", times.join(", "));
                self.wrong(sentence, "name one of those as `slot`");
            }
            Slot::Only if times.len() > 1 => {
                let sentence = format!("slot is \"only\", and visits begin at {}", times.join(", "));
                self.wrong(sentence, "name one of those as `slot`, or \"first\"");
            }
            Slot::At(_) | Slot::Only | Slot::First | Slot::Channel => {}
        }
    }

    fn heard_calendar(&mut self, response: &HttpResponse, cx: &Context<'_>) {
        match answer::read::<Vec<AvailabilityIn>>(response) {
            Heard::Said(days) => {
                let today = self.zone().date_of(cx.now);
                let asked = today..=today.plus_days(DAYS_AHEAD);
                let free = days.iter().filter(|day| map::has_room(day));
                let dates = free.filter_map(|day| day.local_date.as_deref().and_then(Date::parse));
                self.free = dates.filter(|date| asked.contains(date)).min().map(|date| (date, None));
                if self.free.is_none() {
                    self.warn(format!("nothing is free from {today} to {}", today.plus_days(DAYS_AHEAD)), ASK);
                }
            }
            other => self.wrong(format!("what is free cannot be asked ({})", said(&other)), ASK),
        }
        if self.holds && self.free.is_some() { self.ask = Ask::Slots } else { self.go_on() }
    }

    fn heard_slots(&mut self, response: &HttpResponse, cx: &Context<'_>) {
        let Some((_, _, terms)) = self.current() else { return self.ask = Ask::Over };
        let now = response.date().unwrap_or(cx.now);
        let day = self.free.as_ref().map_or_else(|| self.zone().date_of(cx.now), |(date, _)| *date);
        match answer::read::<Vec<AvailabilityIn>>(response) {
            Heard::Said(slots) => match map::choose(&slots, (day, self.zone()), of_any_time(&terms.slot), None, now) {
                map::Chosen::One(id, _) => {
                    self.free = self.free.take().map(|(date, _)| (date, Some(id)));
                    return self.ask = Ask::Hold;
                }
                map::Chosen::Full | map::Chosen::Closed | map::Chosen::NoneAt | map::Chosen::Untold => {
                    self.warn("no time of the first free day has room; nothing is held", ASK);
                }
                map::Chosen::Several => self.wrong("there are several times on a day", "name one as `slot`"),
            },
            other => self.wrong(format!("the times of a day cannot be asked ({})", said(&other)), ASK),
        }
        self.go_on();
    }

    /// One hold is enough for each supplier.
    fn heard_hold(&mut self, response: &HttpResponse) {
        self.holds = false;
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) => {
                self.judge_hold(&booking);
                let code = self.products.get(self.index).map_or("", |product| product.code);
                let day = self.free.as_ref().map(|(date, _)| date.to_string()).unwrap_or_default();
                self.done.push(format!("product {code}: a place was held on {day}, as booking {}", self.uuid));
                self.ask = Ask::Release;
            }
            Heard::Unclear(why) => {
                self.wrong(format!("a hold was answered in a way that cannot be read ({why}); it is released"), ASK);
                self.ask = Ask::Release;
            }
            other => {
                self.wrong(format!("a hold is refused ({})", said(&other)), ASK);
                self.go_on();
            }
        }
    }

    fn judge_hold(&mut self, booking: &BookingIn) {
        if booking.test_mode.is_some_and(|is_test| is_test != self.octo.test_mode) {
            self.wrong(
                "the supplier's bookings are tests where real ones are expected, or the other way round",
                "change `test_mode`, or the key",
            );
        }
        let asked = self.free.as_ref().map(|(date, slot)| (*date, slot.as_deref().map(|slot| (slot, None))));
        if let Some((date, chosen)) = asked {
            let visit = map::Visit { date: Some(date), time: None, chosen };
            if map::is_another_visit(booking, visit) {
                self.wrong(format!("a hold for {date} is one for another day or time"), ASK);
            }
        }
        if map::standing(booking) != Standing::Held {
            self.warn(format!("a reservation is {} at once, without a hold", booking.status), ASK);
        }
    }

    fn heard_release(&mut self, response: &HttpResponse) {
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) if map::standing(&booking).is_over() => self.released(),
            _ => self.ask = Ask::Released,
        }
    }

    fn heard_released(&mut self, response: &HttpResponse) {
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) if !map::standing(&booking).is_over() => {
                if self.releases < RELEASES_MAX {
                    return self.ask = Ask::Release;
                }
                self.wrong(format!("the hold {} could not be released", self.uuid), "cancel it at the supplier");
                self.go_on();
            }
            Heard::Said(_) | Heard::Absent(_) | Heard::Refused(_) => self.released(),
            Heard::OtherWords(_)
            | Heard::SlotGone(_)
            | Heard::Misconfigured(_)
            | Heard::KeyRefused(_)
            | Heard::Later(..)
            | Heard::Unclear(_) => self.release_unknown(),
        }
    }

    /// Nothing is left of the hold.
    fn released(&mut self) {
        self.done.push(format!("the hold {} was released", self.uuid));
        self.go_on();
    }
    /// Nobody knows: it is asked for once more, since a hold that stays keeps a place from guests.
    fn release_unknown(&mut self) {
        if self.releases < RELEASES_MAX {
            return self.ask = Ask::Release;
        }
        self.wrong(format!("whether the hold {} is released is not known", self.uuid), "look at the supplier");
        self.go_on();
    }
}

impl LiveCheck for Live<'_> {
    fn next(&mut self, cx: &Context<'_>) -> Option<Call> {
        if self.ask == Ask::Supplier {
            return Some(calls::supplier(self.octo));
        }
        if self.ask == Ask::Capabilities {
            return Some(calls::capabilities(self.octo));
        }
        let (product, id, terms) = self.current()?;
        let option = map::option_id(&terms, self.product.as_ref()).to_owned();
        let today = self.zone().date_of(cx.now);
        let unit = map::unit_id(&terms, self.product.as_ref(), &option).unwrap_or_default();
        let count = usize::try_from(product.visitors_per_unit).unwrap_or(1).max(1);
        let party = calls::Party { unit: &unit, count };
        let sold_for = product.sold_for.filter(|_| self.octo.spec.table.price_check);
        let currency = sold_for.map(|(_, currency)| currency.0.as_str());
        let (date, slot) = self.free.clone().unwrap_or((today, None));
        let call = match self.ask {
            Ask::Supplier | Ask::Capabilities | Ask::Over => return None,
            Ask::Product => calls::product(self.octo, id),
            Ask::Calendar => Ok(calls::calendar(self.octo, (id, &option), (today, today.plus_days(DAYS_AHEAD)))),
            Ask::Slots => Ok(calls::availability(self.octo, (id, &option), (date, date), Some(&party), currency)),
            Ask::Hold => {
                let uuid = self.uuid.as_str();
                let units =
                    calls::Unit::of_party(uuid, &party, stand_ins(self.product.as_ref(), (&option, &unit), count));
                let held =
                    calls::Reserve { uuid, product: (id, &option), availability: slot.as_deref(), units, currency };
                Ok(calls::reserve(self.octo, held, "ticketbridge check"))
            }
            Ask::Release => {
                self.releases += 1;
                calls::cancel(self.octo, &self.uuid)
            }
            Ask::Released => calls::read(self.octo, &self.uuid),
        };
        match call {
            Ok(call) => Some(call),
            // A name that cannot stand in an address is a finding; the next product is asked about.
            Err(error) => {
                self.unanswered(&error.to_string());
                self.next(cx)
            }
        }
    }

    fn answered(&mut self, response: &HttpResponse, cx: &Context<'_>) {
        match self.ask {
            Ask::Supplier => self.heard_supplier(response),
            Ask::Capabilities => self.heard_capabilities(response),
            Ask::Product => self.heard_product(response),
            Ask::Calendar => self.heard_calendar(response, cx),
            Ask::Slots => self.heard_slots(response, cx),
            Ask::Hold => self.heard_hold(response),
            Ask::Release => self.heard_release(response),
            Ask::Released => self.heard_released(response),
            Ask::Over => {}
        }
    }

    fn unanswered(&mut self, why: &str) {
        match self.ask {
            Ask::Hold => {
                self.holds = false;
                self.wrong(format!("a hold got no answer ({why}); it is released"), ASK);
                self.ask = Ask::Release;
            }
            Ask::Release => self.ask = Ask::Released,
            Ask::Released => self.release_unknown(),
            Ask::Supplier | Ask::Capabilities | Ask::Product | Ask::Calendar | Ask::Slots | Ask::Over => {
                self.wrong(format!("the supplier does not answer ({why})"), "look at `base_url`, and ask the supplier");
                self.ask = Ask::Over;
            }
        }
    }

    fn findings(&self) -> &[LiveFinding] {
        &self.findings
    }

    fn done(&self) -> &[String] {
        &self.done
    }
}

/// The numbers that are taken, in words, where `number` is none of them.
fn not_among(number: u64, low: Option<u64>, high: Option<u64>) -> Option<String> {
    let is_outside = low.is_some_and(|low| number < low) || high.is_some_and(|high| number > high);
    let high = high.map_or("any number".to_owned(), |high| high.to_string());
    is_outside.then(|| format!("{} to {high}", low.unwrap_or(1)))
}

/// Nobody comes: what a hold has to say of guests, where units want it, is that this is a check.
fn stand_ins(product: Option<&ProductIn>, (option, unit): (&str, &str), count: usize) -> Vec<ContactOut> {
    let required = product.map_or(&[][..], |product| map::required_of_guests(product, option, unit));
    let nobody = ContactOut {
        full_name: Some("ticketbridge check".to_owned()),
        first_name: Some("check".to_owned()),
        last_name: Some("ticketbridge".to_owned()),
        phone_number: Some("+10000000000".to_owned()),
    };
    let one = nobody.only(required);
    if one == ContactOut::default() { Vec::new() } else { vec![one; count] }
}

/// Those of the fields of a contact that we cannot tell.
fn not_told(required: &[String]) -> Vec<&str> {
    let is_told = |field: &str| matches!(field, "firstName" | "lastName" | "fullName" | "phoneNumber");
    required.iter().map(String::as_str).filter(|field| !is_told(field)).collect()
}

fn names(options: &[OptionIn]) -> String {
    if options.is_empty() {
        "none".to_owned()
    } else {
        options.iter().map(|o| o.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn unit_names(option: &OptionIn) -> String {
    if option.units.is_empty() {
        "none".to_owned()
    } else {
        option.units.iter().map(|u| u.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn said<T>(heard: &Heard<T>) -> &str {
    match heard {
        Heard::Said(_) => "an answer",
        Heard::Absent(why)
        | Heard::Refused(why)
        | Heard::OtherWords(why)
        | Heard::SlotGone(why)
        | Heard::Misconfigured(why)
        | Heard::KeyRefused(why)
        | Heard::Later(why, _)
        | Heard::Unclear(why) => why,
    }
}

/// What a channel is to say at each booking, nobody has said yet: any time will do.
fn of_any_time(slot: &Slot) -> &Slot {
    match slot {
        Slot::Channel => &Slot::First,
        Slot::Only | Slot::First | Slot::At(_) => slot,
    }
}
