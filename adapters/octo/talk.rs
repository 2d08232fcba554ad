// SPDX-License-Identifier: Apache-2.0

//! The conversation with a supplier: find out how things stand, and go on from there.
//!
//! Nothing is remembered between two attempts. The uuids are derived, so the supplier itself says what has become of them: the chain of
//! attempts is walked from the first one, past those that have ended, to the one that lives or the first that was never made. A write
//! whose outcome is not known is followed by a read, never by a guess, and a uuid is given up only after it was read as over.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ticketbridge_core::message::{Keeps, TicketFacts};
use ticketbridge_core::order::{Booking, Order, TicketingState};
use ticketbridge_core::port::{CallResult, Context, Conversation, EncodeError, HttpResponse, Silence, Turn};
use ticketbridge_core::product::{BackendTerms, RedeemWhen, Slot};
use ticketbridge_core::quoted::FreeText;
use ticketbridge_core::time::{Date, Millis, TimeZone, UnixMillis};

use super::answer::{self, Heard};
use super::calls;
use super::map::{self, Standing};
use super::supplier::{HoldAt, Octo, OnDeadline, RepeatReserve};
use super::wire::{AvailabilityIn, BookingIn, ContactOut, ProductIn};
use crate::uuids as ids;

/// Attempts to book that may end before a person has to look.
pub(super) const ATTEMPTS_MAX: u32 = 5;
/// Calls of one conversation; more means that the supplier contradicts itself.
const CALLS_MAX: u32 = 24;
/// Times that one write is sent in one conversation.
const WRITES_MAX: u32 = 2;
/// What is said of a booking that is not for the visit that was asked for.
const OTHER_VISIT: &str = "the supplier holds another day or time";
/// And of one for other guests than were told.
const OTHER_UNIT: &str = "the supplier holds units of another kind";
/// A hold that ends within this time is lengthened before it is confirmed.
const HOLD_MARGIN: Millis = Millis::seconds(60);

/// What the conversation is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Goal {
    /// Tickets are to be made.
    Issue,
    /// A place is to be held, and nothing more.
    Hold,
    /// How do they stand?
    Look,
    /// Nothing may be left that admits.
    Void,
    /// What was booked cannot be used: it is given back, and refused for this reason then. `at_once`: a person is to know why already while the
    /// supplier keeps it.
    Release { reason: FreeText, at_once: bool },
    /// The hold is over, whatever the supplier calls it, and it confirms none: it is given back, and the next one is asked for.
    Renew,
}

/// The call that is next, or whose answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// How does this attempt stand?
    Find,
    Product,
    Slots,
    Reserve,
    /// Did the reservation arrive?
    AfterReserve,
    Extend,
    Confirm,
    /// Did the confirmation arrive?
    AfterConfirm,
    /// Do the books show the sale that it was answered with?
    Proof,
    Cancel,
    /// Was it cancelled?
    AfterCancel,
}

/// How often each write was sent.
#[derive(Default)]
struct Sent {
    calls: u32,
    product: u32,
    slots: u32,
    reserve: u32,
    extend: u32,
    confirm: u32,
    cancel: u32,
    /// Confirmations that the supplier has refused in so many words.
    refused: u32,
}

pub(super) struct Talk<'a> {
    octo: &'a Octo,
    order: &'a Order,
    booking: &'a Booking,
    product_id: &'a str,
    terms: Cow<'a, BackendTerms>,
    goal: Goal,
    ask: Ask,
    attempt: u32,
    product: Option<ProductIn>,
    /// The day whose times were asked for.
    day: Option<Date>,
    /// The slot that was chosen: its id, and when it begins.
    availability: Option<(String, Option<String>)>,
    /// What is held under the present uuid, while it is a hold.
    held: Option<BookingIn>,
    /// What is sold under it, while the product is asked whether codes come at all.
    sold: Option<BookingIn>,
    /// The moment of the last answer, by the clock of whoever gave it.
    their_now: Option<UnixMillis>,
    sent: Sent,
    /// What the supplier said when it refused the last write.
    refusal: Option<String>,
    /// Why nobody knows what became of the last confirmation.
    trouble: Option<String>,
    /// What it answered to a write, which its books have still to show.
    said: Option<TicketFacts>,
    /// What it keeps of the price of what was cancelled.
    keeps: Option<Keeps>,
    /// That it costs more than it was sold for.
    remark: Option<FreeText>,
    /// An answer was about something else: unless a later one tells how it stands, a person hears of that.
    is_astray: bool,
    end: Option<CallResult<TicketFacts>>,
}

