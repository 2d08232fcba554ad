//! Orders that their channel tells whole: its picture is taken over, and what we want of it is asked for.
//!
//! The channel moves such an order, we propose. A picture with a higher revision wins, whatever was on its way from us; a late one
//! adds its money and nothing else.

use crate::command::ReportOutcome;
use crate::decide::{Decision, date_stock_key, disarm, payments, ticketing};
use crate::effect::{DeadlineKind, Effect, Report};
use crate::event::{Actor, Event, EventRecord};
use crate::evolve::evolve;
use crate::mirror::{CalledOff, Mirror, Part, Proposal, Snapshot, Stage};
use crate::money::{EntryKind, EntryStatus, LedgerEntry, PRESUMED, PaymentMode};
use crate::order::{
    AttentionKind, BookingState, CancelReason, Order, OrderState, RefundCase, RefundIntent, RefundKind, RefundSource,
    RefundState, TicketingState,
};
use crate::rejection::{Rejection, Why};
use crate::time::{Moment, UnixMillis};

use super::booking;

/// A decision in the making: each part is decided on the order as the parts before have left it.
pub(super) struct Draft {
    pub(super) order: Order,
    pub(super) decision: Decision,
    at: UnixMillis,
    /// Units that the visit date holds for the order.
    held: u32,
}

impl Draft {
    pub(super) fn of(order: &Order, moment: Moment) -> Self {
        Self::at(order, moment.now)
    }

    fn at(order: &Order, at: UnixMillis) -> Self {
        let held = order.active_booking().map_or(0, |_| order.live_units());
        Self { order: order.clone(), decision: Decision::nothing(), at, held }
    }

    pub(super) fn add(&mut self, part: Decision) {
        for event in &part.events {
            let seq = self.order.version + 1;
            let record = EventRecord { seq, at: self.at, actor: Actor::policy(), event: event.clone() };
            self.order = evolve(Some(self.order.clone()), &record).expect("an order that exists stays");
        }
        self.decision = std::mem::take(&mut self.decision).then(part);
    }

    pub(super) fn flag(&mut self, kind: AttentionKind, sentence: impl Into<String>) {
        let part = Decision::nothing().attention(&self.order, kind, sentence);
        self.add(part);
    }
}

/// The channel tells the whole order.
pub(super) fn sync(
    order: &Order,
    snapshot: &Snapshot,
    not_for_sale: Option<&str>,
    moment: Moment,
) -> Result<Decision, Rejection> {
    let is_news = snapshot.is_news_to(order.mirror.as_deref());
    let mut draft = Draft::of(order, moment);
    if is_news {
        draft.add(take_picture(order, snapshot, not_for_sale, moment));
        if let (None, Stage::Confirmed, Some(why)) = (&order.mirror, snapshot.picture.stage, not_for_sale) {
            draft.flag(
                AttentionKind::Contradiction,
                format!("the channel accepted this booking by itself although its product is not for sale ({why})"),
            );
        }
        if pays_otherwise(order, snapshot) {
            draft.flag(
                AttentionKind::Contradiction,
                "the way of paying of a paid order was changed; that is a new booking",
            );
        }
    }
    if snapshot.can_read_back && snapshot.is_contested_by(order.mirror.as_deref()) {
        let about = order.channel_order_id.clone();
        draft.decision.effects.push(Effect::ReadBack { channel: order.channel.clone(), about });
    }
    payments::merge(&mut draft, snapshot, is_news);
    if is_news {
        open_booking(&mut draft, snapshot, moment);
        units_changed(&mut draft, order);
        reach(&mut draft, snapshot.picture.stage, snapshot.since, snapshot.called_off.as_ref(), moment);
        end_proposal(&mut draft);
        payments::settle_up(&mut draft, snapshot.called_off.as_ref(), moment.now);
        hand_over(&mut draft, order);
        for doubt in &snapshot.doubts {
            draft.flag(AttentionKind::Contradiction, doubt.clone());
        }
    } else if tells_of_confirmation(order, snapshot) {
        confirmed(&mut draft, moment);
    }
    payments::unexpected(&mut draft, order, snapshot, moment);
    if is_news {
        payments::follow_links(&mut draft, snapshot);
    }
    payments::flag_failure(&mut draft);
    let decision = std::mem::take(&mut draft.decision);
    Ok(decision)
}

