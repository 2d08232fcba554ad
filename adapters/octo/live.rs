// SPDX-License-Identifier: Apache-2.0

//! What can be asked of a supplier before the first sale: who it is, whether the key is good, and whether everything that the products
//! name is there. No question changes anything; a hold is made and released only where that is asked for.

use ticketbridge_core::port::{Call, Context, HttpResponse, LiveCheck, LiveFinding, LiveProduct};
use ticketbridge_core::product::{BackendTerms, Slot};

use super::answer::{self, Heard};
use super::calls;
use super::map::{self, Standing};
use super::supplier::{Octo, split};
use super::wire::{AvailabilityIn, BookingIn, OptionIn, ProductIn};
use crate::uuids as ids;

/// Days that must not all be full.
const DAYS_AHEAD: i64 = 7;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Supplier,
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
    free: Option<(ticketbridge_core::time::Date, Option<String>)>,
    holds: bool,
    /// The booking that is held, for its release.
    uuid: String,
    findings: Vec<LiveFinding>,
}

impl<'a> Live<'a> {
    pub(super) fn new(octo: &'a Octo, products: &'a [LiveProduct<'a>], holds: bool, nonce: [u8; 16]) -> Self {
        let uuid = ids::booking(&octo.id, &format!("live-check-{}", hex::encode(nonce)), 1);
        let (product, free, findings) = (None, None, Vec::new());
        Self { octo, products, index: 0, ask: Ask::Supplier, product, free, holds, uuid, findings }
    }

    fn current(&self) -> Option<(&'a LiveProduct<'a>, &'a str, std::borrow::Cow<'a, BackendTerms>)> {
        let product = self.products.get(self.index)?;
        let (id, terms) = split(product.product, product.terms);
        Some((product, id, terms))
    }

    fn wrong(&mut self, sentence: impl Into<String>) {
        self.find(false, sentence.into());
    }
    fn warn(&mut self, sentence: impl Into<String>) {
        self.find(true, sentence.into());
    }
    fn find(&mut self, warning: bool, sentence: String) {
        let about = match self.ask {
            Ask::Supplier | Ask::Over => None,
            Ask::Product | Ask::Calendar | Ask::Slots | Ask::Hold | Ask::Release | Ask::Released => {
                self.products.get(self.index).map(|product| product.code)
            }
        };
        let sentence = about.map_or(sentence.clone(), |code| format!("product {code}: {sentence}"));
        self.findings.push(LiveFinding { warning, sentence });
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
            Heard::KeyRefused(why) => {
                self.wrong(format!("the key is not accepted ({why}); replace `key`"));
                return self.ask = Ask::Over;
            }
            Heard::Absent(_) => {
                let other = if self.octo.supplier_path == "supplier" { "suppliers" } else { "supplier" };
                self.warn(format!(
                    "there is no /{}; perhaps supplier_path = \"{other}\" is meant",
                    self.octo.supplier_path
                ));
            }
            other => self.warn(format!("the supplier does not say who it is ({})", said(&other))),
        }
        self.ask = if self.products.is_empty() { Ask::Over } else { Ask::Product };
    }

