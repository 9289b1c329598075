//! Who may see which camera of the loopback server.
//!
//! What comes in: paths with accounts. What goes out: a `GstRTSPAuth` and permissions on the factories.
//! Never: anything but test accounts.

use gstreamer_rtsp_server as rtsp;
use rtsp::glib::translate::ToGlibPtr;
use rtsp::prelude::*;

use crate::server::{Scheme, ServedAuth};

/// Role of those who gave no name.
const ANYBODY: &str = "anybody";

/// One role an account.
fn role(auth: Option<&ServedAuth>) -> String {
    let Some(auth) = auth else { return ANYBODY.to_owned() };
    // A role becomes the name of a GstStructure: letters and digits only, whatever the user is called.
    auth.user.bytes().fold("user".to_owned(), |role, byte| format!("{role}-{byte:02x}"))
}

fn token(role: &str) -> rtsp::RTSPToken {
    rtsp::RTSPToken::builder().field("media.factory.role", role).build()
}

/// The server's authenticator for these cameras; `None` when all are open.
///
/// # Errors
/// When accounts ask in different ways: GStreamer's server asks every camera in one.
pub(crate) fn authenticator<'a>(
    auths: impl Iterator<Item = Option<&'a ServedAuth>>,
) -> Result<Option<rtsp::RTSPAuth>, &'static str> {
    let all: Vec<_> = auths.collect();
    let accounts: Vec<_> = all.iter().copied().flatten().collect();
    let Some(first) = accounts.first() else { return Ok(None) };
    if accounts.iter().any(|a| a.scheme != first.scheme) {
        return Err("its cameras must all ask by Basic or all by Digest; serve the others on another port");
    }
    let authenticator = rtsp::RTSPAuth::new();
    authenticator.set_supported_methods(match first.scheme {
        Scheme::Basic => rtsp::gst_rtsp::RTSPAuthMethod::Basic,
        Scheme::Digest => rtsp::gst_rtsp::RTSPAuthMethod::Digest,
    });
    for account in &accounts {
        let token = token(&role(Some(account)));
        match account.scheme {
            Scheme::Basic => {
                let basic = rtsp::RTSPAuth::make_basic(&account.user, &account.password);
                authenticator.add_basic(&basic, &token);
            }
            Scheme::Digest => authenticator.add_digest(&account.user, &account.password, &token),
        }
    }
    if all.len() > accounts.len() {
        let mut anybody = token(ANYBODY);
        authenticator.set_default_token(Some(&mut anybody));
    }
    Ok(Some(authenticator))
}

/// Lets the camera's account (or anybody) in and nobody else.
#[allow(unsafe_code)]
pub(crate) fn permit(factory: &rtsp::RTSPMediaFactory, auth: Option<&ServedAuth>) {
    let role = role(auth);
    // Who may not even access is told 404 by GStreamer; who may not construct is asked for a password.
    let allowed = [
        (role.as_str(), "media.factory.access"),
        (&role, "media.factory.construct"),
        (ANYBODY, "media.factory.access"),
    ];
    // SAFETY: the bindings leave GstRTSPPermissions out. `permissions` is a fresh, owned mini object, the texts
    // are NUL-terminated and copied by the callee, `set_permissions` takes a reference of its own, and our one
    // is given back at the end.
    unsafe {
        let permissions = rtsp::ffi::gst_rtsp_permissions_new();
        for (role, permission) in allowed {
            rtsp::ffi::gst_rtsp_permissions_add_permission_for_role(
                permissions,
                role.to_glib_none().0,
                permission.to_glib_none().0,
                rtsp::glib::ffi::GTRUE,
            );
        }
        rtsp::ffi::gst_rtsp_media_factory_set_permissions(factory.to_glib_none().0, permissions);
        rtsp::gst::ffi::gst_mini_object_unref(permissions.cast());
    }
}