/// A request to cancel names where it came from; the same picture when it is read back does not (`protocols/korea.md` 9.1).
fn tells_of_confirmation(order: &Order, snapshot: &Snapshot) -> bool {
    let Some(known) = order.mirror.as_deref().map(|mirror| &mirror.picture) else { return false };
    snapshot.picture.revision > 0
        && known.stage == Stage::CancelRequested { confirmed: false }
        && snapshot.picture.stage == Stage::CancelRequested { confirmed: true }
}

/// TS-06: money that came in one way does not become money of another.
fn pays_otherwise(before: &Order, snapshot: &Snapshot) -> bool {
    let known = before.mirror.as_deref().and_then(|m| m.picture.pays_by.as_ref());
    let told = snapshot.picture.pays_by.as_ref();
    before.money.received() > 0 && known.is_some() && told.is_some() && known != told
}

fn take_picture(order: &Order, snapshot: &Snapshot, not_for_sale: Option<&str>, moment: Moment) -> Decision {
    let known = order.mirror.as_deref();
    let mut picture = snapshot.picture.clone();
    if snapshot.asked && picture.revision == 0 {
        // An answer that counts nothing is how things stand now.
        picture.at = moment.now;
        picture.revision = known.map_or(0, |m| m.picture.revision);
    }
    let mirror = Mirror {
        picture,
        not_for_sale: known.map_or_else(|| not_for_sale.map(str::to_owned), |m| m.not_for_sale.clone()),
        proposal: known.and_then(|m| m.proposal.clone()),
        links: known.map(|m| m.links.clone()).unwrap_or_default(),
        partner_numbers: known.map(|m| m.partner_numbers.clone()).unwrap_or_default(),
        handed_over: known.is_some_and(|m| m.handed_over),
    };
    let held = mirror.partner_number().map(str::to_owned);
    let decision = Decision::nothing().event(Event::PictureTaken {
        mirror: Box::new(mirror),
        sale: Box::new(snapshot.sale.clone()),
        dates: (snapshot.visit_date, snapshot.valid_until),
    });
    match &snapshot.partner_number {
        Some(new) if held.as_ref() != Some(new) => {
            decision.event(Event::PartnerNumberChanged { old: held, new: new.clone() })
        }
        _ => decision,
    }
}

/// The first picture brings the booking with it; a later one may bring it to another day.
fn open_booking(draft: &mut Draft, snapshot: &Snapshot, moment: Moment) {
    let order = &draft.order;
    if order.booking.is_some() {
        return;
    }
    let booking = booking::Wish {
        channel_booking_id: &order.channel_order_id,
        dates: (snapshot.visit_date, snapshot.valid_until),
        visitors: Vec::new(),
        contact: Some(snapshot.sale.buyer.clone()),
        requested_at: snapshot.sale.placed_at,
    }
    .booking(&order.rules.booking, moment);
    let units = order.live_units();
    draft.held = units;
    let taken = date_stock_key(&order.rules.booking, snapshot.visit_date).filter(|_| units > 0);
    let part = Decision::nothing()
        .event(Event::BookingRequested { booking: Box::new(booking) })
        .maybe(taken.map(|key| Effect::TakeStock { key, units }));
    draft.add(part);
}

/// Units of a live booking that were called off or added since the picture before; and a visit that was moved.
fn units_changed(draft: &mut Draft, before: &Order) {
    let (Some(old), Some(booking)) = (before.mirror.as_deref(), before.active_booking()) else { return };
    let product = &before.rules.booking;
    let gone = draft.order.mirror.as_deref().map_or(0, Mirror::cancelled_units).saturating_sub(old.cancelled_units());
    let mut part = Decision::nothing();
    let moved_to = draft.order.booking.as_ref().and_then(|b| b.visit_date);
    if moved_to != booking.visit_date {
        let (units_before, units_now) = (before.live_units(), draft.order.live_units());
        part = part
            .maybe(
                date_stock_key(product, booking.visit_date).map(|key| Effect::ReturnStock { key, units: units_before }),
            )
            .maybe(date_stock_key(product, moved_to).map(|key| Effect::TakeStock { key, units: units_now }));
    } else if gone > 0 && draft.order.live_units() > 0 {
        let key = date_stock_key(product, booking.visit_date);
        part = part.maybe(key.map(|key| Effect::ReturnStock { key, units: gone }));
    }
    let added = draft.order.live_units().saturating_sub(before.live_units());
    if added > 0 && moved_to == booking.visit_date {
        let key = date_stock_key(product, booking.visit_date);
        part = part.maybe(key.map(|key| Effect::TakeStock { key, units: added }));
    }
    if draft.order.live_units() > 0 {
        draft.held = draft.order.live_units();
    }
    draft.add(part);
    let has_tickets = booking.ticketing.may_be_live();
    if has_tickets && gone > 0 && draft.order.live_units() > 0 {
        let sentence =
            format!("{gone} units were called off, and the back-end cannot void a part: stop them at the gate");
        draft.flag(AttentionKind::LiveTicketBehindRefund, sentence);
    }
    if has_tickets && added > 0 {
        let plural = if added == 1 { "unit was" } else { "units were" };
        let sentence = format!(
            "{added} {plural} added after the tickets were asked for, which are for {}: issue the rest by hand",
            before.live_units()
        );
        draft.flag(AttentionKind::Contradiction, sentence);
    }
    if has_tickets && moved_to != booking.visit_date {
        draft.flag(
            AttentionKind::Contradiction,
            "the visit was moved after its tickets were made; issue new ones by hand",
        );
    }
}

