// SPDX-License-Identifier: Apache-2.0

//! A Douyin as stories need it, and the guests that come to it.

use std::time::Duration;

use chrono::{Days, NaiveDate};
use serde_json::Value;

use crate::douyin::{Faults, Purchase, SimProduct, Visitor};
use crate::stories::stage::{Channel, Stage};
use crate::time::Zone;
use crate::{Journal, SimBackend, SimDouyin, SimTime};

/// How much longer than the ten minutes the application of the tenth minute may take, stated time.
const AFTER_DEADLINE: Duration = Duration::from_secs(2);

impl Channel for SimDouyin {
    fn id(&self) -> &str {
        &self.options().channel_id
    }
    fn time(&self) -> &SimTime {
        SimDouyin::time(self)
    }
    fn journal(&self) -> &Journal {
        SimDouyin::journal(self)
    }
    fn today(&self) -> NaiveDate {
        SimDouyin::time(self).today(Zone::SHANGHAI)
    }
    fn longest_wait(&self) -> Duration {
        self.options().limits.ticketing + AFTER_DEADLINE
    }
    fn held_against(&self, orders: &[String]) -> Vec<String> {
        let books = self.books();
        let held = orders.iter().flat_map(|id| books.violations_about(id));
        held.map(|violation| format!("Douyin holds against the bridge: {}", violation.sentence)).collect()
    }
    /// Its stories look at both sides themselves, where they must agree.
    fn differences(&self, _number: &str, _order: &Value, _backend: &SimBackend) -> Vec<String> {
        Vec::new()
    }
    fn tidy(&self) {
        self.set_faults(|faults| *faults = Faults::default());
    }
}

impl Stage<SimDouyin> {
    fn product(&self) -> SimProduct {
        let sells = self.supplier.as_ref().map_or(0, |supplier| supplier.sells);
        self.channel.options().products.get(sells).cloned().unwrap_or_else(|| SimProduct::new("", 1, 0))
    }

    /// A purchase of `count` copies of the product on sale by somebody who never bought before.
    pub fn purchase(&self, count: u32) -> Purchase {
        let product = self.product();
        let amount = product.price * i64::from(count);
        Purchase { product_out_id: product.product_out_id, count, amount, phone: phone(self.next_person()) }
    }

    /// As many people as `copies` admit; none of them came before.
    pub fn visitors(&self, copies: u32) -> Vec<Visitor> {
        (0..copies * self.product().visitors_per_copy).map(|_| visitor(self.next_person())).collect()
    }
}

fn phone(number: u64) -> String {
    format!("1380000{:04}", number % 10_000)
}

/// An invented person. The serial number 000 of the ID card is given to nobody, so the card is nobody's.
fn visitor(number: u64) -> Visitor {
    const BIRTHDAYS: u64 = 14_600;
    let born = NaiveDate::from_ymd_opt(1960, 1, 1).and_then(|d| d.checked_add_days(Days::new(number % BIRTHDAYS)));
    let head = format!("110101{}000", born.unwrap_or_default().format("%Y%m%d"));
    Visitor {
        name: "测试甲".to_owned(),
        phone: phone(number),
        document_type: 1,
        document_number: format!("{head}{}", id_card_check_digit(&head)),
    }
}

/// Check digit of a resident ID card (GB 11643: weights 2^(17-i), modulo 11).
fn id_card_check_digit(head: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let digits = head.chars().filter_map(|c| c.to_digit(10));
    let sum: u32 = digits.zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    "10X98765432".chars().nth((sum % 11) as usize).expect("a remainder of 11 is one of eleven characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_id_cards_have_a_right_check_digit_and_differ() {
        // The example printed in the standard's own annex.
        assert_eq!(id_card_check_digit("11010519491231002"), 'X');
        assert_ne!(visitor(1).document_number, visitor(2).document_number);
        assert_eq!(visitor(1).document_number.len(), 18);
    }
}
