// SPDX-License-Identifier: Apache-2.0

//! A channel's call: who calls, is it believed, what does it ask, what is answered; within the channel's budget whatever a
//! back-end does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ticketbridge_core::message::{Actor, ActorKind, Command};
use ticketbridge_core::order::{Booking, BookingState, Order, TicketingState};
use ticketbridge_core::port::{
    Answer, Context, DecodeError, EncodeError, Endpoint, Envelope, HttpReply, Inbound, Message, Query, RawRequest,
    Verified,
};
use ticketbridge_core::quoted::Quoted;
use ticketbridge_core::{ChannelId, ExternalId, Millis, Moment, Rejection, Seed, UnixMillis, Why};
use ticketbridge_store::{Direction, InboxVerdict};

use crate::accounts::doors::Admitted;
use crate::engine::digest::body_sha256;
use crate::engine::{EngineError, InReserve, Incoming, Received, SoFar};
use crate::http::belief::{Terms, TurnedAway};
use crate::http::call_log::InboundCall;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::http::{Shared, nesting, unknown_calls};
use crate::recorder::course::{self, Course};
use crate::recorder::tape::{Came, Piece, headers_of};
use crate::recorder::turns::Decided;
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;
use crate::telemetry::seldom;
use crate::telemetry::traces::Open;
use crate::worker::hold::Held;

/// The part of a channel's budget that is kept for writing the answer down and sending it.
const ANSWER_MARGIN: Millis = Millis(250);
/// The part of a channel's budget that is kept for sending an answer that waits for no tickets.
const SEND_MARGIN: Millis = Millis(100);
/// Time beyond the budget for noting what the answer to a demand for tickets says: channels wait for that answer for 5 seconds or more.
const NOTING_MARGIN: Millis = Millis(1_500);
/// When the service cannot take a message, the sender may come again after this.
const COME_AGAIN: Millis = Millis::seconds(10);

/// How a call ended, for the log, the metrics and the record of calls.
struct Ended {
    reply: Response,
    status: u16,
    outcome: &'static str,
    order: Option<ticketbridge_core::OrderId>,
    sender: Sender,
    /// The answer's body, as the recorder keeps it.
    said: Bytes,
}

/// Seconds after which a sender may come again who was told to.
const COME_AGAIN_S: &str = "5";

/// Of what the identifiers of a message are to be made: known only where a recording is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenSeed(pub(crate) Seed);

/// Who sent a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// The channel, as was proved.
    Channel,
    /// Nobody knows, or more of them than are looked at: such calls are counted, and few of them are recorded.
    Anybody,
}

/// `POST /channels/{channel}/{call}`.
pub async fn receive(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path((channel, call)): Path<(String, String)>,
    request: Request,
) -> Response {
    let running = shared.engine.running();
    let Some(channel) = running.registry.channel(&ChannelId::new(channel)) else {
        return Problem::new(StatusCode::NOT_FOUND, "unknown_channel", "no channel of this name is configured")
            .into_response();
    };
    let Some(endpoint) = endpoint_of(&channel, &call) else {
        let caller = shared.caller(peer, request.headers(), &running);
        note_unknown(&shared, &channel, caller, &call, request).await;
        return Problem::new(StatusCode::NOT_FOUND, "unknown_call", "this channel has no such call").into_response();
    };
    if request.method() != Method::POST {
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "channels' calls are POST");
        return ([(header::ALLOW, "POST")], problem).into_response();
    }
    take(shared, running, channel, endpoint, peer, request).await
}

/// The call of this name.
pub(crate) fn endpoint_of(channel: &RegisteredChannel, call: &str) -> Option<Endpoint> {
    channel.channel.spec().endpoints.iter().find(|endpoint| endpoint.name == call).copied()
}

