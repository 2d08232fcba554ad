// SPDX-License-Identifier: Apache-2.0

//! The program's commands as a shell sees them: what they print, where, and their exit codes.

use std::process::Output;

use ticketbridge::clock::{Clock as _, SystemClock};
use ticketbridge_adapters::douyin::sign::sign;
use ticketbridge_adapters::standard_webhooks::Secrets;

use crate::real::Place;
use crate::support::{CLIENT_KEY, CLIENT_SECRET, GATE_SECRET};

fn place() -> Place {
    Place::with_example(|_, text| text)
}

/// Exit code, standard output, standard error.
fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn help_names_every_command_and_wrong_usage_is_code_2() {
    let place = place();
    let (code, out, _) = said(place.run_bare(&["--help"]).await);
    assert_eq!(code, Some(0));
    for command in ["serve", "demo", "sandbox", "check", "migrate", "verify"] {
        assert!(out.contains(&format!("\n  {command} ")), "`{command}` is missing:\n{out}");
        let (code, help, _) = said(place.run_bare(&[command, "--help"]).await);
        assert_eq!(code, Some(0), "{command}");
        assert!(help.contains("Usage: ticketbridge"), "{help}");
    }
    for wrong in [&[][..], &["sell"], &["serve", "--no-such-option"], &["verify"], &["check", "--config"]] {
        let (code, out, err) = said(place.run_bare(wrong).await);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(err.contains("--help"), "it says where help is: {wrong:?}: {err}");
    }
    assert_eq!(said(place.run_bare(&["--version"]).await).0, Some(0));
}

/// Linux's device that is always full.
#[cfg(target_os = "linux")]
fn full() -> std::process::Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that is full").into()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_command_says_onto_a_full_disk_is_code_1() {
    let place = place();
    for arguments in [&["schemas"][..], &["check"], &["completions", "bash"]] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ticketbridge"));
        command.args(arguments).current_dir(place.path()).stdout(full()).stderr(std::process::Stdio::piped());
        let output = command.spawn().expect("it starts").wait_with_output().await.expect("it runs");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(err.contains("could not be written to standard output"), "{arguments:?}: {err}");
    }
}

/// The log is a file on a disk that is full, or goes to a program that is gone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_that_cannot_be_written_costs_no_answer() {
    let (gone, kept) = std::io::pipe().expect("a pipe");
    drop(gone);
    for log in [full(), std::process::Stdio::from(kept)] {
        let (stage, place) = crate::real::stage::set_the_stage(60.0, 10).await;
        let bridge = place.serve_logging_into(log).await;
        stage.channel.set_bridge_url(bridge.url());
        for _ in 0..3 {
            let sale = stage.channel.buy(&stage.purchase(1)).await;
            assert!(sale.is_good(), "{:?}", sale.outcome);
        }
        assert_eq!(bridge.terminate().await.code(), Some(0));
    }
}

#[tokio::test]
async fn commands_that_call_nobody_need_no_secret_of_a_partner() {
    let place = place();
    assert_eq!(said(place.run(&["migrate"]).await).0, Some(0));
    for arguments in [&["doctor"][..], &["accounts", "list"], &["backup", "copy.db"], &["migrate"]] {
        let mut command = place.command(arguments);
        command.env_remove("GATE_SECRET").env_remove("DOUYIN_SECRET").env_remove("TICKETBRIDGE_OPS_TOKEN");
        let (code, out, err) = said(command.output().await.expect("it runs"));
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
    }
    let (code, _, err) = said(place.run(&["backup", "no/such/folder/copy.db"]).await);
    assert!(code == Some(1) && err.contains("there is no folder no/such/folder"), "{err}");
    assert!(!place.path().join("no").exists());
}

