// SPDX-License-Identifier: Apache-2.0

//! From the wire to the core: what each call means.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Value, json};
use ticketbridge_core::id::{ExternalId, ProductCode};
use ticketbridge_core::limits::{
    AMOUNT_MAX, BOOKING_DAYS_AHEAD_MAX, EXTERNAL_ID_CHARS_MAX, QUANTITY_MAX, VISITORS_MAX,
};
use ticketbridge_core::message::{
    ApplyRefund, Command, Counts, NamedCopy, ProductRef, RecordCancellation, RecordRefund, RecordRejection,
    RefundScope, RequestBooking, Sale,
};
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::order::{CancelReason, OrderKind, RefundKind, RefundSource, TicketKind, TicketRequest};
use ticketbridge_core::personal::{Document, DocumentNumber, DocumentType, Person, PersonName, Phone};
use ticketbridge_core::port::{DecodeError, Envelope, HttpReply, Inbound, Message, Query, SaleQuestion, Verified};
use ticketbridge_core::product::Currency;
use ticketbridge_core::rejection::{Rejection, Why};
use ticketbridge_core::time::{Date, UnixMillis};

use super::crypto::open_field;
use super::endpoints;
use super::request::query_value;
use super::settings::{Creation, Settings};
use super::sign::sign_webhook;
use super::wire::{self, Amount, Id, PersonWire, SaleWire, Text, missing, read};

/// Characters of one encrypted or clear field of a person, once opened.
const PERSON_FIELD_CHARS_MAX: usize = 200;
/// Douyin's number for the calendar ticket: sale and booking in one (3).
const CALENDAR_TICKET: i64 = 2;
/// Nanoseconds in a millisecond: the second generation's validity is in nanoseconds.
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Whether a booking names its day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VisitDay {
    /// It does.
    Needed,
    /// It may leave that to the demand for the tickets.
    MayFollow,
}

/// Reads one verified message.
pub(super) struct Mapper<'a> {
    /// The channel's settings.
    pub(super) settings: &'a Settings,
    /// Which application proved the message: its secret is tried first on encrypted fields.
    pub(super) key_index: usize,
}

fn whole<T: TryFrom<i64>>(value: i64, field: &str) -> Result<T, DecodeError> {
    T::try_from(value).map_err(|_| DecodeError::new(field, "is out of range"))
}

fn amount_of(value: Option<i64>, field: &str) -> Result<i64, DecodeError> {
    let value = value.ok_or_else(|| missing(field))?;
    match value {
        0..=AMOUNT_MAX => Ok(value),
        ..0 => Err(DecodeError::new(field, "is negative")),
        _ => Err(DecodeError::new(field, "is too large")),
    }
}

fn seconds(value: Option<i64>, field: &str) -> Result<UnixMillis, DecodeError> {
    match value {
        None => Err(missing(field)),
        Some(value) if value < 0 => Err(DecodeError::new(field, "is negative")),
        Some(value) => UnixMillis::told_in_seconds(value)
            .ok_or_else(|| DecodeError::new(field, "is no time before the year 10000")),
    }
}

fn day(value: &Text, field: &str) -> Result<Option<Date>, DecodeError> {
    let wrong = || {
        let error = DecodeError::new(field, "is not a date YYYY-MM-DD");
        DecodeError { rejection: Some(Rejection::new(Why::DateNotBookable, "is not a date")), ..error }
    };
    let read = |text: &String| Date::parse(text).ok_or_else(wrong);
    value.0.as_ref().map(read).transpose()
}

fn quantity_of(count: Option<i64>, field: &str) -> Result<u32, DecodeError> {
    let count = count.ok_or_else(|| missing(field))?;
    if count < 1 {
        return Err(DecodeError::new(field, "is less than one"));
    }
    u32::try_from(count).ok().filter(|count| *count <= QUANTITY_MAX).ok_or_else(|| {
        let reason = format!("is more than {QUANTITY_MAX}");
        let rejection = Rejection::new(Why::QuantityLimit, reason.clone()).at(field.to_owned());
        DecodeError { rejection: Some(rejection), ..DecodeError::new(field, reason) }
    })
}

