//! What a person in the merchant's office calls the state of an order.

use ticketbridge_core::money::PaymentState;
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
