// SPDX-License-Identifier: Apache-2.0

//! Lists for the ops interface: filters, newest first (deadlines: nearest first), and a cursor that stays valid while
//! rows come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{DbBackend, QueryResult, Value};
use ticketbridge_core::message::Destination;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, RefundCase, RefundState, TicketingState};
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::{ChannelId, Date, Order, OrderId, RefundCaseId, UnixMillis};

use crate::calls::{self, CallRecord};
use crate::connect::Store;
use crate::deadlines::{self, DeadlineRow, DeadlineState};
use crate::dialect::{Dialect, Query, Where, get, get_count, get_word, marks, values, word};
use crate::error::StoreError;
use crate::inbox::{self, InboxRow, InboxVerdict};
use crate::job::{Job, JobState};
use crate::jobs::{self, JobCount};
use crate::places::{DEADLINES_OVER, ORDERS_OVER, in_either};
use crate::refs::REFERENCE;
use crate::rule_sets::open_orders;

/// Orders that are named one by one, where a filter is looked up first.
const IDS_MAX: i64 = 1_000;

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Entries at most.
    pub limit: u32,
    /// Where the last part ended; `None` for the first.
    pub cursor: Option<String>,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Whose rows: those of orders of some channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Within {
    /// Everybody's.
    #[default]
    Everything,
    /// Those of these channels.
    Channels(Vec<ChannelId>),
}

impl Within {
    /// Whether the orders of a channel are among them.
    pub fn has(&self, channel: &ChannelId) -> bool {
        match self {
            Within::Everything => true,
            Within::Channels(channels) => channels.contains(channel),
        }
    }

    /// The condition on a column that holds a channel, and its values.
    fn condition(&self, column: &str) -> Option<(String, Vec<Value>)> {
        let Within::Channels(channels) = self else { return None };
        if channels.is_empty() {
            return Some(("1 = 0".to_owned(), values![]));
        }
        let values = channels.iter().map(|channel| Value::from(channel.as_str())).collect();
        Some((format!("{column} IN ({})", marks(channels.len())), values))
    }

    pub(crate) fn channel(&self, wanted: &mut Where) {
        if let Some((sql, values)) = self.condition("channel") {
            wanted.and(&sql, values);
        }
    }

    /// For a table that knows the order alone.
    fn order(&self, wanted: &mut Where) {
        if let Some((sql, values)) = self.condition("channel") {
            wanted.and(&format!("order_id IN ({})", in_either("id", &sql)), twice(values));
        }
    }

    /// For deliveries: some are of no order, and are known by whom they go to.
    pub(crate) fn delivery(&self, wanted: &mut Where) {
        let Within::Channels(channels) = self else { return };
        let Some((sql, values)) = self.condition("channel") else { return };
        let mut values = twice(values);
        let destinations: Vec<Value> = channels.iter().flat_map(destinations).map(Value::from).collect();
        let of_none = match destinations.len() {
            0 => "1 = 0".to_owned(),
            many => format!("destination IN ({})", marks(many)),
        };
        values.extend(destinations);
        wanted.and(&format!("(order_id IN ({}) OR (order_id = '' AND {of_none}))", in_either("id", &sql)), values);
    }
}

/// Which orders.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Sold where.
    pub channel: Option<ChannelId>,
    /// Axis 1.
    pub state: Option<OrderState>,
    /// Axis 2.
    pub booking: Option<BookingState>,
    /// Axis 3.
    pub ticketing: Option<TicketingState>,
    /// Axis 4.
    pub payment: Option<PaymentState>,
    /// Axis 5, of the open or last case.
    pub refund: Option<RefundState>,
    /// Visited when.
    pub visit_date: Option<Date>,
    /// An identifier: ours of an order, booking or refund case, or the channel's of an order or booking.
    pub q: Option<String>,
    /// With `q`: it may be something that is given out once, a ticket's code for example, by one of these hashes of it.
    pub given_out: Vec<String>,
    /// Changed at this time or later.
    pub updated_since: Option<UnixMillis>,
    /// Needing a person.
    pub attention: Option<Needing>,
    /// Knowing a guest by one of these keyed hashes, of phones or names; any order when empty.
    pub guest: Vec<String>,
    /// Whose.
    pub within: Within,
}

