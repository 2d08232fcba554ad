// SPDX-License-Identifier: Apache-2.0

//! Questions that change nothing: may this be sold, how does this order stand, what can be visited.

use ticketbridge_core::message::{Counts, ProductRef, RequestBooking, StockKey};
use ticketbridge_core::order::Order;
use ticketbridge_core::port::{Answer, CalendarDay, Offer, Query, SaleQuestion};
use ticketbridge_core::product::{BookingProduct, RuleSnapshot, StockFrom};
use ticketbridge_core::variant::Visit;
use ticketbridge_core::{Date, ExternalId, ProductCode, Rejection, Why, rules};
use ticketbridge_store::{ToldLeft, Tx};

use crate::engine::routing::note_price;
use crate::engine::{Engine, EngineError, counts, credit};
use crate::service::live::Running;
use crate::service::registry::RegisteredChannel;

/// Dates that one calendar answer holds at most (`adapters/douyin/README.md`).
const CALENDAR_DAYS_MAX: i64 = 60;

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// It may be sold.
    MaySell,
    /// It may not.
    Refused(Rejection),
    /// The order.
    Order(Box<Order>),
    /// There is no such order.
    NoSuchOrder,
    /// Units left; `None` is unlimited.
    Left(Option<i64>),
    /// The dates.
    Calendar(Vec<CalendarDay>),
    /// What can be sold.
    Offers(Vec<Offer>),
    /// The reservations that were asked for.
    Reservations(Vec<Order>),
}

impl Found {
    /// The order that it is about.
    pub fn order(&self) -> Option<&Order> {
        match self {
            Found::Order(order) => Some(order),
            Found::MaySell
            | Found::Left(_)
            | Found::Refused(_)
            | Found::NoSuchOrder
            | Found::Calendar(_)
            | Found::Offers(_)
            | Found::Reservations(_) => None,
        }
    }
    /// The answer, and the word for it in metrics.
    pub fn answer(&self) -> (Answer<'_>, &'static str) {
        match self {
            Found::MaySell => (Answer::MaySell, "accepted"),
            Found::Left(left) => (Answer::Left(*left), "accepted"),
            Found::Refused(rejection) => (Answer::Refused(rejection), "refused"),
            Found::Order(order) => (Answer::Status(order), "accepted"),
            Found::NoSuchOrder => (Answer::NoSuchOrder, "no_such_order"),
            Found::Calendar(days) => (Answer::Calendar(days), "accepted"),
            Found::Offers(offers) => (Answer::Offers(offers), "accepted"),
            Found::Reservations(orders) => (Answer::Reservations(orders), "accepted"),
        }
    }
}

impl Engine {
    /// Answers a channel's question.
    ///
    /// # Errors
    /// Store errors.
    pub async fn ask(
        &self,
        running: &Running,
        channel: &RegisteredChannel,
        query: &Query,
    ) -> Result<Found, EngineError> {
        match query {
            Query::MaySell(question) => self.may_sell(running, channel, question).await,
            Query::Left { product, date, units } => self.left(running, channel, product, *date, *units).await,
            Query::OrderStatus { about } | Query::Reservation { about, at: _ } => self.status(channel, about).await,
            Query::Reservations { wanted, at: _ } => self.reservations(channel, wanted).await,
            Query::Offers { products, dates, only, units: _ } => {
                self.offers(running, channel, products.as_deref(), *dates, only).await
            }
            Query::Calendar { product, from, to } => match running.rules_of(channel, product) {
                Some(rules) => {
                    let last = (*to).min(from.plus_days(CALENDAR_DAYS_MAX - 1));
                    Ok(Found::Calendar(self.calendar(channel, &rules, *from, last).await?))
                }
                None => Ok(Found::Refused(Rejection::new(Why::OffSale, "no such product is configured"))),
            },
        }
    }