impl<'a> Talk<'a> {
    pub(super) fn new(
        octo: &'a Octo,
        order: &'a Order,
        booking: &'a Booking,
        (product_id, terms): (&'a str, Cow<'a, BackendTerms>),
        goal: Goal,
        resumed: bool,
    ) -> Self {
        // Nothing of a first attempt can be there, unless a place was held for it. Should it be after all, the supplier refuses the uuid, and
        // it is looked up.
        let ask = match goal {
            Goal::Hold => Ask::Product,
            Goal::Issue if !resumed && octo.hold_at == HoldAt::Ticketing => Ask::Product,
            Goal::Issue | Goal::Look | Goal::Void | Goal::Release { .. } | Goal::Renew => Ask::Find,
        };
        let (attempt, sent) = (1, Sent::default());
        let (product, availability, refusal, said, keeps, remark, end) = (None, None, None, None, None, None, None);
        let (day, held, sold, trouble, their_now, is_astray) = (None, None, None, None, None, false);
        Self {
            octo,
            order,
            booking,
            product_id,
            terms,
            goal,
            ask,
            attempt,
            product,
            day,
            availability,
            held,
            sold,
            their_now,
            sent,
            refusal,
            trouble,
            said,
            keeps,
            remark,
            is_astray,
            end,
        }
    }

    fn uuid(&self) -> String {
        ids::booking(&self.octo.id, self.booking.id.as_str(), self.attempt)
    }

    fn ends(&mut self, result: CallResult<TicketFacts>) {
        self.end = Some(match result {
            CallResult::Unknown { why } | CallResult::Retry { why, after: None } if self.is_astray => {
                CallResult::Astray { why }
            }
            other => other,
        });
    }
    fn done(&mut self, facts: TicketFacts) {
        let facts = match (facts, self.keeps) {
            (TicketFacts::Cancelled, Some(keeps)) => TicketFacts::CancelledKeeping { keeps },
            (facts, _) => facts,
        };
        self.ends(CallResult::Done(facts));
    }
    fn unknown(&mut self, why: impl Into<FreeText>) {
        self.ends(CallResult::Unknown { why: why.into() });
    }
    /// Again later. A supplier that names the time is left alone until then, also with the read that would tell what became of a write: whoever
    /// comes again begins with that read.
    fn retry(&mut self, why: impl Into<FreeText>, after: Option<Millis>) {
        self.ends(CallResult::Retry { why: why.into(), after });
    }
    fn refused(&mut self, reason: impl Into<FreeText>) {
        self.done(TicketFacts::Refused { reason: reason.into() });
    }

    /// The number of units that are booked: one for each visitor who is still to come.
    fn units(&self) -> usize {
        self.units_for(self.order.units_to_ticket())
    }

    fn units_for(&self, copies: u32) -> usize {
        let units = copies.saturating_mul(self.order.rules.booking.visitors_per_unit.max(1));
        usize::try_from(units).unwrap_or(usize::MAX)
    }

    /// Whether an attempt of ours may have asked for so many: units may have been cancelled or added since one whose answer was lost.
    fn may_have_asked_for(&self, units: usize) -> bool {
        self.order.units_maybe_ticketed(self.booking).any(|copies| self.units_for(copies) == units)
    }

    /// The copies that a booking is for: those of the order that live, or as many as lived when it was asked for.
    fn copies_of(&self, found: &BookingIn) -> u32 {
        let held = found.unit_items.as_ref().map_or(0, Vec::len);
        let mut copies = self.order.units_maybe_ticketed(self.booking);
        copies.find(|copies| self.units_for(*copies) == held).unwrap_or(self.order.quantity)
    }

    /// The day of the visit; today, where none is named.
    fn visit_day(&self, cx: &Context<'_>) -> Date {
        self.booking.visit_date.unwrap_or_else(|| self.zone().date_of(cx.now))
    }

    /// In which zone the product's days are counted.
    fn zone(&self) -> TimeZone {
        map::zone_of(self.product.as_ref(), self.octo.time_zone)
    }

    fn option_id(&self) -> &str {
        map::option_id(&self.terms, self.product.as_ref())
    }

    /// The present by the supplier's clock, which its holds and closing times are told by; by ours, where it tells none.
    fn now_there(&self, cx: &Context<'_>) -> UnixMillis {
        self.their_now.unwrap_or(cx.now)
    }

    /// In which currency prices are wanted, where the supplier tells them.
    fn currency(&self) -> Option<&str> {
        self.octo.spec.table.price_check.then_some(&self.order.money.currency.0)
    }

    /// That the supplier asks more for a booking than it was sold for. It stands all the same: it was sold, and a person looks at the prices.
    fn sold_below_cost(&self, found: &BookingIn) -> Option<FreeText> {
        self.currency()?;
        let money = &self.order.money;
        let cost = map::cost(found, &money.currency)?;
        // Of an order that lost units, as much as those are of it that are left.
        let (left, all) = (i128::from(self.copies_of(found)), i128::from(self.order.quantity.max(1)));
        let sold = i64::try_from(i128::from(money.gross) * left / all).unwrap_or(money.gross);
        let (asks, sold_for) = (money.currency.shown(cost), money.currency.shown(sold));
        (cost > sold).then(|| {
            let sentence = format!(
                "the supplier asks {asks} for what was sold for {sold_for}: look at the product's price, there and here"
            );
            FreeText::our_own(sentence.as_str())
        })
    }

    /// Who comes with each of `count` units, where the unit wants to know.
    fn contacts_of_units(&self, unit: &str, count: usize) -> Option<Vec<ContactOut>> {
        let required = map::required_of_guests(self.product.as_ref()?, self.option_id(), unit);
        map::unit_contacts(self.order, self.booking, required, count)
    }