/// Takes a channel's call, whatever its address was.
pub(crate) async fn take(
    shared: Shared,
    running: Arc<Running>,
    channel: Arc<RegisteredChannel>,
    endpoint: Endpoint,
    peer: SocketAddr,
    request: Request,
) -> Response {
    let started = (shared.engine.clock().now(), shared.engine.clock().monotonic());
    let caller = shared.caller(peer, request.headers(), &running);
    let (parts, body) = request.into_parts();
    let came = trace_of(&parts.headers);
    let mut span = Open::incoming(format!("POST /channels/{}/{}", channel.id, endpoint.name), came.as_deref());
    let head = Arc::new(Head {
        shared: shared.clone(),
        running,
        channel: channel.clone(),
        endpoint,
        traceparent: span.traceparent(came),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        started: started.0,
        given: parts.extensions.get::<GivenSeed>().copied(),
    });
    let ended = match admit(&shared, &channel, caller) {
        Some(problem) => refused(problem),
        None => head.answer(body, caller).await,
    };
    let took = shared.engine.clock().monotonic().saturating_sub(started.1);
    metrics::counter!("ticketbridge_inbound_calls_total", "channel" => channel.id.to_string(), "call" => endpoint.name,
        "outcome" => ended.outcome)
    .increment(1);
    metrics::histogram!("ticketbridge_inbound_call_duration_seconds", "channel" => channel.id.to_string(),
        "call" => endpoint.name)
    .record(took.as_secs_f64());
    let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let record_order = ended.order.clone();
    let record = InboundCall {
        order: ended.order,
        direction: Direction::In,
        partner: channel.id.to_string(),
        call: endpoint.name.to_owned(),
        at: started.0,
        duration: Millis(took_ms),
        status: ended.status,
        verdict: ended.outcome.to_owned(),
    };
    let is_recorded = match ended.sender {
        Sender::Channel => shared.call_log.record(record.clone()),
        Sender::Anybody => shared.call_log.sample(record.clone(), started.1),
    };
    if is_recorded {
        tracing::info!(
            channel = record.partner,
            call = record.call,
            outcome = record.verdict,
            status = record.status,
            order = record.order.as_ref().map(|id| id.as_str()),
            duration_ms = took_ms,
            partner_log_id = %head.log_id(),
            "call answered"
        );
    }
    span.note("ticketbridge.outcome", ended.outcome);
    if let Some(order) = &record_order {
        span.note("ticketbridge.order", order.to_string());
    }
    span.end(Some(ended.status));
    ended.reply
}

/// A call that nobody answers leaves a trace, so that it is found.
async fn note_unknown(shared: &Shared, channel: &RegisteredChannel, caller: Caller, call: &str, request: Request) {
    let partner = unknown_calls::Partner {
        id: channel.id.as_str(),
        rate: channel.rate_per_caller,
        bytes_max: channel.channel.spec().body_bytes_max,
        call,
    };
    let verify = |raw: RawRequest<'_>, cx: &Context<'_>| channel.channel.verify(raw, cx).map(|by| by.key_index());
    Box::pin(unknown_calls::note(shared, &partner, caller, request, verify)).await;
}

/// Whether the caller may come in at all; before anything of the message is looked at.
fn admit(shared: &Shared, channel: &RegisteredChannel, caller: Caller) -> Option<Problem> {
    if shared.stopping.is_cancelled() {
        return Some(Problem::stopping());
    }
    let at = shared.engine.clock().now();
    let (is_allowed, opens_at) = match shared.doors.load().admit(channel.id.as_str(), caller, at) {
        Admitted::Yes => (true, None),
        Admitted::No(opens_at) => (false, opens_at),
        Admitted::NoList => (channel.allows(caller), None),
    };
    if !is_allowed {
        let sentence = match caller {
            Caller::Known(_) => "this address is not on the channel's list",
            Caller::Unknown => {
                "what the proxy says of your address cannot be read or contradicts itself, and the channel has a list"
            }
        };
        let problem = Problem::new(StatusCode::FORBIDDEN, "ip_not_registered", sentence);
        let zone = channel.channel.rules().time_zone;
        return Some(problem.pending(opens_at.map(|at| at.rfc3339(zone))));
    }
    None
}

fn refused(problem: Problem) -> Ended {
    let (status, outcome) = (problem.status, outcome_of(problem.status));
    Ended { reply: problem.into_response(), status, outcome, order: None, sender: Sender::Anybody, said: Bytes::new() }
}

fn outcome_of(status: u16) -> &'static str {
    match status {
        401 => "unauthenticated",
        403 => "forbidden",
        413 => "too_large",
        429 => "too_many_requests",
        503 => "unavailable",
        _ => "refused",
    }
}