/// Takes the order to where the channel says that it stands.
fn reach(draft: &mut Draft, stage: Stage, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    let Some(state) = draft.order.booking.as_ref().map(|booking| booking.state) else { return };
    match (state, stage) {
        (BookingState::Requested | BookingState::Confirmed, _) => reach_from_live(draft, stage, since, off, moment),
        (BookingState::Used | BookingState::NoShow, Stage::Cancelled) => {
            if off.is_some_and(|off| off.ex_officio) {
                called_off(draft, off.map_or(CancelReason::ByChannel, |off| off.reason));
            } else {
                let sentence = "the channel called off what has been used, and not ex officio; settle it there";
                draft.flag(AttentionKind::Contradiction, sentence);
            }
        }
        // Our information is the richer one: a guest who was there stays so, and one who was not.
        (BookingState::Used | BookingState::NoShow, _) => {}
        (BookingState::Rejected | BookingState::Cancelled, Stage::Rejected | Stage::Cancelled) => {
            let part = settle_case(&draft.order);
            draft.add(part);
        }
        (BookingState::Rejected | BookingState::Cancelled, _) => {
            let sentence = "the channel says by a higher revision that a called-off order is alive; settle it there";
            draft.flag(AttentionKind::Contradiction, sentence);
        }
    }
}

fn reach_from_live(draft: &mut Draft, stage: Stage, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    match stage {
        Stage::Requested => {
            withdraw_case(draft);
            wait_for_decision(draft);
        }
        Stage::Confirmed => {
            withdraw_case(draft);
            confirmed(draft, moment);
        }
        Stage::CancelRequested { confirmed: was_confirmed } => {
            if was_confirmed {
                confirmed(draft, moment);
            }
            open_case(draft, since, off, moment);
        }
        Stage::Rejected => declined(draft, off),
        Stage::Cancelled => called_off(draft, off.map_or(CancelReason::ByChannel, |off| off.reason)),
        Stage::Used => {
            withdraw_case(draft);
            accepted_without_tickets(draft);
            let Some(booking) = draft.order.booking.as_ref().map(|b| b.id.clone()) else { return };
            let part = Decision::nothing().event(Event::Redeemed { booking, at: since });
            draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
            if draft.order.money.mode == PaymentMode::Ledger && draft.order.money.received() < draft.order.money.due {
                draft.flag(AttentionKind::OpenBalance, "used, and not all of it is paid; collect the balance");
            }
        }
        Stage::NoShow => {
            withdraw_case(draft);
            accepted_without_tickets(draft);
            let part = Decision::nothing().event(Event::NoShowMarked { at: since });
            draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
        }
    }
}

/// KA-01: the notice that cannot be switched off.
fn wait_for_decision(draft: &mut Draft) {
    let Some(mirror) = draft.order.mirror.as_deref() else { return };
    if !mirror.picture.needs_decision || mirror.picture.read_only || mirror.proposal.is_some() {
        return;
    }
    let sentence = match &mirror.not_for_sale {
        Some(why) => {
            format!("a booking waits for a manager although its product is not for sale ({why}): confirm or decline it")
        }
        None => "a booking waits for a manager: confirm or decline it".to_owned(),
    };
    let limit = draft.order.rules.channel.acceptance_limit;
    let first = !draft.order.needs(AttentionKind::WaitsForConfirmation);
    draft.flag(AttentionKind::WaitsForConfirmation, sentence);
    if first && limit.0 > 0 {
        let due_at = draft.order.booking.as_ref().map_or(draft.at, |b| b.requested_at) + limit;
        let half = due_at - crate::time::Millis(limit.0 / 2);
        draft.decision.effects.push(Effect::ArmDeadline {
            kind: DeadlineKind::Acceptance,
            due_at,
            warn_at: vec![half],
        });
    }
}

