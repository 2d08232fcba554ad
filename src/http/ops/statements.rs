// SPDX-License-Identifier: Apache-2.0

//! Statements (PA-05), for settlement officers.

use http::StatusCode;
use ticketbridge_core::TimeZone;
use ticketbridge_core::product::{Currency, DateRange};

use ticketbridge_store::Tx;

use crate::accounts::scope::Access;
use crate::config::ChannelConfig;
use crate::engine::EngineError;
use crate::engine::manual_commands::keep;
use crate::http::ops::answers::Time;
use crate::http::ops::answers::books::{self, Settled, StatementLine, Totals};
use crate::http::ops::call::{Failure, Outcome, Request, Said, written};
use crate::http::ops::config::check_version;
use crate::http::ops::credit::account_named;
use crate::http::ops::partners::shared_with_others;
use crate::http::ops::view::common_zone;
use crate::http::ops::{body, query};
use crate::http::problem::Problem;
use crate::statement::{Line, Statement, StatementError, Whose};

/// `GET statements`: one statement, of a settle id or of a credit account.
pub(crate) async fn show(request: Request) -> Outcome {
    let period = period(&request)?;
    let statement = match (request.query.text("settle_id"), request.query.text("account")) {
        (Some(settle_id), None) => of_settle_id(&request, settle_id, period).await?,
        (None, Some(account)) => {
            let account = account_named(&request, account)?;
            // Its lines name the orders of all who are charged to it.
            if request.reach.credit_account(&request.running.config, &account.id) != Access::Act {
                return Err(shared_with_others("credit account"));
            }
            let zone = period_zone(&request, |channel| channel.credit_account.as_deref() == Some(&account.id));
            Statement::of_account(request.shared.engine.store(), account, period, zone).await?
        }
        _ => return Err(query::refused("settle_id", "give either `settle_id` or `account`").into()),
    };
    let wants_csv = match request.query.text("format") {
        Some(format) => format == "csv",
        None => request.wants_csv,
    };
    if wants_csv {
        return Ok(Said::csv(statement.csv()));
    }
    let until = match &statement.whose {
        Whose::SettleId(id) => request.shared.engine.store().settled_until(id).await?,
        Whose::Account { .. } => None,
    };
    Ok(Said::ok(&shown(&statement, Time::maybe(until, statement.zone))))
}

fn shown(of: &Statement, settled_until: Option<Time>) -> books::Statement<'_> {
    let (settle_id, account, opening) = match &of.whose {
        Whose::SettleId(id) => (Some(id.as_str()), None, None),
        Whose::Account { id, opening } => (None, Some(id.as_str()), Some(*opening)),
    };
    books::Statement {
        settle_id,
        account,
        from: of.period.from,
        to: of.period.to,
        currency: &of.currency,
        settled_until,
        lines: of.lines.iter().map(|it| line(it, of.zone)).collect(),
        totals: Totals {
            sales: of.total("sale"),
            commission: of.total("commission"),
            refunds: of.total("refund"),
            // What was kept of an account's sales is what its refunds did not give back.
            fees: settle_id.map(|_| of.total("fee")),
            opening,
            deposits: account.map(|_| of.total("deposit")),
            balance: of.balance(),
        },
    }
}

fn line(of: &Line, zone: TimeZone) -> StatementLine<'_> {
    StatementLine { order_id: of.order.as_deref(), at: Time::of(of.at, zone), kind: of.kind, amount: of.amount }
}

