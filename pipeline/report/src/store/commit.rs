//! A finding becomes a case, or a sighting of one: in one transaction, and the same finding only once.
//!
//! | the spot has | confirmed | seen |
//! |---|---|---|
//! | no case yet | judge: new case, or sighting of an open one | the same (a crash came between) |
//! | an open case | nothing, it is committed | sighting, once for each instant |
//! | a closed case | nothing, it is committed | judge; a new case is linked to the closed one |
//!
//! A case counts as open here until the desk refuses a sighting of it; what that sighting then becomes
//! is decided in `refile`, from what the sighting carries.
//!
//! In: finding, how it was found, pictures that are already in the vault. Out: case, spot and outbox rows.
//! Never: the network, and never a case id made of anything that could come again (UUID v7). Idempotency
//! keys are the opposite: made only of what stays the same when the finding is handed in again (UUID v5).

use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::case::{Case, CaseState, ModelRef, Sighting, Source, SourceKind};
use logic::dedupe::{OpenCase, Opener, Verdict, judge};
use logic::finding::Finding;
use logic::look::CameraId;
use sqlx::SqliteConnection;
use tracing::error;
use uuid::Uuid;

use super::chain::{self, Entered};
use super::outbox::{NewRow, OutboxKind, insert_row};
use super::refile::Carried;
use super::{Store, finish, read_json, write_json};
use crate::error::ReportError;
use crate::vault::VaultRecord;

/// Namespace of our idempotency keys: a random UUID, fixed for ever.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x5a1c_7be2_90f4_4d57_8c36_e1b0_4a29_d3f7);
/// How many closed cases of a matter, latest first, are searched for the one that came back.
const CLOSED_SEARCHED_MAX: i64 = 512;

/// What became of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It opened the case with this id.
    Opened(String),
    /// It is a sighting of the open case with this id.
    SightingOf(String),
    /// It had been committed before; its case has this id.
    AlreadyCommitted(String),
}

impl Committed {
    /// The case.
    pub fn case_id(&self) -> &str {
        match self {
            Self::Opened(id) | Self::SightingOf(id) | Self::AlreadyCommitted(id) => id,
        }
    }
}

/// What the rule said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitKind {
    Confirmed,
    Seen,
}

/// A finding to be committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Commit<'a> {
    pub(crate) kind: CommitKind,
    pub(crate) finding: &'a Finding,
    pub(crate) model: &'a ModelRef,
    pub(crate) config_sha256: &'a str,
    /// Pictures for a new case; `None` where they are not in the vault (yet).
    pub(crate) for_case: Option<&'a [VaultRecord]>,
    /// Pictures for a sighting.
    pub(crate) for_sighting: &'a [VaultRecord],
    pub(crate) now: Timestamp,
}

/// What the transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Done(Committed),
    /// It opens a case: put the pictures for it into the vault and commit again. Nothing was changed.
    NeedsCasePictures,
}

impl Store {
    /// Commits a finding. Told again, it changes nothing.
    pub(crate) async fn commit(&self, commit: &Commit<'_>) -> Result<Decision, ReportError> {
        let mut tx = self.begin().await?;
        let decision = decide(&mut tx, commit).await?;
        match &decision {
            Decision::Done(Committed::Opened(_) | Committed::SightingOf(_)) => finish(tx).await?,
            Decision::Done(Committed::AlreadyCommitted(_)) | Decision::NeedsCasePictures => {
                tx.rollback().await.map_err(ReportError::store("roll back"))?;
            }
        }
        Ok(decision)
    }
}

async fn decide(tx: &mut SqliteConnection, commit: &Commit<'_>) -> Result<Decision, ReportError> {
    let finding = commit.finding;
    let mut closed_case = None;
    if let Some(known) = spot_case(tx, finding).await? {
        let again = known.last_at_ms == finding.sight.at.as_millis();
        if commit.kind == CommitKind::Confirmed || again {
            return Ok(Decision::Done(Committed::AlreadyCommitted(known.case_id)));
        }
        if known.open {
            return add_sighting(tx, commit, known.case_id).await.map(Decision::Done);
        }
        closed_case = Some(known.case_id);
    }
    match judge(finding, &cases_of_matter(tx, finding, "open", i64::MAX).await?) {
        Verdict::SightingOf(case_id) => add_sighting(tx, commit, case_id).await.map(Decision::Done),
        Verdict::New => {
            let Some(pictures) = commit.for_case else { return Ok(Decision::NeedsCasePictures) };
            let linked = match closed_case {
                Some(id) => Some(id),
                None => latest_closed_about(tx, finding).await?,
            };
            open_case(tx, commit, pictures, linked).await.map(Decision::Done)
        }
    }
}

