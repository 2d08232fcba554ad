// SPDX-License-Identifier: Apache-2.0

//! `octo`: any ticketing system that speaks OCTO, the open contract between resellers and suppliers of attractions. We are the
//! reseller. What is known of it, and how each doubt is decided, stands in `README.md` beside this file.

mod answer;
mod calls;
mod live;
mod map;
mod settings;
mod supplier;
mod talk;
mod wire;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use subtle::ConstantTimeEq as _;
use ticketbridge_core::BookingId;
use ticketbridge_core::message::TicketOp;
use ticketbridge_core::order::{Booking, Order, TicketingState};
use ticketbridge_core::port::{
    Availability, Backend, BackendKind, BackendSpec, CalendarDay, Call, CallResult, Context, Conversation, EncodeError,
    HintError, Hints, Holds, HttpResponse, LiveCheck, LiveProduct, Operations, Talks,
};
use ticketbridge_core::product::{BackendTerms, Ticketing};
use ticketbridge_core::time::Date;

use answer::Heard;
use supplier::{HoldAt, Octo, split};
use talk::{Goal, Talk};
use wire::AvailabilityIn;

/// How it is registered.
pub const KIND: BackendKind = BackendKind {
    name: "octo",
    settings: settings::KEYS,
    secrets: settings::SECRETS,
    addresses: &["base_url"],
    terms: &["option", "units", "slot", "redeem_when"],
    build: Octo::build,
};

/// What a call for tickets is about, as the booking stands.
fn goal(op: TicketOp, order: &Order, booking: &Booking) -> Goal {
    match op {
        TicketOp::Issue => Goal::Issue,
        TicketOp::Cancel => Goal::Void,
        TicketOp::Query => match booking.ticketing.state {
            // While tickets are waited for, a look goes on where the last attempt stopped.
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown
                if order.active_booking().is_some_and(|active| active.id == booking.id) =>
            {
                Goal::Issue
            }
            // What turns up after a cancellation must not stay.
            TicketingState::Cancelled => Goal::Void,
            TicketingState::NotNeeded
            | TicketingState::Queued
            | TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Issued
            | TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::CancelRefused => Goal::Look,
        },
    }
}

/// The product at this supplier, and what else is configured of it.
fn product_of(order: &Order) -> Result<(&str, Cow<'_, BackendTerms>), EncodeError> {
    match &order.rules.booking.ticketing {
        Ticketing::Backend { product, terms, .. } => Ok(split(product, terms)),
        Ticketing::CodePool { .. } | Ticketing::None => Err(EncodeError::Missing("product at this back-end")),
    }
}

impl Backend for Octo {
    fn spec(&self) -> &BackendSpec {
        &self.spec
    }

    fn operations(&self) -> Operations<'_> {
        Operations::Talks(self)
    }

    fn holds(&self) -> Option<&dyn Holds> {
        (self.hold_at == HoldAt::Booking).then_some(self)
    }

    fn hints(&self) -> Option<&dyn Hints> {
        self.hint_secret.is_some().then_some(self)
    }

    fn availability(&self) -> Option<&dyn Availability> {
        Some(self)
    }

    fn live_check<'a>(
        &'a self,
        products: &'a [LiveProduct<'a>],
        holds: bool,
        nonce: [u8; 16],
    ) -> Option<Box<dyn LiveCheck + 'a>> {
        Some(Box::new(live::Live::new(self, products, holds, nonce)))
    }
}

impl Talks for Octo {
    fn talk<'a>(
        &'a self,
        op: TicketOp,
        order: &'a Order,
        booking: &'a Booking,
        resumed: bool,
    ) -> Result<Box<dyn Conversation + 'a>, EncodeError> {
        let product = product_of(order)?;
        // A look follows an attempt: what that left behind is read first.
        let resumed = resumed || op == TicketOp::Query;
        Ok(Box::new(Talk::new(self, order, booking, product, goal(op, order, booking), resumed)))
    }
}

impl Holds for Octo {
    fn hold<'a>(&'a self, order: &'a Order, booking: &'a Booking) -> Option<Box<dyn Conversation + 'a>> {
        let product = product_of(order).ok()?;
        Some(Box::new(Talk::new(self, order, booking, product, Goal::Hold, false)))
    }
}

impl Hints for Octo {
    fn about(&self, secret: &str, body: &[u8]) -> Result<String, HintError> {
        let is_its = |own: &String| own.as_bytes().ct_eq(secret.as_bytes()).into();
        if !self.hint_secret.as_ref().is_some_and(is_its) {
            return Err(HintError::WrongAddress);
        }
        map::hinted(body).ok_or(HintError::AboutNothing)
    }

    fn call(&self, about: &str) -> Result<Call, EncodeError> {
        calls::read(self, about)
    }

    fn read(&self, about: &str, response: &HttpResponse) -> CallResult<BookingId> {
        match answer::booking(response, about) {
            Heard::Said(booking) => match booking.reseller_reference.filter(|name| !name.is_empty()) {
                Some(name) => CallResult::Done(BookingId::new(name)),
                None => CallResult::Absent,
            },
            Heard::KeyRefused(_) => CallResult::TokenRejected,
            Heard::Later(why, after) => CallResult::Retry { why: why.into(), after },
            Heard::Unclear(why) | Heard::OtherWords(why) => CallResult::Retry { why: why.into(), after: None },
            Heard::Absent(_) | Heard::Refused(_) | Heard::SlotGone(_) | Heard::Misconfigured(_) => CallResult::Absent,
        }
    }
}

impl Availability for Octo {
    fn call(
        &self,
        product: &str,
        terms: &BackendTerms,
        from: Date,
        to: Date,
        _: &Context<'_>,
    ) -> Result<Call, EncodeError> {
        let (product, terms) = split(product, terms);
        Ok(calls::calendar(self, (product, map::option_id(&terms, None)), (from, to)))
    }

    fn read(&self, _: &str, response: &HttpResponse) -> CallResult<Vec<CalendarDay>> {
        let days = match answer::read::<Vec<AvailabilityIn>>(response) {
            Heard::Said(days) => days,
            Heard::KeyRefused(_) => return CallResult::TokenRejected,
            Heard::Later(why, after) => return CallResult::Retry { why: why.into(), after },
            Heard::Unclear(why) => return CallResult::Retry { why: why.into(), after: None },
            Heard::Absent(why)
            | Heard::Refused(why)
            | Heard::OtherWords(why)
            | Heard::SlotGone(why)
            | Heard::Misconfigured(why) => {
                return CallResult::Refused { code: "refused".into(), why: why.into() };
            }
        };
        let read = |day: &AvailabilityIn| {
            let date = day.local_date.as_deref().and_then(Date::parse)?;
            let open = map::has_room(day);
            // Without a count of what is left, the day has room or has none.
            let left = if open { day.vacancies.map(|left| left.max(0)) } else { Some(0) };
            Some(CalendarDay { date, left, price: 0, open })
        };
        CallResult::Done(days.iter().filter_map(read).collect())
    }
}
