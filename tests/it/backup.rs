// SPDX-License-Identifier: Apache-2.0

//! A backup while the service runs, the loss of the database, the way back; and the rehearsals of both.

use std::process::Output;

use crate::real::{ANY_PORT, Place};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A place with a service that has taken `orders` sales, which then goes on.
async fn with_sales(place: &Place, orders: u32) -> crate::real::Running {
    let bridge = place.serve(ANY_PORT).await;
    for number in 0..orders {
        let body = serde_json::json!({
            "order_id": format!("V{number}"), "order_type": 1, "biz_type": 3, "product_out_id": "LP-V1|LP-B1", "sku_id": "1", "count": 1,
            "create_order_time_unix": 1_764_000_000, "amount": { "origin_amount": 10_900, "pay_amount": 10_900 },
            "buyer": { "phone": format!("1380000{number:04}") }, "item_order_infos": [{ "item_order_id": format!("i{number}") }],
            "remark_info": {}, "custom_spi_req_extra": "",
        });
        let mut call = tokio::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/douyin-call.sh"));
        call.args(["create-order", &body.to_string()]).env("BRIDGE", bridge.url()).envs(crate::real::ENVIRONMENT);
        let answer = call.output().await.expect("a shell");
        assert!(said(&answer).contains("\"error_code\":0"), "{}", said(&answer));
    }
    bridge
}

/// Where the example keeps its database.
fn database(place: &Place) -> std::path::PathBuf {
    let text = std::fs::read_to_string(place.config().join("ticketbridge.toml")).expect("the configuration");
    let line = text.lines().find(|line| line.trim_start().starts_with("url")).expect("an address");
    line.split_once("sqlite://").and_then(|(_, rest)| rest.split('"').next()).expect("an SQLite file").into()
}

fn lose(place: &Place) {
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", database(place).display())));
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_a_backup_is_there_after_the_database_was_lost() {
    let place = Place::with_example(|_, text| text);
    let bridge = with_sales(&place, 3).await;
    let url = bridge.url();
    let ops = async |url: &str, words: &[&str]| {
        let words = [words, &["--url", url, "--token", "an-ops-token-for-tests"]].concat();
        said(&place.run_bare(&words).await)
    };
    let codes = place.path().join("codes.txt");
    std::fs::write(&codes, "LP-1\nLP-2\nLP-3\n").expect("a file");
    let codes = codes.to_str().expect("plain letters");
    assert!(ops(&url, &["codes", "import", "lp-2026", codes]).await.contains('3'));
    let file = place.path().join("copy.db");
    let name = file.to_str().expect("plain letters");
    let copied = place.run(&["backup", name]).await;
    assert!(copied.status.success(), "{}", said(&copied));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("the copy").permissions());
    assert_eq!(mode & 0o777, 0o600, "a copy is for nobody else to read");
    let again = place.run(&["backup", name]).await;
    assert!(!again.status.success() && said(&again).contains("nothing is written over it"), "{}", said(&again));
    assert!(bridge.terminate().await.success());

    let over = place.run(&["restore", name]).await;
    assert!(said(&over).contains("never writes over a database"), "{}", said(&over));
    lose(&place);
    let restored = place.run(&["restore", name]).await;
    assert!(restored.status.success(), "{}", said(&restored));
    assert!(said(&restored).contains("3 codes of the pool lp-2026"), "{}", said(&restored));
    let bridge = place.serve(ANY_PORT).await;
    let url = bridge.url();
    let listed = ops(&url, &["orders", "list", "--json"]).await;
    for number in ["\"V0\"", "\"V1\"", "\"V2\""] {
        assert!(listed.contains(number), "{number}: {listed}");
    }
    // Which codes guests got since the copy was made, only a person can find out; until then nobody gets any.
    let pool = async |words: &str| {
        let shown = ops(&url, &["codes", "show", "lp-2026", "--json"]).await;
        assert!(shown.split_whitespace().collect::<String>().contains(words), "{words}: {shown}");
    };
    pool("\"held_back\":3,\"available\":0").await;
    let given = place.path().join("given.txt");
    std::fs::write(&given, "LP-2\n").expect("a file");
    let given = given.to_str().expect("plain letters");
    assert!(ops(&url, &["codes", "withdraw", "lp-2026", given, "--json"]).await.contains("\"withdrawn\": 1"));
    assert!(ops(&url, &["codes", "release", "lp-2026", "--json"]).await.contains("\"changed\": 2"));
    pool("\"held_back\":0,\"available\":2").await;
    assert!(ops(&url, &["codes", "hold", "lp-2026", "--json"]).await.contains("\"changed\": 2"));
    assert!(bridge.terminate().await.success());
}

#[tokio::test]
async fn the_loss_of_the_database_is_rehearsed_while_the_service_runs() {
    let place = Place::with_example(|_, text| text);
    let bridge = with_sales(&place, 2).await;
    let rehearsed = place.run(&["doctor"]).await;
    let text = said(&rehearsed);
    assert!(rehearsed.status.success(), "{text}");
    for item in
        ["PASS  backup", "PASS  restore", "PASS  the restored copy can be read: 2 orders", "PASS  counts and money"]
    {
        assert!(text.contains(item), "{item}: {text}");
    }
    assert!(bridge.terminate().await.success());

    let file = place.path().join("other.db");
    std::fs::write(&file, b"this is no database at all, but long enough to look like a header of one")
        .expect("written");
    let found = place.run(&["doctor", "--backup", file.to_str().expect("plain letters")]).await;
    assert!(!found.status.success() && said(&found).contains("FAIL  restore"), "{}", said(&found));
}

#[tokio::test]
async fn a_file_that_is_no_backup_does_not_become_the_database() {
    let place = Place::with_example(|_, text| text);
    let file = place.path().join("other.db");
    for (content, expected) in [
        (&b"nothing of the kind, only some words that somebody wrote"[..], "other.db"),
        (b"", "no database of ticketbridge"),
    ] {
        std::fs::write(&file, content).expect("written");
        let refused = place.run(&["restore", file.to_str().expect("plain letters")]).await;
        assert!(!refused.status.success() && said(&refused).contains(expected), "{}", said(&refused));
        assert!(!database(&place).exists(), "nothing usable came, so nothing is there");
    }
}

#[tokio::test]
async fn a_migration_is_looked_at_before_it_is_made() {
    let place = Place::with_example(|_, text| text);
    let none = place.run(&["migrate", "--check"]).await;
    assert!(none.status.success() && said(&none).contains("a new one would be made"), "{}", said(&none));
    assert!(!database(&place).exists(), "a look makes nothing");
    assert!(place.run(&["migrate"]).await.status.success());
    let done = place.run(&["migrate", "--check"]).await;
    assert!(done.status.success() && said(&done).contains("PASS  schema: up to date"), "{}", said(&done));
}
