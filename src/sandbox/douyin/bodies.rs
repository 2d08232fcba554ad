// SPDX-License-Identifier: Apache-2.0

//! Bodies of Douyin's calls, as `adapters/douyin/README.md` lay them out. Built from the books, nothing else.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::books::{AfterSale, Refund, Reservation, Visitor, Voucher};
use super::options::SimProduct;
use super::running::SimDouyin;
use crate::time::Zone;

/// Nanoseconds in a second: the second generation counts validity in them.
const NANOS: i64 = 1_000_000_000;

/// Number of the certificate of copy `index` (from 0) of a reservation.
pub fn certificate_id(reservation_id: &str, index: u32) -> String {
    format!("{reservation_id}{:02}", index + 1)
}

impl SimDouyin {
    /// Chapter 3.
    pub(super) fn can_buy_body(&self, product: &SimProduct, count: u32, amount: i64, phone: &str) -> Value {
        let mut body = self.product_fields(product);
        body.insert("count".into(), json!(count));
        body.insert("amount".into(), amount_block(amount));
        body.insert("buyer".into(), json!({ "phone": self.seal(phone) }));
        Value::Object(body)
    }

    /// Chapter 4, `order_type` 1.
    pub(super) fn create_voucher_body(&self, voucher: &Voucher) -> Value {
        let mut body = self.product_fields(&self.product(&voucher.product_out_id));
        body.insert("order_id".into(), json!(voucher.id));
        body.insert("order_type".into(), json!(1));
        body.insert("buyer".into(), json!({ "phone": self.seal(&voucher.phone) }));
        self.order_fields(&mut body, voucher, &voucher.id);
        Value::Object(body)
    }

    /// `order_type` 2. The amounts repeat the voucher's.
    pub(super) fn create_reservation_body(&self, voucher: &Voucher, reservation: &Reservation) -> Value {
        let product = self.product(&voucher.product_out_id);
        let mut body = self.product_fields(&product);
        let source = if self.faults().swapped_field_names { "coupon_order_id" } else { "source_order_id" };
        let day = reservation.visit_date.to_string();
        let people: Vec<Value> = reservation.visitors.iter().map(|v| self.sealed_person(v)).collect();
        body.insert("order_id".into(), json!(reservation.id));
        body.insert("order_type".into(), json!(2));
        body.insert(source.into(), json!(voucher.id));
        body.insert("book_start_day".into(), json!(day));
        body.insert("book_end_day".into(), json!(day));
        let buyer = people.first().cloned().unwrap_or_else(|| json!({ "phone": self.seal(&voucher.phone) }));
        body.insert("buyer".into(), buyer);
        body.insert("tourists".into(), Value::Array(people));
        self.order_fields(&mut body, voucher, &reservation.id);
        Value::Object(body)
    }

    /// Chapter 5.
    pub(super) fn pay_notify_body(&self, order_id: &str, out_id: Option<&str>) -> Value {
        let mut body = json!({ "order_id": order_id, "pay_time_unix": self.time().now_s() });
        body[self.out_id_name()] = json!(out_id.unwrap_or_default());
        body
    }

    /// Chapter 7.2.
    pub(super) fn issue_body(&self, voucher: &Voucher, reservation: &Reservation) -> Value {
        let product = self.product(&voucher.product_out_id);
        let (start, expire) = validity(reservation.visit_date);
        let tourists: Vec<Value> = reservation
            .visitors
            .iter()
            .map(|v| json!({ "name": v.name, "phone": v.phone, "id_card": v.document_number, "credential_type": v.document_type }))
            .collect();
        json!({
            "order_id": reservation.id,
            "copies": reservation.terms.copies,
            "count": reservation.terms.per_copy,
            "start_time": start,
            "expire_time": expire,
            "sku": { "sku_name": "sandbox", "sku_id": product.sku_id, "third_sku_id": product.product_out_id },
            "amount": {
                "original_amount": voucher.amount, "pay_amount": voucher.amount, "ticket_amount": 0,
                "merchant_ticket_amount": 0, "fee_amount": 0, "commission_amount": 0,
                "payment_discount_amount": 0, "coupon_pay_amount": voucher.amount,
            },
            "ticket_rule": { "code_sending_info": reservation.terms.kinds, "code_type": 2 },
            "tourists": tourists,
        })
    }