    /// The units of the hold, with whoever comes with each, where they want to know; else none, since a list replaces what was reserved.
    fn units_to_confirm<'b>(&self, uuid: &str, unit: &'b str, held: Option<&'b BookingIn>) -> Vec<calls::Unit<'b>> {
        let known = held.and_then(|held| held.unit_items.as_deref()).unwrap_or_default();
        let count = if known.is_empty() { self.units() } else { known.len() };
        let Some(contacts) = self.contacts_of_units(unit, count) else { return Vec::new() };
        let mut units = calls::Unit::of_party(uuid, &calls::Party { unit, count }, contacts);
        // The supplier's names for them count, where it gave each its own.
        let names: BTreeSet<&str> = known.iter().filter_map(|unit| unit.uuid.as_deref()).collect();
        if names.len() == count {
            for (unit, known) in units.iter_mut().zip(known) {
                unit.uuid = known.uuid.as_deref().unwrap_or_default().into();
                unit.unit = known.unit_id.as_deref().unwrap_or(unit.unit);
            }
        }
        units
    }

    /// How a booking of this uuid stands.
    fn stands(&mut self, found: BookingIn, cx: &Context<'_>) {
        if let Some(unusable) = self.unusable(&found) {
            return self.give_unusable_back(unusable);
        }
        // What was only held has cost nothing.
        if !self.booking.ticketing.tickets.is_empty() {
            self.keeps = map::keeps(&found).or(self.keeps);
        }
        match map::standing(&found) {
            Standing::Over => self.over(),
            Standing::Rejected => match self.goal.clone() {
                Goal::Issue | Goal::Hold | Goal::Look | Goal::Renew => {
                    self.refused("rejected: the supplier refused the booking");
                }
                Goal::Void => self.done(TicketFacts::Cancelled),
                Goal::Release { reason, .. } => self.refused(reason),
            },
            Standing::Redeemed(at) => match self.goal {
                Goal::Issue | Goal::Hold | Goal::Look | Goal::Renew => self.done(TicketFacts::Redeemed { at }),
                Goal::Void | Goal::Release { .. } => {
                    self.done(TicketFacts::CancelRefused { reason: "used".into(), used: true });
                }
            },
            Standing::Unknown(word) => self.unknown(format!("unknown_status: the supplier calls the booking `{word}`")),
            Standing::Held | Standing::Pending | Standing::Confirmed => self.lives(&found, cx),
        }
    }

    /// A write was answered with more than a step on the way. That is a word of the supplier's: a guest who is shown tickets that it has not
    /// sold stands before the gate in vain, and one uuid is given up for the next only when it was read as over. So its books are read.
    fn has_the_word(&mut self, found: &BookingIn, ask: Ask) {
        if let Some(unusable) = self.unusable(found) {
            return self.give_unusable_back(unusable);
        }
        self.said = if map::standing(found) == Standing::Confirmed { self.tickets_of(found) } else { None };
        self.ask = ask;
    }

    /// Something is there that holds a place or admits.
    fn lives(&mut self, found: &BookingIn, cx: &Context<'_>) {
        match self.goal {
            Goal::Issue => self.go_on(found, cx),
            Goal::Hold => self.pending(cx),
            Goal::Look => self.tell(found, cx),
            Goal::Void | Goal::Release { .. } | Goal::Renew => self.cancel_or_tell(found, cx),
        }
    }

    /// Whether tickets come when nobody is to get them any more: they are taken back, and shown to nobody (octo.md 10).
    fn comes_too_late(&self, facts: &TicketFacts, cx: &Context<'_>) -> bool {
        let is_over = self.booking.ticketing.deadline.is_some_and(|deadline| cx.now >= deadline);
        let are_new =
            matches!(facts, TicketFacts::Issued { .. }) && self.booking.ticketing.state != TicketingState::Issued;
        are_new && is_over && self.octo.on_deadline == OnDeadline::GiveUp
    }

