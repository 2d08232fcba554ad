// SPDX-License-Identifier: Apache-2.0

//! What is left of a date, as its back-end knows it: for products that say `stock_from = "backend"`, asked every ten minutes and
//! whenever a reservation was refused, and kept in the stock table, from which bookings and calendars are answered.
//!
//! Between two looks our own bookings are counted on top. What the back-end says is added to what was taken before it was asked, less
//! what it could not know of: a booking whose tickets are still to be made has its place there, too. A booking that comes meanwhile is
//! counted twice rather than not at all, until the next look.

use std::collections::BTreeMap;

use ticketbridge_core::limits::BOOKING_DAYS_AHEAD_MAX;
use ticketbridge_core::message::{Destination, Effect, StockKey};
use ticketbridge_core::port::{CallResult, Context, EncodeError, HttpResponse};
use ticketbridge_core::product::{BackendTerms, BookingProduct, StockFrom, Ticketing};
use ticketbridge_core::{ChannelId, Date, Millis, OrderId, ProductCode, TimeZone, UnixMillis};
use ticketbridge_store::{NewJob, OrderFilter, PageRequest, StoreError, ToldStock, Tx};

use crate::engine::effects::TELL_STOCK;
use crate::recorder::course;
use crate::service::registry::RegisteredBackend;
use crate::transport::CallLimits;
use crate::worker::Worker;
use crate::worker::conduct::For;

/// Days that one question covers at most.
const DAYS_PER_CALL: i64 = 31;
/// The newest orders of a channel by which is seen what it sells.
const SOLD_LATELY: u32 = 50;
/// What stands for the order of a delivery that is about none.
const NO_ORDER: &str = "stock";
/// Time for one question, whatever is configured.
const CALL_MAX: Millis = Millis::seconds(30);

impl Worker {
    /// Asks for every product that says so, from today as far ahead as can be booked; how many dates were refreshed. A back-end that
    /// does not answer leaves the dates as they were.
    ///
    /// # Errors
    /// Store errors.
    pub async fn refresh_availability(&self) -> Result<u64, StoreError> {
        let running = self.engine.running();
        // The zones of channels differ by a day at most.
        let today = TimeZone::UTC.date_of(self.engine.clock().now()).plus_days(-1);
        let last = today.plus_days(BOOKING_DAYS_AHEAD_MAX + 2);
        let mut refreshed = 0;
        for product in running.config.bookings.values().filter(|product| product.stock_from == StockFrom::Backend) {
            let mut from = today;
            while from <= last {
                let to = from.plus_days(DAYS_PER_CALL - 1).min(last);
                refreshed += self.refresh_dates(product, from, to).await?;
                from = to.plus_days(1);
            }
        }
        Ok(refreshed)
    }