#[tokio::test]
async fn check_prints_its_findings_on_standard_output() {
    let (code, out, err) = said(place().run(&["check"]).await);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let wrong = Place::with_example(|_, text| text.replace("category = \"sightseeing\"", "category = \"lodging\""));
    let (code, out, _) = said(wrong.run(&["check"]).await);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("products/lakeside.toml:") && out.contains("lodging"), "{out}");
    let (code, out, err) = said(wrong.run_bare(&["check", "--config", "no-such-directory"]).await);
    assert_eq!(code, Some(1));
    assert!(format!("{out}{err}").contains("no-such-directory"), "{out}{err}");
}

#[tokio::test]
async fn the_sandbox_lists_its_stories_by_adapter_and_refuses_what_it_cannot_play() {
    let place = place();
    let (code, out, _) = said(place.run_bare(&["sandbox", "--list"]).await);
    assert_eq!(code, Some(0));
    for (adapter, story) in
        [("douyin", "purchase-to-gate"), ("kakao", "payment-only-cancel"), ("tripstore", "part-payment")]
    {
        let (_, of_adapter) = out.split_once(&format!("adapter {adapter}\n")).unwrap_or_else(|| panic!("{out}"));
        let of_adapter = of_adapter.split("adapter ").next().unwrap_or_default();
        assert!(of_adapter.contains(&format!("  {story} ")), "{adapter}: {out}");
    }
    let cases: [(&[&str], &str); 3] = [
        (&["--channel", "nowhere"], "no channel `nowhere` is configured"),
        (&["--story", "payment-only-cancel"], "no story `payment-only-cancel` for the adapter `douyin`"),
        (&["--product", "LP-V2"], "VOUCHER|BOOKING"),
    ];
    for (arguments, words) in cases {
        let (code, _, err) = said(place.run(&[&["sandbox"], arguments].concat()).await);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn migrate_can_be_repeated_and_a_database_out_of_reach_is_code_1() {
    let place = place();
    for _ in 0..2 {
        let (code, out, err) = said(place.run(&["migrate"]).await);
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("sqlite") && place.path().join("ticketbridge.db").exists(), "{out}");
    }
    let nowhere = Place::with_example(|_, text| {
        // Port 9 of this machine discards; no database answers there. The example's own port may be taken.
        text.lines()
            .map(|line| match line.split_whitespace().next() {
                Some("url") => "url = \"postgres://a:secret@127.0.0.1:9/b\"",
                Some("listen") => "listen = \"127.0.0.1:0\"",
                _ => line,
            })
            .fold(String::new(), |text, line| text + line + "\n")
    });
    for command in ["migrate", "serve"] {
        let (code, out, err) = said(nowhere.run(&[command]).await);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{command}: {err}");
        assert!(err.contains("database") && !err.contains("secret"), "{command}: {err}");
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_is_made_only_when_that_is_told() {
    let place = place();
    let file = place.path().join("ticketbridge.db");
    let tried: [&[&str]; 4] = [
        &["serve"],
        &["keys", "rotate"],
        &["accounts", "list"],
        &["record", "export", "--from", "2026-11-21T00:00:00Z", "--to", "2026-11-22T00:00:00Z", "out"],
    ];
    for words in tried {
        let (code, _, err) = said(place.run(words).await);
        assert_eq!(code, Some(1), "{words:?}: {err}");
        let expected = format!("there is no database at {}: `ticketbridge migrate` makes it", file.display());
        assert!(err.contains(&expected) && !file.exists(), "{words:?}: {err}");
    }
    // Its own folder is made with it, and none above: that is a slip in the path, or a mount that failed.
    for (path, made) in [("missing/deep/x.db", false), ("folder/x.db", true)] {
        let mut migrate = place.command(&["migrate"]);
        migrate.env("TICKETBRIDGE_DATABASE_URL", format!("sqlite://{}", place.path().join(path).display()));
        let (code, out, err) = said(migrate.output().await.expect("the program"));
        assert_eq!((code == Some(0), place.path().join(path).exists()), (made, made), "{path}: {out}{err}");
        assert!(made || err.contains("there is no folder") && !place.path().join("missing").exists(), "{err}");
    }
    let running = place.serve(crate::real::ANY_PORT).await;
    assert!(file.exists() && running.terminate().await.success(), "with --create it is made: {}", place.log());
}

#[tokio::test]
async fn serve_refuses_a_bad_configuration_and_a_taken_address() {
    let wrong = Place::with_example(|_, text| text.replace("region   = \"mainland\"", "region   = \"overseas\""));
    let (code, _, err) = said(wrong.run(&["serve"]).await);
    assert_eq!(code, Some(1));
    assert!(err.contains("products/lakeside.toml:"), "{err}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = Place::with_example(|_, text| {
        text.replace("127.0.0.1:8080\"          #", &format!("{}\" #", taken.local_addr().expect("an address")))
    });
    let (code, _, err) = said(place.run(&["serve", "--create"]).await);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("listen"), "{err}");
}

/// A captured request, signed with `secret` some milliseconds ago.
fn captured(secret: &str, body: &str, ago: i64) -> String {
    let stamp = (SystemClock::new().now().0 - ago).to_string();
    let (signature, _) = sign(secret, &[("client_key", CLIENT_KEY), ("timestamp", stamp.as_str())], body.as_bytes());
    format!(
        "POST /channels/douyin-main/query-order?client_key={CLIENT_KEY}&timestamp={stamp} HTTP/1.1\r\n\
         Host: bridge\r\nx-life-clientkey: {CLIENT_KEY}\r\nx-life-sign: {signature}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn verify_says_of_a_captured_request_whether_it_is_believed_and_never_the_secret() {
    let place = place();
    let body = r#"{"order_id":"V100"}"#;
    let week = 7 * 24 * 3_600_000;
    for (secret, ago, expected, words) in [
        (CLIENT_SECRET, 60_000, 0, "accepted, application"),
        ("fedcba9876543210fedcba9876543210", 60_000, 1, "FAIL where it differs"),
        (CLIENT_SECRET, week + 60_000, 1, "FAIL age of the time stamp"),
    ] {
        let file = place.path().join("request");
        std::fs::write(&file, captured(secret, body, ago)).expect("a file");
        let file = file.to_str().expect("a path").to_owned();
        let (code, out, err) = said(place.run(&["verify", "--channel", "douyin-main", "--request", &file]).await);
        assert_eq!(code, Some(expected), "{out}{err}");
        assert!(out.contains(CLIENT_KEY) && out.contains(words), "it says which application, and what is wrong: {out}");
        assert!(!format!("{out}{err}").contains(CLIENT_SECRET), "the secret is shown: {out}{err}");
    }
    let endless = said(place.run(&["verify", "--channel", "douyin-main", "--request", "/dev/zero"]).await);
    assert_eq!(endless.0, Some(1));
    assert!(endless.2.contains("no captured request"), "{}", endless.2);
    let (code, _, err) = said(place.run(&["verify", "--channel", "douyin-main", "--request", "no-such-file"]).await);
    assert_eq!(code, Some(1));
    assert!(err.contains("no-such-file"), "{err}");
}

/// A limit on the size of files ends nobody without a word: what does not fit fails as on a full disk.
#[cfg(unix)]
#[tokio::test]
async fn a_limit_on_the_size_of_files_is_said_and_survived() {
    let place = place();
    assert_eq!(said(place.run(&["migrate"]).await).0, Some(0));
    let mut shell = tokio::process::Command::new("sh");
    // In blocks of 512 bytes, or of 1024.
    shell.arg("-c").arg("ulimit -f 64; exec \"$0\" \"$@\"").arg(env!("CARGO_BIN_EXE_ticketbridge"));
    let program = place.command(&["backup", "copy.db"]);
    let program = program.as_std();
    shell.args(program.get_args()).current_dir(place.path());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let (code, out, err) = said(shell.output().await.expect("it runs"));
    assert_eq!(code, Some(1), "by no signal: {out}{err}");
    assert!(!err.is_empty() && !place.path().join("copy.db").exists(), "{out}{err}");
}

#[tokio::test]
async fn init_names_the_file_that_stands_in_its_way() {
    let place = place();
    std::fs::write(place.path().join("taken"), "").expect("a file");
    std::os::unix::fs::symlink("nowhere", place.path().join("dangling")).expect("a link");
    for name in ["taken", "dangling", "/dev/null"] {
        let (code, _, err) = said(place.run_bare(&["init", name]).await);
        assert!(code == Some(1) && err.contains(name) && !err.contains("os error"), "{name}: {err}");
    }
}

#[tokio::test]
async fn check_of_a_file_misses_no_channel_in_it() {
    let place = place();
    let (code, out, err) = said(place.run_bare(&["check", "--config", "config/ticketbridge.toml"]).await);
    assert!(code == Some(1) && !format!("{out}{err}").contains("no channel is configured"), "{out}{err}");
}

const EVENTS_SECRET: &str = "whsec_ZXZlbnRzIG9mIHRoZSBleGFtcGxlIGNoYW5uZWw=";
const CALLS_SECRET: &str = "whsec_Y2FsbHMgdG8gdGhlIGV4YW1wbGUgY2hhbm5lbCEh";
const OTHERS_SECRET: &str = "whsec_ZXZlbnRzIG9mIGFub3RoZXIgY2hhbm5lbCAhISEh";

/// An event as a Standard Webhooks sender makes it, captured.
fn event_signed(secret: &str, path: &str, more: &str) -> String {
    let body = r#"{"event_id":"evt_1"}"#;
    let now = SystemClock::new().now();
    let mut headers = http::HeaderMap::new();
    let secrets = Secrets::parse([secret]).expect("a secret");
    secrets.sign_into(&mut headers, "evt_1", now, body.as_bytes()).expect("headers");
    let lines = headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("text")));
    format!(
        "POST {path} HTTP/1.1\r\nHost: bridge\r\n{}{more}content-length: {}\r\n\r\n{body}",
        lines.collect::<String>(),
        body.len()
    )
}

