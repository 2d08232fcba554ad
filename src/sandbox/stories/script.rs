// SPDX-License-Identifier: Apache-2.0

//! What every story can do and see: wait, look into the books, ask the ops interface. What a guest can do is the channel's.

use serde_json::Value;
use std::time::Duration;

use super::stage::{Channel, Stage, Supplier};
use crate::backend::{CancelMode, IssueMode, Reservation as BackendReservation, ReservationState as AtBackend};

/// How often the ops interface is asked while a story waits, real time.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One thing a story found.
#[derive(Clone, Debug)]
pub struct Step {
    /// When, real time since the sandbox began.
    pub at: Duration,
    /// What was seen, in a sentence.
    pub text: String,
    /// Whether it is as it should be.
    pub good: bool,
}

/// Why a story cannot go on.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

/// A story while it is played.
#[derive(Debug)]
pub struct Script<C> {
    pub(super) stage: Stage<C>,
    steps: Vec<Step>,
    problems: Vec<String>,
    /// Numbers at the channel whose violations count.
    pub(super) orders: Vec<String>,
    /// What a person is still asked for when the story ends, as it should be: the order's number, and the kind of it.
    left_to_person: Vec<(String, String)>,
    violations_before: usize,
    /// The same in the supplier's books.
    supplier_before: usize,
}

impl<C: Channel> Script<C> {
    pub(super) fn new(stage: Stage<C>) -> Self {
        let violations_before = stage.backend.books().violations.len();
        let supplier_before = stage.supplier.as_ref().map_or(0, |supplier| supplier.violations().len());
        let (steps, problems, orders, left_to_person) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { stage, steps, problems, orders, left_to_person, violations_before, supplier_before }
    }

    /// Writes down whether something is as it should be; the sentence says how it should be.
    pub(super) fn check(&mut self, good: bool, should: impl Into<String>) {
        let text = should.into();
        if !good {
            self.problems.push(format!("not so: {text}"));
        }
        self.steps.push(Step { at: self.stage.channel.time().elapsed(), text, good });
    }

    pub(super) fn fail(&mut self, problem: String) {
        self.steps.push(Step { at: self.stage.channel.time().elapsed(), text: problem.clone(), good: false });
        self.problems.push(problem);
    }

    pub(super) fn into_findings(self) -> (Vec<Step>, Vec<String>) {
        (self.steps, self.problems)
    }

    /// Everything that both sets of books hold against the bridge about this story's orders.
    pub(super) fn judge_books(&mut self) {
        let mut held = self.stage.channel.held_against(&self.orders);
        let backend = self.stage.backend.books();
        let new = backend.violations.iter().skip(self.violations_before);
        held.extend(new.map(|v| format!("the back-end holds against the bridge: {}", v.sentence)));
        held.extend(backend.reservations.values().filter(|r| r.issues > 1).map(|r| format!("issued twice: {}", r.id)));
        let supplier = self.stage.supplier.iter().flat_map(Supplier::violations).skip(self.supplier_before);
        held.extend(supplier.map(|sentence| format!("the supplier holds against the bridge: {sentence}")));
        held.into_iter().for_each(|problem| self.fail(problem));
    }

    /// Waits until the channel's books and the bridge tell the same of every order of the story.
    pub(super) async fn compare_books(&mut self) {
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        for number in self.orders.clone() {
            let left = loop {
                let left = match self.order(&number).await {
                    Ok(order) => self.stage.channel.differences(&number, &order, &self.stage.backend),
                    // What was never told is known to nobody; a story looks itself at what should have been.
                    Err(_) => Vec::new(),
                };
                if left.is_empty() || self.stage.channel.time().elapsed() > deadline {
                    break left;
                }
                self.stage.channel.time().pass_really(LOOK_EVERY).await;
            };
            left.into_iter().for_each(|difference| self.fail(difference));
        }
    }

    /// The story ends with a person asked for this, and rightly.
    pub(super) fn leaves(&mut self, number: &str, kind: &str) {
        self.left_to_person.push((number.to_owned(), kind.to_owned()));
    }

    /// Waits until no order of the story asks for a person, but for what is left to one: an alarm without a cause is a fault of its own.
    pub(super) async fn judge_attention(&mut self) {
        // Where a supplier refuses, a person decides: its stories look at that themselves.
        if self.stage.supplier.is_some() {
            return;
        }
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        for number in self.orders.clone() {
            let asked = loop {
                let asked = match self.order(&number).await {
                    Ok(order) => self.unexpected(&number, &order),
                    Err(_) => Vec::new(),
                };
                if asked.is_empty() || self.stage.channel.time().elapsed() > deadline {
                    break asked;
                }
                self.stage.channel.time().pass_really(LOOK_EVERY).await;
            };
            asked.into_iter().for_each(|problem| self.fail(problem));
        }
    }