    /// The same for one product on one date.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn refresh_date(&self, product: &BookingProduct, date: Date) -> Result<u64, StoreError> {
        if product.stock_from == StockFrom::Backend { self.refresh_dates(product, date, date).await } else { Ok(0) }
    }

    async fn refresh_dates(&self, product: &BookingProduct, from: Date, to: Date) -> Result<u64, StoreError> {
        let Ticketing::Backend { backend, product: name, terms } = &product.ticketing else { return Ok(0) };
        let opens = |date: &Date| product.calendar_on(*date).is_some();
        let dates: Vec<Date> = (0..=to.days_since(from)).map(|day| from.plus_days(day)).filter(opens).collect();
        let (Some(first), Some(last)) = (dates.first().copied(), dates.last().copied()) else { return Ok(0) };
        let Some(backend) = self.engine.running().registry.backend(backend) else { return Ok(0) };
        self.engine.look_in_turn(product.code.as_str()).await;
        let taken = self.engine.store().stock_taken(&product.code, first, last).await?;
        let not_there_yet = self.not_there_yet(product, first, last).await?;
        let days = match self.ask_availability(&backend, (name, terms), first, last).await {
            Ok(days) => days,
            Err(why) => {
                metrics::counter!("ticketbridge_availability_failed_total", "backend" => backend.id.to_string())
                    .increment(1);
                tracing::warn!(backend = %backend.id, product = %product.code, why, "what is left could not be asked; the last answer stands");
                return Ok(0);
            }
        };
        // A date that the back-end does not name has nothing left there.
        let told = dates.iter().map(|date| {
            let of = |counts: &BTreeMap<Date, i64>| counts.get(date).copied().unwrap_or(0);
            let left = days.iter().find(|(day, _)| day == date).map_or(Some(0), |(_, left)| *left);
            (*date, ToldStock { left, taken_before: of(&taken), not_there_yet: of(&not_there_yet) })
        });
        self.keep_stock(product.code.clone(), told.collect()).await?;
        Ok(dates.len() as u64)
    }

    /// Units for each date that the back-end has still to make tickets for.
    async fn not_there_yet(
        &self,
        product: &BookingProduct,
        from: Date,
        to: Date,
    ) -> Result<BTreeMap<Date, i64>, StoreError> {
        let mut units = BTreeMap::new();
        for order in self.engine.store().orders_without_tickets(from, to).await? {
            let date = order.booking.as_ref().and_then(|booking| booking.visit_date);
            if let Some(date) = date.filter(|_| order.rules.booking.code == product.code) {
                *units.entry(date).or_insert(0) += i64::from(order.live_units());
            }
        }
        Ok(units)
    }

    async fn ask_availability(
        &self,
        backend: &RegisteredBackend,
        (product, terms): (&str, &BackendTerms),
        from: Date,
        to: Date,
    ) -> Result<Vec<(Date, Option<i64>)>, String> {
        let Some(availability) = backend.backend.availability() else {
            return Err(EncodeError::Unsupported("availability").to_string());
        };
        let id = format!("dlv_{:032x}", self.engine.ids().seed().0);
        let limits = CallLimits { timeout: backend.timeout, at_most: CALL_MAX };
        let write = |cx: &Context<'_>| availability.call(product, terms, from, to, cx);
        let read = |response: &HttpResponse| availability.read(product, response);
        let exchange = self.ask(For::Question(&id), limits, &write, &read).await.map_err(|error| error.to_string())?;
        match exchange.result {
            CallResult::Done(days) => {
                let left =
                    |day: ticketbridge_core::port::CalendarDay| (day.date, if day.open { day.left } else { Some(0) });
                Ok(days.into_iter().map(left).collect())
            }
            CallResult::Retry { why, .. } | CallResult::Unknown { why } | CallResult::Astray { why } => {
                Err(why.to_string())
            }
            CallResult::Refused { code, why } => Err(format!("{code}: {why}")),
            CallResult::Overtaken | CallResult::Absent => Err("the back-end does not know the product".to_owned()),
            CallResult::TokenRejected => Err("the back-end does not accept the access token".to_owned()),
        }
    }

    /// Keeps what was told, and has the channels that sell the product hear of every date on which something else is left now.
    async fn keep_stock(&self, product: ProductCode, told: Vec<(Date, ToldStock)>) -> Result<(), StoreError> {
        let takers = self.stock_takers(&product).await?;
        course::turn_of(product.as_str()).await;
        let now = self.engine.clock().now();
        // They are made as the identifiers of orders are, so that a replay has the same.
        let id = |_| format!("dlv_{:032x}", course::seed(|| self.engine.ids().seed()).0);
        let ids: Vec<String> = (0..told.len() * takers.len()).map(id).collect();
        let about = product.clone();
        let work = std::sync::Arc::new((product, told, takers, ids));
        let is_told = !work.2.is_empty();
        let (engine, decided) = (self.engine.clone(), course::heard_of_calls());
        let turn = decided.clone();
        let kept: Result<(), StoreError> = self
            .engine
            .store()
            .write("refresh_stock", move |tx: &Tx| {
                let (work, engine, decided) = (work.clone(), engine.clone(), decided.clone());
                Box::pin(async move {
                    let (product, told, takers, ids) = &*work;
                    let mut ids = ids.iter();
                    for (date, told) in told {
                        let key = StockKey { product: product.clone(), date: Some(*date) };
                        let before = tx.told_stock_left(&key, None).await?;
                        tx.set_told_stock(&key, *told).await?;
                        if before == tx.told_stock_left(&key, None).await? {
                            continue;
                        }
                        for (taker, id) in takers.iter().zip(ids.by_ref()) {
                            tx.enqueue(&tell_stock(id, taker, &key, now)).await?;
                        }
                    }
                    decided.note(engine.turn());
                    Ok(())
                })
            })
            .await;
        course::decided(about.as_str(), turn.turn());
        if kept.is_ok() && is_told {
            self.engine.work().notify_one();
        }
        kept
    }

    /// Channels that are told what is left of a product: those that have said how they sell it, or have sold it lately.
    async fn stock_takers(&self, product: &ProductCode) -> Result<Vec<ChannelId>, StoreError> {
        let running = self.engine.running();
        let mut takers = Vec::new();
        for channel in running.registry.channels().filter(|channel| channel.channel.takes_stock().is_some()) {
            let is_listed = self.engine.store().listing(&channel.id, product).await?.is_some();
            if is_listed || self.sells(&channel.id, product).await? {
                takers.push(channel.id.clone());
            }
        }
        Ok(takers)
    }

    async fn sells(&self, channel: &ChannelId, product: &ProductCode) -> Result<bool, StoreError> {
        let filter = OrderFilter { channel: Some(channel.clone()), ..OrderFilter::default() };
        let lately = PageRequest { limit: SOLD_LATELY, cursor: None };
        let found = self.engine.store().list_orders(&filter, &lately).await?;
        Ok(found.items.iter().any(|order| order.rules.booking.code == *product))
    }
}

/// A row that tells a channel what is left of a date. It belongs to no order.
fn tell_stock(id: &str, channel: &ChannelId, key: &StockKey, now: UnixMillis) -> NewJob {
    NewJob {
        id: id.to_owned(),
        order: OrderId::new(NO_ORDER),
        destination: Destination::Channel(channel.clone()).to_string(),
        call: TELL_STOCK.to_owned(),
        effect: Effect::TellStock { channel: channel.clone(), key: key.clone() },
        seq: now.0.unsigned_abs(),
        blocks_order: false,
        due_at: now,
        created_at: now,
        traceparent: None,
        urgent_at: None,
    }
}
