//! The faults that a camera can be made to have.
//!
//! In: a name. Out: what it is, how it is held against the service. Never: how a camera does it; that is `serve`.

use std::time::Duration;

/// What a camera does wrong while it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    HalfOpen,
    Restart,
    Refused,
    Slammed,
    ParameterSets,
    Resolution,
    CodecChange,
    TimeWrap,
    TimeBack,
    TimeForward,
    ClockSkew,
    SequenceJumps,
    LossOverUdp,
    SilentOverUdp,
    NoKeyFrames,
    BitFlips,
    TruncatedFragments,
    Bursts,
    PasswordChanged,
    PasswordRefused,
    NotFound,
    Unavailable,
    Redirect,
    RedirectLoop,
    Trickle,
    EndlessParameters,
    Garbage,
    WrongChannel,
    EndlessHeader,
    GiantAnswer,
    GiantHead,
    Teardown,
    KeepAliveUnanswered,
}

/// How a fault is held against the service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// As the table names it.
    pub(crate) name: &'static str,
    /// What the camera does.
    pub(crate) does: &'static str,
    /// How long it lasts in the long form; in the short one at most [`SHORT`].
    pub(crate) lasts: Duration,
    /// How soon the camera must be looked at after its end.
    pub(crate) within: Duration,
}

/// How long a fault lasts unless its kind says otherwise.
const LASTS: Duration = Duration::from_secs(20);
/// How long one lasts where all come at once.
pub(crate) const SHORT: Duration = Duration::from_secs(12);
/// How soon a camera must be looked at again.
pub(crate) const WITHIN: Duration = Duration::from_secs(10);
/// A password that was refused is tried again after half a minute to a minute: asked often, cameras lock accounts.
const WITHIN_PATIENTLY: Duration = Duration::from_secs(65);

impl Fault {
    pub(crate) const ALL: [Self; 33] = [
        Self::HalfOpen,
        Self::Restart,
        Self::Refused,
        Self::Slammed,
        Self::ParameterSets,
        Self::Resolution,
        Self::CodecChange,
        Self::TimeWrap,
        Self::TimeBack,
        Self::TimeForward,
        Self::ClockSkew,
        Self::SequenceJumps,
        Self::LossOverUdp,
        Self::SilentOverUdp,
        Self::NoKeyFrames,
        Self::BitFlips,
        Self::TruncatedFragments,
        Self::Bursts,
        Self::PasswordChanged,
        Self::PasswordRefused,
        Self::NotFound,
        Self::Unavailable,
        Self::Redirect,
        Self::RedirectLoop,
        Self::Trickle,
        Self::EndlessParameters,
        Self::Garbage,
        Self::WrongChannel,
        Self::EndlessHeader,
        Self::GiantAnswer,
        Self::GiantHead,
        Self::Teardown,
        Self::KeepAliveUnanswered,
    ];

    /// Those of a camera that gives no picture at all, for as long as it has them.
    pub(crate) const DEAD: [Self; 16] = [
        Self::HalfOpen,
        Self::Refused,
        Self::Slammed,
        Self::NotFound,
        Self::Unavailable,
        Self::PasswordRefused,
        Self::RedirectLoop,
        Self::Trickle,
        Self::NoKeyFrames,
        Self::EndlessParameters,
        Self::Garbage,
        Self::WrongChannel,
        Self::EndlessHeader,
        Self::GiantAnswer,
        Self::GiantHead,
        Self::SilentOverUdp,
    ];

