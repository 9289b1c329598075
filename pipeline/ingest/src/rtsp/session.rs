//! The requests of one connection, one after the other, and what their answers mean.
//!
//! What comes in: answers. What goes out: the bytes of the next request, at last that it plays; or the [`Refusal`] that
//! says why not. Never: a socket, a clock.

use super::account::Challenge;
use super::message::Answer;
use super::sdp::{Description, Video, join};
use crate::{Credentials, Refusal};

/// Seconds after which a session ends that nothing is asked in, unless the camera says otherwise (RFC 2326, 12.37).
const SESSION_SECS: u32 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Options,
    Describe,
    Setup,
    Play,
    /// Nothing that anybody waits for.
    Alive,
}

/// What an answer led to.
#[derive(Debug)]
pub(crate) enum Next {
    /// Send this.
    Ask(Vec<u8>),
    /// Pictures come from now on.
    Plays,
    /// Nothing to do.
    Wait,
}

/// Why it does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    Refused(Refusal),
    /// It is not understood here; rtspsrc may.
    NotUnderstood(String),
}

/// One connection's requests.
#[derive(Debug)]
pub(crate) struct Session {
    url: String,
    who: Option<Credentials>,
    challenge: Option<Challenge>,
    number: u32,
    asked: Asked,
    /// The same request was sent with the account: a second refusal is one.
    has_told: bool,
    can_get_parameter: bool,
    base: String,
    control: Option<String>,
    id: Option<String>,
    pub(crate) timeout_secs: u32,
    pub(crate) video: Option<Video>,
    pub(crate) has_audio: bool,
    /// Interleaved channels of RTP and RTCP.
    pub(crate) channels: (u8, u8),
}

impl Session {
    /// The first request stands in `Ask`.
    pub(crate) fn begin(url: &str, who: Option<Credentials>) -> (Self, Vec<u8>) {
        let mut session = Self {
            url: url.to_owned(),
            who,
            challenge: None,
            number: 0,
            asked: Asked::Options,
            has_told: false,
            can_get_parameter: false,
            base: url.to_owned(),
            control: None,
            id: None,
            timeout_secs: SESSION_SECS,
            video: None,
            has_audio: false,
            channels: (0, 1),
        };
        let first = session.ask(Asked::Options);
        (session, first)
    }