pub(super) struct SpotCase {
    pub(super) case_id: String,
    pub(super) open: bool,
    pub(super) last_at_ms: i64,
}

pub(super) async fn spot_case(
    tx: &mut SqliteConnection,
    finding: &Finding,
) -> Result<Option<SpotCase>, ReportError> {
    let row: Option<(String, String, i64)> = sqlx::query_as(
        "SELECT s.case_id, c.state, s.last_at_ms FROM spot_cases s JOIN cases c ON c.case_id = s.case_id
         WHERE s.camera = ? AND s.spot = ?",
    )
    .bind(finding.camera.as_str())
    .bind(finding.sight.spot.to_string())
    .fetch_optional(tx)
    .await
    .map_err(ReportError::store("look up a spot"))?;
    Ok(row.map(|(case_id, state, last_at_ms)| SpotCase { case_id, open: state == "open", last_at_ms }))
}

/// Cases of the finding's matter in one state that [`judge`] may find to be about it, latest change first: no further
/// than it merges, or opened by the same camera, so that a city's other ten thousand are not read. One that does not
/// read back is passed over, for it would stop every later finding of its matter.
pub(super) async fn cases_of_matter(
    tx: &mut SqliteConnection,
    finding: &Finding,
    state: &str,
    limit: i64,
) -> Result<Vec<OpenCase>, ReportError> {
    let around =
        finding.location.as_ref().map(|place| Around::of(place.lat, place.lon, finding.merge_radius_m));
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT case_id, opened_by_camera, opened_by_box, body FROM cases
         WHERE standard_ref = ?1 AND code = ?2 AND state = ?3
           AND (opened_by_camera = ?4 OR (lat BETWEEN ?5 AND ?6 AND lon BETWEEN ?7 AND ?8))
         ORDER BY changed_at_ms DESC, case_id DESC LIMIT ?9",
    )
    .bind(&finding.matter.standard_ref)
    .bind(&finding.matter.code)
    .bind(state)
    .bind(finding.camera.as_str())
    .bind(around.map(|around| around.lat.0))
    .bind(around.map(|around| around.lat.1))
    .bind(around.map(|around| around.lon.0))
    .bind(around.map(|around| around.lon.1))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(ReportError::store("list the cases of a matter"))?;
    let readable = rows.into_iter().filter_map(|(case_id, camera, bounds, body)| {
        read_open_case(&camera, &bounds, &body)
            .inspect_err(
                |e| error!(case = case_id, error = %e, "a stored case does not read back: passed over"),
            )
            .ok()
    });
    Ok(readable.collect())
}

/// Degrees that hold a circle.
#[derive(Clone, Copy)]
struct Around {
    lat: (f64, f64),
    lon: (f64, f64),
}

impl Around {
    fn of(lat: f64, lon: f64, radius_m: f64) -> Self {
        /// Metres of a degree of latitude where it is shortest, and a little less.
        const DEGREE_M: f64 = 110_000.0;
        let by_lat = radius_m / DEGREE_M;
        // Meridians meet at the poles: there the whole round is around.
        let by_lon = (by_lat / ((lat.abs() + by_lat).to_radians().cos()).max(1e-9)).min(360.0);
        Self { lat: (lat - by_lat, lat + by_lat), lon: (lon - by_lon, lon + by_lon) }
    }
}

fn read_open_case(camera: &str, bounds: &str, body: &str) -> Result<OpenCase, ReportError> {
    let case: Case = read_json("case", body)?;
    let bounds: ImageBox = read_json("box", bounds)?;
    // The first source is the one that opened it; sightings add theirs behind.
    let preset = case.sources.into_iter().next().and_then(|source| source.preset);
    Ok(OpenCase {
        case_id: case.case_id,
        matter: case.matter,
        location: case.location,
        unit_grid: case.unit_grid.map(|grid| grid.code),
        opened_by: Opener { camera: CameraId::new(camera), preset, bounds },
    })
}

