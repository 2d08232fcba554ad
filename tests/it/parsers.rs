// SPDX-License-Identifier: Apache-2.0

//! Whatever comes from outside, no parser panics and nobody is believed without the secret. The same functions are the targets of
//! `cargo fuzz` (`fuzz/`); here they get their seeds, changed in every way that costs a second.

#[path = "../../fuzz/partners.rs"]
mod partners;
#[path = "../../fuzz/service.rs"]
mod service;

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = std::fs::read_dir(folder).expect("a corpus");
    let seeds: Vec<Vec<u8>> =
        entries.map(|entry| std::fs::read(entry.expect("an entry").path()).expect("a seed")).collect();
    assert!(!seeds.is_empty(), "{target} has no seed");
    seeds
}

/// A seed with pieces cut out, doubled and overwritten; or any bytes at all.
fn inputs(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let odd: Vec<&'static [u8]> = vec![
        b"\"",
        b"{",
        b"[[[[[[[[",
        b"}",
        b"-1",
        b"9223372036854775808",
        b"1e400",
        b"null",
        b"\\u0000",
        b"\xff",
        b"\xe4\xb8\xad",
        b"\n",
        b"\t",
        b":",
        b"",
    ];
    let change = (any::<Index>(), 0_usize..40, select(odd));
    let changed = (select(seeds(target)), vec(change, 0..6)).prop_map(|(mut bytes, changes)| {
        for (at, length, put) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, put.iter().copied());
        }
        bytes
    });
    prop_oneof![9 => changed, 1 => vec(any::<u8>(), 0..400)]
}

fn run(target: &str, cases: u32, feed: fn(&[u8])) {
    seeds(target).iter().for_each(|seed| feed(seed));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&inputs(target), |bytes| {
        feed(&bytes);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{target}: {error}");
    }
}

#[test]
fn any_message_of_a_channel_is_read_or_refused() {
    run("douyin_decode", 3_000, partners::douyin_decode);
    run("whole_orders_decode", 3_000, partners::whole_orders_decode);
}

#[test]
fn nobody_is_believed_to_be_a_channel_without_its_secret() {
    run("douyin_verify", 2_000, partners::douyin_verify);
    run("standard_webhooks_verify", 2_000, partners::standard_webhooks_verify);
}

#[test]
fn any_answer_and_event_of_a_back_end_is_read_or_refused() {
    run("ticketing_http_read", 2_000, partners::ticketing_http_read);
    run("ticketing_http_decode", 2_000, partners::ticketing_http_decode);
}

#[test]
fn any_configuration_is_read_or_refused_for_a_reason() {
    run("configuration", 300, service::configuration);
}

#[test]
fn any_captured_request_is_read_or_refused() {
    run("captured_request", 3_000, service::captured_request);
}