fn confirmed(draft: &mut Draft, moment: Moment) {
    let order = &draft.order;
    let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::Requested) else { return };
    let product = &order.rules.booking;
    let missing = match booking.ticketing.state {
        TicketingState::NotNeeded | TicketingState::Issued => false,
        TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::Cancelling
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => true,
    };
    let due_at = moment.now + product.ticketing_deadline;
    let mut part = Decision::nothing()
        .event(Event::BookingConfirmed { ticketing_due: missing.then_some(due_at) })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Acceptance });
    if missing {
        part = part.effect(Effect::ArmDeadline {
            kind: DeadlineKind::Ticketing,
            due_at,
            warn_at: vec![due_at - product.ticketing_warn_before],
        });
    }
    let part = part.then(booking::start_ticketing(order, booking));
    draft.add(part);
}

/// Used or missed before we knew that it was accepted: nobody needs tickets any more.
fn accepted_without_tickets(draft: &mut Draft) {
    if draft.order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
        draft.add(Decision::nothing().event(Event::BookingConfirmed { ticketing_due: None }));
    }
}

fn declined(draft: &mut Draft, off: Option<&CalledOff>) {
    let order = &draft.order;
    let Some(booking) = order.booking.as_ref().filter(|b| b.state == BookingState::Requested) else {
        return called_off(draft, CancelReason::Rejected);
    };
    let reason = off.and_then(|off| off.words.clone()).unwrap_or_else(|| "declined".to_owned());
    let part = ticketing::void(order, booking)
        .event(Event::BookingDeclined { reason })
        .maybe(give_back(draft))
        .then(settle_case(order))
        .event(Event::OrderCancelled { reason: CancelReason::Rejected, why: None });
    draft.add(disarm(part, &[DeadlineKind::Acceptance, DeadlineKind::Ticketing, DeadlineKind::VisitDay]));
}

fn called_off(draft: &mut Draft, reason: CancelReason) {
    let order = &draft.order;
    let Some(booking) = &order.booking else { return };
    let was_used = !booking.is_active();
    let mut part = if was_used { Decision::nothing() } else { ticketing::void(order, booking) };
    part = part.event(Event::BookingCancelled { booking: booking.id.clone(), reason });
    if !was_used {
        part = part.maybe(give_back(draft));
    }
    if order.parked_for(booking) {
        let sentence = "the booking was called off although the guest had entered; settle it with the channel";
        part = part.attention(order, AttentionKind::RedeemedWhileRefunded, sentence);
    }
    let part = part.then(settle_case(order)).event(Event::OrderCancelled { reason, why: None });
    draft.add(disarm(part, &[DeadlineKind::Ticketing, DeadlineKind::Acceptance, DeadlineKind::VisitDay]));
}

/// All units that the date still holds for this order; the picture of a whole cancellation counts them as called off already.
fn give_back(draft: &Draft) -> Option<Effect> {
    let (booking, units) = (draft.order.booking.as_ref()?, draft.held);
    let key = date_stock_key(&draft.order.rules.booking, booking.visit_date).filter(|_| units > 0);
    key.map(|key| Effect::ReturnStock { key, units })
}

fn open_case(draft: &mut Draft, since: UnixMillis, off: Option<&CalledOff>, moment: Moment) {
    let order = &draft.order;
    if order.refund_case.as_ref().is_some_and(RefundCase::is_open) {
        return;
    }
    let review_by = since + order.rules.channel.review_limit;
    let number = format!("{}:{}", order.channel_order_id, order.mirror.as_deref().map_or(0, |m| m.picture.revision));
    let case = RefundCase {
        id: moment.seed.refund_case(),
        channel_ref: number,
        target: order.channel_order_id.clone(),
        state: RefundState::UnderReview,
        kind: RefundKind::Refund,
        source: RefundSource::Guest,
        source_code: None,
        requested_at: since,
        review_by,
        // What is kept is ours to say here, up to all of it.
        channel_fee: (order.money.received() - order.money.refunded()).max(0),
        fee: None,
        intent: RefundIntent::Undecided,
        decided_by: None,
        decided_at: None,
        reason: off.and_then(|off| off.words.clone()),
        settled_amount: None,
        tickets_were_sent: false,
        reissue: false,
        overdue: false,
    };
    let warn_at = order.rules.channel.review_warn_before.iter().map(|before| review_by - *before);
    let warn_at = warn_at.filter(|at| *at > moment.now).collect();
    let mut part = Decision::nothing().event(Event::RefundApplied { case: Box::new(case) });
    if order.rules.channel.review_limit.0 > 0 {
        part = part.effect(Effect::ArmDeadline { kind: DeadlineKind::Review, due_at: review_by, warn_at });
    }
    // What was not sent yet is not sent any more; the request decides first.
    if order.mirror.as_deref().is_some_and(|m| m.proposal.is_some()) {
        part = part.event(Event::ProposalEnded { agreed: false });
    }
    draft.add(part);
}