    /// Chapter 7.6, creation of the reservation; the page names no visit day: it follows from
    /// the validity in the issue call.
    pub(super) fn v2_create_body(&self, voucher: &Voucher, reservation: &Reservation) -> Value {
        let product = self.product(&voucher.product_out_id);
        let contact = if self.faults().swapped_field_names { "contact" } else { "contact_list" };
        let item = |index: u32| certificate_id(&reservation.id, index);
        let people: Vec<Value> = reservation
            .visitors
            .iter()
            .zip(0u32..)
            .map(|(v, n)| {
                json!({
                    "name": v.name, "phone": v.phone, "credential_type": v.document_type,
                    "credential_no": v.document_number, "sku_id": product.sku_id,
                    "order_item_id": item(n / reservation.terms.per_copy.max(1)),
                })
            })
            .collect();
        let contacts: Vec<Value> = reservation
            .visitors
            .iter()
            .take(1)
            .map(|v| json!({ "name": self.seal(&v.name), "phone": self.seal(&v.phone) }))
            .collect();
        let items: Vec<Value> = (0..reservation.terms.copies)
            .map(|n| json!({ "order_item_id": item(n), "sku_id": product.sku_id }))
            .collect();
        let mut body = json!({
            "order_id": reservation.id, "source_order_id": voucher.id, "biz_type": 3,
            "open_id": "sandbox-open-id", "create_order_time": self.time().now_s(),
            "original_amount": voucher.amount, "currency_code": "CNY",
            "order_item_list": items, "reserve_info_list": people,
            "sku_info_list": [{
                "product_id": product.product_id, "product_out_id": product.product_out_id,
                "sku_id": product.sku_id, "sku_out_id": product.product_out_id, "sub_sku_info_list": [],
            }],
        });
        body[contact] = Value::Array(contacts);
        body
    }

    /// Chapter 7.6, issue.
    pub(super) fn v2_issue_body(&self, voucher: &Voucher, reservation: &Reservation) -> Value {
        let product = self.product(&voucher.product_out_id);
        let (start, expire) = validity(reservation.visit_date);
        let certificates: Vec<Value> = reservation
            .terms
            .certificates
            .iter()
            .map(|id| {
                json!({ "certificate_id": id, "sku_id": product.sku_id, "order_item_id": id,
                        "start_time": start * NANOS, "expire_time": expire * NANOS })
            })
            .collect();
        json!({
            "order_id": reservation.id, "out_order_id": reservation.out_id.clone().unwrap_or_default(),
            "open_id": "sandbox-open-id", "certificate_info_list": certificates,
        })
    }

    /// Chapter 9.
    pub(super) fn cancel_body(&self, order_id: &str, out_id: Option<&str>, cancel_type: i64) -> Value {
        let mut body =
            json!({ "order_id": order_id, "cancel_type": cancel_type, "cancel_order_time_unix": self.time().now_s() });
        if let Some(out_id) = out_id {
            body[self.out_id_name()] = json!(out_id);
        }
        body
    }

    /// Chapter 10.1.
    pub(super) fn refund_apply_body(&self, refund: &Refund, out_id: Option<&str>) -> Value {
        let mut body = json!({
            "order_id": refund.order_id, "biz_uniq_key": refund.key, "after_sale_type": refund.kind as i64,
            "apply_source": refund.source, "refund_fee_amount": refund.fee, "apply_refund_time_unix": refund.applied_at_s,
        });
        if let Some(out_id) = out_id {
            body[self.out_id_name()] = json!(out_id);
        }
        body
    }