/// What an order needs a person for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needing {
    /// Whatever it is that is flagged.
    Anything,
    /// This, among other things perhaps.
    Kind(AttentionKind),
    /// Anything that is flagged or waits for somebody's decision: a booking, a refund case, a dead letter.
    Decision,
}

/// Which refund cases.
#[derive(Clone, Debug, Default)]
pub struct RefundFilter {
    /// In which state.
    pub state: Option<RefundState>,
    /// Of which channel.
    pub channel: Option<ChannelId>,
    /// Whose.
    pub within: Within,
}

/// A refund case with what its order adds.
#[derive(Clone, Debug, PartialEq)]
pub struct RefundRow {
    /// Of which order.
    pub order: OrderId,
    /// Sold where.
    pub channel: ChannelId,
    /// Currency of its amounts.
    pub currency: Currency,
    /// The case.
    pub case: RefundCase,
    /// What is kept, as far as it is known.
    pub fee: Option<i64>,
    /// Who is not to be named when it is shown.
    pub guests: Guests,
}

/// Which deliveries.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// In which state.
    pub state: Option<JobState>,
    /// To whom.
    pub destination: Option<String>,
    /// For which order.
    pub order: Option<OrderId>,
    /// Whose.
    pub within: Within,
}

/// Which deadlines. Without a state: those that are armed or passed.
#[derive(Clone, Debug, Default)]
pub struct DeadlineFilter {
    /// Due before.
    pub due_before: Option<UnixMillis>,
    /// In which state.
    pub state: Option<DeadlineState>,
    /// Of which order.
    pub order: Option<OrderId>,
    /// Whose.
    pub within: Within,
}

/// Which received messages.
#[derive(Clone, Debug, Default)]
pub struct InboxFilter {
    /// From whom.
    pub channel: Option<String>,
    /// Which call.
    pub call: Option<String>,
    /// The partner's own key.
    pub key: Option<String>,
    /// What became of it.
    pub verdict: Option<InboxVerdict>,
    /// About which order.
    pub order: Option<OrderId>,
    /// Whose.
    pub within: Within,
}

/// Which logged calls.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// About which order.
    pub order: Option<OrderId>,
}

/// A list's order: by a time and then by id, one way. It is read from each of its parts by an index, and the parts are merged.
pub(crate) struct Listing {
    parts: Vec<Part>,
    columns: &'static str,
    time: &'static str,
    direction: Direction,
}

impl Listing {
    /// The newest first.
    pub(crate) fn newest(table: &'static str, columns: &'static str, time: &'static str) -> Self {
        Self { parts: vec![Part::of(table)], columns, time, direction: Direction::NewestFirst }
    }

    /// The nearest first.
    fn nearest(parts: Vec<Part>, columns: &'static str, time: &'static str) -> Self {
        Self { parts, columns, time, direction: Direction::NearestFirst }
    }

    /// With the rows of another table of the same columns.
    fn and(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }
}

/// Rows of a list: those of a table, in one state perhaps, or for which something else holds.
struct Part {
    table: &'static str,
    state: Option<String>,
    only: Option<(String, Vec<Value>)>,
}

impl Part {
    fn of(table: &'static str) -> Self {
        Self { table, state: None, only: None }
    }
    fn in_state(table: &'static str, state: DeadlineState) -> Self {
        Self { state: Some(word(&state)), ..Self::of(table) }
    }
    fn only(table: &'static str, condition: impl Into<String>, values: Vec<Value>) -> Self {
        Self { only: Some((condition.into(), values)), ..Self::of(table) }
    }
}

fn twice(values: Vec<Value>) -> Vec<Value> {
    values.iter().chain(&values).cloned().collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    NewestFirst,
    NearestFirst,
}

