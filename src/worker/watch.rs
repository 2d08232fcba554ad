// SPDX-License-Identifier: Apache-2.0

//! Back-ends that do not tell of a visit are asked: often on the days on which a ticket admits, once a day afterwards, then never again.
//! And a push that cannot be believed is a reason to ask.

use futures_util::future::join_all;
use ticketbridge_core::message::{Actor, ActorKind, Command, Destination, TicketFacts, TicketOp};
use ticketbridge_core::order::{AttentionKind, Booking, BookingState, Order, TicketingState};
use ticketbridge_core::port::{CallResult, HttpResponse, Operations, WatchPlan};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::{BookingId, Millis, TimeZone, UnixMillis};
use ticketbridge_store::{StoreError, Tx};

use crate::engine::EngineError;
use crate::recorder::course;
use crate::recorder::tape::Work;
use crate::service::registry::RegisteredBackend;
use crate::transport::CallLimits;
use crate::worker::Worker;
use crate::worker::conduct::For;
use crate::worker::conversation::{Ended, KEY_REFUSED};

/// Bookings that one run asks about at most; the rest come with the next one.
const LOOKS_PER_RUN: usize = 200;
/// Of these, asked about at the same time.
const LOOKS_AT_ONCE: usize = 64;
/// Days back in which a ticket that still admits may have begun to.
const DAYS_BACK: i64 = 60;
/// After the last day on which it admits, once in this time.
const AFTERWARDS: Millis = Millis::hours(24);

/// What becomes of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hinted {
    /// The booking is being read.
    Followed,
    /// It was read a moment ago.
    TooSoon,
}

impl Worker {
    /// Asks about every booking that may have been used and is due; how many that were.
    ///
    /// # Errors
    /// Store errors.
    pub async fn watch_for_use(&self) -> Result<u64, EngineError> {
        let running = self.engine.running();
        let is_watched = |backend: &std::sync::Arc<RegisteredBackend>| backend.backend.spec().watch.is_some();
        if !running.registry.backends().any(is_watched) {
            return Ok(0);
        }
        let now = self.engine.clock().now();
        let today = TimeZone::UTC.date_of(now);
        let orders = self.engine.store().orders_with_tickets(today.plus_days(-DAYS_BACK), today.plus_days(2)).await?;
        let is_to_be_asked = |order: &Order| {
            let Some((_, booking, plan)) = self.watched_booking(order) else { return false };
            let last = self.watched.looks().get(&booking.id).copied();
            is_due(plan, order.rules.channel.time_zone, booking, now, last)
        };
        let due: Vec<Order> = orders.into_iter().filter(is_to_be_asked).take(LOOKS_PER_RUN).collect();
        // Together: a back-end that says nothing about some of them holds up none of the others.
        for part in due.chunks(LOOKS_AT_ONCE) {
            let looks = part.iter().enumerate();
            let looks = looks.map(|(number, order)| course::strand(number, Box::pin(self.watch_one(order, now))));
            for looked in join_all(looks).await {
                looked?;
            }
        }
        let looks = due.len();
        // What has not been looked at for long is not watched any more.
        self.watched.looks().retain(|_, last| (now - *last).0 < AFTERWARDS.0 * 3);
        Ok(looks as u64)
    }

    async fn watch_one(&self, order: &Order, now: UnixMillis) -> Result<(), EngineError> {
        let Some((backend, booking, _)) = self.watched_booking(order) else { return Ok(()) };
        self.watched.looks().insert(booking.id.clone(), now);
        self.look_at(&backend, order, booking, None).await
    }