/// The case that this one comes back from: the latest closed one that is about the same problem.
async fn latest_closed_about(
    tx: &mut SqliteConnection,
    finding: &Finding,
) -> Result<Option<String>, ReportError> {
    let closed = cases_of_matter(tx, finding, "closed", CLOSED_SEARCHED_MAX).await?;
    let same = closed.iter().find(|case| judge(finding, std::slice::from_ref(*case)) != Verdict::New);
    Ok(same.map(|case| case.case_id.clone()))
}

pub(super) async fn open_case(
    tx: &mut SqliteConnection,
    commit: &Commit<'_>,
    pictures: &[VaultRecord],
    linked_case_id: Option<String>,
) -> Result<Committed, ReportError> {
    let (finding, sight) = (commit.finding, &commit.finding.sight);
    let case = Case {
        case_id: Uuid::now_v7().to_string(),
        idempotency_key: case_key(finding, linked_case_id.as_deref()),
        state: CaseState::Reported,
        linked_case_id,
        matter: finding.matter.clone(),
        first_seen: sight.first_at,
        confirmed_at: sight.at,
        last_seen: sight.at,
        sightings: 1,
        sources: vec![source_of(finding)],
        location: finding.location.clone(),
        unit_grid: finding.unit_grid.clone(),
        responsibility_grid: finding.responsibility_grid.clone(),
        score: sight.score,
        model: commit.model.clone(),
        config_sha256: commit.config_sha256.to_owned(),
        evidence: pictures.iter().filter_map(VaultRecord::leaving).collect(),
    };
    let body = write_json("case", &case)?;
    sqlx::query(
        "INSERT INTO cases (case_id, state, standard_ref, code, opened_by_camera, opened_by_box, body, changed_at_ms,
           lat, lon)
         VALUES (?, 'open', ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&case.case_id)
    .bind(&case.matter.standard_ref)
    .bind(&case.matter.code)
    .bind(finding.camera.as_str())
    .bind(write_json("box", &sight.bounds)?)
    .bind(&body)
    .bind(commit.now.as_millis())
    .bind(finding.location.as_ref().map(|place| place.lat))
    .bind(finding.location.as_ref().map(|place| place.lon))
    .execute(&mut *tx)
    .await
    .map_err(ReportError::store("open a case"))?;
    bind_spot(tx, finding, &case.case_id).await?;
    keep_pictures(tx, &case.case_id, pictures, commit.now).await?;
    let row = NewRow {
        case_id: &case.case_id,
        kind: OutboxKind::Case,
        key: &case.idempotency_key,
        body,
        pictures,
        now_ms: commit.now.as_millis(),
        carried: None,
    };
    insert_row(tx, row).await?;
    Ok(Committed::Opened(case.case_id))
}

pub(super) async fn add_sighting(
    tx: &mut SqliteConnection,
    commit: &Commit<'_>,
    case_id: String,
) -> Result<Committed, ReportError> {
    let (finding, pictures) = (commit.finding, commit.for_sighting);
    let sighting = Sighting {
        idempotency_key: sighting_key(finding),
        at: finding.sight.at,
        source: source_of(finding),
        score: finding.sight.score,
        evidence: pictures.iter().filter_map(VaultRecord::leaving).collect(),
    };
    let row = NewRow {
        case_id: &case_id,
        kind: OutboxKind::Sighting,
        key: &sighting.idempotency_key,
        body: write_json("sighting", &sighting)?,
        pictures,
        now_ms: commit.now.as_millis(),
        carried: Some(write_json("carried finding", &Carried::of(commit))?),
    };
    if !insert_row(tx, row).await? {
        return Ok(Committed::AlreadyCommitted(case_id));
    }
    bind_spot(tx, finding, &case_id).await?;
    keep_pictures(tx, &case_id, pictures, commit.now).await?;
    count_sighting(tx, &case_id, &sighting, commit.now).await?;
    Ok(Committed::SightingOf(case_id))
}