/// The kind of document by Douyin's number (A.2).
fn document_type(number: Option<i64>) -> Option<DocumentType> {
    match number? {
        1 => Some(DocumentType::ResidentId),
        2 => Some(DocumentType::HkMacauPermit),
        3 => Some(DocumentType::TaiwanPermit),
        4 => Some(DocumentType::HomeReturnPermit),
        5 => Some(DocumentType::TaiwanCompatriotPermit),
        6 | 7 => Some(DocumentType::Passport),
        8 => Some(DocumentType::PermanentResidenceCard),
        _ => None,
    }
}

/// Splits `VOUCHER|BOOKING`; further parts are the merchant's own and ignored.
fn split_product(text: &str, field: &str) -> Result<(ProductCode, ProductCode), DecodeError> {
    if text.contains('｜') {
        let reason = "is written with the full-width bar ｜: write VOUCHER|BOOKING with the ASCII bar | in the console";
        return Err(DecodeError::new(field, reason));
    }
    let mut parts = text.split('|').map(str::trim);
    match (parts.next(), parts.next()) {
        (Some(voucher), Some(booking)) if !voucher.is_empty() && !booking.is_empty() => {
            Ok((ProductCode::from(voucher), ProductCode::from(booking)))
        }
        (_, Some(_)) => Err(DecodeError::new(field, "has nothing on one side of the bar: write VOUCHER|BOOKING")),
        _ => Err(DecodeError::new(field, "has no bar: write VOUCHER|BOOKING with the ASCII bar |")),
    }
}

/// The products meant. The product's own field goes first; the SKU's is read when that one has no bar.
fn products(product_out_id: &Id, sku_out_id: &Id, kind: OrderKind, bare: bool) -> Result<ProductRef, DecodeError> {
    let named = [("product_out_id", product_out_id), ("sku_out_id", sku_out_id)];
    let mut named = named.into_iter().filter_map(|(field, id)| id.0.as_deref().map(|text| (field, text)));
    let first = named.next().ok_or_else(|| missing("product_out_id"))?;
    let barred = |(_, text): &(&str, &str)| text.contains(['|', '｜']);
    let (field, text) = if barred(&first) { first } else { named.find(barred).unwrap_or(first) };
    if bare && !text.contains(['|', '｜']) {
        return Ok(ProductRef { voucher: None, booking: Some(ProductCode::from(text)) });
    }
    let (voucher, booking) = split_product(text, field)?;
    match kind {
        OrderKind::Voucher => Ok(ProductRef { voucher: Some(voucher), booking: Some(booking) }),
        OrderKind::Direct => Ok(ProductRef { voucher: None, booking: Some(booking) }),
    }
}

fn message(key: String, about: &str, message: Message) -> Inbound {
    Inbound::Message(Envelope { key, about: ExternalId::from(about), message })
}

fn act(key: String, about: &str, command: Command) -> Inbound {
    message(key, about, Message::Act(Box::new(command)))
}

/// The instant in the address: when Douyin sent the message, the only time that every call carries.
fn sent_at(request: &Verified<'_>) -> UnixMillis {
    let stamp = query_value(request.raw().query, "timestamp").and_then(|text| text.parse().ok());
    UnixMillis(stamp.unwrap_or(0))
}

