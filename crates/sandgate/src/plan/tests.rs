//! Each rule by a request that it decides, and what must hold of every plan.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sandgate_core::{
    BackendChoice, ErrorKind, ExecuteRequest, Executor, InputFile, Limits, RequestRules, Status,
};

use super::*;
use crate::testing::{TestExecutor, runtime};

fn planner(executors: Vec<TestExecutor>) -> Planner {
    let executors = executors.into_iter();
    let executors = executors.map(|executor| Arc::new(executor) as Arc<dyn Executor>);
    Planner::new(Backends::new(executors.collect()).unwrap())
}

fn both() -> Planner {
    planner(vec![TestExecutor::default(), TestExecutor::lambda()])
}

/// A sandbox that grants 128 MiB.
fn small_sandbox() -> TestExecutor {
    let sandbox = TestExecutor::default();
    let python = sandbox.runtimes();
    TestExecutor::new(
        BackendKind::Wasm,
        python.iter().map(|runtime| (**runtime).clone()).collect(),
        Limits {
            memory_mb: 128,
            ..Limits::MAXIMUM
        },
    )
}

fn sandbox_alone() -> Planner {
    planner(vec![TestExecutor::default()])
}

fn try_plan(planner: &Planner, request: ExecuteRequest) -> Result<Plan, Error> {
    try_plan_as(planner, request, false)
}

fn try_plan_as(
    planner: &Planner,
    mut request: ExecuteRequest,
    waited: bool,
) -> Result<Plan, Error> {
    let wanted = Wanted::take(&mut request);
    let task = RequestRules::default().task(request)?;
    let job = planner.job(wanted, task, &Arc::from(""));
    let plan = planner.plan(&job, waited);
    // What is executed is what was planned.
    match (&plan, planner.decide(&job, waited)) {
        (Ok(plan), Ok(decision)) => {
            assert_eq!(plan.backend, decision.backend);
            assert_eq!(plan.reason, decision.reason);
            assert_eq!(plan.hints, decision.hints);
        }
        (Err(_), Err(_)) => {}
        (plan, decision) => panic!("{plan:?} and {decision:?}"),
    }
    plan
}

fn plan(code: &str) -> Plan {
    try_plan(&both(), ExecuteRequest::python(code)).unwrap()
}

/// Rule, backend and reason.
fn decided(plan: &Plan) -> (&'static str, &'static str, &str) {
    (plan.rule, plan.backend.as_str(), &plan.reason)
}

#[test]
fn the_sandbox_is_preferred() {
    assert_eq!(
        decided(&plan("print(1)")),
        (
            "otherwise_sandbox",
            "wasm",
            "it needs nothing that the wasm sandbox lacks"
        )
    );
    assert_eq!(
        decided(&plan("import math, json\nimport json")),
        (
            "otherwise_sandbox",
            "wasm",
            "every import (math and json) is in the wasm sandbox"
        )
    );
}

#[test]
fn a_named_backend_is_obeyed() {
    let mut request = ExecuteRequest::python("import pandas");
    request.backend = BackendChoice::Wasm;
    let plan = try_plan(&both(), request).unwrap();
    assert_eq!(
        decided(&plan),
        ("asked_for", "wasm", "the request asks for the wasm sandbox")
    );
    assert_eq!(
        plan.hints,
        ["the Lambda image has pandas: with `backend: \"auto\"` it would run there"]
    );
    let mut request = ExecuteRequest::python("1");
    request.backend = BackendChoice::Lambda;
    assert_eq!(
        try_plan(&both(), request.clone()).unwrap().rule,
        "asked_for"
    );
    let error = try_plan(&sandbox_alone(), request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.to_string(),
        "no backend can run this: the request asks for the Lambda image: the Lambda image is not \
         configured"
    );
}

#[test]
fn a_language_of_the_image_alone_goes_there() {
    let r = ExecuteRequest::new(Language::R, "1");
    let found = try_plan(&both(), r.clone()).unwrap();
    assert_eq!(
        decided(&found),
        ("language", "lambda", "only the Lambda image has r")
    );
    let alternative = &found.alternatives[0];
    assert!(!alternative.possible);
    assert_eq!(alternative.reason, "the wasm sandbox has no r runtime");
    assert_eq!(
        try_plan(&sandbox_alone(), r).unwrap_err().to_string(),
        "no backend can run this: the wasm sandbox has no r runtime; the Lambda image is not \
         configured"
    );
}

