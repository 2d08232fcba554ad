// SPDX-License-Identifier: Apache-2.0

//! The programs of `examples/`, played against the built service: whoever copies them starts from something that works.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::{Child, Command};

use crate::real::{ANY_PORT, Place, Running, until};

/// Set in CI: a language that is missing is then an error, not a test that is skipped.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_EXAMPLES";
/// Where the module is by which an older Node reads TypeScript.
const TSX: &str = "TICKETBRIDGE_TSX";
/// Secrets of the Korean channels; those of the rest are the tests' own.
const KOREA: [(&str, &str); 5] = [
    ("KAKAO_WEBHOOK_SECRET", "whsec_a2FrYW8tZXZlbnRzLW9mLXRoZS1leGFtcGxlcw=="),
    ("KAKAO_API_SECRET", "whsec_a2FrYW8tY2FsbHMtb2YtdGhlLWV4YW1wbGVzISE="),
    ("TRIPSTORE_WEBHOOK_SECRET", "whsec_dHJpcC1ldmVudHMtb2YtdGhlLWV4YW1wbGVzISE="),
    ("TRIPSTORE_API_SECRET", "whsec_dHJpcC1jYWxscy1vZi10aGUtZXhhbXBsZXMhISE="),
    ("ERP_SECRET", "whsec_ZXJwLW9mLXRoZS1leGFtcGxlcy1vZi10aGlzIQ=="),
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn a_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

/// What runs a language: a program and its first arguments, with which `probe` succeeds. `None`, and said aloud, where there is none and need
/// not be.
async fn runner(language: &str, candidates: &[&[&str]], probe: &[&str]) -> Option<Vec<String>> {
    for candidate in candidates {
        let mut command = Command::new(candidate[0]);
        command.args(&candidate[1..]).args(probe).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(candidate.iter().map(|&word| word.to_owned()).collect());
        }
    }
    assert!(std::env::var_os(REQUIRED).is_none(), "{language} is required here, and nothing runs it: {candidates:?}");
    eprintln!("SKIPPED: the examples in {language}: nothing runs them on this machine ({candidates:?})");
    None
}

/// A service with the examples as its partners.
struct Stand {
    place: Place,
    bridge: Running,
    runner: Vec<String>,
    folder: PathBuf,
    extension: &'static str,
    ports: [u16; 2],
}

impl Stand {
    async fn set_up(runner: Vec<String>, folder: &str, extension: &'static str) -> Self {
        let ports = [a_port(), a_port()];
        let place = Place::with_example(|name, text| match name {
            "backends/gate.toml" => {
                text.replace("https://tickets.example/bridge", &format!("http://127.0.0.1:{}", ports[1]))
            }
            _ => text,
        });
        let made = place.run_bare(&["init", "config", "--korea"]).await;
        assert!(made.status.success(), "{made:?}");
        let file = place.config().join("channels/kakao-jeju.toml");
        let text = std::fs::read_to_string(&file).expect("it was made");
        let at = format!("http://127.0.0.1:{}", ports[0]);
        std::fs::write(&file, text.replace("http://127.0.0.1:9101", &at)).expect("it can be written");
        let bridge = place.serve_with(ANY_PORT, &KOREA).await;
        Self { place, bridge, runner, folder: examples().join(folder), extension, ports }
    }

