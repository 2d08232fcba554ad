// SPDX-License-Identifier: Apache-2.0

//! What is shipped beside the program: the image's root file system, the unit, the chart, the release's files. Each is tried as far as this
//! machine can, and what it cannot is said aloud.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tokio::process::Command as Process;

use crate::real::{ENVIRONMENT, until};

/// Set in CI: what is missing there is then an error.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_PACKAGING";
/// Where helm is, if not on the path.
const HELM: &str = "TICKETBRIDGE_HELM";
const BINARY: &str = env!("CARGO_BIN_EXE_ticketbridge");
/// What the settings of the unit must not exceed.
const EXPOSURE_MAX: f64 = 2.0;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Whether a tool is there, or may be missing.
fn has(tool: &str, probe: &mut Command) -> bool {
    let found = probe.output().is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os(REQUIRED).is_none(), "{tool} is required here");
    if !found {
        eprintln!("SKIPPED: {tool} is not on this machine");
    }
    found
}

fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

fn files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            files(&path, into);
        }
        into.insert(path);
    }
}

/// The root file system in which there is nothing but the program: it serves as nobody, writes in `/data` alone, and finds itself healthy.
#[tokio::test]
async fn the_images_root_file_system_serves_without_a_shell_and_writes_nowhere_else() {
    if !has("chroot as root", Command::new("chroot").args(["/", "true"])) {
        return;
    }
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let root = place.path().join("rootfs");
    said(&Command::new(here("packaging/container/assemble")).arg(BINARY).arg(&root).output().expect("a shell"));
    // The builder gives what it copies to whom the file says, or else to root.
    let text = std::fs::read_to_string(here("packaging/container/Containerfile")).expect("the file of the image");
    let copied = text.lines().find(|line| line.starts_with("COPY ")).expect("what is copied");
    let owner = copied.split(' ').find_map(|word| word.strip_prefix("--chown=")).unwrap_or("0:0");
    said(&Command::new("chown").args(["-R", owner]).arg(&root).output().expect("chown"));
    for shell in ["bin/sh", "bin/bash", "bin/busybox"] {
        assert!(!root.join(shell).exists(), "{shell}");
    }
    said(
        &Command::new("cp")
            .arg("-r")
            .arg(format!("{}/.", here("src/demo/example").display()))
            .arg(root.join("etc/ticketbridge"))
            .output()
            .expect("cp"),
    );
    let mut before = BTreeSet::new();
    files(&root, &mut before);
    let inside = |words: &[&str]| {
        let mut command = Process::new("/usr/sbin/chroot");
        command.arg("--userspec=65532:65532").arg(&root).arg("/usr/bin/ticketbridge").args(words);
        command.args(["--config", "/etc/ticketbridge"]).env_clear().envs(ENVIRONMENT).kill_on_drop(true);
        command.env("PATH", "/usr/bin").env("TICKETBRIDGE_DATABASE_URL", "sqlite:///data/ticketbridge.db");
        command
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let listen = format!("127.0.0.1:{port}");
    said(&inside(&["migrate"]).output().await.expect("chroot"));
    let mut serving = inside(&["serve"]).env("TICKETBRIDGE_LISTEN", &listen).spawn().expect("chroot");
    until("it is ready", async || {
        let asked =
            inside(&["healthcheck", "--ready"]).env("TICKETBRIDGE_LISTEN", &listen).output().await.expect("chroot");
        asked.status.success().then_some(())
    })
    .await;
    let id = serving.id().expect("it runs").to_string();
    said(&Command::new("kill").args(["-TERM", &id]).output().expect("kill"));
    let ended = tokio::time::timeout(crate::real::PATIENCE, serving.wait()).await.expect("it ends").expect("a status");
    assert!(ended.success(), "{ended}");
    let mut after = BTreeSet::new();
    files(&root, &mut after);
    let written: Vec<&PathBuf> =
        after.difference(&before).filter(|path| !path.starts_with(root.join("data"))).collect();
    assert!(written.is_empty(), "{written:?}");
    assert!(root.join("data/ticketbridge.db").is_file());
}

#[test]
fn the_unit_is_right_and_exposes_little() {
    if !has("systemd-analyze", Command::new("systemd-analyze").arg("--version")) {
        return;
    }
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let unit = place.path().join("ticketbridge.service");
    let text = std::fs::read_to_string(here("packaging/systemd/ticketbridge.service")).expect("the unit");
    std::fs::write(&unit, text.replace("/usr/bin/ticketbridge", BINARY)).expect("a file");
    let analyze =
        |words: &[&str]| Command::new("systemd-analyze").args(words).arg(&unit).output().expect("systemd-analyze");
    let verified = said(&analyze(&["verify"]));
    assert!(!verified.contains("ticketbridge.service:"), "{verified}");
    let judged = said(&analyze(&["security", "--offline=true", "--threshold=20", "--no-pager"]));
    let (_, exposure) = judged.split_once("Overall exposure level for ticketbridge.service: ").expect("a score");
    let exposure: f64 = exposure.split(' ').next().and_then(|score| score.parse().ok()).expect("a number");
    assert!(exposure <= EXPOSURE_MAX, "{exposure}");
}

#[test]
fn the_chart_is_linted_and_rendered() {
    let helm = std::env::var(HELM).unwrap_or_else(|_| "helm".to_owned());
    if !has("helm", Command::new(&helm).arg("version")) {
        return;
    }
    let chart = here("packaging/helm/ticketbridge");
    said(&Command::new(&helm).args(["lint", "--strict"]).arg(&chart).output().expect("helm"));
    let bare =
        Command::new(&helm).args(["template", "it", "--kube-version", "1.29.0"]).arg(&chart).output().expect("helm");
    let refused = String::from_utf8_lossy(&bare.stderr).into_owned();
    assert!(!bare.status.success() && refused.contains("config names no channel"), "{refused}");
    let example = here("src/demo/example");
    let channel = format!("config.channels/douyin-main\\.toml={}", example.join("channels/douyin-main.toml").display());
    let products = format!("config.products/lakeside\\.toml={}", example.join("products/lakeside.toml").display());
    let template = || {
        let mut command = Command::new(&helm);
        command.args(["template", "it", "--kube-version", "1.29.0"]).arg(&chart);
        command.args(["--set-file", &channel, "--set-file", &products]);
        command
    };
    let render = |sets: &[&str]| {
        let mut command = template();
        sets.iter().for_each(|set| {
            command.args(["--set", set]);
        });
        command.output().expect("helm")
    };
    let usual = said(&render(&[]));
    for expected in ["kind: Deployment", "kind: PersistentVolumeClaim", "readOnlyRootFilesystem: true", "path: /readyz"]
    {
        assert!(usual.contains(expected), "{expected}: {usual}");
    }
    let watched = said(&render(&["monitoring.enabled=true", "ingress.enabled=true"]));
    assert!(watched.contains("alert: TicketbridgeDeadLetters") && watched.contains("path: /channels/"), "{watched}");
    assert!(usual.contains("--create]"), "an install begins with no database: {usual}");
    let upgraded = template().arg("--is-upgrade").output().expect("helm");
    assert!(!said(&upgraded).contains("--create"), "an upgrade that finds none has lost its volume");
    let several = said(&render(&["replicas=3", "persistence.enabled=false"]));
    assert!(several.contains("kind: PodDisruptionBudget") && !several.contains("kind: PersistentVolumeClaim"));
    let wrong = render(&["replicas=3"]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("SQLite has one instance"));
}

/// What `init` writes passes with its secrets as files of credentials, each by the name of its variable, alone or out of a loaded folder.
#[tokio::test]
async fn secrets_may_be_credentials_of_the_unit() {
    let unit = std::fs::read_to_string(here("packaging/systemd/ticketbridge.service")).expect("the unit");
    let loaded = unit.lines().find_map(|line| line.strip_prefix("LoadCredential=")).expect("what it loads");
    let (name, _) = loaded.split_once(':').expect("a name and a folder");
    for prefix in [String::new(), format!("{name}_")] {
        let place = tempfile::TempDir::new().expect("a temporary directory");
        let (config, credentials) = (place.path().join("config"), place.path().join("credentials"));
        said(&Command::new(BINARY).arg("init").arg(&config).output().expect("the program"));
        std::fs::create_dir(&credentials).expect("a folder");
        for (variable, value) in ENVIRONMENT {
            std::fs::write(credentials.join(format!("{prefix}{variable}")), format!("{value}\n")).expect("a file");
        }
        let check = |folder: &Path| {
            let mut check = Command::new(BINARY);
            check.args(["check", "--config"]).arg(&config);
            for (variable, _) in ENVIRONMENT {
                check.env_remove(variable);
            }
            check.env("CREDENTIALS_DIRECTORY", folder).output().expect("the program")
        };
        let text = said(&check(&credentials));
        assert!(!text.contains("is not set"), "{text}");
        let without = check(&place.path().join("nowhere"));
        let text = format!("{}{}", String::from_utf8_lossy(&without.stdout), String::from_utf8_lossy(&without.stderr));
        assert!(text.contains("not set"), "{text}");
    }
}

/// The configuration that the chart brings is one that the service takes.
#[tokio::test]
async fn the_charts_own_configuration_passes_check() {
    let values = std::fs::read_to_string(here("packaging/helm/ticketbridge/values.yaml")).expect("the values");
    let (_, text) = values.split_once("ticketbridge.toml: |\n").expect("the configuration");
    let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with("    ")).map(|line| &line[4..]).collect();
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let example = here("src/demo/example");
    for folder in ["channels", "backends", "products", "credit.toml"] {
        said(&Command::new("cp").arg("-r").arg(example.join(folder)).arg(place.path()).output().expect("cp"));
    }
    std::fs::write(place.path().join("ticketbridge.toml"), lines.join("\n")).expect("a file");
    let mut check = Process::new(BINARY);
    check.args(["check", "--config"]).arg(place.path()).envs(ENVIRONMENT);
    said(&check.output().await.expect("the program"));
}