    /// The next step towards tickets.
    fn go_on(&mut self, found: &BookingIn, cx: &Context<'_>) {
        let standing = map::standing(found);
        if standing == Standing::Confirmed
            // Some servers name the codes in the answer to a confirmation alone.
            && let Some(facts) = self.tickets_of(found).or_else(|| self.said.take())
            && !self.comes_too_late(&facts, cx)
        {
            self.remark = self.sold_below_cost(found);
            return self.done(facts);
        }
        if self.asks_whether_codes_come(found) {
            return;
        }
        if self.octo.on_deadline == OnDeadline::GiveUp && self.last_call().is_some_and(|at| cx.now >= at) {
            let reason = "given up: there were no tickets in time, and the booking was taken back".into();
            return self.take_back(Goal::Release { reason, at_once: false });
        }
        match standing {
            // Sold by its answer, and not by its books, which may be late: a moment later they are read again, and say what is to be done.
            Standing::Held if self.ask == Ask::Proof => self.pending(cx),
            Standing::Held if self.sent.confirm >= WRITES_MAX && map::ends_before(found, self.now_there(cx)) => {
                self.take_back(Goal::Renew);
            }
            // A supplier in trouble has refused nothing. The place is kept, and the next attempt begins with a read and confirms it again.
            Standing::Held if self.sent.confirm >= WRITES_MAX && self.sent.refused < WRITES_MAX => {
                let why = self.trouble.take().unwrap_or_else(|| "the hold stays a hold".to_owned());
                self.unknown(format!("the supplier has not confirmed yet: {why}"));
            }
            Standing::Held if self.sent.confirm >= WRITES_MAX => {
                let why = self.refusal.clone().unwrap_or_else(|| "the hold stays a hold".to_owned());
                self.give_back(format!("the supplier does not confirm: {why}"));
            }
            Standing::Held if self.sent.extend == 0 && map::ends_before(found, self.now_there(cx) + HOLD_MARGIN) => {
                self.held = Some(found.clone());
                self.ask = Ask::Extend;
            }
            Standing::Held => {
                self.held = Some(found.clone());
                // A hold of before: what the confirmation has to say of guests, the product tells.
                self.ask = if self.product.is_none() { Ask::Product } else { Ask::Confirm };
            }
            Standing::Pending
            | Standing::Confirmed
            | Standing::Rejected
            | Standing::Over
            | Standing::Redeemed(_)
            | Standing::Unknown(_) => self.pending(cx),
        }
    }

    fn pending(&mut self, cx: &Context<'_>) {
        let look_after = Some(self.next_look(cx.now));
        // The next attempt would have another number there: only the one that was sold is told.
        self.done(TicketFacts::Pending { backend_ref: None, look_after });
    }

    /// What a look says.
    fn tell(&mut self, found: &BookingIn, cx: &Context<'_>) {
        if map::standing(found) != Standing::Confirmed {
            return self.pending(cx);
        }
        match self.tickets_of(found) {
            // Nothing is given back by whoever only looks: a person hears of it, and its tickets are shown to nobody.
            Some(TicketFacts::Issued { .. }) if self.is_another_visit(found) => {
                self.ends(CallResult::Astray { why: OTHER_VISIT.into() });
            }
            Some(TicketFacts::Issued { .. }) if self.is_another_unit(found) => {
                self.ends(CallResult::Astray { why: OTHER_UNIT.into() });
            }
            // Whoever is to take them back will.
            Some(facts) if self.comes_too_late(&facts, cx) => self.pending(cx),
            Some(facts) => self.done(facts),
            None if self.asks_whether_codes_come(found) => {}
            None => self.pending(cx),
        }
    }

    /// Tickets, once they are complete, or that they were used.
    fn tickets_of(&self, found: &BookingIn) -> Option<TicketFacts> {
        if let Some(at) = map::used_at(found, self.terms.redeem_when) {
            return Some(TicketFacts::Redeemed { at: Some(at) });
        }
        let coded = map::tickets(found, &self.octo.formats, self.copies_of(found));
        let tickets = coded.or_else(|| map::on_the_list(found, self.product.as_ref()))?;
        Some(TicketFacts::Issued { backend_ref: map::reference(found), tickets })
    }

    /// A sale without any code is complete where the product's guests are on a list at the gate, and no other: so the product is asked, once.
    fn asks_whether_codes_come(&mut self, found: &BookingIn) -> bool {
        let asks = self.product.is_none()
            && self.sent.product == 0
            && map::standing(found) == Standing::Confirmed
            && map::is_perhaps_on_a_list(found);
        if asks {
            self.sold = Some(found.clone());
            self.ask = Ask::Product;
        }
        asks
    }

    /// What lives must not: it is cancelled, and when the supplier would not, that is what there is to say.
    fn cancel_or_tell(&mut self, found: &BookingIn, cx: &Context<'_>) {
        // Whoever has gone in with one of several units has been there: what becomes of the rest, and of the money, a person decides.
        if self.goal == Goal::Void && map::used_at(found, RedeemWhen::Any).is_some() {
            let used = map::used_at(found, self.terms.redeem_when).is_some();
            let reason = if used { "used" } else { "some of its units were used" };
            return self.done(TicketFacts::CancelRefused { reason: reason.into(), used });
        }
        if self.sent.cancel == 0 {
            self.ask = Ask::Cancel;
            return;
        }
        match (self.ask, self.refusal.take()) {
            // It said yes and did nothing, or so it seems: a read tells.
            (Ask::Cancel, _) => self.ask = Ask::AfterCancel,
            (_, Some(why)) if matches!(self.goal, Goal::Release { .. } | Goal::Renew) => self.not_taken_back(&why, cx),
            (_, Some(reason)) if map::standing(found) == Standing::Confirmed => {
                self.done(TicketFacts::CancelRefused { reason: reason.into(), used: false });
            }
            (_, Some(_)) if map::standing(found) == Standing::Pending => self.done(TicketFacts::CancelPending),
            _ if self.sent.cancel < WRITES_MAX => self.ask = Ask::Cancel,
            _ => self.unknown("the cancellation was answered, and the booking stands"),
        }
    }

