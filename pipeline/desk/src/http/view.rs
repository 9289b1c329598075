//! What the pages look like. In: cases and counts. Out: HTML, every foreign word escaped by maud. Never a
//! script, an address of elsewhere, or a word that turns a clue into a verdict.

use std::fmt::Write;

use calib::time::Timestamp;
use logic::case::{Case, CaseState, Evidence, EvidenceRole, Source};
use maud::{DOCTYPE, Markup, html};

use crate::access::Caller;
use crate::check::evidence_uri;
use crate::error::Fault;
use crate::store::{Choices, Counts, Operation, Page};

/// The list comes anew this often; short enough for a new case, long enough to choose from a menu.
const REFRESH_SECS: u32 = 10;

/// Local time, for reading.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    pub(super) offset: jiff::tz::Offset,
    pub(super) now: Timestamp,
}

impl Clock {
    fn local(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_millisecond(at.as_millis()) {
            Ok(instant) => self.offset.to_datetime(instant).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => at.to_string(),
        }
    }

    fn name(&self) -> String {
        let minutes = self.offset.seconds() / 60;
        let sign = if minutes < 0 { '−' } else { '+' };
        format!("UTC{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
    }

    /// The moment for people, the instant for machines.
    fn time(&self, at: Timestamp) -> Markup {
        html! { time datetime=(at) { (self.local(at)) } }
    }
}

/// Who looks at the page.
pub(super) struct Who {
    name: String,
    role: &'static str,
    grids: String,
}

impl Who {
    pub(super) fn of(caller: &Caller) -> Self {
        let grids = caller.grids.as_ref().map(|grids| grids.join(", ")).unwrap_or_default();
        Self { name: caller.name.clone(), role: caller.role.name(), grids }
    }

    fn markup(&self) -> Markup {
        html! {
            form.who method="post" action="/logout" {
                span { (self.name) " " small { (self.role) @if !self.grids.is_empty() { " · " (self.grids) } } }
                button type="submit" { "退出 " small { "log out" } }
            }
        }
    }
}

/// The list as it is shown.
pub(super) struct List {
    pub(super) clock: Clock,
    pub(super) counts: Counts,
    pub(super) choices: Choices,
    pub(super) refreshes: bool,
    pub(super) page: Page,
    /// The filter, as it was asked for.
    pub(super) pairs: Vec<(String, String)>,
    pub(super) who: Who,
}

impl List {
    pub(super) fn markup(&self) -> Markup {
        let head = html! {
            @if self.refreshes { meta http-equiv="refresh" content=(REFRESH_SECS); }
        };
        let body = html! {
            (self.header())
            main {
                (self.filter())
                @if self.page.cases.is_empty() {
                    (self.empty())
                } @else {
                    section.cards aria-label="案件 Cases" {
                        @for case in &self.page.cases { (card(self.clock, case)) }
                    }
                }
                (self.turn())
            }
            (footer(self.clock))
        };
        document("案件台", &head, &body)
    }

    fn header(&self) -> Markup {
        let Counts { reported, closed, sightings } = self.counts;
        html! {
            header.top {
                (brand())
                dl.counts {
                    div { dt { "待审核 " small { "awaiting review" } } dd.reported { (reported) } }
                    div { dt { "已结案 " small { "closed" } } dd { (closed) } }
                    div { dt { "再次发现 " small { "seen again" } } dd { (sightings) } }
                }
                (self.who.markup())
            }
        }
    }

