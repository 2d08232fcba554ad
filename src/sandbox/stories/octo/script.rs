// SPDX-License-Identifier: Apache-2.0

//! What the stories of a supplier can do and see beside what every story of a Douyin guest can.

use std::time::Duration;

use crate::octo::{Booked, Generation, Status};
use crate::stories::script::{Broken, LOOK_EVERY, text_at};
use crate::stories::stage::{Stage, Supplier};
use crate::{SimDouyin, SimOcto};

/// A script with a Douyin in it, and a supplier beside.
pub(super) type Script = crate::stories::script::Script<SimDouyin>;

impl Stage<SimDouyin> {
    /// A supplier stands beside.
    #[must_use]
    pub fn with_supplier(mut self, supplier: Supplier) -> Self {
        self.supplier = Some(supplier);
        self
    }
}

impl Script {
    /// What is known of the supplier.
    pub(super) fn supplier(&self) -> Result<Supplier, Broken> {
        let missing = || Broken("these stories need a back-end of the adapter octo".to_owned());
        self.stage.supplier.clone().ok_or_else(missing)
    }

    /// The supplier itself.
    pub(super) fn octo(&self) -> Result<SimOcto, Broken> {
        Ok(self.supplier()?.octo)
    }

    /// The bridge is told of every change at the supplier.
    pub(super) fn pushes(&self, generation: Generation) -> Result<(), Broken> {
        let supplier = self.supplier()?;
        let hints = supplier.hints.ok_or_else(|| Broken("the back-end has no hint_secret".to_owned()))?;
        supplier.octo.with_books(|books| books.subscribe(&hints, generation));
        Ok(())
    }

    /// The supplier's bookings for the order's active booking.
    pub(super) async fn at_supplier(&self, voucher: &str) -> Result<Vec<Booked>, Broken> {
        let id = self.booking_id(voucher).await?;
        Ok(self.octo()?.with_books(|books| books.of(&id)))
    }

    /// There is exactly one booking that lives, and it was confirmed once.
    pub(super) async fn sold_once(&mut self, voucher: &str) -> Result<(), Broken> {
        let all = self.at_supplier(voucher).await?;
        let live = all.iter().filter(|booked| booked.status.takes_place()).count();
        let confirmed: u32 = all.iter().map(|booked| booked.confirmed).sum();
        self.check(
            live == 1 && confirmed == 1,
            format!("one booking at the supplier, confirmed once (there are {live}, and {confirmed} were)"),
        );
        Ok(())
    }

    /// Nothing lives at the supplier.
    pub(super) async fn nothing_lives(&mut self, voucher: &str) -> Result<(), Broken> {
        let all = self.at_supplier(voucher).await?;
        let live: Vec<Status> = all.iter().map(|b| b.status).filter(|status| status.takes_place()).collect();
        self.check(live.is_empty(), format!("nothing lives at the supplier ({live:?})"));
        Ok(())
    }

    /// Waits until a booking at the supplier stands like this.
    pub(super) async fn supplier_is(&mut self, voucher: &str, wanted: Status) -> Result<(), Broken> {
        let id = self.booking_id(voucher).await?;
        let look =
            |books: &crate::octo::Books| books.of(&id).iter().any(|booked| booked.status == wanted).then_some(());
        let patience = self.stage.patience;
        let found = self.octo()?.until(patience, look).await;
        self.check(found.is_some(), format!("the supplier's booking is {wanted:?}"));
        found.ok_or_else(|| Broken(format!("the supplier's booking never became {wanted:?}")))
    }

    /// Douyin has no codes.
    pub(super) fn nothing_shown(&mut self, reservation: &str) {
        let shown = self.stage.channel.books().reservations.get(reservation).is_some_and(|r| r.codes.is_some());
        self.check(!shown, "nothing is shown to the guest");
    }

    /// A ticketing that failed, and why as a person reads it.
    pub(super) async fn failed(&mut self, voucher: &str, words: &str) -> Result<(), Broken> {
        let order = self.order_is(voucher, "booking.ticketing.state", "failed").await?;
        let all = order.get("attentions").map(ToString::to_string).unwrap_or_default();
        self.check(all.contains(words), format!("a person reads: {words}"));
        Ok(())
    }

    /// Waits until a back-end of the bridge stands like this.
    pub(super) async fn backend_state(&mut self, wanted: &str) -> Result<(), Broken> {
        let id = self.supplier()?.backend;
        let deadline = self.stage.channel.time().elapsed() + self.stage.patience;
        loop {
            let all = self.stage.ops.get("backends").await.map_err(|error| Broken(error.to_string()))?;
            let items = all.get("items").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
            let state = items.iter().find(|one| text_at(one, "id") == id).map(|one| text_at(one, "state").to_owned());
            if state.as_deref() == Some(wanted) {
                self.check(true, format!("the back-end is {wanted}"));
                return Ok(());
            }
            if self.stage.channel.time().elapsed() > deadline {
                self.check(false, format!("the back-end is {wanted} (it is {state:?})"));
                return Err(Broken(format!("the back-end never was {wanted}")));
            }
            self.stage.channel.time().pass_really(LOOK_EVERY).await;
        }
    }

    /// Lets time pass, as the protocol counts.
    pub(super) async fn stated(&self, seconds: u64) {
        self.stage.channel.time().pass(Duration::from_secs(seconds)).await;
    }
}
