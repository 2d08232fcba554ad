// SPDX-License-Identifier: Apache-2.0

#![no_main]
#[path = "../service.rs"]
mod service;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| service::configuration(bytes));