    /// Units left, unless the channel has the product off sale, the date cannot be booked, too few are left, or nobody knows how many.
    async fn left(
        &self,
        running: &Running,
        channel: &RegisteredChannel,
        code: &ProductCode,
        date: Option<Date>,
        units: u32,
    ) -> Result<Found, EngineError> {
        let product = ProductRef { voucher: None, booking: Some(code.clone()) };
        let Some(rules) = running.rules_of(channel, &product) else {
            return Ok(Found::Refused(Rejection::new(Why::NotFound, "no such product is configured")));
        };
        let Some(date) = date else {
            let is_unlimited = rules.booking.stock_from == StockFrom::Calendar
                && rules.booking.calendar.iter().all(|range| range.stock.is_none());
            return match (is_unlimited, self.is_off_sale(channel, code).await?) {
                (_, true) => Ok(Found::Refused(off_sale())),
                (true, false) => Ok(Found::Left(None)),
                (false, false) => Ok(Found::Refused(Rejection::new(Why::Invalid, "what is left depends on the date"))),
            };
        };
        Ok(match self.offer(channel, &rules, date).await? {
            Ok(Some(left)) if left < i64::from(units) => {
                Found::Refused(Rejection::new(Why::OutOfStock, "too few units are left on this date"))
            }
            Ok(left) => Found::Left(left),
            Err(refused) => Found::Refused(refused),
        })
    }

    async fn is_off_sale(&self, channel: &RegisteredChannel, code: &ProductCode) -> Result<bool, EngineError> {
        let listing = self.store.listing(&channel.id, code).await?;
        Ok(listing.is_some_and(|listing| listing.is_open == Some(false)))
    }

    /// Whether a date may be offered, and the units left; `None` has no limit. What is offered is what a booking is judged by
    /// ([`rules::dates::check_date`]); and what nobody knows is neither offered nor booked.
    async fn offer(
        &self,
        channel: &RegisteredChannel,
        rules: &RuleSnapshot,
        date: Date,
    ) -> Result<Result<Option<i64>, Rejection>, EngineError> {
        if self.is_off_sale(channel, &rules.booking.code).await? {
            return Ok(Err(off_sale()));
        }
        if let Err(refused) = rules::dates::check_date(rules, date, self.clock.now()) {
            return Ok(Err(refused));
        }
        if !self.is_known(&rules.booking, date).await? {
            return Ok(Err(Rejection::new(Why::Invalid, "the back-end has not said what is left of this date")));
        }
        match self.date_left(&rules.booking, date).await? {
            Some(left) if left <= 0 => Ok(Err(Rejection::new(Why::OutOfStock, "nothing is left on this date"))),
            left => Ok(Ok(left)),
        }
    }

    /// Whether anybody has said what is left of a date: the calendar, or the back-end that is asked instead.
    async fn is_known(&self, product: &BookingProduct, date: Date) -> Result<bool, EngineError> {
        let Some(range) = product.calendar_on(date) else { return Ok(false) };
        match product.stock_from {
            StockFrom::Calendar => Ok(true),
            StockFrom::Backend => {
                let key = StockKey { product: product.code.clone(), date: Some(date) };
                Ok(self.store.told_stock_left(&key, range.stock).await? != ToldLeft::Unknown)
            }
        }
    }

    async fn status(&self, channel: &RegisteredChannel, about: &ExternalId) -> Result<Found, EngineError> {
        Ok(self.order_about(channel, about).await?.map_or(Found::NoSuchOrder, |order| Found::Order(Box::new(order))))
    }

    /// What the products are, and what can be visited of each on the days asked about.
    async fn offers(
        &self,
        running: &Running,
        channel: &RegisteredChannel,
        products: Option<&[ProductCode]>,
        dates: Option<(Date, Date)>,
        only: &[Visit],
    ) -> Result<Found, EngineError> {
        let named = |fits: &dyn Fn(&ProductCode) -> bool| products.is_none_or(|named| named.iter().any(fits));
        let mut offers = Vec::new();
        for code in running.config.bookings().map(|product| product.code.clone()) {
            // Whoever asks for an option that there is not is told of the product's others, without their days.
            if !named(&|asked| code.parts().product == asked.parts().product) {
                continue;
            }
            let dates = dates.filter(|_| named(&|asked| code.is_of(asked)));
            let product = ProductRef { voucher: None, booking: Some(code) };
            let Some(rules) = running.config.rule_snapshot(channel.channel.rules(), &product) else { continue };
            let mut days = Vec::new();
            match dates {
                None => {}
                Some((from, to)) if only.is_empty() => days = self.calendar(channel, &rules, from, to).await?,
                Some(_) => {
                    let time = rules.booking.clock();
                    for visit in only.iter().filter(|visit| visit.time == time) {
                        days.extend(self.calendar(channel, &rules, visit.date, visit.date).await?);
                    }
                }
            }
            offers.push(Offer { product: rules.booking, days });
        }
        Ok(Found::Offers(offers))
    }

