// SPDX-License-Identifier: Apache-2.0

//! How a table is put on a terminal: what people write is cut, what matters least is left out, and then a row takes several lines. An
//! identifier or a word of ours is whole or not there: half of one cannot be used.

/// How wide a table may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// As wide as it is.
    Any,
    /// So many characters.
    Columns(usize),
}

impl Room {
    /// That of the terminal on standard output; any, where it is none.
    pub(super) fn of_the_terminal() -> Self {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
            && size.ws_col > 0
        {
            return Room::Columns(usize::from(size.ws_col));
        }
        Room::Any
    }
}

/// A column: its title, and the place of its value.
pub(super) type Column = (&'static str, &'static str);

/// Between two columns.
const GAP: usize = 2;
/// How far the further lines of a row stand in.
pub(super) const INDENT: usize = 2;
/// What people write is not cut shorter than this.
const TEXT_MIN: usize = 12;
/// Columns of what people write.
const TEXTS: [&str; 5] = ["LABEL", "LAST ERROR", "NAME", "REASON", "SUMMARY"];

/// A column that is shown: its place among all, and its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) column: usize,
    pub(super) width: usize,
}

/// The columns of each line of a row.
pub(super) fn fit(columns: &[Column], widths: &[usize], least: &[&str], room: Room) -> Vec<Vec<Shown>> {
    let all = widths.iter().enumerate().map(|(column, width)| Shown { column, width: *width });
    let mut shown: Vec<Shown> = all.collect();
    let Room::Columns(most) = room else { return vec![shown] };
    let is_text = |shown: &Shown| columns.get(shown.column).is_some_and(|(name, _)| TEXTS.contains(name));
    let mut least = least.iter();
    loop {
        if let Some(line) = squeezed(&shown, is_text, most) {
            return vec![line];
        }
        let Some(name) = least.next() else { return broken(&shown, is_text, most) };
        shown.retain(|it| columns.get(it.column).is_none_or(|(known, _)| known != name));
    }
}

fn width_of(line: &[Shown]) -> usize {
    line.iter().map(|it| it.width).sum::<usize>() + GAP * line.len().saturating_sub(1)
}

/// All of it on one line, if cutting texts makes it fit: the widest ones give way first.
fn squeezed(shown: &[Shown], is_text: impl Fn(&Shown) -> bool, most: usize) -> Option<Vec<Shown>> {
    let mut line = shown.to_vec();
    while width_of(&line) > most {
        let texts = line.iter_mut().filter(|it| is_text(it) && it.width > TEXT_MIN);
        texts.max_by_key(|it| it.width)?.width -= 1;
    }
    Some(line)
}

/// On as many lines as it takes.
fn broken(shown: &[Shown], is_text: impl Fn(&Shown) -> bool, most: usize) -> Vec<Vec<Shown>> {
    let mut lines: Vec<Vec<Shown>> = vec![Vec::new()];
    for it in shown {
        let indent = if lines.len() > 1 { INDENT } else { 0 };
        let cut = if is_text(it) { it.width.min(most.saturating_sub(INDENT)) } else { it.width };
        let next = Shown { width: cut, ..*it };
        match lines.last_mut() {
            Some(line) if line.is_empty() || indent + width_of(line) + GAP + next.width <= most => line.push(next),
            Some(_) | None => lines.push(vec![next]),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[("ID", "/id"), ("ORDER", "/order"), ("STATE", "/state"), ("LAST ERROR", "/error")];

    fn widths(most: usize, least: &[&str]) -> Vec<Vec<(usize, usize)>> {
        let lines = fit(COLUMNS, &[36, 36, 9, 60], least, Room::Columns(most));
        lines.iter().map(|line| line.iter().map(|it| (it.column, it.width)).collect()).collect()
    }

    #[test]
    fn texts_are_cut_then_columns_are_left_out_then_rows_are_broken() {
        assert_eq!(widths(200, &["ORDER"]), [[(0, 36), (1, 36), (2, 9), (3, 60)]]);
        assert_eq!(widths(120, &["ORDER"]), [[(0, 36), (1, 36), (2, 9), (3, 33)]]);
        assert_eq!(widths(80, &["ORDER"]), [[(0, 36), (2, 9), (3, 31)]]);
        assert_eq!(widths(50, &["ORDER"]), [vec![(0, 36), (2, 9)], vec![(3, 48)]]);
        // An identifier stays whole, also where it is wider than the terminal.
        assert_eq!(widths(30, &[]), [vec![(0, 36)], vec![(1, 36)], vec![(2, 9)], vec![(3, 28)]]);
    }
}