    fn heard_product(&mut self, response: &HttpResponse) {
        let Some((configured, id, terms)) = self.current() else { return self.ask = Ask::Over };
        let product = match answer::read::<ProductIn>(response) {
            Heard::Said(product) if product.id == id => product,
            Heard::KeyRefused(why) => {
                self.wrong(format!("the key is not accepted ({why}); replace `key`"));
                return self.ask = Ask::Over;
            }
            Heard::Said(_) => {
                self.wrong(format!("the supplier answers about another product than {id}"));
                return self.go_on();
            }
            other => {
                self.wrong(format!("the supplier does not know the product {id} ({})", said(&other)));
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
            return self.wrong(format!("the supplier has no option {option_id}; it has {}", names(&product.options)));
        };
        match map::unit_id(terms, Some(product), &option_id) {
            Err(error) => self.wrong(format!("{error}; it has {}", unit_names(option))),
            Ok(unit) if !option.units.is_empty() && !option.units.iter().any(|known| known.id == unit) => {
                self.wrong(format!("option {option_id} has no unit {unit}; it has {}", unit_names(option)));
            }
            Ok(_) => {}
        }
        for (kind, unit) in &terms.units {
            if !option.units.is_empty() && !option.units.iter().any(|known| known.id == *unit) {
                self.wrong(format!("units.{kind} is {unit}, which option {option_id} does not have"));
            }
        }
        let times = &option.availability_local_start_times;
        match &terms.slot {
            Slot::At(time) if !times.is_empty() && !times.iter().any(|known| known.starts_with(time.as_str())) => {
                self.wrong(format!("slot is {time}, and visits begin at {}", times.join(", ")));
            }
            Slot::Only if times.len() > 1 => {
                self.wrong(format!(
                    "slot is \"only\", and visits begin at {}: name one, or \"first\"",
                    times.join(", ")
                ));
            }
            Slot::At(_) | Slot::Only | Slot::First | Slot::Channel => {}
        }
        let restrictions = option.restrictions.as_ref();
        let (low, high) = restrictions.map_or((None, None), |r| (r.min_units, r.max_units));
        let units = u64::from(configured.visitors_per_unit);
        if low.is_some_and(|low| units < low) || high.is_some_and(|high| units > high) {
            self.wrong(format!(
                "one copy books {units} units; the option takes {} to {}",
                low.map_or("1".to_owned(), |low| low.to_string()),
                high.map_or("any number".to_owned(), |high| high.to_string())
            ));
        }
        let missing: Vec<&str> =
            option.required_contact_fields.iter().map(String::as_str).filter(|f| !is_sent(f)).collect();
        if !missing.is_empty() {
            self.wrong(format!("the option requires {} of the contact, which no channel tells", missing.join(", ")));
        }
        if !product.delivery_formats.is_empty()
            && !product.delivery_formats.iter().any(|f| self.octo.formats.contains(f))
        {
            self.wrong(format!(
                "tickets come as {}, none of which is among `formats`",
                product.delivery_formats.join(", ")
            ));
        }
        if product.instant_confirmation == Some(false) {
            self.warn(
                "the supplier may confirm later (instantConfirmation is false): a risk for the ticketing deadline",
            );
        }
        if product.instant_delivery == Some(false) {
            self.warn("tickets may come later (instantDelivery is false): a risk for the ticketing deadline");
        }
    }

    fn heard_calendar(&mut self, response: &HttpResponse, cx: &Context<'_>) {
        match answer::read::<Vec<AvailabilityIn>>(response) {
            Heard::Said(days) => {
                let free = days.iter().filter(|day| map::has_room(day));
                let dates =
                    free.filter_map(|day| day.local_date.as_deref().and_then(ticketbridge_core::time::Date::parse));
                self.free = dates.min().map(|date| (date, None));
                if self.free.is_none() {
                    let today = map::zone_of(self.product.as_ref(), self.octo.time_zone).date_of(cx.now);
                    self.warn(format!("nothing is free from {today} to {}", today.plus_days(DAYS_AHEAD)));
                }
            }
            other => self.wrong(format!("what is free cannot be asked ({})", said(&other))),
        }
        if self.holds && self.free.is_some() { self.ask = Ask::Slots } else { self.go_on() }
    }

    fn heard_slots(&mut self, response: &HttpResponse) {
        let Some((_, _, terms)) = self.current() else { return self.ask = Ask::Over };
        match answer::read::<Vec<AvailabilityIn>>(response) {
            Heard::Said(slots) => match map::choose(&slots, of_any_time(&terms.slot), None) {
                map::Chosen::One(id) => {
                    self.free = self.free.take().map(|(date, _)| (date, Some(id)));
                    return self.ask = Ask::Hold;
                }
                map::Chosen::Full | map::Chosen::NoneAt | map::Chosen::Untold => {
                    self.warn("no time of the first free day has room; nothing is held")
                }
                map::Chosen::Several => self.wrong("there are several times on a day; name one as `slot`"),
            },
            other => self.wrong(format!("the times of a day cannot be asked ({})", said(&other))),
        }
        self.go_on();
    }

    /// One hold is enough for each supplier.
    fn heard_hold(&mut self, response: &HttpResponse) {
        self.holds = false;
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) => {
                self.judge_hold(&booking);
                self.ask = Ask::Release;
            }
            Heard::Unclear(why) => {
                self.wrong(format!("a hold was answered in a way that cannot be read ({why}); it is released"));
                self.ask = Ask::Release;
            }
            other => {
                self.wrong(format!("a hold is refused ({})", said(&other)));
                self.go_on();
            }
        }
    }

    fn judge_hold(&mut self, booking: &BookingIn) {
        if booking.test_mode.is_some_and(|is_test| is_test != self.octo.test_mode) {
            self.wrong(
                "the supplier's bookings are tests where real ones are expected, or the other way round (test_mode)",
            );
        }
        if map::standing(booking) != Standing::Held {
            self.warn(format!("a reservation is {} at once, without a hold", booking.status));
        }
    }

    fn heard_release(&mut self, response: &HttpResponse) {
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) if map::standing(&booking).is_over() => self.go_on(),
            _ => self.ask = Ask::Released,
        }
    }

    fn heard_released(&mut self, response: &HttpResponse) {
        match answer::booking(response, &self.uuid) {
            Heard::Said(booking) if !map::standing(&booking).is_over() => {
                self.wrong(format!("the hold {} could not be released; cancel it at the supplier", self.uuid));
            }
            Heard::Said(_) | Heard::Absent(_) | Heard::Refused(_) => {}
            Heard::OtherWords(_)
            | Heard::SlotGone(_)
            | Heard::Misconfigured(_)
            | Heard::KeyRefused(_)
            | Heard::Later(..)
            | Heard::Unclear(_) => {
                self.wrong(format!("whether the hold {} is released is not known; look at the supplier", self.uuid))
            }
        }
        self.go_on();
    }
}

