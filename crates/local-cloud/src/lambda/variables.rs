//! The variables of a function's environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::config::{FunctionConfig, random_secret};

/// What Lambda sets, over what the function's configuration sets. The credentials are new for
/// each environment and open nothing: the function's role has no rights.
pub(crate) fn of(function: &FunctionConfig, region: &str, api: u16) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::from([
        ("LANG".to_owned(), "C.UTF-8".to_owned()),
        (
            "PATH".to_owned(),
            "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned(),
        ),
        ("TZ".to_owned(), ":UTC".to_owned()),
    ]);
    variables.extend(function.environment.clone());
    let id = Uuid::new_v4().simple().to_string();
    let key = format!("ASIA{}", &id[..16].to_uppercase());
    let memory = function.memory_mb.to_string();
    let stream = format!("{}/[{}]{id}", log_date(), function.version);
    let set = [
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", function.version.clone()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{}", function.name),
        ),
        ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
        ("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{api}")),
        ("AWS_REGION", region.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", random_secret()),
        ("AWS_SESSION_TOKEN", random_secret()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
    ];
    variables.extend(set.map(|(name, value)| (name.to_owned(), value)));
    variables
}

fn log_date() -> String {
    jiff::Timestamp::now().strftime("%Y/%m/%d").to_string()
}
