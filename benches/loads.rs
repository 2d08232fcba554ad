// SPDX-License-Identifier: Apache-2.0

//! The loads that are played, and how a load becomes a line of the report.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::books::Stage as Far;
use crate::bridge::GATE_SECRET;
use crate::latency::Times;
use crate::looks;
use crate::meter::{self, Look};
use crate::moment;
use crate::partners::Manner;
use crate::play::{End, Load, Notes, Pace, Played, Turn, play};
use crate::process;
use crate::report::{Idle, LoadReport};
use crate::stage::{Caller, Stage, Voucher};
use crate::wire::douyin::{self, Product};
use crate::wire::kakao;

/// How often the backlog is noted.
const BACKLOG_EVERY: Duration = Duration::from_millis(500);
/// Longest wait for the ticketing system to be called for everything.
const CATCH_UP: Duration = Duration::from_secs(60);
/// Callers of an open loop: as many requests as can be under way.
const OPEN_CALLERS: usize = 256;
/// Bookings a second while timers come due.
const TIMERS_BOOKINGS: f64 = 20.0;
/// Longest wait for timers that came due.
const TIMERS_WITHIN: Duration = Duration::from_secs(300);
/// Days until a visit that is not today's.
const LATER: i64 = 7;

fn pace_text(load: &Load) -> String {
    match load.pace {
        Pace::Closed => format!("closed, {} callers", load.callers),
        Pace::Open(per_second) => format!("open, {per_second:.0}/s"),
    }
}

/// A load with an open loop.
pub(crate) fn open(per_second: f64, length: Duration) -> Load {
    Load { callers: OPEN_CALLERS, pace: Pace::Open(per_second.max(1.0)), length }
}

/// A load with so many callers.
pub(crate) fn closed(callers: usize, length: Duration) -> Load {
    Load { callers, pace: Pace::Closed, length }
}

/// What was noted around a load.
struct Around {
    before: Look,
    /// Whether bookings are part of it, whose calls are waited for.
    watched: bool,
    backlog: Vec<u64>,
    /// Steps of another load at the same time, whose cost cannot be told apart.
    steps_beside: u64,
}

fn steps(played: &Played) -> u64 {
    played.good + played.bad.values().sum::<u64>()
}

impl Around {
    async fn begin(stage: &Stage<'_>) -> anyhow::Result<Self> {
        drop(stage.fact_to_call());
        stage.partners.books().in_flight_max = 0;
        let before = meter::look(stage.bridge, stage.database).await?;
        Ok(Self { before, watched: false, backlog: Vec::new(), steps_beside: 0 })
    }

    fn noted(&mut self, backlog: Vec<u64>) {
        self.watched = true;
        self.backlog = backlog;
    }

    async fn end(self, stage: &Stage<'_>, name: &str, load: &Load, played: Played) -> anyhow::Result<LoadReport> {
        let caught_up = if self.watched { stage.caught_up(CATCH_UP).await } else { None };
        let after = meter::look(stage.bridge, stage.database).await?;
        let mut calls: BTreeMap<String, _> =
            played.calls.iter().map(|(call, times)| ((*call).to_owned(), times.figures())).collect();
        let mut to_call = Times::default();
        if self.watched {
            stage.fact_to_call().into_iter().for_each(|time| to_call.add(time));
        }
        if !to_call.is_empty() {
            calls.insert("booking → back-end call".to_owned(), to_call.figures());
        }
        let steps = self.steps_beside + steps(&played);
        let in_flight_max = stage.partners.books().in_flight_max;
        Ok(LoadReport {
            name: name.to_owned(),
            pace: pace_text(load),
            offered: played.offered,
            reached: played.reached,
            bad: played.bad,
            calls,
            generator_late: played.late.figures(),
            cost: meter::cost(self.before, after, steps),
            memory_kib: process::memory_kib(stage.bridge.pid),
            ratios: BTreeMap::new(),
            backlog: self.backlog,
            timers_done_ms: None,
            caught_up_ms: caught_up.map(|time| time.as_secs_f64() * 1_000.0),
            in_flight_max,
        })
    }
}