impl Store {
    /// Orders, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_orders(&self, filter: &OrderFilter, page: &PageRequest) -> Result<Page<Order>, StoreError> {
        let Some(Needing::Kind(kind)) = filter.attention else { return self.part_of_orders(filter, page).await };
        // The kinds stand in the sealed document, the last one alone in a column; few orders need a person at a time.
        let mut found = Page { items: Vec::new(), next_cursor: page.cursor.clone() };
        loop {
            let left = page.limit - u32::try_from(found.items.len()).unwrap_or(page.limit);
            let part = PageRequest { limit: left, cursor: found.next_cursor };
            let part = self.part_of_orders(filter, &part).await?;
            let needing = part.items.into_iter().filter(|order| order.attention.iter().any(|it| it.kind == kind));
            found.items.extend(needing);
            found.next_cursor = part.next_cursor;
            if found.next_cursor.is_none() || found.items.len() >= page.limit as usize {
                return Ok(found);
            }
        }
    }

    /// How many orders are flagged last with each kind.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn attention_counts(&self) -> Result<Vec<(AttentionKind, u64)>, StoreError> {
        let sql = "SELECT attention, COUNT(*) AS many FROM orders WHERE attention IS NOT NULL GROUP BY attention";
        let rows = self.rows(sql, values![]).await?;
        rows.iter().map(|row| Ok((get_word(row, "attention")?, get_count(row, "many")?))).collect()
    }

    async fn part_of_orders(&self, filter: &OrderFilter, page: &PageRequest) -> Result<Page<Order>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("channel", filter.channel.as_ref().map(|c| c.as_str()));
        wanted.equals("state", filter.state.as_ref().map(word));
        wanted.equals("booking_state", filter.booking.as_ref().map(word));
        wanted.equals("ticketing_state", filter.ticketing.as_ref().map(word));
        wanted.equals("payment_state", filter.payment.as_ref().map(word));
        if filter.payment.is_some_and(|payment| payment != PaymentState::Paid) {
            // The index by the payment is of these alone.
            wanted.and("payment_state <> 'paid'", values![]);
        }
        wanted.equals("refund_state", filter.refund.as_ref().map(word));
        wanted.equals("visit_date", filter.visit_date.map(|d| d.to_string()));
        filter.within.channel(&mut wanted);
        if let Some(since) = filter.updated_since {
            wanted.and("updated_ms >= ?", values![since.0]);
        }
        match filter.attention {
            None => {}
            Some(Needing::Anything | Needing::Kind(_)) => {
                let (condition, values) = self.that_need_attention().await?;
                wanted.and_few(&condition, values);
            }
            // Its parts are lists of their own.
            Some(Needing::Decision) => wanted.expect_few(),
        }
        if !filter.guest.is_empty() {
            let find = format!("SELECT order_id FROM guest_ref WHERE hash IN ({})", marks(filter.guest.len()));
            let hashes = filter.guest.iter().map(|hash| hash.as_str().into()).collect();
            let (condition, values) = self.found_by(&find, hashes).await?;
            wanted.and_few(&condition, values);
        }
        if let Some(q) = filter.q.as_deref() {
            // The ids first, by their keys: whatever the database thinks of its tables, it does not go through the orders for that.
            let mut find = "SELECT order_id FROM order_ref WHERE reference IN (?, ?) AND order_id IS NOT NULL \
                            UNION SELECT order_id FROM booking WHERE id = ? UNION SELECT order_id FROM refund_case WHERE id = ?"
                .to_owned();
            // An older version kept the numbers themselves.
            let mut all = values![self.sealer().keyed_hash(REFERENCE, q), q, q, q];
            if !filter.given_out.is_empty() {
                let many = marks(filter.given_out.len());
                find.push_str(&format!(" UNION SELECT order_id FROM held_code WHERE hash IN ({many})"));
                all.extend(filter.given_out.iter().map(|hash| Value::from(hash.as_str())));
            }
            let mut ids = self.ids(&find, all).await?.unwrap_or_default();
            ids.push(q.to_owned());
            let (condition, values) = one_of(ids);
            wanted.and_few(&condition, values);
        }
        let mut listing = Listing::newest("orders", "id, document, created_ms", "created_ms");
        // Whoever needs somebody is not put away.
        match filter.attention {
            None => listing = listing.and(Part::of(ORDERS_OVER)),
            Some(Needing::Anything | Needing::Kind(_)) => {}
            Some(Needing::Decision) => listing.parts = self.orders_that_wait().await?,
        }
        let found = self.list(&listing, wanted, page, |row| Ok((get(row, "id")?, get(row, "document")?))).await?;
        let items = open_orders(self, found.items).await?.into_iter().collect::<Result<_, _>>()?;
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    /// That an order is one of those that a statement finds, which are named where they are not too many: a database that knows nothing yet of
    /// its tables would go through all orders for them, newest first.
    async fn found_by(&self, find: &str, values: Vec<Value>) -> Result<(String, Vec<Value>), StoreError> {
        Ok(match self.ids(find, values.clone()).await? {
            Some(ids) => one_of(ids),
            None => (format!("id IN ({find})"), values),
        })
    }

    /// That an order is to be looked at.
    async fn that_need_attention(&self) -> Result<(String, Vec<Value>), StoreError> {
        let find = "SELECT id AS order_id FROM orders WHERE attention IS NOT NULL ORDER BY attention, created_ms";
        let (condition, values) = match self.ids(find, values![]).await? {
            Some(ids) => one_of(ids),
            None => return Ok(("attention IS NOT NULL".to_owned(), values![])),
        };
        Ok((format!("{condition} AND attention IS NOT NULL"), values))
    }

    /// The orders that need a person, each once, by why they do: so that each part is read from an index of its own, and nobody goes through
    /// all orders for the few that wait.
    async fn orders_that_wait(&self) -> Result<Vec<Part>, StoreError> {
        let (dead, of_dead) = self.found_by("SELECT order_id FROM job WHERE state = 'dead'", values![]).await?;
        let whys = [
            self.that_need_attention().await?,
            ("booking_state = 'requested'".to_owned(), values![]),
            ("refund_state = 'under_review'".to_owned(), values![]),
            (dead, of_dead),
        ];
        // What of them stands in another part already; a column that is null is none of these words.
        let others = [
            "attention IS NULL",
            "(booking_state IS NULL OR booking_state <> 'requested')",
            "(refund_state IS NULL OR refund_state <> 'under_review')",
        ];
        let part = |(n, (why, values)): (usize, (String, Vec<Value>))| {
            let before: String = others[..n].iter().map(|other| format!(" AND {other}")).collect();
            Part::only("orders", format!("{why}{before}"), values)
        };
        Ok(whys.into_iter().enumerate().map(part).collect())
    }

    /// The ids of orders that a statement finds; `None` when there are too many to name them.
    async fn ids(&self, find: &str, mut all: Vec<Value>) -> Result<Option<Vec<String>>, StoreError> {
        all.push((IDS_MAX + 1).into());
        let rows = self.rows(&format!("{find} LIMIT ?"), all).await?;
        let ids = rows.iter().map(|row| get(row, "order_id")).collect::<Result<Vec<String>, _>>()?;
        Ok(i64::try_from(ids.len()).is_ok_and(|many| many <= IDS_MAX).then_some(ids))
    }

    /// Refund cases, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_refunds(&self, filter: &RefundFilter, page: &PageRequest) -> Result<Page<RefundRow>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("state", filter.state.as_ref().map(word));
        wanted.equals("channel", filter.channel.as_ref().map(|c| c.as_str()));
        filter.within.channel(&mut wanted);
        let listing = Listing::newest("refund_case", "id, order_id, requested_ms", "requested_ms");
        let found = self
            .list(&listing, wanted, page, |row| Ok((RefundCaseId(get(row, "id")?), OrderId(get(row, "order_id")?))))
            .await?;
        let mut items = Vec::with_capacity(found.items.len());
        for (id, order) in found.items {
            items.extend(self.refund(&id, &order).await?);
        }
        Ok(Page { items, next_cursor: found.next_cursor })
    }

    async fn refund(&self, id: &RefundCaseId, order: &OrderId) -> Result<Option<RefundRow>, StoreError> {
        let Some(order) = self.load_order(order).await? else { return Ok(None) };
        let case = order.past_refund_cases.iter().chain(&order.refund_case).find(|case| case.id == *id).cloned();
        let guests = Guests::of(&order);
        Ok(case.map(|case| RefundRow {
            fee: order.known_fee(&case),
            order: order.id,
            channel: order.channel,
            currency: order.money.currency,
            case,
            guests,
        }))
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`].
    pub async fn list_jobs(&self, filter: &JobFilter, page: &PageRequest) -> Result<Page<Job>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("state", filter.state.as_ref().map(word));
        wanted.equals("destination", filter.destination.as_deref());
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        filter.within.delivery(&mut wanted);
        let listing = Listing::newest("job", jobs::COLUMNS, "created_ms");
        self.list(&listing, wanted, page, |row| jobs::read(self.sealer(), row)).await
    }

    /// How many deliveries are pending and dead, and how old the oldest is, by destination.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job_counts(&self) -> Result<Vec<JobCount>, StoreError> {
        self.job_counts_within(&Within::Everything).await
    }

    /// The same of the deliveries that somebody may see.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn job_counts_within(&self, within: &Within) -> Result<Vec<JobCount>, StoreError> {
        let mut wanted = Where::new();
        wanted.and("state IN ('pending', 'dead')", values![]);
        within.delivery(&mut wanted);
        let (wanted, values) = wanted.into_parts();
        let sql = format!(
            "SELECT destination, state, COUNT(*) AS many, MIN(created_ms) AS oldest_ms FROM job{wanted} \
             GROUP BY destination, state ORDER BY destination, state"
        );
        let rows = self.rows(&sql, values).await?;
        rows.iter()
            .map(|row| {
                Ok(JobCount {
                    destination: get(row, "destination")?,
                    state: get_word(row, "state")?,
                    many: get_count(row, "many")?,
                    oldest: UnixMillis(get(row, "oldest_ms")?),
                })
            })
            .collect()
    }

    /// Deadlines, nearest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`].
    pub async fn list_deadlines(
        &self,
        filter: &DeadlineFilter,
        page: &PageRequest,
    ) -> Result<Page<DeadlineRow>, StoreError> {
        let mut wanted = Where::new();
        if let Some(before) = filter.due_before {
            wanted.and("due_ms < ?", values![before.0]);
        }
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        filter.within.order(&mut wanted);
        // Each state by itself is read in order from an index. What is armed is not put away.
        let both = |state| vec![Part::in_state("deadline", state), Part::in_state(DEADLINES_OVER, state)];
        let armed = || Part::in_state("deadline", DeadlineState::Armed);
        let parts = match filter.state {
            Some(DeadlineState::Armed) => vec![armed()],
            Some(state @ (DeadlineState::Passed | DeadlineState::Disarmed)) => both(state),
            None => both(DeadlineState::Passed).into_iter().chain([armed()]).collect(),
        };
        let listing = Listing::nearest(parts, deadlines::COLUMNS, "due_ms");
        self.list(&listing, wanted, page, deadlines::read).await
    }

    /// Received messages, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn list_inbox(&self, filter: &InboxFilter, page: &PageRequest) -> Result<Page<InboxRow>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("channel", filter.channel.as_deref());
        wanted.equals("call_name", filter.call.as_deref());
        wanted.equals("msg_key", filter.key.as_deref().map(|key| Quoted::code(key).to_string()));
        wanted.equals("verdict", filter.verdict.as_ref().map(word));
        if filter.verdict.is_some_and(|verdict| verdict != InboxVerdict::Accepted) {
            // The index by the verdict is of these alone.
            wanted.and("verdict <> 'accepted'", values![]);
        }
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        filter.within.channel(&mut wanted);
        let listing = Listing::newest("inbox", inbox::COLUMNS, "received_ms");
        self.list(&listing, wanted, page, |row| inbox::read(self, row)).await
    }

    /// Messages in and out, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`].
    pub async fn list_calls(&self, filter: &CallFilter, page: &PageRequest) -> Result<Page<CallRecord>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        let listing = Listing::newest("call_log", calls::COLUMNS, "at_ms");
        self.list(&listing, wanted, page, calls::read).await
    }

    pub(crate) async fn list<T>(
        &self,
        listing: &Listing,
        mut wanted: Where,
        page: &PageRequest,
        read: impl Fn(&QueryResult) -> Result<T, StoreError> + Send,
    ) -> Result<Page<T>, StoreError> {
        let (time, (beyond, way)) = (
            listing.time,
            match listing.direction {
                Direction::NewestFirst => ("<", "DESC"),
                Direction::NearestFirst => (">", "ASC"),
            },
        );
        if let Some(cursor) = &page.cursor {
            let (at, id) = read_cursor(cursor)?;
            // Said first by the time alone: an alternative is looked for from the list's beginning. Where few rows are left anyway that is
            // what is wanted: a database that is wrong about its times would go through all orders that are older.
            let behind = if wanted.leaves_few() {
                format!("({time} {beyond} ? OR ({time} = ? AND id {beyond} ?))")
            } else {
                format!("{time} {beyond}= ? AND ({time} {beyond} ? OR id {beyond} ?)")
            };
            wanted.and(&behind, values![at, at, id]);
        }
        // One more than wanted tells whether the list goes on.
        let most = i64::from(page.limit) + 1;
        let order = format!("ORDER BY {time} {way}, id {way} LIMIT ?");
        let (mut parts, mut all) = (Vec::with_capacity(listing.parts.len()), Vec::new());
        for part in &listing.parts {
            let mut of_part = wanted.clone();
            of_part.equals("state", part.state.as_deref());
            if let Some((condition, values)) = &part.only {
                of_part.and(condition, values.clone());
            }
            let (clause, values) = of_part.into_parts();
            let by = if clause.is_empty() { in_time_order(self.dialect(), part.table) } else { "" };
            parts.push(format!("SELECT {} FROM {}{by}{clause} {order}", listing.columns, part.table));
            all.extend(values);
            all.push(most.into());
        }
        let sql = match parts.len() {
            1 => parts.remove(0),
            _ => {
                all.push(most.into());
                let parts = parts.iter().enumerate().map(|(n, part)| format!("SELECT * FROM ({part}) p{n}"));
                format!("{} {order}", parts.collect::<Vec<_>>().join(" UNION ALL "))
            }
        };
        let mut rows = self.rows(&sql, all).await?;
        let goes_on = rows.len() > page.limit as usize;
        rows.truncate(page.limit as usize);
        let next_cursor = match rows.last() {
            Some(last) if goes_on => Some(write_cursor(get(last, time)?, &get::<String>(last, "id")?)),
            _ => None,
        };
        Ok(Page { items: rows.iter().map(read).collect::<Result<_, _>>()?, next_cursor })
    }
}