    fn value(&self, name: &str) -> &str {
        self.pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn filter(&self) -> Markup {
        let choices = &self.choices;
        let matters: Vec<_> = choices
            .matters
            .iter()
            .map(|(standard, code, name)| {
                (format!("{standard} {code}"), format!("{code} {name} · {standard}"))
            })
            .collect();
        let grids: Vec<_> =
            choices.unit_grids.iter().chain(&choices.responsibility_grids).map(|word| twice(word)).collect();
        let cameras: Vec<_> = choices.cameras.iter().map(|word| twice(word)).collect();
        let states = [("reported", "待审核 awaiting review"), ("closed", "已结案 closed")];
        let states: Vec<_> = states.map(|(word, text)| (word.to_owned(), text.to_owned())).to_vec();
        html! {
            form.filter method="get" action="/" {
                (self.menu("matter", "事项", "matter", &matters))
                (self.menu("state", "状态", "state", &states))
                (self.menu("grid", "网格", "grid", &grids))
                (self.menu("camera", "摄像机", "camera", &cameras))
                div.buttons {
                    button type="submit" { "筛选 " small { "filter" } }
                    a href="/" { "清除 " small { "clear" } }
                }
                p.refresh {
                    @if self.refreshes {
                        "每 " (REFRESH_SECS) " 秒刷新 · "
                        a href=(self.link(&[("refresh", "off")])) { "暂停 " small { "pause" } }
                    } @else {
                        "不自动刷新 · "
                        a href=(self.link(&[])) { "看最新 " small { "newest" } }
                    }
                }
            }
        }
    }

    fn menu(&self, name: &str, zh: &str, en: &str, options: &[(String, String)]) -> Markup {
        let chosen = self.value(name);
        // A value that came by address and occurs nowhere stays visible, or the list would look unfiltered.
        let foreign = !chosen.is_empty() && options.iter().all(|(value, _)| value != chosen);
        html! {
            label {
                span { (zh) " " small { (en) } }
                select name=(name) {
                    option value="" { "全部 all" }
                    @if foreign { option value=(chosen) selected { (chosen) } }
                    @for (value, text) in options {
                        option value=(value) selected[value == chosen] { (text) }
                    }
                }
            }
        }
    }

    /// The same filter from its first page, with more parameters.
    fn link(&self, more: &[(&str, &str)]) -> String {
        let kept = self.pairs.iter().filter(|(name, _)| name != "after");
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let mut link = String::from("/?");
        for (name, value) in kept.chain(more.iter().copied()) {
            if !link.ends_with('?') {
                link.push('&');
            }
            let _ = write!(link, "{}={}", encoded(name), encoded(value));
        }
        link
    }

    fn empty(&self) -> Markup {
        let filtered = !self.pairs.is_empty();
        html! {
            section.empty {
                @if filtered {
                    h2 { "没有符合条件的案件" }
                    p { "No case matches this filter. " a href="/" { "查看全部 · show all" } }
                } @else {
                    h2 { "还没有案件" }
                    p { "案件台已就绪。摄像机发现并确认问题后，案件会出现在这里。" }
                    p.en { "The desk is ready. Cases appear here once a camera has confirmed a problem." }
                }
            }
        }
    }

    fn turn(&self) -> Markup {
        let next = self.page.next.map(|cursor| cursor.to_string());
        html! {
            nav.turn aria-label="翻页 pages" {
                @if !self.value("after").is_empty() {
                    a href=(self.link(&[])) { "← 最新 " small { "newest" } }
                }
                @if let Some(next) = next {
                    a href=(self.link(&[("after", &next)])) { "更早 " small { "older" } " →" }
                }
            }
        }
    }
}

fn twice(word: &str) -> (String, String) {
    (word.to_owned(), word.to_owned())
}

/// Percent-encoded for a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                (head)
                title { (title) " · 市容 Shirong" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg";
            }
            body { (body) }
        }
    }
}

fn brand() -> Markup {
    html! {
        a.brand href="/" {
            strong { "市容" }
            span { "案件台 " small { "Shirong case desk" } }
        }
    }
}

fn footer(clock: Clock) -> Markup {
    html! {
        footer {
            p { "案件均为线索，由人审核后方可处理。" span.en { "Every case is a clue; a person decides." } }
            p { "本页时间 " (clock.local(clock.now)) " (" (clock.name()) ") · "
                a href="/api/v1/cases" { "JSON" } " · " a href="/api/v1/openapi.json" { "API" } }
        }
    }
}

fn state(state: CaseState) -> Markup {
    match state {
        CaseState::Reported => html! { span.state.reported { "待审核 " small { "awaiting review" } } },
        CaseState::Closed => html! { span.state.closed { "已结案 " small { "closed" } } },
    }
}

const fn role(role: EvidenceRole) -> (&'static str, &'static str) {
    match role {
        EvidenceRole::First => ("首见", "first seen"),
        EvidenceRole::Confirming => ("确认", "confirming"),
        EvidenceRole::Latest => ("最近", "latest"),
        EvidenceRole::Crop => ("局部", "crop"),
        EvidenceRole::Annotated => ("标注", "annotated"),
        EvidenceRole::Clip => ("短片", "clip"),
    }
}

/// The first piece that there is, by preference.
fn pick<'a>(case: &'a Case, roles: &[EvidenceRole]) -> Option<&'a Evidence> {
    roles.iter().find_map(|role| case.evidence.iter().find(|piece| piece.role == *role))
}