impl Mapper<'_> {
    /// Reads the message of one call.
    pub(super) fn decode(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        let body = request.body();
        self.is_of_our_merchant(body)?;
        match request.endpoint() {
            endpoints::CAN_BUY => self.can_buy(body),
            endpoints::CREATE_ORDER => self.create_order(read(body)?, VisitDay::Needed),
            endpoints::V2_CREATE_ORDER => self.second_create_order(body),
            endpoints::PAY_NOTIFY => pay_notify(body),
            endpoints::ISSUE_VOUCHER => self.issue(body, sent_at(request)),
            endpoints::V2_ISSUE_VOUCHER => second_issue(body, sent_at(request)),
            endpoints::CANCEL_NOTIFY => cancel_notify(body),
            endpoints::REFUND_APPLY => refund_apply(body),
            endpoints::REFUND_NOTIFY => refund_notify(body),
            endpoints::INFO_SYNC => info_sync(body, sent_at(request)),
            endpoints::QUERY_ORDER => {
                let about = ExternalId(read::<wire::QueryWire>(body)?.order_id.required("order_id")?);
                Ok(Inbound::Query(Query::OrderStatus { about }))
            }
            endpoints::PULL_CALENDAR => pull_calendar(body),
            endpoints::WEBHOOK => self.webhook(request),
            _ => Err(DecodeError::new("endpoint", "is not a call of this channel")),
        }
    }

    /// Several merchants may share an application: what is another one's is no concern of this channel, whichever call says so.
    fn is_of_our_merchant(&self, body: &[u8]) -> Result<(), DecodeError> {
        // What cannot be read is for the call's own reader to say.
        let Ok(wire) = read::<wire::MerchantWire>(body) else { return Ok(()) };
        if wire.account_id.0.as_ref().is_some_and(|account| *account != self.settings.account_id) {
            return Err(DecodeError::new("account_id", "is another merchant's, not the configured one"));
        }
        Ok(())
    }

    fn webhook(&self, request: &Verified<'_>) -> Result<Inbound, DecodeError> {
        let wire: wire::WebhookWire = read(request.body())?;
        // Text in practice, an object on one copy of the page (D-11).
        let content = match wire.content {
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::Null),
            other => other,
        };
        let what = wire.event.0.unwrap_or_else(|| "unnamed".to_owned());
        if what == "verify_webhook" {
            let challenge = content.get("challenge").ok_or_else(|| missing("content.challenge"))?;
            return Ok(Inbound::Ping(HttpReply::json(StatusCode::OK, &json!({ "challenge": challenge }))));
        }
        // The merchant stands beside the order, however deep; what is about another one's is kept, and not followed.
        let merchant = number_in(&content, "account_id", PUSH_DEPTH_MAX);
        let is_ours = merchant.is_none_or(|account| account.as_str() == self.settings.account_id);
        let about = content
            .pointer("/order/order_id")
            .and_then(number_of)
            .or_else(|| number_in(&content, "order_id", PUSH_DEPTH_MAX));
        let named =
            request.raw().headers.get("msg-id").and_then(|value| value.to_str().ok()).filter(|id| !id.is_empty());
        // A message without a number is its own content.
        let key =
            named.map_or_else(|| format!("webhook:{}", sign_webhook("", request.body())), |id| format!("webhook:{id}"));
        Ok(Inbound::Hint { key, about: about.filter(|_| is_ours), what: what.into() })
    }

    fn person(&self, wire: &PersonWire) -> Result<Person, DecodeError> {
        let secrets = self.settings.secrets_from(self.key_index);
        let open = |text: &Text, why: Why, field: &'static str| -> Result<Option<String>, DecodeError> {
            let Some(value) = &text.0 else { return Ok(None) };
            let clear = open_field(secrets.clone(), value);
            let is_cipher = clear.starts_with(ticketbridge_core::personal::REMOTE_CIPHER_PREFIX);
            if !is_cipher && clear.trim().chars().count() > PERSON_FIELD_CHARS_MAX {
                let reason = format!("is longer than {PERSON_FIELD_CHARS_MAX} characters");
                let rejection = Some(Rejection::new(why, reason.clone()).at(field));
                return Err(DecodeError { rejection, ..DecodeError::new(field, reason) });
            }
            Ok(Some(clear))
        };
        let given = [
            (&wire.license_id, document_type(wire.license_type.or(wire.credential_type))),
            (&wire.credential_no, document_type(wire.credential_type.or(wire.license_type))),
            (&wire.id_card, document_type(wire.credential_type).or(Some(DocumentType::ResidentId))),
        ];
        let document = match given.into_iter().find(|(text, _)| text.0.is_some()) {
            Some((text, kind)) => open(text, Why::DocumentMalformed, "license_id")?
                .and_then(|number| DocumentNumber::typed(&number))
                .map(|number| Document { kind, number }),
            None => None,
        };
        Ok(Person {
            name: open(&wire.name, Why::NameMalformed, "name")?.and_then(|name| PersonName::typed(&name)),
            phone: open(&wire.phone, Why::PhoneMalformed, "phone")?.and_then(|phone| Phone::typed(&phone)),
            document,
        })
    }

    fn people(&self, wire: Option<&[PersonWire]>, field: &str) -> Result<Vec<Person>, DecodeError> {
        let wire = wire.unwrap_or_default();
        if wire.len() > VISITORS_MAX {
            return Err(DecodeError::new(field, format!("has more than {VISITORS_MAX} entries")));
        }
        let read = |(index, entry): (usize, &PersonWire)| {
            self.person(entry)
                .map_err(|error| DecodeError { field: format!("{field}[{index}].{}", error.field), ..error })
        };
        wire.iter().enumerate().map(read).collect()
    }

    fn can_buy(&self, body: &[u8]) -> Result<Inbound, DecodeError> {
        let wire: SaleWire = read(body)?;
        let is_direct = wire.biz_type == Some(CALENDAR_TICKET);
        let kind = if is_direct { OrderKind::Direct } else { OrderKind::Voucher };
        let visit_date = day(&wire.book_start_day, "book_start_day")?;
        let visitors = self.people(wire.tourists.as_deref(), "tourists")?;
        // No order exists yet, so there is neither a number nor a time (chapter 3).
        let sale = self.sale(&wire, String::new(), kind, UnixMillis::default())?;
        Ok(Inbound::Query(Query::MaySell(Box::new(SaleQuestion { sale, visit_date, visitors }))))
    }

    fn sale(&self, wire: &SaleWire, id: String, kind: OrderKind, placed_at: UnixMillis) -> Result<Sale, DecodeError> {
        let none = Amount::default();
        let amount = wire.amount.as_ref().unwrap_or(&none);
        let gross = amount_of(amount.origin_amount.or(amount.pay_amount), "amount.origin_amount")?;
        let due = amount_of(amount.pay_amount.or(Some(gross)), "amount.pay_amount")?;
        let bare = kind == OrderKind::Direct && wire.biz_type == Some(CALENDAR_TICKET);
        let buyer = match &wire.buyer {
            Some(buyer) => self.person(buyer).map_err(|e| DecodeError { field: format!("buyer.{}", e.field), ..e })?,
            None => Person::default(),
        };
        Ok(Sale {
            channel_order_id: ExternalId(id),
            kind,
            product: products(&wire.product_out_id, &wire.sku_out_id, kind, bare)?,
            quantity: quantity_of(wire.count, "count")?,
            payment_mode: PaymentMode::Ledger,
            currency: Currency(amount.currency.0.clone().unwrap_or_else(|| "CNY".to_owned())),
            gross,
            due,
            paid: self.settings.creation == Creation::AfterPayment,
            buyer,
            placed_at,
        })
    }

    fn create_order(&self, mut wire: SaleWire, visit_day: VisitDay) -> Result<Inbound, DecodeError> {
        let order_id = std::mem::take(&mut wire.order_id).required("order_id")?;
        let source = std::mem::take(&mut wire.source_order_id).or(std::mem::take(&mut wire.coupon_order_id)).0;
        let placed_at = seconds(wire.create_order_time_unix, "create_order_time_unix")?;
        let is_booking = match wire.order_type {
            Some(1) => wire.biz_type == Some(CALENDAR_TICKET),
            Some(2) => true,
            None => source.is_some() || wire.biz_type == Some(CALENDAR_TICKET),
            Some(_) => return Err(DecodeError::new("order_type", "is neither 1 nor 2")),
        };
        let key = format!("create:{order_id}");
        if !is_booking {
            let sale = self.sale(&wire, order_id.clone(), OrderKind::Voucher, placed_at)?;
            return Ok(message(key, &order_id, Message::Sale(Box::new(sale))));
        }
        let kind = if source.is_some() { OrderKind::Voucher } else { OrderKind::Direct };
        let mut sale = self.sale(&wire, source.clone().unwrap_or_else(|| order_id.clone()), kind, placed_at)?;
        // Nobody books a voucher that he has not paid, whenever the channel tells us of it.
        sale.paid |= source.is_some();
        let mut visitors = self.people(wire.tourists.as_deref(), "tourists")?;
        if visitors.is_empty() && (sale.buyer.name.is_some() || sale.buyer.document.is_some()) {
            // Products with one guest for the order may send him as the buyer alone (7.2: "size 1").
            visitors.push(sale.buyer.clone());
        }
        let visit_date = day(&wire.book_start_day, "book_start_day")?;
        if visit_date.is_none() && visit_day == VisitDay::Needed {
            let rejection =
                Some(Rejection::new(Why::DateNotBookable, "the visit date is missing").at("book_start_day"));
            return Err(DecodeError { rejection, ..missing("book_start_day") });
        }
        let request = RequestBooking {
            channel_booking_id: ExternalId(order_id.clone()),
            quantity: sale.quantity,
            visit_date,
            visit_time: None,
            hold: None,
            visitors,
            contact: Some(sale.buyer.clone()),
            requested_at: placed_at,
            counts: Counts::default(),
        };
        Ok(message(key, &order_id, Message::Booking { sale: Box::new(sale), request: Box::new(request) }))
    }

    fn second_create_order(&self, body: &[u8]) -> Result<Inbound, DecodeError> {
        let wire: wire::SecondSaleWire = read(body)?;
        let items = wire.order_item_list.as_ref().map(Vec::len).ok_or_else(|| missing("order_item_list"))?;
        let sku = wire.sku_info_list.unwrap_or_default().into_iter().next().ok_or_else(|| missing("sku_info_list"))?;
        let source = wire.source_order_id.or(wire.coupon_order_id);
        let order_type = if wire.biz_type == Some(1) && source.0.is_none() { 1 } else { 2 };
        let first = SaleWire {
            order_id: wire.order_id,
            source_order_id: source,
            // The first generation's names; the calls mean the same.
            order_type: Some(order_type),
            biz_type: wire.biz_type,
            product_out_id: sku.product_out_id,
            sku_out_id: sku.sku_out_id,
            count: Some(whole::<i32>(i64::try_from(items).unwrap_or(i64::MAX), "order_item_list")?.into()),
            create_order_time_unix: wire.create_order_time,
            amount: Some(Amount {
                origin_amount: wire.original_amount,
                pay_amount: wire.pay_amount,
                currency: wire.currency_code,
            }),
            buyer: wire.contact_list.or(wire.contact).and_then(wire::OneOrMany::first),
            tourists: wire.reserve_info_list,
            book_start_day: wire.book_start_day,
            ..SaleWire::default()
        };
        self.create_order(first, VisitDay::MayFollow)
    }

    fn issue(&self, body: &[u8], at: UnixMillis) -> Result<Inbound, DecodeError> {
        let wire: wire::IssueWire = read(body)?;
        let order_id = wire.order_id.required("order_id")?;
        let copies = wire.copies.map_or(Ok(0), |copies| quantity_of(Some(copies), "copies"))?;
        let per_copy = wire.count.map_or(Ok(1), |count| quantity_of(Some(count), "count"))?;
        let allowed = wire.ticket_rule.and_then(|rule| rule.code_sending_info).unwrap_or_default();
        let kinds = allowed.into_iter().filter_map(|number| match number {
            1 => Some(TicketKind::Document),
            2 => Some(TicketKind::Code),
            3 => Some(TicketKind::Qr),
            6 => Some(TicketKind::Url),
            _ => None,
        });
        let request = TicketRequest {
            copies,
            per_copy,
            kinds: kinds.collect(),
            visitors: self.people(wire.tourists.as_deref(), "tourists")?,
            certificates: Vec::new(),
            second_generation: false,
            at,
        };
        let validity = validity([(wire.start_time, wire.expire_time)], UnixMillis::from_seconds);
        let command =
            Command::RequestTickets { target: ExternalId(order_id.clone()), request, validity, date_left: None };
        Ok(act(format!("issue:{order_id}"), &order_id, command))
    }
}

