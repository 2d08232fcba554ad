// SPDX-License-Identifier: Apache-2.0

//! The demonstration that stays up: the service with the orders of its stories, and the link that opens its console.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::driver::{LOOK_EVERY, PATIENCE, TRIES_MAX, pause};

/// A running demonstration; it ends with the test.
pub(crate) struct Demo {
    /// Where the bridge is.
    pub(crate) url: String,
    /// The link that opens the console, once.
    pub(crate) link: String,
    token: String,
    _process: Child,
}

impl Demo {
    /// Plays the stories, and stays up.
    pub(crate) async fn keep() -> Demo {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ticketbridge"))
            .args(["demo", "--keep"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .expect("the demonstration starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let (mut link, mut token) = (String::new(), String::new());
        while let Some(line) = lines.next_line().await.expect("text") {
            let line = line.trim();
            if line.contains("/console/enter/") {
                line.clone_into(&mut link);
            }
            if let Some((_, rest)) = line.split_once("Authorization: Bearer ") {
                rest.split('\'').next().unwrap_or_default().clone_into(&mut token);
            }
            if line.contains("It stays up") {
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let url = link.split("/console").next().unwrap_or_default().to_owned();
        assert!(
            url.starts_with("http://127.0.0.1:") && !token.is_empty(),
            "the demonstration says where it is: {link}"
        );
        Demo { url, link, token, _process: process }
    }

    /// `POST /ops/v1/{path}` by the administrator's token.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.ask(path, || client().post(format!("{}/ops/v1/{path}", self.url)).json(body)).await
    }

    /// `GET /ops/v1/{path}` by the administrator's token.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.ask(path, || client().get(format!("{}/ops/v1/{path}", self.url))).await
    }

    /// Asks, and again where the service says that it has no time at present and has done nothing.
    async fn ask(&self, path: &str, request: impl Fn() -> reqwest::RequestBuilder + Send + Sync) -> Value {
        for _ in 0..TRIES_MAX {
            let answer = request().bearer_auth(&self.token).send().await.expect("an answer");
            if answer.status() == http::StatusCode::SERVICE_UNAVAILABLE {
                pause(LOOK_EVERY).await;
                continue;
            }
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            return answer.json().await.expect("JSON");
        }
        panic!("{path}: the service never has time")
    }

    /// The same until the answer is as it should be.
    pub(crate) async fn comes_to(&self, path: &str, is_so: impl Fn(&Value) -> bool + Send) -> Value {
        let tries = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
        let mut answer = Value::Null;
        for _ in 0..tries {
            answer = self.get(path).await;
            if is_so(&answer) {
                return answer;
            }
            pause(LOOK_EVERY).await;
        }
        panic!("{path} never came to be as it should: {answer}")
    }
}

#[expect(clippy::disallowed_methods, reason = "the test asks the service from outside, as anybody would")]
fn client() -> reqwest::Client {
    ticketbridge::transport::install_tls();
    reqwest::Client::new()
}
