// SPDX-License-Identifier: Apache-2.0

//! What a person in the merchant's office calls the state of an order.

use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{BookingState, CancelReason, Order, OrderState, TicketingState};

/// The label, in Chinese. A refund that is being decided goes before everything else, because it stops everything else.
pub(super) fn label(order: &Order) -> &'static str {
    if order.case_under_review().is_some() {
        return "退款审核中";
    }
    let payment = order.payment();
    match order.state {
        OrderState::Completed => match payment {
            PaymentState::Refunded | PaymentState::PartiallyRefunded => "已核销·已退款",
            _ => "已核销",
        },
        OrderState::Cancelled => cancelled(order, payment),
        OrderState::Placed => match payment {
            PaymentState::Unpaid | PaymentState::Partial => "待支付",
            _ => "待确认",
        },
        OrderState::AwaitingBooking => "待预约",
        OrderState::Booked => booked(order),
    }
}

fn cancelled(order: &Order, payment: PaymentState) -> &'static str {
    match payment {
        PaymentState::RefundPending => return "退款中",
        PaymentState::RefundFailed => return "退款失败",
        PaymentState::Refunded => return "已退款",
        // What was kept as the fee was never to be returned.
        PaymentState::PartiallyRefunded if order.money.refunded() + order.money.fee() >= order.money.received() => {
            return "已退款";
        }
        PaymentState::PartiallyRefunded => return "已部分退款",
        _ => {}
    }
    match order.cancel_reason {
        Some(CancelReason::Expired) => "已过期",
        Some(CancelReason::Rejected) => "已拒单",
        Some(CancelReason::RefundedBeforeUse) => "已退款",
        Some(CancelReason::NeverPaid | CancelReason::ByChannel | CancelReason::ByOps) | None => "已取消",
    }
}

fn booked(order: &Order) -> &'static str {
    let Some(booking) = &order.booking else { return "待预约" };
    match booking.state {
        BookingState::Requested => "待确认",
        BookingState::Used => "已核销",
        BookingState::NoShow => "未到场",
        BookingState::Rejected => "已拒单",
        BookingState::Cancelled => "已取消预约",
        BookingState::Confirmed => match booking.ticketing.state {
            TicketingState::NotNeeded => "已预约",
            TicketingState::Issued => "已出票",
            TicketingState::Queued | TicketingState::Requested | TicketingState::Unknown => {
                if booking.ticketing.overdue { "出票超时" } else { "已预约未出票" }
            }
            TicketingState::Failed => "出票失败",
            TicketingState::Cancelling => "退票中",
            TicketingState::Cancelled => "已退票",
            TicketingState::CancelRefused => "退票失败",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry};

    fn with(edit: impl FnOnce(&mut Order)) -> &'static str {
        let mut order = fixture::order();
        edit(&mut order);
        label(&order)
    }

    fn ticketing(state: TicketingState) -> &'static str {
        with(|order| order.booking.as_mut().unwrap().ticketing.state = state)
    }

    fn money(order: &mut Order, kind: EntryKind, status: EntryStatus, amount: i64) {
        let reference = format!("{kind:?}");
        order.money.record(LedgerEntry { reference, kind, status, amount, at: fixture::NOW });
    }

    fn cancelled(reason: CancelReason, refund: Option<EntryStatus>) -> &'static str {
        with(|order| {
            (order.state, order.cancel_reason) = (OrderState::Cancelled, Some(reason));
            if let Some(status) = refund {
                money(order, EntryKind::Charge, EntryStatus::Done, 39_800);
                money(order, EntryKind::Refund, status, 39_800);
            }
        })
    }

    #[test]
    fn a_sale_goes_from_payment_to_booking() {
        assert_eq!(with(|order| order.state = OrderState::Placed), "待支付");
        let paid = with(|order| {
            order.state = OrderState::Placed;
            money(order, EntryKind::Charge, EntryStatus::Done, 39_800);
        });
        assert_eq!(paid, "待确认");
        assert_eq!(with(|order| order.state = OrderState::AwaitingBooking), "待预约");
        assert_eq!(with(|order| order.booking.as_mut().unwrap().state = BookingState::Requested), "待确认");
    }

    #[test]
    fn a_booking_shows_where_its_tickets_stand() {
        for state in [TicketingState::Queued, TicketingState::Requested, TicketingState::Unknown] {
            assert_eq!(ticketing(state), "已预约未出票");
        }
        assert_eq!(with(|order| order.booking.as_mut().unwrap().ticketing.overdue = true), "出票超时");
        assert_eq!(ticketing(TicketingState::Issued), "已出票");
        assert_eq!(ticketing(TicketingState::NotNeeded), "已预约");
        assert_eq!(ticketing(TicketingState::Failed), "出票失败");
        assert_eq!(ticketing(TicketingState::Cancelling), "退票中");
        assert_eq!(ticketing(TicketingState::Cancelled), "已退票");
        assert_eq!(ticketing(TicketingState::CancelRefused), "退票失败");
    }

    #[test]
    fn the_end_says_what_became_of_the_money() {
        assert_eq!(with(|order| order.state = OrderState::Completed), "已核销");
        let returned = with(|order| {
            order.state = OrderState::Completed;
            money(order, EntryKind::Charge, EntryStatus::Done, 39_800);
            money(order, EntryKind::Refund, EntryStatus::Done, 39_800);
        });
        assert_eq!(returned, "已核销·已退款");
        assert_eq!(cancelled(CancelReason::NeverPaid, None), "已取消");
        assert_eq!(cancelled(CancelReason::Expired, None), "已过期");
        assert_eq!(cancelled(CancelReason::Rejected, None), "已拒单");
        assert_eq!(cancelled(CancelReason::Expired, Some(EntryStatus::Done)), "已退款");
        assert_eq!(cancelled(CancelReason::ByChannel, Some(EntryStatus::Pending)), "退款中");
        assert_eq!(cancelled(CancelReason::ByChannel, Some(EntryStatus::Failed)), "退款失败");
    }
}
