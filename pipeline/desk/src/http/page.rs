//! The pages for a person. In: a query or an id. Out: HTML. What it looks like is `view`'s.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use maud::Markup;

use super::api::{own_case, query_pairs};
use super::{Shared, view};
use crate::access::Caller;
use crate::check;
use crate::error::Refusal;
use crate::store::now;

/// Lines of a case's log on its page.
const OPERATIONS_MAX: i64 = 50;
/// Cards on a page.
const CARDS: usize = 20;

/// The cases, newest first.
pub(super) async fn list(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Response {
    or_sorry(list_page(&desk, &caller, &uri).await)
}

async fn list_page(desk: &Shared, caller: &Caller, uri: &Uri) -> Result<Markup, Refusal> {
    let mut pairs = query_pairs(uri)?;
    let still = pairs.iter().any(|(name, value)| name == "refresh" && value == "off");
    pairs.retain(|(name, value)| name != "refresh" && !value.is_empty());
    let mut listing = check::listing(&pairs).map_err(Refusal::bad_query)?;
    if !pairs.iter().any(|(name, _)| name == "limit") {
        listing.limit = CARDS;
    }
    listing.filter.within.clone_from(&caller.grids);
    let within = caller.grids.as_deref();
    let page = desk.store.list(&listing.filter, listing.after, listing.limit).await?;
    let shown = view::List {
        clock: view::Clock { offset: desk.utc_offset, now: now() },
        counts: desk.store.counts(within).await?,
        choices: desk.store.choices(within).await?,
        refreshes: !still && listing.after.is_none(),
        page,
        pairs,
        who: view::Who::of(caller),
    };
    Ok(shown.markup())
}

/// One case, whole.
pub(super) async fn detail(
    State(desk): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(case_id): Path<String>,
) -> Response {
    or_sorry(detail_page(&desk, &caller, &case_id).await)
}

async fn detail_page(desk: &Shared, caller: &Caller, case_id: &str) -> Result<Markup, Refusal> {
    let case = own_case(desk, caller, case_id).await?;
    let operations = desk.store.operations(case_id, OPERATIONS_MAX).await?;
    let clock = view::Clock { offset: desk.utc_offset, now: now() };
    Ok(view::detail(clock, &view::Who::of(caller), &case, &operations))
}

/// The pages' one style sheet.
pub(super) async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("style.css")).into_response()
}

/// What a browser shows in its tab.
pub(super) async fn icon() -> Response {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "max-age=86400")];
    (headers, include_str!("icon.svg")).into_response()
}

fn or_sorry(page: Result<Markup, Refusal>) -> Response {
    match page {
        Ok(markup) => (StatusCode::OK, markup).into_response(),
        Err(refusal) => (refusal.status(), view::sorry(refusal.faults())).into_response(),
    }
}
