// SPDX-License-Identifier: Apache-2.0

//! Every text that reaches us, and what it is.
//!
//! Each message, answer, event and part of an order is taken apart here field by field, and each field has to be something that says
//! what becomes of it: [`FreeText`] and its like mask themselves, people mask themselves, numbers and words of ours name nobody. A plain
//! `String` is none of these. One that is added to a message does not compile until it has become a free text, or somebody has said here
//! why it is none, in a word of [`what`].

use std::collections::{BTreeMap, BTreeSet};

use super::{ForeignCode, ForeignName, ForeignNote, ForeignNumber, FreeText, Guests};
use crate::ciphers::{Ciphers, Opened};
use crate::id::{BackendId, BookingId, ChannelId, ExternalId, OrderId, ProductCode, RefundCaseId, Seed, TicketId};
use crate::message::*;
use crate::order::channel_state::*;
use crate::order::money::*;
use crate::order::undelivered::Undelivered;
use crate::order::*;
use crate::personal::{Document, DocumentNumber, DocumentType, Person, PersonName, Phone};
use crate::port::*;
use crate::product::{BookingProduct, Currency};
use crate::rejection::{Rejection, Why};
use crate::rules::cancel_policy::{CancelPolicy, PolicyTier, UnusedAction};
use crate::shared_rules::SharedRules;
use crate::time::{Date, Millis, UnixMillis};
use crate::variant::Visit;

/// A text that can be masked for an order's guests.
pub(super) trait Masks {
    /// Masks it for good.
    fn mask(&mut self, guests: &Guests);
}

impl Masks for FreeText {
    fn mask(&mut self, guests: &Guests) {
        *self = self.for_guests(guests);
    }
}
impl Masks for ForeignCode {
    fn mask(&mut self, guests: &Guests) {
        *self = self.for_guests(guests);
    }
}

/// What is made of parts of which each says what it is.
pub(super) trait Texts {
    /// Adds what is to be masked before anything is decided on it.
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>);
}

impl Texts for FreeText {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        found.push(self);
    }
}
impl Texts for ForeignCode {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        found.push(self);
    }
}
impl<T: Texts> Texts for Option<T> {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        self.iter_mut().for_each(|part| part.free(found));
    }
}
impl<T: Texts> Texts for Vec<T> {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        self.iter_mut().for_each(|part| part.free(found));
    }
}
impl<T: Texts> Texts for Box<T> {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        (**self).free(found);
    }
}
impl<A: Texts, B: Texts> Texts for (A, B) {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        self.0.free(found);
        self.1.free(found);
    }
}
impl<K, T: Texts> Texts for BTreeMap<K, T> {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        self.values_mut().for_each(|part| part.free(found));
    }
}

/// What names nobody, or masks itself.
macro_rules! names_nobody {
    ($($name:ty),+ $(,)?) => {
        $(impl Texts for $name {
            fn free<'t>(&'t mut self, _: &mut Vec<&'t mut dyn Masks>) {}
        })+
    };
}

names_nobody!(bool, u8, u32, u64, i64, usize, Date, Millis, UnixMillis, Seed, BTreeSet<u32>);
// Names that we made, or that the configuration gives.
names_nobody!(OrderId, BookingId, RefundCaseId, TicketId, ChannelId, BackendId, ProductCode, Currency);
names_nobody!(SharedRules, BookingProduct, Rejection, Why);
// The channel's number for an order: it is sought by it, and what shows it goes through `Guests`.
names_nobody!(ExternalId);
// Guests' data, which masks itself; under a cipher it says nothing.
names_nobody!(PersonName, Phone, DocumentNumber, DocumentType, Document, Person, Ciphers, Opened);
// Told again exactly as it was written, so it is kept that way. It masks itself wherever it is shown.
names_nobody!(ForeignName, ForeignNote, ForeignNumber);
// Words of ours.
names_nobody!(
    ActorKind,
    AttentionKind,
    BookingState,
    CancelReason,
    DeadlineKind,
    EntryKind,
    EntryStatus,
    Handover,
    Held,
    Keeps
);
names_nobody!(
    LinkPart,
    LinkState,
    OrderKind,
    OrderState,
    ParkReason,
    PaymentMode,
    ProofState,
    RedeemedBy,
    RefundIntent
);
names_nobody!(
    RefundKind,
    RefundScope,
    RefundSource,
    RefundState,
    Stage,
    TicketKind,
    TicketOp,
    TicketingState,
    UnusedAction
);
names_nobody!(Yes, CarriedOut);
// Bytes that are ready for the wire, or come from it: whoever reads them makes one of the types below of them.
names_nobody!(HttpReply);

