//! What comes of honest snippets.

use sandgate_core::{Limits, Status};

use crate::harness::{file, python, shared, shown, types};

#[test]
fn a_snippet_prints_and_its_last_value_is_a_result() {
    let environment = shared();
    let mut task = python("import sys\nprint(sys.stdin.read(), sys.argv, __name__)\n1 + 1");
    task.stdin = "in\u{fc}".into();
    task.args = vec!["a b".to_owned()];
    let outcome = environment.execute(task);
    assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
    assert_eq!(outcome.exit_code, Some(0));
    assert_eq!(outcome.stdout, "inü ['main.py', 'a b'] __main__\n");
    assert_eq!(outcome.results[0]["text/plain"], "2");
    assert!(outcome.usage.wall_ms > 0.0);
}
