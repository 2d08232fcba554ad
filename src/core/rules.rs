//! tmp
use crate::command::*;
use crate::product::*;
use crate::rejection::*;
use crate::time::*;
pub fn check_sale(_r: &RuleSnapshot, _s: &Sale, _c: &Counts) -> Result<(), Rejection> {
    Ok(())
}
pub fn check_booking(_r: &RuleSnapshot, _q: u32, _b: &RequestBooking, _n: UnixMillis) -> Result<(), Rejection> {
    Ok(())
}
pub fn valid_until(p: &BookingProduct, d: Date) -> Date {
    d.plus_days(i64::from(p.valid_days_after))
}
pub fn cancellable_at(_p: &BookingProduct, _d: Option<Date>, _at: UnixMillis, _z: TimeZone) -> bool {
    true
}
pub fn refund_fee(_p: &BookingProduct, _a: i64, _d: Option<Date>, _at: UnixMillis, _z: TimeZone) -> Option<i64> {
    Some(0)
}
