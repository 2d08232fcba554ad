// SPDX-License-Identifier: Apache-2.0

//! Numbers that follow from a seed, and what every simulation draws with them: how a message travels, how a call goes, how long it takes.

use crate::partners::How;

/// Numbers that follow from a seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0 to `n` - 1; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }
    pub(crate) fn small(&mut self, n: u8) -> u8 {
        u8::try_from(self.below(usize::from(n))).unwrap_or(0)
    }
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What the network does with a message of the channel's or the gate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    /// It arrives now.
    Now,
    /// It arrives later, after others.
    Later,
    /// It arrives now, and its answer is lost.
    AnswerLost,
    /// It never arrives.
    Never,
}

pub(crate) fn post(dice: &mut Dice) -> Post {
    match dice.below(20) {
        0..=13 => Post::Now,
        14..=16 => Post::Later,
        17..=18 => Post::AnswerLost,
        _ => Post::Never,
    }
}

pub(crate) fn hows(dice: &mut Dice, most: usize) -> Vec<How> {
    (0..dice.below(most + 1)).map(|_| how(dice)).collect()
}

pub(crate) fn how(dice: &mut Dice) -> How {
    const BAD: [How; 16] = [
        How::NotSent,
        How::AnswerLost,
        How::RequestLost,
        How::Late(5),
        How::Late(20),
        How::Late(60),
        How::Fails,
        How::FailsAfter,
        How::Busy,
        How::Garbage,
        How::HangsBefore,
        How::HangsAfter,
        How::Pending,
        How::Pending,
        How::Refuses,
        How::TokenRejected,
    ];
    if dice.one_in(2) { How::Well } else { dice.pick(&BAD) }
}

/// Seconds mostly; now and then past a deadline, or a whole day.
pub(crate) fn length(dice: &mut Dice) -> i64 {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    let fine = i64::try_from(dice.below(1_000)).unwrap_or(0);
    fine + dice.pick(&[
        SECOND,
        2 * SECOND,
        5 * SECOND,
        11 * SECOND,
        16 * SECOND,
        40 * SECOND,
        2 * MINUTE,
        5 * MINUTE,
        10 * MINUTE,
        31 * MINUTE,
        4 * HOUR,
        24 * HOUR,
    ])
}