    fn watched_booking<'o>(
        &self,
        order: &'o Order,
    ) -> Option<(std::sync::Arc<RegisteredBackend>, &'o Booking, WatchPlan)> {
        let Ticketing::Backend { backend, .. } = &order.rules.booking.ticketing else { return None };
        let backend = self.engine.running().registry.backend(backend)?;
        let plan = backend.backend.spec().watch?;
        let booking = order.booking.as_ref()?;
        let is_open = booking.state == BookingState::Confirmed && booking.ticketing.state == TicketingState::Issued;
        (is_open && !booking.ticketing.manual).then_some((backend, booking, plan))
    }

    /// Asks how a booking stands, and takes over what is news. `heard` is an answer that was read already.
    async fn look_at(
        &self,
        backend: &RegisteredBackend,
        order: &Order,
        booking: &Booking,
        heard: Option<(String, HttpResponse)>,
    ) -> Result<(), EngineError> {
        let Some(answer) = self.hear_of_booking(backend, order, booking, heard).await? else { return Ok(()) };
        let facts = match answer {
            CallResult::Done(facts) => facts,
            no_news => return self.learned_nothing(backend, order, &booking.id, no_news).await,
        };
        // That everything is as before is no news; what a look at a delivery would follow up is left to that.
        let is_news = match &facts {
            TicketFacts::Issued { .. }
            | TicketFacts::Redeemed { .. }
            | TicketFacts::Cancelled
            | TicketFacts::CancelledKeeping { .. }
            | TicketFacts::Refused { .. } => true,
            TicketFacts::Pending { .. }
            | TicketFacts::CancelPending
            | TicketFacts::CancelRefused { .. }
            | TicketFacts::HeldByAnother { .. }
            | TicketFacts::Unknown { .. }
            | TicketFacts::GivenUp { .. } => false,
        };
        if !is_news {
            return Ok(());
        }
        self.record(backend, order, Command::RecordTicketFacts { booking: booking.id.clone(), facts }).await
    }

    /// The back-end's word on a booking, where asking takes a conversation; `None` where it takes none, or cannot be asked.
    pub(crate) async fn hear_of_booking(
        &self,
        backend: &RegisteredBackend,
        order: &Order,
        booking: &Booking,
        heard: Option<(String, HttpResponse)>,
    ) -> Result<Option<CallResult<TicketFacts>>, EngineError> {
        let Operations::Talks(talks) = backend.backend.operations() else { return Ok(None) };
        let Ok(talk) = talks.talk(TicketOp::Query, order, booking, true) else { return Ok(None) };
        let id = format!("look_{:032x}", self.engine.ids().seed().0);
        let what = For::Question(&id);
        let Ok(Ended { result, last, remark: _ }) = self.talk(what, backend, order, talk, heard).await? else {
            return Ok(None);
        };
        if let Some(attempt) = last {
            self.note(self.call_record(what, backend, order, attempt)).await;
        }
        Ok(Some(result.without_guests(order)))
    }

    /// The order hears what a back-end says when it is asked.
    async fn record(&self, backend: &RegisteredBackend, order: &Order, command: Command) -> Result<(), EngineError> {
        let actor = Actor::new(ActorKind::Backend, backend.id.as_str());
        match self.engine.apply(&order.id, command, actor).await {
            Ok(_) => Ok(()),
            Err(EngineError::Rejected(rejection)) => {
                tracing::warn!(order = %order.id, code = rejection.why.code(),
                    "what a back-end says when it is asked does not fit the order: {rejection}");
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    /// A look whose answer says nothing of the booking: the next one asks again, and what a person has to mend is shown.
    async fn learned_nothing(
        &self,
        backend: &RegisteredBackend,
        order: &Order,
        booking: &BookingId,
        answer: CallResult<TicketFacts>,
    ) -> Result<(), EngineError> {
        let destination = Destination::Backend(backend.id.clone()).to_string();
        let (word, why) = match &answer {
            CallResult::Done(_) => return Ok(()),
            CallResult::Astray { why } => ("astray", why.to_string()),
            CallResult::Retry { why, .. } => ("retry", why.to_string()),
            CallResult::Unknown { why } => ("unknown", why.to_string()),
            CallResult::Refused { code, why } => ("refused", format!("{why} ({code})")),
            CallResult::Absent => ("absent", "it does not know the booking".to_owned()),
            CallResult::Overtaken => ("overtaken", "the booking had changed there".to_owned()),
            CallResult::TokenRejected => ("key_refused", KEY_REFUSED.to_owned()),
        };
        metrics::counter!("ticketbridge_looks_without_news_total", "backend" => backend.id.to_string(), "answer" => word)
            .increment(1);
        match answer {
            CallResult::Astray { .. } => {
                let (_, astray) = self.shown_astray(&destination, order, &backend.id, answer);
                match astray {
                    Some(command) => self.record(backend, order, command).await,
                    None => Ok(()),
                }
            }
            CallResult::TokenRejected => {
                tracing::error!(backend = %backend.id, order = %order.id,
                    "{KEY_REFUSED}; it is paused. Replace the key in its file, then reload the configuration");
                Ok(self.hold_back(&destination).await?)
            }
            // A ticket that the guest holds, and the back-end knows nothing of: the guest would stand before the gate in vain.
            CallResult::Absent => {
                let sentence =
                    format!("`{}`, asked, does not know the booking whose tickets it has issued", backend.id);
                self.record(backend, order, Command::RecordDoubt { sentence: sentence.into(), unread: false }).await
            }
            // The word is its answer, and nobody here knows it.
            CallResult::Unknown { why } if AttentionKind::of_refusal(why.reveal()) == AttentionKind::UnknownStatus => {
                let facts = TicketFacts::Unknown { why };
                self.record(backend, order, Command::RecordTicketFacts { booking: booking.clone(), facts }).await
            }
            CallResult::Done(_)
            | CallResult::Retry { .. }
            | CallResult::Unknown { .. }
            | CallResult::Refused { .. }
            | CallResult::Overtaken => {
                tracing::warn!(backend = %backend.id, order = %order.id, "a look at a booking brought nothing: {why}");
                Ok(())
            }
        }
    }

    /// Somebody who knows a back-end's secret address says that something has happened to a booking there: it is read, once, while the
    /// sender has its answer already.
    pub fn follow_hint(&self, backend: std::sync::Arc<RegisteredBackend>, about: String) -> Hinted {
        if !self.watched.follows(&format!("{}\n{about}", backend.id), self.engine.clock().monotonic()) {
            return Hinted::TooSoon;
        }
        let worker = self.clone();
        tokio::spawn(async move { worker.follow(&backend, about).await });
        Hinted::Followed
    }

    /// Follows a hint, to its end.
    pub(crate) async fn follow(&self, backend: &RegisteredBackend, about: String) {
        let begun = self.engine.begin(Work::Hint { backend: backend.id.to_string(), about: about.clone() });
        if let Err(error) = course::doing(begun, Box::pin(self.read_hinted(backend, &about))).await {
            crate::trouble::log_trouble("a hint could not be followed; what is polled finds it", &error);
        }
    }

    /// What waits for its time to ask this back-end about the order asks now.
    async fn wake_up(&self, order: &Order, backend: &ticketbridge_core::BackendId) -> Result<(), EngineError> {
        let (now, id, destination) =
            (self.engine.clock().now(), order.id.clone(), Destination::Backend(backend.clone()).to_string());
        course::turn_of(order.id.as_str()).await;
        let (engine, decided) = (self.engine.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let woken: Result<u64, StoreError> = self
            .engine
            .store()
            .write("wake", move |tx: &Tx| {
                let (id, destination) = (id.clone(), destination.clone());
                let (engine, decided) = (engine.clone(), decided.clone());
                Box::pin(async move {
                    let woken = tx.wake(&id, &destination, now).await?;
                    decided.note(engine.turn());
                    Ok(woken)
                })
            })
            .await;
        course::decided(order.id.as_str(), turn.turn());
        woken?;
        self.engine.work().notify_one();
        Ok(())
    }

    async fn read_hinted(&self, backend: &RegisteredBackend, about: &str) -> Result<(), EngineError> {
        let Some(hints) = backend.backend.hints() else { return Ok(()) };
        let call = match hints.call(about) {
            Ok(call) => call,
            Err(error) => {
                not_followed(backend, &error.to_string());
                return Ok(());
            }
        };
        let url = call.url.clone();
        let limits = CallLimits { timeout: backend.timeout, at_most: Millis::seconds(10) };
        let response = match self.conduct(For::Question("hint"), call, limits).await.answer {
            Ok(response) => response,
            Err(error) => {
                not_followed(backend, &error.to_string());
                return Ok(());
            }
        };
        let booking_id = match hints.read(about, &response) {
            CallResult::Done(booking) => booking,
            CallResult::Retry { why, .. } | CallResult::Unknown { why } => {
                not_followed(backend, &why.to_string());
                return Ok(());
            }
            CallResult::Astray { why } => {
                let destination = Destination::Backend(backend.id.clone()).to_string();
                metrics::counter!("ticketbridge_answers_astray_total", "partner" => destination).increment(1);
                not_followed(backend, &why.to_string());
                return Ok(());
            }
            CallResult::Refused { code, .. } => {
                not_followed(backend, &code.to_string());
                return Ok(());
            }
            CallResult::Absent | CallResult::Overtaken => {
                not_followed(backend, "it knows no such booking");
                return Ok(());
            }
            CallResult::TokenRejected => {
                not_followed(backend, KEY_REFUSED);
                return Ok(());
            }
        };
        let store = self.engine.store();
        let Some(id) = store.order_of_booking(&booking_id).await? else { return Ok(()) };
        let Some(order) = store.load_order(&id).await? else { return Ok(()) };
        let is_its = match &order.rules.booking.ticketing {
            Ticketing::Backend { backend: named, .. } => *named == backend.id,
            Ticketing::CodePool { .. } | Ticketing::None => false,
        };
        match order.booking_by_id(&booking_id).filter(|_| is_its) {
            // A delivery is at work on it, or waits to look: two at once would be two calls in flight for one booking.
            Some(booking) if is_worked_on(booking) => self.wake_up(&order, &backend.id).await,
            Some(booking) => self.look_at(backend, &order, booking, Some((url, response))).await,
            None => Ok(()),
        }
    }
}

/// What is polled finds it all the same; that hints are in vain is for a person to see.
fn not_followed(backend: &RegisteredBackend, why: &str) {
    metrics::counter!("ticketbridge_hints_in_vain_total", "backend" => backend.id.to_string()).increment(1);
    tracing::warn!(backend = %backend.id, "a hint was followed, and the back-end's answer is about no booking of ours: {why}");
}

/// Whether tickets are being made, or voided, by a delivery.
fn is_worked_on(booking: &Booking) -> bool {
    match booking.ticketing.state {
        TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown | TicketingState::Cancelling => {
            true
        }
        TicketingState::NotNeeded
        | TicketingState::Issued
        | TicketingState::Failed
        | TicketingState::Cancelled
        | TicketingState::CancelRefused => false,
    }
}

/// Whether a booking is to be asked about now. Dates are those of the channel.
fn is_due(plan: WatchPlan, zone: TimeZone, booking: &Booking, now: UnixMillis, last: Option<UnixMillis>) -> bool {
    let Some(first) = booking.visit_date.or(booking.valid_until) else { return false };
    let end = booking.valid_until.unwrap_or(first).max(first);
    let (begins, ends) = (zone.start_of(first), zone.end_of(end));
    if now < UnixMillis(begins.0 - plan.from_before.0) || now > ends + AFTERWARDS + plan.until_after {
        return false;
    }
    let gap = if now <= ends + plan.until_after { plan.every } else { AFTERWARDS };
    last.is_none_or(|last| (now - last).0 >= gap.0)
}
