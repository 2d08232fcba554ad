// SPDX-License-Identifier: Apache-2.0

//! What a channel can do beside selling.

use crate::ciphers::Opened;
use crate::id::ExternalId;
use crate::message::{Command, Notification, Snapshot};
use crate::order::Order;
use crate::port::{
    Call, CallResult, CarriedOut, Changes, ChannelView, Checked, Context, EncodeError, HttpResponse, StockLeft, Token,
};
use crate::time::UnixMillis;

/// Its calls need an access token, which is fetched.
pub trait AccessTokens: Send + Sync {
    /// The calls that fetch one, the best one first: one that a partner may not have has another one behind it.
    ///
    /// # Errors
    /// What cannot be written.
    fn calls(&self, cx: &Context<'_>) -> Result<Vec<Call>, EncodeError>;
    /// Reads the answer to any of them.
    fn read(&self, response: &HttpResponse) -> CallResult<Token>;
}

/// Guests' data comes under a cipher of its own.
pub trait Cipher: Send + Sync {
    /// The call that opens these, or as many of the first as it takes.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, ciphers: &[String], cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer: what of these it opened, and never nothing.
    fn read(&self, ciphers: &[String], response: &HttpResponse) -> CallResult<Opened>;
    /// The clear text of a field that is encrypted with a secret which is shared with us; `None` where it is no such field.
    fn opened(&self, field: &str) -> Option<String>;
}

/// It can be asked for a whole order by its number.
pub trait ReadBack: Send + Sync {
    /// The call that asks.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, about: &ExternalId, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer; it must be about the order that was asked for.
    fn read(&self, about: &ExternalId, response: &HttpResponse) -> CallResult<Box<Snapshot>>;
}

/// It can be asked whether a notification was carried out, before it is made again.
pub trait VerifyFirst: Send + Sync {
    /// The call that asks.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, notification: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer.
    fn read(&self, notification: &Notification, order: &Order, response: &HttpResponse) -> CallResult<Checked>;
}

/// Whoever can be asked for a whole order can be asked so: how it stands tells whether something was carried out.
impl<T: ReadBack> VerifyFirst for T {
    fn call(&self, _: &Notification, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError> {
        ReadBack::call(self, &order.channel_order_id, cx)
    }

    fn read(&self, _: &Notification, order: &Order, response: &HttpResponse) -> CallResult<Checked> {
        match ReadBack::read(self, &order.channel_order_id, response) {
            CallResult::Done(snapshot) => {
                let learned = vec![Command::SyncSnapshot {
                    snapshot,
                    not_for_sale: None,
                    paid_elsewhere: Vec::new(),
                    lines_elsewhere: Vec::new(),
                }];
                CallResult::Done(Checked { learned, carried_out: CarriedOut::No })
            }
            other => other.unread(),
        }
    }
}

/// It lists the orders that have changed between two times.
pub trait ChangeList: Send + Sync {
    /// The call for a page; `cursor` is where the page before ended.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(
        &self,
        from: UnixMillis,
        to: UnixMillis,
        cursor: Option<&str>,
        cx: &Context<'_>,
    ) -> Result<Call, EncodeError>;
    /// Reads the answer.
    fn read(&self, response: &HttpResponse) -> CallResult<Changes>;
}

/// It is told what is left of a date.
pub trait TakesStock: Send + Sync {
    /// The call that tells.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, stock: &StockLeft<'_>, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer.
    fn read(&self, stock: &StockLeft<'_>, response: &HttpResponse) -> CallResult<()>;
}

/// It can be asked how it sees an order, not for the whole of it.
pub trait OrderQuery: Send + Sync {
    /// The call that asks.
    ///
    /// # Errors
    /// What cannot be written.
    fn call(&self, order: &Order, cx: &Context<'_>) -> Result<Call, EncodeError>;
    /// Reads the answer.
    fn read(&self, order: &Order, response: &HttpResponse) -> CallResult<ChannelView>;
}
