//! Our own side of RTSP over TCP, for cameras whose key frames alone are looked at.
//!
//! What comes in: an address, an account, what a camera sends. What goes out: key frames for the pool, and how large
//! the delta units between them were. GStreamer decodes; it does not receive here, since its rtspsrc takes four threads
//! and ten times the CPU time of a camera of whose stream one unit in fifty is wanted. UDP, rtsps and every camera that
//! is not understood here are rtspsrc's. Never: a thread a camera, a wait, a copy of a unit that is not decoded.
//!
//! ```text
//! Receiver (a thread for hundreds of cameras, every 20 ms) ─ Line (one camera: connects, watches, connects again)
//!     socket ─ Message ─┬─ answers ─ Session (requests, account)
//!                       ├─ RTCP ─── WallClock
//!                       └─ RTP ──── Depay: units ─ gate ─ Pool
//! ```

pub(crate) mod account;
pub(crate) mod depay;
pub(crate) mod line;
pub(crate) mod message;
pub(crate) mod names;
pub(crate) mod receiver;
pub(crate) mod sdp;
pub(crate) mod session;