#[test]
fn a_release_has_all_its_files_and_their_checksums() {
    if !has("python3 with tomllib, and cargo", Command::new("python3").args(["-c", "import tomllib"])) {
        return;
    }
    let place = tempfile::TempDir::new().expect("a temporary directory");
    let out = place.path().join("files");
    let mut release = Command::new(here("packaging/release"));
    release.arg("--files").env("RELEASE_BINARY", BINARY).env("RELEASE_FILES", &out);
    said(&release.output().expect("a shell"));
    let sums = std::fs::read_to_string(out.join("SHA256SUMS")).expect("the checksums");
    let version = env!("CARGO_PKG_VERSION");
    for expected in ["-linux.tar.gz", "-rootfs.tar.gz", ".cdx.json"] {
        assert!(sums.lines().any(|line| line.ends_with(expected) && line.contains(version)), "{expected}: {sums}");
    }
    said(
        &Command::new("sha256sum")
            .args(["--check", "--quiet", "SHA256SUMS"])
            .current_dir(&out)
            .output()
            .expect("sha256sum"),
    );
    let sbom = std::fs::read_to_string(out.join(format!("ticketbridge-{version}.cdx.json"))).expect("the SBOM");
    let sbom: Value = serde_json::from_str(&sbom).expect("JSON");
    let components = sbom["components"].as_array().expect("a list");
    assert!(components.iter().any(|one| one["name"] == "axum") && components.len() > 150, "{}", components.len());
    assert!(!components.iter().any(|one| one["name"] == "proptest"), "what only tests need is in no program");
    let archive = Command::new("sh").arg("-c").arg("tar -tzf *-linux.tar.gz").current_dir(&out).output().expect("tar");
    let listed = said(&archive);
    for expected in [
        "/ticketbridge\n",
        "/man/ticketbridge.1\n",
        "/completions/_ticketbridge\n",
        "/schemas/kakao/event.json\n",
        "/LICENSE\n",
    ] {
        assert!(listed.contains(expected), "{expected}");
    }
}
