// SPDX-License-Identifier: Apache-2.0

//! The business behind the OpenAPI: confirm, callback, audit, verify, decrypt, query.

use serde_json::{Value, json};

use super::api::{BAD_PARAMETER, BUSINESS_ERROR, Called, QUOTA_USED_UP};
use super::bodies::certificate_id;
use super::books::{Path, Redemption, RefundState, Reservation, ReservationState, Rule, VoucherState};
use super::options::{Generation, Reorder};
use super::refunds::{Decision, Taken};
use super::running::SimDouyin;
use super::sale::CANCEL_AFTER_PAYMENT;
use crate::time::Zone;

/// Texts that one call of online decryption may hold.
const DECRYPT_BATCH_MAX: usize = 50;
/// `verify_results[].code` of a redemption that exists already.
const ALREADY_REDEEMED: i64 = 1_208;

fn refused<T>(why: impl Into<String>) -> Result<T, (i64, String)> {
    Err((BUSINESS_ERROR, why.into()))
}

fn required<'r>(request: &'r Value, field: &str) -> Result<&'r str, (i64, String)> {
    let text = request.get(field).and_then(Value::as_str).filter(|t| !t.is_empty());
    text.ok_or_else(|| (BAD_PARAMETER, format!("{field} is missing or not text")))
}

fn number(request: &Value, field: &str) -> Result<i64, (i64, String)> {
    let number = request.get(field).and_then(Value::as_i64);
    number.ok_or_else(|| (BAD_PARAMETER, format!("{field} is missing or not a number")))
}

impl SimDouyin {
    /// Chapter 6: only what was answered asynchronously can be confirmed.
    pub(super) fn confirm_called(&self, request: &Value) -> Called {
        let id = required(request, "order_id")?;
        let result = number(request, "confirm_result")?;
        let reservation = self.state().books.reservations.get(id).cloned();
        let Some(reservation) = reservation.filter(|r| r.asynchronous) else {
            self.violation(Rule::Uncalled, id, "order/confirm for an order that was not accepted asynchronously");
            return refused("this order does not wait for a confirmation");
        };
        match reservation.confirmed {
            Some(before) if before == result => return Ok(json!({})),
            Some(_) => {
                self.violation(Rule::ContradictoryDecision, id, "order/confirm with another result than before");
                return refused("confirmed otherwise before");
            }
            None if reservation.state != ReservationState::AwaitingConfirmation => {
                return refused("the ten minutes are over");
            }
            None => {}
        }
        self.change(|state| {
            if let Some(reservation) = state.books.reservations.get_mut(id) {
                reservation.confirmed = Some(result);
            }
        });
        match result {
            1 => self.begin_ticketing(id),
            2 => self.reject_reservation(id),
            _ => return Err((BAD_PARAMETER, "confirm_result is 1 or 2".to_owned())),
        }
        Ok(json!({}))
    }

    fn reject_reservation(&self, id: &str) {
        self.close_reservation(id, ReservationState::Rejected);
        let id = id.to_owned();
        self.meanwhile(|douyin| async move {
            douyin.notify_cancelled(&id, CANCEL_AFTER_PAYMENT).await;
        });
    }

    /// Chapter 8: codes within the ten minutes, identical repeats accepted.
    pub(super) async fn callback_called(&self, request: &Value, generation: Generation) -> Called {
        let id = required(request, "order_id")?;
        let result = number(request, "result")?;
        let reservation = self.state().books.reservations.get(id).cloned();
        let Some(reservation) = reservation.filter(|r| r.generation == generation) else {
            self.violation(Rule::Uncalled, id, "a voucher callback for no reservation of this generation");
            return refused("no such reservation order");
        };
        let field = if generation == Generation::First { "vouchers" } else { "certificate_info_list" };
        match (result, request.get(field)) {
            (1, Some(codes)) => self.codes_called_back(&reservation, codes).await,
            (1, None) => Err((BAD_PARAMETER, format!("{field} is missing"))),
            (2, _) if reservation.codes.is_some() => {
                self.violation(Rule::ContradictoryCodes, id, "failure reported after codes");
                refused("codes were received before")
            }
            (2, _) => {
                let id = id.to_owned();
                self.meanwhile(|douyin| async move { douyin.apply_for_missing_codes(&id).await });
                Ok(json!({}))
            }
            _ => Err((BAD_PARAMETER, "result is 1 or 2".to_owned())),
        }
    }