fn withdraw_case(draft: &mut Draft) {
    if let Some(case) = draft.order.refund_case.as_ref().filter(|case| case.is_open()) {
        let part = nothing_comes_back(&draft.order).event(Event::RefundWithdrawn { case: case.id.clone() });
        draft.add(disarm(part, &[DeadlineKind::Review]));
    }
}

/// What was approved does not happen: the money that was expected back is not on its way.
fn nothing_comes_back(order: &Order) -> Decision {
    let is_expected =
        |e: &LedgerEntry| e.kind == EntryKind::Refund && e.status == EntryStatus::Pending && e.reference == PRESUMED;
    if order.money.ledger.iter().any(is_expected) {
        Decision::nothing().event(Event::PaymentRetracted { reference: PRESUMED.to_owned() })
    } else {
        Decision::nothing()
    }
}

/// The channel does not do what was approved: somebody decides again, perhaps on other terms.
fn reopen_case(order: &Order) -> Decision {
    let part = nothing_comes_back(order);
    match &order.refund_case {
        Some(case) => part.event(Event::RefundReopened { case: case.id.clone() }),
        None => part,
    }
}

fn settle_case(order: &Order) -> Decision {
    match &order.refund_case {
        Some(case) if case.is_open() => {
            let settled = Event::RefundSettled {
                case: case.id.clone(),
                amount: None,
                by_channel: case.state == RefundState::UnderReview,
            };
            disarm(Decision::nothing().event(settled), &[DeadlineKind::Review])
        }
        _ => Decision::nothing(),
    }
}

/// What we had asked for has come about, or cannot any more.
fn end_proposal(draft: &mut Draft) {
    let (Some(mirror), Some(booking)) = (draft.order.mirror.as_deref(), &draft.order.booking) else { return };
    let agreed = match (&mirror.proposal, booking.state) {
        (None, _) | (Some(Proposal::Accept | Proposal::Decline { .. }), BookingState::Requested) => return,
        (Some(Proposal::Cancel { parts, .. }), BookingState::Requested | BookingState::Confirmed) => {
            if parts.is_empty() || !mirror.parts_are_off(parts) {
                return;
            }
            true
        }
        (Some(Proposal::Accept), state) => {
            matches!(state, BookingState::Confirmed | BookingState::Used | BookingState::NoShow)
        }
        (Some(Proposal::Decline { .. }), state) => state == BookingState::Rejected,
        (Some(Proposal::Cancel { .. }), state) => state == BookingState::Cancelled,
    };
    draft.add(Decision::nothing().event(Event::ProposalEnded { agreed }));
}

/// A partner's system hears of an order once, and again when what it was told has changed.
fn hand_over(draft: &mut Draft, before: &Order) {
    let Some(now) = draft.order.mirror.as_deref().filter(|m| m.picture.hand_over) else { return };
    if draft.order.state == OrderState::Cancelled {
        return;
    }
    let told = before.mirror.as_deref().is_some_and(|old| {
        old.picture.hand_over
            && old.picture.extra == now.picture.extra
            && before.buyer == draft.order.buyer
            && before.money.gross == draft.order.money.gross
            && before.money.due == draft.order.money.due
            && before.booking.as_ref().map(|b| b.visit_date) == draft.order.booking.as_ref().map(|b| b.visit_date)
    });
    if !told {
        draft.decision.effects.push(Effect::TellChannel { report: Report::HandOver, not_before: None });
    }
}