/// The caller's trace, if it is a W3C one.
pub(crate) fn trace_of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = value.split('-').collect();
    let is_hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    match parts.as_slice() {
        [version, trace, span, flags]
            if is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2) =>
        {
            Some(value.to_owned())
        }
        _ => None,
    }
}

fn content_key(body_sha256: &str) -> String {
    format!("malformed:{}", body_sha256.get(..16).unwrap_or(""))
}

/// The partner's own number for the request: its support asks for it.
fn log_id(headers: &HeaderMap) -> Quoted {
    let value = headers.get("x-bytedance-logid").and_then(|value| value.to_str().ok()).unwrap_or("");
    Quoted::code(value.get(..value.len().min(64)).unwrap_or(""))
}

/// A call without its body.
struct Head {
    shared: Shared,
    running: Arc<Running>,
    channel: Arc<RegisteredChannel>,
    endpoint: Endpoint,
    query: String,
    headers: HeaderMap,
    started: UnixMillis,
    traceparent: Option<String>,
    given: Option<GivenSeed>,
}

impl Head {
    fn log_id(&self) -> Quoted {
        log_id(&self.headers)
    }

    fn raw<'a>(&'a self, body: &'a [u8]) -> RawRequest<'a> {
        RawRequest {
            endpoint: self.endpoint.name,
            method: &Method::POST,
            query: &self.query,
            headers: &self.headers,
            body,
        }
    }

    /// Makes sure who calls, reads, and answers.
    async fn answer(self: &Arc<Self>, body: axum::body::Body, caller: Caller) -> Ended {
        let spec = self.channel.channel.spec();
        let terms = Terms {
            partner: self.channel.id.as_str(),
            caller,
            rate: self.channel.rate_per_caller,
            bytes_max: spec.body_bytes_max,
        };
        let cx = Context::without_delivery(self.started, self.shared.engine.ids().nonce());
        // Of the body that was looked at last: the first is only the head's.
        let is_to_come = AtomicBool::new(false);
        let coming = self.running.registry.coming_channel(&self.channel.id);
        let verify = |body: &[u8]| {
            let proved = self.channel.channel.verify(self.raw(body), &cx).map(|proved| proved.key_index());
            let will_be =
                |(coming, _): &(Arc<RegisteredChannel>, UnixMillis)| coming.channel.verify(self.raw(body), &cx).is_ok();
            is_to_come.store(proved.is_err() && coming.is_some_and(will_be), Ordering::Relaxed);
            proved
        };
        match terms.let_in(&self.shared, &self.headers, body, verify).await {
            Ok(believed) => {
                let answered = async {
                    let arrived = Arrived::new(self.clone(), believed.body);
                    (arrived.clone().answer(believed.key_index).await, arrived)
                };
                let ((ended, arrived), course) = course::noting(self.shared.engine.turn(), Box::pin(answered)).await;
                arrived.record(&ended, &course);
                ended
            }
            Err(TurnedAway::Problem(problem)) => refused(problem),
            Err(TurnedAway::NotBelieved(error)) => {
                tracing::warn!(channel = %self.channel.id, call = self.endpoint.name, partner_log_id = %self.log_id(),
                    "a caller is not believed: {error}");
                if let Some((_, from)) = coming.filter(|_| is_to_come.load(Ordering::Relaxed)) {
                    let zone = self.channel.channel.rules().time_zone;
                    return refused(Problem::of_coming_secret(from.rfc3339(zone)));
                }
                let answer = Answer::Unauthenticated(&error);
                let reply = self.channel.channel.reply(self.endpoint.name, None, &answer);
                Ended { sender: Sender::Anybody, ..ended(reply, "unauthenticated", None) }
            }
        }
    }
}

/// A call that was let in, with its bytes.
struct Arrived {
    head: Arc<Head>,
    body: Bytes,
    /// When the answer has to be on its way.
    until: tokio::time::Instant,
    /// Of what the identifiers are made that it leads to.
    moment: Moment,
    /// How long ago it was sent, where that is longer than it should take.
    late: OnceLock<Option<Millis>>,
    /// When it is decided, among everything else that is.
    decided: Decided,
}