#[tokio::test]
async fn verify_names_the_secret_that_was_taken_and_believes_nothing_that_the_service_refuses() {
    let place = place();
    for (id, secret) in [("kakao-a", EVENTS_SECRET), ("kakao-b", OTHERS_SECRET)] {
        let file = format!(
            "id = \"{id}\"\nadapter = \"kakao\"\n[settings]\nsecrets = [\"{secret}\"]\napi_base = \"https://{id}.example\"\n\
             api_secret = \"{CALLS_SECRET}\"\ncapabilities = []\ntime_zone = \"Asia/Seoul\"\n"
        );
        std::fs::write(place.config().join(format!("channels/{id}.toml")), file).expect("a file");
    }
    let events = "/channels/kakao-a/events";
    let no_body =
        event_signed(EVENTS_SECRET, events, "").split("content-length").next().expect("a head").to_owned() + "\r\n";
    for (capture, expected, says) in [
        (event_signed(EVENTS_SECRET, events, ""), 0, "verified: application or key number 1"),
        (event_signed(CALLS_SECRET, events, ""), 1, "signed with `api_secret` of the channel `kakao-a`"),
        (event_signed(OTHERS_SECRET, events, ""), 1, "signed with `secrets` of the channel `kakao-b`"),
        (event_signed(GATE_SECRET, events, ""), 1, "signed with `secret` of the back-end `gate`"),
        (event_signed(EVENTS_SECRET, events, "content-encoding: gzip\r\n"), 1, "(415)"),
        (
            event_signed(EVENTS_SECRET, "/channels/kakao-b/events", ""),
            1,
            "another channel's: ask with --channel kakao-b",
        ),
        (event_signed(EVENTS_SECRET, "/channels/kakao-a/event", ""), 1, "there is no call `event` (404)"),
        (no_body, 1, "it shows no body"),
    ] {
        let file = place.path().join("request");
        std::fs::write(&file, &capture).expect("a file");
        let file = file.to_str().expect("a path").to_owned();
        let (code, out, err) = said(place.run(&["verify", "--channel", "kakao-a", "--request", &file]).await);
        assert!(code == Some(expected) && format!("{out}{err}").contains(says), "{says}: {code:?} {out}{err}");
        assert!(!out.contains("none of the known mistakes"), "it is known what it is: {out}");
        for secret in [EVENTS_SECRET, CALLS_SECRET, OTHERS_SECRET, GATE_SECRET] {
            assert!(!format!("{out}{err}").contains(secret), "a secret is shown: {out}{err}");
        }
    }
}