/// Notes the backlog while `work` goes on.
async fn watching<T>(stage: &Stage<'_>, work: impl Future<Output = T>) -> (T, Vec<u64>) {
    let noted = RefCell::new(Vec::new());
    let watch = async {
        loop {
            moment::pause(BACKLOG_EVERY).await;
            noted.borrow_mut().push(stage.backlog());
        }
    };
    let done = tokio::select! {
        done = work => done,
        never = watch => never,
    };
    let noted = noted.into_inner();
    (done, noted)
}

async fn sell(stage: &Stage<'_>, caller: &mut Caller, product: Product, turn: Turn, notes: &mut Notes) -> End {
    let sold = stage.sell(caller, product).await;
    notes.took("create-order (sale)", moment::now() - turn.intended);
    sold.map_or_else(|end| end, |_| End::Good)
}

/// Sales are accepted.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn accept(stage: &Stage<'_>, product: Product, load: Load) -> anyhow::Result<LoadReport> {
    let around = Around::begin(stage).await?;
    let mut callers = stage.callers(load.callers);
    let played =
        play(load, &mut callers, async |caller, turn, notes| sell(stage, caller, product, turn, notes).await).await;
    around.end(stage, &format!("accept a sale, {}", word(product)), &load, played).await
}

fn word(product: Product) -> &'static str {
    match product {
        Product::Lean => "lean",
        Product::Hot => "hot product",
    }
}

/// Sells vouchers for later.
pub(crate) async fn stock_up(stage: &Stage<'_>, product: Product, many: usize) -> VecDeque<Voucher> {
    let sold = RefCell::new(VecDeque::with_capacity(many));
    let mut callers = stage.callers(32);
    play(closed(32, CATCH_UP * 10), &mut callers, async |caller, _, _| {
        if sold.borrow().len() >= many {
            return End::Over;
        }
        match stage.sell(caller, product).await {
            Ok(voucher) => {
                sold.borrow_mut().push_back(voucher);
                End::Good
            }
            Err(end) => end,
        }
    })
    .await;
    sold.into_inner()
}

/// Sells one voucher.
///
/// # Errors
/// When it is not accepted.
pub(crate) async fn stock_up_one(stage: &Stage<'_>, product: Product) -> anyhow::Result<Voucher> {
    let mut callers = stage.callers(1);
    let caller = callers.first_mut().expect("one was asked for");
    stage.sell(caller, product).await.map_err(|end| anyhow::anyhow!("a sale was not accepted: {end:?}"))
}

async fn book(
    stage: &Stage<'_>,
    caller: &mut Caller,
    vouchers: &RefCell<VecDeque<Voucher>>,
    turn: Turn,
    notes: &mut Notes,
) -> End {
    let Some(voucher) = vouchers.borrow_mut().pop_front() else { return End::Over };
    let booked = stage.book(caller, &voucher, LATER, turn.intended).await;
    notes.took("create-order (booking)", moment::now() - turn.intended);
    booked.map_or_else(|end| end, |_| End::Good)
}

/// Bookings at a set rate; how long until the ticketing system is called.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn bookings(stage: &Stage<'_>, product: Product, load: Load) -> anyhow::Result<LoadReport> {
    let many = match load.pace {
        Pace::Open(per_second) => (per_second * load.length.as_secs_f64()).ceil() as usize,
        Pace::Closed => 0,
    };
    let vouchers = RefCell::new(stock_up(stage, product, many + 1).await);
    let mut around = Around::begin(stage).await?;
    let mut callers = stage.callers(load.callers);
    let work = play(load, &mut callers, async |caller, turn, notes| book(stage, caller, &vouchers, turn, notes).await);
    let (played, backlog) = watching(stage, work).await;
    around.noted(backlog);
    around.end(stage, "booking → ticketing call", &load, played).await
}