impl std::ops::Deref for Arrived {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Arrived {
    /// The time for the answer begins when the message is there.
    fn new(head: Arc<Head>, body: Bytes) -> Arc<Self> {
        let budget = match head.endpoint.waits_for_tickets {
            // The wait for tickets ends with the margin; what the answer says is then noted, which may take longer when many wait.
            true => Millis(head.endpoint.budget.0 + NOTING_MARGIN.0),
            false => Millis(head.endpoint.budget.0 - SEND_MARGIN.0),
        };
        let until = tokio::time::Instant::now() + budget.to_std();
        let own = head.shared.engine.moment();
        let moment = head.given.map_or(own, |GivenSeed(seed)| Moment { seed, ..own });
        Arc::new(Self { head, body, until, moment, late: OnceLock::new(), decided: Decided::default() })
    }

    /// Hands the message and its answer to the recorder.
    fn record(&self, ended: &Ended, course: &Course) {
        let waits = self.endpoint.waits_for_tickets;
        let (began, points) = course.way();
        self.shared.recorder.record(self.started, || {
            Piece::In(Box::new(Came {
                path: format!("/channels/{}/{}", self.channel.id, self.endpoint.name),
                query: self.query.clone(),
                headers: headers_of(&self.headers),
                body: String::from_utf8_lossy(&self.body).into_owned(),
                by: None,
                acted: None,
                seed: Some(format!("{:032x}", self.moment.seed.0)),
                status: ended.status,
                answer: String::from_utf8_lossy(&ended.said).into_owned(),
                took: self.shared.engine.clock().now() - self.started,
                order: ended.order.clone(),
                decided: self.decided.turn(),
                answered: waits.then(|| course.decided().unwrap_or_else(|| self.shared.engine.turn())),
                seeds: course.seeds(),
                began,
                points,
            }))
        });
    }

