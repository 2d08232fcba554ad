// SPDX-License-Identifier: Apache-2.0

//! Database servers that a test or a measurement starts for itself, from what is installed on this machine.
//!
//! A server is a child of a small shell script, which stops it and removes its files as soon as its standard input closes: at the end of
//! the process that started it, however that ends.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};

const POSTGRESQL: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/ticketbridge-postgres.XXXXXX")
trap 'test -z "$server" || kill -INT $server || true; wait; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
"$BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1
"$BIN/postgres" -D "$dir/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
    -c max_connections=300 "$@" >>"$dir/log" 2>&1 </dev/null &
server=$!
tries=0
until "$BIN/pg_isready" -q -h 127.0.0.1 -p "$PORT"; do
    kill -0 $server; tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
done
echo "ready $server"
cat >/dev/null
"#;

/// A copy of the server at `$PRIMARY` that follows it.
const STANDBY: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/ticketbridge-standby.XXXXXX")
trap 'test -z "$server" || kill -INT $server || true; wait; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
"$BIN/pg_basebackup" -D "$dir/data" -R -c fast --no-sync -h 127.0.0.1 -p "$PRIMARY" -U postgres >"$dir/log" 2>&1
"$BIN/postgres" -D "$dir/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
    -c max_connections=300 "$@" >>"$dir/log" 2>&1 </dev/null &
server=$!
tries=0
until "$BIN/pg_isready" -q -h 127.0.0.1 -p "$PORT"; do
    kill -0 $server; tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
done
echo "ready $server"
cat >/dev/null
"#;

/// A folder of its own for temporary tables: a server that starts deletes all `#sql*` that it finds there, and other
/// test programs have servers at work beside this one.
const MARIADB: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/ticketbridge-mariadb.XXXXXX")
trap 'test -z "$server" || kill -TERM $server || true; wait; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
user=$(id -un)
mkdir "$dir/tmp"
mariadb-install-db --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$user" --skip-test-db \
    --auth-root-authentication-method=normal >"$dir/log" 2>&1
"$BIN/mariadbd" --no-defaults --datadir="$dir/data" --tmpdir="$dir/tmp" --user="$user" --port="$PORT" --bind-address=127.0.0.1 \
    --socket="$dir/socket" --pid-file="$dir/pid" --max-connections=300 --skip-log-bin "$@" \
    >>"$dir/log" 2>&1 </dev/null &
server=$!
tries=0
until mariadb-admin --no-defaults -h 127.0.0.1 -P "$PORT" -u root ping >/dev/null 2>&1; do
    kill -0 $server; tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
done
echo "ready $server"
cat >/dev/null
"#;

/// A server that runs as long as this lives.
#[derive(Debug)]
pub struct Server {
    url: String,
    pid: u32,
    _alive: ChildStdin,
}

impl Server {
    /// Address of an account that may create databases.
    pub fn url(&self) -> &str {
        &self.url
    }
    /// The server's process; others of it are its children.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// Starts PostgreSQL on an empty directory with these options; `None` when it is not on this machine or does not start.
pub fn start_postgresql(options: &[&str]) -> Option<Server> {
    let bin = find(&["initdb", "postgres", "pg_isready"], "/usr/lib/postgresql")?;
    let url = |port| format!("postgres://postgres@127.0.0.1:{port}/postgres");
    start(POSTGRESQL, bin, "postgres", options, &[], url)
}

/// Starts a hot standby of a PostgreSQL server, which follows it from now on; `None` when that does not work here.
pub fn start_postgresql_standby(of: &Server, options: &[&str]) -> Option<Server> {
    let bin = find(&["pg_basebackup", "postgres", "pg_isready"], "/usr/lib/postgresql")?;
    let url = |port| format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let primary = of.url().rsplit_once(':')?.1.split('/').next()?;
    start(STANDBY, bin, "postgres", options, &[("PRIMARY", primary)], url)
}

/// Starts MariaDB on an empty directory with these options; `None` when it is not on this machine or does not start.
pub fn start_mariadb(options: &[&str]) -> Option<Server> {
    find(&["mariadb-install-db", "mariadb-admin"], "/usr/bin")?;
    let bin = find(&["mariadbd"], "/usr/sbin")?;
    start(MARIADB, bin, "mysql", options, &[], |port| format!("mysql://root@127.0.0.1:{port}/mysql"))
}

/// The folder with all these programs: on the search path, in `root`, or in the newest `root/*/bin`.
pub fn find(programs: &[&str], root: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    std::env::split_paths(&path)
        .chain([PathBuf::from(root)])
        .chain(versions.into_iter().rev())
        .find(|folder| programs.iter().all(|name| folder.join(name).is_file()))
}

/// Starts a server by its script; as `user` when we are root, which database servers refuse to be.
fn start(
    script: &str,
    bin: PathBuf,
    user: &str,
    options: &[&str],
    environment: &[(&str, &str)],
    url: impl Fn(u16) -> String,
) -> Option<Server> {
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", user, "--clear-groups", "sh", "-c", script]);
        command
    } else {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    // What follows the script is its `$0` and `$@`.
    command.arg("server").args(options);
    // A group of its own: Ctrl-C is for the tests, and the script still cleans up.
    command
        .env("BIN", bin)
        .env("PORT", port.to_string())
        .envs(environment.iter().copied())
        .current_dir("/")
        .process_group(0);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let alive = child.stdin.take()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    let pid = line.trim().strip_prefix("ready ")?.parse().ok()?;
    Some(Server { url: url(port), pid, _alive: alive })
}