/// A sale, its booking, its tickets and its use, one after the other.
async fn whole(
    stage: &Stage<'_>,
    caller: &mut Caller,
    product: Product,
    turn: Turn,
    notes: &mut Notes,
) -> Result<(), End> {
    let mut since = turn.intended;
    let mut took = |call| {
        let now = moment::now();
        notes.took(call, now - since);
        since = now;
    };
    let voucher = stage.sell(caller, product).await?;
    took("1 create-order (sale)");
    let booking = stage.book(caller, &voucher, 0, moment::now()).await?;
    took("2 create-order (booking)");
    let said = stage.douyin(caller, product, "issue-voucher", &douyin::issue(&booking)).await?;
    took("3 issue-voucher");
    if said["result"] != 1 {
        stage.told(&booking).await?;
        took("3b codes by a call");
    }
    let reservation = stage.reservation(&booking).ok_or_else(|| End::Bad("codes without a reservation".to_owned()))?;
    let now = chrono::DateTime::from_timestamp_millis(moment::unix_ms()).map(|at| at.to_rfc3339()).unwrap_or_default();
    let used = serde_json::json!({
        "type": "ticket.redeemed", "reservation_id": reservation, "occurred_at": now, "data": {},
    });
    let ask =
        kakao::signed("/backends/gate/events".to_owned(), GATE_SECRET, &format!("use-{booking}"), &used.to_string());
    let answer = stage.send(caller, ask.map_err(|error| End::Bad(error.to_string()))?, &booking).await?;
    took("4 ticket.redeemed");
    kakao::accepted(&answer).map_err(|why| End::Bad(format!("ticket.redeemed: {why}")))?;
    stage.reached(product.channel(), &voucher.sale, Far::Used, Some(&booking));
    notes.took("whole flow", moment::now() - turn.intended);
    Ok(())
}

/// Whole flows.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn flows(stage: &Stage<'_>, product: Product, load: Load) -> anyhow::Result<LoadReport> {
    let mut around = Around::begin(stage).await?;
    let mut callers = stage.callers(load.callers);
    let work = play(load, &mut callers, async |caller, turn, notes| {
        whole(stage, caller, product, turn, notes).await.map_or_else(|end| end, |()| End::Good)
    });
    let (played, backlog) = watching(stage, work).await;
    around.noted(backlog);
    around.end(stage, &format!("whole flow, {}", word(product)), &load, played).await
}

/// Confirmed bookings of a Kakao-style platform.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn kakao_events(stage: &Stage<'_>, load: Load) -> anyhow::Result<LoadReport> {
    let mut around = Around::begin(stage).await?;
    let mut callers = stage.callers(load.callers);
    let work = play(load, &mut callers, async |caller, turn, notes| {
        let serial = stage.next_serial();
        let number = stage.number('K', serial);
        let ask = match kakao::event(&kakao::confirmed(&number, serial, LATER)) {
            Ok(ask) => ask,
            Err(error) => return End::Bad(error.to_string()),
        };
        stage.sent_at(&number, turn.intended);
        let answer = stage.send(caller, ask, &number).await;
        notes.took("events (confirmed booking)", moment::now() - turn.intended);
        match answer.map(|answer| kakao::accepted(&answer)) {
            Ok(Ok(())) => {
                stage.reached(kakao::CHANNEL, &number, Far::Booked, Some(&number));
                End::Good
            }
            Ok(Err(why)) => End::Bad(format!("events: {why}")),
            Err(end) => end,
        }
    });
    let (played, backlog) = watching(stage, work).await;
    around.noted(backlog);
    around.end(stage, "Kakao-style bookings", &load, played).await
}

