// SPDX-License-Identifier: Apache-2.0

//! What is left after something broke: the disk, a connection, the patience of whoever asked.

use super::*;
use crate::dialect::{Query as _, get, values};
use crate::test_support::{for_each_database, for_each_database_url, options};
use futures_util::FutureExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

async fn add(tx: &Tx, name: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO lease (name, holder, token, until_ms) VALUES (?, ?, '', 0)";
    tx.execute(sql, values![name, "h".repeat(120)]).await.map(drop)
}

async fn try_add(store: &Store, name: String) -> Result<(), StoreError> {
    store.write("add", work!(tx, name => add(tx, &name).await)).await
}

async fn names(store: &Store) -> Vec<String> {
    let sql = "SELECT name FROM lease WHERE name <> 'commit-probe' ORDER BY name";
    let rows = store.rows(sql, values![]).await.unwrap();
    rows.iter().map(|row| get(row, "name").unwrap()).collect()
}

fn url_of(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

/// A file system of two megabytes, as long as this lives; `None`, loudly, where it cannot be made.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        use std::io::Write as _;
        let line =
            b"\n*** SKIPPED: no small file system can be mounted here (root only); full disks are not tested ***\n";
        drop(std::io::stderr().write_all(line));
        None
    }
    fn fill(&self) {
        use std::io::Write as _;
        let mut filler = std::fs::File::create(self.0.path().join("filler")).unwrap();
        for block in [65_536, 4_096, 1_024, 1] {
            while filler.write_all(&vec![0; block]).is_ok() {}
        }
    }
    fn empty(&self) {
        std::fs::remove_file(self.0.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

#[tokio::test]
async fn a_full_disk_fails_what_it_hits_and_nothing_acknowledged_is_missing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let url = url_of(&disk.0.path().join("x.db"));
    let store = Store::connect(&url, options()).await.unwrap();
    store.migrate().await.unwrap();
    let mut acknowledged = Vec::new();
    let mut failed = 0;
    for round in 0..4 {
        disk.fill();
        // The log's file keeps some room of its own, so the first few may still fit.
        for n in 0..400 {
            let all = (0..4).map(|k| format!("{round}/full/{n:03}/{k}"));
            let results = futures_util::future::join_all(all.clone().map(|name| try_add(&store, name))).await;
            acknowledged.extend(all.zip(&results).filter(|(_, result)| result.is_ok()).map(|(name, _)| name));
            if results.iter().any(Result::is_err) {
                failed += 1;
                break;
            }
        }
        assert!(store.ready().await.is_err(), "not ready while no commit succeeds");
        disk.empty();
        for n in 0..20 {
            let name = format!("{round}/room/{n:02}");
            try_add(&store, name.clone()).await.expect("there is room again");
            acknowledged.push(name);
        }
        store.ready().await.expect("ready again");
        acknowledged.sort();
        let other = Store::connect(&url, options()).await.unwrap();
        assert_eq!(names(&other).await, acknowledged, "another connection sees what was acknowledged");
        other.close().await.unwrap();
    }
    assert_eq!(failed, 4);
    store.close().await.unwrap();
    let store = Store::connect(&url, options()).await.unwrap();
    assert_eq!(names(&store).await, acknowledged, "and so does the next start");
    store.close().await.unwrap();
    disk.fill();
    let fresh = Store::connect(&url_of(&disk.0.path().join("y.db")), options()).await;
    let error = match fresh {
        Err(error) => error,
        Ok(store) => store.migrate().await.unwrap_err(),
    };
    assert!(error.to_string().contains("full"), "{error}");
}

#[tokio::test]
async fn whoever_goes_away_at_any_moment_leaves_no_transaction_behind() {
    for_each_database(|store| async move {
        for polls in 0..60 {
            let name = format!("{polls:02}");
            let mut asking = Box::pin(try_add(&store, name));
            for _ in 0..polls {
                if asking.as_mut().now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(asking);
            let mut reading = Box::pin(store.rows("SELECT name FROM lease", values![]));
            for _ in 0..polls / 4 {
                if reading.as_mut().now_or_never().is_some() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        for n in 0..40 {
            try_add(&store, format!("after/{n:02}")).await.expect("nobody is in the way");
        }
        assert_eq!(names(&store).await.iter().filter(|name| name.starts_with("after/")).count(), 40);
        if store.dialect().0 == sea_orm::DbBackend::Postgres {
            let sql = "SELECT COUNT(*) AS many FROM pg_stat_activity \
                       WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
            let rows = store.rows(sql, values![]).await.unwrap();
            assert_eq!(get::<i64>(&rows[0], "many").unwrap(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_somebody_holds_makes_no_call_wait_for_longer_than_its_limit() {
    for_each_database_url(async |url| {
        let holder = Store::connect(&url, options()).await.unwrap();
        holder.migrate().await.unwrap();
        try_add(&holder, "row".to_owned()).await.unwrap();
        let store = Store::connect(&url, options()).await.unwrap();
        let (held, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let holding = tokio::spawn({
            let (holder, held, release) = (holder.clone(), held.clone(), release.clone());
            async move {
                let update = "UPDATE lease SET until_ms = 1 WHERE name = 'row'";
                holder
                    .write_within::<(), StoreError, _>(
                        Duration::from_secs(60),
                        "hold",
                        work!(tx, held, release => {
                            tx.execute(update, values![]).await?;
                            held.notify_one();
                            release.notified().await;
                            Ok(())
                        }),
                    )
                    .await
            }
        });
        held.notified().await;
        let begun = tokio::time::Instant::now();
        let limit = Duration::from_millis(400);
        let asked = (0..8).map(|_| {
            let update = "UPDATE lease SET until_ms = until_ms + 10 WHERE name = 'row'";
            store.write_within::<u64, StoreError, _>(limit, "wait", move |tx| Box::pin(tx.execute(update, values![])))
        });
        for result in futures_util::future::join_all(asked).await {
            assert!(matches!(result, Err(StoreError::TryLater | StoreError::NotKnown)), "{result:?}");
        }
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        release.notify_one();
        holding.await.unwrap().unwrap();
        try_add(&store, "after".to_owned()).await.expect("the lock is gone");
        store.close().await.unwrap();
        holder.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_cut_inside_a_transaction_costs_that_transaction_only() {
    for_each_database(|store| async move {
        let (own, cut) = match store.dialect().0 {
            sea_orm::DbBackend::Postgres => {
                ("SELECT CAST(pg_backend_pid() AS BIGINT) AS id", "SELECT pg_terminate_backend")
            }
            sea_orm::DbBackend::MySql => ("SELECT CAST(CONNECTION_ID() AS SIGNED) AS id", "KILL"),
            _ => return, // A file has no connection that others could cut.
        };
        for statements in 0..4_usize {
            let other = store.clone();
            let result: Result<(), StoreError> = store
                .write("cut", move |tx| {
                    let other = other.clone();
                    Box::pin(async move {
                        let id: i64 = get(&tx.rows(own, values![]).await?[0], "id")?;
                        for n in 0..statements {
                            add(tx, &format!("cut/{statements}/{n}")).await?;
                        }
                        let cut = if cut == "KILL" { format!("KILL {id}") } else { format!("{cut}({id}::INT)") };
                        let (connection, cut) = (other.0.address.clone(), cut);
                        connection.open().await?.control(&cut).await.expect("root may cut connections");
                        Ok(())
                    })
                })
                .await;
            assert!(matches!(result, Err(StoreError::Commit(_))), "{statements}: {result:?}");
            try_add(&store, format!("kept/{statements}")).await.expect("a new connection is made");
        }
        assert_eq!(names(&store).await, ["kept/0", "kept/1", "kept/2", "kept/3"]);
    })
    .await;
}

#[tokio::test]
async fn a_commit_that_fails_is_acknowledged_to_nobody_on_any_database() {
    for_each_database_url(async |url| {
        let faults = crate::CommitFaults::default();
        let store =
            Store::connect(&url, StoreOptions { commit_faults: Some(faults.clone()), ..options() }).await.unwrap();
        store.migrate().await.unwrap();
        for (n, fault) in [crate::CommitFault::Before, crate::CommitFault::After].into_iter().enumerate() {
            faults.next(fault);
            assert!(try_add(&store, format!("lost/{n}")).await.is_err());
            assert!(store.0.state.writer_trouble().is_some());
            store.ready().await.expect("it commits again");
            assert!(store.0.state.writer_trouble().is_none());
            try_add(&store, format!("kept/{n}")).await.unwrap();
        }
        assert_eq!(names(&store).await, ["kept/0", "kept/1", "lost/1"]);
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_root_makes_for_a_service_belongs_to_the_owner_of_the_folder() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let folder = tempfile::tempdir().unwrap();
    if chown(folder.path(), Some(65_532), Some(65_532)).is_err() {
        eprintln!("SKIPPED: only root can give files away");
        return;
    }
    let file = folder.path().join("data/deep/x.db");
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.migrate().await.unwrap();
    store.be_alone().unwrap();
    let owner = |path: &Path| std::fs::metadata(path).unwrap().uid();
    for path in
        ["data", "data/deep", "data/deep/x.db", "data/deep/x.db-wal", "data/deep/x.db-shm", "data/deep/x.db.lock"]
    {
        assert_eq!(owner(&folder.path().join(path)), 65_532, "{path}");
    }
    // A link that he has put in the place of the lock leads to nothing that would be given to him.
    let (foreign, other) = (tempfile::NamedTempFile::new().unwrap(), folder.path().join("other.db"));
    std::os::unix::fs::symlink(foreign.path(), folder.path().join("other.db.lock")).unwrap();
    let by_link = Store::connect(&url_of(&other), options()).await.unwrap();
    by_link.be_alone().unwrap();
    assert_ne!(owner(foreign.path()), 65_532);
    by_link.close().await.unwrap();
    let copy = folder.path().join("copy.db");
    crate::copy_to_new(&file, &copy).unwrap();
    assert_eq!(owner(&copy), 65_532);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_database_file_is_for_one_service_and_for_nobody_else_to_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data/deep/x.db");
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.migrate().await.unwrap();
    store.be_alone().unwrap();
    store.be_alone().expect("the same service may ask twice");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&crate::files::beside(&file, suffix)), 0o600, "{suffix}");
    }
    let second = Store::connect(&url_of(&file), options()).await.unwrap();
    let error = second.be_alone().unwrap_err();
    assert!(matches!(&error, StoreError::InUse { pid: Some(pid), .. } if *pid == std::process::id()), "{error}");
    // By a link it is the same file, however many links lead to it.
    for (link, target) in [("link.db", file.clone()), ("of-link.db", "link.db".into())] {
        let link = folder.path().join(link);
        std::os::unix::fs::symlink(target, &link).unwrap();
        let by_link = Store::connect(&url_of(&link), options()).await.unwrap();
        let error = by_link.be_alone().unwrap_err();
        assert!(matches!(&error, StoreError::InUse { pid: Some(_), .. }), "{error}");
        by_link.close().await.unwrap();
    }
    let ahead = folder.path().join("ahead.db");
    std::os::unix::fs::symlink("still-to-come.db", &ahead).unwrap();
    let by_link = Store::connect(&url_of(&ahead), options()).await.unwrap();
    by_link.be_alone().unwrap();
    let itself = Store::connect(&url_of(&folder.path().join("still-to-come.db")), options()).await.unwrap();
    assert!(matches!(itself.be_alone(), Err(StoreError::InUse { .. })));
    by_link.close().await.unwrap();
    itself.close().await.unwrap();
    store.close().await.unwrap();
    second.be_alone().expect("the first has stopped");
    second.close().await.unwrap();
    // A lock's file that a killed process left behind names a number that may be anybody's by now.
    std::fs::write(crate::files::beside(&file, ".lock"), "1\n").unwrap();
    // An older version made files that others can read.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.be_alone().expect("nobody holds the lock");
    assert_eq!(mode(&file), 0o600);
    store.close().await.unwrap();
}

#[tokio::test]
async fn damage_in_a_table_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.db");
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.migrate().await.unwrap();
    for n in 0..200 {
        try_add(&store, format!("{n:03}")).await.unwrap();
    }
    store.ready().await.unwrap();
    store.close().await.unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(100).rposition(|part| part.iter().all(|byte| *byte == b'h')).unwrap();
    let page = at / 4_096 * 4_096;
    bytes[page..page + 2_048].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    let error = store.ready().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    store.close().await.unwrap();
}

/// A table that few need, gone or unreadable, is found by whoever asks whether the database is ready, and by nobody's loss.
#[tokio::test]
async fn a_table_that_is_gone_is_noticed_and_so_is_its_return() {
    for_each_database(|store| async move {
        store.ready().await.unwrap();
        assert!(!store.is_damaged());
        let run = async |sql: &'static str| {
            // Beside our transactions: some databases end one with every change of a table.
            let mut connection = store.0.address.open().await.unwrap();
            connection.control(sql).await.unwrap();
            connection.close().await;
        };
        run("ALTER TABLE listing RENAME TO taken_away").await;
        let error = store.ready().await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged(why) if why.contains("listing")), "{error:?}");
        assert!(store.is_damaged());
        run("ALTER TABLE taken_away RENAME TO listing").await;
        store.ready().await.unwrap();
        assert!(!store.is_damaged());
    })
    .await;
}

/// While the service runs: pages of an index are written over, and the database is no longer ready.
#[tokio::test]
async fn damage_that_is_done_while_it_runs_is_noticed() {
    for (kind, of) in [("index", "orders"), ("table", "order_event")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.db");
        let store = Store::connect(&url_of(&file), options()).await.unwrap();
        store.migrate().await.unwrap();
        for n in 0..100 {
            try_add(&store, format!("{n:03}")).await.unwrap();
        }
        let sql = "SELECT rootpage FROM sqlite_master WHERE type = ? AND tbl_name = ? AND rootpage > 0";
        let found = store.rows(sql, values![kind, of]).await.unwrap();
        let pages: Vec<i64> = found.iter().map(|row| get::<i64>(row, "rootpage").unwrap()).collect();
        assert!(!pages.is_empty(), "{kind} of {of}");
        store.ready().await.unwrap();
        let mut connection = store.0.address.open().await.unwrap();
        connection.control("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        connection.close().await;
        let mut bytes = std::fs::read(&file).unwrap();
        for page in pages {
            let at = usize::try_from(page - 1).unwrap() * 4_096;
            bytes[at..at + 2_048].fill(0xa5);
        }
        // In place: another file would not be the one that is open.
        std::os::unix::fs::FileExt::write_all_at(
            &std::fs::OpenOptions::new().write(true).open(&file).unwrap(),
            &bytes,
            0,
        )
        .unwrap();
        let error = store.ready().await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{kind} of {of}: {error:?}");
        assert!(store.is_damaged(), "{kind} of {of}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_without_its_password() {
    let error = Store::connect("postgres://u:pa55@127.0.0.1:1/db", options()).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("127.0.0.1:1") && text.contains("database db") && text.contains("nobody listens"), "{text}");
    assert!(!text.contains("pa55"), "{text}");
}

#[tokio::test]
async fn the_databases_clock_is_the_one_that_all_share() {
    for_each_database(|store| async move {
        let here = store.database_now().await.unwrap();
        let behind = store.clock_offset(|| here - Millis(60_000)).await.unwrap();
        assert!((59_000..70_000).contains(&behind.0), "{behind:?}");
    })
    .await;
}

#[tokio::test]
async fn closing_ends_although_something_hangs() {
    for_each_database_url(async |url| {
        let mut hasty = options();
        hasty.limits.close = Duration::from_millis(200);
        let store = Store::connect(&url, hasty).await.unwrap();
        store.migrate().await.unwrap();
        let entered = Arc::new(Notify::new());
        let hanging = tokio::spawn({
            let (store, entered) = (store.clone(), entered.clone());
            async move {
                store
                    .write::<(), StoreError, _>(
                        "hang",
                        work!(tx, entered => {
                            add(tx, "never").await?;
                            entered.notify_one();
                            std::future::pending().await
                        }),
                    )
                    .await
            }
        });
        entered.notified().await;
        tokio::time::timeout(Duration::from_secs(5), store.close()).await.expect("in time").unwrap();
        assert!(hanging.await.unwrap().is_err());
        let store = Store::connect(&url, options()).await.unwrap();
        assert!(names(&store).await.is_empty());
        store.close().await.unwrap();
    })
    .await;
}

/// Makes syncs (`s`) or writes (`w`) of a process fail while the file named by `BAD_DISK` says so.
const BAD_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static char mode(void) {
    char c = '0';
    const char *path = getenv("BAD_DISK");
    int fd = path ? open(path, O_RDONLY) : -1;
    if (fd >= 0) { if (read(fd, &c, 1) != 1) c = '0'; close(fd); }
    return c;
}
#define FAILS(letter, code) if (mode() == letter) { errno = code; return -1; }
int fsync(int fd) { FAILS('s', EIO) return ((int (*)(int)) dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { FAILS('s', EIO) return ((int (*)(int)) dlsym(RTLD_NEXT, "fdatasync"))(fd); }
typedef ssize_t (*put)(int, const void *, size_t, off_t);
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { FAILS('w', ENOSPC) return ((put) dlsym(RTLD_NEXT, "pwrite"))(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) { FAILS('w', ENOSPC) return ((put) dlsym(RTLD_NEXT, "pwrite64"))(fd, b, n, at); }
"#;

#[tokio::test]
async fn syncs_and_writes_that_fail_lose_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("bad_disk.c"), folder.path().join("bad_disk.so"));
    std::fs::write(&source, BAD_DISK).unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    if !built.is_ok_and(|done| done.status.success()) {
        use std::io::Write as _;
        let line = b"\n*** SKIPPED: no C compiler here; failing syncs are not tested ***\n";
        drop(std::io::stderr().write_all(line));
        return;
    }
    let control = folder.path().join("control");
    std::fs::write(&control, "0").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::faults::with_a_bad_disk", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", &library)
        .env("BAD_DISK", &control)
        .env("BAD_DISK_FOLDER", folder.path())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("all is as it must be"), "{said}");
    let store = Store::connect(&url_of(&folder.path().join("x.db")), options()).await.unwrap();
    let acknowledged = std::fs::read_to_string(folder.path().join("acknowledged")).unwrap();
    let kept = names(&store).await;
    for name in acknowledged.lines() {
        assert!(kept.iter().any(|known| known == name), "{name} was acknowledged and is gone");
    }
    store.close().await.unwrap();
}

/// The other side of the test above: a process of its own, which ends without closing anything.
#[tokio::test]
#[ignore = "it is started by another test"]
async fn with_a_bad_disk() {
    let (control, folder) = (std::env::var("BAD_DISK").unwrap(), std::env::var("BAD_DISK_FOLDER").unwrap());
    let url = url_of(&Path::new(&folder).join("x.db"));
    let store = Store::connect(&url, options()).await.unwrap();
    store.migrate().await.unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        std::fs::write(&control, if round % 2 == 0 { "s" } else { "w" }).unwrap();
        for n in 0..3 {
            let name = format!("{round}/bad/{n}");
            let tried = try_add(&store, name.clone()).await;
            assert!(tried.is_err(), "{name}: {tried:?}");
        }
        assert!(store.ready().await.is_err());
        std::fs::write(&control, "0").unwrap();
        for n in 0..20 {
            let name = format!("{round}/good/{n:02}");
            try_add(&store, name.clone()).await.unwrap();
            acknowledged.push(name);
        }
        store.ready().await.unwrap();
        let other = Store::connect(&url, options()).await.unwrap();
        let seen = names(&other).await;
        assert!(acknowledged.iter().all(|name| seen.contains(name)), "{seen:?}");
        other.close().await.unwrap();
    }
    std::fs::write(Path::new(&folder).join("acknowledged"), acknowledged.join("\n")).unwrap();
    eprintln!("all is as it must be");
    std::process::abort();
}

/// Somebody else holds the write lock of the file: that shows at once, and not only after a message has waited for it in vain.
#[tokio::test]
async fn a_write_lock_of_somebody_else_is_seen_before_a_message_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::connect(&url_of(&folder.path().join("x.db")), options()).await.unwrap();
    store.migrate().await.unwrap();
    try_add(&store, "before".to_owned()).await.unwrap();
    store.ready().await.unwrap();
    let mut other = store.0.address.open().await.unwrap();
    other.begin().await.unwrap();
    assert!(matches!(store.ready().await, Err(StoreError::NoCommits(_))), "nobody of us can write");
    other.control("ROLLBACK").await.unwrap();
    store.ready().await.unwrap();
}

/// A path that is a mistake: what is there is refused as it is.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_no_database_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("note.txt");
    std::fs::write(&file, "remember the milk\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let url = format!("sqlite://{}", file.display());
    let refused = Store::connect(&url, options()).await.unwrap_err();
    assert!(matches!(&refused, crate::StoreError::NoDatabase { file: named } if *named == file), "{refused}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "remember the milk\n");
}

/// A backup that moves files, a volume that falls off, a copy that is put in the place: what is written then, nobody would find again.
#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_once_the_file_is_moved_away_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (file, away) = (folder.path().join("x.db"), folder.path().join("away.db"));
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.migrate().await.unwrap();
    try_add(&store, "before".to_owned()).await.unwrap();
    std::fs::rename(&file, &away).unwrap();
    let moved = |error: &StoreError| matches!(error, StoreError::Moved { file: named } if *named == file);
    let refused = try_add(&store, "into nowhere".to_owned()).await.unwrap_err();
    assert!(moved(&refused), "{refused}");
    let refused = store.ready().await.unwrap_err();
    assert!(moved(&refused), "{refused}");
    assert!(!file.exists(), "nobody makes another one");
    std::fs::write(&file, "").unwrap();
    assert!(moved(&try_add(&store, "into another".to_owned()).await.unwrap_err()));
    std::fs::rename(&away, &file).unwrap();
    try_add(&store, "after".to_owned()).await.unwrap();
    store.ready().await.unwrap();
    assert_eq!(names(&store).await, ["after", "before"]);
}

/// A cleaner of `*.lock` opens no second service the door: whoever looks whether this one is well finds the lock gone, and takes it anew.
#[cfg(unix)]
#[tokio::test]
async fn a_lock_whose_file_was_taken_away_is_taken_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (file, lock) = (folder.path().join("x.db"), folder.path().join("x.db.lock"));
    let store = Store::connect(&url_of(&file), options()).await.unwrap();
    store.migrate().await.unwrap();
    store.be_alone().unwrap();
    std::fs::remove_file(&lock).unwrap();
    store.ready().await.unwrap();
    let second = Store::connect(&url_of(&file), options()).await.unwrap();
    let refused = second.be_alone().unwrap_err();
    assert!(matches!(refused, crate::StoreError::InUse { .. }), "{refused}");
    // Where the other one was quicker, this one is not well.
    std::fs::remove_file(&lock).unwrap();
    second.be_alone().unwrap();
    let refused = store.ready().await.unwrap_err();
    assert!(matches!(refused, crate::StoreError::InUse { .. }), "{refused}");
}

/// The commonest slip with PostgreSQL 15 and later, and with MySQL: the user may enter the database and make nothing there.
#[tokio::test]
async fn a_user_who_may_make_no_tables_is_told_what_he_needs() {
    use sea_orm::{ConnectionTrait as _, Database};
    for_each_database_url(async |url| {
        let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") else { return };
        let (database, user) = (rest.rsplit('/').next().unwrap(), format!("guest_{}", &rest[rest.len() - 8..]));
        let database = database.split('?').next().unwrap();
        let admin = Database::connect(&url).await.unwrap();
        let is_mysql = scheme.starts_with('m');
        let statements = if is_mysql {
            vec![
                format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'guest'"),
                format!("GRANT SELECT ON {database}.* TO '{user}'@'%'"),
            ]
        } else {
            vec![
                format!("CREATE ROLE {user} LOGIN PASSWORD 'guest'"),
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC".to_owned(),
            ]
        };
        for statement in &statements {
            admin.execute_unprepared(statement).await.unwrap();
        }
        let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
        let store = Store::connect(&format!("{scheme}://{user}:guest@{server}"), options()).await.unwrap();
        let refused = store.migrate().await.unwrap_err();
        store.close().await.unwrap();
        let drop = if is_mysql { format!("DROP USER '{user}'@'%'") } else { format!("DROP ROLE {user}") };
        admin.execute_unprepared(&drop).await.unwrap();
        admin.close().await.unwrap();
        assert!(matches!(refused, crate::StoreError::MayNotMigrate { .. }), "{scheme}: {refused:?}");
        assert!(refused.to_string().contains("GRANT"), "{refused}");
    })
    .await;
}
