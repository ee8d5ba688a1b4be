//! Output while it is printed, when a snippet is run a second time on another backend.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use sandgate_core::{Outcome, OutputSink, OutputStream};

/// Stands before the caller's sink during the second run, and hides that there was a first one:
/// output that the first run printed as well is not written again. Most snippets print the same up
/// to the point where the first run ended. Where one does not, the caller's sink is told to
/// [`restart`](OutputSink::restart), and gets the second run's output from its beginning.
pub(super) struct SecondRun {
    sink: Arc<dyn OutputSink>,
    /// What the first run wrote to the sink.
    first: [Bytes; 2],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How much of `first` the second run has printed as well.
    same: [usize; 2],
    /// It has printed something else.
    differs: bool,
    /// It has printed anything that the first did not.
    more: bool,
}

const fn place(stream: OutputStream) -> usize {
    match stream {
        OutputStream::Stdout => 0,
        OutputStream::Stderr => 1,
    }
}

const STREAMS: [OutputStream; 2] = [OutputStream::Stdout, OutputStream::Stderr];

impl SecondRun {
    /// Before `sink`, to which the run that gave `first` has written.
    pub(super) fn new(sink: Arc<dyn OutputSink>, first: &Outcome) -> Self {
        Self {
            sink,
            first: [first.stdout.clone(), first.stderr.clone()],
            state: Mutex::default(),
        }
    }

    /// The second run gave the answer. Whether it printed less than the first is known only now.
    pub(super) fn accept(&self) {
        let mut state = self.state();
        let less = STREAMS.map(place).into_iter();
        if !state.differs && less.clone().any(|at| state.same[at] < self.first[at].len()) {
            self.start_again(&mut state);
        }
    }

    /// The first run is the answer after all.
    pub(super) fn reject(&self) {
        let state = self.state();
        if !state.differs && !state.more {
            return;
        }
        self.sink.restart();
        for stream in STREAMS {
            self.write_on(stream, &self.first[place(stream)]);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was written counts no longer; what the second run has printed so far is written anew.
    fn start_again(&self, state: &mut State) {
        state.differs = true;
        self.sink.restart();
        for stream in STREAMS {
            let at = place(stream);
            self.write_on(stream, &self.first[at][..state.same[at]]);
        }
    }

    fn write_on(&self, stream: OutputStream, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.sink.write(stream, bytes);
        }
    }
}

impl OutputSink for SecondRun {
    fn write(&self, stream: OutputStream, chunk: &[u8]) {
        let mut state = self.state();
        if state.differs {
            drop(state);
            self.sink.write(stream, chunk);
            return;
        }
        let at = place(stream);
        let known = &self.first[at][state.same[at]..];
        let both = known.len().min(chunk.len());
        if known[..both] == chunk[..both] {
            state.same[at] += both;
            state.more |= both < chunk.len();
            self.write_on(stream, &chunk[both..]);
        } else {
            self.start_again(&mut state);
            self.write_on(stream, chunk);
        }
    }

    fn restart(&self) {
        self.sink.restart();
    }
}

#[cfg(test)]
mod tests {
    use sandgate_core::Status;

    use super::*;

    /// What a client would show.
    #[derive(Default)]
    struct Screen {
        shown: Mutex<[Vec<u8>; 2]>,
        restarts: Mutex<usize>,
    }

    impl OutputSink for Screen {
        fn write(&self, stream: OutputStream, chunk: &[u8]) {
            self.shown.lock().unwrap()[place(stream)].extend_from_slice(chunk);
        }

        fn restart(&self) {
            *self.shown.lock().unwrap() = Default::default();
            *self.restarts.lock().unwrap() += 1;
        }
    }

    fn first(stdout: &'static str, stderr: &'static str) -> Outcome {
        Outcome {
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..Outcome::empty(Status::FuelExhausted)
        }
    }

    /// Shows the first run's output, then a second one's; gives what is seen, and the restarts.
    fn show(
        first: &Outcome,
        second: &[(OutputStream, &str)],
        accept: bool,
    ) -> ([String; 2], usize) {
        let screen = Arc::new(Screen::default());
        screen.write(OutputStream::Stdout, &first.stdout);
        screen.write(OutputStream::Stderr, &first.stderr);
        let sink = SecondRun::new(Arc::clone(&screen) as _, first);
        for (stream, text) in second {
            sink.write(*stream, text.as_bytes());
        }
        if accept {
            sink.accept();
        } else {
            sink.reject();
        }
        let shown = screen.shown.lock().unwrap().clone();
        let shown = shown.map(|bytes| String::from_utf8(bytes).unwrap());
        (shown, *screen.restarts.lock().unwrap())
    }

    const OUT: OutputStream = OutputStream::Stdout;
    const ERR: OutputStream = OutputStream::Stderr;

    #[test]
    fn what_both_print_is_shown_once() {
        let first = first("one two", "warning");
        let second = [
            (OUT, "one"),
            (ERR, "warning"),
            (OUT, " two three"),
            (OUT, "!"),
        ];
        let (shown, restarts) = show(&first, &second, true);
        assert_eq!(shown, ["one two three!", "warning"]);
        assert_eq!(restarts, 0);
    }

    #[test]
    fn what_differs_starts_again() {
        let first = first("one two", "warning");
        let second = [(ERR, "warn"), (OUT, "one 2"), (ERR, "ed"), (OUT, " 3")];
        let (shown, restarts) = show(&first, &second, true);
        assert_eq!(shown, ["one 2 3", "warned"]);
        assert_eq!(restarts, 1);
    }

    #[test]
    fn printing_less_starts_again() {
        let (shown, restarts) = show(&first("one two", "x"), &[(OUT, "one")], true);
        assert_eq!(shown, ["one", ""]);
        assert_eq!(restarts, 1);
    }

    #[test]
    fn a_second_run_that_is_no_answer_leaves_the_first() {
        for second in [
            &[][..],
            &[(OUT, "one two three")],
            &[(OUT, "1"), (ERR, "x")],
        ] {
            let (shown, _) = show(&first("one two", "warning"), second, false);
            assert_eq!(shown, ["one two", "warning"]);
        }
    }
}
