// SPDX-License-Identifier: Apache-2.0

//! Several instances of the program on one database server, any message to any of them, and one of them killed under load: nothing that
//! was acknowledged is lost, and nothing is done twice.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use ticketbridge_store::test_support::for_each_database_url;
use ticketbridge_store::{Store, StoreOptions};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::crash::{Fate, IN_THE_END, judge_backend, judge_bridge, judge_douyin, live};
use crate::real::stage::set_the_stage;
use crate::real::{ANY_PORT, pause, until_within};

/// Sales under way at the same time.
const SALES: usize = 40;
/// Instances of the program.
const INSTANCES: usize = 3;
/// How often one of them is killed, and started again a moment later.
const KILLS: usize = 3;
/// How many times as fast the simulators' stated times pass. Douyin repeats a notice for some minutes only, and these must outlast the kills
/// and starts on a busy machine.
const TIME_SCALE: f64 = 8.0;
/// How long an instance stays away.
const AWAY: Duration = Duration::from_millis(500);

/// Hands each connection to the next instance that takes it, as a load balancer without a memory does.
pub(crate) struct Balancer {
    address: SocketAddr,
    _connections: JoinSet<()>,
}

impl Balancer {
    pub(crate) async fn start(instances: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind(ANY_PORT).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (instances, next) = (Arc::new(instances), Arc::new(AtomicUsize::new(0)));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut caller, _)) = listener.accept().await {
                let (instances, first) = (instances.clone(), next.fetch_add(1, Ordering::Relaxed));
                connections.spawn(async move {
                    for n in 0..instances.len() {
                        if let Ok(mut instance) = TcpStream::connect(instances[(first + n) % instances.len()]).await {
                            // An instance that is killed cuts what it had taken; the caller comes again.
                            drop(copy_bidirectional(&mut caller, &mut instance).await);
                            return;
                        }
                    }
                });
            }
        });
        Self { address, _connections: accepting }
    }
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_of_which_one_is_killed_lose_nothing_and_double_nothing() {
    for_each_database_url(async |url: String| {
        if url.starts_with("sqlite") {
            return; // A file is for one instance.
        }
        let (stage, place) = set_the_stage(TIME_SCALE, SALES).await;
        let environment = [("TICKETBRIDGE_DATABASE_URL", url.as_str())];
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            instances.push(place.serve_with(ANY_PORT, &environment).await);
        }
        let balancer = Balancer::start(instances.iter().map(|instance| instance.address).collect()).await;
        stage.channel.set_bridge_url(balancer.url());
        stage.backend.set_bridge_url(balancer.url());
        let sales = join_all((0..SALES).map(async |n| (live(&stage, Fate::of(n)).await, Fate::of(n))));
        let kills = async {
            let mut killed_at = Instant::now();
            for n in 0..KILLS {
                pause(Duration::from_millis(700)).await;
                let victim = instances.remove(n % INSTANCES);
                let address = victim.address;
                victim.kill().await;
                killed_at = Instant::now();
                pause(AWAY).await;
                instances.insert(n % INSTANCES, place.serve_with(address, &environment).await);
            }
            killed_at
        };
        let (sales, killed_at) = tokio::join!(sales, kills);
        let fates: BTreeMap<String, Fate> = sales.into_iter().collect();
        let store = Store::connect(&url, options(&place)).await.expect("the instances' own database");
        store.migrate().await.expect("it is up to date");
        until_within(IN_THE_END, "every delivery is made", async || {
            store.job_counts().await.expect("the database answers").is_empty().then_some(())
        })
        .await;
        let kind = url.split(':').next().unwrap_or_default();
        eprintln!("{kind}: all was done {:.1} s after the last of {KILLS} kills", killed_at.elapsed().as_secs_f64());
        for instance in instances {
            assert!(instance.terminate().await.success(), "it stops well: {}", place.log());
        }
        assert_eq!(fates.len(), SALES);
        judge_douyin(&stage.channel.books(), &fates);
        judge_backend(&stage, &fates);
        judge_bridge(&store, &stage, &fates).await;
        store.close().await.expect("connections can be closed");
    })
    .await;
}

pub(crate) fn options(place: &crate::real::Place) -> StoreOptions {
    let environment = ticketbridge::config::Environment::only(crate::real::ENVIRONMENT);
    let config = ticketbridge::config::Config::load(&place.config(), &environment);
    StoreOptions::new(ticketbridge::app::sealer(&config.unwrap_or_else(|report| panic!("{report}"))))
}