    async fn codes_called_back(&self, reservation: &Reservation, codes: &Value) -> Called {
        let id = reservation.id.as_str();
        if reservation.codes.is_none() {
            let crossing = self.change(|state| state.faults.reorder.take_if(|r| *r == Reorder::ExpiryCrossesCallback));
            if crossing.is_some() {
                self.cross_with_expiry(id);
            }
            if self.is_late(reservation) && crossing.is_none() {
                return refused("the ten minutes are over");
            }
            if matches!(reservation.state, ReservationState::Cancelled | ReservationState::Rejected) {
                return refused("the reservation is over");
            }
        }
        match self.take_codes(id, codes, Path::Callback) {
            Ok(()) => Ok(json!({ "certificate_info_list": [] })),
            Err(why) => refused(why),
        }
    }

    /// H6: sends the application of the tenth minute in the same moment in which the codes arrive.
    fn cross_with_expiry(&self, id: &str) {
        use super::books::AfterSale;
        use super::refunds::{RefundRequest, SOURCE_NO_CODES};
        let id = id.to_owned();
        self.meanwhile(|douyin| async move {
            let request = RefundRequest { order_id: id, source: SOURCE_NO_CODES, kind: AfterSale::Refund, fee: 0 };
            // Douyin itself refuses when the reservation is over: then nothing crosses.
            let _ = douyin.apply_refund(request).await;
        });
    }

    /// Chapter 11.
    pub(super) fn audit_called(&self, request: &Value) -> Called {
        let id = required(request, "order_id")?;
        let key = required(request, "biz_uniq_key")?;
        let result = number(request, "audit_result")?;
        let Some(refund) = self.state().books.refunds.get(key).filter(|r| r.order_id == id).cloned() else {
            self.violation(Rule::Uncalled, id, "an audit of an application that was never made");
            return refused("no such application");
        };
        let fee = request.get("refund_fee_amount").and_then(Value::as_i64);
        if fee.is_some_and(|fee| fee > refund.fee) {
            self.violation(Rule::FeeTooHigh, id, "an audit with a fee above Douyin's: not read any further");
            return refused("refund_fee_amount is above the application's");
        }
        let decision = match result {
            1 => Decision::Accept { fee: fee.ok_or((BAD_PARAMETER, "refund_fee_amount is missing".to_owned()))? },
            2 => Decision::Reject { vouchers: request.get("vouchers").cloned() },
            _ => return Err((BAD_PARAMETER, "audit_result is 1 or 2".to_owned())),
        };
        match self.take_decision(key, decision) {
            Taken::Yes | Taken::Repeat => Ok(json!({})),
            Taken::No(why) => refused(why),
        }
    }

    /// Chapter 14: whole order, on the day, no refund pending; a repeated token gets the same answer.
    pub(super) fn verify_called(&self, request: &Value) -> Called {
        let id = required(request, "order_id")?;
        let token = required(request, "verify_token")?;
        if self.state().books.vouchers.contains_key(id) {
            self.violation(Rule::VerifyVoucherOrder, id, "use reported for a voucher order");
            return refused("a voucher order cannot be verified here");
        }
        let Some((_, reservation)) = self.pair(id) else {
            self.violation(Rule::Uncalled, id, "use reported for an unknown order");
            return refused("no such order");
        };
        if request.get("vouchers").is_some_and(|v| !v.is_null()) {
            self.violation(Rule::VerifyPartial, id, "use reported with partial vouchers");
            return refused("partial verification is not supported for reservations");
        }
        let verify_time_s = request.get("verify_time").and_then(Value::as_i64);
        if let Some(redeemed) = &reservation.redeemed {
            return self.verified_again(id, redeemed, token);
        }
        if let Err((rule, why)) = self.may_verify(&reservation, verify_time_s) {
            self.violation(rule, id, why.clone());
            return refused(why);
        }
        let certificates = (0..reservation.terms.copies).map(|n| {
            json!({ "code": 0, "msg": "success", "verify_id": format!("v{}", certificate_id(id, n)),
                    "certificate_id": certificate_id(id, n) })
        });
        let answer = json!({ "verify_results": certificates.collect::<Vec<_>>() });
        let redemption = Redemption { verify_token: token.to_owned(), verify_time_s, answer: answer.clone(), times: 1 };
        self.change(|state| {
            if let Some(reservation) = state.books.reservations.get_mut(id) {
                reservation.state = ReservationState::Redeemed;
                reservation.redeemed = Some(redemption);
                if let Some(voucher) = state.books.vouchers.get_mut(&reservation.voucher_id) {
                    voucher.state = VoucherState::Redeemed;
                }
            }
        });
        Ok(answer)
    }

    fn verified_again(&self, id: &str, redeemed: &Redemption, token: &str) -> Called {
        self.change(|state| {
            if let Some(redeemed) = state.books.reservations.get_mut(id).and_then(|r| r.redeemed.as_mut()) {
                redeemed.times += 1;
            }
        });
        if redeemed.verify_token == token {
            return Ok(redeemed.answer.clone());
        }
        Ok(json!({ "verify_results": [{ "code": ALREADY_REDEEMED, "msg": "already redeemed",
            "verify_id": "", "certificate_id": certificate_id(id, 0) }] }))
    }