    /// Does what may hang; waits for it as long as there is time for the answer.
    async fn in_time<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, EngineError>> + Send + 'static,
    ) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
        let left = self.until.saturating_duration_since(tokio::time::Instant::now());
        Ok(self.shared.works.within(self.endpoint.name, left, work).await??)
    }

    /// Reads, and answers.
    async fn answer(self: Arc<Self>, key_index: usize) -> Ended {
        let verified = Verified::attest(self.raw(&self.body), key_index);
        let decoded = match (std::str::from_utf8(&self.body), nesting::too_deep(verified.body())) {
            (Ok(_), None) => self.channel.channel.decode(&verified),
            (Ok(_), Some(reason)) => Err(DecodeError::new("body", reason)),
            (Err(_), _) => Err(DecodeError::new("body", "is not UTF-8")),
        };
        if let Some(by) = self.late() {
            metrics::counter!("ticketbridge_late_calls_total", "channel" => self.channel.id.to_string(),
                "call" => self.endpoint.name)
            .increment(1);
            tracing::warn!(channel = %self.channel.id, call = self.endpoint.name, late_by_s = by.0 / 1_000,
                partner_log_id = %self.log_id(), "a call was sent long before it arrived");
        }
        match decoded {
            Err(error) => {
                let about = self.channel.channel.named_in(&verified);
                self.malformed(&error, about).await
            }
            Ok(Inbound::Ping(reply)) => ended(reply, "accepted", None),
            Ok(Inbound::Query(query)) => self.query(query).await,
            Ok(inbound) => self.message(inbound).await,
        }
    }

    fn say(
        &self,
        inbound: Option<&Inbound>,
        answer: &Answer<'_>,
        outcome: &'static str,
        order: Option<ticketbridge_core::OrderId>,
    ) -> Ended {
        ended(self.channel.channel.reply(self.endpoint.name, inbound, answer), outcome, order)
    }

    fn incoming(&self, inbound: Inbound) -> Incoming {
        Incoming {
            running: self.running.clone(),
            channel: self.channel.clone(),
            endpoint: self.endpoint,
            inbound,
            body: self.body.clone(),
            traceparent: self.traceparent.clone(),
            moment: self.moment,
            late: self.late(),
            refusal: None,
            decided: self.decided.clone(),
        }
    }

    /// How long ago the call was sent, where that is longer than it should take.
    fn late(&self) -> Option<Millis> {
        *self.late.get_or_init(|| {
            let sent_at = self.channel.channel.sent_at(&Verified::attest(self.raw(&self.body), 0))?;
            let by = self.started - sent_at;
            (by > self.running.config.server.late_after).then_some(by)
        })
    }

    /// A message that cannot be read is kept all the same: a person can see what a partner has sent.
    async fn malformed(self: Arc<Self>, error: &DecodeError, about: Option<ExternalId>) -> Ended {
        let named = about.as_ref().map(|about| Quoted::code(about.as_str()).to_string());
        tracing::warn!(channel = %self.channel.id, call = self.endpoint.name, about = named,
            "a message cannot be read: {}", Quoted::text(&error.to_string()));
        let incoming = self.incoming(Inbound::Hint { key: String::new(), about: None, what: "malformed".into() });
        // What the sender calls it, where our own contract asks for a name; otherwise its bytes.
        let own = self.headers.get("webhook-id").and_then(|id| id.to_str().ok()).filter(|id| !id.trim().is_empty());
        let key = own.map_or_else(|| content_key(&body_sha256(&self.body)), str::to_owned);
        let (engine, field) = (self.shared.engine.clone(), error.field.clone());
        let noted = async move { engine.note_unread(&incoming, &key, about.as_ref(), &field).await };
        match self.in_time(noted).await {
            Ok(order) => self.say(None, &Answer::Malformed(error), "malformed", order),
            Err(trouble) => self.trouble(None, &*trouble),
        }
    }

    fn trouble(&self, inbound: Option<&Inbound>, error: &dyn std::error::Error) -> Ended {
        // The metrics count every one of them.
        if let Some(unsaid) = seldom::is_due(&seldom::root(error)) {
            tracing::error!(channel = %self.channel.id, call = self.endpoint.name, error = %crate::trouble::chain(error), unsaid,
                "a call could not be taken; the sender is asked to come again");
        }
        self.say(inbound, &Answer::TryLater(COME_AGAIN), "try_later", None)
    }

    async fn query(self: Arc<Self>, query: Query) -> Ended {
        let inbound = Inbound::Query(query.clone());
        let this = self.clone();
        let asked = async move {
            // Before it is read: what is decided while the answer is put together is not in it.
            this.decided.note(this.shared.engine.turn());
            this.shared.engine.ask(&this.running, &this.channel, &query).await
        };
        match self.in_time(asked).await {
            Ok(found) => {
                let order = found.order().map(|order| order.id.clone());
                let (answer, outcome) = found.answer();
                self.say(Some(&inbound), &answer, outcome, order)
            }
            Err(error) => self.trouble(Some(&inbound), &*error),
        }
    }

    async fn message(self: Arc<Self>, inbound: Inbound) -> Ended {
        let (this, message) = (self.clone(), inbound.clone());
        let taken = match self.in_time(async move { this.take(message).await }).await {
            Ok(taken) => taken,
            Err(error) => return self.trouble(Some(&inbound), &*error),
        };
        match taken {
            Received::ContentDiffers => self.say(Some(&inbound), &Answer::ContentDiffers, "conflict", None),
            Received::TryLater => self.say(Some(&inbound), &Answer::TryLater(COME_AGAIN), "try_later", None),
            Received::Answered { reply, order, about, verdict, in_reserve } => {
                if let Some(order) = &order {
                    self.spare_reserve(order, in_reserve).await;
                }
                ended(reply, verdict.word(), about)
            }
        }
    }

    /// Takes a message; where tickets are on their way, they are waited for, and the answer is the one with them.
    async fn take(&self, inbound: Inbound) -> Result<Received, EngineError> {
        let mut incoming = self.incoming(inbound.clone());
        let held = match self.hold_first(&mut incoming).await? {
            None => None,
            Some((order, booking, Held::Unclear)) => {
                self.shared.worker.release(order, booking);
                return Ok(Received::TryLater);
            }
            Some((_, _, Held::NoRoom)) => {
                let rejection = Rejection::new(Why::OutOfStock, "the back-end has no room on this date");
                incoming.refusal = Some(rejection.at("visit_date"));
                None
            }
            Some((order, booking, Held::NotNeeded | Held::Kept)) => Some((order, booking)),
        };
        let since = self.shared.engine.changes_so_far();
        let mut received = self.shared.engine.receive(incoming).await?;
        if let Some((order, booking)) = held
            && !is_accepted(&received)
        {
            self.shared.worker.release(order, booking);
        }
        if let (Received::Answered { reply, order: Some(order), .. }, Inbound::Message(envelope)) =
            (&mut received, &inbound)
            && self.endpoint.waits_for_tickets
            && let Some(ready) = self.with_tickets(&inbound, envelope, order, since).await
        {
            *reply = ready;
        }
        Ok(received)
    }

    /// Where a back-end keeps a place before a booking is accepted: what the message would make of its order, and whether there is one.
    async fn hold_first(&self, incoming: &mut Incoming) -> Result<Option<(Order, Booking, Held)>, EngineError> {
        let Inbound::Message(envelope) = &incoming.inbound else { return Ok(None) };
        let Message::Booking { request, .. } = &envelope.message else { return Ok(None) };
        let reference = request.channel_booking_id.clone();
        if !self.running.registry.backends().any(|backend| backend.backend.holds().is_some()) {
            return Ok(None);
        }
        incoming.moment.seed = self.shared.engine.steady_seed(incoming, envelope);
        let Some(order) = self.shared.engine.foresee(incoming).await? else { return Ok(None) };
        let Some(booking) = order.booking_by_ref(&reference).cloned() else { return Ok(None) };
        let held = self.shared.worker.hold(&order, &booking).await?;
        Ok((held != Held::NotNeeded).then_some((order, booking, held)))
    }

    /// The decision stands in the answer, which is about to go out in time, so no call need tell it. What cannot be put into the channel's
    /// words does not stand there either: its call is left to fail where a person sees it. A call too many is no harm.
    async fn spare_reserve(&self, order: &Order, mut in_reserve: Vec<InReserve>) {
        in_reserve.retain(|kept| self.can_be_said(order, &kept.notification));
        if in_reserve.is_empty() {
            return;
        }
        let engine = self.shared.engine.clone();
        let cancelled = self.in_time(async move {
            engine.spare_reserve(in_reserve).await;
            Ok(())
        });
        if let Err(error) = cancelled.await {
            tracing::warn!("what the answer says may be told by a call as well: {error}");
        }
    }

    fn can_be_said(&self, order: &Order, notification: &ticketbridge_core::Notification) -> bool {
        let cx = Context { access_token: Some(""), ..Context::without_delivery(self.started, [0; 16]) };
        self.channel.channel.notify(notification, order, &cx).is_ok()
    }

    /// Tickets that come inside the budget go into the answer; otherwise the answer says "not yet", and a call follows.
    async fn with_tickets(
        &self,
        inbound: &Inbound,
        envelope: &Envelope,
        order: &Order,
        since: SoFar,
    ) -> Option<HttpReply> {
        let Message::Act(command) = &envelope.message else { return None };
        let target = match command.as_ref() {
            Command::RequestTickets { target, .. } => target,
            Command::Reservation { target, .. } => return Some(self.settled(inbound, target, order, since).await),
            _ => return None,
        };
        let current = self.wait(order, since, |order| order.booking_by_ref(target).is_some_and(is_on_the_way)).await?;
        let current = self.close_answer(&current, target).await.unwrap_or(current);
        Some(self.channel.channel.reply(self.endpoint.name, Some(inbound), &Answer::Accepted(&current)))
    }

    /// The reservation as it stands once its back-end has spoken, or the time for the answer is over.
    async fn settled(
        &self,
        inbound: &Inbound,
        target: &ticketbridge_core::ExternalId,
        order: &Order,
        since: SoFar,
    ) -> HttpReply {
        let current = self.wait(order, since, |order| order.booking_by_ref(target).is_some_and(is_being_settled)).await;
        let answer = Answer::Accepted(current.as_ref().unwrap_or(order));
        self.channel.channel.reply(self.endpoint.name, Some(inbound), &answer)
    }

    /// The order, which was read after `since`, once it waits for nothing more, or as it stands when the time for the answer is over.
    async fn wait(&self, order: &Order, since: SoFar, waits: impl Fn(&Order) -> bool) -> Option<Order> {
        let (mut awaiting, may_be_old) = self.shared.engine.await_changes(order, since);
        let until = self.started + self.endpoint.budget - ANSWER_MARGIN;
        let timeout = self.shared.engine.clock().sleep_until(until);
        tokio::pin!(timeout);
        let load = || self.shared.engine.store().load_order(&order.id);
        let mut current = if may_be_old { load().await.ok()?? } else { order.clone() };
        while waits(&current) {
            tokio::select! {
                () = &mut timeout => break,
                // Whoever stops answers at once: the tickets follow by a call, after the next start.
                () = self.shared.stopping.cancelled() => break,
                news = awaiting.news() => match news {
                    Some(news) if news.version > current.version => current = (*news).clone(),
                    Some(_) => {}
                    None => current = load().await.ok()??,
                },
            }
        }
        Some(current)
    }

    /// Notes what this answer says: the tickets, if they are there and can be put into the channel's words, or "not yet".
    async fn close_answer(&self, order: &Order, target: &ticketbridge_core::ExternalId) -> Option<Order> {
        course::its_turn().await;
        let with_tickets = self.can_hand_over(order, target);
        let command = Command::AnswerTickets { target: target.clone(), with_tickets };
        let actor = Actor::new(ActorKind::Channel, self.channel.id.as_str());
        match self.shared.engine.apply(&order.id, command, actor).await {
            Ok(applied) => Some(applied.order),
            Err(error) => {
                crate::trouble::log_trouble("what an answer says could not be noted", &error);
                None
            }
        }
    }

    /// Whether nothing stands against tickets in the answer; whether there are any is decided with the order locked.
    fn can_hand_over(&self, order: &Order, target: &ticketbridge_core::ExternalId) -> bool {
        let Some(booking) = order.booking_by_ref(target) else { return false };
        if !matches!(booking.ticketing.state, TicketingState::Issued | TicketingState::NotNeeded) {
            return true;
        }
        let cx = Context { access_token: Some(""), ..Context::without_delivery(self.started, [0; 16]) };
        let notification = ticketbridge_core::Notification::TicketsIssued { booking: booking.id.clone() };
        match self.channel.channel.notify(&notification, order, &cx) {
            Ok(_) => true,
            // The booking was cancelled; its tickets are nobody's.
            Err(EncodeError::Obsolete(_)) => false,
            Err(error) => {
                tracing::error!(order = %order.id, "the tickets break the channel's rules: {error}");
                false
            }
        }
    }
}