/// What a plain text is, if it is no free text.
mod what {
    use std::borrow::Cow;

    /// A plain text, or several.
    pub(super) trait Plain {}
    impl Plain for String {}
    impl Plain for Cow<'static, str> {}
    impl Plain for Option<String> {}
    impl Plain for Vec<String> {}
    impl Plain for Vec<(String, u32)> {}

    /// A partner's number or key for something: it is sought by it, compared, and told again exactly. What shows it goes through `Guests`.
    pub(super) fn number(_: &impl Plain) {}
    /// Words of ours, a name of the configuration, or a sentence of ours in which nothing foreign stands but what shows itself masked.
    pub(super) fn ours(_: &impl Plain) {}
    /// What a partner is told again in a form of its own, which its adapter alone reads. It is kept in sealed places, and what shows it goes
    /// through `Guests`.
    pub(super) fn told(_: &impl Plain) {}
    /// A partner's word for machines, which its adapter knows. What shows it goes through `Guests` or `Quoted::code`.
    pub(super) fn word(_: &impl Plain) {}
    /// What was decided here before, when its texts were masked for whom the order knew then: it is compared with what is wanted now.
    pub(super) fn decided(_: &impl super::Texts) {}
    /// Read into a form of ours already: a time of day, an address that was checked.
    pub(super) fn read(_: &impl Plain) {}
}

/// Takes a type apart, field by field. A field that is none of the types above has to say after a colon what it is.
macro_rules! texts {
    ($(struct $name:ident { $($field:ident $(: $said:ident)?),* $(,)? })*) => {
        $(impl Texts for $name {
            fn free<'t>(&'t mut self, _found: &mut Vec<&'t mut dyn Masks>) {
                let Self { $($field),* } = self;
                $(texts!(@ _found, $field $(, $said)?);)*
            }
        })*
    };
    (enum $name:ident { $($variant:ident $({ $($field:ident $(: $said:ident)?),* })? $(($($item:ident $(: $is:ident)?),*))?),* $(,)? }) => {
        impl Texts for $name {
            fn free<'t>(&'t mut self, _found: &mut Vec<&'t mut dyn Masks>) {
                match self {
                    $(Self::$variant $({ $($field),* })? $(($($item),*))? => {
                        $($(texts!(@ _found, $field $(, $said)?);)*)?
                        $($(texts!(@ _found, $item $(, $is)?);)*)?
                    })*
                }
            }
        }
    };
    (@ $found:ident, $field:ident) => { Texts::free($field, $found); };
    (@ $found:ident, $field:ident, $said:ident) => { what::$said($field); };
}

