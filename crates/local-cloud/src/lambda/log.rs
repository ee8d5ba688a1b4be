//! What an invocation leaves in the log: the function's own output between Lambda's lines.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::net::unix::pipe;

/// What the log's tail keeps, in bytes, as `X-Amz-Log-Result` does.
const TAIL: usize = 4096;

/// The end of the log, and the pipe that the function writes to.
#[derive(Debug)]
pub(crate) struct Log {
    pipe: pipe::Receiver,
    tail: Tail,
}

impl Log {
    pub(crate) fn new(pipe: pipe::Receiver, tail: Tail) -> Self {
        Self { pipe, tail }
    }

    /// Waits for output and takes it. Never ready again once all writers are gone.
    pub(crate) async fn follow(&mut self) {
        loop {
            if self.pipe.readable().await.is_err() {
                return std::future::pending().await;
            }
            match self.take() {
                Ok(0) => return std::future::pending().await,
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return std::future::pending().await,
            }
        }
    }

    /// Takes what is there already.
    pub(crate) fn drain(&mut self) {
        // A bound, because a process may write faster than this reads.
        for _ in 0..64 {
            if !matches!(self.take(), Ok(1..)) {
                break;
            }
        }
    }

    fn take(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let length = self.pipe.try_read(&mut buffer)?;
        self.tail.push(&buffer[..length]);
        Ok(length)
    }

    /// Adds a line of Lambda's own after what the function has written so far.
    pub(crate) fn line(&mut self, line: &str) {
        self.drain();
        self.tail.line(line);
    }

    /// The tail so far; the next invocation starts with an empty one.
    pub(crate) fn take_tail(&mut self) -> Tail {
        self.drain();
        std::mem::take(&mut self.tail)
    }
}

/// The last bytes of a log.
#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            tracing::debug!(
                target: "sandgate_local_cloud::function",
                output = %String::from_utf8_lossy(bytes).trim_end(),
            );
        }
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.0.len() + bytes.len()).saturating_sub(TAIL);
        self.0.drain(..excess);
        self.0.extend(bytes);
    }

    pub(crate) fn line(&mut self, line: &str) {
        if self.0.back().is_some_and(|byte| *byte != b'\n') {
            self.push(b"\n");
        }
        self.push(line.as_bytes());
        self.push(b"\n");
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.make_contiguous();
        self.0.into()
    }
}

/// The figures of a REPORT line.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) id: &'a str,
    pub(crate) duration: Duration,
    /// How long the environment took to start, if it was started for this invocation.
    pub(crate) init: Option<Duration>,
    pub(crate) memory_mb: u32,
    pub(crate) used_bytes: u64,
    /// The kind of the fault, if there was one that ended the environment.
    pub(crate) fault: Option<&'a str>,
}

impl Report<'_> {
    /// In Lambda's form. The start is billed.
    pub(crate) fn line(&self) -> String {
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let billed = ms(self.duration + self.init.unwrap_or_default()).ceil();
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\t\
             Memory Size: {} MB\tMax Memory Used: {} MB\t",
            self.id,
            ms(self.duration),
            self.memory_mb,
            self.used_bytes.div_ceil(1 << 20),
        );
        if let Some(init) = self.init {
            line.push_str(&format!("Init Duration: {:.2} ms\t", ms(init)));
        }
        match self.fault {
            Some("Sandbox.Timedout") => line.push_str("Status: timeout"),
            Some(kind) => line.push_str(&format!("Status: error\tError Type: {kind}")),
            None => {}
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_bytes() {
        let mut tail = Tail::default();
        tail.push(&[b'a'; 3000]);
        tail.push(&[b'b'; 3000]);
        let bytes = tail.bytes();
        assert_eq!(bytes.len(), TAIL);
        assert_eq!(bytes.iter().filter(|byte| **byte == b'b').count(), 3000);
        let mut tail = Tail::default();
        tail.push(&[b'c'; 10_000]);
        assert_eq!(tail.bytes(), vec![b'c'; TAIL]);
    }

    #[test]
    fn lines_start_on_a_line_of_their_own() {
        let mut tail = Tail::default();
        tail.line("START");
        tail.push(b"half");
        tail.line("END");
        assert_eq!(tail.bytes(), b"START\nhalf\nEND\n");
    }

    #[test]
    fn the_report_has_lambdas_form() {
        let report = Report {
            id: "1-2",
            duration: Duration::from_micros(1500),
            init: Some(Duration::from_micros(100_250)),
            memory_mb: 128,
            used_bytes: (30 << 20) + 1,
            fault: Some("Runtime.ExitError"),
        };
        assert_eq!(
            report.line(),
            "REPORT RequestId: 1-2\tDuration: 1.50 ms\tBilled Duration: 102 ms\tMemory Size: 128 MB\
             \tMax Memory Used: 31 MB\tInit Duration: 100.25 ms\tStatus: error\t\
             Error Type: Runtime.ExitError"
        );
    }
}
