//! The calendar of a task.

use std::time::{Instant, SystemTime};

use sandgate_core::{Language, Outcome, Status, Task};

use crate::harness::{python, shared, shown, task};

/// Seconds that lie between the start of a child and its looking at the clock, at most: machines
/// that run tests are slow.
const LATER: f64 = 60.0;

/// 2031-02-03 04:05:06.75 UTC.
const NOW: f64 = 1_927_857_906.75;

fn at_that_time(mut task: Task, now: &str) -> Outcome {
    task.now = Some(now.parse().unwrap());
    let outcome = shared().execute(task);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    outcome
}

/// The numbers that were printed, one a line.
fn numbers(outcome: &Outcome) -> Vec<f64> {
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn whatever_python_asks_shows_it() {
    let code = "import time, datetime, os, calendar\n\
        import numpy, pandas\n\
        utc = datetime.timezone.utc\n\
        print(time.time())\n\
        print(time.time_ns() / 1e9)\n\
        print(time.clock_gettime(time.CLOCK_REALTIME))\n\
        print(datetime.datetime.now(utc).timestamp())\n\
        print(datetime.datetime.now().astimezone(utc).timestamp())\n\
        print(datetime.datetime.utcnow().replace(tzinfo=utc).timestamp())\n\
        print(calendar.timegm(time.gmtime()))\n\
        print(time.mktime(time.localtime()))\n\
        print(pandas.Timestamp.now(tz='UTC').timestamp())\n\
        print(int(numpy.datetime64('now').astype('int64')))";
    let outcome = at_that_time(python(code), "2031-02-03T04:05:06.75Z");
    let times = numbers(&outcome);
    assert_eq!(times.len(), 10);
    for (line, time) in times.iter().enumerate() {
        // Some count whole seconds only.
        assert!((NOW - 1.0..NOW + LATER).contains(time), "{line}: {time}");
    }
}

#[test]
fn whatever_r_asks_shows_it() {
    let code = "cat(format(as.numeric(Sys.time()), digits = 16), '\\n')\n\
        cat(as.numeric(Sys.Date()) * 86400, '\\n')\n\
        cat(as.numeric(as.POSIXct(as.POSIXlt(Sys.time()))), '\\n')\n\
        cat(as.numeric(strptime(date(), '%a %b %d %H:%M:%S %Y', tz = 'UTC')), '\\n')";
    let outcome = at_that_time(task(Language::R, code), "2031-02-03T04:05:06.75Z");
    let text = String::from_utf8_lossy(&outcome.stdout).replace(' ', "");
    let times: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(times.len(), 4);
    for (line, time) in times.iter().enumerate() {
        // A date is the start of a day.
        let earliest = if line == 1 {
            NOW - 86_400.0
        } else {
            NOW - 10.0
        };
        assert!((earliest..NOW + LATER).contains(time), "{line}: {time}");
    }
}

#[test]
fn it_goes_on_from_there_and_waiting_is_as_ever() {
    let code = "import time, threading, queue, asyncio, datetime\n\
        before = time.time()\n\
        time.sleep(0.2)\n\
        print(time.time() - before)\n\
        started = time.monotonic()\n\
        try:\n\
        \x20   queue.Queue().get(timeout=0.2)\n\
        except queue.Empty:\n\
        \x20   pass\n\
        threading.Event().wait(0.2)\n\
        asyncio.run(asyncio.sleep(0.2))\n\
        print(time.monotonic() - started)";
    // One long gone, and one before 1970 began.
    for now in ["1999-12-31T23:59:59.9Z", "1969-07-20T20:17:40Z"] {
        let started = Instant::now();
        let outcome = at_that_time(python(code), now);
        let [calendar, waited] = numbers(&outcome)[..] else {
            panic!("{}", shown(&outcome));
        };
        let all = started.elapsed().as_secs_f64();
        assert!((0.2..all).contains(&calendar), "{calendar}");
        assert!((0.6..all).contains(&waited), "{waited}");
    }
}

#[test]
fn a_task_without_it_has_the_real_time_again() {
    at_that_time(python("1"), "2001-02-03T04:05:06Z");
    let real = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_secs_f64()
    };
    let before = real();
    let outcome = shared().python("import time\nprint(time.time())");
    let [seen] = numbers(&outcome)[..] else {
        panic!("{}", shown(&outcome));
    };
    assert!((before..=real()).contains(&seen), "{seen}");
}
