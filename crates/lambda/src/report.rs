//! What Lambda says an invocation used: the REPORT line at the end of the log tail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::Prices;

/// What one invocation used. Everything is zero or absent where Lambda did not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) billed_ms: u64,
    pub(crate) memory_mb: u64,
    pub(crate) max_memory_mb: u64,
    /// `timeout`, `error` or `failure`, where the invocation did not succeed.
    pub(crate) status: Option<String>,
    pub(crate) error_type: Option<String>,
    /// Whether the environment failed to start.
    pub(crate) init_failed: bool,
}

/// The same in the function's JSON log format.
#[derive(Deserialize)]
struct JsonLine {
    #[serde(rename = "type")]
    kind: String,
    record: JsonRecord,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecord {
    #[serde(default)]
    metrics: JsonMetrics,
    status: Option<String>,
    error_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonMetrics {
    #[serde(rename = "billedDurationMs")]
    billed_ms: f64,
    #[serde(rename = "memorySizeMB")]
    memory_mb: u64,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_mb: u64,
}

impl Report {
    /// Reads the log tail as it comes in `X-Amz-Log-Result`.
    pub(crate) fn from_log_result(base64: Option<&str>) -> Self {
        let tail = base64.and_then(|text| STANDARD.decode(text).ok());
        Self::from_tail(&String::from_utf8_lossy(&tail.unwrap_or_default()))
    }

    /// The last report counts: what else is in the log may look like one.
    fn from_tail(tail: &str) -> Self {
        let mut report = Self::default();
        let mut init_failed = false;
        for line in tail.lines() {
            if let Some(fields) = line.strip_prefix("REPORT RequestId:") {
                report = Self::from_fields(fields);
            } else if let Some(fields) = line.strip_prefix("INIT_REPORT ") {
                init_failed |= Self::from_fields(fields).status.is_some();
            } else if line.starts_with('{')
                && let Ok(JsonLine { kind, record }) = serde_json::from_str(line)
            {
                let status = record.status.filter(|status| status != "success");
                match kind.as_str() {
                    "platform.report" => {
                        report = Self {
                            billed_ms: whole(record.metrics.billed_ms),
                            memory_mb: record.metrics.memory_mb,
                            max_memory_mb: record.metrics.max_memory_mb,
                            status,
                            error_type: record.error_type,
                            init_failed: false,
                        }
                    }
                    "platform.initReport" => init_failed |= status.is_some(),
                    _ => {}
                }
            }
        }
        report.init_failed = init_failed;
        report
    }

    /// `Name: value unit`, separated by tabs.
    fn from_fields(fields: &str) -> Self {
        let mut report = Self::default();
        for field in fields.split('\t') {
            let Some((name, value)) = field.trim().split_once(": ") else {
                continue;
            };
            let number = value.split(' ').next().and_then(|n| n.parse().ok());
            let number = whole(number.unwrap_or_default());
            match name {
                "Billed Duration" => report.billed_ms = number,
                "Memory Size" => report.memory_mb = number,
                "Max Memory Used" => report.max_memory_mb = number,
                "Status" if value != "success" => report.status = Some(value.to_owned()),
                "Error Type" => report.error_type = Some(value.to_owned()),
                _ => {}
            }
        }
        report
    }

    /// In US dollars.
    pub(crate) fn cost(&self, prices: &Prices) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds and megabytes of one run"
        )]
        let gb_seconds = self.billed_ms as f64 / 1e3 * (self.memory_mb as f64 / 1024.0);
        gb_seconds * prices.gb_second + prices.request
    }
}

/// A count as a whole number; what is none is 0.
fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "casts of floats saturate, and NaN becomes 0"
    )]
    let whole = value.ceil() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5f1c4fb6-6f4f-4f67-9a0e-3f0c2f7a7d3a";

    #[test]
    fn a_report_line_is_read() {
        let tail = format!(
            "START RequestId: {ID} Version: 7\nEND RequestId: {ID}\n\
             REPORT RequestId: {ID}\tDuration: 102.25 ms\tBilled Duration: 1103 ms\t\
             Memory Size: 2048 MB\tMax Memory Used: 311 MB\tInit Duration: 1000.10 ms\t\n"
        );
        let report = Report::from_log_result(Some(&STANDARD.encode(tail)));
        let expected = Report {
            billed_ms: 1103,
            memory_mb: 2048,
            max_memory_mb: 311,
            ..Report::default()
        };
        assert_eq!(report, expected);
        let prices = Prices {
            gb_second: 0.5,
            request: 0.25,
        };
        assert!((report.cost(&prices) - (1.103 * 2.0 * 0.5 + 0.25)).abs() < 1e-12);
    }

    #[test]
    fn how_it_failed_is_read() {
        let tail = format!(
            "REPORT RequestId: {ID}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\t\
             Error Type: Runtime.OutOfMemory"
        );
        let report = Report::from_tail(&tail);
        assert_eq!(report.status.as_deref(), Some("error"));
        assert_eq!(report.error_type.as_deref(), Some("Runtime.OutOfMemory"));
        assert!(!report.init_failed);
        let tail = format!(
            "INIT_REPORT Init Duration: 30.01 ms\tPhase: invoke\tStatus: error\t\
             Error Type: Runtime.ExitError\n{tail}"
        );
        assert!(Report::from_tail(&tail).init_failed);
    }

    #[test]
    fn the_json_log_format_says_the_same() {
        let tail = r#"{"time":"2026-01-01T00:00:00Z","type":"platform.report","record":{"requestId":"x","metrics":{"durationMs":1.5,"billedDurationMs":2,"memorySizeMB":512,"maxMemoryUsedMB":90},"status":"timeout"}}"#;
        let report = Report::from_tail(tail);
        assert_eq!((report.billed_ms, report.memory_mb), (2, 512));
        assert_eq!(report.status.as_deref(), Some("timeout"));
    }

    #[test]
    fn nonsense_is_no_report() {
        for tail in [
            "",
            "REPORT RequestId: x\tBilled Duration: many ms\tMemory Size: -1 MB\tMax Memory Used",
            "{\"type\":\"platform.report\"}",
            "{",
        ] {
            assert_eq!(Report::from_tail(tail), Report::default(), "{tail}");
        }
        assert_eq!(Report::from_log_result(Some("%")), Report::default());
        let huge = Report::from_tail("REPORT RequestId: x\tBilled Duration: 1e300 ms");
        assert_eq!(huge.billed_ms, u64::MAX);
    }
}