    /// What is given back is not given up before it is over there: it is asked for again, each time later.
    fn not_taken_back(&mut self, why: &str, cx: &Context<'_>) {
        match self.goal.clone() {
            Goal::Release { reason, at_once: true } => {
                self.unknown(format!("{reason}; the supplier does not take it back ({why})"));
            }
            Goal::Release { at_once: false, .. } | Goal::Renew | Goal::Issue | Goal::Hold | Goal::Look | Goal::Void => {
                self.pending(cx)
            }
        }
    }

    /// This uuid is over; what the next one is, depends on what it is for.
    fn over(&mut self) {
        match self.goal.clone() {
            Goal::Release { reason, .. } => return self.refused(reason),
            Goal::Issue | Goal::Hold | Goal::Renew if self.attempt >= ATTEMPTS_MAX => {
                return self.refused(format!("{ATTEMPTS_MAX} holds have ended without tickets"));
            }
            Goal::Look | Goal::Void if self.attempt >= ATTEMPTS_MAX => {
                return self.done(TicketFacts::Cancelled);
            }
            Goal::Renew => self.goal = Goal::Issue,
            Goal::Issue | Goal::Hold | Goal::Look | Goal::Void => {}
        }
        self.attempt += 1;
        self.sent = Sent { calls: self.sent.calls, ..Sent::default() };
        (self.availability, self.held, self.refusal, self.said) = (None, None, None, None);
        self.trouble = None;
        self.ask = Ask::Find;
    }

    /// There is nothing of this uuid.
    fn absent(&mut self) {
        match (&self.goal, self.ask) {
            // It was refused in words that nobody knows, and it is not there.
            (Goal::Issue | Goal::Hold, Ask::AfterReserve) if self.refusal.is_some() => {
                let why = self.refusal.take().unwrap_or_default();
                self.no_room(why);
            }
            (Goal::Issue | Goal::Hold, Ask::AfterReserve) => {
                let may_repeat = self.octo.repeat_reserve == RepeatReserve::ReadFirst && self.sent.reserve < WRITES_MAX;
                if may_repeat {
                    // A first request that comes late is the same booking: it has the same uuid.
                    self.ask = Ask::Reserve;
                } else {
                    self.unknown("the reservation got no answer, and the supplier does not know it");
                }
            }
            (Goal::Issue | Goal::Hold, Ask::AfterConfirm | Ask::Proof) => {
                self.unknown("the supplier no longer knows what it held")
            }
            (Goal::Issue | Goal::Hold, _) => self.ask = if self.product.is_none() { Ask::Product } else { Ask::Slots },
            (Goal::Release { reason, .. }, _) => {
                let reason = reason.clone();
                self.refused(reason);
            }
            (Goal::Renew, _) => self.over(),
            (Goal::Void | Goal::Look, _) if self.attempt > 1 => self.done(TicketFacts::Cancelled),
            (Goal::Void | Goal::Look, _) => self.ends(CallResult::Absent),
        }
    }

    /// Why a booking under our uuid is not the one that was asked for, and whether it is another one altogether.
    fn unusable(&self, found: &BookingIn) -> Option<(String, bool)> {
        if !matches!(self.goal, Goal::Issue | Goal::Hold) || map::standing(found).is_over() {
            return None;
        }
        let units = found.unit_items.as_ref().map(Vec::len);
        Some(if found.test_mode.is_some_and(|is_test| is_test != self.octo.test_mode) {
            let is = if self.octo.test_mode { "real, and tests" } else { "a test, and real ones" };
            (format!("test_mode: the supplier's booking is {is} are expected"), false)
        } else if units.is_some_and(|units| !self.may_have_asked_for(units)) {
            let (ours, theirs) = (self.units(), units.unwrap_or(0));
            (format!("quantity_differs: {ours} units were booked, and the supplier holds {theirs}"), false)
        } else if found.product_id.as_deref().is_some_and(|id| id != self.product_id) {
            ("the supplier holds another product".to_owned(), true)
        } else if self.product.is_some() && found.option_id.as_deref().is_some_and(|id| id != self.option_id()) {
            ("the supplier holds another option".to_owned(), true)
        } else if self.is_another_unit(found) {
            (OTHER_UNIT.to_owned(), true)
        } else if self.is_another_visit(found) {
            (OTHER_VISIT.to_owned(), true)
        } else {
            return None;
        })
    }

    fn is_another_visit(&self, found: &BookingIn) -> bool {
        let told = self.booking.visit_time.as_deref();
        let time = match &self.terms.slot {
            Slot::At(time) => Some(time.as_str()),
            Slot::Channel => told,
            Slot::Only | Slot::First => None,
        };
        let chosen = self.availability.as_ref().map(|(id, start)| (id.as_str(), start.as_deref()));
        let visit = map::Visit { date: self.booking.visit_date, time, chosen };
        map::is_another_visit(found, visit)
    }

    /// Whether a booking is for guests of another kind, whom another price is asked of, as far as it is known which kind is ours.
    fn is_another_unit(&self, found: &BookingIn) -> bool {
        let named = found.unit_items.iter().flatten().filter_map(|unit| unit.unit_id.as_deref());
        self.unit_id().is_ok_and(|ours| named.into_iter().any(|theirs| theirs != ours))
    }

    fn give_back(&mut self, reason: String) {
        self.take_back(Goal::Release { reason: reason.into(), at_once: true });
    }