    pub(crate) fn held(self) -> Held {
        let held = |name, does| Held { name, does, lasts: LASTS, within: WITHIN };
        let long = Duration::from_secs(90);
        match self {
            Self::HalfOpen => {
                held("half-open TCP", "connections stay open and silent, new ones are taken and not answered")
            }
            Self::Restart => Held {
                lasts: Duration::from_secs(3),
                ..held("server restart", "all connections are reset, nothing listens for 3 s")
            },
            Self::Refused => Held { lasts: long, ..held("connection refused", "nothing listens for 90 s") },
            Self::Slammed => held("accepted and reset", "each connection is reset as soon as it is taken"),
            Self::ParameterSets => {
                held("parameter sets change in flight", "another profile and rate, no reconnect")
            }
            Self::Resolution => {
                held("resolution changes in flight", "320x180 to 640x360 and back, no reconnect")
            }
            Self::CodecChange => held("codec changes", "H.264 to H.265 with a reconnect, and back"),
            Self::TimeWrap => held("RTP time wraps", "2^32 is passed 4 s after a reconnect"),
            Self::TimeBack => held("RTP time jumps back", "an hour, and forward again"),
            Self::TimeForward => held("RTP time jumps forward", "six hours, and back again"),
            Self::ClockSkew => held("sender's clock wrong", "sender reports a year ahead"),
            Self::SequenceJumps => held(
                "packets missing over TCP",
                "one in twenty, and a jump of a thousand before each key frame",
            ),
            Self::LossOverUdp => {
                held("packets lost over UDP", "one in ten, one in ten swapped with the next")
            }
            Self::SilentOverUdp => held("silent over UDP", "RTSP answers, no datagram comes"),
            Self::NoKeyFrames => held("no key frames", "delta pictures alone"),
            Self::BitFlips => held("corrupt NAL units", "one byte in a hundred has a bit flipped"),
            Self::TruncatedFragments => {
                held("truncated FU-A", "the last fragment never comes, sequence numbers go on without a gap")
            }
            Self::Bursts => held("bursts", "nothing for 5 s, then all of it at once"),
            Self::PasswordChanged => held(
                "401 after a change of password",
                "mended by an edit of the camera's file; counted from the edit",
            ),
            Self::PasswordRefused => Held {
                within: WITHIN_PATIENTLY,
                ..held("401 that passes", "the right password is refused for a while")
            },
            Self::NotFound => Held { lasts: long, ..held("404", "DESCRIBE is answered 404 for 90 s") },
            Self::Unavailable => Held { lasts: long, ..held("503", "DESCRIBE is answered 503 for 90 s") },
            Self::Redirect => held("redirect", "302 to another port that has the stream"),
            Self::RedirectLoop => held("redirect loop", "302 to itself"),
            Self::Trickle => held("slow camera", "200 bytes a second"),
            Self::EndlessParameters => {
                held("endless SPS and PPS", "parameter sets alone, a thousand a second")
            }
            Self::Garbage => held("garbage", "random bytes in the place of interleaved RTP"),
            Self::WrongChannel => held("wrong channel", "RTP on an interleaved channel that was not set up"),
            Self::EndlessHeader => held("answer without end", "header lines as fast as they are taken"),
            Self::GiantAnswer => held("gigantic answer", "DESCRIBE announces 2 GiB and sends them"),
            Self::GiantHead => held("gigantic line", "a header line without end"),
            Self::Teardown => {
                held("stream ended by the camera", "RTCP BYE and a closed connection 2 s after each PLAY")
            }
            Self::KeepAliveUnanswered => {
                held("keep-alive unanswered", "no request is answered while RTP goes on")
            }
        }
    }

    /// Whether it begins and ends with the camera's connections closed, as a camera does that starts anew.
    pub(crate) fn hangs_up(self) -> (bool, bool) {
        match self {
            Self::Restart
            | Self::Refused
            | Self::Slammed
            | Self::TimeWrap
            | Self::PasswordChanged
            | Self::PasswordRefused
            | Self::NotFound
            | Self::Unavailable
            | Self::RedirectLoop
            | Self::EndlessHeader
            | Self::GiantAnswer
            | Self::GiantHead
            | Self::Teardown => (true, false),
            Self::Trickle | Self::CodecChange | Self::Redirect => (true, true),
            _ => (false, false),
        }
    }

    /// Whether its camera sends over UDP.
    pub(crate) fn is_over_udp(self) -> bool {
        matches!(self, Self::LossOverUdp | Self::SilentOverUdp)
    }

    /// Whether its camera asks for a password.
    pub(crate) fn is_guarded(self) -> bool {
        matches!(self, Self::PasswordChanged | Self::PasswordRefused)
    }

    /// Whether nothing listens while it is on.
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Restart | Self::Refused)
    }
}