    fn may_verify(&self, reservation: &Reservation, verify_time_s: Option<i64>) -> Result<(), (Rule, String)> {
        let state = self.state();
        let today = self.time().today(Zone::SHANGHAI);
        if state.books.waiting_refund(&reservation.id).is_some() {
            return Err((Rule::VerifyDuringRefund, "a refund is pending".to_owned()));
        }
        if matches!(reservation.state, ReservationState::Cancelled | ReservationState::Rejected) {
            return Err((Rule::VerifyCancelled, "the reservation is cancelled".to_owned()));
        }
        if reservation.codes.is_none() {
            return Err((Rule::Uncalled, "use reported of an order without codes".to_owned()));
        }
        let day = verify_time_s.map_or(today, |s| Zone::SHANGHAI.date(s));
        if day < reservation.visit_date || today < reservation.visit_date {
            return Err((Rule::VerifyTooEarly, format!("the visit is on {}", reservation.visit_date)));
        }
        let rejected = state.books.last_refund(&reservation.id).filter(|r| r.state == RefundState::Rejected);
        match (rejected, verify_time_s) {
            (Some(_), None) => Err((Rule::VerifyTime, "verify_time is required after a rejected refund".to_owned())),
            // Entered while the application was open: the time must lie before it. Later visits are free.
            (Some(refund), Some(at))
                if at >= refund.applied_at_s && refund.decided_at_s.is_some_and(|end| at < end) =>
            {
                Err((Rule::VerifyTime, "verify_time must be earlier than the refund application".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Chapter 1.8: one unit of quota an element.
    pub(super) fn decrypt_called(&self, request: &Value) -> Called {
        let texts = request.get("cipher_texts").and_then(Value::as_array);
        let texts = texts.ok_or((BAD_PARAMETER, "cipher_texts is missing".to_owned()))?;
        if texts.is_empty() || texts.len() > DECRYPT_BATCH_MAX {
            return Err((BAD_PARAMETER, "1 to 50 cipher_texts".to_owned()));
        }
        let units = u32::try_from(texts.len()).unwrap_or(u32::MAX);
        let quota = self.options().decrypt_quota;
        let within = self.change(|state| {
            state.books.decrypted = state.books.decrypted.saturating_add(units);
            state.books.decrypted <= quota
        });
        if !within {
            self.violation(Rule::DecryptQuota, "", "the daily quota of online decryption is used up");
            return Err((QUOTA_USED_UP, "quota used up".to_owned()));
        }
        let state = self.state();
        let results = texts.iter().map(|text| {
            let plain = text.as_str().and_then(|t| state.sealed.get(t));
            json!({ "cipher_text": text, "plain_text": plain.cloned().unwrap_or_default(), "is_success": plain.is_some(),
                    "error_msg": if plain.is_some() { "" } else { "unknown cipher text" } })
        });
        Ok(json!({ "results": results.collect::<Vec<_>>() }))
    }

    /// Chapter 17.1, by order id or by the bridge's own number.
    pub(super) fn query_called(&self, query: &str) -> Called {
        let wanted = |name: &str| {
            let pair = query.split('&').filter_map(|p| p.split_once('=')).find(|(key, _)| *key == name);
            pair.map(|(_, value)| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
        };
        let (id, out_id) = (wanted("order_id"), wanted("ext_order_id"));
        let state = self.state();
        let matches = |own: &str, out: &Option<String>| match (&id, &out_id) {
            (Some(id), _) => id == own,
            (None, Some(wanted)) => out.as_ref() == Some(wanted),
            (None, None) => true,
        };
        let vouchers = state.books.vouchers.values().filter(|v| matches(&v.id, &v.out_id)).map(|v| {
            json!({ "order_id": v.id, "ext_order_id": v.out_id, "order_type": 1, "count": v.copies,
                    "pay_amount": v.amount, "original_amount": v.amount, "create_order_time": v.bought_at_s,
                    "order_status": v.state as i64, "sku_id": "", "third_sku_id": v.product_out_id, "certificate": [] })
        });
        let reservations = state.books.reservations.values().filter(|r| matches(&r.id, &r.out_id)).map(|r| {
            let certificates: Vec<Value> = (0..r.terms.copies)
                .map(|n| json!({ "certificate_id": certificate_id(&r.id, n), "item_status": r.state as i64 }))
                .collect();
            json!({ "order_id": r.id, "ext_order_id": r.out_id, "order_type": 2, "count": r.terms.copies,
                    "order_status": r.state as i64, "certificate": certificates })
        });
        let orders: Vec<Value> = vouchers.chain(reservations).collect();
        let total = orders.len();
        Ok(json!({ "orders": orders, "page": { "page_num": 1, "page_size": total, "total": total } }))
    }
}