    /// What is waited for, as the request's name.
    pub(crate) fn waits_for(&self) -> &'static str {
        self.method()
    }

    /// Whether nothing has been answered yet.
    pub(crate) fn is_at_door(&self) -> bool {
        self.asked == Asked::Options
    }

    /// A request that keeps the session.
    pub(crate) fn keep_alive(&mut self) -> Vec<u8> {
        self.ask(Asked::Alive)
    }

    /// The last requests: some servers stumble over a stream that is torn down while it plays.
    pub(crate) fn tear_down(&mut self) -> Vec<u8> {
        let uri = join(&self.base, self.control.as_deref());
        let pause = self.request("PAUSE", &uri, "");
        [pause, self.request("TEARDOWN", &uri, "")].concat()
    }

    fn method(&self) -> &'static str {
        match self.asked {
            Asked::Options => "OPTIONS",
            Asked::Describe => "DESCRIBE",
            Asked::Setup => "SETUP",
            Asked::Play => "PLAY",
            Asked::Alive if self.can_get_parameter => "GET_PARAMETER",
            Asked::Alive => "OPTIONS",
        }
    }

    fn ask(&mut self, what: Asked) -> Vec<u8> {
        if self.asked != what {
            self.has_told = false;
        }
        self.asked = what;
        let aggregate = || join(&self.base, self.control.as_deref());
        let (uri, more) = match what {
            Asked::Options => (self.url.clone(), ""),
            Asked::Describe => (self.url.clone(), "Accept: application/sdp\r\n"),
            Asked::Setup => {
                let control = self.video.as_ref().and_then(|video| video.control.as_deref());
                (join(&self.base, control), "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")
            }
            Asked::Play => (aggregate(), "Range: npt=0.000-\r\n"),
            Asked::Alive => (aggregate(), ""),
        };
        let method = self.method();
        self.request(method, &uri, more)
    }

    fn request(&mut self, method: &str, uri: &str, more: &str) -> Vec<u8> {
        self.number += 1;
        let mut text =
            format!("{method} {uri} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: shirong\r\n{more}", self.number);
        if let Some(id) = &self.id {
            text += &format!("Session: {id}\r\n");
        }
        if let (Some(challenge), Some(who)) = (&mut self.challenge, &self.who) {
            text += &format!("Authorization: {}\r\n", challenge.answer(who, method, uri));
        }
        (text + "\r\n").into_bytes()
    }

    /// Takes the answer to the latest request.
    pub(crate) fn hear(&mut self, answer: &Answer) -> Result<Next, Stop> {
        let refused = |refusal| Err(Stop::Refused(refusal));
        match (answer.status, self.asked) {
            // A nonce grows old.
            (401, Asked::Alive) => {
                self.challenge =
                    Challenge::best(answer.headers("WWW-Authenticate")).or(self.challenge.take());
                return Ok(Next::Wait);
            }
            (454, Asked::Alive) => {
                return refused(Refusal::Other("the camera has ended the session".to_owned()));
            }
            (_, Asked::Alive) => return Ok(Next::Wait),
            // Who may ask for options is nobody's matter.
            (404, Asked::Options) => return refused(Refusal::NotFound),
            (_, Asked::Options) => {
                let public = answer.header("Public").unwrap_or_default();
                self.can_get_parameter = public.to_ascii_uppercase().contains("GET_PARAMETER");
                return Ok(Next::Ask(self.ask(Asked::Describe)));
            }
            (401, _) if self.who.is_some() && !self.has_told => {
                let Some(challenge) = Challenge::best(answer.headers("WWW-Authenticate")) else {
                    return Err(Stop::NotUnderstood("its way of asking for the account".to_owned()));
                };
                self.challenge = Some(challenge);
                let again = self.ask(self.asked);
                self.has_told = true;
                return Ok(Next::Ask(again));
            }
            (401 | 403, _) => return refused(Refusal::Unauthorized),
            (404, _) => return refused(Refusal::NotFound),
            (461, Asked::Setup) => return refused(Refusal::Transport),
            // rtspsrc could do no more either, and would keep the camera for good.
            (500 | 502..=504, _) => {
                return refused(Refusal::Other(format!("it answers {} {}", answer.status, answer.reason)));
            }
            (200..=299, _) => {}
            (status, _) => {
                let method = self.method();
                return Err(Stop::NotUnderstood(format!(
                    "its answer {status} {} to {method}",
                    answer.reason
                )));
            }
        }
        match self.asked {
            Asked::Describe => self.described(answer),
            Asked::Setup => {
                self.set_up(answer)?;
                Ok(Next::Ask(self.ask(Asked::Play)))
            }
            Asked::Play => {
                self.asked = Asked::Alive;
                Ok(Next::Plays)
            }
            Asked::Options | Asked::Alive => Ok(Next::Wait),
        }
    }

    fn described(&mut self, answer: &Answer) -> Result<Next, Stop> {
        let base = answer.header("Content-Base").or(answer.header("Content-Location"));
        if let Some(base) = base.filter(|base| base.contains("://")) {
            self.base = base.to_owned();
        }
        let description = Description::read(&String::from_utf8_lossy(&answer.body));
        self.has_audio = description.has_audio;
        self.control = description.control;
        if description.is_interleaved {
            return Err(Stop::NotUnderstood("its units, which come out of order".to_owned()));
        }
        self.video = description.video;
        match (&self.video, description.unsupported) {
            (Some(_), _) => Ok(Next::Ask(self.ask(Asked::Setup))),
            (None, Some(codec)) => Err(Stop::Refused(Refusal::UnsupportedCodec(codec))),
            (None, None) => Err(Stop::Refused(Refusal::NoVideo)),
        }
    }

    fn set_up(&mut self, answer: &Answer) -> Result<(), Stop> {
        if let Some(session) = answer.header("Session") {
            let mut parts = session.split(';').map(str::trim);
            self.id = parts.next().filter(|id| !id.is_empty()).map(str::to_owned);
            let secs =
                parts.filter_map(|part| part.strip_prefix("timeout=")).find_map(|secs| secs.parse().ok());
            self.timeout_secs = secs.unwrap_or(SESSION_SECS).clamp(4, 3600);
        }
        let transport = answer.header("Transport").unwrap_or_default();
        if transport.contains("/UDP") || transport.contains("client_port") {
            return Err(Stop::Refused(Refusal::Transport));
        }
        let channels = transport.split(';').find_map(|part| part.trim().strip_prefix("interleaved="));
        if let Some((rtp, rtcp)) = channels.and_then(|channels| channels.split_once('-'))
            && let (Ok(rtp), Ok(rtcp)) = (rtp.trim().parse(), rtcp.trim().parse())
        {
            self.channels = (rtp, rtcp);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Message, first};
    use super::*;
    use crate::Secret;

    fn hear(session: &mut Session, text: &str) -> Result<Next, Stop> {
        let bytes = text.replace('\n', "\r\n");
        match first(bytes.as_bytes()).unwrap().unwrap().0 {
            Message::Answer(answer) => session.hear(&answer),
            other => panic!("{other:?}"),
        }
    }

    fn asked(next: Result<Next, Stop>) -> String {
        match next {
            Ok(Next::Ask(bytes)) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    const SDP: &str = "v=0\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\na=control:v\n";

    fn described(more: &str) -> String {
        let body = SDP.replace('\n', "\r\n");
        format!("RTSP/1.0 200 OK\n{more}Content-Length: {}\n\n{}", body.len(), SDP)
    }

    #[test]
    fn from_the_door_to_the_pictures() {
        let who = Credentials { user: "u".into(), password: Secret::new("p") };
        let (mut session, first) = Session::begin("rtsp://h/a", Some(who));
        assert!(first.starts_with(b"OPTIONS rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\n"));
        let describe = asked(hear(&mut session, "RTSP/1.0 200 OK\nPublic: DESCRIBE, GET_PARAMETER\n\n"));
        assert!(describe.starts_with("DESCRIBE rtsp://h/a ") && !describe.contains("Authorization"));
        let again = asked(hear(&mut session, "RTSP/1.0 401 No\nWWW-Authenticate: Basic realm=\"x\"\n\n"));
        assert!(again.contains("CSeq: 3\r\n") && again.contains("Authorization: Basic dTpw\r\n"), "{again}");
        let setup = asked(hear(&mut session, &described("Content-Base: rtsp://h/a/\n")));
        assert!(setup.starts_with("SETUP rtsp://h/a/v ") && setup.contains("interleaved=0-1"), "{setup}");
        let play = asked(hear(
            &mut session,
            "RTSP/1.0 200 OK\nSession: 7F;timeout=30\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3\n\n",
        ));
        assert!(play.starts_with("PLAY rtsp://h/a/ ") && play.contains("Session: 7F\r\n"), "{play}");
        assert_eq!((session.channels, session.timeout_secs), ((2, 3), 30));
        assert!(matches!(hear(&mut session, "RTSP/1.0 200 OK\n\n"), Ok(Next::Plays)));
        assert!(session.keep_alive().starts_with(b"GET_PARAMETER rtsp://h/a/ "));
        assert!(matches!(hear(&mut session, "RTSP/1.0 200 OK\n\n"), Ok(Next::Wait)));
        let last = String::from_utf8(session.tear_down()).unwrap();
        assert!(last.starts_with("PAUSE ") && last.contains("\r\n\r\nTEARDOWN rtsp://h/a/ "), "{last}");
    }

    #[test]
    fn a_refusal_is_told_once_it_is_one() {
        let refused = |answers: &[&str]| {
            let who = Credentials { user: "u".into(), password: Secret::new("p") };
            let (mut session, _) = Session::begin("rtsp://h/a", Some(who));
            let mut last = None;
            for answer in answers {
                last = Some(hear(&mut session, answer));
            }
            match last {
                Some(Err(Stop::Refused(refusal))) => Some(refusal),
                Some(Err(Stop::NotUnderstood(_))) => None,
                other => panic!("{other:?}"),
            }
        };
        let ok = "RTSP/1.0 200 OK\n\n";
        let no = "RTSP/1.0 401 No\nWWW-Authenticate: Digest realm=\"x\", nonce=\"n\"\n\n";
        assert_eq!(refused(&[ok, no, no]), Some(Refusal::Unauthorized));
        assert_eq!(refused(&[ok, "RTSP/1.0 404 Not found\n\n"]), Some(Refusal::NotFound));
        assert_eq!(refused(&[ok, ok]), Some(Refusal::NoVideo));
        let busy = Refusal::Other("it answers 503 Service Unavailable".into());
        assert_eq!(refused(&[ok, "RTSP/1.0 503 Service Unavailable\n\n"]), Some(busy));
        assert_eq!(refused(&[ok, &described(""), "RTSP/1.0 461 No\n\n"]), Some(Refusal::Transport));
        assert_eq!(refused(&[ok, "RTSP/1.0 302 Moved\nLocation: rtsp://o/\n\n"]), None);
        assert_eq!(refused(&[ok, "RTSP/1.0 401 No\nWWW-Authenticate: NTLM\n\n"]), None);
    }
}