fn period(request: &Request) -> Result<DateRange, Failure> {
    let day = |name: &'static str| {
        let missing =
            || query::refused(name, format!("`{name}` is missing: a date YYYY-MM-DD; both days belong to the period"));
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

/// The zone of what is settled under an id: the one that its settle unit names, or else that of its channels.
pub(crate) fn settled_zone(request: &Request, settle_id: &str) -> TimeZone {
    let unit = request.running.config.organisation.settle_unit(settle_id);
    let named = unit.and_then(|unit| unit.time_zone);
    named.unwrap_or_else(|| period_zone(request, |channel| is_settled_under(channel, settle_id)))
}

/// Whether a channel's orders are settled under this id; its own name is its settle id unless it names another.
fn is_settled_under(channel: &ChannelConfig, settle_id: &str) -> bool {
    channel.settle_id.as_deref().unwrap_or(channel.id.as_str()) == settle_id
}

async fn of_settle_id(request: &Request, settle_id: &str, period: DateRange) -> Result<Statement, Failure> {
    let config = &request.running.config;
    let is_unit = config.organisation.settle_unit(settle_id).is_some();
    if !(request.reach.has_settle_id(settle_id)) {
        return Err(unknown_settle_id().into());
    }
    let zone = settled_zone(request, settle_id);
    let usual = config.vouchers.values().next().map_or(Currency("CNY".to_owned()), |voucher| voucher.currency.clone());
    let wanted = request.query.text("currency").map(|code| Currency(code.to_ascii_uppercase()));
    let store = request.shared.engine.store();
    let statement = Statement::of_settle_id(store, settle_id, period, zone, wanted, usual).await?;
    // A unit that no channel names yet has an empty statement.
    if statement.lines.is_empty()
        && !is_unit
        && !config.channels.iter().any(|channel| is_settled_under(channel, settle_id))
    {
        return Err(unknown_settle_id().into());
    }
    Ok(statement)
}

fn unknown_settle_id() -> Problem {
    let sentence = "no channel is settled under this id; a channel's own id is its settle id unless it names another";
    Problem::new(StatusCode::NOT_FOUND, "not_found", sentence).at("settle_id")
}

/// `POST statements/close`: settles everything of a unit up to the end of a day. What comes later is unsettled.
pub(crate) async fn close(request: Request) -> Outcome {
    check_version(&request)?;
    let settle_id = request.given.needed("settle_id");
    let config = &request.running.config;
    // What a channel sold before it named a unit is settled under the name that it stands under.
    let is_of_before = config.channels.iter().any(|it| it.id.as_str() == settle_id && it.had_another_settle_id());
    let is_there = config.organisation.settle_unit(&settle_id).is_some() || is_of_before;
    if !is_there || !request.reach.has_settle_id(&settle_id) {
        let sentence = "there is no settle unit of this name";
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", sentence).at("settle_id").into());
    }
    let to = request.given.date("to").ok_or_else(|| body::refused("to", "`to` is a date YYYY-MM-DD"))?;
    let zone = settled_zone(&request, &settle_id);
    let (until, now) = (zone.end_of(to), request.shared.engine.clock().now());
    if until > now {
        return Err(body::refused("to", "`to` is a day that is over: what is still to come cannot be settled").into());
    }
    let store = request.shared.engine.store();
    let (work, once) = (std::sync::Arc::new((settle_id.clone(), request.holder.name.clone())), request.once.clone());
    let told = Settled { settle_id: &settle_id, to, settled_until: Time::of(until, zone) };
    let body = written(&told);
    let kept = std::sync::Arc::new((once, body.clone()));
    let settled: Result<bool, EngineError> = store
        .write("settle", move |tx: &Tx| {
            let (work, kept) = (work.clone(), kept.clone());
            Box::pin(async move {
                let settled = tx.settle_until(&work.0, until, &work.1, now).await?;
                if settled {
                    keep(tx, kept.0.as_ref(), 200, &kept.1, now).await?;
                }
                Ok(settled)
            })
        })
        .await;
    if !settled? {
        let sentence = "this unit is settled until then, or for longer, already";
        return Err(Problem::new(StatusCode::CONFLICT, "already_settled", sentence).at("to").into());
    }
    tracing::info!(%settle_id, %to, by = %request.holder.name, "a settle unit was settled");
    Ok(Said::kept(body))
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        let field = match &error {
            StatementError::Period | StatementError::TooLong => "to",
            StatementError::Currencies(_) => "currency",
            StatementError::Store(error) => return error.clone().into(),
        };
        query::refused(field, error.to_string()).into()
    }
}
