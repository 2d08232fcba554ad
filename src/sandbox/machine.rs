// SPDX-License-Identifier: Apache-2.0

//! What every simulator is made of: options, a socket, background work, and a state that wakes whoever waits for it.

use axum::Router;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::net::{self, StopOnDrop, Tasks};

/// A simulator with options `O` and a state `S`. Clones are handles to the same one; it stops when the last handle that is not its own
/// is dropped.
pub(super) struct Machine<O, S> {
    core: Arc<Core<O, S>>,
    /// `None` in handles that its own background work holds.
    _alive: Option<Arc<StopOnDrop>>,
}

struct Core<O, S> {
    options: O,
    client: reqwest::Client,
    tasks: Tasks,
    address: SocketAddr,
    /// Ends the present socket; the tasks go on.
    socket: Mutex<CancellationToken>,
    state: Mutex<S>,
    changed: watch::Sender<u64>,
}

impl<O, S> Clone for Machine<O, S> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), _alive: self._alive.clone() }
    }
}

impl<O, S> fmt::Debug for Machine<O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("address", &self.core.address).finish_non_exhaustive()
    }
}

impl<O, S> Machine<O, S> {
    /// Takes its address; it answers once it is served.
    pub(super) async fn open(listen: SocketAddr, options: O, state: S) -> std::io::Result<(Self, TcpListener)> {
        let tasks = Tasks::new();
        let (listener, address) = net::listen(listen).await?;
        let alive = Arc::new(tasks.stop_on_drop());
        let core = Core {
            options,
            client: net::client(),
            tasks,
            address,
            socket: Mutex::default(),
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
        };
        Ok((Self { core: Arc::new(core), _alive: Some(alive) }, listener))
    }

    /// Answers calls. The router's handle must be an [`inside`](Self::inside) one.
    pub(super) fn serve(&self, listener: TcpListener, router: Router) {
        let closed = self.socket().clone();
        self.core.tasks.serve(listener, router, closed);
    }

    fn socket(&self) -> MutexGuard<'_, CancellationToken> {
        self.core.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses connections from now on.
    pub(super) async fn close(&self) {
        let closed = std::mem::take(&mut *self.socket());
        closed.cancel();
        // The listener is dropped by its own task: until then somebody may still be let in.
        while tokio::net::TcpStream::connect(self.core.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Answers calls at the same address again.
    pub(super) async fn reopen(&self, router: Router) -> std::io::Result<()> {
        let (listener, _) = net::listen(self.core.address).await?;
        self.serve(listener, router);
        Ok(())
    }

    /// A handle for background work, which must not keep the simulator alive.
    pub(super) fn inside(&self) -> Self {
        Self { core: self.core.clone(), _alive: None }
    }

    /// Does `work` in the background, until it ends or the simulator does.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.core.tasks.spawn(work);
    }

    /// Its address.
    pub(super) fn base_url(&self) -> String {
        format!("http://{}", self.core.address)
    }

    /// What it was started with.
    pub(super) fn options(&self) -> &O {
        &self.core.options
    }

    /// The client with which it calls the bridge.
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.core.client
    }

    /// The state, to look at or to change something that nobody waits for.
    pub(super) fn state(&self) -> MutexGuard<'_, S> {
        self.core.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let result = change(&mut self.state());
        self.core.changed.send_modify(|n| *n = n.wrapping_add(1));
        result
    }

    /// Waits until `look` finds something in the state, for `patience` of real time at most.
    pub(super) async fn until<T>(&self, patience: Duration, mut look: impl FnMut(&S) -> Option<T>) -> Option<T> {
        let mut changed = self.core.changed.subscribe();
        let search = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.state()) {
                    return Some(found);
                }
                if changed.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(patience, search).await.ok().flatten()
    }

    /// Stops serving and ends all timers.
    pub(super) async fn stop(&self) {
        self.core.tasks.stop().await;
    }
}
