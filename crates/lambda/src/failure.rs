//! What can go wrong between the router and the function, and what follows from it.

use std::error::Error;
use std::time::Duration;

use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ConnectorError, DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use sandgate_core::{ErrorKind, ExecutorError};

use crate::breaker::Verdict;

/// When a caller should try again who was not told a better time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An invocation that gave no answer of the function's.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    /// When to try again, where the other side said so.
    pub(crate) retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// Lambda has no room. The function was not invoked.
    Throttled,
    /// The function was not reached, and may be in a moment.
    Unreached,
    /// It is not known whether the function ran.
    Lost,
    /// What was sent is too large, whoever sends it.
    TooLarge,
    /// The function cannot be invoked until somebody changes something.
    Misconfigured,
    /// The image does not have the language.
    Unsupported,
    /// The function answers, but not as a runner does.
    Defect,
    /// Nothing was sent: the function counts as down.
    Open,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            source: None,
        }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// Whether it may be sent again. `harmless` says that running twice does no harm.
    pub(crate) fn may_retry(&self, harmless: bool) -> bool {
        match self.kind {
            FailureKind::Throttled | FailureKind::Unreached => true,
            FailureKind::Lost => harmless,
            FailureKind::TooLarge
            | FailureKind::Misconfigured
            | FailureKind::Unsupported
            | FailureKind::Defect
            | FailureKind::Open => false,
        }
    }

    /// What it says about the function. One that is busy is up.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.kind {
            FailureKind::Unreached | FailureKind::Lost | FailureKind::Misconfigured => {
                Verdict::Down
            }
            FailureKind::Throttled
            | FailureKind::TooLarge
            | FailureKind::Unsupported
            | FailureKind::Defect
            | FailureKind::Open => Verdict::Unknown,
        }
    }

    /// What the router is told.
    pub(crate) fn into_error(self) -> ExecutorError {
        let (kind, retry) = match self.kind {
            FailureKind::Throttled => (ErrorKind::Overloaded, true),
            FailureKind::Unreached | FailureKind::Lost | FailureKind::Open => {
                (ErrorKind::Unavailable, true)
            }
            FailureKind::Misconfigured => (ErrorKind::Unavailable, false),
            FailureKind::TooLarge => (ErrorKind::Rejected, false),
            FailureKind::Unsupported => (ErrorKind::Unsupported, false),
            FailureKind::Defect => (ErrorKind::Internal, false),
        };
        let mut error = ExecutorError::new(kind, self.message);
        error.source = self.source;
        if retry {
            error.retry_after = Some(self.retry_after.unwrap_or(RETRY_AFTER));
        }
        error
    }
}

/// What the SDK's error of an invocation of `target` means.
pub(crate) fn classify(error: SdkError<InvokeError, HttpResponse>, target: &str) -> Failure {
    let failure = match &error {
        SdkError::ServiceError(context) => {
            service(context.err(), context.raw().status().as_u16(), target)
        }
        SdkError::DispatchFailure(context) => match context.as_connector_error() {
            Some(connector) => connection(connector),
            None => Failure::new(FailureKind::Lost, "the connection to Lambda failed"),
        },
        // Only connecting has a time limit of the SDK's.
        SdkError::TimeoutError(_) => Failure::new(FailureKind::Lost, "Lambda did not answer"),
        SdkError::ResponseError(_) => Failure::new(
            FailureKind::Lost,
            "the connection to Lambda ended within its answer",
        ),
        SdkError::ConstructionFailure(_) => Failure::new(
            FailureKind::Misconfigured,
            format!(
                "the request to Lambda cannot be made: check AWS_REGION, AWS_PROFILE and the \
                 credentials ({})",
                // The chain is where the SDK says what happened.
                DisplayErrorContext(&error)
            ),
        ),
        _ => Failure::new(FailureKind::Lost, "the request to Lambda failed"),
    };
    failure.caused_by(error)
}

