// SPDX-License-Identifier: Apache-2.0

//! The place of everything that was recorded: the order in which it was decided then, which is not always the order of its coming. Of two messages
//! about one order that crossed, the one is played first that was taken first; a message that was taken while a call was under way is played
//! before the call is answered; a delivery begins when it began, whatever kept it waiting; and what takes its time
//! goes on, at each thing that it reads or changes, when it went on then.

use ticketbridge_core::UnixMillis;

use crate::recorder::tape::Went;
use crate::recorder::turns::TURNS_PER_MS;

/// A message, or something that was done by itself, as it was recorded.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    /// When it came, or began.
    pub(super) at: UnixMillis,
    /// The turn in which it was decided, or began, as far as that was recorded.
    pub(super) turn: Option<i64>,
    /// Of a message whose answer waited for something: the turn of its answer as far as that was recorded, and its time.
    pub(super) answered: Option<(Option<i64>, UnixMillis)>,
    /// The turns of what was read and changed on its way.
    pub(super) points: Vec<i64>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A call of ours is answered.
    Answer,
    /// What has this mark comes, or begins.
    Mark(usize),
    /// What has this mark reads or changes the next thing on its way.
    Point(usize),
    /// The message with this mark is answered, which waited for something.
    Answered(usize),
}

/// Everything in its place.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Schedule {
    /// What happens, and at what time; the time never goes back.
    pub(super) steps: Vec<(Step, UnixMillis)>,
    /// The place of each call's answer.
    pub(super) answers: Vec<usize>,
}

impl Schedule {
    /// Of these marks and calls; each call with the time at which it began.
    pub(super) fn of<'m>(marks: &'m [Mark], calls: &[(UnixMillis, Went)]) -> Self {
        let first_of = |at: UnixMillis| at.0.saturating_mul(TURNS_PER_MS);
        // Who was answered in a millisecond was answered after whatever happened in it.
        let last_of = |at: UnixMillis| first_of(at).saturating_add(TURNS_PER_MS - 1);
        let of_call = |(index, (at, went)): (usize, &(UnixMillis, Went))| {
            let answered = *at + went.took;
            (went.decided.unwrap_or_else(|| first_of(answered)), Step::Answer, answered, Some(index))
        };
        let of_mark = |(index, mark): (usize, &Mark)| {
            (mark.turn.unwrap_or_else(|| first_of(mark.at)), Step::Mark(index), mark.at, None)
        };
        let of_answered = |(index, mark): (usize, &Mark)| {
            let (turn, at) = mark.answered?;
            Some((turn.unwrap_or_else(|| last_of(at)), Step::Answered(index), at, None))
        };
        let all_marks = || marks.iter().enumerate();
        // It has the time of what was before it: a turn is taken once the database has got to it, and what is decided is as old as its call.
        let of_points = |(index, mark): (usize, &'m Mark)| {
            mark.points.iter().map(move |turn| (*turn, Step::Point(index), UnixMillis(i64::MIN), None))
        };
        let answered = all_marks().filter_map(of_answered);
        let marked = all_marks().map(of_mark).chain(all_marks().flat_map(of_points)).chain(answered);
        let mut all: Vec<_> = calls.iter().enumerate().map(of_call).chain(marked).collect();
        all.sort_by_key(|(turn, step, ..)| (*turn, *step));
        let mut schedule = Self { steps: Vec::with_capacity(all.len()), answers: vec![0; calls.len()] };
        let mut time = UnixMillis(i64::MIN);
        for (place, (_, step, at, call)) in all.into_iter().enumerate() {
            time = time.max(at);
            schedule.steps.push((step, time));
            if let Some(call) = call {
                schedule.answers[call] = place;
            }
        }
        schedule
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tape::Back;
    use ticketbridge_core::{Millis, OrderId};

    fn message(at: i64, turn: Option<i64>) -> Mark {
        Mark { at: UnixMillis(at), turn, answered: None, points: Vec::new() }
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
            of: None,
        };
        (UnixMillis(at), went)
    }

    fn steps(marks: &[Mark], calls: &[(UnixMillis, Went)]) -> Vec<(Step, i64)> {
        Schedule::of(marks, calls).steps.into_iter().map(|(step, at)| (step, at.0)).collect()
    }

    #[test]
    fn messages_are_played_in_the_order_in_which_they_were_taken() {
        let marks = [message(100, Some(108_000)), message(103, Some(105_000)), message(200, Some(201_000))];
        assert_eq!(steps(&marks, &[]), [(Step::Mark(1), 103), (Step::Mark(0), 103), (Step::Mark(2), 200)]);
    }

    #[test]
    fn a_call_is_answered_after_the_messages_that_were_taken_before_its_answer() {
        // It came after the answer, and was taken before the order had heard of it.
        let marks = [message(112, Some(115_000)), message(114, Some(130_000))];
        let calls = [call(100, 10, Some(120_000))];
        assert_eq!(steps(&marks, &calls), [(Step::Mark(0), 112), (Step::Answer, 112), (Step::Mark(1), 114)]);
        assert_eq!(Schedule::of(&marks, &calls).answers, [1]);
        // It came before the answer, and was taken after the order had heard of it.
        let calls = [call(100, 10, Some(120_000))];
        assert_eq!(steps(&[message(105, Some(130_000))], &calls), [(Step::Answer, 110), (Step::Mark(0), 110)]);
    }

    #[test]
    fn a_message_that_waited_is_answered_in_its_place() {
        let waited = Mark { answered: Some((Some(150_500), UnixMillis(150))), ..message(100, Some(100_000)) };
        let calls = [call(110, 40, Some(150_400))];
        let expected = [(Step::Mark(0), 100), (Step::Answer, 150), (Step::Answered(0), 150)];
        assert_eq!(steps(&[waited], &calls), expected);
        let of_older = Mark { answered: Some((None, UnixMillis(150))), ..message(100, None) };
        assert_eq!(steps(&[of_older], &[call(110, 40, None)]), expected);
    }

    #[test]
    fn what_takes_its_time_begins_when_it_began_and_goes_on_when_it_went_on() {
        let slow = Mark { points: vec![100_500, 150_500], ..message(100, Some(100_000)) };
        let calls = [call(101, 40, Some(150_500))];
        let expected = [
            (Step::Mark(0), 100),
            (Step::Point(0), 100),
            (Step::Mark(1), 120),
            (Step::Answer, 141),
            (Step::Point(0), 141),
            (Step::Mark(2), 141),
        ];
        assert_eq!(steps(&[slow, message(120, Some(120_000)), message(130, Some(151_000))], &calls), expected);
    }

    #[test]
    fn an_older_recording_goes_by_the_times() {
        let marks = [message(105, None), message(250, None)];
        let calls = [call(100, 10, None), call(200, 10, None)];
        let expected = [(Step::Mark(0), 105), (Step::Answer, 110), (Step::Answer, 210), (Step::Mark(1), 250)];
        assert_eq!(steps(&marks, &calls), expected);
    }
}
