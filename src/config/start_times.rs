// SPDX-License-Identifier: Apache-2.0

//! Products that are sold by start times: `start_times` makes one booking product of each, named `CODE@HH:MM`, with a stock and days of its
//! own. Everything else of them is the same.

use ticketbridge_core::product::{BackendTerms, BookingProduct, CalendarRange, Slot, Ticketing};
use ticketbridge_core::variant::{Parts, Start};
use ticketbridge_core::{Millis, ProductCode};

use super::read::{Table, Value};

/// Start times of one product.
const TIMES_MAX: usize = 96;
/// The first minute that is no start time.
const MIDNIGHT: u32 = 1_440;
const MINUTE: i64 = 60_000;

/// When visits begin, and how long they last.
pub(super) struct StartTimes {
    times: Vec<u32>,
    lasts: Option<u32>,
}

/// A calendar's entry, and for which start times it stands: for all of them, unless it says.
pub(super) struct Entry {
    pub(super) days: CalendarRange,
    pub(super) times: Option<Vec<u32>>,
}

impl Entry {
    /// Whether the two stand for one time.
    pub(super) fn shares_a_time(&self, other: &Self) -> bool {
        match (&self.times, &other.times) {
            (Some(own), Some(others)) => own.iter().any(|time| others.contains(time)),
            _ => true,
        }
    }
}

/// Start times, each once.
pub(super) fn times(value: Value<'_>) -> Option<Vec<u32>> {
    let place = value.clone();
    let mut times: Vec<u32> = value.each(|value| match value.clone().minute_of_day()? {
        MIDNIGHT.. => {
            value.wrong("is the end of the day: nothing begins then", "write a time from \"00:00\" to \"23:59\"")
        }
        minute => Some(minute),
    })?;
    if times.len() < place.elements().len() {
        // What is wrong with the others has been said.
        return None;
    }
    if !(1..=TIMES_MAX).contains(&times.len()) {
        return place.wrong(
            format_args!("has {} start times", times.len()),
            format!("write 1 to {TIMES_MAX} of them, for example [\"10:00\", \"14:00\"]"),
        );
    }
    let all = times.len();
    times.sort_unstable();
    times.dedup();
    if times.len() < all {
        return place.wrong("names a start time twice", "write each of them once");
    }
    Some(times)
}

/// What a product says of its start times; `None`: it is sold by the day.
pub(super) fn read(table: &Table<'_>) -> Option<StartTimes> {
    let lasts = table.opt("duration", |value| {
        let Millis(length) = value.clone().millis()?;
        match u32::try_from(length / MINUTE) {
            Ok(minutes) if minutes > 0 => Some(minutes),
            _ => value.wrong("is shorter than a minute", "write how long a visit lasts, for example \"90m\""),
        }
    });
    if table.has("duration") && !table.has("start_times") {
        table.findings().warning(
            table.place_of("duration"),
            "`duration` has no effect: the product is sold by the day",
            "add `start_times`, or leave it out",
        );
    }
    let times = table.opt("start_times", times)?;
    Some(StartTimes { times, lasts })
}

/// A code that looks as if it were one of several start times would be taken for that.
pub(super) fn check_code(table: &Table<'_>, code: &ProductCode) {
    if let Some(time) = code.parts().time {
        table.findings().problem(
            table.place_of("code"),
            format!("`code` is \"{code}\", which ends with a start time"),
            format!("leave `@{time}` out, and write `start_times = [\"{time}\"]`"),
        );
    }
}

/// The products that are sold: one for each start time.
pub(super) fn expand(
    table: &Table<'_>,
    product: BookingProduct,
    start_times: Option<StartTimes>,
    entries: Vec<Entry>,
) -> Vec<BookingProduct> {
    check_entries(table, start_times.as_ref(), &entries);
    let Some(StartTimes { times, lasts }) = start_times else {
        // What is wrong with the key has been said.
        let calendar = entries.into_iter().map(|entry| entry.days).collect();
        return if table.has("start_times") { Vec::new() } else { vec![BookingProduct { calendar, ..product }] };
    };
    let of_time = |minute: &u32| {
        let start = Start { minute: *minute, lasts };
        let clock = start.clock();
        let code = Parts { time: Some(&clock), ..product.code.parts() }.code();
        let stands = |entry: &&Entry| entry.times.as_ref().is_none_or(|times| times.contains(minute));
        let calendar: Vec<CalendarRange> = entries.iter().filter(stands).map(|entry| entry.days.clone()).collect();
        if calendar.is_empty() {
            table.findings().problem(
                table.place_of("start_times"),
                format!("no entry of `calendar` stands for the start time {clock}: no day could be booked"),
                "add one with this time, or take the time out",
            );
        }
        let mut product = BookingProduct { code, start: Some(start), calendar, ..product.clone() };
        if let Ticketing::Backend { terms, .. } = &mut product.ticketing {
            begin_there_too(terms, clock);
        }
        product
    };
    times.iter().map(of_time).collect()
}

/// The back-end's time is ours, unless the file names another one.
fn begin_there_too(terms: &mut BackendTerms, clock: String) {
    match terms.slot {
        Slot::Only | Slot::Channel => terms.slot = Slot::At(clock),
        Slot::First | Slot::At(_) => {}
    }
}

fn check_entries(table: &Table<'_>, start_times: Option<&StartTimes>, entries: &[Entry]) {
    for (index, named) in entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.times.as_ref()?))) {
        let is_known = |time: &&u32| start_times.is_some_and(|all| all.times.contains(time));
        let Some(other) = named.iter().find(|time| !is_known(time)) else { continue };
        let clock = Start { minute: *other, lasts: None }.clock();
        table.findings().problem(
            table.place_of(&format!("calendar.{index}.start_times")),
            format!("`calendar.{index}.start_times` names {clock}, which is not among the product's `start_times`"),
            "add it there, or leave it out here",
        );
    }
}