fn connection(error: &ConnectorError) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut text = String::new();
    let mut connected = true;
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            connected &= !error.is_connect();
        }
        text = error.to_string();
        cause = error.source();
    }
    if !connected {
        Failure::new(
            FailureKind::Unreached,
            format!("cannot connect to Lambda: {text}"),
        )
    } else if error.is_user() {
        Failure::new(
            FailureKind::Misconfigured,
            format!("the request to Lambda cannot be made: {text}"),
        )
    } else if error.is_other() && text.contains("credentials") {
        Failure::new(
            FailureKind::Misconfigured,
            format!("there are no usable AWS credentials: {text}"),
        )
    } else {
        Failure::new(
            FailureKind::Lost,
            format!("the connection to Lambda broke: {text}"),
        )
    }
}

fn service(error: &InvokeError, status: u16, target: &str) -> Failure {
    let said = |what: &str| {
        let message = error.meta().message().unwrap_or("no further message");
        format!("{what}: {message}")
    };
    let throttled = || Failure::new(FailureKind::Throttled, said("Lambda is throttled"));
    let not_ready = || {
        let what = format!("function `{target}` is not ready");
        Failure::new(FailureKind::Unreached, said(&what))
    };
    let misconfigured = |what: &str| {
        let what = format!("function `{target}` cannot be invoked, {what}");
        Failure::new(FailureKind::Misconfigured, said(&what))
    };
    match error {
        InvokeError::TooManyRequestsException(busy) => {
            let reason = busy
                .reason()
                .map_or("no reason given", |reason| reason.as_str());
            let after = busy
                .retry_after_seconds()
                .and_then(|text| text.parse().ok());
            Failure::new(
                FailureKind::Throttled,
                format!("Lambda is throttled ({reason})"),
            )
            .after(after.map(Duration::from_secs))
        }
        InvokeError::Ec2ThrottledException(_) | InvokeError::ServiceQuotaExceededException(_) => {
            throttled()
        }
        InvokeError::CodeArtifactUserPendingException(_)
        | InvokeError::Ec2UnexpectedException(_)
        | InvokeError::EfsMountConnectivityException(_)
        | InvokeError::EfsMountTimeoutException(_)
        | InvokeError::EniLimitReachedException(_)
        | InvokeError::EniNotReadyException(_)
        | InvokeError::ResourceConflictException(_)
        | InvokeError::ResourceNotReadyException(_)
        | InvokeError::S3FilesMountConnectivityException(_)
        | InvokeError::S3FilesMountTimeoutException(_)
        | InvokeError::SnapStartNotReadyException(_)
        | InvokeError::SnapStartTimeoutException(_)
        | InvokeError::SubnetIpAddressLimitReachedException(_) => not_ready(),
        InvokeError::RequestTooLargeException(_)
        | InvokeError::SerializedRequestEntityTooLargeException(_) => Failure::new(
            FailureKind::TooLarge,
            said("the task is too large for Lambda"),
        ),
        InvokeError::ResourceNotFoundException(_) => {
            misconfigured("check its name, its qualifier and AWS_REGION")
        }
        InvokeError::InvalidParameterValueException(_)
        | InvokeError::InvalidRequestContentException(_)
        | InvokeError::UnsupportedMediaTypeException(_)
        | InvokeError::ModeNotSupportedException(_) => {
            misconfigured("check whether its tenant isolation is as configured here")
        }
        InvokeError::KmsAccessDeniedException(_)
        | InvokeError::KmsDisabledException(_)
        | InvokeError::KmsInvalidStateException(_)
        | InvokeError::KmsNotFoundException(_) => misconfigured("check its KMS key"),
        InvokeError::Ec2AccessDeniedException(_)
        | InvokeError::InvalidSecurityGroupIdException(_)
        | InvokeError::InvalidSubnetIdException(_) => misconfigured("check its VPC settings"),
        InvokeError::CodeArtifactUserDeletedException(_)
        | InvokeError::CodeArtifactUserFailedException(_)
        | InvokeError::DurableExecutionAlreadyStartedException(_)
        | InvokeError::EfsioException(_)
        | InvokeError::EfsMountFailureException(_)
        | InvokeError::InvalidRuntimeException(_)
        | InvokeError::InvalidZipFileException(_)
        | InvokeError::NoPublishedVersionException(_)
        | InvokeError::RecursiveInvocationException(_)
        | InvokeError::S3FilesMountFailureException(_)
        | InvokeError::SnapStartException(_)
        | InvokeError::SnapStartRegenerationFailureException(_) => {
            misconfigured("check how it was deployed")
        }
        // Whether the function ran is not said.
        InvokeError::ServiceException(_) => Failure::new(FailureKind::Lost, said("Lambda failed")),
        // What the SDK has no type for goes by its HTTP status.
        #[expect(
            deprecated,
            reason = "named so that a new type of error has to be classified"
        )]
        unnamed @ (InvokeError::Unhandled(_) | _) => match status {
            429 => throttled(),
            401 | 403 => misconfigured(&format!(
                "allow lambda:InvokeFunction on it ({})",
                unnamed.meta().code().unwrap_or("access denied")
            )),
            413 => Failure::new(
                FailureKind::TooLarge,
                said("the task is too large for Lambda"),
            ),
            400..=499 => misconfigured(unnamed.meta().code().unwrap_or("Lambda refuses it")),
            _ => Failure::new(FailureKind::Lost, said("Lambda failed")),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::error::ErrorMetadata;
    use aws_sdk_lambda::types::ThrottleReason;
    use aws_sdk_lambda::types::error::{
        ResourceNotFoundException, ServiceException, TooManyRequestsException,
    };

    use super::*;

    fn unnamed(status: u16, code: &str) -> Failure {
        let meta = ErrorMetadata::builder().code(code).message("m").build();
        service(&InvokeError::generic(meta), status, "f:1")
    }

    #[test]
    fn a_throttled_invocation_says_why_and_until_when() {
        let busy = TooManyRequestsException::builder()
            .reason(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
            .retry_after_seconds("3")
            .build();
        let failure = service(&InvokeError::TooManyRequestsException(busy), 429, "f:1");
        assert!(failure.may_retry(false));
        assert_eq!(failure.verdict(), Verdict::Unknown);
        let error = failure.into_error();
        assert_eq!(error.kind, ErrorKind::Overloaded);
        assert_eq!(error.retry_after, Some(Duration::from_secs(3)));
        assert!(
            error
                .message
                .contains("ReservedFunctionConcurrentInvocationLimitExceeded"),
            "{}",
            error.message
        );
    }

    #[test]
    fn what_may_have_run_is_not_sent_again() {
        let broken = InvokeError::ServiceException(ServiceException::builder().build());
        let failure = service(&broken, 500, "f:1");
        assert!(!failure.may_retry(false) && failure.may_retry(true));
        assert_eq!(failure.verdict(), Verdict::Down);
        let error = failure.into_error();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert_eq!(error.retry_after, Some(RETRY_AFTER));
    }

    #[test]
    fn what_somebody_has_to_change_is_not_worth_a_retry() {
        let missing = ResourceNotFoundException::builder().message("no f").build();
        let failure = service(&InvokeError::ResourceNotFoundException(missing), 404, "f:1");
        for (failure, hint) in [
            (
                failure,
                "check its name, its qualifier and AWS_REGION: no f",
            ),
            (
                unnamed(403, "AccessDeniedException"),
                "lambda:InvokeFunction",
            ),
            (unnamed(400, "ValidationException"), "ValidationException"),
        ] {
            assert!(!failure.may_retry(true));
            let error = failure.into_error();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert_eq!(error.retry_after, None);
            assert!(error.message.contains("f:1"), "{}", error.message);
            assert!(error.message.contains(hint), "{}", error.message);
        }
    }

    #[test]
    fn errors_without_a_type_go_by_their_status() {
        for (status, kind) in [
            (429, FailureKind::Throttled),
            (413, FailureKind::TooLarge),
            (401, FailureKind::Misconfigured),
            (409, FailureKind::Misconfigured),
            (500, FailureKind::Lost),
            (503, FailureKind::Lost),
        ] {
            assert_eq!(unnamed(status, "X").kind, kind, "{status}");
        }
        let error = unnamed(413, "X").into_error();
        assert_eq!((error.kind, error.retry_after), (ErrorKind::Rejected, None));
    }
}
