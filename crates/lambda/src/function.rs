//! One function on Lambda: invoking it, with everything that is tried again, and what its errors
//! mean.

use std::time::{Duration, Instant};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig as SdkRetries;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_lambda::operation::invoke::InvokeOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};

use crate::LambdaConfig;
use crate::Target;
use crate::breaker::{Breaker, Verdict};
use crate::failure::{self, Failure, FailureKind};
use crate::fault::{self, Fault};
use crate::report::Report;
use crate::retry::Retries;

/// A function, and what is known about how it does.
#[derive(Debug)]
pub(crate) struct Function {
    client: Client,
    target: Target,
    retries: Retries,
    breaker: Breaker,
}

/// One call of a function.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) payload: Vec<u8>,
    pub(crate) tenant: Option<String>,
    /// How long all attempts may take together.
    pub(crate) deadline: Duration,
    /// Whether running twice does no harm.
    pub(crate) harmless: bool,
}

/// A function that ended, and what it used.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) answer: Result<Vec<u8>, Fault>,
    pub(crate) report: Report,
    /// The version that ran.
    pub(crate) version: Option<String>,
    /// Whether the function had counted as down until this.
    pub(crate) recovered: bool,
}

impl Function {
    /// Makes a client for `config`'s function out of `sdk`, which says where Lambda is and who
    /// asks.
    pub(crate) fn new(config: &LambdaConfig, sdk: Builder) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(config.connect_timeout);
        let sdk = sdk
            // What is harmless to send again is for us to say, and how long it takes for the task.
            .retry_config(SdkRetries::disabled())
            .timeout_config(timeouts.build())
            // Nothing is received while the snippet runs.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        Self {
            client: Client::from_conf(sdk.build()),
            target: config.target.clone(),
            retries: Retries::new(config.retry),
            breaker: Breaker::new(config.breaker),
        }
    }

    /// How long nothing will be sent because the function counts as down.
    pub(crate) fn down_for(&self) -> Option<Duration> {
        self.breaker.closed_for(Instant::now())
    }

    /// Invokes the function, more than once where that is harmless and may help.
    pub(crate) async fn invoke(&self, invocation: &Invocation) -> Result<Ended, Failure> {
        let end = Instant::now() + invocation.deadline;
        let mut earlier = None;
        for attempt in 1.. {
            let pass = match self.breaker.enter(Instant::now()) {
                Ok(pass) => pass,
                Err(wait) => return Err(earlier.unwrap_or_else(|| self.open(wait))),
            };
            let failure = match self.attempt(invocation, end).await {
                Ok(mut ended) => {
                    let verdict = ended.verdict();
                    ended.recovered = pass.settle(verdict, Instant::now());
                    if verdict == Verdict::Up {
                        self.retries.refill();
                    }
                    return Ok(ended);
                }
                Err(failure) => failure,
            };
            pass.settle(failure.verdict(), Instant::now());
            if !failure.may_retry(invocation.harmless) {
                return Err(failure);
            }
            let pause = self.retries.pause(attempt, failure.retry_after);
            let left = end.saturating_duration_since(Instant::now());
            let Some(pause) = pause.filter(|pause| *pause < left) else {
                return Err(failure);
            };
            tracing::debug!(error = %failure.message, ?pause, attempt, "invoking again");
            tokio::time::sleep(pause).await;
            earlier = Some(failure);
        }
        // More attempts than a number can count.
        Err(earlier.unwrap_or_else(|| self.open(Duration::ZERO)))
    }

    fn open(&self, wait: Duration) -> Failure {
        let message = format!("function `{}` is down", self.target);
        Failure::new(FailureKind::Open, message).after(Some(wait))
    }

    async fn attempt(&self, invocation: &Invocation, end: Instant) -> Result<Ended, Failure> {
        let request = self
            .client
            .invoke()
            .function_name(&self.target.function)
            .qualifier(&self.target.qualifier)
            .set_tenant_id(invocation.tenant.clone())
            .invocation_type(InvocationType::RequestResponse)
            // The report is in it: what was billed, and why a function died.
            .log_type(LogType::Tail)
            .payload(Blob::new(invocation.payload.clone()));
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, request.send()).await {
            Ok(Ok(output)) => Ok(Ended::new(output)),
            Ok(Err(error)) => Err(failure::classify(error, &self.target.to_string())),
            Err(_) => Err(Failure::new(
                FailureKind::Lost,
                format!(
                    "function `{}` did not answer within {:.1} s",
                    self.target,
                    invocation.deadline.as_secs_f64()
                ),
            )),
        }
    }
}

impl Ended {
    fn new(output: InvokeOutput) -> Self {
        let report = Report::from_log_result(output.log_result());
        let failed = output.function_error().is_some();
        let version = output.executed_version().map(str::to_owned);
        let body = output.payload.map(Blob::into_inner).unwrap_or_default();
        let answer = if failed {
            Err(fault::classify(&body, &report))
        } else {
            Ok(body)
        };
        Self {
            answer,
            report,
            version,
            recovered: false,
        }
    }

    /// What it says about the function. Nothing that a snippet may be able to bring about can make
    /// it count as down for all others.
    fn verdict(&self) -> Verdict {
        match &self.answer {
            Ok(_)
            | Err(
                Fault::TimedOut | Fault::OutOfMemory | Fault::Crashed(_) | Fault::AnswerTooLarge,
            ) => Verdict::Up,
            Err(Fault::Defect(_)) => Verdict::Unknown,
            Err(Fault::NotStarted(_)) => Verdict::Down,
        }
    }
}
