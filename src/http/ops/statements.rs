//! Statements (PA-05), for settlement officers.

use http::StatusCode;
use ticketbridge_core::TimeZone;
use ticketbridge_core::product::{Currency, DateRange};

use crate::config::ChannelConfig;
use crate::http::ops::body::refused;
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::credit::account_named;
use crate::http::ops::view::common_zone;
use crate::http::problem::Problem;
use crate::statement::{Statement, StatementError};

/// `GET statements`: one statement, of a settle id or of a credit account.
pub(crate) async fn show(request: Request) -> Outcome {
    let period = period(&request)?;
    let statement = match (request.query.text("settle_id"), request.query.text("account")) {
        (Some(settle_id), None) => of_settle_id(&request, settle_id, period).await?,
        (None, Some(account)) => {
            let account = account_named(&request, account)?;
            let zone = period_zone(&request, |channel| channel.credit_account.as_deref() == Some(&account.id));
            Statement::of_account(request.shared.engine.store(), account, period, zone).await?
        }
        _ => return Err(refused("settle_id", "give either `settle_id` or `account`").into()),
    };
    let wants_csv = match request.query.text("format") {
        Some(format) => format == "csv",
        None => request.wants_csv,
    };
    Ok(if wants_csv { Said::csv(statement.csv()) } else { Said::ok(&statement.json()) })
}

fn period(request: &Request) -> Result<DateRange, Failure> {
    let day = |name: &'static str| {
        let missing =
            || refused(name, format!("`{name}` is missing: a date YYYY-MM-DD; both days belong to the period"));
        request.query.date(name).ok_or_else(missing)
    };
    Ok(DateRange { from: day("from")?, to: day("to")? })
}

/// The zone whose days a statement covers: that of the channels it is about, where they have one in common.
fn period_zone(request: &Request, is_about: impl Fn(&ChannelConfig) -> bool) -> TimeZone {
    let channels = request.running.config.channels.iter().filter(|channel| is_about(channel));
    let mut zones = channels
        .filter_map(|channel| request.running.registry.channel(&channel.id))
        .map(|channel| channel.channel.rules().time_zone);
    match zones.next() {
        Some(first) if zones.all(|zone| zone == first) => first,
        _ => common_zone(&request.running),
    }
}

async fn of_settle_id(request: &Request, settle_id: &str, period: DateRange) -> Result<Statement, Failure> {
    let config = &request.running.config;
    let is_settled = |channel: &ChannelConfig| channel.settle_id.as_deref().unwrap_or(channel.id.as_str()) == settle_id;
    let zone = period_zone(request, is_settled);
    let usual = config.vouchers.values().next().map_or(Currency("CNY".to_owned()), |voucher| voucher.currency.clone());
    let wanted = request.query.text("currency").map(|code| Currency(code.to_ascii_uppercase()));
    let store = request.shared.engine.store();
    let statement = Statement::of_settle_id(store, settle_id, period, zone, wanted, usual).await?;
    if statement.lines.is_empty() && !config.channels.iter().any(is_settled) {
        let sentence =
            "no channel is settled under this id; a channel's own id is its settle id unless it names another";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", sentence).at("settle_id").into());
    }
    Ok(statement)
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        let field = match &error {
            StatementError::Period | StatementError::TooLong => "to",
            StatementError::Currencies(_) => "currency",
            StatementError::Store(error) => return error.clone().into(),
        };
        refused(field, format!("{error}")).into()
    }
}