    /// What a person is asked for about an order, and should not be.
    fn unexpected(&self, number: &str, order: &Value) -> Vec<String> {
        let is_left = |kind: &str| self.left_to_person.iter().any(|(of, left)| of == number && left == kind);
        let all = order.get("attentions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let unexpected = all.iter().filter(|one| !is_left(text_at(one, "kind")));
        let sentence = |one: &Value| {
            format!(
                "the order {number} still asks for a person: {} ({})",
                text_at(one, "sentence"),
                text_at(one, "kind")
            )
        };
        unexpected.map(sentence).collect()
    }

    /// Real time in which the longest wait of the channel's stories passes, and then some.
    pub(super) fn longest_wait(&self) -> Duration {
        let channel = &self.stage.channel;
        channel.time().scaled(channel.longest_wait()) + self.stage.patience
    }

    /// Puts switches and modes back.
    pub(super) fn tidy(&self) {
        self.stage.channel.tidy();
        self.stage.backend.set_issue_mode(IssueMode::Immediate);
        self.stage.backend.set_cancel_mode(CancelMode::Accept);
        if let Some(supplier) = &self.stage.supplier {
            supplier.octo.tidy();
        }
    }

    /// The order as the ops interface tells it.
    pub(super) async fn order(&self, number: &str) -> Result<Value, Broken> {
        match self.stage.ops.order(self.stage.channel.id(), number).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(Broken(format!("the bridge knows no order {number}"))),
            Err(error) => Err(Broken(format!("{error}"))),
        }
    }

    /// Waits until a field of the order (dots lead inside) has this value.
    pub(super) async fn order_is(&mut self, number: &str, field: &str, wanted: &str) -> Result<Value, Broken> {
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        loop {
            let order = self.order(number).await;
            let now = order.as_ref().ok().map(|o| value_at(o, field)).unwrap_or_default();
            if let Ok(order) = order
                && now == wanted
            {
                self.check(true, format!("the order's {field} is {wanted}"));
                return Ok(order);
            }
            if self.stage.channel.time().elapsed() > deadline {
                self.check(false, format!("the order's {field} is {wanted} (it is {now:?})"));
                return Err(Broken(format!("the order's {field} stayed {now:?}")));
            }
            self.stage.channel.time().pass_really(LOOK_EVERY).await;
        }
    }

    /// The back-end's reservations for an order of the bridge's, oldest first.
    pub(super) async fn at_backend(&self, number: &str) -> Result<Vec<BackendReservation>, Broken> {
        let order = self.order(number).await?;
        let id = text_at(&order, "id");
        let books = self.stage.backend.books();
        let of_order = |r: &&BackendReservation| r.request.get("order_id").and_then(Value::as_str) == Some(id);
        Ok(books.reservations.values().filter(of_order).cloned().collect())
    }

    /// The bridge's id of the active booking, which is the back-end's reservation id.
    pub(super) async fn booking_id(&self, number: &str) -> Result<String, Broken> {
        Ok(text_at(&self.order(number).await?, "booking.id").to_owned())
    }

    /// Waits until the back-end has been asked for a booking; its reservation id.
    pub(super) async fn asked_at_backend(&mut self, number: &str) -> Result<String, Broken> {
        let id = self.booking_id(number).await?;
        let asked = self.stage.backend.until(self.stage.patience, |b| b.reservations.get(&id).map(|_| ())).await;
        self.check(asked.is_some(), "the back-end is asked for the tickets");
        if asked.is_some() { Ok(id) } else { Err(Broken("the back-end was never asked".to_owned())) }
    }

    /// Waits until the back-end's reservation is in this state.
    pub(super) async fn backend_is(&mut self, reservation_id: &str, wanted: AtBackend) -> Result<(), Broken> {
        let look =
            |b: &crate::backend::Books| b.reservations.get(reservation_id).filter(|r| r.state == wanted).map(|_| ());
        let found = self.stage.backend.until(self.stage.patience, look).await;
        self.check(found.is_some(), format!("the back-end's reservation is {wanted:?}"));
        found.ok_or_else(|| Broken(format!("the back-end's reservation never became {wanted:?}")))
    }

    /// How the journal's first entry of this kind stands among all; `None` when there is none.
    pub(super) fn position(&self, call: &str, words: &str, from: usize) -> Option<usize> {
        let entries = self.stage.channel.journal().since(from);
        entries.iter().position(|e| e.call == call && e.outcome.contains(words)).map(|n| n + from)
    }
}

/// Text of a field, dots leading inside; empty when there is none.
pub(crate) fn text_at<'v>(value: &'v Value, field: &str) -> &'v str {
    field.split('.').try_fold(value, |inner, name| inner.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// The same for any plain value, written as text; a number leads into a list.
fn value_at(value: &Value, field: &str) -> String {
    match value.pointer(&format!("/{}", field.replace('.', "/"))) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