/// Bookings while the ticketing system behaves badly, and sales beside them.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn beside(
    stage: &Stage<'_>,
    name: &str,
    manner: Manner,
    bookings: Load,
    sales: Load,
) -> anyhow::Result<[LoadReport; 2]> {
    let many = match bookings.pace {
        Pace::Open(per_second) => (per_second * bookings.length.as_secs_f64()).ceil() as usize,
        Pace::Closed => 0,
    };
    let vouchers = RefCell::new(stock_up(stage, Product::Lean, many + 1).await);
    stage.partners.set_manner(manner);
    let mut around = Around::begin(stage).await?;
    let mut second = Around { watched: false, backlog: Vec::new(), ..around };
    let calls_before = stage.partners.books().gate_calls;
    let (mut bookers, mut sellers) = (stage.callers(bookings.callers), stage.callers(sales.callers));
    let both = async {
        tokio::join!(
            play(bookings, &mut bookers, async |caller, turn, notes| book(stage, caller, &vouchers, turn, notes).await),
            play(sales, &mut sellers, async |caller, turn, notes| {
                sell(stage, caller, Product::Lean, turn, notes).await
            }),
        )
    };
    let ((booked, sold), backlog) = watching(stage, both).await;
    let calls = stage.partners.books().gate_calls - calls_before;
    stage.partners.set_manner(Manner::AtOnce);
    let title = format!("{name}: bookings ({:.0} calls/s reached it)", calls as f64 / bookings.length.as_secs_f64());
    (around.steps_beside, second.steps_beside) = (steps(&sold), steps(&booked));
    let sales_report = second.end(stage, &format!("{name}: sales beside them"), &sales, sold).await?;
    around.noted(backlog);
    let bookings_report = around.end(stage, &title, &bookings, booked).await?;
    Ok([bookings_report, sales_report])
}

/// Somebody looks around, as fast as he is answered.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn looking(stage: &Stage<'_>, length: Duration) -> anyhow::Result<LoadReport> {
    let questions = looks::questions(stage).await?;
    let around = Around::begin(stage).await?;
    let (load, mut callers, next) = (closed(1, length), stage.callers(1), Cell::new(0_usize));
    let played = play(load, &mut callers, async |caller, turn, notes| {
        let (name, path) = &questions[next.replace(next.get() + 1) % questions.len()];
        let end = looks::ask(caller, path).await;
        notes.took(name, moment::now() - turn.intended);
        end
    })
    .await;
    around.end(stage, "looking around", &load, played).await
}

/// Bookings, a few a second, while timers come due.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn timers(stage: &Stage<'_>, many: u64, length: Duration) -> anyhow::Result<LoadReport> {
    let now = chrono::DateTime::from_timestamp_millis(moment::unix_ms()).unwrap_or_default();
    let path = format!("deadlines?state=armed&limit=1&due_before={}Z", now.format("%Y-%m-%dT%H:%M:%S"));
    let begun = moment::now();
    let seen_to = async {
        while stage.bridge.ops(&path).await?["items"].as_array().is_none_or(|left| !left.is_empty()) {
            moment::pause(Duration::from_millis(100)).await;
        }
        anyhow::Ok(begun.elapsed())
    };
    let load = open(TIMERS_BOOKINGS, length);
    let (seen_to, report) =
        tokio::join!(tokio::time::timeout(TIMERS_WITHIN, seen_to), bookings(stage, Product::Lean, load));
    let mut report = report?;
    report.name = format!("{many} timers come due: bookings beside them");
    report.timers_done_ms = seen_to.ok().transpose()?.map(|time| time.as_secs_f64() * 1_000.0);
    Ok(report)
}

/// Nobody calls.
///
/// # Errors
/// When what is measured cannot be read.
pub(crate) async fn idle(stage: &Stage<'_>, length: Duration) -> anyhow::Result<Idle> {
    let before = meter::look(stage.bridge, stage.database).await?;
    moment::pause(length).await;
    let after = meter::look(stage.bridge, stage.database).await?;
    let cost = meter::cost(before, after, 1);
    let seconds = length.as_secs_f64();
    Ok(Idle {
        statements_per_second: cost.statements.map(|many| many / seconds),
        commits_per_second: cost.commits.map(|many| many / seconds),
        service_cpu_ms_per_second: cost.service_cpu_ms / seconds,
        memory_kib: process::memory_kib(stage.bridge.pid),
    })
}
