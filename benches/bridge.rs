// SPDX-License-Identifier: Apache-2.0

//! The bridge under measurement: the real program in a process of its own, on a configuration made for the run.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::moment;
use crate::wire::douyin::{CLIENT_KEY, CLIENT_SECRET, PRICE, Product};
use crate::wire::http::{Ask, Client};
use crate::wire::kakao;

/// The first argument under which this program is the bridge itself.
pub(crate) const AS_BRIDGE: &str = "as-bridge";
/// The token of the ops interface.
pub(crate) const OPS_TOKEN: &str = "an-ops-token-of-the-benchmark";
/// The secret shared with the ticketing system.
pub(crate) const GATE_SECRET: &str = "whsec_YmVuY2htYXJrLWdhdGUtc2VjcmV0";
/// The program's environment.
pub(crate) const ENVIRONMENT: [(&str, &str); 6] = [
    ("TICKETBRIDGE_DATA_KEY", "VGhpcyBpcyBhIGtleSBmb3IgdGVzdHMsIDMyIGJ5dGU="),
    ("TICKETBRIDGE_OPS_TOKEN", OPS_TOKEN),
    ("DOUYIN_SECRET", CLIENT_SECRET),
    ("GATE_SECRET", GATE_SECRET),
    ("KAKAO_WEBHOOK_SECRET", kakao::SECRET),
    ("KAKAO_API_SECRET", "whsec_YmVuY2htYXJrLWNhbGxzLXNlY3JldA=="),
];
/// Longest time in which the program starts or stops.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which program is measured.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// This one: the library that it was built with.
    Own,
    /// Another `ticketbridge`, such as one built before a change.
    Other(PathBuf),
}

impl Program {
    fn command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = match self {
            Program::Own => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg(AS_BRIDGE);
                command
            }
            Program::Other(path) => Command::new(path),
        };
        command.args(arguments).envs(ENVIRONMENT).kill_on_drop(true);
        command.env_remove("TICKETBRIDGE_LISTEN").env_remove("TICKETBRIDGE_DATABASE_URL");
        Ok(command)
    }
}

/// A directory with the configuration of a run.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    /// Writes the configuration of a bridge on the database at `url`, with its partners at `partners`.
    ///
    /// # Errors
    /// When files cannot be written.
    pub(crate) fn new(url: &str, partners: SocketAddr) -> anyhow::Result<Self> {
        let place = Self { directory: tempfile::tempdir()? };
        for (name, text) in files(url, partners) {
            let path = place.config().join(name);
            std::fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            std::fs::write(path, text)?;
        }
        Ok(place)
    }
    pub(crate) fn config(&self) -> PathBuf {
        self.directory.path().join("config")
    }
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }
    /// What the program has logged that is worth a look.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// The program, running.
#[derive(Debug)]
pub(crate) struct Bridge {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// From its start to its first answer of 200 to the question whether it is ready.
    pub(crate) ready_after: Duration,
}

impl Bridge {
    /// Starts it, and waits until it says that it is ready.
    ///
    /// # Errors
    /// When it does not start; its log is told.
    pub(crate) async fn start(program: &Program, place: &Place) -> anyhow::Result<Self> {
        let begun = moment::now();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(place.path().join("log"))?;
        let mut command = program.command(&["serve", "--create", "--config"])?;
        command.arg(place.config()).current_dir(place.path()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output is ours")?).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the bridge does not start")??;
        let Some(line) = line else { bail!("the bridge ended at once: {}", place.log()) };
        let address = line.rsplit_once("http://").and_then(|(_, address)| address.trim().parse().ok());
        let address = address.with_context(|| format!("no address in {line:?}"))?;
        // It says nothing more; a full pipe would stop it if it did.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let pid = child.id().context("it runs")?;
        let mut client = Client::new(address);
        while client.send(Ask::get("/readyz")).await.is_ok_and(|answer| answer.status != 200) {
            ensure!(begun.elapsed() < PATIENCE, "the bridge is never ready");
            moment::pause(Duration::from_millis(2)).await;
        }
        Ok(Self { child, address, pid, ready_after: begun.elapsed() })
    }