/// A manager, or policy, accepts: the tickets are held at the back-end first, then the channel is asked. State moves when it agrees.
pub(super) fn accept(order: &Order, mirror: &Mirror) -> Result<Decision, Rejection> {
    let booking = booking::waiting(order)?;
    if order.case_under_review().is_some() {
        let sentence = "a cancellation of this booking is asked for; decide that first";
        return Err(Rejection::new(Why::RefundUnderReview, sentence));
    }
    match &mirror.proposal {
        Some(Proposal::Accept) => return Ok(Decision::nothing()),
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    if !mirror.picture.needs_decision {
        return Err(Rejection::new(Why::NotWaiting, "the channel accepts bookings of this product by itself"));
    }
    let held = order.money.received() - order.money.refunded();
    if order.money.mode == PaymentMode::Ledger && held < mirror.picture.accept_needs {
        let sentence = format!(
            "{held} is paid, and {} is needed before this booking can be accepted",
            mirror.picture.accept_needs
        );
        return Err(Rejection::new(Why::NotPaid, sentence));
    }
    let decision = Decision::nothing()
        .event(Event::Proposed { proposal: Proposal::Accept })
        .effect(Effect::DisarmDeadline { kind: DeadlineKind::Acceptance });
    Ok(match booking.ticketing.state {
        TicketingState::Queued if !booking.ticketing.asked => decision.then(booking::start_ticketing(order, booking)),
        _ => decision.effect(tell_accepted(order)),
    })
}

/// Asks the channel to accept.
pub(super) fn tell_accepted(order: &Order) -> Effect {
    let booking = order.booking.as_ref().map_or_else(|| crate::id::BookingId::new(""), |b| b.id.clone());
    Effect::TellChannel { report: Report::BookingAccepted { booking }, not_before: None }
}

/// The tickets are held for a booking that is to be accepted: now the channel can be asked.
pub(super) fn after_issue(order: &Order) -> Option<Effect> {
    let waits = order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested);
    let accepts = order.mirror.as_deref().is_some_and(|m| m.proposal == Some(Proposal::Accept));
    (waits && accepts).then(|| tell_accepted(order))
}

/// A manager, or policy, declines.
pub(super) fn decline(order: &Order, mirror: &Mirror, reason: &str) -> Result<Decision, Rejection> {
    let booking = booking::waiting(order)?;
    let tickets_failed = booking.ticketing.state == TicketingState::Failed;
    match &mirror.proposal {
        Some(Proposal::Decline { .. }) => return Ok(Decision::nothing()),
        Some(Proposal::Accept) if tickets_failed => {}
        Some(_) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked for something else already"));
        }
        None => {}
    }
    if !mirror.picture.needs_decision {
        return Err(Rejection::new(Why::NotWaiting, "the channel accepts bookings of this product by itself"));
    }
    let decision = Decision::nothing()
        .event(Event::Proposed { proposal: Proposal::Decline { reason: reason.to_owned() } })
        .effect(Effect::TellChannel {
            report: Report::BookingDeclined { booking: booking.id.clone(), reason: reason.to_owned() },
            not_before: None,
        });
    Ok(disarm(decision, &[DeadlineKind::Acceptance]))
}

/// What of an order is to be called off, and on what terms.
pub(super) struct Wish<'a> {
    /// What is to be kept; `None` is the channel's own fee.
    pub(super) fee: Option<i64>,
    pub(super) reason: &'a str,
    /// Units by line; none are all.
    pub(super) parts: &'a [(String, u32)],
}

/// The order, or a part of it, is to be called off: the channel's own fee is asked for first.
pub(super) fn ask_cancellation(order: &Order, wish: &Wish<'_>, moment: Moment) -> Result<Decision, Rejection> {
    let Some(mirror) = order.mirror.as_deref() else {
        return Err(Rejection::new(
            Why::NotSupported,
            "this channel's orders are called off whole, without a fee of ours",
        ));
    };
    match order.state {
        OrderState::Cancelled => return Err(Rejection::new(Why::AlreadyCancelled, "this order is cancelled already")),
        OrderState::Completed => {
            return Err(Rejection::new(Why::AlreadyRedeemed, "this order has been used; return the money alone"));
        }
        OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked => {}
    }
    if order.case_under_review().is_some() {
        return Err(Rejection::new(Why::RefundUnderReview, "the guest asks for it already; decide that request"));
    }
    let parts = wanted_parts(mirror, wish.parts)?;
    match &mirror.proposal {
        Some(Proposal::Cancel { parts: before, .. }) if *before == parts => return Ok(Decision::nothing()),
        Some(Proposal::Cancel { .. }) => {
            return Err(Rejection::new(
                Why::AlreadyDecided,
                "the channel has been asked to call something off; wait for it",
            ));
        }
        // A request is declined, not called off; one that is being accepted may be.
        Some(Proposal::Decline { .. }) => {
            return Err(Rejection::new(Why::AlreadyDecided, "the channel has been asked to decline it already"));
        }
        Some(Proposal::Accept) | None => {}
    }
    if let (Some(fee), Some(policy)) = (wish.fee, &mirror.picture.policy) {
        let held = order.money.received() - order.money.refunded();
        let most = policy.fee(price_of(order, mirror, &parts), held, false, moment.now);
        if fee < 0 || fee > most {
            let sentence = format!("the fee can be 0 to {most}: it may be lowered, never raised");
            return Err(Rejection::new(Why::FeeAboveDefault, sentence).at("fee"));
        }
    }
    let proposal = Proposal::Cancel { fee: wish.fee, reason: wish.reason.to_owned(), parts };
    Ok(Decision::nothing()
        .event(Event::Proposed { proposal })
        .effect(Effect::TellChannel { report: Report::CancelQuote, not_before: None }))
}