/// The widest validity of the pairs; zero counts as absent.
fn validity(
    pairs: impl IntoIterator<Item = (Option<i64>, Option<i64>)>,
    unit: impl Fn(i64) -> UnixMillis,
) -> Option<(UnixMillis, UnixMillis)> {
    pairs
        .into_iter()
        .filter_map(|pair| match pair {
            (Some(from), Some(to)) if 0 < from && from <= to => Some((unit(from), unit(to))),
            _ => None,
        })
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn second_issue(body: &[u8], at: UnixMillis) -> Result<Inbound, DecodeError> {
    let wire: wire::SecondIssueWire = read(body)?;
    let order_id = wire.order_id.required("order_id")?;
    let listed = wire.certificate_info_list.unwrap_or_default();
    let copies = quantity_of(i64::try_from(listed.len()).ok(), "certificate_info_list")?;
    let validity =
        validity(listed.iter().map(|c| (c.start_time, c.expire_time)), |nanos| UnixMillis(nanos / NANOS_PER_MILLI));
    let certificates = listed
        .into_iter()
        .enumerate()
        .map(|(index, c)| c.certificate_id.required(&format!("certificate_info_list[{index}].certificate_id")))
        .collect::<Result<Vec<_>, _>>()?;
    let request = TicketRequest {
        copies,
        // The second generation names no number of visitors for each copy.
        per_copy: u32::try_from(VISITORS_MAX).unwrap_or(u32::MAX),
        kinds: Vec::new(),
        visitors: Vec::new(),
        certificates,
        second_generation: true,
        at,
    };
    let command = Command::RequestTickets { target: ExternalId(order_id.clone()), request, validity, date_left: None };
    Ok(act(format!("issue:{order_id}"), &order_id, command))
}

fn pay_notify(body: &[u8]) -> Result<Inbound, DecodeError> {
    let wire: wire::PaidWire = read(body)?;
    let order_id = wire.order_id.required("order_id")?;
    let at = seconds(wire.pay_time_unix, "pay_time_unix")?;
    Ok(act(format!("pay:{order_id}"), &order_id, Command::RecordPaid { at }))
}

fn cancel_notify(body: &[u8]) -> Result<Inbound, DecodeError> {
    let wire: wire::CancelWire = read(body)?;
    let order_id = wire.order_id.required("order_id")?;
    let cancel_type = wire.cancel_type.ok_or_else(|| missing("cancel_type"))?;
    let reason = match cancel_type {
        1 => CancelReason::NeverPaid,
        2 => CancelReason::ByChannel,
        3 => CancelReason::Rejected,
        _ => return Err(DecodeError::new("cancel_type", "is not 1, 2 or 3")),
    };
    let at = seconds(wire.cancel_order_time_unix, "cancel_order_time_unix")?;
    let command = Command::RecordCancellation(RecordCancellation { target: ExternalId(order_id.clone()), reason, at });
    Ok(act(format!("cancel:{order_id}:{cancel_type}"), &order_id, command))
}

/// Who asks, as far as it changes the decision; what is not listed is treated as the guest.
fn source_of(apply_source: Option<i64>) -> RefundSource {
    match apply_source {
        Some(301) => RefundSource::TicketsLate,
        Some(302) => RefundSource::Expired,
        Some(307) => RefundSource::NotAccepted,
        Some(102 | 306 | 308 | 309 | 310 | 312) => RefundSource::Merchant,
        Some(103 | 105 | 305 | 401 | 999) => RefundSource::CustomerService,
        _ => RefundSource::Guest,
    }
}

fn refund_apply(body: &[u8]) -> Result<Inbound, DecodeError> {
    let wire: wire::RefundApplyWire = read(body)?;
    let order_id = wire.order_id.required("order_id")?;
    let channel_ref = wire.biz_uniq_key.required("biz_uniq_key")?;
    let kind = match wire.after_sale_type {
        Some(2) => RefundKind::CancelBooking,
        _ => RefundKind::Refund,
    };
    let command = Command::ApplyRefund(ApplyRefund {
        target: ExternalId(order_id.clone()),
        channel_ref: channel_ref.clone(),
        kind,
        source: source_of(wire.apply_source),
        source_code: wire.apply_source,
        fee: amount_of(wire.refund_fee_amount, "refund_fee_amount")?,
        requested_at: seconds(wire.apply_refund_time_unix, "apply_refund_time_unix")?,
        copies: listed(wire.vouchers.as_deref()),
    });
    Ok(act(format!("refund:{channel_ref}"), &order_id, command))
}

fn refund_notify(body: &[u8]) -> Result<Inbound, DecodeError> {
    /// The scene of a voucher that expired (12).
    const SCENE_EXPIRED: i64 = 150;
    let wire: wire::RefundNotifyWire = read(body)?;
    let entries = listed(wire.vouchers.as_deref());
    let order_id = wire.order_id.required("order_id")?;
    let channel_ref = wire.biz_uniq_key.required("biz_uniq_key")?;
    let command = Command::RecordRefund(RecordRefund {
        target: ExternalId(order_id.clone()),
        channel_ref: channel_ref.clone(),
        amount: Some(amount_of(wire.refund_amount, "refund_amount")?),
        announced: None,
        at: seconds(wire.refund_time_unix, "refund_time_unix")?,
        scope: RefundScope::Order,
        scene: wire.refund_scene,
        expired: wire.refund_scene == Some(SCENE_EXPIRED),
        copies: wire.refund_count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0).or(entries),
        named: Vec::new(),
    });
    Ok(act(format!("refunded:{channel_ref}"), &order_id, command))
}