    /// `GET` of the ops interface.
    ///
    /// # Errors
    /// When the answer is none or not 200.
    pub(crate) async fn ops(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let ask = Ask::get(format!("/ops/v1/{path}")).with("authorization", &format!("Bearer {OPS_TOKEN}"));
        let answer = Client::new(self.address).send(ask).await?;
        ensure!(answer.status == 200, "GET {path}: {}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    /// The sums of the service's own counters by name, whatever their labels.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn metric(&self, name: &str, label: Option<&str>) -> anyhow::Result<Option<f64>> {
        let answer = Client::new(self.address).send(Ask::get("/metrics")).await?;
        Ok(sum_of(&String::from_utf8_lossy(&answer.body), name, label))
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid.to_string();
        Command::new("kill").args(["-TERM", &pid]).status().await?;
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the bridge does not stop")??;
        ensure!(status.success(), "the bridge ended with {status}");
        Ok(())
    }
}

fn sum_of(text: &str, name: &str, label: Option<&str>) -> Option<f64> {
    let values: Vec<f64> = text
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| label.is_none_or(|label| line.contains(label)))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// Makes the bridge's tables at an address, by the program itself.
///
/// # Errors
/// When it cannot.
pub(crate) async fn migrate(program: &Program, url: &str) -> anyhow::Result<()> {
    let place = Place::new(url, SocketAddr::from(([127, 0, 0, 1], 9)))?;
    let output =
        program.command(&["migrate", "--config"])?.arg(place.config()).current_dir(place.path()).output().await?;
    ensure!(output.status.success(), "no tables at {url}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Every file of the configuration. What is not said here is as it is for everybody.
fn files(url: &str, partners: SocketAddr) -> Vec<(String, String)> {
    let service = format!(
        r#"[server]
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:8080"
rate_per_caller = 1000000

[database]
url = "{url}"

[privacy]
key = {{ env = "TICKETBRIDGE_DATA_KEY" }}

[ops]
tokens = [{{ name = "ops", role = "admin", token = {{ env = "TICKETBRIDGE_OPS_TOKEN" }} }}]

[log]
level = "warn"
"#
    );
    let gate = format!(
        "id = \"gate\"\nadapter = \"ticketing_http\"\nat_once = 2000\n[settings]\nbase_url = \"http://{partners}/gate\"\n\
         secret = {{ env = \"GATE_SECRET\" }}\ntimeout = \"5s\"\n"
    );
    let kakao = format!(
        "id = \"{}\"\nadapter = \"kakao\"\n[settings]\nsecrets = [{{ env = \"KAKAO_WEBHOOK_SECRET\" }}]\n\
         api_base = \"http://{partners}\"\napi_secret = {{ env = \"KAKAO_API_SECRET\" }}\n\
         capabilities = [\"confirm\", \"reject\", \"cancel\", \"payment_only_cancel\", \"no_show\", \"read_back\"]\n\
         time_zone = \"Asia/Seoul\"\ncommission_bp = 300\nconfirm_limit = \"24h\"\n",
        kakao::CHANNEL
    );
    let mut files = vec![
        ("ticketbridge.toml".to_owned(), service),
        ("credit.toml".to_owned(), CREDIT.to_owned()),
        ("backends/gate.toml".to_owned(), gate),
        (format!("channels/{}.toml", kakao::CHANNEL), kakao),
        ("products/all.toml".to_owned(), products()),
    ];
    for product in [Product::Lean, Product::Hot] {
        files.push((format!("channels/{}.toml", product.channel()), channel(product, partners)));
    }
    files
}

const CREDIT: &str = "[[credit_account]]\nid = \"acme\"\ncurrency = \"CNY\"\nlimit = 900000000000\n";

fn channel(product: Product, partners: SocketAddr) -> String {
    let credit = match product {
        Product::Lean => "",
        Product::Hot => "credit_account = \"acme\"\n",
    };
    format!(
        "id = \"{}\"\nadapter = \"douyin\"\n[settings]\naccount_id = \"7123456789\"\n\
         apps = [{{ client_key = \"{CLIENT_KEY}\", client_secret = {{ env = \"DOUYIN_SECRET\" }} }}]\n\
         api_base = \"http://{partners}\"\ncreation = \"after_payment\"\nconfirm = \"sync\"\nprice_check = true\n{credit}",
        product.channel()
    )
}

fn products() -> String {
    let (from, to) = (moment::date_in(-60), moment::date_in(85));
    format!(
        r#"[[voucher_product]]
code     = "LEAN-V"
name     = "Lean"
price    = {PRICE}
currency = "CNY"
booking_window = {{ from = "{from}", to = "{to}" }}
booking_product = "LEAN-B"

[[booking_product]]
code     = "LEAN-B"
name     = "Lean visit"
ticketing = {{ mode = "backend", backend = "gate", product = "P-1" }}
guests   = {{ who = "one", fields = ["name", "phone"] }}
cancellation = {{ kind = "anytime" }}
calendar = [{{ from = "{from}", to = "{to}", price = {PRICE} }}]

[[voucher_product]]
code     = "HOT-V"
name     = "Hot"
price    = {PRICE}
currency = "CNY"
stock    = 100000000
booking_window = {{ from = "{from}", to = "{to}" }}
booking_product = "HOT-B"
limits   = {{ per_phone = 5 }}

[[booking_product]]
code     = "HOT-B"
name     = "Hot visit"
ticketing = {{ mode = "backend", backend = "gate", product = "P-2" }}
guests   = {{ who = "each", fields = ["name", "phone", "document"], documents = ["passport"] }}
cancellation = {{ kind = "anytime" }}
limits   = {{ per_phone = 10, per_document = 5 }}
calendar = [{{ from = "{from}", to = "{to}", stock = 100000000, price = {PRICE} }}]

[[booking_product]]
code     = "{}"
name     = "Forest walk"
confirm  = "auto"
ticketing = {{ mode = "backend", backend = "gate", product = "P-3" }}
cancellation = {{ kind = "anytime" }}
guests   = {{ who = "one", fields = [] }}
calendar = [{{ from = "{from}", to = "{to}", price = 38000 }}]

[[booking_product]]
code     = "{}"
name     = "Forest class"
confirm  = "manual"
ticketing = {{ mode = "none" }}
cancellation = {{ kind = "anytime" }}
guests   = {{ who = "one", fields = [] }}
calendar = [{{ from = "{from}", to = "{to}", price = 38000 }}]
"#,
        kakao::PRODUCT,
        kakao::MANUAL
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_a_run_passes_every_check() {
        let place = Place::new("sqlite://bench.db", SocketAddr::from(([127, 0, 0, 1], 9))).unwrap();
        let environment = ticketbridge::config::Environment::only(ENVIRONMENT);
        if let Err(report) = ticketbridge::config::Config::load(&place.config(), &environment) {
            panic!("{report}");
        }
    }

    #[test]
    fn a_metric_is_summed_over_its_labels() {
        let text = "# HELP a x\na_total{name=\"x\",outcome=\"committed\"} 3\na_total{name=\"y\",outcome=\"failed\"} 4\na_totals 9\nb 1\n";
        assert_eq!(sum_of(text, "a_total", None), Some(7.0));
        assert_eq!(sum_of(text, "a_total", Some("committed")), Some(3.0));
        assert_eq!(sum_of(text, "c", None), None);
    }
}
