// SPDX-License-Identifier: Apache-2.0

//! The database server is lost for good and its standby takes over, and the program is replaced by a newer one, both under load: nothing
//! that was acknowledged is lost, and nothing is done twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use sea_orm::ConnectionTrait as _;
use ticketbridge_servers::{Server, start_postgresql, start_postgresql_standby};
use ticketbridge_store::Store;
use ticketbridge_store::test_support::for_each_database_url;
use tokio::time::Instant;

use crate::crash::{Fate, IN_THE_END, judge_backend, judge_bridge, judge_douyin, live};
use crate::instances::{Balancer, options};
use crate::real::stage::set_the_stage;
use crate::real::{ANY_PORT, Place, Running, pause, until, until_within};
use crate::support::Ask;
use crate::time_limits::{send, session};
use ticketbridge_store::test_support::wire::{Wire, server_of};

/// Sales under way at the same time.
const SALES: usize = 30;
/// How many times as fast the simulators' stated times pass.
const TIME_SCALE: f64 = 8.0;
/// The program of the version before, for a rolling upgrade: not something that a checkout can make for itself.
const BEFORE: &str = "TICKETBRIDGE_TEST_BEFORE";

/// Ends a server and all processes that it has made, at once.
fn kill(server: &Server) {
    let children = Path::new("/proc").join(server.pid().to_string()).join("task").join(server.pid().to_string());
    let children = std::fs::read_to_string(children.join("children")).unwrap_or_default();
    for pid in std::iter::once(server.pid().to_string()).chain(children.split_whitespace().map(str::to_owned)) {
        // One that has ended meanwhile need not be killed.
        let _status = std::process::Command::new("kill").args(["-KILL", &pid]).status();
    }
}

async fn run(url: &str, statements: &[&str]) {
    let admin = session(url).await;
    for statement in statements {
        admin.execute_unprepared(statement).await.expect("the account may do that");
    }
    admin.close().await.expect("connections can be closed");
}

async fn judge(store: &Store, stage: &ticketbridge_sandbox::Stage, fates: &BTreeMap<String, Fate>) {
    until_within(IN_THE_END, "every delivery is made", async || {
        store.job_counts().await.expect("the database answers").is_empty().then_some(())
    })
    .await;
    assert_eq!(fates.len(), SALES);
    judge_douyin(&stage.channel.books(), fates);
    judge_backend(stage, fates);
    judge_bridge(store, stage, fates).await;
}

async fn ready(running: &Running) {
    until("it is ready", async || {
        (send(running.address, &Ask::new(Method::GET, "/readyz")).await.0 == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_primary_is_lost_and_its_standby_takes_over_nothing_is_lost_and_nothing_is_doubled() {
    // What is not on this machine is said by the tests of the store.
    let Some(primary) = start_postgresql(&[]) else { return };
    let standby = start_postgresql_standby(&primary, &[]).expect("what starts a server starts its standby");
    // From now on a commit is confirmed when the standby has it.
    run(primary.url(), &["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"]).await;
    let wire = Wire::to(primary.url()).await;
    let url = wire.over(primary.url());
    let (stage, place) = set_the_stage(TIME_SCALE, SALES).await;
    let environment = [("TICKETBRIDGE_DATABASE_URL", url.as_str())];
    let mut instances = Vec::new();
    for _ in 0..2 {
        instances.push(place.serve_with(ANY_PORT, &environment).await);
    }
    let balancer = Balancer::start(instances.iter().map(|instance| instance.address).collect()).await;
    stage.channel.set_bridge_url(balancer.url());
    stage.backend.set_bridge_url(balancer.url());
    let sales = join_all((0..SALES).map(async |n| (live(&stage, Fate::of(n)).await, Fate::of(n))));
    let failover = async {
        pause(Duration::from_millis(1_500)).await;
        kill(&primary);
        let lost_at = Instant::now();
        run(standby.url(), &["SELECT pg_promote(true, 60)"]).await;
        wire.lead_to(server_of(standby.url()));
        let promoted = lost_at.elapsed();
        for instance in &instances {
            ready(instance).await;
        }
        (lost_at, promoted, lost_at.elapsed())
    };
    let (sales, (lost_at, promoted, ready_again)) = tokio::join!(sales, failover);
    let fates: BTreeMap<String, Fate> = sales.into_iter().collect();
    let store = Store::connect(standby.url(), options(&place)).await.expect("the promoted standby");
    store.migrate().await.expect("it is up to date");
    judge(&store, &stage, &fates).await;
    eprintln!(
        "fail-over: the standby was promoted after {:.1} s, all instances were ready again after {:.1} s, all was done after {:.1} s",
        promoted.as_secs_f64(),
        ready_again.as_secs_f64(),
        lost_at.elapsed().as_secs_f64()
    );
    for instance in instances {
        assert!(instance.terminate().await.success(), "it stops well: {}", place.log());
    }
    store.close().await.expect("connections can be closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_of_the_version_before_is_replaced_under_load() {
    let Some(before) = std::env::var_os(BEFORE) else {
        eprintln!("*** SKIPPED: {BEFORE} names no program of the version before ***");
        return;
    };
    for_each_database_url(async |url: String| {
        if url.starts_with("sqlite") {
            return; // A file is for one instance.
        }
        let (stage, place) = set_the_stage(TIME_SCALE, SALES).await;
        let environment = [("TICKETBRIDGE_DATABASE_URL", url.as_str())];
        let old = async |place: &Place| place.serve_by(&before, ANY_PORT, &environment).await;
        let mut instances = vec![old(&place).await, old(&place).await];
        let balancer = Balancer::start(instances.iter().map(|instance| instance.address).collect()).await;
        stage.channel.set_bridge_url(balancer.url());
        stage.backend.set_bridge_url(balancer.url());
        let sales = join_all((0..SALES).map(async |n| (live(&stage, Fate::of(n)).await, Fate::of(n))));
        let upgrade = async {
            for _ in 0..2 {
                pause(Duration::from_millis(1_500)).await;
                let last = instances.remove(0);
                let address = last.address;
                assert!(last.terminate().await.success(), "it stops well: {}", place.log());
                instances.push(place.serve_with(address, &environment).await);
            }
        };
        let (sales, ()) = tokio::join!(sales, upgrade);
        let fates: BTreeMap<String, Fate> = sales.into_iter().collect();
        let store = Store::connect(&url, options(&place)).await.expect("the instances' own database");
        store.migrate().await.expect("it is up to date");
        judge(&store, &stage, &fates).await;
        for instance in instances {
            assert!(instance.terminate().await.success(), "it stops well: {}", place.log());
        }
        store.close().await.expect("connections can be closed");
    })
    .await;
}