    /// What is booked under our uuid is not what was asked for: nobody is shown it.
    fn give_unusable_back(&mut self, (reason, is_another): (String, bool)) {
        self.is_astray |= is_another;
        self.give_back(reason);
    }

    /// What is there is cancelled, for the sake of `goal`.
    fn take_back(&mut self, goal: Goal) {
        self.goal = goal;
        self.sent.cancel = 0;
        self.ask = Ask::Cancel;
    }

    /// When the very last question before the deadline is due: 90 s before it, or at three quarters of a shorter one.
    fn last_call(&self) -> Option<UnixMillis> {
        let (deadline, from) = (self.booking.ticketing.deadline?, self.booking.confirmed_at?);
        let length = deadline - from;
        Some(from + Millis((length.0 - 90_000).max(length.0 / 4 * 3)))
    }

    /// Looks are close at first, then every half minute, and one falls on the last call.
    fn next_look(&self, now: UnixMillis) -> Millis {
        let waited = self.booking.confirmed_at.map_or(Millis(0), |at| now - at);
        let gap = match waited.0 {
            ..2_000 => 2,
            2_000..7_000 => 5,
            7_000..17_000 => 10,
            17_000..37_000 => 20,
            _ => 30,
        };
        let to_last_call = self.last_call().map(|at| at - now).filter(|left| left.0 > 0);
        to_last_call.map_or(Millis::seconds(gap), |left| left.min(Millis::seconds(gap)))
    }

    fn write(&mut self, cx: &Context<'_>) -> Result<Turn, EncodeError> {
        let (octo, uuid) = (self.octo, self.uuid());
        let call = match self.ask {
            Ask::Find | Ask::AfterReserve | Ask::AfterConfirm | Ask::Proof | Ask::AfterCancel => {
                ("read", calls::read(octo, &uuid)?)
            }
            Ask::Product => {
                self.sent.product += 1;
                ("product", calls::product(octo, self.product_id)?)
            }
            Ask::Slots => {
                self.sent.slots += 1;
                let date = self.visit_day(cx);
                self.day = Some(date);
                let unit = self.unit_id()?;
                let party = calls::Party { unit: &unit, count: self.units() };
                (
                    "availability",
                    calls::availability(
                        octo,
                        (self.product_id, self.option_id()),
                        (date, date),
                        Some(&party),
                        self.currency(),
                    ),
                )
            }
            Ask::Reserve => {
                self.sent.reserve += 1;
                self.refusal = None;
                let unit = self.unit_id()?;
                let party = calls::Party { unit: &unit, count: self.units() };
                let contacts = self.contacts_of_units(&unit, party.count).unwrap_or_default();
                let product = (self.product_id, self.option_id());
                let reserve = calls::Reserve {
                    uuid: &uuid,
                    product,
                    availability: self.availability.as_ref().map(|(id, _)| id.as_str()),
                    units: calls::Unit::of_party(&uuid, &party, contacts),
                    currency: self.currency(),
                };
                ("reserve", calls::reserve(octo, reserve, self.booking.id.as_str()))
            }
            Ask::Extend => {
                self.sent.extend += 1;
                ("extend", calls::extend(octo, &uuid)?)
            }
            Ask::Confirm => {
                self.sent.confirm += 1;
                let unit = self.unit_id().unwrap_or_default();
                let units = self.units_to_confirm(&uuid, &unit, self.held.as_ref());
                ("confirm", calls::confirm(octo, &uuid, (self.order, self.booking), units)?)
            }
            Ask::Cancel => {
                self.sent.cancel += 1;
                ("cancel", calls::cancel(octo, &uuid)?)
            }
        };
        Ok(Turn::Call(call.0, call.1))
    }

    fn unit_id(&self) -> Result<String, EncodeError> {
        map::unit_id(&self.terms, self.product.as_ref(), self.option_id())
    }

    fn heard_product(&mut self, heard: Heard<ProductIn>, cx: &Context<'_>) {
        if let Some(sold) = self.sold.take() {
            return self.heard_of_codes(heard, sold, cx);
        }
        match heard {
            Heard::Said(product) if product.id == self.product_id => {
                let needs_slot = product.availability_required;
                self.product = Some(product);
                if self.held.is_some() {
                    return self.ask = Ask::Confirm;
                }
                if let Err(error) = self.unit_id() {
                    return self.refused(format!("configuration: {error}"));
                }
                self.ask = if needs_slot { Ask::Slots } else { Ask::Reserve };
            }
            Heard::Said(_) => {
                self.ends(CallResult::Astray { why: "the supplier answered about another product".into() });
            }
            // What is held already is confirmed all the same: the supplier says what it misses.
            Heard::Absent(_) | Heard::Misconfigured(_) | Heard::Refused(_) if self.held.is_some() => {
                self.ask = Ask::Confirm;
            }
            Heard::Absent(why) | Heard::Misconfigured(why) => self.refused(format!("configuration: {why}")),
            other => self.not_carried_out(other),
        }
    }