#[test]
fn a_backend_that_has_not_said_what_it_has_is_waited_for() {
    let planner = planner(vec![small_sandbox(), TestExecutor::silent_lambda()]);
    let unknown = "the Lambda image has not said yet what it has";
    // Whether who has waited in vain is told so, or gets what the sandbox can do.
    let waits = |request: ExecuteRequest, reason: &str, only: bool| {
        for (waited, fails) in [(false, true), (true, only)] {
            match try_plan_as(&planner, request.clone(), waited) {
                Err(error) if fails => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable);
                    assert!(error.retry_after().is_some());
                    let expected = format!("no backend can run this yet: {reason}; {unknown}");
                    assert_eq!(error.to_string(), expected);
                }
                Ok(plan) if !fails => assert_eq!(plan.rule, "otherwise_sandbox"),
                other => panic!("{}: {other:?}", request.code),
            }
        }
    };
    let r = ExecuteRequest::new(Language::R, "1");
    waits(r, "the wasm sandbox has no r runtime", true);
    let mut named = ExecuteRequest::python("1");
    named.packages = vec!["pandas".into()];
    let reason = "the python runtime of the wasm sandbox lacks the package pandas";
    waits(named, reason, true);
    for (code, lacking) in [
        ("import json, pandas, numpy.linalg", "pandas and numpy"),
        (
            "import importlib\ndef f():\n    import pandas",
            "importlib and pandas",
        ),
        ("!pip install pandas\nprint(1)", "the package pandas"),
        ("import nonesuch", "nonesuch"),
    ] {
        let reason = format!("the wasm sandbox lacks {lacking}");
        waits(ExecuteRequest::python(code), &reason, true);
    }
    let mut large = ExecuteRequest::python("1");
    large.limits.memory_mb = Some(129);
    let reason = "it asks for memory_mb 129, and the wasm sandbox grants 128";
    waits(large, reason, false);
    let process = ExecuteRequest::python("import os\nos.system('ls')");
    let reason = "it uses other programs, which the wasm sandbox cannot give it";
    waits(process, reason, false);
    let mut named = ExecuteRequest::python("1");
    named.backend = BackendChoice::Lambda;
    let error = try_plan(&planner, named).unwrap_err().to_string();
    assert!(error.ends_with(&format!("the request asks for the Lambda image: {unknown}")));
}

#[test]
fn what_the_sandbox_has_waits_for_nobody() {
    let planner = planner(vec![small_sandbox(), TestExecutor::silent_lambda()]);
    for code in [
        "print(1)",
        "import json, os.path",
        "try:\n    import pandas\nexcept ImportError:\n    pandas = None",
        "if False:\n    pass\n!pip install python-dateutil",
        "print(",
    ] {
        let plan = try_plan(&planner, ExecuteRequest::python(code)).unwrap();
        assert_eq!(plan.backend, BackendKind::Wasm, "{code}");
    }
    let mut request = ExecuteRequest::python("import pandas");
    request.backend = BackendChoice::Wasm;
    let plan = try_plan(&planner, request).unwrap();
    assert_eq!(plan.backend, BackendKind::Wasm);
    // Somebody may have it.
    assert_eq!(plan.hints, [""; 0]);
}

#[test]
fn declared_packages_decide() {
    let with = |packages: &[&str]| {
        let mut request = ExecuteRequest::python("1");
        request.packages = packages.iter().map(|name| (*name).to_owned()).collect();
        try_plan(&both(), request)
    };
    assert_eq!(
        decided(&with(&["python_DateUtil", "pandas"]).unwrap()),
        (
            "packages",
            "lambda",
            "it declares the package pandas, which only the Lambda image has"
        )
    );
    assert_eq!(
        decided(&with(&["python.dateutil"]).unwrap()),
        (
            "otherwise_sandbox",
            "wasm",
            "every package it names is in the wasm sandbox"
        )
    );
    assert_eq!(
        with(&["pandas", "nonesuch"]).unwrap_err().to_string(),
        "no backend can run this: the python runtime of the wasm sandbox lacks the packages pandas \
         and nonesuch; the python runtime of the Lambda image lacks the package nonesuch"
    );
}

#[test]
fn a_package_of_the_sandbox_alone_stays_there() {
    let modules = [("dateutil", Some("python-dateutil"))];
    let wasm = runtime(BackendKind::Wasm, Language::Python, &modules);
    let lambda = runtime(BackendKind::Lambda, Language::Python, &[("pandas", None)]);
    let planner = planner(vec![
        TestExecutor::new(BackendKind::Wasm, vec![wasm], Limits::MAXIMUM),
        TestExecutor::new(BackendKind::Lambda, vec![lambda], Limits::UNBOUNDED),
    ]);
    let mut request = ExecuteRequest::python("import pandas");
    request.packages = vec!["python-dateutil".into()];
    let plan = try_plan(&planner, request).unwrap();
    assert_eq!((plan.rule, plan.backend), ("packages", BackendKind::Wasm));
}

