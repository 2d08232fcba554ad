// SPDX-License-Identifier: Apache-2.0

//! The real program, as a process of its own: started, asked to stop, killed, started again on the same files and the same port.

pub(crate) mod stage;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Longest real time in which the program starts, ends, or shows what a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// Set to anything, it leaves the directory of every [`Place`] where it is, and says where: for looking into a failure.
const KEEP: &str = "TICKETBRIDGE_TEST_KEEP";
/// Pause between two looks at something outside this process.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The secrets of these tests, as the environment of the program.
pub(crate) const ENVIRONMENT: [(&str, &str); 4] = [
    ("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
    ("TICKETBRIDGE_OPS_TOKEN", "an-ops-token-for-tests"),
    ("DOUYIN_SECRET", super::support::CLIENT_SECRET),
    ("GATE_SECRET", super::support::GATE_SECRET),
];

/// Waits until `look` finds something, for [`PATIENCE`] at most: another process tells nobody when it is done.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look).await
}

/// The same, for `length` at most.
pub(crate) async fn until_within<T>(length: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let search = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            pause(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(length, search).await.unwrap_or_else(|_| panic!("in vain: {what}"))
}

/// Lets real time pass: what is tested here is another process, which lives by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "a process of its own can only be waited for in real time")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// A directory with a configuration, a database and what the program has logged.
#[derive(Clone)]
pub(crate) struct Place(Arc<TempDir>);

impl Place {
    /// The example of `config/`, each file changed by `edit(name, text)`.
    pub(crate) fn with_example(edit: impl Fn(&str, String) -> String) -> Self {
        let keep = std::env::var_os(KEEP).is_some();
        let directory = tempfile::Builder::new().disable_cleanup(keep).tempdir();
        let directory = Arc::new(directory.expect("a temporary directory"));
        if keep {
            eprintln!("kept: {}", directory.path().display());
        }
        let mut files = std::collections::BTreeMap::new();
        super::support::read_files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/example"),
            "",
            &mut files,
        );
        for (name, text) in files {
            let text = text.replace("sqlite://data/", &format!("sqlite://{}/", directory.path().display()));
            super::support::write_file(&directory.path().join("config").join(&name), &edit(&name, text));
        }
        Self(directory)
    }
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
    pub(crate) fn config(&self) -> PathBuf {
        self.path().join("config")
    }
    /// Everything that the program has logged, over all its starts.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// The program with arguments; `--config` is added.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(std::ffi::OsStr::new(env!("CARGO_BIN_EXE_ticketbridge")), arguments)
    }

    fn command_of(&self, program: &std::ffi::OsStr, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg("--config").arg(self.config()).current_dir(self.path()).kill_on_drop(true);
        command.env_remove("TICKETBRIDGE_LISTEN").env_remove("TICKETBRIDGE_DATABASE_URL").envs(ENVIRONMENT);
        command
    }

    /// Runs the program to its end, without `--config`.
    pub(crate) async fn run_bare(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
        command.args(arguments).current_dir(self.path()).kill_on_drop(true);
        let ended = tokio::time::timeout(PATIENCE, command.output()).await;
        ended.expect("the program ends in time").expect("the program can be started")
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let ended = tokio::time::timeout(PATIENCE, self.command(arguments).output()).await;
        ended.expect("the program ends in time").expect("the program can be started")
    }

    /// `ticketbridge serve` on `listen`, once it says where it listens.
    pub(crate) async fn serve(&self, listen: SocketAddr) -> Running {
        self.serve_with(listen, &[]).await
    }

    /// The same, with more in the environment.
    pub(crate) async fn serve_with(&self, listen: SocketAddr, environment: &[(&str, &str)]) -> Running {
        self.serve_by(std::ffi::OsStr::new(env!("CARGO_BIN_EXE_ticketbridge")), listen, environment).await
    }

    /// The same by another program than the one under test: an older one.
    pub(crate) async fn serve_by(
        &self,
        program: &std::ffi::OsStr,
        listen: SocketAddr,
        environment: &[(&str, &str)],
    ) -> Running {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.path().join("log"));
        let mut command = self.command_of(program, &["serve", "--create"]);
        command.env("TICKETBRIDGE_LISTEN", listen.to_string()).envs(environment.iter().copied());
        self.started(command, log.expect("a file for the log").into()).await
    }

    /// The program under test, with its log into something else.
    pub(crate) async fn serve_logging_into(&self, log: Stdio) -> Running {
        let mut command = self.command(&["serve", "--create"]);
        command.env("TICKETBRIDGE_LISTEN", ANY_PORT.to_string());
        self.started(command, log).await
    }

    async fn started(&self, mut command: Command, log: Stdio) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it starts in time");
        let line = first.expect("its output can be read").unwrap_or_else(|| panic!("it ended: {}", self.log()));
        let address = line.rsplit_once("http://").and_then(|(_, address)| address.parse().ok());
        Running { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }
}

/// Any free port of this machine.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The program, running.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("a process of ours can be killed");
    }

    /// Sends a signal by its name.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().await.expect("kill is there");
        assert!(sent.success(), "the signal {name} was not taken");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it can be waited for")
    }

    /// SIGTERM, and its end.
    pub(crate) async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }
}