    /// What is sold stands, whatever is said of its product: where that says nothing, codes are waited for.
    fn heard_of_codes(&mut self, heard: Heard<ProductIn>, sold: BookingIn, cx: &Context<'_>) {
        match heard {
            Heard::Said(product) => {
                self.product = (product.id == self.product_id).then_some(product);
                self.stands(sold, cx);
            }
            Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
            Heard::Later(why, after @ Some(_)) => self.retry(why, after),
            Heard::Absent(_)
            | Heard::Refused(_)
            | Heard::OtherWords(_)
            | Heard::SlotGone(_)
            | Heard::Misconfigured(_)
            | Heard::Later(_, None)
            | Heard::Unclear(_) => self.stands(sold, cx),
        }
    }

    fn heard_slots(&mut self, heard: Heard<Vec<AvailabilityIn>>, cx: &Context<'_>) {
        let slots = match heard {
            Heard::Said(slots) => slots,
            Heard::Absent(why) | Heard::Misconfigured(why) => return self.refused(format!("configuration: {why}")),
            other => return self.not_carried_out(other),
        };
        let day = self.day.unwrap_or_else(|| self.visit_day(cx));
        let told = self.booking.visit_time.as_deref();
        match map::choose(&slots, (day, self.zone()), &self.terms.slot, told, self.now_there(cx)) {
            map::Chosen::One(id, start) => {
                self.availability = Some((id, start));
                self.ask = Ask::Reserve;
            }
            map::Chosen::Full => self.refused("no_capacity: the supplier has no room on this date"),
            map::Chosen::Closed => {
                self.refused("no_capacity: the supplier takes no more bookings for this date and time")
            }
            map::Chosen::NoneAt => self.refused("no_capacity: the supplier offers nothing at this date and time"),
            map::Chosen::Untold => {
                self.refused("configuration: `slot` is the channel's, and it told no time of the visit")
            }
            map::Chosen::Several => {
                self.refused("configuration: the supplier offers several times on this date; name one as `slot`");
            }
        }
    }

    fn heard_reserve(&mut self, heard: Heard<BookingIn>, cx: &Context<'_>) {
        match heard {
            Heard::Said(found) if is_on_its_way(&found) => self.stands(found, cx),
            Heard::Said(found) => self.has_the_word(&found, Ask::AfterReserve),
            // "Used already": by an earlier request of ours. What it became is read.
            Heard::Absent(_) | Heard::Unclear(_) | Heard::Later(_, None) => self.ask = Ask::AfterReserve,
            Heard::Later(why, after @ Some(_)) => self.retry(why, after),
            // Perhaps it says that the uuid is used already.
            Heard::OtherWords(why) => {
                self.refusal = Some(why);
                self.ask = Ask::AfterReserve;
            }
            Heard::SlotGone(why) | Heard::Refused(why) => self.no_room(why),
            Heard::Misconfigured(why) => self.refused(format!("configuration: {why}")),
            Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
        }
    }

    /// A reservation was refused. Sold out has many words; the availability has one.
    fn no_room(&mut self, why: String) {
        if self.sent.slots > 0 && self.sent.slots < WRITES_MAX {
            self.ask = Ask::Slots;
        } else {
            self.refused(format!("no_capacity: {why}"));
        }
    }

    fn heard_confirm(&mut self, heard: Heard<BookingIn>, cx: &Context<'_>) {
        match heard {
            // An answer that leaves the hold as it was has confirmed nothing.
            Heard::Said(found) if map::standing(&found) == Standing::Held => self.ask = Ask::AfterConfirm,
            Heard::Said(found) if is_on_its_way(&found) => self.stands(found, cx),
            Heard::Said(found) => self.has_the_word(&found, Ask::Proof),
            Heard::Absent(why)
            | Heard::Refused(why)
            | Heard::OtherWords(why)
            | Heard::SlotGone(why)
            | Heard::Misconfigured(why) => {
                self.refusal = Some(why);
                self.sent.refused += 1;
                self.ask = Ask::AfterConfirm;
            }
            Heard::Later(why, after @ Some(_)) => self.retry(why, after),
            Heard::Unclear(why) | Heard::Later(why, None) => {
                self.trouble = Some(why);
                self.ask = Ask::AfterConfirm;
            }
            Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
        }
    }

    fn heard_cancel(&mut self, heard: Heard<BookingIn>, cx: &Context<'_>) {
        match heard {
            // That it is cancelled is said by whoever cancels; what stands in the books is read.
            Heard::Said(found) if map::standing(&found) == Standing::Over => self.ask = Ask::AfterCancel,
            Heard::Said(found) => self.stands(found, cx),
            Heard::Absent(why)
            | Heard::Refused(why)
            | Heard::OtherWords(why)
            | Heard::SlotGone(why)
            | Heard::Misconfigured(why) => {
                self.refusal = Some(why);
                self.ask = Ask::AfterCancel;
            }
            Heard::Later(why, after @ Some(_)) => self.retry(why, after),
            Heard::Unclear(_) | Heard::Later(_, None) => self.ask = Ask::AfterCancel,
            Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
        }
    }