/// The units that are to be called off, line by line; none where that is all that is left of the order.
fn wanted_parts(mirror: &Mirror, wish: &[(String, u32)]) -> Result<Vec<Part>, Rejection> {
    let mut parts: Vec<Part> = Vec::new();
    // What was used is never called off with the rest.
    let unused = if wish.is_empty() { mirror.unused_beside_used() } else { Vec::new() };
    for (detail, units) in wish.iter().chain(&unused) {
        let invalid = |sentence: String| Err(Rejection::new(Why::Invalid, sentence).at("lines"));
        let Some(line) = mirror.picture.lines.iter().find(|line| &line.detail == detail) else {
            return invalid(format!("this order has no line `{detail}`"));
        };
        let left = line.quantity.saturating_sub(line.cancelled + line.used);
        if *units == 0 || *units > left || parts.iter().any(|part| &part.detail == detail) {
            return invalid(format!("of line `{detail}`, 1 to {left} units can be called off, named once"));
        }
        parts.push(Part { detail: detail.clone(), units: *units, before: line.cancelled });
    }
    let wanted: u32 = parts.iter().map(|part| part.units).sum();
    let left: u32 = mirror.picture.lines.iter().map(|line| line.quantity.saturating_sub(line.cancelled)).sum();
    if parts.is_empty() && !mirror.used_parts().is_empty() {
        return Err(Rejection::new(Why::AlreadyRedeemed, "every unit of this order has been used, or called off"));
    }
    if wanted == left {
        return Ok(Vec::new());
    }
    if !parts.is_empty() && mirror.picture.policy.as_ref().is_some_and(|policy| !policy.partial_allowed) {
        let sentence = "this product is called off whole or not at all";
        return Err(Rejection::new(Why::PartialNotAllowed, sentence).at("lines"));
    }
    Ok(parts)
}

/// What the units cost that are to be called off: all of the order, or their share after discount.
fn price_of(order: &Order, mirror: &Mirror, parts: &[Part]) -> i64 {
    if parts.is_empty() {
        return order.money.due;
    }
    let gross: i128 = parts
        .iter()
        .filter_map(|part| {
            let line = mirror.picture.lines.iter().find(|line| line.detail == part.detail)?;
            Some(i128::from(line.amount) * i128::from(part.units) / i128::from(line.quantity.max(1)))
        })
        .sum();
    let net = gross * i128::from(order.money.due) / i128::from(order.money.gross.max(1));
    i64::try_from(net).unwrap_or(order.money.due).min(order.money.due)
}

/// The channel says what it would keep; its number wins over ours, and ours may only be lower.
pub(super) fn record_quote(order: &Order, quoted: i64, returns: Option<i64>) -> Decision {
    let Some(mirror) = order.mirror.as_deref() else { return Decision::nothing() };
    let Some(Proposal::Cancel { fee, reason, parts }) = mirror.proposal.clone() else {
        return Decision::nothing();
    };
    let held = (order.money.received() - order.money.refunded()).max(0);
    // Money for used units stays, whatever is quoted.
    let used: Vec<Part> = mirror.used_parts();
    let kept = if used.is_empty() { 0 } else { price_of(order, mirror, &used) };
    let held = (held - kept).max(0);
    // A part costs what the channel counts for it, or its share of the price.
    let price = match (parts.is_empty(), returns) {
        (true, _) => held,
        (false, Some(returns)) => (quoted.max(0) + returns.max(0)).min(held),
        (false, None) => price_of(order, mirror, &parts).min(held),
    };
    let fee = fee.unwrap_or(quoted).min(quoted).clamp(0, price);
    let rate_bp = match price_of(order, mirror, &parts) {
        due if due > 0 => u32::try_from(i128::from(fee) * 10_000 / i128::from(due)).unwrap_or(10_000).min(10_000),
        _ => 0,
    };
    let report = Report::CancelWanted { fee, rate_bp, refund: price - fee, reason };
    Decision::nothing()
        .event(Event::ReportAcknowledged { report: Report::CancelQuote })
        .effect(Effect::TellChannel { report, not_before: None })
}

