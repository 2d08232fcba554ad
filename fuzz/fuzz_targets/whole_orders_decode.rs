// SPDX-License-Identifier: Apache-2.0

#![no_main]
#[path = "../partners.rs"]
mod partners;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| partners::whole_orders_decode(bytes));
