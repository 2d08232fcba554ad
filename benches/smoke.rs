// SPDX-License-Identifier: Apache-2.0

//! The benchmark itself, once, on SQLite: it ends well, every order is accounted for, and machines can read what it says.

use std::process::Command;

#[test]
fn a_short_run_accounts_for_every_order_and_writes_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_ticketbridge-bench"))
        .args(["--db", "sqlite", "--quick", "--only", "flow", "--fill", "20", "--timers", "20", "--json"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let figures: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let databases = figures["databases"].as_array().unwrap();
    assert_eq!(databases.len(), 2, "an empty database, and a full one: {said}");
    for database in databases {
        assert_eq!(database["account"]["faults"], serde_json::json!({}), "{said}");
        assert!(database["account"]["promised"].as_u64().unwrap() > 2, "{said}");
        let flow = &database["loads"][0];
        // Not how fast: on a busy machine no flow may end before the load's end.
        assert!(flow["calls"]["whole flow"]["count"].as_u64().unwrap() > 0, "{said}");
        assert!(flow["ratios"]["own"].is_f64(), "{said}");
        assert_eq!(flow["bad"], serde_json::json!({}), "{said}");
        let figure = &flow["calls"]["booking → back-end call"];
        assert!(figure["count"].as_u64().unwrap() > 0 && figure["p50_ms"].as_f64().unwrap() > 0.0, "{said}");
    }
    assert_eq!(databases[1]["filled"], 20);
}