/// The channel has done what was asked for, without telling the whole order.
pub(super) fn record_agreement(order: &Order, report: &Report, moment: Moment) -> Decision {
    let mut draft = Draft::of(order, moment);
    let off = |reason, fee: i64, words: Option<String>| CalledOff {
        reason,
        ex_officio: false,
        fee,
        returns: Some(order.money.received() - fee),
        words,
    };
    let wanted = super::super::wanted::is_report_wanted(order, report);
    let (stage, off) = match report {
        Report::BookingAccepted { .. } if wanted => (Stage::Confirmed, None),
        Report::BookingDeclined { reason, .. } if wanted => {
            (Stage::Rejected, Some(off(CancelReason::Rejected, 0, Some(reason.clone()))))
        }
        // Of a part, only the channel's picture says how the lines stand.
        Report::CancelWanted { .. } if order.mirror.as_deref().is_some_and(|m| !m.wanted_parts().is_empty()) => {
            return Decision::nothing();
        }
        Report::CancelWanted { fee, .. } if wanted => (Stage::Cancelled, Some(off(CancelReason::ByOps, *fee, None))),
        Report::RefundApproved { fee, .. } if wanted && order.active_booking().is_some() => {
            (Stage::Cancelled, Some(off(CancelReason::RefundedBeforeUse, *fee, None)))
        }
        Report::PaymentReturn { reference, .. } => {
            payments::returned(&mut draft, reference);
            return draft.decision;
        }
        _ => return Decision::nothing(),
    };
    reach(&mut draft, stage, moment.now, off.as_ref(), moment);
    end_proposal(&mut draft);
    payments::settle_up(&mut draft, off.as_ref(), moment.now);
    draft.decision
}

/// A call of ours did not do what was wanted.
pub(super) fn record_failure(order: &Order, report: &Report, outcome: &ReportOutcome) -> Decision {
    let mut draft = Draft::at(order, order.updated_at);
    if let ReportOutcome::Overtaken = outcome {
        let again = super::super::wanted::is_report_wanted(order, report);
        let part = Decision::nothing().event(Event::ReportOvertaken { report: report.clone() });
        draft.add(if again {
            part.effect(Effect::TellChannel { report: report.clone(), not_before: None })
        } else {
            part
        });
        return draft.decision;
    }
    match report {
        Report::BookingAccepted { .. }
        | Report::BookingDeclined { .. }
        | Report::CancelQuote
        | Report::CancelWanted { .. }
            if order.mirror.as_deref().is_some_and(|m| m.proposal.is_some()) =>
        {
            draft.add(Decision::nothing().event(Event::ProposalEnded { agreed: false }));
            if draft.order.booking.as_ref().is_some_and(|b| b.state == BookingState::Requested) {
                wait_for_decision(&mut draft);
            }
        }
        Report::PaymentReturn { reference, .. } => {
            draft.add(Decision::nothing().event(Event::PaymentRetracted { reference: reference.clone() }));
            payments::flag_failure(&mut draft);
        }
        Report::PaymentLink { key } => payments::link_failed(&mut draft, key),
        Report::RefundApproved { case, .. } if order.mirror.is_some() => {
            let stands = |c: &&RefundCase| c.id == *case && c.state == RefundState::Approved;
            if !order.is_over() && order.refund_case.as_ref().filter(stands).is_some() {
                draft.add(reopen_case(order));
            }
        }
        _ => {}
    }
    draft.decision
}

/// An entry of the ledger that keeps the rest.
pub(super) fn fee_entry(amount: i64, at: UnixMillis) -> LedgerEntry {
    LedgerEntry { reference: "fee".to_owned(), kind: EntryKind::Fee, status: EntryStatus::Done, amount, at }
}