/// How many copies a list names; an empty one names nothing.
fn listed(vouchers: Option<&[Value]>) -> Option<u32> {
    u32::try_from(vouchers?.len()).ok().filter(|many| *many > 0)
}

fn info_sync(body: &[u8], sent_at: UnixMillis) -> Result<Inbound, DecodeError> {
    /// The audit's result in an entry: agreed, refused (13, as in sibling interfaces).
    const AUDIT_AGREED: i64 = 1;
    const AUDIT_REFUSED: i64 = 2;
    let wire: wire::InfoSyncWire = read(body)?;
    let order_id = wire.order_id.required("order_id")?;
    let scope = match wire.after_sale_type.ok_or_else(|| missing("after_sale_type"))? {
        1 => RefundScope::Order,
        2 => RefundScope::Booking,
        3 => RefundScope::MoneyOnly,
        _ => return Err(DecodeError::new("after_sale_type", "is not 1, 2 or 3")),
    };
    // A sender that leaves the list out altogether means the order that it names.
    let is_listed = wire.notice_list.is_some();
    let notices = wire.notice_list.unwrap_or_default();
    let mut certificates: Vec<&str> = notices.iter().filter_map(|n| n.certificate_id.0.as_deref()).collect();
    certificates.sort_unstable();
    certificates.dedup();
    // The key of chapter 13: the after-sale number may be absent (H12), and times do not belong to it.
    let after_sale = wire.after_sale_id.0.as_deref().unwrap_or("-");
    if is_listed && certificates.is_empty() {
        // Which copies it is about is required: a list that names none decides nothing about any.
        let sentence =
            "info-sync tells a decision about money back and names no certificate; nothing was done: ask the channel";
        let doubt = Command::RecordDoubt { sentence: sentence.into(), unread: false };
        return Ok(act(format!("sync-of-none:{order_id}:{after_sale}"), &order_id, doubt));
    }
    let named = format!("{order_id}:{after_sale}:{}", certificates.join("+"));
    let audited = notices.iter().filter_map(|n| n.audit_time).chain(wire.audit_time).max().filter(|at| *at > 0);
    // Of each copy, and of all of them together: whichever is said.
    let decided =
        notices.iter().map(|n| n.audit_result).filter(|of_copy| of_copy.is_some() || wire.audit_result.is_none());
    let decided: BTreeSet<Option<i64>> = decided.chain(wire.audit_result.map(Some)).collect();
    if decided == BTreeSet::from([Some(AUDIT_REFUSED)]) {
        // Refused in the console: no money moved, no ticket dies, and the case is over. A later consent is another message.
        let rejection = RecordRejection {
            target: ExternalId(order_id.clone()),
            channel_ref: wire.after_sale_id.0,
            at: audited.map(UnixMillis::from_seconds),
        };
        return Ok(act(format!("sync-refused:{named}"), &order_id, Command::RecordRejection(rejection)));
    }
    if decided.iter().flatten().any(|result| *result != AUDIT_AGREED) {
        // Perhaps the guest's ticket is to die, perhaps not: nothing is done on a guess, and a person hears of it.
        let said: Vec<String> = decided.iter().map(|it| it.map_or("none".to_owned(), |it| it.to_string())).collect();
        let sentence = format!(
            "info-sync tells a decision about money back that has no meaning here (audit_result {}); nothing was done: ask the channel",
            said.join(" and ")
        );
        let doubt = Command::RecordDoubt { sentence: sentence.into(), unread: false };
        return Ok(act(format!("sync-unclear:{named}:{}", said.join("+")), &order_id, doubt));
    }
    let key = format!("sync:{named}");
    let command = Command::RecordRefund(RecordRefund {
        target: ExternalId(order_id.clone()),
        channel_ref: wire.after_sale_id.0.unwrap_or_else(|| key.clone()),
        amount: None,
        announced: announced(&notices),
        at: audited.map_or(sent_at, UnixMillis::from_seconds),
        scope,
        scene: None,
        expired: false,
        copies: None,
        named: notices.iter().map(copy_named).collect(),
    });
    Ok(act(key, &order_id, command))
}