/// A listener that takes one request whole and answers it.
async fn answer_once(listener: &tokio::net::TcpListener) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (mut connection, _) = listener.accept().await.expect("a caller");
    let mut read = Vec::new();
    while !read.ends_with(b"V100\"}") {
        let mut part = [0; 1024];
        let many = connection.read(&mut part).await.expect("bytes");
        read.extend_from_slice(&part[..many]);
    }
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    connection.write_all(answer).await.expect("it is read");
}

#[tokio::test]
async fn verify_reads_what_curl_itself_writes() {
    let place = place();
    let body = r#"{"order_id":"V100"}"#;
    let request = captured(CLIENT_SECRET, body, 60_000);
    let (head, _) = request.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a target");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (trace, body_file) = (place.path().join("trace"), place.path().join("body"));
    std::fs::write(&body_file, body).expect("a file");
    let mut curl = tokio::process::Command::new("curl");
    curl.arg("-sv").arg("--trace").arg(&trace).arg(format!("http://{address}{target}")).arg("--data-binary").arg(body);
    for line in lines.filter(|line| !line.starts_with("Host") && !line.starts_with("content-length")) {
        curl.arg("-H").arg(line);
    }
    let (output, ()) = tokio::join!(curl.output(), answer_once(&listener));
    assert!(output.expect("curl").status.success());
    // The same by `-v`, which shows no body.
    let mut curl = tokio::process::Command::new("curl");
    curl.arg("-sv").arg(format!("http://{address}{target}")).arg("--data-binary").arg(body);
    for line in head.lines().skip(1).filter(|line| !line.starts_with("Host") && !line.starts_with("content-length")) {
        curl.arg("-H").arg(line);
    }
    let (output, ()) = tokio::join!(curl.output(), answer_once(&listener));
    let shown = place.path().join("shown");
    std::fs::write(&shown, output.expect("curl").stderr).expect("a file");
    let verify = async |file: &std::path::Path, more: &[&str]| {
        let words = ["verify", "--channel", "douyin-main", "--request", file.to_str().expect("a path")];
        said(place.run(&[&words[..], more].concat()).await)
    };
    let (code, out, err) = verify(&trace, &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, _, err) = verify(&shown, &[]).await;
    assert!(code == Some(1) && err.contains("--body FILE"), "{err}");
    let (code, out, err) = verify(&shown, &["--body", body_file.to_str().expect("a path")]).await;
    assert_eq!(code, Some(0), "{out}{err}");
}

#[tokio::test]
async fn the_first_administrator_is_made_on_the_host() {
    let place = place();
    let (code, _, err) = said(place.run(&["accounts", "create-admin", "--email", "boss@x.example"]).await);
    assert!(
        code == Some(1) && err.contains("`ticketbridge migrate` makes it"),
        "nobody told it to make a database: {err}"
    );
    assert_eq!(said(place.run(&["migrate"]).await).0, Some(0));
    let (code, out, err) = said(place.run(&["accounts", "create-admin", "--email", "boss@x.example"]).await);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    let link = out.lines().next().expect("a line");
    let token = link.rsplit('/').next().expect("a token");
    assert!(link.contains("/console/invitations/") && token.len() == 64, "{out}");
    let (code, out, _) = said(place.run(&["accounts", "list"]).await);
    assert_eq!((code, out.as_str()), (Some(0), ""), "nobody has accepted it yet");
    let (code, _, err) = said(place.run(&["accounts", "deactivate", "boss@x.example"]).await);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no account"), "{err}");
    let (code, _, err) = said(place.run(&["accounts", "create-admin", "--email", "nobody"]).await);
    assert_eq!(code, Some(1), "{err}");
}
