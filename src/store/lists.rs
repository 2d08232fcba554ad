//! Lists for the ops interface: filters, newest first (deadlines: nearest first), and a cursor that stays valid while
//! rows come and go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{QueryResult, Value};
use ticketbridge_core::message::Destination;
use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{AttentionKind, BookingState, OrderState, RefundCase, RefundState, TicketingState};
use ticketbridge_core::product::Currency;
use ticketbridge_core::quoted::{Guests, Quoted};
use ticketbridge_core::{ChannelId, Date, Order, OrderId, RefundCaseId, UnixMillis};

use crate::accounts::ScopeWords;
use crate::calls::{self, CallRecord};
use crate::connect::Store;
use crate::deadlines::{self, DeadlineRow, DeadlineState};
use crate::dialect::{Query, Where, get, get_count, get_word, marks, values, word};
use crate::error::StoreError;
use crate::inbox::{self, InboxRow, InboxVerdict};
use crate::jobs::{self, Job, JobState};
use crate::orders::read_order;
use crate::refs::REFERENCE;

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
            wanted.and(&format!("order_id IN (SELECT id FROM orders WHERE {sql})"), values);
        }
    }

    /// For deliveries: some are of no order, and are known by whom they go to.
    fn delivery(&self, wanted: &mut Where) {
        let Within::Channels(channels) = self else { return };
        let Some((sql, mut values)) = self.condition("channel") else { return };
        let destinations: Vec<Value> = channels.iter().flat_map(destinations).map(Value::from).collect();
        let of_none = match destinations.len() {
            0 => "1 = 0".to_owned(),
            many => format!("destination IN ({})", marks(many)),
        };
        values.extend(destinations);
        wanted.and(
            &format!("(order_id IN (SELECT id FROM orders WHERE {sql}) OR (order_id = '' AND {of_none}))"),
            values,
        );
    }
}

/// Whose people, invitations and acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScopesWithin {
    /// Everybody's.
    #[default]
    Everything,
    /// Those of these scopes, and acts on orders of these channels.
    Only {
        /// The scopes.
        scopes: Vec<ScopeWords>,
        /// The channels.
        channels: Vec<ChannelId>,
    },
}

/// Adds the condition on the columns of a scope; `channel` is the column of a channel, where there is one.
pub(crate) fn within_scopes(wanted: &mut Where, within: &ScopesWithin, channel: Option<&str>) {
    let ScopesWithin::Only { scopes, channels } = within else { return };
    let (mut parts, mut all) = (Vec::new(), values![]);
    for scope in scopes {
        parts.push("(scope_kind = ? AND scope_id = ?)".to_owned());
        all.extend(values![scope.kind.as_str(), scope.id.clone().unwrap_or_default()]);
    }
    if let Some(column) = channel.filter(|_| !channels.is_empty()) {
        parts.push(format!("{column} IN ({})", marks(channels.len())));
        all.extend(channels.iter().map(|id| Value::from(id.as_str())));
    }
    match parts.is_empty() {
        true => wanted.and("1 = 0", values![]),
        false => wanted.and(&format!("({})", parts.join(" OR ")), all),
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
    /// Changed at this time or later.
    pub updated_since: Option<UnixMillis>,
    /// Needing a person.
    pub attention: Option<Needing>,
    /// Knowing a guest's phone, by its keyed hash.
    pub guest: Option<String>,
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

/// A list's order: by a time and then by id, one way.
pub(crate) struct Listing {
    table: &'static str,
    columns: &'static str,
    time: &'static str,
    direction: Direction,
}

impl Listing {
    /// The newest first.
    pub(crate) fn newest(table: &'static str, columns: &'static str, time: &'static str) -> Self {
        Self { table, columns, time, direction: Direction::NewestFirst }
    }
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
        wanted.equals("refund_state", filter.refund.as_ref().map(word));
        wanted.equals("visit_date", filter.visit_date.map(|d| d.to_string()));
        filter.within.channel(&mut wanted);
        if let Some(since) = filter.updated_since {
            wanted.and("updated_ms >= ?", values![since.0]);
        }
        match filter.attention {
            None => {}
            Some(Needing::Anything | Needing::Kind(_)) => wanted.and("attention IS NOT NULL", values![]),
            Some(Needing::Decision) => wanted.and(
                "(attention IS NOT NULL OR booking_state = 'requested' OR refund_state = 'under_review' \
                 OR id IN (SELECT order_id FROM job WHERE state = 'dead'))",
                values![],
            ),
        }
        if let Some(hash) = filter.guest.as_deref() {
            wanted.and("id IN (SELECT order_id FROM guest_ref WHERE hash = ?)", values![hash]);
        }
        if let Some(q) = filter.q.as_deref() {
            wanted.and(
                "(id = ? OR id IN (SELECT order_id FROM order_ref WHERE reference IN (?, ?) AND order_id IS NOT NULL) \
                 OR id IN (SELECT order_id FROM booking WHERE id = ?) \
                 OR id IN (SELECT order_id FROM refund_case WHERE id = ?))",
                // An older version kept the numbers themselves.
                values![q, self.sealer().keyed_hash(REFERENCE, q), q, q, q],
            );
        }
        let listing = Listing {
            table: "orders",
            columns: "id, document, created_ms",
            time: "created_ms",
            direction: Direction::NewestFirst,
        };
        self.list(&listing, wanted, page, |row| read_order(self.sealer(), row)).await
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
        let listing = Listing {
            table: "refund_case",
            columns: "id, order_id, requested_ms",
            time: "requested_ms",
            direction: Direction::NewestFirst,
        };
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
        let listing =
            Listing { table: "job", columns: jobs::COLUMNS, time: "created_ms", direction: Direction::NewestFirst };
        self.list(&listing, wanted, page, |row| jobs::read(self.sealer(), row)).await
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
        match &filter.state {
            Some(state) => wanted.equals("state", Some(word(state))),
            None => wanted.and("state IN ('armed', 'passed')", values![]),
        }
        if let Some(before) = filter.due_before {
            wanted.and("due_ms < ?", values![before.0]);
        }
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        filter.within.order(&mut wanted);
        let listing = Listing {
            table: "deadline",
            columns: deadlines::COLUMNS,
            time: "due_ms",
            direction: Direction::NearestFirst,
        };
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
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        filter.within.channel(&mut wanted);
        let listing =
            Listing { table: "inbox", columns: inbox::COLUMNS, time: "received_ms", direction: Direction::NewestFirst };
        self.list(&listing, wanted, page, |row| inbox::read(self, row)).await
    }

    /// Messages in and out, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::Statement`].
    pub async fn list_calls(&self, filter: &CallFilter, page: &PageRequest) -> Result<Page<CallRecord>, StoreError> {
        let mut wanted = Where::new();
        wanted.equals("order_id", filter.order.as_ref().map(OrderId::as_str));
        let listing =
            Listing { table: "call_log", columns: calls::COLUMNS, time: "at_ms", direction: Direction::NewestFirst };
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
            wanted.and(&format!("({time} {beyond} ? OR ({time} = ? AND id {beyond} ?))"), values![at, at, id]);
        }
        let (clause, mut all) = wanted.into_parts();
        // One more than wanted tells whether the list goes on.
        all.push((i64::from(page.limit) + 1).into());
        let sql = format!(
            "SELECT {} FROM {}{clause} ORDER BY {time} {way}, id {way} LIMIT ?",
            listing.columns, listing.table
        );
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