#[test]
fn what_is_installed_in_the_code_is_declared() {
    let installs = plan("!pip install pandas\nprint(1)");
    assert_eq!(
        (installs.rule, installs.backend),
        ("packages", BackendKind::Lambda)
    );
    // Nobody has it: that is the code's own affair, and no reason to refuse.
    let nobody = plan("%pip install nonesuch\nprint(1)");
    assert_eq!(nobody.backend, BackendKind::Wasm);
    assert!(nobody.hints[0].contains("nonesuch"), "{:?}", nobody.hints);
}

#[test]
fn imports_decide_by_where_they_stand() {
    for (code, rule, backend) in [
        ("import pandas as pd", "imports", BackendKind::Lambda),
        ("from numpy import array", "imports", BackendKind::Lambda),
        (
            "import json, pandas, nonesuch",
            "imports",
            BackendKind::Lambda,
        ),
        (
            "def f():\n    import pandas",
            "likely_imports",
            BackendKind::Lambda,
        ),
        (
            "import sys\nif sys.argv[1:]:\n    import pandas",
            "likely_imports",
            BackendKind::Lambda,
        ),
        (
            "try:\n    import pandas\nexcept ImportError:\n    pandas = None",
            "otherwise_sandbox",
            BackendKind::Wasm,
        ),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas",
            "otherwise_sandbox",
            BackendKind::Wasm,
        ),
        ("import nonesuch", "otherwise_sandbox", BackendKind::Wasm),
    ] {
        let plan = plan(code);
        assert_eq!(
            (plan.rule, plan.backend),
            (rule, backend),
            "{code}: {}",
            plan.reason
        );
    }
    assert_eq!(
        plan("import pandas, json, numpy").reason,
        "it imports pandas and numpy, which only the Lambda image has"
    );
}

#[test]
fn limits_beyond_the_sandboxs_go_where_they_are_granted() {
    let with = |memory_mb| {
        let mut request = ExecuteRequest::python("1");
        request.limits.memory_mb = Some(memory_mb);
        let executors = vec![small_sandbox(), TestExecutor::lambda()];
        try_plan(&planner(executors), request).unwrap()
    };
    assert_eq!(with(128).backend, BackendKind::Wasm);
    assert_eq!(
        decided(&with(129)),
        (
            "limits",
            "lambda",
            "it asks for memory_mb 129, and the wasm sandbox grants 128"
        )
    );
}

#[test]
fn what_the_code_did_last_time_decides() {
    let planner = both();
    let code = CodeKey::new(Language::Python, "print(1)", &Arc::from(""));
    let trouble = Trouble::RanOut(Status::FuelExhausted);
    planner.history.failed_in_sandbox(&code, trouble);
    planner.history.ran_on_lambda(&code, 250.0);
    let found = try_plan(&planner, ExecuteRequest::python("print(1)")).unwrap();
    assert_eq!(
        decided(&found),
        (
            "last_time",
            "lambda",
            "the same code ran out of fuel in the wasm sandbox last time"
        )
    );
    assert_eq!(found.estimated_cost_usd, 0.000_25);
    let other = try_plan(&planner, ExecuteRequest::python("print(2)")).unwrap();
    assert_eq!(other.backend, BackendKind::Wasm);
}

#[test]
fn what_needs_a_process_goes_where_there_is_one() {
    let found = plan("import sys\nimport threading\nthreading.Thread(target=print).start()");
    // `threading` is in neither test runtime, and is no reason.
    assert_eq!(
        decided(&found),
        (
            "capabilities",
            "lambda",
            "it uses threads, which the wasm sandbox cannot give it"
        )
    );
    let alone = try_plan(
        &sandbox_alone(),
        ExecuteRequest::python("import threading\nthreading.Thread(target=print).start()"),
    );
    assert_eq!(alone.unwrap().backend, BackendKind::Wasm);
}

#[test]
fn a_plan_says_who_has_what() {
    let found = plan("import json\ndef f():\n    import pandas\nimport cv2");
    let imports: Vec<_> = found
        .imports
        .iter()
        .map(|import| {
            let package = import.package.as_deref().unwrap_or("-");
            (
                &*import.module,
                package,
                import.place,
                import.line,
                import.backends.len(),
            )
        })
        .collect();
    assert_eq!(
        imports,
        [
            ("json", "-", Place::Unconditional, 1, 2),
            ("pandas", "pandas", Place::Function, 3, 1),
            ("cv2", "opencv-python", Place::Unconditional, 4, 0),
        ]
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["imports"][1]["in"], serde_json::json!(["lambda"]));
    assert_eq!(json["imports"][1]["place"], "function");
}

#[test]
fn hints_say_what_may_be_meant() {
    assert_eq!(
        plan("import pandsa").hints,
        [
            "no backend has pandsa; GET /v1/runtimes lists what there is",
            "instead of pandsa, pandas may be meant"
        ]
    );
    let network = plan("import socket\nsocket.create_connection(('x', 1))");
    assert!(network.hints.iter().any(|hint| hint.contains("network")));
}

