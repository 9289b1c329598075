//! How the node does, over HTTP: `/livez`, `/readyz`, `/metrics`.
//!
//! In: the running service's own counters. Out: JSON for people and supervisors, Prometheus text for graphs.
//! Never: a picture, a case, a secret; a change of anything.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use calib::check::Problem;
use ingest::CameraState;
use logic::scene::ViewFault;
use serde_json::{Value, json};

use crate::fleet::{CameraReport, Fleet};
use crate::holding::Holding;
use crate::reload::Applied;
use crate::service::Service;
use crate::swap::Swap;

/// What the answers are made of.
#[derive(Clone)]
struct Told {
    fleet: Arc<Fleet>,
    swap: Arc<Swap>,
    applied: Arc<Applied>,
    holding: Arc<Holding>,
}

/// Answers at `listen` until the service ends; gives the address that was taken.
///
/// # Errors
/// The port cannot be had.
pub(crate) fn serve(service: &Service, listen: SocketAddr) -> Result<SocketAddr> {
    let listener =
        std::net::TcpListener::bind(listen).with_context(|| format!("health.listen = {listen}"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let told = Told {
        fleet: service.fleet(),
        swap: service.swap(),
        applied: service.applied(),
        holding: service.holding(),
    };
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(told);
    service.spawn(async move {
        let served = async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
        if let Err(error) = served.await {
            tracing::error!(%error, "nothing answers at health.listen any more");
        }
    });
    Ok(address)
}

/// 200 while the node looks at its cameras, also where an edit was refused: what was last good goes on, and a
/// supervisor that took the node away for it would lose it. `status` is then `degraded`. 503 while what it finds
/// does not reach the disk: it holds what it has found and takes up nothing new. `status` is then `refused`.
async fn readyz(State(told): State<Told>) -> impl IntoResponse {
    let (cameras, model, applied) = (told.fleet.reports(), told.swap.report(), told.applied.report());
    let sound = applied.refused.is_empty() && model.refused.is_none();
    let refused = told.holding.report().refused;
    let (code, status) = match (&refused, sound) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "refused"),
        (None, false) => (StatusCode::OK, "degraded"),
        (None, true) => (StatusCode::OK, "ok"),
    };
    let body = Json(json!({
        "status": status,
        "store": refused.map(|(since, why)| json!({ "refuses_for_secs": since.as_secs(), "why": why })),
        "cameras": {
            "watched": cameras.len(),
            "live": live(&cameras),
            "waiting": cameras.iter().filter(|camera| camera.state != CameraState::Live).map(|camera| json!({
                "id": camera.id.as_str(),
                "state": format!("{:?}", camera.state),
            })).collect::<Vec<_>>(),
            "faulty": cameras.iter().filter_map(|camera| Some(json!({
                "id": camera.id.as_str(),
                "view": camera.fault?,
            }))).collect::<Vec<_>>(),
        },
        "model": { "name": model.model.name, "sha256": model.model.sha256, "provider": model.provider.to_string(), "refused": model.refused },
        "configuration": {
            "refused": applied.refused.iter().map(problem).collect::<Vec<_>>(),
            "doubts": applied.doubts.iter().map(problem).collect::<Vec<_>>(),
            "takes_effect_at_next_start": applied.waiting,
        },
    }));
    (code, body)
}

fn problem(problem: &Problem) -> Value {
    json!({ "file": problem.file, "key": problem.key, "line": problem.line, "what": problem.what, "mend": problem.mend })
}

fn live(cameras: &[CameraReport]) -> usize {
    cameras.iter().filter(|camera| camera.state == CameraState::Live).count()
}

/// Counters of a camera: name, what it counts, where it is.
type Counter = (&'static str, &'static str, fn(&CameraReport) -> u64);

const COUNTERS: [Counter; 7] = [
    ("shirong_looks_total", "Frames that were looked at.", |camera| camera.looks),
    (
        "shirong_looks_standing_total",
        "Of these, those that showed what the model had seen before, and which it was spared.",
        |camera| camera.standing,
    ),
    ("shirong_looks_failed_total", "Frames that the model had no answer for.", |camera| camera.unseen),
    ("shirong_findings_total", "Findings that were confirmed.", |camera| camera.findings),
    ("shirong_findings_capped_total", "Findings over the daily cap of their rule, not told.", |camera| {
        camera.capped
    }),
    ("shirong_spots_refused_total", "Things not watched because the table of spots was full.", |camera| {
        camera.refused
    }),
    ("shirong_frames_overwritten_total", "Frames that a newer one took the place of.", |camera| {
        camera.overwritten
    }),
];