/// Brings the local copy of the case up to date, by the rules that the desk follows. A copy that does not
/// read back stays as it is: the sighting is told all the same.
async fn count_sighting(
    tx: &mut SqliteConnection,
    case_id: &str,
    sighting: &Sighting,
    now: Timestamp,
) -> Result<(), ReportError> {
    let body: String = sqlx::query_scalar("SELECT body FROM cases WHERE case_id = ?")
        .bind(case_id)
        .fetch_one(&mut *tx)
        .await
        .map_err(ReportError::store("read a case"))?;
    let mut case: Case = match read_json("case", &body) {
        Ok(case) => case,
        Err(e) => {
            error!(case = case_id, error = %e, "a stored case does not read back: a sighting is not counted");
            return Ok(());
        }
    };
    case.sightings += 1;
    case.last_seen = case.last_seen.max(sighting.at);
    if !case.sources.contains(&sighting.source) {
        case.sources.push(sighting.source.clone());
    }
    for new in &sighting.evidence {
        case.evidence.retain(|old| old.role != new.role || new.role != logic::case::EvidenceRole::Latest);
        case.evidence.push(new.clone());
    }
    sqlx::query("UPDATE cases SET body = ?, changed_at_ms = ? WHERE case_id = ?")
        .bind(write_json("case", &case)?)
        .bind(now.as_millis())
        .bind(case_id)
        .execute(&mut *tx)
        .await
        .map_err(ReportError::store("count a sighting"))?;
    Ok(())
}

async fn bind_spot(tx: &mut SqliteConnection, finding: &Finding, case_id: &str) -> Result<(), ReportError> {
    sqlx::query(
        "INSERT INTO spot_cases (camera, spot, case_id, last_at_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (camera, spot) DO UPDATE SET case_id = excluded.case_id, last_at_ms = excluded.last_at_ms",
    )
    .bind(finding.camera.as_str())
    .bind(finding.sight.spot.to_string())
    .bind(case_id)
    .bind(finding.sight.at.as_millis())
    .execute(tx)
    .await
    .map_err(ReportError::store("bind a spot to its case"))?;
    Ok(())
}

impl Store {
    /// Enters a clip that is in the vault. `false`, and nothing changes, where the case's evidence was erased.
    pub(crate) async fn add_clip(
        &self,
        case_id: &str,
        clip: &VaultRecord,
        now: Timestamp,
    ) -> Result<bool, ReportError> {
        let mut tx = self.begin().await?;
        let is_kept: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM cases WHERE case_id = ? AND erased_at_ms IS NULL)",
        )
        .bind(case_id)
        .fetch_one(&mut *tx)
        .await
        .map_err(ReportError::store("look up a clip's case"))?;
        if is_kept {
            keep_pictures(&mut tx, case_id, std::slice::from_ref(clip), now).await?;
            finish(tx).await?;
        }
        Ok(is_kept)
    }
}

async fn keep_pictures(
    tx: &mut SqliteConnection,
    case_id: &str,
    pictures: &[VaultRecord],
    now: Timestamp,
) -> Result<(), ReportError> {
    chain::append(tx, case_id, Entered::Committed, pictures, now).await?;
    for record in pictures {
        sqlx::query("INSERT INTO case_pictures (case_id, record) VALUES (?, ?)")
            .bind(case_id)
            .bind(write_json("picture record", record)?)
            .execute(&mut *tx)
            .await
            .map_err(ReportError::store("keep a picture record"))?;
        for sha256 in [Some(&record.original_sha256), record.copy_sha256.as_ref()].into_iter().flatten() {
            sqlx::query("INSERT OR IGNORE INTO picture_files (sha256, case_id) VALUES (?, ?)")
                .bind(sha256.as_str())
                .bind(case_id)
                .execute(&mut *tx)
                .await
                .map_err(ReportError::store("note a case's file"))?;
        }
    }
    sqlx::query("UPDATE cases SET manifest_due = 1 WHERE case_id = ?")
        .bind(case_id)
        .execute(tx)
        .await
        .map_err(ReportError::store("mark a manifest as due"))?;
    Ok(())
}

fn source_of(finding: &Finding) -> Source {
    Source {
        kind: SourceKind::Camera,
        id: finding.camera.to_string(),
        zone: Some(finding.sight.zone.clone()),
        preset: finding.preset.clone(),
    }
}

/// One spot opens one case; after a closed one, one more.
fn case_key(finding: &Finding, linked_case_id: Option<&str>) -> String {
    let linked = linked_case_id.unwrap_or("-");
    key(&format!("case\0{}\0{}\0{linked}", finding.camera, finding.sight.spot))
}

/// One look at one spot counts once.
fn sighting_key(finding: &Finding) -> String {
    let at_ms = finding.sight.at.as_millis();
    key(&format!("sighting\0{}\0{}\0{at_ms}", finding.camera, finding.sight.spot))
}

fn key(name: &str) -> String {
    Uuid::new_v5(&KEY_NAMESPACE, name.as_bytes()).to_string()
}