fn picture(piece: &Evidence, class: &str) -> Markup {
    let (zh, en) = role(piece.role);
    html! { img class=(class) src=(evidence_uri(&piece.sha256)) alt={ (zh) " " (en) } loading="lazy"; }
}

fn card(clock: Clock, case: &Case) -> Markup {
    use EvidenceRole::{Annotated, Confirming, Crop, First, Latest};
    let view = pick(case, &[Annotated, Confirming, Latest, First]);
    let crop = pick(case, &[Crop]);
    let page = format!("/cases/{}", case.case_id);
    html! {
        article.card {
            a.pictures href=(page) {
                @if let Some(piece) = view { (picture(piece, "view")) }
                @if let Some(piece) = crop { (picture(piece, "crop")) }
                @if view.is_none() && crop.is_none() { span.nothing { "没有图片 no picture" } }
                (state(case.state))
            }
            div.words {
                h2 { a href=(page) { (case.matter.name) } " " span.code { (case.matter.code) } }
                p.standard { (case.matter.standard_ref) " · " (clue(case)) }
                (facts(clock, case))
            }
        }
    }
}

fn clue(case: &Case) -> Markup {
    let score = format!("{:.2}", case.score);
    html! { span.score { "线索，置信度 " (score) } " " small { "clue, score " (score) } }
}

fn fact(zh: &str, en: &str, value: &Markup) -> Markup {
    html! { div { dt { (zh) " " small { (en) } } dd { (value) } } }
}

/// What a card and a case's page both tell.
fn facts(clock: Clock, case: &Case) -> Markup {
    let unit = html! {
        @match &case.unit_grid {
            Some(grid) => {
                span.mono { (grid.code) }
                @if !grid.boundary.is_empty() {
                    " " span.doubt { "界线上 " small { "on a border" } }
                    @for cell in grid.boundary.iter().filter(|cell| cell.code != grid.code) {
                        " / " span.mono { (cell.code) } " " (format!("{:.0}", cell.probability * 100.0)) " %"
                    }
                }
                // One digit more where rounding would hide a doubt.
                @if grid.probability < 0.9995 {
                    " " span.doubt { "把握 " (format!("{:.1}", grid.probability * 100.0)) " %" }
                }
            }
            None => { "—" }
        }
    };
    let place = html! {
        @match &case.location {
            Some(at) => { span.mono { (format!("{:.6}°E {:.6}°N", at.lon, at.lat)) }
                " ± " (format!("{:.1}", at.error_m)) " m" }
            None => { "未标定 " small { "camera not calibrated" } }
        }
    };
    html! {
        dl.facts {
            (fact("单元网格", "unit grid", &unit))
            (fact("责任网格", "responsibility", &html! { (case.responsibility_grid.as_deref().unwrap_or("—")) }))
            (fact("位置", "place", &place))
            (fact("发现次数", "sightings", &html! { (case.sightings) }))
            (fact("首次发现", "first seen", &clock.time(case.first_seen)))
            (fact("确认", "confirmed", &clock.time(case.confirmed_at)))
            (fact("最近发现", "last seen", &clock.time(case.last_seen)))
            (fact("来源", "cameras", &html! { (sources(&case.sources)) }))
        }
    }
}

fn sources(sources: &[Source]) -> Markup {
    html! {
        ul.sources {
            @for source in sources {
                li {
                    span.mono { (source.id) }
                    @if let Some(zone) = &source.zone { small { " " (zone) } }
                    @if let Some(preset) = &source.preset { small { " 预置位 " (preset) } }
                }
            }
        }
    }
}

/// One case, whole.
pub(super) fn detail(clock: Clock, who: &Who, case: &Case, operations: &[Operation]) -> Markup {
    let body = html! {
        header.top { (brand()) (who.markup()) }
        main {
            p.back { a href="/" { "← 全部案件 " small { "all cases" } } }
            section.case {
                h1 { (case.matter.name) " " span.code { (case.matter.code) } " " (state(case.state)) }
                p.standard { (case.matter.standard_ref) " · " (clue(case)) }
                (facts(clock, case))
            }
            section.gallery aria-label="证据 Evidence" {
                h2 { "证据 " small { "evidence, masked copies" } }
                @if case.evidence.is_empty() { p.none { "没有图片 no picture" } }
                @for piece in &case.evidence { (exhibit(clock, piece)) }
            }
            (records(case))
            (log(clock, operations))
        }
        (footer(clock))
    };
    document(&case.matter.name, &html! {}, &body)
}