    async fn may_sell(
        &self,
        running: &Running,
        channel: &RegisteredChannel,
        question: &SaleQuestion,
    ) -> Result<Found, EngineError> {
        let Some(rules) = running.rules_of(channel, &question.sale.product) else {
            return Ok(Found::Refused(
                Rejection::new(Why::OffSale, "no such product is configured").at("product_out_id"),
            ));
        };
        let running = self.running();
        let asked = std::sync::Arc::new((rules, question.clone(), channel.id.clone(), running));
        let now = self.clock.now();
        let verdict = self
            .store
            .write("may_sell", move |tx: &Tx| {
                let asked = asked.clone();
                Box::pin(async move {
                    let (rules, question, channel, running) = &*asked;
                    let credit_available = credit::available(tx, running, channel, &question.sale).await?;
                    judge(tx, rules, question, credit_available, now).await
                })
            })
            .await;
        match verdict {
            Ok(()) => Ok(Found::MaySell),
            Err(EngineError::Rejected(rejection)) => {
                note_price(&channel.id, "may_sell", &rejection);
                Ok(Found::Refused(rejection))
            }
            Err(other) => Err(other),
        }
    }

    /// What is left on a date, from our own tables; `None` has no limit, or is not open at all.
    ///
    /// # Errors
    /// Store errors.
    pub async fn date_left(&self, product: &BookingProduct, date: Date) -> Result<Option<i64>, EngineError> {
        let Some(range) = product.calendar_on(date) else { return Ok(None) };
        let key = StockKey { product: product.code.clone(), date: Some(date) };
        Ok(match product.stock_from {
            StockFrom::Calendar => self.store.stock_left(&key, range.stock).await?,
            StockFrom::Backend => self.store.told_stock_left(&key, range.stock).await?.bookable(),
        })
    }

    /// What can be booked on each date of the product's calendar, from our own tables.
    async fn calendar(
        &self,
        channel: &RegisteredChannel,
        rules: &RuleSnapshot,
        from: Date,
        to: Date,
    ) -> Result<Vec<CalendarDay>, EngineError> {
        let product = &rules.booking;
        let mut days = Vec::new();
        for offset in 0..=to.days_since(from).max(0) {
            let date = from.plus_days(offset);
            let Some(range) = product.calendar_on(date) else { continue };
            let offer = self.offer(channel, rules, date).await?;
            let price = range.price.or(rules.voucher.as_ref().map(|v| v.price)).unwrap_or(0);
            let (left, open) = offer.map_or((Some(0), false), |left| (left, true));
            days.push(CalendarDay { date, left, price, open });
        }
        Ok(days)
    }
}

fn off_sale() -> Rejection {
    Rejection::new(Why::OffSale, "the product is off sale at the channel")
}

/// The same rules as for the sale and the booking themselves; nothing is taken.
async fn judge(
    tx: &Tx,
    rules: &RuleSnapshot,
    question: &SaleQuestion,
    credit_available: Option<i64>,
    now: ticketbridge_core::UnixMillis,
) -> Result<(), EngineError> {
    let counts = Counts { credit_available, ..counts::for_sale(tx, rules, &question.sale).await? };
    rules::check_sale(rules, &question.sale, &counts)?;
    if question.visit_date.is_some() || !question.visitors.is_empty() {
        let request = RequestBooking {
            channel_booking_id: ExternalId::new(""),
            quantity: question.sale.quantity,
            visit_date: question.visit_date,
            visit_time: None,
            hold: None,
            visitors: question.visitors.clone(),
            contact: Some(question.sale.buyer.clone()),
            requested_at: now,
            counts: Default::default(),
        };
        let counts = counts::for_booking(tx, rules, &question.sale.buyer, &request, None).await?;
        let request = RequestBooking { counts, ..request };
        rules::check_booking(rules, question.sale.quantity, &request, now)?;
    }
    Ok(())
}