#[test]
fn the_files_that_are_sent_along_are_no_packages() {
    let mut request = ExecuteRequest::python("import helper");
    request.files = vec![InputFile {
        path: "helper.py".into(),
        content: "import pandas".into(),
    }];
    let found = try_plan(&both(), request).unwrap();
    assert_eq!(
        (found.rule, found.backend),
        ("imports", BackendKind::Lambda)
    );
}

#[test]
fn every_rule_has_a_name_of_its_own() {
    let names: Vec<_> = rules::RULES.iter().map(|rule| rule.name).collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

/// Lines of which codes are made: every rule is met, and much that no rule knows.
const LINES: [&str; 16] = [
    "import pandas",
    "import json",
    "import nonesuch as n",
    "from numpy.linalg import norm",
    "def f():\n    import pandas",
    "try:\n    import numpy\nexcept ImportError:\n    pass",
    "!pip install pandas",
    "%matplotlib inline",
    "import threading; threading.Thread()",
    "import subprocess; subprocess.run(['x'])",
    "__import__('pan' + 'das')",
    "library(stats)",
    "import {x} from 'lodash'",
    "print(",
    "\u{0}\u{feff}é",
    "x = [[[[[[[[",
];

prop_compose! {
    fn requests()(
        lines in prop::collection::vec(0..LINES.len(), 1..6),
        noise in ".{0,20}",
        language in 0..Language::ALL.len(),
        choice in 0..3_usize,
        packages in prop::collection::vec(prop::sample::select(vec!["pandas", "x", "Python_dateutil"]), 0..3),
        memory in prop::option::of(1_u32..1_024),
        timeout in prop::option::of(1_u64..60_000),
    ) -> ExecuteRequest {
        let mut code: Vec<&str> = lines.iter().map(|at| LINES[*at]).collect();
        code.push(&noise);
        let mut request = ExecuteRequest::new(Language::ALL[language], code.join("\n").replace('\0', ""));
        request.code.push('x');
        request.backend = [BackendChoice::Auto, BackendChoice::Wasm, BackendChoice::Lambda][choice];
        request.packages = packages.into_iter().map(str::to_owned).collect();
        request.limits.memory_mb = memory;
        request.limits.timeout_ms = timeout;
        request
    }
}

proptest! {
    /// Whatever is asked: there is a plan or a refusal with a reason, the same each time, and it
    /// names a backend that has the language.
    #[test]
    fn plans_are_total_and_deterministic(request in requests(), lambda in any::<bool>()) {
        let executors = || {
            let mut executors = vec![TestExecutor::default()];
            if lambda {
                executors.push(TestExecutor::lambda());
            }
            executors
        };
        let (one, two) = (planner(executors()), planner(executors()));
        let first = try_plan(&one, request.clone());
        for planner in [&one, &two] {
            let again = try_plan(planner, request.clone());
            prop_assert_eq!(format!("{first:?}"), format!("{again:?}"));
        }
        match first {
            Ok(plan) => {
                prop_assert!(!plan.reason.is_empty() && !plan.runtime.is_empty());
                let backend = one.backends.get(plan.backend).unwrap();
                prop_assert!(backend.runtime(request.language.runs_as()).is_some());
                prop_assert!(plan.estimated_cost_usd >= 0.0);
                let asked = match request.backend {
                    BackendChoice::Auto => plan.backend,
                    BackendChoice::Wasm => BackendKind::Wasm,
                    BackendChoice::Lambda => BackendKind::Lambda,
                };
                prop_assert_eq!(plan.backend, asked);
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Unsupported),
        }
    }
}

#[test]
fn code_that_is_not_analysed_is_tried_in_the_sandbox() {
    let deep = format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert_eq!(
        decided(&plan(&deep)),
        (
            "otherwise_sandbox",
            "wasm",
            "the code is nested too deeply to be analysed, so the wasm sandbox is tried first"
        )
    );
}

#[test]
fn plans_of_equal_codes_share_an_analysis() {
    let planner = both();
    let analyse = |content: &'static str| {
        let mut request = ExecuteRequest::python("import helper");
        request.files = vec![InputFile {
            path: "helper.py".into(),
            content: content.into(),
        }];
        request.env = BTreeMap::new();
        let task = RequestRules::default().task(request).unwrap();
        let code = CodeKey::new(task.language, &task.code, &Arc::from(""));
        planner.analyse(&task, &code)
    };
    assert!(Arc::ptr_eq(
        &analyse("import json"),
        &analyse("import json")
    ));
    assert!(!Arc::ptr_eq(
        &analyse("import json"),
        &analyse("import pandas")
    ));
}
