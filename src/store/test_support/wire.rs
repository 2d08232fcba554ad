// SPDX-License-Identifier: Apache-2.0

//! The line between a service and its database server, in the hands of a test: it can lead elsewhere from one moment to the next, and
//! can be cut at any statement.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What a cut costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loses {
    /// The statement: the server never hears of it.
    Statement,
    /// The answer: the server has carried it out.
    Answer,
}

/// How the messages of a client are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    Postgresql,
    MySql,
}

#[derive(Debug, Default)]
struct Cut {
    /// At which statement from now on, and what that costs.
    at: Option<(u64, Loses)>,
    seen: u64,
}

/// A line that ends with this.
pub struct Wire {
    address: SocketAddr,
    leads_to: watch::Sender<SocketAddr>,
    cut: Arc<Mutex<Cut>>,
    _connections: JoinSet<()>,
}

fn locked(cut: &Mutex<Cut>) -> std::sync::MutexGuard<'_, Cut> {
    cut.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address of a server in a database's address.
pub fn server_of(url: &str) -> SocketAddr {
    let (_, rest) = url.split_once("://").expect("an address of a server");
    let authority = rest.split(['/', '?']).next().expect("a first part");
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.replace("localhost", "127.0.0.1").parse().expect("a host by its number, and a port")
}

impl Wire {
    /// A line to the server of this database's address.
    pub async fn to(url: &str) -> Self {
        let speaks = if url.starts_with("postgres") { Speaks::Postgresql } else { Speaks::MySql };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let leads_to = watch::Sender::new(server_of(url));
        let cut = Arc::new(Mutex::new(Cut::default()));
        let mut accepting = JoinSet::new();
        let (of_target, of_cut) = (leads_to.clone(), cut.clone());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((caller, _)) = listener.accept().await {
                connections.spawn(carry(caller, of_target.subscribe(), of_cut.clone(), speaks));
            }
        });
        Self { address, leads_to, cut, _connections: accepting }
    }

    /// The same database's address, over this line.
    pub fn over(&self, url: &str) -> String {
        url.replace(&server_of(url).to_string(), &self.address.to_string())
    }

    /// Leads elsewhere from now on; whatever is connected is cut.
    pub fn lead_to(&self, server: SocketAddr) {
        self.leads_to.send_replace(server);
    }

    /// Cuts the connection of the statement number `at` from now on.
    pub fn cut_at(&self, at: u64, loses: Loses) {
        *locked(&self.cut) = Cut { at: Some((at, loses)), seen: 0 };
    }

    /// Cuts nothing any more; whether it came to the cut.
    pub fn leave_alone(&self) -> bool {
        std::mem::take(&mut *locked(&self.cut)).at.is_none()
    }
}

/// Carries a connection until an end closes it, the line leads elsewhere, or it is cut.
async fn carry(mut caller: TcpStream, mut leads_to: watch::Receiver<SocketAddr>, cut: Arc<Mutex<Cut>>, speaks: Speaks) {
    let target = *leads_to.borrow_and_update();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    // Small messages would wait for each other's acknowledgement.
    drop((caller.set_nodelay(true), server.set_nodelay(true)));
    let mut messages = Messages { speaks, has_started: false, waiting: Vec::new() };
    let (mut from_caller, mut from_server) = (vec![0; 65_536], vec![0; 65_536]);
    let mut loses_answer = false;
    loop {
        tokio::select! {
            read = caller.read(&mut from_caller) => {
                let Ok(many @ 1..) = read else { return };
                for statements in messages.read(&from_caller[..many]) {
                    match reached(&cut, statements.is_statement) {
                        Some(Loses::Statement) => return,
                        Some(Loses::Answer) => loses_answer = true,
                        None => {}
                    }
                    if server.write_all(&statements.bytes).await.is_err() {
                        return;
                    }
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(many @ 1..) = read else { return };
                if loses_answer || caller.write_all(&from_server[..many]).await.is_err() {
                    return;
                }
            }
            _ = leads_to.changed() => return,
        }
    }
}

/// Counts a statement; what is lost if the line is to be cut at it.
fn reached(cut: &Mutex<Cut>, is_statement: bool) -> Option<Loses> {
    let mut cut = locked(cut);
    cut.seen += u64::from(is_statement);
    let (_, loses) = cut.at.filter(|(at, _)| is_statement && *at == cut.seen)?;
    cut.at = None;
    Some(loses)
}

struct Message {
    bytes: Vec<u8>,
    is_statement: bool,
}

/// What a client has sent, taken apart.
struct Messages {
    speaks: Speaks,
    /// PostgreSQL's first messages have no letter.
    has_started: bool,
    waiting: Vec<u8>,
}

impl Messages {
    fn read(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.waiting.extend_from_slice(bytes);
        let mut found = Vec::new();
        while let Some((length, is_statement)) = self.next() {
            let rest = self.waiting.split_off(length);
            found.push(Message { bytes: std::mem::replace(&mut self.waiting, rest), is_statement });
        }
        found
    }

    /// The length of the next message, if it is whole, and whether it has something carried out.
    fn next(&mut self) -> Option<(usize, bool)> {
        let bytes = &self.waiting;
        let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (length, is_statement) = match self.speaks {
            // Type, length with itself: a simple query, or the execution of a prepared one.
            Speaks::Postgresql if self.has_started => (number(1)? as usize + 1, matches!(bytes[0], b'Q' | b'E')),
            Speaks::Postgresql => (number(0)? as usize, false),
            // Three bytes of length, a number that begins with 0, the command: a query, or the execution of a prepared one.
            Speaks::MySql => {
                let head = bytes.get(..5)?;
                let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize + 4;
                (length, head[3] == 0 && matches!(head[4], 0x03 | 0x17))
            }
        };
        if bytes.len() < length {
            return None;
        }
        // A question for encryption is answered, and then begins what the connection begins with.
        self.has_started = self.has_started || number(4) != Some(80_877_103);
        Some((length, is_statement))
    }
}
