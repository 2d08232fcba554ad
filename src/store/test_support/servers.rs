//! Database servers for tests.
//!
//! A server that we start is a child of a small shell script, which stops it and removes its files as soon as its
//! standard input closes: at the end of the test process, however that ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

const DATABASES: &str = "TICKETBRIDGE_TEST_DATABASES";
const REQUIRE_ALL: &str = "TICKETBRIDGE_REQUIRE_ALL_DATABASES";

const POSTGRESQL: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/ticketbridge-postgres.XXXXXX")
trap 'test -z "$server" || kill -INT $server || true; wait; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
"$BIN/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1
"$BIN/postgres" -D "$dir/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
    -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off >>"$dir/log" 2>&1 </dev/null &
server=$!
tries=0
until "$BIN/pg_isready" -q -h 127.0.0.1 -p "$PORT"; do
    kill -0 $server; tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
done
echo ready
cat >/dev/null
"#;

const MARIADB: &str = r#"
set -e
dir=$(mktemp -d "${TMPDIR:-/tmp}/ticketbridge-mariadb.XXXXXX")
trap 'test -z "$server" || kill -TERM $server || true; wait; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM PIPE
user=$(id -un)
mariadb-install-db --no-defaults --datadir="$dir/data" --user="$user" --skip-test-db \
    --auth-root-authentication-method=normal >"$dir/log" 2>&1
"$BIN/mariadbd" --no-defaults --datadir="$dir/data" --user="$user" --port="$PORT" --bind-address=127.0.0.1 \
    --socket="$dir/socket" --pid-file="$dir/pid" --max-connections=300 --skip-log-bin \
    --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=0 --innodb-buffer-pool-size=64M \
    >>"$dir/log" 2>&1 </dev/null &
server=$!
tries=0
until mariadb-admin --no-defaults -h 127.0.0.1 -P "$PORT" -u root ping >/dev/null 2>&1; do
    kill -0 $server; tries=$((tries + 1)); test $tries -lt 300; sleep 0.1
done
echo ready
cat >/dev/null
"#;

/// A server that runs as long as this lives.
struct Server {
    url: String,
    _alive: ChildStdin,
}

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
        None => started().iter().map(|server| server.url.as_str()).collect(),
    }
}

fn started() -> &'static [Server] {
    static STARTED: OnceLock<Vec<Server>> = OnceLock::new();
    STARTED.get_or_init(|| {
        let (postgresql, mariadb) = std::thread::scope(|scope| {
            let postgresql = scope.spawn(start_postgresql);
            let mariadb = start_mariadb();
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

fn start_postgresql() -> Option<Server> {
    let bin = find(&["initdb", "postgres", "pg_isready"], "/usr/lib/postgresql")?;
    start(POSTGRESQL, bin, "postgres", |port| format!("postgres://postgres@127.0.0.1:{port}/postgres"))
}

fn start_mariadb() -> Option<Server> {
    find(&["mariadb-install-db", "mariadb-admin"], "/usr/bin")?;
    let bin = find(&["mariadbd"], "/usr/sbin")?;
    start(MARIADB, bin, "mysql", |port| format!("mysql://root@127.0.0.1:{port}/mysql"))
}

/// The folder with all these programs: on the search path, in `root`, or in the newest `root/*/bin`.
fn find(programs: &[&str], root: &str) -> Option<PathBuf> {
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
fn start(script: &str, bin: PathBuf, user: &str, url: impl Fn(u16) -> String) -> Option<Server> {
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
    // A group of its own: Ctrl-C is for the tests, and the script still cleans up.
    command.env("BIN", bin).env("PORT", port.to_string()).current_dir("/").process_group(0);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let alive = child.stdin.take()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    (line.trim() == "ready").then(|| Server { url: url(port), _alive: alive })
}