    fn heard_read(&mut self, heard: Heard<BookingIn>, cx: &Context<'_>) {
        match heard {
            Heard::Said(found) => {
                if self.ask == Ask::AfterReserve {
                    // It is there: what it was refused with is no more than that the uuid is used.
                    self.refusal = None;
                }
                self.stands(found, cx);
            }
            // "No such booking" has many words.
            Heard::Absent(_) | Heard::Refused(_) | Heard::SlotGone(_) | Heard::Misconfigured(_) => self.absent(),
            other => self.not_carried_out(other),
        }
    }

    /// A question that brought nothing executes nothing; what was written before it stays in doubt.
    fn not_carried_out<T>(&mut self, heard: Heard<T>) {
        let in_doubt = self.sent.reserve + self.sent.confirm + self.sent.cancel > 0;
        match heard {
            Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
            Heard::Later(why, after @ Some(_)) => self.retry(why, after),
            Heard::Later(why, None) | Heard::Unclear(why) | Heard::OtherWords(why) if in_doubt => self.unknown(why),
            Heard::Later(why, after @ None) => self.retry(why, after),
            Heard::Unclear(why) | Heard::OtherWords(why) => self.retry(why, None),
            Heard::Said(_) => self.unknown("the supplier's answer was not expected"),
            Heard::Absent(why) | Heard::Refused(why) | Heard::SlotGone(why) | Heard::Misconfigured(why) => {
                self.refused(why);
            }
        }
    }
}

/// Whether an answer tells of a step on the way, and of nothing that a guest could be shown or that ends the attempt.
fn is_on_its_way(found: &BookingIn) -> bool {
    match map::standing(found) {
        Standing::Held | Standing::Pending => true,
        Standing::Confirmed | Standing::Rejected | Standing::Over | Standing::Redeemed(_) | Standing::Unknown(_) => {
            false
        }
    }
}

impl Conversation for Talk<'_> {
    fn next(&mut self, cx: &Context<'_>) -> Result<Turn, EncodeError> {
        if let Some(end) = self.end.take() {
            return Ok(Turn::End(end));
        }
        self.sent.calls += 1;
        if self.sent.calls > CALLS_MAX {
            return Ok(Turn::End(CallResult::Unknown { why: "the supplier's answers contradict each other".into() }));
        }
        self.write(cx)
    }

    fn answered(&mut self, response: &HttpResponse, cx: &Context<'_>) {
        let uuid = self.uuid();
        self.their_now = response.date();
        let mut booking = || {
            let heard = answer::booking(response, &uuid);
            self.is_astray |= heard.is_astray();
            heard
        };
        match self.ask {
            Ask::Find | Ask::AfterReserve | Ask::AfterConfirm | Ask::Proof | Ask::AfterCancel => {
                let heard = booking();
                self.heard_read(heard, cx);
            }
            Ask::Product => self.heard_product(answer::read(response), cx),
            Ask::Slots => self.heard_slots(answer::read(response), cx),
            Ask::Reserve => {
                let heard = booking();
                self.heard_reserve(heard, cx);
            }
            Ask::Extend => match booking() {
                Heard::KeyRefused(_) => self.ends(CallResult::TokenRejected),
                Heard::Later(why, after @ Some(_)) => self.retry(why, after),
                // Whether it was lengthened or not, it is confirmed now.
                Heard::Said(_)
                | Heard::Absent(_)
                | Heard::Refused(_)
                | Heard::OtherWords(_)
                | Heard::SlotGone(_)
                | Heard::Misconfigured(_)
                | Heard::Later(_, None)
                | Heard::Unclear(_) => self.ask = if self.product.is_none() { Ask::Product } else { Ask::Confirm },
            },
            Ask::Confirm => {
                let heard = booking();
                self.heard_confirm(heard, cx);
            }
            Ask::Cancel => {
                let heard = booking();
                self.heard_cancel(heard, cx);
            }
        }
    }

    fn remark(&self) -> Option<FreeText> {
        self.remark.clone()
    }

    fn unanswered(&mut self, silence: Silence) {
        let why = match silence {
            Silence::NotSent(why) => match self.ask {
                Ask::Reserve if self.sent.reserve == 1 => return self.retry(why, None),
                Ask::Find
                | Ask::Product
                | Ask::Slots
                | Ask::Reserve
                | Ask::AfterReserve
                | Ask::Extend
                | Ask::Confirm
                | Ask::AfterConfirm
                | Ask::Proof
                | Ask::Cancel
                | Ask::AfterCancel => why,
            },
            Silence::Unknown(why) => match self.ask {
                Ask::Reserve => return self.ask = Ask::AfterReserve,
                Ask::Confirm => {
                    self.trouble = Some(why.to_string());
                    return self.ask = Ask::AfterConfirm;
                }
                Ask::Cancel => return self.ask = Ask::AfterCancel,
                Ask::Extend if self.product.is_none() => return self.ask = Ask::Product,
                Ask::Extend => return self.ask = Ask::Confirm,
                Ask::Find
                | Ask::Product
                | Ask::Slots
                | Ask::AfterReserve
                | Ask::AfterConfirm
                | Ask::Proof
                | Ask::AfterCancel => why,
            },
        };
        self.not_carried_out(Heard::<()>::Unclear(why.to_string()));
    }
}
