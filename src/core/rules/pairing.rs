// SPDX-License-Identifier: Apache-2.0

//! Which voucher goes with which visit: the pair of a sale, and of the booking that refers to it (DY-18).

use crate::message::ProductRef;
use crate::product::{RuleSnapshot, VoucherProduct};
use crate::rejection::{Rejection, Why};

/// The refusal of a sale whose pair is not configured: `known` is the voucher that it names, where there is one. The sentence says which half
/// is the wrong one.
pub fn unknown(named: &ProductRef, known: Option<&VoucherProduct>) -> Rejection {
    let sentence = match (known, &named.booking) {
        (Some(known), Some(visit)) if known.booking_product != *visit => {
            format!("`{}` is sold with `{}`, not with `{visit}`", known.code, known.booking_product)
        }
        _ => {
            let code = named.voucher.as_ref().or(named.booking.as_ref()).map_or("", |code| code.as_str());
            format!("no product `{code}` is configured")
        }
    };
    Rejection::new(Why::OffSale, sentence).at("product_out_id")
}

/// How a booking's pair fits the sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// It is the pair that was sold.
    AsSold,
    /// It names another visit: the one that the voucher was sold with holds.
    OtherVisit,
}

/// A voucher is booked as what it was sold as. Its visit may have another name by now: the one that it was sold with holds.
///
/// # Errors
/// `off_sale`, where another voucher is named.
pub fn check(sold: &RuleSnapshot, named: &ProductRef) -> Result<Pair, Rejection> {
    let (Some(voucher), Some(named_voucher)) = (&sold.voucher, &named.voucher) else { return Ok(Pair::AsSold) };
    if voucher.code != *named_voucher {
        let sentence = format!("this order was sold as `{}`, and the booking names `{named_voucher}`", voucher.code);
        return Err(Rejection::new(Why::OffSale, sentence).at("product_out_id"));
    }
    let other = named.booking.as_ref().is_some_and(|visit| *visit != sold.booking.code);
    Ok(if other { Pair::OtherVisit } else { Pair::AsSold })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProductCode;
    use crate::rules::samples;

    fn named(voucher: Option<&str>, booking: Option<&str>) -> ProductRef {
        ProductRef { voucher: voucher.map(ProductCode::new), booking: booking.map(ProductCode::new) }
    }

    #[test]
    fn a_sale_of_an_unknown_pair_says_which_half_is_wrong() {
        let known = samples::rules().voucher;
        let said = |named: &ProductRef, known: Option<&VoucherProduct>| unknown(named, known).sentence.to_string();
        assert_eq!(said(&named(Some("LP-V9"), Some("LP-B2")), None), "no product `LP-V9` is configured");
        assert_eq!(said(&named(None, Some("LP-B9")), None), "no product `LP-B9` is configured");
        assert_eq!(
            said(&named(Some("LP-V2"), Some("LP-B9")), known.as_ref()),
            "`LP-V2` is sold with `LP-B2`, not with `LP-B9`"
        );
    }

    #[test]
    fn a_voucher_is_booked_as_what_it_was_sold_as() {
        let sold = samples::rules();
        let check = |voucher, booking| check(&sold, &named(voucher, booking)).map_err(|rejection| rejection.why);
        assert_eq!(check(Some("LP-V2"), Some("LP-B2")), Ok(Pair::AsSold));
        assert_eq!(check(Some("LP-V2"), None), Ok(Pair::AsSold));
        assert_eq!(check(None, Some("LP-B9")), Ok(Pair::AsSold), "no voucher is named");
        assert_eq!(check(Some("LP-V2"), Some("LP-B9")), Ok(Pair::OtherVisit), "renamed since");
        assert_eq!(check(Some("LP-V3"), Some("LP-B2")), Err(Why::OffSale));
    }
}