async fn metrics(State(told): State<Told>) -> impl IntoResponse {
    let (cameras, model, applied) = (told.fleet.reports(), told.swap.report(), told.applied.report());
    let holding = told.holding.report();
    let mut text = String::new();
    for (name, help, of) in COUNTERS {
        family(
            &mut text,
            name,
            help,
            "counter",
            cameras.iter().map(|camera| (camera.id.as_str(), of(camera))),
        );
    }
    units_dropped(&mut text, &cameras);
    told.fleet.decisions().write(
        &mut text,
        "shirong_decision_seconds",
        "From a frame's arrival to what the rules say of it.",
    );
    told.fleet.cases().write(
        &mut text,
        "shirong_case_seconds",
        "From the arrival of a confirming frame to its case on disk.",
    );
    let live =
        cameras.iter().map(|camera| (camera.id.as_str(), u64::from(camera.state == CameraState::Live)));
    family(&mut text, "shirong_camera_live", "1 while a camera's stream is live.", "gauge", live);
    view_faults(&mut text, &cameras);
    let _ = writeln!(
        text,
        "# HELP shirong_model_info The model that looks and where it runs.\n# TYPE shirong_model_info gauge\n\
         shirong_model_info{{sha256=\"{}\",provider=\"{}\"}} 1",
        model.model.sha256, model.provider
    );
    let files: std::collections::BTreeSet<&str> = applied.refused.iter().map(|p| p.file.as_str()).collect();
    let alone = [
        (
            "shirong_configuration_files_refused",
            "Files whose latest edit was refused.",
            "gauge",
            files.len() as u64,
        ),
        ("shirong_configuration_readings_total", "Readings of changed files.", "counter", applied.readings),
        (
            "shirong_model_refused",
            "1 while a new model is refused.",
            "gauge",
            u64::from(model.refused.is_some()),
        ),
        ("shirong_model_swaps_total", "Exchanges of the model.", "counter", model.swaps),
        (
            "shirong_store_refuses",
            "1 while what is found does not reach the disk; it is held and nothing new is looked at.",
            "gauge",
            u64::from(holding.refused.is_some()),
        ),
        (
            "shirong_store_refusals_total",
            "Commits that did not hold, each try of them.",
            "counter",
            holding.refusals,
        ),
    ];
    for (name, help, kind, value) in alone {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Why a picture was not decoded, or decoded and not looked at.
type Reason = (&'static str, fn(&ingest::Counters) -> u64);

const REASONS: [Reason; 6] = [
    ("delta", |stream| stream.delta_dropped),
    ("late", |stream| stream.late_dropped),
    ("damaged", |stream| stream.damaged_dropped),
    ("cadence", |stream| stream.cadence_dropped),
    ("quiet", |stream| stream.quiet_dropped),
    ("undecodable", |stream| stream.decode_errors),
];

/// One line a camera and reason.
fn units_dropped(text: &mut String, cameras: &[CameraReport]) {
    let name = "shirong_units_dropped_total";
    let help =
        "Compressed pictures that were not looked at, by reason; most are what the cadence does not ask for.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
    for camera in cameras {
        for (reason, of) in REASONS {
            let (id, count) = (camera.id.as_str(), of(&camera.stream));
            let _ = writeln!(text, "{name}{{camera=\"{id}\",reason=\"{reason}\"}} {count}");
        }
    }
}

/// One line a camera and fault: a fault that is over must read 0, not be gone.
fn view_faults(text: &mut String, cameras: &[CameraReport]) {
    let name = "shirong_view_fault";
    let help = "1 while the view of a camera cannot be judged, by what is wrong with it; its rules wait.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for camera in cameras {
        for (fault, _) in ViewFault::NAMES {
            let (id, is_on) = (camera.id.as_str(), u8::from(camera.fault == Some(*fault)));
            let _ = writeln!(text, "{name}{{camera=\"{id}\",fault=\"{fault}\"}} {is_on}");
        }
    }
}

fn family<'c>(
    text: &mut String,
    name: &str,
    help: &str,
    kind: &str,
    values: impl Iterator<Item = (&'c str, u64)>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (camera, value) in values {
        // A camera's id is letters, digits, - and _: nothing to escape.
        let _ = writeln!(text, "{name}{{camera=\"{camera}\"}} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_camera_left_out_is_told_by_its_reason() {
        let camera = CameraReport {
            id: logic::look::CameraId::new("a"),
            state: CameraState::Live,
            looks: 9,
            standing: 0,
            unseen: 1,
            findings: 2,
            refused: 3,
            capped: 4,
            fault: None,
            overwritten: 5,
            stream: ingest::Counters { damaged_dropped: 6, ..ingest::Counters::default() },
        };
        let mut text = String::new();
        for (name, help, of) in COUNTERS {
            family(&mut text, name, help, "counter", std::iter::once(("a", of(&camera))));
        }
        units_dropped(&mut text, &[camera]);
        for line in [
            "shirong_spots_refused_total{camera=\"a\"} 3",
            "shirong_findings_capped_total{camera=\"a\"} 4",
            "shirong_units_dropped_total{camera=\"a\",reason=\"damaged\"} 6",
        ] {
            assert!(text.lines().any(|told| told == line), "{text}");
        }
    }
}
