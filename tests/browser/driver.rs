// SPDX-License-Identifier: Apache-2.0

//! A real browser: headless Chromium behind its own driver, spoken to by WebDriver, and by the debugging protocol for what that has no words
//! for: sizes and colour schemes, keys, and authenticators.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// CI sets this: then a missing browser is a failure.
const REQUIRED: &str = "TICKETBRIDGE_REQUIRE_BROWSER";
/// Longest time that something may take to come about, on a machine that does other things besides.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How often something is tried that the service has no time for.
pub(crate) const TRIES_MAX: usize = 20;
/// How often is looked meanwhile.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A browser that ends with the test.
pub(crate) struct Browser {
    pub(crate) client: Client,
    /// Dropping it ends the driver, and with it the browser.
    _driver: Child,
}

/// A command of the debugging protocol.
#[derive(Debug)]
struct Debugging {
    cmd: &'static str,
    params: Value,
}

impl WebDriverCompatibleCommand for Debugging {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }
    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "cmd": self.cmd, "params": self.params }).to_string()))
    }
}

/// Lets time pass in the browser, which has its own: no clock of ours moves it.
#[expect(clippy::disallowed_methods, reason = "a real browser runs in real time")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Where a program is, by its name.
fn found(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|path| path.join(name).is_file())
}

impl Browser {
    /// Starts one; `None`, said aloud, where there is none and nobody requires it.
    pub(crate) async fn start() -> Option<Browser> {
        if !found("chromedriver") || !found("chromium") {
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, and chromium or chromedriver is not on this machine (Debian: chromium, chromium-driver)"
            );
            eprintln!(
                "\n*** SKIPPED: nobody has looked at the console: chromium or chromedriver is not on this machine (Debian: chromium, chromium-driver) ***\n"
            );
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = loop {
            let line = lines.next_line().await.expect("text").expect("chromedriver says its port");
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                break rest.trim_end_matches('.').to_owned();
            }
        };
        // What it says further is read, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                "--force-color-profile=srgb", "--force-prefers-reduced-motion", "--lang=en", "--no-first-run", "--disable-background-networking",
            ],
        });
        let mut wanted = serde_json::Map::new();
        wanted.insert("browserName".to_owned(), json!("chrome"));
        wanted.insert("goog:chromeOptions".to_owned(), options);
        // Milliseconds; the driver's own are for a machine that does nothing else.
        let limits = json!({ "script": PATIENCE.as_millis() as u64, "pageLoad": PATIENCE.as_millis() as u64 });
        wanted.insert("timeouts".to_owned(), limits);
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser");
        Some(Browser { client, _driver: driver })
    }

    /// Ends it.
    pub(crate) async fn stop(&self) {
        drop(self.client.clone().close().await);
    }

    /// A command of the debugging protocol.
    pub(crate) async fn debugging(&self, cmd: &'static str, params: Value) -> Value {
        self.client.issue_cmd(Debugging { cmd, params }).await.unwrap_or_else(|error| panic!("{cmd}: {error}"))
    }

    /// Opens an address, and waits until it is there; again where the service says that it has no time at present, as a person would.
    pub(crate) async fn open(&self, address: &str) {
        for _ in 0..TRIES_MAX {
            self.client.goto(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
            if !self.is_put_off().await {
                return;
            }
        }
        panic!("{address}: {}", self.text().await);
    }

    /// Whether the page says that nothing was done for want of time: a machine that does other things besides may be that slow.
    pub(crate) async fn is_put_off(&self) -> bool {
        let says =
            "const it = document.querySelector('[role=alert] strong'); return !!it && it.textContent === 'unavailable'";
        self.script(says).await == json!(true)
    }

    /// So wide a window, in pixels of the style.
    pub(crate) async fn width(&self, width: u32) {
        self.window(width, 900).await;
    }

    /// So wide and so high a window.
    pub(crate) async fn window(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.debugging("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// As somebody who likes it `light` or `dark`.
    pub(crate) async fn scheme(&self, scheme: &str) {
        // Nothing moves: what is judged at once would be half of one scheme and half of the other.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }, still] });
        self.debugging("Emulation.setEmulatedMedia", features).await;
    }

    /// What a script answers.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Presses a key.
    pub(crate) async fn press(&self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, None),
            "Enter" => ("Enter", 13, Some("\r")),
            " " => ("Space", 32, Some(" ")),
            "ArrowDown" => ("ArrowDown", 40, None),
            other => panic!("no key {other}"),
        };
        let mut down = json!({ "type": if text.is_some() { "keyDown" } else { "rawKeyDown" }, "key": key, "code": code,
            "windowsVirtualKeyCode": number });
        if let Some(text) = text {
            down["text"] = json!(text);
        }
        self.debugging("Input.dispatchKeyEvent", down).await;
        let up = json!({ "type": "keyUp", "key": key, "code": code, "windowsVirtualKeyCode": number });
        self.debugging("Input.dispatchKeyEvent", up).await;
    }

    /// Types a text where the focus is.
    pub(crate) async fn types(&self, text: &str) {
        self.debugging("Input.insertText", json!({ "text": text })).await;
    }

    /// Waits until something with this selector is there.
    pub(crate) async fn waits_for(&self, css: &str) -> fantoccini::elements::Element {
        match self.client.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.text().await),
        }
    }

    /// Writes into a field, or presses a button, as soon as it can be done: it may not be there yet, or be another one by now.
    pub(crate) async fn uses(&self, css: &str, text: Option<&str>) {
        let tries = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
        let mut last = None;
        for _ in 0..tries {
            let done = match (self.client.find(Locator::Css(css)).await, text) {
                (Ok(field), Some(text)) => field.send_keys(text).await,
                (Ok(button), None) => button.click().await,
                (Err(error), _) => Err(error),
            };
            match done {
                Ok(()) => return,
                Err(error) => last = Some(error),
            }
            self.unfolds(css).await;
            pause(LOOK_EVERY).await;
        }
        panic!("{css}: {last:?}\n{}", self.text().await);
    }

    /// What is folded away is unfolded by its summary, as a person does it.
    async fn unfolds(&self, css: &str) {
        let folded = format!(
            "const it = document.querySelector({})?.closest('details:not([open])'); it?.querySelector('summary').click(); return !!it",
            json!(css)
        );
        self.script(&folded).await;
    }

    /// Waits until a script says yes.
    pub(crate) async fn waits_until(&self, script: &str) {
        let is_so = async || self.script(script).await == json!(true);
        let tries = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
        for _ in 0..tries {
            if is_so().await {
                return;
            }
            pause(LOOK_EVERY).await;
        }
        panic!("never so: {script}\n{}", self.text().await);
    }

    /// What stands on the page.
    pub(crate) async fn text(&self) -> String {
        self.script("return document.body ? document.body.innerText : ''").await.as_str().unwrap_or_default().to_owned()
    }

    /// A picture of what a window of this size shows, at two thirds of its size.
    pub(crate) async fn picture(&self, width: u32, height: u32) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 0.67 });
        let taken = self.debugging("Page.captureScreenshot", json!({ "format": "png", "clip": clip })).await;
        STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }
}