fn copy_named(notice: &wire::NoticeWire) -> NamedCopy {
    NamedCopy { certificate: notice.certificate_id.0.clone(), code: notice.code.0.as_deref().map(DocumentNumber::new) }
}

/// What goes back of all copies together, where each of them says it.
fn announced(notices: &[wire::NoticeWire]) -> Option<i64> {
    let of_copies =
        notices.iter().map(|notice| notice.refund_amount.filter(|amount| (0..=AMOUNT_MAX).contains(amount)));
    of_copies.sum::<Option<i64>>().filter(|_| !notices.is_empty())
}

fn pull_calendar(body: &[u8]) -> Result<Inbound, DecodeError> {
    let wire: wire::CalendarWire = read(body)?;
    let from = day(&wire.start_date, "start_date")?.ok_or_else(|| missing("start_date"))?;
    let to = day(&wire.end_date, "end_date")?.ok_or_else(|| missing("end_date"))?;
    if to < from {
        return Err(DecodeError::new("end_date", "is before start_date"));
    }
    if to.days_since(from) > BOOKING_DAYS_AHEAD_MAX {
        return Err(DecodeError::new(
            "end_date",
            format!("is more than {BOOKING_DAYS_AHEAD_MAX} days after start_date"),
        ));
    }
    let sku = wire.ticket_specifications.unwrap_or_default().into_iter().next().unwrap_or_default();
    let named = wire.product_out_id.or(sku.product_out_id);
    let bare = ![&named, &sku.sku_out_id].iter().any(|id| id.0.as_deref().is_some_and(|t| t.contains(['|', '｜'])));
    let kind = if bare { OrderKind::Direct } else { OrderKind::Voucher };
    let product = products(&named, &sku.sku_out_id, kind, bare)?;
    Ok(Inbound::Query(Query::Calendar { product, from, to }))
}

/// How deep a pushed message is searched for the order that it is about, and for its merchant.
const PUSH_DEPTH_MAX: usize = 6;

fn number_of(id: &Value) -> Option<ExternalId> {
    match id {
        Value::String(text) if (1..=EXTERNAL_ID_CHARS_MAX).contains(&text.chars().count()) => {
            Some(ExternalId(text.clone()))
        }
        Value::Number(number) => Some(ExternalId(number.to_string())),
        _ => None,
    }
}

/// The first number under this name anywhere in a message: those about certificates have their orders inside lists.
fn number_in(content: &Value, name: &str, depth: usize) -> Option<ExternalId> {
    let deeper = depth.checked_sub(1)?;
    match content {
        Value::Object(map) => {
            map.get(name).and_then(number_of).or_else(|| map.values().find_map(|value| number_in(value, name, deeper)))
        }
        Value::Array(items) => items.iter().find_map(|value| number_in(value, name, deeper)),
        // Some are JSON as text once more.
        Value::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str::<Value>(text).ok().and_then(|inner| number_in(&inner, name, deeper))
        }
        _ => None,
    }
}