fn exhibit(clock: Clock, piece: &Evidence) -> Markup {
    let (zh, en) = role(piece.role);
    let uri = evidence_uri(&piece.sha256);
    html! {
        figure {
            @if piece.role == EvidenceRole::Clip {
                video src=(uri) controls preload="metadata" {}
            } @else {
                a href=(uri) { (picture(piece, "whole")) }
            }
            figcaption {
                strong { (zh) } " " small { (en) } " · " (clock.time(piece.captured_at))
                @if piece.masked { " · 已遮盖 " small { "masked" } }
                br; span.hash { "SHA-256 " (piece.sha256) }
            }
        }
    }
}

fn records(case: &Case) -> Markup {
    html! {
        section.records {
            h2 { "记录 " small { "record" } }
            dl.facts.wide {
                (fact("案件号", "case id", &html! { span.hash { (case.case_id) } }))
                @if let Some(linked) = &case.linked_case_id {
                    @let page = format!("/cases/{linked}");
                    (fact("前案", "comes back from", &html! { a.hash href=(page) { (linked) } }))
                }
                (fact("幂等键", "idempotency key", &html! { span.hash { (case.idempotency_key) } }))
                (fact("模型", "model", &html! { (case.model.name) br; span.hash { (case.model.sha256) } }))
                (fact("配置", "configuration", &html! { span.hash { (case.config_sha256) } }))
                @let json = format!("/api/v1/cases/{}", case.case_id);
                (fact("原始数据", "data", &html! { a href=(json) { "JSON" } }))
            }
        }
    }
}

fn log(clock: Clock, operations: &[Operation]) -> Markup {
    html! {
        section.log {
            h2 { "经过 " small { "log, newest first" } }
            ol {
                @for operation in operations {
                    li { (clock.time(operation.at)) " " (operation_words(operation)) }
                }
            }
        }
    }
}

fn operation_words(operation: &Operation) -> Markup {
    let word = |name: &str| operation.detail[name].as_str().unwrap_or("").to_owned();
    match operation.what.as_str() {
        "filed" => html! { "收到案件 " small { "filed" } },
        "seen_again" => html! { "再次发现 " small { "seen again" } " · " span.mono { (word("source")) } },
        "closed" => html! { "结案 " small { "closed" } " · " (word("reason")) },
        other => html! { (other) },
    }
}

/// Where a person shows a token. `next` is a path of this desk.
pub(super) fn login(faults: &[Fault], next: &str) -> Markup {
    let body = html! {
        header.top { (brand()) }
        main {
            section.empty {
                h2 { "登录 " small { "log in" } }
                @for fault in faults { p { (fault.what) ". " (fault.mend) "." } }
                form.login method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    label {
                        span { "令牌 " small { "token" } }
                        input type="password" name="token" required autofocus autocomplete="current-password"
                            maxlength="400";
                    }
                    button type="submit" { "进入 " small { "enter" } }
                }
                p.en { "An administrator makes one: shirong desk token new --role viewer --name NAME" }
            }
        }
    };
    document("登录", &html! {}, &body)
}

/// When there is no page to show.
pub(super) fn sorry(faults: &[Fault]) -> Markup {
    let body = html! {
        header.top { (brand()) }
        main {
            section.empty {
                h2 { "无法显示 " small { "cannot be shown" } }
                @for fault in faults {
                    p { @if let Some(field) = &fault.field { strong { (field) } " " } (fault.what) ". " (fault.mend) "." }
                }
                p { a href="/" { "← 全部案件 " small { "all cases" } } }
            }
        }
    };
    document("无法显示", &html! {}, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_and_its_name() {
        let now: Timestamp = "2026-07-01T16:30:05.900Z".parse().unwrap();
        let clock = Clock { offset: jiff::tz::Offset::from_seconds(8 * 3600).unwrap(), now };
        assert_eq!(clock.local(now), "2026-07-02 00:30:05");
        assert_eq!(clock.name(), "UTC+08:00");
        let west = Clock { offset: jiff::tz::Offset::from_seconds(-(3 * 3600 + 1800)).unwrap(), now };
        assert_eq!(west.name(), "UTC−03:30");
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encoded("GB/T 1&x=占"), "GB%2FT%201%26x%3D%E5%8D%A0");
    }
}
