// SPDX-License-Identifier: Apache-2.0

//! The database servers that tests run on: named by the environment, or started.

use std::io::Write as _;
use std::sync::OnceLock;

use ticketbridge_servers::{Server, start_mariadb, start_postgresql};

const DATABASES: &str = "TICKETBRIDGE_TEST_DATABASES";
const REQUIRE_ALL: &str = "TICKETBRIDGE_REQUIRE_ALL_DATABASES";

/// What a test's server does without: it never has to survive a power failure.
const FAST_POSTGRESQL: &[&str] = &["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];
/// The same for MariaDB.
const FAST_MARIADB: &[&str] =
    &["--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=64M"];

/// Addresses of all servers that tests run on, besides SQLite.
pub(super) fn admin_urls() -> Vec<&'static str> {
    static NAMED: OnceLock<Option<String>> = OnceLock::new();
    match NAMED.get_or_init(|| std::env::var(DATABASES).ok()) {
        Some(named) => {
            let urls: Vec<&str> = named.split_whitespace().collect();
            static CHECKED: OnceLock<()> = OnceLock::new();
            CHECKED.get_or_init(|| {
                check("PostgreSQL", urls.iter().any(|url| url.starts_with("postgres")));
                check("MariaDB", urls.iter().any(|url| url.starts_with("mysql") || url.starts_with("mariadb")));
            });
            urls
        }
        None => started().iter().map(Server::url).collect(),
    }
}

fn started() -> &'static [Server] {
    static STARTED: OnceLock<Vec<Server>> = OnceLock::new();
    STARTED.get_or_init(|| {
        let (postgresql, mariadb) = std::thread::scope(|scope| {
            let postgresql = scope.spawn(|| start_postgresql(FAST_POSTGRESQL));
            let mariadb = start_mariadb(FAST_MARIADB);
            (postgresql.join().expect("starting a server does not panic"), mariadb)
        });
        check("PostgreSQL", postgresql.is_some());
        check("MariaDB", mariadb.is_some());
        postgresql.into_iter().chain(mariadb).collect()
    })
}

fn check(database: &str, there: bool) {
    if there {
        return;
    }
    assert!(std::env::var(REQUIRE_ALL).as_deref() != Ok("1"), "{database} is required and not there");
    // Not through a macro: the test harness would keep it to itself.
    let line = format!("\n*** SKIPPED: no {database} here, its tests run on the other databases only ***\n");
    drop(std::io::stderr().write_all(line.as_bytes()));
}