impl LiveCheck for Live<'_> {
    fn next(&mut self, cx: &Context<'_>) -> Option<Call> {
        if self.ask == Ask::Supplier {
            return Some(calls::supplier(self.octo));
        }
        let (product, id, terms) = self.current()?;
        let option = map::option_id(&terms, self.product.as_ref()).to_owned();
        let today = map::zone_of(self.product.as_ref(), self.octo.time_zone).date_of(cx.now);
        let unit = map::unit_id(&terms, self.product.as_ref(), &option).unwrap_or_default();
        let count = usize::try_from(product.visitors_per_unit).unwrap_or(1).max(1);
        let party = calls::Party { unit: &unit, count };
        let (date, slot) = self.free.clone().unwrap_or((today, None));
        let call = match self.ask {
            Ask::Supplier | Ask::Over => return None,
            Ask::Product => calls::product(self.octo, id),
            Ask::Calendar => Ok(calls::calendar(self.octo, (id, &option), (today, today.plus_days(DAYS_AHEAD)))),
            Ask::Slots => Ok(calls::availability(self.octo, (id, &option), (date, date), Some(&party))),
            Ask::Hold => {
                let uuid = self.uuid.as_str();
                let held = calls::Reserve { uuid, product: (id, &option), availability: slot.as_deref(), party };
                Ok(calls::reserve(self.octo, &held, "ticketbridge check"))
            }
            Ask::Release => calls::cancel(self.octo, &self.uuid),
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
            Ask::Product => self.heard_product(response),
            Ask::Calendar => self.heard_calendar(response, cx),
            Ask::Slots => self.heard_slots(response),
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
                self.wrong(format!("a hold got no answer ({why}); it is released"));
                self.ask = Ask::Release;
            }
            Ask::Release => self.ask = Ask::Released,
            Ask::Released => {
                self.wrong(format!("whether the hold {} is released is not known; look at the supplier", self.uuid));
                self.go_on();
            }
            Ask::Supplier | Ask::Product | Ask::Calendar | Ask::Slots | Ask::Over => {
                self.wrong(format!("the supplier does not answer ({why})"));
                self.ask = Ask::Over;
            }
        }
    }

    fn findings(&self) -> &[LiveFinding] {
        &self.findings
    }
}

/// What we tell of a contact.
fn is_sent(field: &str) -> bool {
    matches!(field, "firstName" | "lastName" | "fullName" | "phoneNumber")
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