// What channels and their guests say.
texts! {
    struct ProductRef { voucher, booking }
    struct Sale {
        channel_order_id, kind, product, quantity, payment_mode, currency, gross, due, paid, buyer, placed_at,
    }
    struct PlaceOrder { channel, sale, rules, is_stub }
    struct HoldWish { lasts, reference: number, units }
    struct HeldUnit { id: number, reference: number }
    struct Visit { date, time: read }
    struct RequestBooking {
        channel_booking_id, quantity, visit_date, visit_time: read, visitors, contact, requested_at, hold, counts,
    }
    struct Counts { voucher_left, date_left, phone_units, document_bookings, credit_available }
    struct ConfirmHold { reference: number, contact, visitors, units, counts }
    struct ChangeHold { product: word, option, visit, units, reference: number, contact, lasts, terms }
    struct ChangeUnit { id: number, new_id: number, reference: number, visitor }
    struct NewTerms { sale, counts }
    struct TicketRequest { copies, per_copy, kinds, visitors, certificates: number, second_generation, at }
    struct ApplyRefund { target, channel_ref: number, kind, source, source_code, fee, requested_at, copies }
    struct RecordRefund { target, channel_ref: number, amount, announced, at, scope, scene, expired, copies, named }
    struct NamedCopy { certificate: number, code }
    struct RecordCancellation { target, reason, at }
    struct RecordRejection { target, channel_ref: number, at }
    struct Cancelled { reason, ex_officio, fee, returns, words }
    struct LinkNews { id: number, state }
    struct ReturnNews { reference: number, status }
    struct LedgerEntry { reference: number, kind, status, amount, at }
    struct Snapshot {
        sale, standing, visit_date, visit_time: read, departure: number, valid_until, since, cancel_asked_at, cancelled, entries, kept_of_parts, settle_id,
        return_news, link, partner_number, doubts: ours, creates, can_read_back, asked,
    }
    struct Standing {
        revision, at, stage, needs_decision, confirm_needs, read_only, lines, lines_elsewhere: number, payments, sums, policy,
        hand_over, extra, pays_by: word, notes,
    }
    struct Line { detail: number, label, price: number, quantity, amount, cancelled, used }
    struct Payment { id: number, left, at, returns: number, with_booking: number, link: number }
    struct Sums { received, returned }
    struct CancelPolicy { cancelable, until, free_until, tiers, unused, partial_allowed }
    struct PolicyTier { until, rate_bp }
}
texts! { enum OptionName { Default, Named(name: word) } }
texts! { enum ReservationAct { Confirm(sold), Extend { lasts }, Change(change), Cancel { reason } } }

// What back-ends say.
texts! {
    struct NewTicket { code, kind, project_id, name }
    struct Redeem { booking, at, by, count }
    struct GateCount { code, guests }
    struct BackendEvent { key: number, booking, what, news, clues }
    struct Clues { reservation, order, backend_ref, code, entered }
}
texts! {
    enum TicketFacts {
        Pending { backend_ref, look_after }, Issued { backend_ref, tickets }, Refused { reason }, Cancelled,
        CancelledKeeping { keeps }, CancelPending, CancelRefused { reason, used }, Redeemed { at }, HeldByAnother { order, what }, Unknown { why },
        GivenUp { why },
    }
}
texts! { enum BackendNews { Facts(facts), Redeemed { at }, Ignored } }
texts! { enum PoolStep { Draw { pool: ours, count, kind }, Already(facts) } }

// What is asked of an order, by whomever.
texts! {
    enum Command {
        PlaceOrder(placed, counts), RecordPayments { entries }, RecordPaid { at }, RequestBooking(request),
        Reservation { target, act, at }, ConfirmBooking, RejectBooking { reason }, SupplyGuests { buyer, visitors, contact },
        RequestTickets { target, request, validity, date_left }, AnswerTickets { target, with_tickets },
        RecordTicketFacts { booking, facts }, SupplyTickets { tickets }, Redeem(redeem), MarkNoShow { at },
        ApplyRefund(application), ApproveRefund { case, fee, without_backend, reason }, RejectRefund { case, reason },
        EscalateRefund { case, reason }, WithdrawRefund { channel_ref: number }, RecordRefund(refund),
        RecordRejection(rejection), RecordDoubt { sentence, unread }, RecordLate { call: ours, by }, RecordCancellation(cancellation),
        CancelOrder { reason }, SyncSnapshot { snapshot, not_for_sale: ours, paid_elsewhere: number, lines_elsewhere: number },
        RecordAgreement { notification: decided }, RecordQuote { fee, refund }, AskCancellation { fee, reason, parts: number, notify_text },
        ReturnPayments { amount, reason }, SendPaymentLink { amount, expires_at }, RevokePaymentLink, SettleAttention { kind, reason },
        RecordPaymentLink { key: ours, id: number, url: read }, RecordPartnerNumber { number },
        RecordReveal { reason }, EraseGuests { reason }, RecordNotification { notification: decided, outcome },
        RecordAstray { partner: ours, why }, RecordPartnerGone { partner: ours }, RecordPartnerBack { partner: ours },
        WarnDeadline { kind, due_at }, PassDeadline { kind, due_at },
    }
}
texts! {
    enum Notification {
        BookingConfirmed { booking }, BookingRejected { booking, reason }, TicketsIssued { booking }, RefundApproved { case, fee },
        RefundRejected { case, reason, reissue }, Redeemed { booking, at }, NoShow { booking, at }, OrderCancelled { reason },
        CancelQuote, Cancellation { fee, rate_bp, refund, reason },
        PaymentReturn { reference: ours, payment: number, amount, left, reason }, PaymentLink { key: ours },
        LinkRevoked { id: number }, GuestMessage { text }, HandOver,
    }
}
texts! {
    enum NotificationOutcome {
        Acknowledged, Refused { code, why }, GivenUp { why }, LeftToPerson { what }, Overtaken, Unmoved { told, not_before }, Taken { told }, Dropped, Repeated,
    }
}
texts! { struct ToldBefore { delivery: ours, decided_at, message: ours, in_vain } }
texts! {
    enum Effect {
        CallBackend { backend, booking, op, not_before }, TellChannel { notification, not_before, told_before }, DecryptGuests,
        CompareGuests { call: ours, first, again }, ReadBack { channel, about }, TellStock { channel, key },
        ArmDeadline { kind, due_at, warn_at }, DisarmDeadline { kind }, TakeStock { key, units }, ReturnStock { key, units },
    }
}
texts! { struct StockKey { product, date } }