/// How MySQL is told to read a whole list by its time: of a table that it believes to be small it would sort everything.
fn in_time_order(dialect: Dialect, table: &str) -> &'static str {
    match (dialect.0, table) {
        (DbBackend::MySql, "orders") => " FORCE INDEX FOR ORDER BY (ix_orders_created_ms_id)",
        (DbBackend::MySql, ORDERS_OVER) => " FORCE INDEX FOR ORDER BY (ix_order_archive_created_ms_id)",
        (DbBackend::MySql, "inbox") => " FORCE INDEX FOR ORDER BY (ix_inbox_received_ms_id)",
        (DbBackend::MySql, "refund_case") => " FORCE INDEX FOR ORDER BY (ix_refund_case_requested_ms_id)",
        _ => "",
    }
}

/// That the row is one of these orders.
fn one_of(ids: Vec<String>) -> (String, Vec<Value>) {
    match ids.len() {
        0 => ("1 = 0".to_owned(), values![]),
        many => (format!("id IN ({})", marks(many)), ids.into_iter().map(Value::from).collect()),
    }
}

fn write_cursor(at: i64, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{at} {id}"))
}

fn read_cursor(cursor: &str) -> Result<(i64, String), StoreError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| StoreError::Cursor)?;
    let text = String::from_utf8(bytes).map_err(|_| StoreError::Cursor)?;
    let (at, id) = text.split_once(' ').ok_or(StoreError::Cursor)?;
    Ok((at.parse().map_err(|_| StoreError::Cursor)?, id.to_owned()))
}

/// Whom deliveries of a channel are for: itself, and whoever is told behind it.
fn destinations(channel: &ChannelId) -> [String; 2] {
    [Destination::Channel(channel.clone()), Destination::Agency(channel.clone())].map(|known| known.to_string())
}