    /// Chapter 12.
    pub(super) fn refund_notify_body(&self, order_id: &str, key: &str, amount: i64, scene: i64, copies: u32) -> Value {
        json!({
            "order_id": order_id, "biz_uniq_key": key, "refund_amount": amount,
            "refund_time_unix": self.time().now_s(), "refund_scene": scene, "refund_count": copies,
        })
    }

    /// Chapter 13. `after_sale_id` is left out when `None`, as the protocol allows.
    pub(super) fn info_sync_body(
        &self,
        order_id: &str,
        kind: AfterSale,
        after_sale_id: Option<&str>,
        codes: &[String],
    ) -> Value {
        let now = self.time().now_s();
        let entries: Vec<Value> = codes
            .iter()
            .zip(0u32..)
            .map(|(code, n)| {
                json!({ "certificate_id": certificate_id(order_id, n), "code": code,
                        "apply_time": now, "audit_time": now, "audit_result": 1 })
            })
            .collect();
        let entries = if entries.is_empty() {
            vec![json!({ "certificate_id": certificate_id(order_id, 0), "code": "" })]
        } else {
            entries
        };
        let mut body = json!({ "order_id": order_id, "after_sale_type": kind as i64, "notice_list": entries });
        if let Some(id) = after_sale_id {
            body["after_sale_id"] = json!(id);
        }
        body
    }

    /// Chapter 15.
    pub(super) fn query_body(&self, order_id: &str, out_id: Option<&str>) -> Value {
        let mut body = json!({ "order_id": order_id });
        body[self.out_id_name()] = json!(out_id.unwrap_or_default());
        body
    }

    /// Chapter 16.
    pub(super) fn calendar_body(&self, product: &SimProduct, from: NaiveDate, to: NaiveDate) -> Value {
        json!({
            "account_id": self.options().account_id, "start_date": from.to_string(), "end_date": to.to_string(),
            "product_id": product.product_id, "product_out_id": product.product_out_id,
            "ticket_specifications": [{ "sku_id": product.sku_id, "sku_out_id": product.product_out_id }],
        })
    }

    fn out_id_name(&self) -> &'static str {
        if self.faults().swapped_field_names { "out_order_id" } else { "order_out_id" }
    }

    fn product_fields(&self, product: &SimProduct) -> Map<String, Value> {
        let fields = json!({
            "account_id": self.options().account_id, "biz_type": 3,
            "product_id": product.product_id, "product_out_id": product.product_out_id,
            "sku_id": product.sku_id, "sku_out_id": product.product_out_id,
            "ticket_rule": { "code_sending_info": product.code_sending_info, "code_type": 2 },
            "appointment_cancel_rule": { "cancel_type": product.cancel_type },
            "traveler_info": { "total_num": product.visitors_per_copy },
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn order_fields(&self, body: &mut Map<String, Value>, voucher: &Voucher, order_id: &str) {
        let items: Vec<Value> =
            (0..voucher.copies).map(|n| json!({ "item_order_id": certificate_id(order_id, n) })).collect();
        body.insert("count".into(), json!(voucher.copies));
        body.insert("amount".into(), amount_block(voucher.amount));
        body.insert("create_order_time_unix".into(), json!(self.time().now_s()));
        body.insert("item_order_infos".into(), Value::Array(items));
        body.insert("remark_info".into(), json!({ "question_and_answer_list": [] }));
        body.insert("custom_spi_req_extra".into(), json!(""));
    }

    fn sealed_person(&self, visitor: &Visitor) -> Value {
        json!({
            "name": self.seal(&visitor.name), "phone": self.seal(&visitor.phone),
            "license_type": visitor.document_type, "license_id": self.seal(&visitor.document_number),
        })
    }
}

fn amount_block(amount: i64) -> Value {
    json!({ "origin_amount": amount, "pay_amount": amount, "currency": "CNY", "merchant_discount_amount": 0 })
}

/// Validity of a visit: the day itself, seconds.
fn validity(date: NaiveDate) -> (i64, i64) {
    let start = Zone::SHANGHAI.midnight_s(date);
    (start, start + 86_399)
}
