// SPDX-License-Identifier: Apache-2.0

//! The eight names of the guide: five states, and three tabs inside one of them that follow from the money (8.3; TS-01).

use ticketbridge_core::order::{BookingState, Order};

/// Where a completed booking stands with its payment. What is fully paid comes first: nothing open is complete, whatever was paid.
fn tab(order: &Order) -> &'static str {
    let paid = order.money.held();
    if order.money.due - paid <= 0 {
        "예약완료·결제완료"
    } else if paid == 0 {
        "예약완료·결제대기"
    } else {
        "예약완료·결제진행"
    }
}

/// The label, in Korean.
pub(super) fn label(order: &Order) -> String {
    let wants_out = order.refund_case.as_ref().is_some_and(|case| case.is_open());
    let name = match order.booking.as_ref().map(|booking| booking.state) {
        Some(BookingState::Rejected | BookingState::Cancelled) => "예약취소",
        Some(BookingState::Used | BookingState::NoShow) => "출발완료",
        _ if wants_out => "취소요청",
        Some(BookingState::Confirmed) if order.is_read_only() => "예약완료",
        Some(BookingState::Confirmed) => tab(order),
        Some(BookingState::Requested) | None => "예약접수",
    };
    if order.is_read_only() { format!("{name}·여행사결제") } else { name.to_owned() }
}
