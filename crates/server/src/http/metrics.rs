//! `GET /metrics`: what the service does, for Prometheus.
//!
//! Labels are names of ours alone. Nothing a caller sends becomes one, so that nobody can make
//! series without end.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use sandgate::{CacheStatus, ErrorKind, Execution, Language, Router};

use super::problem::Problem;

/// The format of OpenMetrics, which Prometheus reads.
const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    backend: &'static str,
    language: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cache {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Backend {
    backend: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

/// What is counted while the service runs.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    executions: Family<Ended, Counter>,
    refused: Family<Refused, Counter>,
    cache: Family<Cache, Counter>,
    hops: Family<Backend, Counter>,
    seconds: Family<Backend, Histogram>,
    queue_seconds: Family<Backend, Histogram>,
    cost: Family<Backend, Counter<f64>>,
    under_way: Gauge,
    ready: Family<Backend, Gauge>,
    accepting: Gauge,
}

/// From a tenth of a millisecond, which a hit takes, to a minute.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_1, 2.0, 20))
}

/// An execution under way, also when its future is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Gauge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("sandgate");
        let executions = Family::default();
        registry.register(
            "executions",
            "Executions that were answered",
            executions.clone(),
        );
        let refused = Family::default();
        registry.register(
            "refused",
            "Requests that were not executed",
            refused.clone(),
        );
        let cache = Family::default();
        registry.register("cache", "What the cache did for executions", cache.clone());
        let hops = Family::default();
        registry.register(
            "hops",
            "Attempts that did not give the answer, by where they were made",
            hops.clone(),
        );
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "request",
            "From a request's arrival to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let queue_seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register_with_unit(
            "queue",
            "Waiting for a place",
            Unit::Seconds,
            queue_seconds.clone(),
        );
        let cost = Family::default();
        registry.register(
            "cost_usd",
            "Cost of executions from configured prices, in US dollars",
            cost.clone(),
        );
        let under_way = Gauge::default();
        registry.register("under_way", "Executions under way", under_way.clone());
        let ready = Family::default();
        registry.register(
            "backend_ready",
            "1 where a backend could start an execution now; 0 for Lambda while its breaker is open",
            ready.clone(),
        );
        let accepting = Gauge::default();
        registry.register(
            "ready",
            "1 where the service takes executions: a backend is ready and outputs have room",
            accepting.clone(),
        );
        Self {
            registry,
            executions,
            refused,
            cache,
            hops,
            seconds,
            queue_seconds,
            cost,
            under_way,
            ready,
            accepting,
        }
    }

    pub(super) fn under_way(&self) -> UnderWay {
        self.under_way.inc();
        UnderWay(self.under_way.clone())
    }

    /// An execution was answered after `took`.
    pub(super) fn executed(&self, language: Language, execution: &Execution, took: Duration) {
        let backend = Backend {
            backend: execution.route.backend.as_str(),
        };
        self.executions
            .get_or_create(&Ended {
                backend: backend.backend,
                language: language.as_str(),
                status: execution.status.as_str(),
            })
            .inc();
        let status = match execution.cache.status {
            CacheStatus::Hit => "hit",
            CacheStatus::Miss => "miss",
            CacheStatus::Off => "off",
        };
        self.cache.get_or_create(&Cache { status }).inc();
        for hop in &execution.route.hops {
            let backend = hop.backend.as_str();
            self.hops.get_or_create(&Backend { backend }).inc();
        }
        let seconds = took.as_secs_f64();
        self.seconds.get_or_create(&backend).observe(seconds);
        let queued = execution.usage.queue_ms / 1e3;
        self.queue_seconds.get_or_create(&backend).observe(queued);
        let cost = execution.usage.cost_usd.max(0.0);
        self.cost.get_or_create(&backend).inc_by(cost);
    }

    /// A request was not executed.
    pub(super) fn refused(&self, kind: ErrorKind) {
        let reason = match kind {
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Overloaded => "overloaded",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Rejected => "rejected",
            ErrorKind::Internal => "internal",
        };
        self.refused.get_or_create(&Refused { reason }).inc();
    }

    /// All of it, and how the router is at this moment.
    pub(super) fn respond(&self, router: &Router) -> Result<Response<Body>, Problem> {
        for (kind, ready) in router.backends() {
            let backend = kind.as_str();
            self.ready
                .get_or_create(&Backend { backend })
                .set(ready.into());
        }
        self.accepting.set(router.ready().is_ok().into());
        let mut text = String::new();
        encode(&mut text, &self.registry).map_err(|error| {
            tracing::error!(%error, "the metrics do not become text");
            Problem::internal()
        })?;
        let mut response = Response::new(Body::from(text));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, CONTENT_TYPE);
        Ok(response)
    }
}