    fn program(&self, name: &str, port: u16, words: &[&str]) -> Command {
        let mut command = Command::new(&self.runner[0]);
        command.args(&self.runner[1..]).arg(self.folder.join(format!("{name}.{}", self.extension))).args(words);
        command.current_dir(self.place.path()).kill_on_drop(true).envs(KOREA).envs(crate::real::ENVIRONMENT);
        command.env("PORT", port.to_string()).env("BRIDGE", self.bridge.url()).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn serve(&self, name: &str, port: u16) -> Child {
        self.program(name, port, &["serve"]).spawn().expect("it can be started")
    }

    async fn run(&self, name: &str, port: u16, words: &[&str]) -> Output {
        self.program(name, port, words).output().await.expect("it can be started")
    }

    async fn channel(&self, words: &[&str]) -> String {
        said(&self.run("channel", self.ports[0], words).await)
    }

    async fn back_end(&self, words: &[&str]) -> String {
        said(&self.run("back_end", self.ports[1], words).await)
    }

    async fn ops(&self, words: &[&str]) -> String {
        let url = self.bridge.url();
        said(&self.place.run_bare(&[words, &["--url", &url, "--token", "an-ops-token-for-tests"]].concat()).await)
    }
}

fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

/// A shell is asked, since tests do not look at the clock.
async fn today_in_seoul() -> String {
    let date = Command::new("date").arg("+%F").env("TZ", "Asia/Seoul").output().await.expect("date is there");
    String::from_utf8(date.stdout).expect("text").trim().to_owned()
}

/// From an empty database to a guest who was there, one who cancelled and one who was turned away.
async fn play(runner: Vec<String>, folder: &str, extension: &'static str) {
    let stand = Stand::set_up(runner, folder, extension).await;
    let _serving = [stand.serve("channel", stand.ports[0]), stand.serve("back_end", stand.ports[1])];
    for port in stand.ports {
        until("it listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
    }
    let stands = async |number: &str, status: &str| {
        let found = format!("\"status\": \"{status}\"");
        until(&format!("{number} {status}"), async || {
            stand.channel(&["show", number]).await.contains(&found).then_some(())
        })
        .await;
    };

    let today = today_in_seoul().await;
    let told = stand.channel(&["book", "R-1", &today, "2"]).await;
    assert!(told.contains("accepted"), "{told}");
    stand.ops(&["orders", "confirm", "kakao-jeju:R-1"]).await;
    stands("R-1", "CONFIRMED").await;
    let listed = stand.back_end(&["list"]).await;
    let reservation = listed.split_whitespace().next().expect("a reservation").to_owned();
    assert!(listed.contains("issued"), "{listed}");
    let first = stand.back_end(&["redeem", &reservation]).await;
    assert!(first.contains("accepted"), "{first}");
    let again = stand.back_end(&["redeem", &reservation]).await;
    assert!(again.contains("duplicate"), "{again}");
    stands("R-1", "USED").await;

    stand.channel(&["book", "R-2", &today, "1"]).await;
    stand.channel(&["cancel", "R-2"]).await;
    stand.channel(&["book", "R-3", &today, "3"]).await;
    stand.ops(&["orders", "decline", "kakao-jeju:R-3", "--reason", "full"]).await;
    stands("R-3", "CANCELED").await;
    // The first refund of somebody new: a manager cancels what is booked and paid.
    stand.channel(&["book", "R-4", &today, "1"]).await;
    stand.ops(&["orders", "confirm", "kakao-jeju:R-4"]).await;
    stands("R-4", "CONFIRMED").await;
    stand.ops(&["orders", "cancel", "kakao-jeju:R-4", "--reason", "rain", "--fee", "0"]).await;
    stands("R-4", "CANCELED").await;

    // Once the bridge has heard of its own decisions, the books of all three agree, and nobody has to look.
    let orders = until("all is told", async || {
        let orders = stand.ops(&["orders", "list", "--json"]).await;
        let orders: serde_json::Value = serde_json::from_str(&orders).expect("JSON");
        let quiet = orders["items"].as_array().expect("a list").iter().all(|order| order["attention"].is_null());
        quiet.then_some(orders)
    })
    .await;
    let ends: Vec<String> = orders["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|order| {
            let text = |at: &str| order.pointer(at).and_then(serde_json::Value::as_str).unwrap_or("-").to_owned();
            [text("/channel_order_id"), text("/state"), text("/booking/state"), text("/payment/state")].join(" ")
        })
        .collect();
    let expected = [
        "R-4 cancelled cancelled refunded",
        "R-3 cancelled rejected refunded",
        "R-2 cancelled cancelled refunded",
        "R-1 completed used paid",
    ];
    assert_eq!(ends, expected, "{}", stand.place.log());
}

#[tokio::test]
async fn the_examples_in_python_play_from_a_booking_to_a_visit() {
    let probe = ["-c", "import sys; assert sys.version_info >= (3, 10)"];
    let Some(runner) = runner("Python", &[&["python3"]], &probe).await else { return };
    play(runner, "python", "py").await;
}

#[tokio::test]
async fn the_examples_in_typescript_play_from_a_booking_to_a_visit() {
    // Node itself, or an older one with the module `tsx`, whose place the environment tells.
    let tsx = std::env::var(TSX).unwrap_or_default();
    let probe = ["-e", "process.features.typescript || process.execArgv.includes('--import') || process.exit(1)"];
    let candidates: &[&[&str]] = if tsx.is_empty() { &[&["node"]] } else { &[&["node"], &["node", "--import", &tsx]] };
    let Some(runner) = runner("TypeScript", candidates, &probe).await else { return };
    play(runner, "typescript", "ts").await;
}

#[tokio::test]
async fn the_shell_examples_send_complete_events_of_both_korean_channels() {
    let place = Place::with_example(|_, text| text);
    assert!(place.run_bare(&["init", "config", "--korea"]).await.status.success());
    let bridge = place.serve_with(ANY_PORT, &KOREA).await;
    for (script, event) in [("kakao-call.sh", "kakao-requested.json"), ("tripstore-call.sh", "tripstore-received.json")]
    {
        for expected in ["accepted", "duplicate"] {
            let body = std::fs::File::open(examples().join("events").join(event)).expect("the event");
            let mut command = Command::new(examples().join(script));
            command.stdin(body).envs(KOREA).env("BRIDGE", bridge.url()).kill_on_drop(true);
            let answer = said(&command.output().await.expect("a shell"));
            assert!(answer.contains(&format!("\"result\":\"{expected}\"")), "{script}: {answer}");
        }
    }
}
