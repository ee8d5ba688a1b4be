//! Whether a request is signed by somebody who may call: Signature Version 4, worked out again by
//! the library that clients sign with.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as SigningCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::{HeaderMap, request};

use crate::config::Credentials;

/// How far a request's time may be from ours.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

const DATE: &str = "x-amz-date";

/// Why a request is refused, as the service's error code and message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

const MISSING: Refusal = Refusal {
    code: "MissingAuthenticationTokenException",
    message: "Missing Authentication Token",
};
const INCOMPLETE: Refusal = Refusal {
    code: "IncompleteSignatureException",
    message: "Authorization must name Credential, SignedHeaders and Signature, and X-Amz-Date be signed.",
};
const UNKNOWN: Refusal = Refusal {
    code: "UnrecognizedClientException",
    message: "The security token included in the request is invalid.",
};
const SKEWED: Refusal = Refusal {
    code: "InvalidSignatureException",
    message: "Signature expired: the time of the request is too far from the service's.",
};
const MISMATCH: Refusal = Refusal {
    code: "InvalidSignatureException",
    message: "The request signature we calculated does not match the signature you provided. \
              Check your AWS Secret Access Key and signing method.",
};

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let fields = value.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.rsplitn(5, '/');
        if scope.next()? != "aws4_request" {
            return None;
        }
        let (service, region, date) = (scope.next()?, scope.next()?, scope.next()?);
        Some(Self {
            access_key_id: scope.next()?,
            date,
            region,
            service,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

/// Checks a request's signature, its body included.
pub(crate) fn check(
    request: &request::Parts,
    body: &[u8],
    credentials: &Credentials,
) -> Result<(), Refusal> {
    let header = text(&request.headers, AUTHORIZATION.as_str()).ok_or(MISSING)?;
    let given = Authorization::parse(header).ok_or(INCOMPLETE)?;
    if given.access_key_id != credentials.access_key_id {
        return Err(UNKNOWN);
    }
    let signed: Vec<&str> = given.signed_headers.split(';').collect();
    let date = text(&request.headers, DATE).ok_or(INCOMPLETE)?;
    if !signed.contains(&HOST.as_str()) || !signed.contains(&DATE) || given.service != "lambda" {
        return Err(INCOMPLETE);
    }
    let time = time_of(date).ok_or(INCOMPLETE)?;
    let now = SystemTime::now();
    let skew = now
        .duration_since(time)
        .unwrap_or_else(|error| error.duration());
    if skew > MAX_SKEW || !date.starts_with(given.date) {
        return Err(SKEWED);
    }
    let expected = signature(request, body, credentials, &given, &signed, time).ok_or(MISMATCH)?;
    if expected == given.signature {
        Ok(())
    } else {
        Err(MISMATCH)
    }
}

/// The signature that the right secret gives.
fn signature(
    request: &request::Parts,
    body: &[u8],
    credentials: &Credentials,
    given: &Authorization<'_>,
    signed: &[&str],
    time: SystemTime,
) -> Option<String> {
    let identity = SigningCredentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        None,
        None,
        "local cloud",
    )
    .into();
    let mut settings = SigningSettings::default();
    // The client has named what it signed; only that is given to the signer.
    settings.excluded_headers = None;
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(given.region)
        .name(given.service)
        .time(time)
        .settings(settings)
        .build()
        .ok()?
        .into();
    let host = text(&request.headers, HOST.as_str())?;
    let path = request.uri.path_and_query()?.as_str();
    let headers = request
        .headers
        .iter()
        .filter(|(name, _)| signed.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method.as_str(),
        format!("http://{host}{path}"),
        headers,
        SignableBody::Bytes(body),
    )
    .ok()?;
    let (_, signature) = sign(signable, &parameters).ok()?.into_parts();
    Some(signature)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn time_of(date: &str) -> Option<SystemTime> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    let zoned = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().into())
}
