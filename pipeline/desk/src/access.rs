//! Who may do what. In: a bearer token or a page's cookie, and what a route asks for. Out: a [`Caller`] or a
//! refusal. Never: a token in clear at rest, an anonymous write, an anonymous look at evidence.

mod gate;
mod rate;
mod role;
mod session;
mod token;

use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use gate::{Gate, Peer, cookie, guard, is_same_origin, peer_address, subnet, too_many};
pub(crate) use rate::Buckets;
pub use rate::{Limits, Pace};
pub(crate) use role::Need;
pub use role::Role;
pub(crate) use session::{COOKIE, COOKIE_SECURE, SESSION_MAX, Sessions};
pub(crate) use token::LINK_MAX;
pub use token::{NewToken, TokenBook, TokenError, TokenRow};

/// Who stands behind a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The token's id, which is no secret.
    pub(crate) token_id: String,
    /// Whom the token was made for.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Responsibility grids that it is confined to; absent: all.
    pub(crate) grids: Option<Arc<[String]>>,
    /// Where the request came from.
    pub(crate) address: IpAddr,
}

impl Caller {
    /// Whether a case of this responsibility grid is any of its business.
    pub(crate) fn is_within(&self, responsibility_grid: Option<&str>) -> bool {
        match &self.grids {
            None => true,
            Some(grids) => responsibility_grid.is_some_and(|grid| grids.iter().any(|own| own == grid)),
        }
    }
}
