// SPDX-License-Identifier: Apache-2.0

//! What the kernel knows of a process: processor time, memory, bytes written.

use std::fs;

/// Ticks of the kernel's clock in a second. Linux has said 100 to every program on every machine for twenty years.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor milliseconds of a process and of all its living and waited-for children, so far.
pub(crate) fn cpu_ms(pid: u32) -> f64 {
    let Some(own) = Stat::read(pid) else { return 0.0 };
    let children = children(pid).into_iter().filter_map(Stat::read).map(|stat| stat.own + stat.waited_for).sum::<f64>();
    (own.own + own.waited_for + children) * 1_000.0 / TICKS_PER_SECOND
}

/// Processor milliseconds of a process alone, so far.
pub(crate) fn cpu_ms_alone(pid: u32) -> f64 {
    Stat::read(pid).map_or(0.0, |stat| stat.own * 1_000.0 / TICKS_PER_SECOND)
}

struct Stat {
    parent: u32,
    own: f64,
    waited_for: f64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state ppid … utime stime cutime cstime …`; a name may hold anything, so reading begins after it.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            waited_for: ticks(13)? + ticks(14)?,
        })
    }
}

fn children(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| Stat::read(*child).is_some_and(|stat| stat.parent == pid))
        .collect()
}

/// Memory of a process: now, and the most so far; KiB.
pub(crate) fn memory_kib(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some((number_after(&text, "VmRSS:")?, number_after(&text, "VmHWM:")?))
}

/// Bytes that a process has sent to be written to disk.
pub(crate) fn bytes_written(pid: u32) -> Option<u64> {
    number_after(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?, "write_bytes:")
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_confuse_the_reading() {
        let stat = Stat::parse("42 (post) gres: a (b) R 7 42 42 0 -1 0 1 2 3 4 100 50 20 10 20 0 1 0").unwrap();
        assert_eq!((stat.parent, stat.own, stat.waited_for), (7, 150.0, 30.0));
    }

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let own = std::process::id();
        assert!(memory_kib(own).is_some_and(|(now, most)| now > 0 && most >= now));
        assert!(Stat::read(own).is_some_and(|stat| stat.parent > 0));
    }
}