// What happened.
texts! { struct Actor { kind, name: ours } }
texts! { struct EventRecord { seq, at, actor, event } }
texts! {
    enum Event {
        OrderPlaced { id, sale }, StubFilled { sale }, PaymentRecorded { entry }, BookingOpened, BookingRequested { booking },
        HoldConfirmed { reference: number }, HoldRenamed { reference: number, units }, HoldMoved { sale, visit, units },
        HoldExtended { until }, BookingConfirmed { ticketing_due }, BookingRejected { reason },
        GuestsSupplied { buyer, visitors, contact }, TicketingStarted, TicketsRequested { request, dates },
        TicketsPending { booking, backend_ref }, TicketsIssued { booking, backend_ref, tickets, manual },
        OtherCodesNamed { booking, tickets }, LateTicketsIssued { booking, backend_ref, count },
        TicketingRefused { booking, reason }, TicketingUnknown { booking, why }, TicketsAnswered, TicketsDeferred,
        TicketsHandedOver { acknowledged }, TicketCancelStarted { booking }, TicketCancelPending { booking },
        TicketsCancelled { booking, keeps }, TicketCancelRefused { booking, reason, used }, Redeemed { booking, at },
        RedemptionParked { booking, at, waits_for, told_by: ours, in_part }, GuestsEntered { entered, at, waits }, NoShowMarked { at }, RefundApplied { case },
        RefundEscalated { case, reason }, RefundApprovalStarted { case, fee, by: ours, reason },
        RefundApproved { case, fee, by: ours, reason, pending }, RefundRejected { case, reason, by: ours, reissue },
        RefundWithdrawn { case }, RefundSettled { case, amount, by_channel, fee }, RefundForced { channel_ref: number, scope, scene, copies, named, off },
        BookingCancelled { booking, reason }, OrderCancelled { reason, why }, NotificationAcknowledged { notification },
        NotificationRefused { notification, code, why }, SnapshotTaken { channel_state, sale, dates }, SnapshotContested,
        Proposed { proposal }, ProposalEnded { agreed }, PaymentLinkChanged { link },
        PartnerNumberChanged { old, new }, PaymentRetracted { reference: ours },
        NotificationLeftToPerson { notification, what }, NotificationDropped { notification },
        NotificationRepeated { notification }, RefundReopened { case }, NotificationOvertaken { notification },
        NotificationTaken { notification, told }, NotificationDenied { notification }, GuestsRevealed { reason },
        GuestsErased { reason }, TicketingDeadlineNear { due_at }, TicketingDeadlinePassed { due_at }, ReviewLimitNear { due_at },
        ReviewLimitPassed { due_at }, DeadlineNear { kind, due_at }, DeadlinePassed { kind, due_at }, AttentionSettled { kind, reason },
        AttentionRaised { kind, sentence: ours, fact },
    }
}

