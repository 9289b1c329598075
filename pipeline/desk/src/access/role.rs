//! Roles and what each may do, in one table. In: a role and a need. Out: yes or no.

use std::fmt;
use std::str::FromStr;

/// What a person or a program is to the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Reads cases and their masked evidence.
    Viewer,
    /// Reads, and ends cases with a reason.
    Reviewer,
    /// Reads; gives cases to those who handle them.
    Dispatcher,
    /// Reads what is its own to handle; nearly always confined to grids.
    Handler,
    /// Reads, ends cases, watches the desk. It files nothing: no one role can do everything.
    Administrator,
    /// Sets cameras up and watches how the node does. Sees no case.
    CameraIntegrator,
    /// A pipeline: files cases and reads them back. Sees no evidence and ends nothing.
    Service,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: whoever reaches the port.
    Nothing,
    /// To read cases.
    Cases,
    /// To read pictures and clips.
    Evidence,
    /// To end a case.
    Close,
    /// To file cases, sightings and evidence.
    File,
    /// To read counters.
    Metrics,
}

impl Role {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Reviewer,
        Self::Dispatcher,
        Self::Handler,
        Self::Administrator,
        Self::CameraIntegrator,
        Self::Service,
    ];

    /// Its word on the command line, in the store and in the audit log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reviewer => "reviewer",
            Self::Dispatcher => "dispatcher",
            Self::Handler => "handler",
            Self::Administrator => "administrator",
            Self::CameraIntegrator => "camera-integrator",
            Self::Service => "service",
        }
    }

    /// The table.
    pub(crate) const fn may(self, need: Need) -> bool {
        use Role::{Administrator, CameraIntegrator, Dispatcher, Handler, Reviewer, Service, Viewer};
        match need {
            Need::Nothing => true,
            Need::Cases => !matches!(self, CameraIntegrator),
            Need::Evidence => matches!(self, Viewer | Reviewer | Dispatcher | Handler | Administrator),
            Need::Close => matches!(self, Reviewer | Administrator),
            Need::File => matches!(self, Service),
            Need::Metrics => matches!(self, Administrator | CameraIntegrator | Service),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{}` is no role; write one of {names}", text.escape_debug())
        })
    }
}
