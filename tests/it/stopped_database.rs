// SPDX-License-Identifier: Apache-2.0

//! A database server that is stopped as a whole (`SIGSTOP`): connections stay, new ones are taken by the kernel, and nothing is answered.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::Method;
use sea_orm::ConnectionTrait as _;
use ticketbridge_servers::{Server, start_mariadb, start_postgresql};
use tokio::time::Instant;

use crate::support::Ask;
use crate::time_limits::{SLACK, STOP_WITHIN, all_in_time, send, serve, session, works_again};

/// A server that stands still until this is dropped: it could not be ended otherwise.
struct Stopped<'s>(&'s Server);

impl<'s> Stopped<'s> {
    fn now(server: &'s Server) -> Self {
        signal("-STOP", server);
        Self(server)
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        signal("-CONT", self.0);
    }
}

/// Sends a signal to the server and to the processes that it has made for its connections.
fn signal(name: &str, server: &Server) {
    let children = Path::new("/proc").join(server.pid().to_string()).join("task").join(server.pid().to_string());
    let children = std::fs::read_to_string(children.join("children")).unwrap_or_default();
    let all = std::iter::once(server.pid().to_string()).chain(children.split_whitespace().map(str::to_owned));
    // One that has ended meanwhile need not be stopped.
    for pid in all {
        let _status = Command::new("kill").args([name, &pid]).status();
    }
}

/// A database of its own on the server.
async fn fresh(server: &Server) -> String {
    let admin = session(server.url()).await;
    admin.execute_unprepared("CREATE DATABASE stopped").await.expect("the account may create databases");
    admin.close().await.expect("connections can be closed");
    let (address, _) = server.url().rsplit_once('/').expect("a database");
    format!("{address}/stopped")
}

async fn stands_still_and_goes_on(server: Option<Server>) {
    // What is not on this machine is said by the tests of the store.
    let Some(server) = server else { return };
    let url = fresh(&server).await;
    let (place, running) = serve(&url).await;
    all_in_time(running.address, "before", false).await;
    let stopped = Stopped::now(&server);
    for round in ["stopped", "still-stopped"] {
        all_in_time(running.address, round, true).await;
    }
    let (status, says, took) = send(running.address, &Ask::new(Method::GET, "/readyz")).await;
    assert!(status == 503 && took <= Duration::from_secs(2) + SLACK, "{url}: {status} {says} {took:?}");
    drop(stopped);
    works_again(&running, &["before", "stopped", "still-stopped"]).await;
    all_in_time(running.address, "afterwards", false).await;

    let stopped = Stopped::now(&server);
    all_in_time(running.address, "at-the-end", true).await;
    let began = Instant::now();
    running.terminate().await;
    assert!(began.elapsed() <= STOP_WITHIN + SLACK + Duration::from_secs(1), "{url}: {:?}", began.elapsed());
    drop(stopped);

    // Nothing that was acknowledged is missing after the next start.
    let again = place.serve_with(crate::real::ANY_PORT, &[("TICKETBRIDGE_DATABASE_URL", &url)]).await;
    works_again(&again, &["before", "stopped", "still-stopped", "afterwards"]).await;
    assert_eq!(again.terminate().await.code(), Some(0), "{}", place.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgresql_stands_still_every_call_is_answered_in_time_and_afterwards_all_goes_on() {
    stands_still_and_goes_on(start_postgresql(&[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_mariadb_stands_still_every_call_is_answered_in_time_and_afterwards_all_goes_on() {
    stands_still_and_goes_on(start_mariadb(&[])).await;
}