// What is kept of it.
texts! {
    struct Order {
        id, channel, channel_order_id, kind, state, cancel_reason, product, quantity, rules, money, buyer, booking, past_bookings,
        refund_case, past_refund_cases, copies_back, copies_named, copies_off, parked_redemption, entered, attention, undelivered, channel_state, is_stub, placed_at, created_at,
        updated_at, version,
    }
    struct Money { mode, currency, gross, due, ledger }
    struct Booking {
        id, channel_booking_id, state, visit_date, visit_time: read, valid_until, visitors, contact, requested_at, confirmed_at,
        used_at, ticketing, hold,
    }
    struct Hold { until, open, reference: number, units, cancel_reason }
    struct ParkedRedemption { at, booking, told_by: ours, in_part }
    struct Entered { booking, tickets, guests, lines }
    struct UsedUnits { detail: number, units }
    struct Ticketing {
        state, backend_ref, tickets, other_tickets, replaced, units, reason, voiding_since, deadline, overdue, asked, manual, handover, request,
    }
    struct Ticket { id, code, kind, project_id, name }
    struct RefundCase {
        id, channel_ref: number, target, state, kind, source, source_code, requested_at, review_by, channel_fee, fee, intent,
        decided_by: ours, decided_at, reason, settled_amount, tickets_were_sent, reissue, overdue, copies,
    }
    struct Attention { kind, since, sentence: ours, fact }
    struct Undelivered { notification, kind, is_put_aside, sentence: ours }
    struct ChannelState {
        standing, not_for_sale: ours, proposal, links, partner_numbers, handed_over, refused, payments_are_owned, lines_are_owned,
        unproven, sold, doubts: ours,
    }
    struct Sold { product, time: read, departure: number, lines }
    struct SoldLine { detail: number, label, price: number }
    struct Part { detail: number, units, before }
    struct PaymentLink { key: ours, id: number, url: read, amount, part, expires_at, state }
    struct PartnerNumber { number, since }
    struct Unproven { notification, state, told }
}
texts! { enum Proposal { Confirm, Reject { reason }, Cancel { fee, reason, parts, notify_text } } }
texts! {
    enum Fact {
        UnitsCalledOff { before }, UnitsAdded { tickets_for }, UnitsGone { tickets_for }, UsedLess { before }, PriceRaised { paid }, VisitMoved { from }, SoldOtherwise { tickets_for },
        TicketsVoid, OtherProduct, VisitPast { on },
        SoldAmiss { why: ours }, ConfirmedOffSale { why: ours }, VisitOverEarly { on }, Doubts, LinkUnanswered { key: ours }, LinkOver, OpenBalance,
        CancelOfUsedAsked,
        LinkPaidUnseen { id: number },
    }
}

// What goes through the ports.
texts! { enum Inbound { Ping(reply), Hint { key: number, about, what }, Query(query), Message(envelope) } }
texts! {
    struct Envelope { key: number, about, message }
    struct Listing { product, state: word, is_open, since }
    struct SaleQuestion { sale, visit_date, visitors }
    struct WantedReservations { reference: number, number: number, dates }
    struct DecodeError { field: ours, reason: ours, rejection, code, said: number, pointer: ours, also }
    struct FieldError { pointer: ours, detail: ours }
    struct CalendarDay { date, left, price, open }
    struct ChannelView { known, state, paid, refunded, quantity }
    struct Checked { learned, carried_out }
    struct Changes { orders, unread, next: told }
}
texts! {
    enum Message {
        Sale(sale), Booking { sale, request }, Snapshot(snapshot), Listing(listing), Act(command), Note { what, known },
    }
}
texts! {
    enum Query {
        MaySell(question), Left { product, date, units }, Offers { products, dates, only, units }, Reservation { about, at },
        Reservations { wanted, at }, OrderStatus { about }, Calendar { product, from, to },
    }
}
texts! { enum Silence { NotSent(why), Unknown(why) } }
texts! {
    enum AuthError {
        Missing(name), UnknownKey(key), BadSignature, Ambiguous(why: ours), BadTimestamp(why: ours), StaleTimestamp { why: ours, now },
    }
}
texts! {
    enum EncodeError { Unsupported(call), Missing(part), Invalid(why: ours), Obsolete(why), NotConfigured(whom) }
}

