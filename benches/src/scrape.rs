//! The service's own `/metrics`, read as numbers.
//!
//! In: Prometheus text. Out: sums over the cameras, by name and reason; histograms and their quantiles. Never: a
//! number that the service did not tell.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::figures::Percentiles;

/// How long the service may take for an answer: it answers beside its work.
const WITHIN: Duration = Duration::from_secs(10);

/// One answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// Name and labels as they stand in the text.
    values: Vec<(String, f64)>,
}

/// Upper bounds in seconds and how many waits are at or below each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram(Vec<(f64, f64)>);

/// A client of one service.
pub(crate) struct Client {
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// For the service that answers at `base`, such as `http://127.0.0.1:8643`.
    pub(crate) fn new(base: &str) -> Result<Self> {
        // The second call finds a provider in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(WITHIN).build()?;
        Ok(Self { runtime, http, base: base.to_owned() })
    }

    /// What the service tells now.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let url = format!("{}/metrics", self.base);
        let text = self.runtime.block_on(async { self.http.get(&url).send().await?.text().await });
        Ok(Metrics::parse(&text.with_context(|| format!("the service does not answer at {url}"))?))
    }
}

impl Metrics {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self { values: values.collect() }
    }

    fn rows<'m>(&'m self, name: &'m str) -> impl Iterator<Item = (&'m str, f64)> + 'm {
        self.values.iter().filter_map(move |(key, value)| {
            let labels = key.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    /// The sum over all cameras.
    pub(crate) fn sum(&self, name: &str) -> u64 {
        self.rows(name).map(|(_, value)| value).sum::<f64>() as u64
    }

    /// How many cameras have at least `least`.
    pub(crate) fn cameras_with(&self, name: &str, least: f64) -> usize {
        self.rows(name).filter(|(_, value)| *value >= least).count()
    }

    /// The sum over all cameras for each value of a label.
    pub(crate) fn by(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (labels, value) in self.rows(name) {
            if let Some(named) = label_of(labels, label) {
                *sums.entry(named.to_owned()).or_insert(0) += value as u64;
            }
        }
        sums
    }

    /// A histogram without labels of its own.
    pub(crate) fn histogram(&self, name: &str) -> Histogram {
        let name = format!("{name}_bucket");
        let bucket = |(labels, value): (&str, f64)| {
            let bound = label_of(labels, "le")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, value))
        };
        Histogram(self.rows(&name).filter_map(bucket).collect())
    }
}

fn label_of<'l>(labels: &'l str, label: &str) -> Option<&'l str> {
    let inside = labels.strip_prefix('{')?.strip_suffix('}')?;
    inside.split(',').find_map(|pair| pair.strip_prefix(label)?.strip_prefix("=\"")?.strip_suffix('"'))
}

impl Histogram {
    /// What came since an earlier reading.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier =
            |bound: f64| before.0.iter().find(|(at, _)| *at == bound).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|&(bound, count)| (bound, count - earlier(bound))).collect())
    }

    /// The 50th, 95th and 99th percentile, milliseconds; `None` where nothing was counted.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        Some(Percentiles { p50: self.quantile(0.5)?, p95: self.quantile(0.95)?, p99: self.quantile(0.99)? })
    }

    /// Evenly between the bounds of the bucket that the share falls into, milliseconds.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let wanted = share * all;
        let (mut low, mut below) = (0.0, 0.0);
        for &(bound, count) in &self.0 {
            if count >= wanted {
                // What is over the last bound is at least that.
                let bound = if bound.is_finite() { bound } else { low };
                let inside = (wanted - below) / (count - below).max(f64::MIN_POSITIVE);
                return Some(1e3 * (low + (bound - low) * inside.clamp(0.0, 1.0)));
            }
            (low, below) = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP shirong_looks_total x\nshirong_looks_total{camera=\"a\"} 3\nshirong_looks_total{camera=\"b\"} 4\n\
        shirong_looks_total_of_another{camera=\"b\"} 400\n\
        shirong_units_dropped_total{camera=\"a\",reason=\"late\"} 5\nshirong_units_dropped_total{camera=\"b\",reason=\"late\"} 6\n\
        w_bucket{le=\"0.1\"} 50\nw_bucket{le=\"0.2\"} 100\nw_bucket{le=\"+Inf\"} 100\n";

    #[test]
    fn sums_are_over_cameras_and_by_reason() {
        let metrics = Metrics::parse(TEXT);
        assert_eq!(metrics.sum("shirong_looks_total"), 7);
        assert_eq!(metrics.cameras_with("shirong_looks_total", 4.0), 1);
        let by = metrics.by("shirong_units_dropped_total", "reason");
        assert_eq!(by.into_iter().collect::<Vec<_>>(), [("late".to_owned(), 11)]);
    }

    #[test]
    fn quantiles_lie_inside_their_bucket() {
        let waits = Metrics::parse(TEXT).histogram("w");
        assert_eq!(waits.percentiles().unwrap().p50, 100.0);
        assert!((waits.percentiles().unwrap().p95 - 190.0).abs() < 1e-6);
        assert_eq!(waits.since(&waits).percentiles(), None);
        let late = Histogram(vec![(0.1, 0.0), (f64::INFINITY, 3.0)]);
        assert_eq!(late.percentiles().unwrap().p99, 100.0, "at least the last bound");
    }
}
