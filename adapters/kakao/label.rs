// SPDX-License-Identifier: Apache-2.0

//! What a person in the partner's office calls the state of a booking.

use ticketbridge_core::order::money::PaymentState;
use ticketbridge_core::order::{BookingState, Order, OrderState};

/// The label, in Korean.
pub(super) fn label(order: &Order) -> &'static str {
    let returned = matches!(order.payment(), PaymentState::Refunded | PaymentState::PartiallyRefunded);
    match order.booking.as_ref().map(|booking| booking.state) {
        Some(BookingState::Requested) => "예약신청·확정대기",
        Some(BookingState::Confirmed) => "예약확정",
        Some(BookingState::Used) if returned => "이용완료·결제취소",
        Some(BookingState::Used) => "이용완료",
        Some(BookingState::NoShow) if returned => "노쇼·결제취소",
        Some(BookingState::NoShow) => "노쇼",
        Some(BookingState::Rejected) => "확정거절",
        Some(BookingState::Cancelled) => cancelled(order),
        None if order.state == OrderState::Cancelled => "예약취소",
        None => "예약신청·확정대기",
    }
}

/// Cancelled does not mean that the money is back.
fn cancelled(order: &Order) -> &'static str {
    match order.payment() {
        PaymentState::RefundPending => "예약취소·환불중",
        PaymentState::RefundFailed => "예약취소·환불실패",
        _ => "예약취소",
    }
}
