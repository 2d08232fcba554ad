// SPDX-License-Identifier: Apache-2.0

//! No test leaves work unfinished silently: a delivery that still waits when a test lets go of its bridge is one that nobody has looked at,
//! and what would have come of it is not tested. A test that means to leave some says so.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait as _, Database, DbErr, Statement};

/// The modules of tests in which it holds. One that is not here yet joins once its tests that mean it say so.
const HELD: &[&str] = &[
    "accounts",
    "archive",
    "around",
    "availability",
    "backup",
    "bad_requests",
    "budgets",
    "bulk",
    "canary",
    "changing_secrets",
    "clocks",
    "console",
    "console_acts",
    "console_words",
    "cost",
    "credit",
    "databases",
    "dead_letters",
    "deadlines",
    "deliveries",
    "forgery",
    "guests",
    "held_codes",
    "idempotency",
    "idle",
    "kakao",
    "korea_answers",
    "korea_edges",
    "korea_flags",
    "korea_messages",
    "korea_money",
    "korea_twice",
    "limits",
    "octo",
    "outside",
    "schemas",
    "wording",
];

thread_local! {
    /// Whether the test of this thread has said that it leaves work.
    static IS_MEANT: Cell<bool> = const { Cell::new(false) };
}

/// Deliveries still wait at the end of this test, and that is meant: what comes of them is not what it is about.
pub(crate) fn leaves_work() {
    IS_MEANT.set(true);
}

/// Looks, when a bridge is let go of, whether deliveries still wait in its database.
pub(crate) struct Unfinished {
    /// The file that names the database.
    service: PathBuf,
}

impl Unfinished {
    /// Of a bridge whose configuration lies here.
    pub(crate) fn of(config: &Path) -> Self {
        Self { service: config.join("ticketbridge.toml") }
    }

    /// The deliveries that wait, each with its partner. On a thread of its own: whoever lets go of a bridge cannot wait for answers.
    fn deliveries(&self) -> Result<Vec<String>, String> {
        let text = std::fs::read_to_string(&self.service).map_err(|error| error.to_string())?;
        let line = text.lines().find_map(|line| line.strip_prefix("url = "));
        let url = line.ok_or("the configuration names no database")?.trim_matches('"').to_owned();
        let look = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(waiting(&url)).map_err(|error| error.to_string())
        };
        std::thread::spawn(look).join().unwrap_or_else(|_| Err("the look itself failed".to_owned()))
    }
}

async fn waiting(url: &str) -> Result<Vec<String>, DbErr> {
    let database = Database::connect(url).await?;
    let sql = "SELECT destination, call_name FROM job WHERE state = 'pending' ORDER BY destination, call_name";
    let rows = database.query_all_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
    let found = rows.iter().map(|row| {
        Ok(format!("{} to {}", row.try_get::<String>("", "call_name")?, row.try_get::<String>("", "destination")?))
    });
    let found = found.collect::<Result<Vec<_>, DbErr>>();
    database.close().await?;
    found
}

/// Whether the test of this thread, by its name, is one of those in which it holds.
fn is_held(test: &str) -> bool {
    test.split("::").next().is_some_and(|module| HELD.contains(&module))
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let is_held = std::thread::current().name().is_some_and(is_held);
        if std::thread::panicking() || IS_MEANT.get() || !is_held {
            return;
        }
        match self.deliveries() {
            Ok(left) if left.is_empty() => {}
            Ok(left) => panic!(
                "this test leaves work unfinished ({}): drain the bridge, or say that it is meant (`leaves_work`)",
                left.join(", ")
            ),
            Err(why) => panic!("whether this test leaves work unfinished cannot be seen: {why}"),
        }
    }
}

/// A test that does not say so fails; one that says so does not.
#[tokio::test]
async fn a_delivery_that_nobody_looks_at_is_seen_when_the_bridge_goes() {
    let bridge = super::TestBridge::start().await;
    bridge.sell("V100").await;
    bridge.book("R100", "V100", "2026-12-01").await;
    let seen = bridge.unfinished.as_ref().expect("it looks").deliveries();
    assert_eq!(seen.as_deref(), Ok(&["issue to backend:gate".to_owned()][..]));
    bridge.drain().await;
    assert_eq!(bridge.unfinished.as_ref().expect("it looks").deliveries().as_deref(), Ok(&[][..]));
    assert!(is_held("accounts::somebody") && !is_held("a_module_that_is_not_there::somebody"));
}