/// Only what we write ourselves is there before anything is read.
impl Texts for &'static str {
    fn free<'t>(&'t mut self, _: &mut Vec<&'t mut dyn Masks>) {}
}
impl<T: Texts> Texts for CallResult<T> {
    fn free<'t>(&'t mut self, found: &mut Vec<&'t mut dyn Masks>) {
        match self {
            CallResult::Done(value) => value.free(found),
            CallResult::Retry { why, after: _ } | CallResult::Unknown { why } | CallResult::Astray { why } => {
                why.free(found)
            }
            CallResult::Refused { code, why } => {
                code.free(found);
                why.free(found);
            }
            CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => {}
        }
    }
}

/// What the ports hand over and what is kept: each is taken apart above, with all that it is made of.
const _: () = {
    const fn is_taken_apart<T: Texts>() {}
    is_taken_apart::<Inbound>();
    is_taken_apart::<(DecodeError, AuthError)>();
    is_taken_apart::<BackendEvent>();
    is_taken_apart::<(PoolStep, EncodeError)>();
    is_taken_apart::<Silence>();
    is_taken_apart::<CallResult<TicketFacts>>();
    is_taken_apart::<CallResult<Yes>>();
    is_taken_apart::<CallResult<Snapshot>>();
    is_taken_apart::<CallResult<Checked>>();
    is_taken_apart::<CallResult<ChannelView>>();
    is_taken_apart::<CallResult<Changes>>();
    is_taken_apart::<CallResult<Opened>>();
    is_taken_apart::<CallResult<BookingId>>();
    is_taken_apart::<CallResult<Vec<CalendarDay>>>();
    is_taken_apart::<(Command, Effect)>();
    is_taken_apart::<(EventRecord, Order)>();
};

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Types that bring no text of anybody's: what we say and ask, what settings say, what is computed of the others, and bytes that nobody has
    /// read yet.
    const BRING_NONE: &[&str] = &[
        "Answer",
        "BackendKind",
        "BackendSpec",
        "BackendTable",
        "Call",
        "ChannelKind",
        "ChannelSpec",
        "CodeMaker",
        "Context",
        "Destination",
        "Endpoint",
        "Face",
        "GivenOut",
        "HintError",
        "HttpResponse",
        "LiveFinding",
        "LiveProduct",
        "Offer",
        "Operations",
        "OtherVisit",
        "PaymentState",
        "RawRequest",
        "RedemptionNews",
        "Replayed",
        "Routed",
        "SellsIn",
        "SettingsProblem",
        "StockLeft",
        "Token",
        "Turn",
        "Verified",
        "VerifyStep",
        "WatchPlan",
        "WhenUnknown",
    ];

    fn names(text: &str) -> impl Iterator<Item = &str> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
    }

    /// A new type is taken apart field by field, or somebody has said that it brings no text.
    #[test]
    fn every_type_of_messages_orders_and_ports_is_taken_apart() {
        let core = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = |path: &Path| std::fs::read_to_string(path).expect("a source file");
        let here = text(&core.join("quoted/texts.rs"));
        let taken_apart: Vec<&str> = here.split("mod tests").take(1).flat_map(names).collect();
        let mut files = vec![core.join("notification.rs")];
        for folder in ["message", "order", "port", "port/capability"] {
            let listed = std::fs::read_dir(core.join(folder)).expect("a folder of sources");
            files.extend(listed.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()));
        }
        let mut missing = Vec::new();
        let mut known = 0;
        for file in &files {
            for line in text(file).lines() {
                let Some(rest) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) else {
                    continue;
                };
                let name = names(rest).next().expect("a name").to_owned();
                known += 1;
                if !taken_apart.contains(&name.as_str()) && !BRING_NONE.contains(&name.as_str()) {
                    missing.push(format!("{name} ({})", file.display()));
                }
            }
        }
        assert_eq!(missing, [] as [&str; 0], "take them apart in quoted/texts.rs, or name them in BRING_NONE");
        assert!(known > 90, "{known}");
    }
}
