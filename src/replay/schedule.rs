// SPDX-License-Identifier: Apache-2.0

//! When what was recorded is played: in the order in which it was decided then, which is not always the order of its coming. Of two messages
//! about one order that crossed, the one is played first that was taken first; a message that was taken while a call about its order was
//! under way is played before the call is answered, and one that was taken after that, after it.

use std::collections::HashMap;

use ticketbridge_core::{Millis, OrderId, UnixMillis};

use crate::recorder::tape::Went;
use crate::recorder::turns::TURNS_PER_MS;

/// Calls that took longer are answered at once: their leases would run out.
const WAIT_MAX: Millis = Millis::seconds(12);

/// A message or a task as it was recorded.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// When it came.
    pub(super) at: UnixMillis,
    /// The turn in which it was decided, as far as that was recorded.
    pub(super) decided: Option<i64>,
    /// The order that it was about.
    pub(super) order: Option<OrderId>,
    /// Whether it is a message.
    pub(super) is_message: bool,
}

impl Mark {
    /// By what it is lined up.
    fn turn(&self) -> i64 {
        self.decided.unwrap_or(self.at.0.saturating_mul(TURNS_PER_MS))
    }
}

/// When everything is played.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Schedule {
    /// The marks by their index, in the order in which they are played; with the time of each.
    pub(super) played: Vec<(usize, UnixMillis)>,
    /// Until when each call waits for its answer, where something comes before that.
    pub(super) answered_at: Vec<Option<UnixMillis>>,
}

impl Schedule {
    /// Of these marks and calls; each call with the time at which it began.
    pub(super) fn of(marks: &[Mark], calls: &[(UnixMillis, Went)]) -> Self {
        let mut by_turn: Vec<usize> = (0..marks.len()).collect();
        by_turn.sort_by_key(|index| marks[*index].turn());
        let crossed = crossed(marks, calls);
        let mut answers: Vec<(i64, usize)> = calls
            .iter()
            .enumerate()
            .filter(|(index, _)| crossed[*index])
            .map(|(index, (at, went))| (went.decided.unwrap_or((*at + went.took).0 * TURNS_PER_MS), index))
            .collect();
        answers.sort_unstable();
        let mut schedule = Self { played: Vec::with_capacity(marks.len()), answered_at: vec![None; calls.len()] };
        // The time never goes back, and where an answer comes between two messages there is a moment for it.
        let mut time = UnixMillis(i64::MIN);
        let mut answers = answers.into_iter().peekable();
        let mut answer = |schedule: &mut Self, time: &mut UnixMillis, before: Option<i64>| {
            while let Some((_, index)) = answers.next_if(|(turn, _)| before.is_none_or(|before| *turn < before)) {
                let (at, went) = &calls[index];
                let until = (*at + went.took).max(UnixMillis(time.0.saturating_add(1)));
                if until - *at <= WAIT_MAX {
                    schedule.answered_at[index] = Some(until);
                    *time = until;
                }
            }
        };
        for index in by_turn {
            answer(&mut schedule, &mut time, Some(marks[index].turn()));
            time = time.max(marks[index].at);
            schedule.played.push((index, time));
        }
        answer(&mut schedule, &mut time, None);
        schedule
    }
}

/// Which calls a message crossed: it was taken after the call had begun, and before its answer was.
fn crossed(marks: &[Mark], calls: &[(UnixMillis, Went)]) -> Vec<bool> {
    let mut of_order: HashMap<&OrderId, Vec<i64>> = HashMap::new();
    for mark in marks.iter().filter(|mark| mark.is_message && mark.decided.is_some()) {
        if let Some(order) = &mark.order {
            of_order.entry(order).or_default().push(mark.turn());
        }
    }
    of_order.values_mut().for_each(|turns| turns.sort_unstable());
    let mut came: Vec<UnixMillis> = marks.iter().filter(|mark| mark.is_message).map(|mark| mark.at).collect();
    came.sort_unstable();
    let is_crossed = |(at, went): &(UnixMillis, Went)| {
        if went.method == "GET" || went.took > WAIT_MAX {
            return false;
        }
        match (&went.order, went.decided) {
            (Some(order), Some(decided)) => {
                let turns = of_order.get(order).map(Vec::as_slice).unwrap_or_default();
                let next = turns.get(turns.partition_point(|turn| *turn < at.0 * TURNS_PER_MS));
                next.is_some_and(|turn| *turn < decided)
            }
            // An older version recorded no turns: whatever came meanwhile.
            _ => came.get(came.partition_point(|came| came < at)).is_some_and(|came| *came <= *at + went.took),
        }
    };
    calls.iter().map(is_crossed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tape::Back;

    fn message(at: i64, decided: Option<i64>) -> Mark {
        Mark { at: UnixMillis(at), decided, order: Some(OrderId("ord_1".into())), is_message: true }
    }

    fn call(at: i64, took: i64, decided: Option<i64>) -> (UnixMillis, Went) {
        let went = Went {
            method: "POST".to_owned(),
            url: "https://partner.example/r".to_owned(),
            body: String::new(),
            back: Back::NotSent,
            took: Millis(took),
            order: Some(OrderId("ord_1".into())),
            decided,
        };
        (UnixMillis(at), went)
    }

    #[test]
    fn messages_are_played_in_the_order_in_which_they_were_taken() {
        let marks = [message(100, Some(108_000)), message(103, Some(105_000)), message(200, Some(201_000))];
        let schedule = Schedule::of(&marks, &[]);
        let played: Vec<(usize, i64)> = schedule.played.iter().map(|(index, at)| (*index, at.0)).collect();
        assert_eq!(played, [(1, 103), (0, 103), (2, 200)]);
    }

    #[test]
    fn a_call_is_answered_after_the_messages_that_were_taken_before_its_answer() {
        // It came after the answer, and was taken before the order had heard of it.
        let marks = [message(112, Some(115_000)), message(114, Some(130_000))];
        let schedule = Schedule::of(&marks, &[call(100, 10, Some(120_000))]);
        assert_eq!(schedule.answered_at, [Some(UnixMillis(113))]);
        assert_eq!(schedule.played, [(0, UnixMillis(112)), (1, UnixMillis(114))]);
        // It came before the answer, and was taken after the order had heard of it.
        let schedule = Schedule::of(&[message(105, Some(130_000))], &[call(100, 10, Some(120_000))]);
        assert_eq!(schedule.answered_at, [None]);
        // Both came at once: the answer has a moment of its own between them.
        let marks = [message(105, Some(110_000)), message(105, Some(130_000))];
        let schedule = Schedule::of(&marks, &[call(100, 1, Some(120_000))]);
        assert_eq!(schedule.answered_at, [Some(UnixMillis(106))]);
        assert_eq!(schedule.played, [(0, UnixMillis(105)), (1, UnixMillis(106))]);
    }

    #[test]
    fn an_older_recording_goes_by_the_times() {
        let marks = [message(105, None), message(250, None)];
        let schedule = Schedule::of(&marks, &[call(100, 10, None), call(200, 10, None)]);
        assert_eq!(schedule.answered_at, [Some(UnixMillis(110)), None]);
        assert_eq!(schedule.played, [(0, UnixMillis(105)), (1, UnixMillis(250))]);
    }
}