/// Whether tickets may still come by themselves, soon. A demand that was not taken waits for a person.
fn is_on_the_way(booking: &Booking) -> bool {
    booking.state == BookingState::Confirmed
        && booking.ticketing.request.is_some()
        && matches!(
            booking.ticketing.state,
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown
        )
}

/// Whether the back-end has still to say how a sold reservation stands, or that the tickets of one that was cancelled are void.
fn is_being_settled(booking: &Booking) -> bool {
    booking.state == BookingState::Confirmed
        && match booking.ticketing.state {
            TicketingState::Queued
            | TicketingState::Requested
            | TicketingState::Unknown
            | TicketingState::Cancelling => true,
            TicketingState::NotNeeded
            | TicketingState::Issued
            | TicketingState::Failed
            | TicketingState::Cancelled
            | TicketingState::CancelRefused => false,
        }
}

/// Whether a message was taken, now or before.
fn is_accepted(received: &Received) -> bool {
    match received {
        Received::Answered { verdict, .. } => matches!(verdict, InboxVerdict::Accepted | InboxVerdict::Repeated),
        Received::ContentDiffers | Received::TryLater => false,
    }
}

fn ended(reply: HttpReply, outcome: &'static str, order: Option<ticketbridge_core::OrderId>) -> Ended {
    let status = reply.status.as_u16();
    let said = reply.body.clone();
    let mut response = (reply.status, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response();
    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(COME_AGAIN_S));
    }
    Ended { reply: response, status, outcome, order, sender: Sender::Channel, said }
}
