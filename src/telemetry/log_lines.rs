// SPDX-License-Identifier: Apache-2.0

//! Lines of the log on their way to standard error, by a thread of their own: a disk that is full, a reader that is gone, or one that does
//! not read, costs lines of the log and nothing else. What is lost is counted.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// Lines that wait at most: some MiB.
const WAITING_MAX: usize = 8_192;
/// Longest wait, at the end, for the lines that still wait.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

enum Line {
    Text(Vec<u8>),
    /// Everything before it is written: somebody waits for that.
    Mark(SyncSender<()>),
}

static QUEUE: OnceLock<SyncSender<Line>> = OnceLock::new();

/// What a line is put into. Nobody waits for it, and it never fails.
#[derive(Clone, Debug)]
pub(super) struct LogLines;

impl LogLines {
    /// Starts the thread that writes to standard error, if it does not run yet.
    pub(super) fn start() -> Self {
        QUEUE.get_or_init(|| {
            let (queue, lines) = sync_channel(WAITING_MAX);
            // Where no thread can be had the receiver goes, and each line counts as lost.
            let _writes =
                std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&lines, &mut io::stderr()));
            queue
        });
        Self
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let taken = QUEUE.get().map(|queue| queue.try_send(Line::Text(line.to_vec())).is_ok());
        if taken != Some(true) {
            count_lost();
        }
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn count_lost() {
    metrics::counter!("ticketbridge_log_lines_lost_total").increment(1);
}

fn write_all(lines: &Receiver<Line>, to: &mut impl Write) {
    for line in lines {
        match line {
            Line::Text(text) => {
                if to.write_all(&text).is_err() {
                    count_lost();
                }
            }
            // Who waited may have gone.
            Line::Mark(written) => drop(written.send(())),
        }
    }
}

/// Waits, not for long, until the lines so far are written: the process is about to end.
pub(crate) fn finish() {
    let Some(queue) = QUEUE.get() else { return };
    let (mark, written) = sync_channel(1);
    if queue.try_send(Line::Mark(mark)).is_ok() {
        let _in_time = written.recv_timeout(ENDS_WITHIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk that is full for a while.
    struct Full {
        refuses: usize,
        written: Vec<u8>,
    }

    impl Write for Full {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            if self.refuses > 0 {
                self.refuses -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.written.extend_from_slice(line);
            Ok(line.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_and_the_next_one_is_not() {
        let (queue, lines) = sync_channel(4);
        let (mark, written) = sync_channel(1);
        for line in [Line::Text(b"one\n".to_vec()), Line::Text(b"two\n".to_vec()), Line::Mark(mark)] {
            assert!(queue.try_send(line).is_ok());
        }
        drop(queue);
        let mut disk = Full { refuses: 1, written: Vec::new() };
        write_all(&lines, &mut disk);
        assert_eq!(disk.written, b"two\n");
        assert!(written.recv().is_ok());
    }

    #[test]
    fn nobody_waits_for_a_line() {
        let mut lines = LogLines::start();
        assert_eq!(lines.write(b"").ok(), Some(0));
        finish();
    }
}
